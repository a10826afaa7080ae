"""The board and the review in a real Chromium: keys, wipe, phone, printing, two browsers, a run that arrives live."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiebatch.board import Role, publish
from kiebatch.record import picks
from kiebatch.record.notes import Region, Status
from kiebatch.record.picks import Decision
from kiebatch.record.picks_file import decide
from support import boards, tools
from support.boards import Looked, looked, served
from support.simulated import Sim

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra `e2e`")
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.needs("chromium")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=tools.chromium(), args=boards.FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = boards.film(tmp_path_factory.mktemp("browser") / "film")
    path = root / "scenes.yaml"
    path.write_text(path.read_text().replace("stops and listens", "stops and waits"))
    boards.make(root, "2b", "again", "#653")
    decide(boards.load(root).workspace, [Decision(slot="2a#1", note="too soft", author="Ann")])
    return root


@pytest.fixture
def root(_made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_made, tmp_path / "film"))


@pytest.fixture
def board(browser: Any, root: Path) -> Iterator[Looked]:
    """The board of a film, opened from the disk."""
    publish.write(boards.load(root), root / "board.html")
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    seen = looked(context)
    seen.page.goto((root / "board.html").as_uri())
    yield seen
    context.close()


def opened(browser: Any, review: boards.Served, **how: Any) -> Looked:
    seen = looked(browser.new_context(viewport={"width": 1280, "height": 800}, **how))
    seen.page.goto(review.address)
    return seen


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.dataset.shot || document.activeElement.id || ''"))


def title(page: Any) -> str:
    return str(page.inner_text("#viewer .vhead h2"))


# --- from the disk


def test_the_board_opens_from_the_disk_without_errors_or_requests(board: Looked) -> None:
    page = board.page

    assert page.title() == "The Lighthouse"
    assert page.locator("article").count() == 5
    assert page.evaluate("[...document.images].filter(i => i.src && !i.naturalWidth).length") == 0
    board.check()


def test_scenes_are_walked_by_keyboard_and_shots_opened(board: Looked) -> None:
    page = board.page
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert focused(page) == "2a"

    page.keyboard.press("Enter")
    assert title(page) == "2a"
    page.keyboard.press("ArrowRight")
    assert title(page) == "2b"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("2")
    assert "take 2" in page.inner_text("#viewer .of")
    page.keyboard.press("Escape")

    assert focused(page) == "2a"
    board.check()


def test_two_takes_are_compared_with_a_wipe(board: Looked) -> None:
    page = board.page
    page.click("#s-2a [data-take='1']")
    page.keyboard.press("c")
    wipe = page.locator("#viewer input[type=range]")
    assert wipe.get_attribute("aria-label") == "Wipe between Take 2 and Take 3"

    for _ in range(20):
        page.keyboard.press("ArrowLeft")

    assert page.evaluate("document.querySelector('.stage').style.getPropertyValue('--wipe')") == "40%"
    box = page.locator(".stage").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert float(wipe.input_value()) == pytest.approx(75, abs=2)
    page.select_option("#viewer select.a", label="Take 1")
    assert wipe.get_attribute("aria-label") == "Wipe between Take 1 and Take 3"
    board.check()


def test_two_versions_are_compared_and_the_prompts_change_is_shown(board: Looked) -> None:
    page = board.page
    page.click("#s-2b [data-open]")
    assert page.inner_text("#viewer .prompt del") == "listens"
    assert page.inner_text("#viewer .prompt ins") == "waits"

    page.click("text=Compare")

    assert page.locator("#viewer .layer img").count() == 2
    assert "Version 1" in page.inner_text("#viewer select.b")
    board.check()


def test_filter_and_search_find_shots_and_say_how_many(board: Looked) -> None:
    page = board.page
    page.click("[data-filter=gaps]")
    assert page.inner_text("#found") == "2 of 5 match"
    page.click("[data-filter=all]")

    page.keyboard.press("/")
    page.keyboard.type("spiral lantern")
    page.wait_for_selector("#found:has-text('1 of 5 match')")
    assert page.locator("article:visible").count() == 1
    page.keyboard.type(" submarine")
    page.wait_for_selector("text=No shots match")

    page.click("text=Show everything")
    assert page.locator("article:visible").count() == 5
    board.check()


def test_picks_of_a_board_are_copied_out_and_taken_in_again(board: Looked, root: Path) -> None:
    page = board.page
    page.click("#s-2a [data-take='2']")
    page.keyboard.press("p")
    page.keyboard.press("n")
    page.keyboard.type('the look: "back" — ünï 漢字')
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.keyboard.press("Escape")

    page.click("#decided")
    text = page.input_value("#sheet textarea")

    found = picks.parse(text, "copied")
    assert found.take("2a") == 3
    now = found.decision("2a#3")
    assert (now.note, now.star) == ('the look: "back" — ünï 漢字', True)
    board.check()


def test_a_board_keeps_its_decisions_over_a_reload(board: Looked) -> None:
    page = board.page
    page.click("#s-2a [data-take='1']")
    page.keyboard.press("p")
    page.keyboard.press("Escape")

    page.reload()

    assert page.inner_text("#decided") == "Copy 1 decision"
    assert page.locator("#s-2a.picked").count() == 1
    assert page.locator("#s-2a .take.pick").get_attribute("data-take") == "1"
    board.check()


def test_a_pick_stays_with_its_film_and_does_not_show_in_a_draft_or_a_namesake(
    browser: Any, root: Path, tmp_path: Path
) -> None:
    draft = boards.film(tmp_path / "draft")
    (draft / "assets").rename(root / "draft")
    (draft / "assets").mkdir()
    manifest = root / "draft" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"assets/', '"draft/'))
    opened_draft = boards.load(root, draft=True)
    publish.write(opened_draft, root / "draft.html")
    publish.write(boards.load(root), root / "board.html")
    namesake = Path(shutil.copytree(root, tmp_path / "namesake"))
    seen = looked(browser.new_context())
    page = seen.page
    page.goto((root / "draft.html").as_uri())
    page.click("#s-2a [data-take='1']")
    page.keyboard.press("p")
    page.keyboard.press("Escape")

    def shows_a_pick(path: Path) -> bool:
        page.goto(path.as_uri())
        return bool(page.locator("#decided").is_visible() or page.locator(".picked").count())

    assert [shows_a_pick(p) for p in (root / "draft.html", root / "board.html", namesake / "draft.html")] == [
        True,
        False,
        False,
    ]
    page.context.close()


def test_decisions_of_a_board_that_was_moved_can_be_taken_over(
    board: Looked, root: Path, tmp_path: Path
) -> None:
    page = board.page
    page.click("#s-2a [data-take='1']")
    page.keyboard.press("p")
    moved = shutil.copytree(root, tmp_path / "moved")
    page.goto((moved / "board.html").as_uri())
    assert not page.locator("#decided").is_visible()

    page.click("#elsewhere")
    page.click("text=Take them over")

    page.wait_for_selector("#s-2a.picked")
    assert page.inner_text("#decided") == "Copy 1 decision"
    board.check()


def test_a_decision_about_a_take_that_is_gone_is_not_offered(board: Looked, root: Path) -> None:
    page = board.page
    page.click("#s-2a [data-take='2']")
    page.keyboard.press("p")
    page.keyboard.press("Escape")
    manifest = root / "assets/manifest.json"
    found = json.loads(manifest.read_text())
    found["assets"] = [a for a in found["assets"] if a.get("take") != 3]
    manifest.write_text(json.dumps(found))
    path = root / "scenes.yaml"
    path.write_text(path.read_text().replace("takes: 3", "takes: 2"))
    publish.write(boards.load(root), root / "board.html")

    page.reload()

    assert not page.locator("#decided").is_visible()


def test_a_phone_shows_the_film_in_one_column(browser: Any, root: Path) -> None:
    publish.write(boards.load(root), root / "board.html")
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    seen = looked(context)
    seen.page.goto((root / "board.html").as_uri())

    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360
    lefts = seen.page.evaluate(
        "[...document.querySelectorAll('.shot')].map(s => s.getBoundingClientRect().left)"
    )
    assert len(set(lefts)) == 1
    seen.page.tap("#s-2a [data-open]")
    assert seen.page.evaluate("document.querySelector('#viewer').scrollWidth") <= 360
    assert seen.page.locator("#viewer .verdict").is_visible()
    seen.check()
    context.close()


def test_it_prints_with_all_pictures_and_without_buttons(board: Looked) -> None:
    board.page.emulate_media(media="print")

    assert not board.page.locator(".tools").is_visible()
    assert board.page.locator("#s-2b .prompt").is_visible()
    assert board.page.pdf(format="A4").startswith(b"%PDF")
    board.check()


def test_dark_and_light_follow_the_system_until_somebody_chooses(browser: Any, root: Path) -> None:
    publish.write(boards.load(root), root / "board.html")
    for scheme, dark in (("dark", True), ("light", False)):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto((root / "board.html").as_uri())
        shade = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]) < 128"
        assert page.evaluate(shade) is dark
        page.click("#theme")
        assert page.evaluate(shade) is not dark
        context.close()


def test_without_scripts_the_pictures_and_texts_are_there(browser: Any, root: Path) -> None:
    publish.write(boards.load(root), root / "board.html")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((root / "board.html").as_uri())

    assert page.locator(".still > img").count() == 3
    assert page.locator("#s-2b .prompt").is_visible()
    context.close()


def test_a_mailed_board_shows_its_media_from_anywhere(browser: Any, root: Path, tmp_path: Path) -> None:
    publish.write(boards.load(root), tmp_path / "mail" / "board.html", embed=True)
    seen = looked(browser.new_context())
    seen.page.goto((tmp_path / "mail" / "board.html").as_uri())
    seen.page.click("#s-1 [data-open]")

    seen.page.evaluate("document.querySelector('.stage > img').decode()")
    seen.check()


HOSTILE = """</script><script>document.title='owned'</script><img src=x onerror="document.title='owned'">"""


def test_hostile_texts_are_words_on_the_page_and_in_the_viewer(browser: Any, tmp_path: Path) -> None:
    text = f"""\
