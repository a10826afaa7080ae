"""Requests that each model takes or refuses, and answers of each API family, written from the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kiebatch import formats
from kiebatch.model import JSON

_HERE = Path(__file__).parent
REQUESTS = _HERE / "requests.yaml"
ANSWERS = _HERE / "answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One model's input that passes, and inputs that fail, each with the rule that it breaks.

    `refused` holds `(rule, input)` pairs; the rule is what the API's documentation says, as a mapping.
    """

    model: str
    modality: str
    input: Mapping[str, JSON]
    refused: tuple[tuple[Mapping[str, JSON], Mapping[str, JSON]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One call to the API with its answer.

    `section` is where the protocol describes it and `confidence` how sure that is (`high`, `medium`, `low`);
    `means` says what a client has to make of the answer.
    """

    family: str
    situation: str
    section: str
    confidence: str
    call: str
    reply: JSON
    means: Mapping[str, JSON]


def requests() -> dict[str, Sample]:
    """Return a sample for every model of the catalogue, by `MODALITY:MODEL`."""
    return {
        name: Sample(
            model=name.partition(":")[2],
            modality=name.partition(":")[0],
            input=value["pass"],
            refused=tuple((case["rule"], case["input"]) for case in value.get("fail", ())),
        )
        for name, value in raw_requests().items()
    }


def raw_requests() -> dict[str, Any]:
    """Return `requests.yaml` as values, with `<501 characters>` written out."""
    text = REQUESTS.read_text(encoding="utf-8")
    return {name: _long(value) for name, value in yaml.load(text, Loader=formats.yaml_loader()).items()}


def answers(family: str | None = None) -> list[Exchange]:
    """Return recorded and documented exchanges of one API family, or of all."""
    found = []
    for path in sorted(ANSWERS.glob("*.json")):
        if family not in (None, path.stem):
            continue
        value = json.loads(path.read_text(encoding="utf-8"))
        for exchange in value.get("exchanges", ()):
            found.append(
                Exchange(
                    family=value.get("family", path.stem),
                    situation=exchange["situation"],
                    section=exchange.get("section", ""),
                    confidence=exchange.get("confidence", ""),
                    call=exchange.get("call", ""),
                    reply=exchange.get("reply"),
                    means=exchange.get("means", {}),
                )
            )
    return found


def _long(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _long(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_long(one) for one in value]
    if isinstance(value, str):
        return re.sub(r"^<(\d+) characters>$", lambda found: _words(int(found[1])), value)
    return value


def _words(length: int) -> str:
    return ("ab " * length)[: length - 1] + "b"
