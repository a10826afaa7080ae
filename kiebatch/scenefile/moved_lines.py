"""Writes `moved:` lines into a scene file, so that a renumbered slot keeps its versions."""

from __future__ import annotations

from collections.abc import Mapping

from kiebatch.errors import Invalid
from kiebatch.model import Document, as_mapping, under
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
    merged = {**_lines(read), **moved}
    written = yaml_text.with_key(text, read, (), "moved", merged, _BEFORE_IT)
    again = document.read(written, read.file)
    if {**as_mapping(again.value), "moved": _lines(again)} != {**as_mapping(read.value), "moved": merged}:
        raise Invalid("the file cannot be edited in place", hint=f"write this line into it: {shown(moved)}")
    return written


def _lines(read: Document) -> dict[str, str]:
    return {old: str(new) for old, new in as_mapping(under(read.value, "moved")).items()}
