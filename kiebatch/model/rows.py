"""JSON objects whose shape is known, read key by key."""

from __future__ import annotations

from collections.abc import Mapping

from kiebatch._dataclass import dataclass
from kiebatch.model.words import JSON


@dataclass(frozen=True, slots=True)
class Row:
    """A JSON object that has certain keys, with values of certain types.

    `KeyError` for a key that it lacks, `TypeError` for a value of another type.
    """

    values: Mapping[str, JSON]

    def text(self, key: str) -> str:
        value = self.values[key]
        if not isinstance(value, str):
            raise _other(key, "a text")
        return value

    def text_or_none(self, key: str) -> str | None:
        return None if self.values[key] is None else self.text(key)

    def whole(self, key: str) -> int:
        value = self.values[key]
        if not isinstance(value, int) or isinstance(value, bool):
            raise _other(key, "a whole number")
        return value

    def whole_or_none(self, key: str) -> int | None:
        return None if self.values[key] is None else self.whole(key)

    def number(self, key: str) -> float:
        value = self.values[key]
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _other(key, "a number")
        return value

    def number_or_none(self, key: str) -> float | None:
        return None if self.values[key] is None else self.number(key)

    def flag(self, key: str) -> bool:
        value = self.values[key]
        if not isinstance(value, bool):
            raise _other(key, "true or false")
        return value

    def id(self, key: str) -> int | str:
        """Return the id of a scene or a shot, which is a number or a text."""
        return self.whole(key) if isinstance(self.values[key], int) else self.text(key)

    def id_or_none(self, key: str) -> int | str | None:
        return None if self.values[key] is None else self.id(key)

    def texts(self, key: str) -> tuple[str, ...]:
        found = []
        for value in self.list(key):
            if not isinstance(value, str):
                raise _other(key, "a list of texts")
            found.append(value)
        return tuple(found)

    def list(self, key: str) -> tuple[JSON, ...]:
        value = self.values[key]
        if not isinstance(value, list | tuple):
            raise _other(key, "a list")
        return tuple(value)

    def mapping(self, key: str) -> Mapping[str, JSON]:
        value = self.values[key]
        if not isinstance(value, Mapping):
            raise _other(key, "an object")
        return value


def _other(key: str, expected: str) -> TypeError:
    return TypeError(f"`{key}` must be {expected}")


def row_of(value: JSON) -> Row:
    """Return a value as a row; `TypeError` where it is not an object."""
    if not isinstance(value, Mapping):
        raise TypeError("this must be an object")
    return Row(value)
