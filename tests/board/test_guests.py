"""An address for a client: a password, an end, and notes under a guest's name."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kiebatch.board import Role
from kiebatch.board.access import Access, Sessions
from support import boards
from support.boards import Served
from support.simulated import Sim


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return boards.film(tmp_path_factory.mktemp("guests") / "film")


@pytest.fixture
def root(_made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_made, tmp_path / "film"))


@pytest.fixture
def review(root: Path, sim: Sim) -> Iterator[Served]:
    """A review for guests, with a password; it could run jobs if somebody let it."""
    with boards.served(
        root, runner=boards.runner(root, sim), may_write=True, password="lighthouse", role=Role.GUEST
    ) as running:
        yield running


def client(review: Served) -> httpx.Client:
    """Return a browser that has opened the address, and no more."""
    browser = httpx.Client(
        base_url=review.url, headers={"origin": review.url.rstrip("/")}, timeout=10, verify=False
    )
    assert browser.get("/", params={"token": review.token}).status_code == 303
    return browser


def enter(browser: httpx.Client, name: str = "Kim", password: str = "lighthouse") -> httpx.Response:
    return browser.post("/enter", data={"name": name, "password": password})


def guest(review: Served, name: str = "Kim") -> httpx.Client:
    browser = client(review)
    assert enter(browser, name).status_code == 303
    return browser


def test_the_address_alone_shows_a_form_and_nothing_of_the_film(review: Served) -> None:
    browser = client(review)

    page = browser.get("/")

    assert "Password" in page.text
    assert "Your name" in page.text
    assert "Lighthouse" not in page.text
    for path in ("/shots?name=1", "/media/img-001", "/small/thumb/img-001", "/events"):
        assert browser.get(path).status_code == 403
    assert browser.post("/note", json={"slot": "1#1", "text": "x"}).status_code == 403


def test_a_wrong_password_or_no_name_stays_outside(review: Served) -> None:
    browser = client(review)

    assert "not right" in enter(browser, password="guess").text
    assert "your name" in enter(browser, name="  ").text
    assert browser.get("/media/img-001").status_code == 403


def test_ten_wrong_passwords_end_the_guessing_for_a_while(review: Served) -> None:
    browser = client(review)
    for _ in range(10):
        last = enter(browser, password="guess")

    assert last.status_code == 429
    assert enter(browser).status_code == 429


def test_the_form_is_only_taken_from_a_page_of_ours(review: Served) -> None:
    browser = client(review)

    reply = browser.post(
        "/enter",
        data={"name": "Kim", "password": "lighthouse"},
        headers={"origin": "http://evil.example"},
    )

    assert reply.status_code == 403


def test_a_guest_sees_the_film_without_prices_and_buttons(review: Served) -> None:
    text = guest(review).get("/").text.partition("<body")[2].partition("<script>")[0]

    assert "The stairs" in text
    for hidden in ("credits", "Make what is missing", "data-action", "To pick"):
        assert hidden not in text
    assert '"guest":true' in text
    assert '"run":false' in text


def test_a_guest_writes_notes_under_the_name_they_came_in_with(review: Served) -> None:
    browser = guest(review)
    sent = {"slot": "2a#2", "text": "brighter", "at": {"x": 0.5, "y": 0.5}, "author": "Ann"}

    assert browser.post("/note", json=sent).json()["ok"]

    [thread] = review.notes.threads("2a")
    assert (thread.first.author, thread.first.text) == ("Kim (guest)", "brighter")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/decide", {"slot": "2a#2", "decision": "pick"}),
        ("/status", {"shot": "2a", "status": "approved"}),
        ("/plan", {"kind": "all"}),
        ("/plan", {"kind": "convert"}),
        ("/prompt", {"slot": "2a#2"}),
        ("/run", {"plan": "x"}),
        ("/stop", {}),
    ],
)
def test_a_guest_decides_and_spends_nothing(
    review: Served, sim: Sim, path: str, body: dict[str, str]
) -> None:
    reply = guest(review).post(path, json=body)

    assert (reply.status_code, "notes alone" in reply.json()["message"]) == (403, True)
    assert (review.picks, sim.charges()) == ("", [])


def test_a_guest_changes_their_own_notes_and_nobody_elses(review: Served) -> None:
    kim, lee = guest(review), guest(review, "Lee")
    id = kim.post("/note", json={"slot": "1#1", "text": "too dark"}).json()["id"]

    assert lee.post("/note/change", json={"id": id, "text": "fine"}).status_code == 403
    assert kim.post("/note/change", json={"id": id, "done": True}).status_code == 403
    assert kim.post("/note/change", json={"id": id, "text": "darker"}).json() == {"ok": True}
    assert review.notes.by_id[id].text == "darker"
    assert kim.post("/note/change", json={"id": id, "deleted": True}).json() == {"ok": True}
    assert review.notes.by_id == {}


def test_a_second_guest_of_the_same_name_gets_a_name_of_their_own(review: Served) -> None:
    first, second = guest(review), guest(review, "kim")
    id = first.post("/note", json={"slot": "1#1", "text": "too dark"}).json()["id"]

    assert second.post("/note/change", json={"id": id, "text": "fine"}).status_code == 403
    second.post("/note", json={"slot": "1#1", "text": "no, bright"})
    assert {note.author for note in review.notes.by_id.values()} == {"Kim (guest)", "kim 2 (guest)"}


@pytest.mark.parametrize(
    "body",
    [
        {"slot": "9z#1", "text": "x"},
        {"slot": "1#1", "text": "  "},
        {"slot": "1#1", "text": "x", "at": {"x": 2, "y": 0}},
        {"slot": "1#1", "text": "x", "at": "here"},
        {"slot": "1#1", "text": "x", "seconds": -1},
        {"slot": "1#1", "text": "x", "reply": "n-none"},
        {"slot": "1#1", "text": "x" * 4001},
    ],
)
def test_what_is_not_a_note_is_refused_in_words(review: Served, body: dict[str, object]) -> None:
    reply = guest(review).post("/note", json=body)

    assert (reply.status_code, bool(reply.json()["message"])) == (400, True)
    assert review.notes.changes == ()


def test_a_password_guards_the_owners_page_too(root: Path) -> None:
    with boards.served(root, password="lighthouse") as review:
        browser = client(review)
        assert "Your name" not in browser.get("/").text
        assert enter(browser).status_code == 303

        assert browser.post("/decide", json={"slot": "2a#2", "decision": "pick"}).json() == {"ok": True}


def test_nobody_comes_in_after_the_end_and_who_is_in_goes_out(root: Path) -> None:
    with boards.served(root, expires_at=time.time() - 1) as review:
        browser = httpx.Client(base_url=review.url, verify=False)

        assert browser.get("/", params={"token": review.token}).status_code == 410


def test_sessions_end_with_the_address() -> None:
    now = [1000.0]
    sessions = Sessions(Access(token="t", expires_at=1060.0), now=lambda: now[0])
    cookie = sessions.begin("t")

    assert cookie is not None
    assert (sessions.begin("guess"), sessions.expired(), sessions.known(cookie)) == (None, False, True)
    now[0] = 1060.0
    assert sessions.expired()
