"""The board and the review in a real browser, with titles, prompts, notes and names that want to be more than text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiebatch.board import publish
from kiebatch.record.picks import Decision
from kiebatch.record.picks_file import decide
from support import boards, tools
from support.boards import looked, served

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra `e2e`")
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]

ATTACKS = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<img src=http://127.0.0.1:9/leak.png>",
    "</script><script>window.hit=1</script>",
    "</title><svg onload=window.hit=1>",
    '"><iframe src=javascript:window.hit=1>',
    "' onmouseover='window.hit=1",
    "<a href=javascript:window.hit=1>click</a>",
    "<style>@import 'http://127.0.0.1:9/x.css'</style>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "<base href=http://127.0.0.1:9/>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "${window.hit=1}{{constructor.constructor('window.hit=1')()}}",
    "<!--<script>window.hit=1//-->",
    "<math><mtext></mtext><mglyph><svg><mtext><style><img src=x onerror=window.hit=1>",
    "\u2028window.hit=1\u2029",
    "\u202e<b>gnp.exe\u202c",
)
EVERYTHING = " ".join(ATTACKS)
FIELDS = ("title", "notes", "camera", "text_overlay", "transition", "dialogue", "location")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=tools.chromium(), args=boards.FLAGS)
        yield running
        running.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A film whose every word is an attack, and whose notes and authors are, too."""
    scenes = [
        {"id": number, "prompt": f"a boat {attack}", **dict.fromkeys(FIELDS, attack)}
        for number, attack in enumerate(ATTACKS, 1)
    ]
    value = {
        "kiebatch": 1,
        "title": EVERYTHING,
        "notes": EVERYTHING,
        "defaults": {"model": "nano-banana-2"},
        "scenes": [{**scene, "prompt": str(scene["prompt"]).replace("{", "{{")} for scene in scenes],
    }
    root = tmp_path / "film"
    root.mkdir()
    (root / "scenes.yaml").write_text(json.dumps(value), encoding="utf-8")
    for number in (1, 2, 3):
        boards.make(root, str(number), color="#653")
    (root / "made.png").unlink()
    notes = [
        Decision(slot=f"{n}#1", note=attack, author=attack)
        for n, attack in zip((1, 2, 3), ATTACKS[:3], strict=True)
    ]
    decide(boards.load(root).workspace, notes)
    return root


def use(page: Any) -> None:
    """Open and move over what there is to open, as a person would."""
    page.wait_for_load_state("load")
    for panel in page.locator("article, section, figure").all()[:8]:
        panel.hover(timeout=2000, force=True)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")


def test_no_word_of_a_film_runs_in_its_board(browser: Any, root: Path) -> None:
    publish.write(boards.load(root), root / "board.html")
    context = browser.new_context()
    seen = looked(context)

    seen.page.goto((root / "board.html").as_uri())
    use(seen.page)

    assert seen.page.evaluate("window.hit") is None
    assert [url for url in seen.asked if "127.0.0.1:9" in url] == []
    seen.check()
    context.close()


def test_no_word_of_a_film_runs_in_its_review(browser: Any, root: Path) -> None:
    with served(root) as review:
        context = browser.new_context()
        seen = looked(context)

        seen.page.goto(review.address)
        use(seen.page)

        assert seen.page.evaluate("window.hit") is None
        assert [url for url in seen.asked if "127.0.0.1:9" in url] == []
        context.close()


def test_a_board_shows_no_sign_that_turns_a_line_around(root: Path) -> None:
    text = (publish.write(boards.load(root), root / "board.html").path).read_text(encoding="utf-8")

    assert not set(text) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\x1b\x07\x00")
