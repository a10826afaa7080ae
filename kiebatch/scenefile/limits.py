"""How large a scene file may be, said at once instead of after minutes.

What is within these bounds is read in linear time and memory.  They are far beyond every film: 5,000 shots are some
300 kB, and the longest prompt that a model takes has 20,000 characters.
"""

from __future__ import annotations

from collections.abc import Iterator

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Document, Path, under

MAX_SCENES = 100_000
MAX_TEXT = 64 * 1024  # bytes of one value, such as a prompt


def check(document: Document) -> None:
    """Raise `Invalid` with everything in a document that is larger than a scene file may be."""
    value = document.value
    scenes = under(value, "scenes")
    if isinstance(scenes, list):
        refuse_long_list(len(scenes), document.where(("scenes",)))
    problems = []
    for path, text in _long_texts(value) if _has_long_text(value) else ():
        name = next((step for step in reversed(path) if isinstance(step, str)), "text")
        size = len(text.encode("utf-8", "replace"))
        message = f"`{name}` has {size:,} bytes, and a text may have at most {MAX_TEXT:,}"
        problems.append(Problem(where=document.where(path), message=message, code="too-large"))
    if problems:
        raise Invalid(problems)


def refuse_long_list(count: int, where: Where) -> None:
    """Raise `Invalid` for a list with more entries than a scene file may have scenes."""
    if count > MAX_SCENES:
        message = f"this list has {count:,} entries, and a scene file may have at most {MAX_SCENES:,} scenes"
        hint = "split it into several films, each with an assets folder of its own"
        raise Invalid([Problem(where=where, message=message, hint=hint, code="too-large")])


def _is_long(text: str) -> bool:
    # A character has 4 bytes at most, so most texts need no encoding to be seen as short.
    return len(text) > MAX_TEXT // 4 and len(text.encode("utf-8", "replace")) > MAX_TEXT


def _has_long_text(root: JSON) -> bool:
    """Whether any text is too long; to say where it is takes longer, and hardly ever has to be done."""
    waiting: list[JSON] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if _is_long(value):
                return True
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False


def _long_texts(root: JSON) -> Iterator[tuple[Path, str]]:
    waiting: list[tuple[Path, JSON]] = [((), root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            if _is_long(value):
                yield path, value
        elif isinstance(value, dict):
            waiting += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, number), inner) for number, inner in enumerate(value)]
