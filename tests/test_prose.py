"""Messages, help, comments and pages are plain English: a short list of phrases stays out.

`tests/prose_debt.txt` names the files that still hold some, and how many. It only ever gets shorter: a file that is not
in it holds none, and `pytest tests/test_prose.py --update-golden` takes out what has been cleaned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import ROOT, TESTS

PHRASES = {
    "`X is not a Y`": r"(?<!there )\b(?:is|are) no (?!longer\b|more\b|less\b|better\b|one\b)[a-z]+",
    "`again` or `new`": r"\banew\b",
    "`is` for a place or a state": r"\bstands? (?:in|at|on|under|below|beside|behind|there|where|written|after|before)\b",
    "a relative clause with a head": r"(?:^|[.,;:(\"] ?)who (?:is|has|looks|reads|sends|waits|asks|gives|searches|wants)\b",
}
_ANY = re.compile("|".join(PHRASES.values()), re.IGNORECASE | re.MULTILINE)
DEBT = TESTS / "prose_debt.txt"


def pages() -> Iterator[Path]:
    yield from sorted((ROOT / "kiebatch").rglob("*.py"))
    yield from sorted((ROOT / "docs").glob("*.md"))
    yield from sorted((ROOT / "skills").rglob("*.md"))
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))


def debt() -> dict[str, int]:
    lines = DEBT.read_text(encoding="utf-8").splitlines()
    return {name: int(count) for count, name in (line.split(" ", 1) for line in lines)}


def found() -> dict[str, list[str]]:
    """Return the phrases of each file that has some."""
    texts = {path: path.read_text(encoding="utf-8") for path in pages() if path.exists()}
    held = {path: [m.group(0) for m in _ANY.finditer(text)] for path, text in texts.items()}
    return {path.relative_to(ROOT).as_posix(): phrases for path, phrases in held.items() if phrases}


def test_no_page_holds_more_of_the_phrases_than_it_did(request: pytest.FixtureRequest) -> None:
    allowed, held = debt(), found()
    if request.config.getoption("--update-golden"):
        left = {name: min(len(held[name]), allowed[name]) for name in sorted(held) if name in allowed}
        DEBT.write_text("".join(f"{count} {name}\n" for name, count in left.items()), encoding="utf-8")

    too_many = {name: phrases for name, phrases in held.items() if len(phrases) > allowed.get(name, 0)}

    assert too_many == {}, f"write it in plain English: {', '.join(PHRASES)}"


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
