"""The words that everything else is said in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar, cast

from kiebatch._dataclass import dataclass

# What `json.loads` gives.  Where a shape is known it has a type of its own; this one is for what is only carried.
JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

Path = tuple[str | int, ...]

Modality = Literal["image", "video", "audio", "text"]

Enhance = Literal["off", "ask", "required"]


def under(value: JSON, *keys: str) -> JSON:
    """Return what lies under some keys, one in the other; None where the shape is another."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def as_mapping(value: JSON) -> Mapping[str, JSON]:
    """Return the value where it is a mapping, and an empty mapping where its shape is another."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: JSON) -> Sequence[JSON]:
    """Return the value where it is a list, and an empty one where its shape is another; a text is not a list."""
    return value if isinstance(value, (list, tuple)) else ()


def one_or_more(value: JSON) -> Sequence[JSON]:
    """Return a list as it is, and any other value as the only one of a list."""
    return value if isinstance(value, list) else [value]


def as_text(value: JSON) -> str | None:
    """Return the value where it is a text, and None where its shape is another."""
    return value if isinstance(value, str) else None


Form = TypeVar("Form")


def as_form(form: type[Form], value: object) -> Form:
    """Take a value for one of our forms, such as a TypedDict.

    Nothing is checked: this is for what a schema has let pass, and for what we wrote ourselves.
    """
    return cast(Form, value)


def as_json(form: Mapping[str, object]) -> dict[str, JSON]:
    """Return what one of our forms holds as plain JSON."""
    return {key: json_of(value) for key, value in form.items()}


def json_of(value: object) -> JSON:
    """Return a value as plain JSON; what JSON has no word for becomes its text."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return as_json(value)
    if isinstance(value, list | tuple):
        return [json_of(one) for one in value]
    return str(value)


Role = Literal["source", "references", "start_frame", "end_frame", "mask"]

ROLES: tuple[Role, ...] = ("source", "references", "start_frame", "end_frame", "mask")

ASSET_FOLDERS: Mapping[str, str] = {"image": "images", "video": "clips", "audio": "audio", "text": "text"}


def stamp(seconds: float) -> str:
    """Return a time as the manifest writes it: ISO 8601, UTC, with milliseconds and Z."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `starts` in any `window_s` seconds."""

    starts: int
    window_s: float
