"""Writes `moved:` lines into a scene file, so that a renumbered slot keeps its versions."""

from __future__ import annotations

from collections.abc import Mapping

from kiebatch.errors import Invalid
from kiebatch.model import Document
from kiebatch.scenefile import document, yaml_text

_BEFORE_IT = (
    "kiebatch",
    "title",
    "notes",
    "defaults",
    "styles",
    "characters",
    "references",
    "run",
    "assets",
    "moved",
)


def shown(moved: Mapping[str, str]) -> str:
    """Return the lines as a person would write them: `moved: {1: 2, 2: 3}`."""
    return f"moved: {{{', '.join(f'{old}: {new}' for old, new in moved.items())}}}"


def with_moved(text: str, read: Document, moved: Mapping[str, str]) -> str:
    """Return a YAML scene file's text with these lines beside those that it has; everything else stays as it is.

    `Invalid`, with the line to write, for a form that cannot be edited in place.
    """
    if read.form != "yaml":
        raise Invalid(
            "`moved:` lines are written into YAML files alone",
            hint=f"write this line into the front matter: {shown(moved)}",
        )
    there = read.value.get("moved") or {}
    merged = {**{str(old): str(new) for old, new in there.items()}, **moved}
    written = yaml_text.with_key(text, read, (), "moved", merged, _BEFORE_IT)
    expected = {**read.value, "moved": merged}
    found = document.read(written, read.file).value
    found["moved"] = {str(old): str(new) for old, new in found["moved"].items()}
    if found != expected:
        raise Invalid("the file cannot be edited in place", hint=f"write this line into it: {shown(moved)}")
    return written