kiebatch: 1
title: {json.dumps("A " + HOSTILE)}
scenes:
  - {{id: 1, title: {json.dumps(HOSTILE)}, model: nano-banana-2, prompt: {json.dumps(HOSTILE)}, camera: {json.dumps(HOSTILE)}}}
"""
    root = boards.film(tmp_path / "film", text, made=("1",))
    decide(boards.load(root).workspace, [Decision(slot="1#1", note=HOSTILE, author=HOSTILE)])
    publish.write(boards.load(root), root / "board.html")
    seen = looked(browser.new_context())
    seen.page.goto((root / "board.html").as_uri())
    seen.page.click("#s-1 [data-open]")

    assert seen.page.inner_text("#viewer .prompt") == HOSTILE
    assert seen.page.input_value("#note") == HOSTILE
    assert "owned" not in seen.page.evaluate("document.title").replace(HOSTILE, "")
    assert seen.page.locator("img[src=x]").count() == 0
    seen.check()


# --- served


def test_a_pick_in_the_review_is_in_picks_yaml_and_on_the_board(browser: Any, root: Path) -> None:
    with served(root) as review:
        seen = opened(browser, review)
        seen.page.click("#s-2a [data-take='2']")
        seen.page.keyboard.press("p")
        seen.page.wait_for_selector("text=Picked 2a#3")
        assert picks.parse(review.picks, "").take("2a") == 3
        seen.page.keyboard.press("x")
        seen.page.keyboard.type("flat light")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector("text=Rejected 2a#3")
        seen.check(review.url)
        seen.page.context.close()

    now = picks.parse(review.picks, "").decision("2a#3")
    assert (now.choice, now.note) == ("reject", "flat light")
    publish.write(boards.load(root), root / "board.html")
    assert "flat light" in (root / "board.html").read_text()


def test_clips_and_sounds_play_from_the_disk_and_from_the_server(browser: Any, tmp_path: Path) -> None:
    text = """\
