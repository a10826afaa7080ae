"""Refuses a request in which a path of this machine takes the place of an address: the last look before it is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kiebatch.errors import Invalid
from kiebatch.model import JSON

_ADDRESS_FIELD = re.compile(r"(?i)(?:^|_|[a-z])urls?$|^image_input$")
_ADDRESS = re.compile(r"(?i)(?:https?|asset|data):")
_OURS = re.compile(r"(?:file|shot):\S+")  # how a job names a medium before it has an address
_MEDIA = r"\.(?:png|jpe?g|webp|gif|bmp|tiff?|heic|mp4|mov|webm|mkv|avi|m4v|mp3|wav|m4a|aac|ogg|flac)"
_PATH = re.compile(rf"(?i)(?:~?/|\.{{1,2}}[/\\]|[a-z]:[\\/]|\\\\)[^\n]*{_MEDIA}")


def refuse(body: Mapping[str, JSON]) -> None:
    """Raise `Invalid` with every field of a request that holds a path where the provider needs an address."""
    found = [(name, text) for name, text in _texts(body, "") if _is_local(name, text)]
    if found:
        fields = ", ".join(f"`{name}`: `{text[:80]}`" for name, text in found[:5])
        raise Invalid(
            f"a path of this machine would be sent as an address ({fields}); nothing was sent",
            hint="upload the file first, and send the address that this gives",
        )


def _is_local(field: str, text: str) -> bool:
    if not text or _ADDRESS.match(text):
        return False
    if _OURS.fullmatch(text) or _PATH.fullmatch(text):
        return True
    return bool(_ADDRESS_FIELD.search(field))


def _texts(value: JSON, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(one, str(name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one, field)
