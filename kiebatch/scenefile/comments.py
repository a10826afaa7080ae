"""Warns where YAML cuts a text at ` #`: the rest of the line is a comment, and is not sent."""

from __future__ import annotations

from collections.abc import Iterator

from kiebatch.errors import Where
from kiebatch.model import Document, Path, under
from kiebatch.scenefile import validation
from kiebatch.scenefile.source import Source, listed

_SENT = ("prompt", "text", "negative_prompt")
MESSAGE = "the rest of the line is a comment and is not sent"
HINT = "put the whole text in quotes; a comment may follow the closing quote"
CODE = "cut-text"


def warn_cut_texts(source: Source) -> None:
    """Warn at the `#` of each text that is sent as words and was written without quotes."""
    ignored = source.ignored(None)
    for path, where in cut_texts(source.document):
        if CODE not in ignored | _ignored_at(source, path):
            source.problems.warning(where, MESSAGE, hint=HINT, code=CODE)


def cut_texts(document: Document) -> Iterator[tuple[Path, Where]]:
    """Yield the texts that are sent as words and end at a comment, with the place of its `#`."""
    for path, where in document.cuts.items():
        if _is_sent(path):
            yield path, where


def _is_sent(path: Path) -> bool:
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return False
    if names[0] in ("styles", "vars"):
        return True
    if names[0] == "characters":
        return len(names) == 2 or names[-1] == "text"
    if names[-1] in ("voiceover", "music", "sound_effects"):
        return True
    return names[-1] in _SENT or names[-1] == "style"


def _ignored_at(source: Source, path: Path) -> set[str]:
    """Return the codes that the scene and the shot around a value leave out."""
    found: set[str] = set()
    value = source.plain
    for step in path[:4]:
        value = validation.value_at(value, (step,))
        found |= set(listed(under(value, "ignore_warnings")))
    return found
