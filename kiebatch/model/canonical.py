"""The one text of a JSON value (RFC 8785), of which digests are made."""

from __future__ import annotations

import json

import rfc8785

from kiebatch.model.words import JSON

_EXACT = 2**53  # beyond it JSON readers round
# Its own text is the canonical one for what `_is_plain`: it escapes the same characters, in the same way.
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical(value: JSON) -> bytes:
    """Return a value's canonical text.  ValueError for what JSON cannot hold.

    Python's own encoder is five times as fast.  It writes floats and orders keys beyond ASCII in another way; those are
    left to the library.
    """
    if _is_plain(value):
        try:
            return _ENCODER.encode(value).encode()
        except UnicodeEncodeError:  # half of a character: the library says so
            pass
    return rfc8785.dumps(value)


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if isinstance(value, int):
        return kind is int and -_EXACT < value < _EXACT
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if not isinstance(value, dict):
        return False
    return all(type(key) is str and key.isascii() for key in value) and all(map(_is_plain, value.values()))
