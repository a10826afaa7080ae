"""Messages, help, comments and pages are plain English: a short list of phrases stays out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import ROOT

PHRASES = {
    "`X is not a Y`": r"(?<!there )\b(?:is|are) no (?!longer\b|more\b|less\b|better\b|one\b)[a-z]+",
    "`again` or `new`": r"\banew\b",
    "`is` for a place or a state": r"\bstands? (?:in|at|on|under|below|beside|behind|there|where|written|after|before)\b",
    "a relative clause with a head": r"(?:^|[.,;:(\"] ?)who (?:is|has|looks|reads|sends|waits|asks|gives|searches|wants)\b",
}
_ANY = re.compile("|".join(PHRASES.values()), re.IGNORECASE | re.MULTILINE)


def pages() -> Iterator[Path]:
    yield from sorted((ROOT / "kiebatch").rglob("*.py"))
    yield from sorted((ROOT / "docs").glob("*.md"))
    yield from sorted((ROOT / "skills").rglob("*.md"))
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))


def found() -> dict[str, list[str]]:
    """Return the phrases of each file that has some."""
    texts = {path: path.read_text(encoding="utf-8") for path in pages() if path.exists()}
    held = {path: [m.group(0) for m in _ANY.finditer(text)] for path, text in texts.items()}
    return {path.relative_to(ROOT).as_posix(): phrases for path, phrases in held.items() if phrases}


def test_no_page_holds_one_of_the_phrases() -> None:
    assert found() == {}, f"write it in plain English: {', '.join(PHRASES)}"


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("`x` is no scene file", True),
        ("these are no scene files", True),
        ("there is no scene file", False),
        ("the key is no longer accepted", False),
        ("made anew", True),
        ("what stands in the file", True),
        ("it stands for a take", False),
        ("Taken for turned, who reads alone", True),
        ("the person who reads it", False),
    ],
)
def test_what_the_phrases_catch(text: str, caught: bool) -> None:
    assert bool(_ANY.search(text)) is caught