kiebatch: 1
scenes:
  - id: 1
    model: kling-3.0/video
    params: {sound: false, mode: std, multi_shots: false, duration: "5"}
    prompt: The lamp turns
    voiceover: {text: "Nobody.", model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}
"""
    root = boards.film(tmp_path / "film", text, made=())
    boards.adopt(root, "1", boards.clip(tmp_path / "a.mp4", "testsrc=s=320x180:d=0.6:r=10"))
    boards.adopt(root, "1.vo", boards.clip(tmp_path / "a.mp3", "sine=d=0.6"))
    publish.write(boards.load(root), root / "board.html")
    with served(root) as review:
        for address in ((root / "board.html").as_uri(), review.address):
            seen = looked(browser.new_context())
            seen.page.goto(address)
            seen.page.click("#s-1 [data-open]")
            seen.page.wait_for_selector("#viewer video")
            playing = "new Promise(r => setTimeout(() => r(document.querySelector('#viewer video').currentTime), 400))"
            assert seen.page.evaluate(playing) > 0
            seen.page.keyboard.press("Escape")
            seen.page.click("[data-play]")
            seen.page.wait_for_selector(".heard.on")
            assert seen.page.locator(".wave path").count() == 1
            seen.check(review.url)
            seen.page.context.close()


def test_two_browsers_see_each_others_decisions(browser: Any, root: Path) -> None:
    with served(root) as review:
        ann, bo = opened(browser, review), opened(browser, review)
        bo.page.click("#s-2a [data-take='0']")

        ann.page.click("#s-2a [data-take='1']")
        ann.page.keyboard.press("p")

        bo.page.wait_for_selector("#viewer .rail .take.pick")
        assert bo.page.locator("#viewer .rail .take.pick b").inner_text() == "2"
        bo.page.keyboard.press("Escape")
        bo.page.wait_for_selector("#s-2a .take.pick[data-take='1']")
        for one in (ann, bo):
            one.check(review.url)
            one.page.context.close()


def test_a_note_that_somebody_else_changed_meanwhile_is_not_overwritten_unseen(
    browser: Any, root: Path
) -> None:
    with served(root) as review:
        ann = opened(browser, review)
        ann.page.click("#s-1 [data-open]")
        ann.page.fill("#note", "from the page")
        decide(review.session.live.workspace, [Decision(slot="1#1", note="from the terminal", author="Bo")])
        ann.page.wait_for_selector("#s-1 .note:has-text('from the terminal')", state="attached")
        assert ann.page.input_value("#note") == "from the page"

        ann.page.keyboard.press("Escape")
        ann.page.wait_for_selector("text=Bo changed this note meanwhile")
        assert picks.parse(review.picks, "").decision("1#1").note == "from the terminal"
        ann.page.focus("#note")
        ann.page.keyboard.press("Escape")

        ann.page.wait_for_selector("text=Note saved")
        assert picks.parse(review.picks, "").decision("1#1").note == "from the page"
        ann.page.context.close()


def test_a_plan_is_confirmed_with_its_price_and_the_run_arrives_live(
    browser: Any, root: Path, sim: Sim
) -> None:
    with served(root, runner=boards.runner(root, sim)) as review:
        seen = opened(browser, review)
        assert seen.page.locator("#s-3 .gap").is_visible()
        seen.page.click("#s-3 [data-open]")
        seen.page.click("text=Make it")
        seen.page.wait_for_selector("#sheet .price:has-text('8 credits')")
        assert sim.charges() == []

        seen.page.click("#sheet .loud")

        seen.page.wait_for_selector("#viewer .stage img", timeout=15000)
        seen.page.keyboard.press("Escape")
        seen.page.wait_for_selector("#s-3 .still > img")
        assert len(sim.charges()) == 1
        seen.check(review.url)
        seen.page.context.close()


def test_a_changed_prompt_is_shown_as_a_difference_and_written_into_the_file(
    browser: Any, root: Path, sim: Sim
) -> None:
    with served(root, runner=boards.runner(root, sim), may_write=True) as review:
        seen = opened(browser, review)
        seen.page.click("#s-1 [data-open]")
        seen.page.click("text=New prompt")
        seen.page.fill("#sheet textarea", "A small boat nears the lighthouse at dawn")
        seen.page.click("text=all takes of this shot")
        seen.page.click("#sheet .loud")
        assert "at dawn   # wide" in seen.page.inner_text("#sheet pre .plus")

        seen.page.click("#sheet .loud")

        seen.page.wait_for_selector("#viewer .versions button >> text=Version 2", timeout=15000)
        assert (
            "prompt: A small boat nears the lighthouse at dawn   # wide" in (root / "scenes.yaml").read_text()
        )
        seen.check(review.url)
        seen.page.context.close()


def test_a_note_is_pinned_to_a_place_answered_and_closed_by_keyboard(browser: Any, root: Path) -> None:
    with served(root) as review:
        seen = opened(browser, review)
        page = seen.page
        page.focus("#s-2b")
        page.keyboard.press("Enter")
        page.keyboard.press("m")
        page.wait_for_selector(".cursor:focus")
        for key in ("ArrowLeft", "Shift+ArrowUp", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector("#compose:focus")
        page.keyboard.type("the hand is cut off")
        page.keyboard.press("Control+Enter")

        page.wait_for_selector(".thread >> text=the hand is cut off")
        assert page.locator(".pins .pin").count() == 1
        page.click("text=Reply")
        page.keyboard.type("wider in the next take")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".thread >> text=wider in the next take")
        page.click(".thread >> text=Done")
        page.wait_for_selector(".thread.done")
        page.select_option("[data-key=status]", "changes-asked")
        page.wait_for_selector("#s-2b .status.changes-asked", state="attached")

        found = review.notes
        [thread] = found.threads("2b")
        assert thread.first.at == Region(x=0.48, y=0.4)
        assert [r.text for r in thread.replies] == ["wider in the next take"]
        assert (thread.first.done, found.status("2b").status) == (True, Status.CHANGES)
        seen.check(review.url)
        page.context.close()


def test_a_region_is_drawn_with_a_pointer_and_another_browser_sees_the_note(browser: Any, root: Path) -> None:
    with served(root) as review:
        seen, other = opened(browser, review), opened(browser, review)
        page = seen.page
        page.click("#s-1 [data-open]")
        page.click("text=Mark a place")
        box = page.locator(".pins.marking").bounding_box()
        page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"])
        page.mouse.up()
        page.keyboard.type("darker here")
        page.click("text=Add the note")

        other.page.wait_for_selector("article >> text=darker here")
        [note] = review.notes.by_id.values()
        assert note.at is not None
        found = (note.at.x, note.at.y, note.at.width, note.at.height)
        assert found == pytest.approx((0.25, 0.25, 0.5, 0.25), abs=0.01)
        page.context.close()
        other.page.context.close()


def test_another_site_cannot_decide_through_a_browser_that_is_signed_in(browser: Any, root: Path) -> None:
    with served(root) as review:
        seen = opened(browser, review)
        page = seen.page.context.new_page()
        page.goto("data:text/html,<title>evil</title>")
        page.evaluate(
            """url => fetch(url + "decide", {method: "POST", mode: "no-cors", credentials: "include",
            headers: {"content-type": "text/plain"}, body: '{"slot": "1#1", "decision": "pick"}'}).catch(() => {})""",
            review.url,
        )
        page.wait_for_timeout(200)
        assert review.picks.count("1#1") == 0
        seen.page.context.close()


# --- for everybody


def _serious(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # Our own policy lets no foreign script in; the checker goes around it.
    found = axe.run(page).response["violations"]
    return [
        f"{v['id']}: {[n['html'][:120] for n in v['nodes']][:3]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious(browser: Any, root: Path, scheme: str) -> None:
    decide(
        boards.load(root).workspace,
        [Decision(slot="2a#2", choice="pick"), Decision(slot="2a#3", choice="reject")],
    )
    path = root / "scenes.yaml"
    path.write_text(path.read_text().replace("  - id: 3\n", "  - id: 3\n    skip: no ship to be had\n"))
    publish.write(boards.load(root), root / "board.html")
    context = browser.new_context(
        color_scheme=scheme, bypass_csp=True, viewport={"width": 1280, "height": 800}
    )
    page = context.new_page()
    page.goto((root / "board.html").as_uri())
    found = {"page": _serious(page)}
    page.click("#help")
    found["help"] = _serious(page)
    page.keyboard.press("Escape")
    page.click("#s-2a [data-take='1']")
    found["viewer"] = _serious(page)
    page.keyboard.press("c")
    found["wipe"] = _serious(page)
    context.close()

    assert not any(found.values()), found


def test_axe_finds_nothing_serious_in_a_review(browser: Any, root: Path, sim: Sim) -> None:
    with served(root, runner=boards.runner(root, sim)) as review:
        seen = opened(browser, review, bypass_csp=True)
        found = {"page": _serious(seen.page)}
        seen.page.click("#s-2b [data-open]")
        found["viewer"] = _serious(seen.page)
        seen.page.click("text=Another take")
        seen.page.wait_for_selector("#sheet pre")
        found["plan"] = _serious(seen.page)
        seen.page.context.close()

    assert not any(found.values()), found


def test_every_control_has_a_name_and_shows_its_focus(board: Looked) -> None:
    page = board.page
    seen: list[str] = []
    for _ in range(14):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(e => e.getAttribute('aria-label') || e.innerText || e.placeholder || '')(document.activeElement)"
        )
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        seen.append(f"{name.strip()[:20]} {ring}")

    assert all(re.match(r"\S.* (solid|auto)", s, re.DOTALL) for s in seen), seen


# --- the film


def _playing(page: Any) -> tuple[str, str]:
    return (page.get_attribute("#player", "data-shot"), page.get_attribute("#player", "data-rate"))


def test_the_film_plays_in_order_and_is_steered_by_keyboard_alone(board: Looked) -> None:
    page = board.page
    page.focus("#s-2a")
    page.keyboard.press("f")
    page.wait_for_selector("#player[open][data-shot='2a'][data-rate='1'] .frame img")

    page.keyboard.press("k")
    stopped = _playing(page)
    page.keyboard.press("ArrowRight")
    after = _playing(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    before = _playing(page)
    page.keyboard.press("l")
    page.keyboard.press("l")
    faster = _playing(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("j")
    back = _playing(page)

    assert (stopped, after, before) == (("2a", "0"), ("2b", "0"), ("1", "0"))
    assert (faster[1], back[1]) == ("2", "-1")
    page.keyboard.press("Escape")
    assert not page.locator("#player").is_visible()
    board.check()


def test_the_film_goes_on_by_itself_stops_at_its_end_and_fills_the_screen(board: Looked) -> None:
    page = board.page
    page.click("#play")
    page.keyboard.press("k")
    assert page.inner_text("#player .time") == "0:00 / 0:15"
    page.keyboard.press("End")
    page.keyboard.press(" ")
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement !== null")

    page.wait_for_selector("#player[data-rate='0']")

    assert page.inner_text("#player .time").endswith("/ 0:15")
    board.check()


def test_the_player_and_the_notes_have_no_axe_violation_at_three_widths(browser: Any, root: Path) -> None:
    found: dict[str, list[str]] = {}
    with served(root) as review:
        seen = opened(browser, review, bypass_csp=True)
        page = seen.page
        for width in (1400, 820, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.click("#play")
            page.keyboard.press("k")
            found[f"player {width}"] = _serious(page)
            page.keyboard.press("Escape")
            page.click("#s-2b [data-open]")
            page.fill("#compose", f"seen at {width}")
            page.click("text=Add the note")
            page.wait_for_selector(f".thread >> text=seen at {width}")
            found[f"notes {width}"] = _serious(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.click("#viewer [aria-label=Close]")
        page.context.close()

    assert not any(found.values()), found


def test_a_client_enters_with_a_name_and_a_password_and_writes_a_note(browser: Any, root: Path) -> None:
    with served(root, password="lighthouse", role=Role.GUEST) as review:
        seen = opened(browser, review, bypass_csp=True)
        page = seen.page
        found = {"entrance": _serious(page)}
        page.keyboard.type("Kim")
        page.keyboard.press("Tab")
        page.keyboard.type("lighthouse")
        page.keyboard.press("Enter")
        page.click("#s-2b [data-open]")
        found["viewer"] = _serious(page)
        assert page.locator("#note, .verdict, .acts >> text=New version").count() == 0
        page.fill("#compose", "brighter, please")
        page.click("text=Add the note")
        page.wait_for_selector(".thread >> text=Kim (guest)")
        page.context.close()

    assert not any(found.values()), found
