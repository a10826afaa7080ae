"""Finds the JSON Schemas that ship with the package."""

from __future__ import annotations

import json
import pathlib
from functools import cache

from kiebatch.model import JSON

_PLACES = (pathlib.Path(__file__).parent / "_schemas", pathlib.Path(__file__).parent.parent / "schemas")


def path(name: str) -> pathlib.Path:
    """Return where `NAME.schema.json` lies: in the wheel, or beside the package in a checkout."""
    for folder in _PLACES:
        found = folder / f"{name}.schema.json"
        if found.is_file():
            return found
    raise FileNotFoundError(f"the package has lost its file {name}.schema.json; install it again")


@cache
def load(name: str) -> JSON:
    """Return a schema by name: `scenes.base`, `scenes`, `manifest`, `model`."""
    return json.loads(path(name).read_text(encoding="utf-8"))
