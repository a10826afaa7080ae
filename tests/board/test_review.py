"""The review as a server: who may come in, and what becomes of what they decide."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.waiting import until
from kiebatch import api
from kiebatch.board import publish
from kiebatch.record import picks
from kiebatch.record.picks import Decision
from kiebatch.record.picks_file import decide
from support import boards
from support.boards import Served
from support.simulated import Sim


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return boards.film(tmp_path_factory.mktemp("review") / "film")


@pytest.fixture
def root(_made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_made, tmp_path / "film"))


@pytest.fixture
def review(root: Path) -> Iterator[Served]:
    with boards.served(root) as running:
        yield running


def visitor(review: Served, **headers: str) -> httpx.Client:
    """Return a client as a browser on the page is: with the cookie, and an Origin of ours."""
    client = httpx.Client(
        base_url=review.url, headers={"origin": review.url.rstrip("/"), **headers}, timeout=10, verify=False
    )
    assert client.get("/", params={"token": review.token}).status_code == 303
    return client


# --- who may come in


def test_nobody_sees_anything_without_the_token(review: Served) -> None:
    for path in ("/", "/?token=guess", "/media/img-001", "/small/thumb/img-001", "/events", "/shots?name=1"):
        assert httpx.get(review.url.rstrip("/") + path).status_code == 403
    assert httpx.post(review.url + "decide", json={"slot": "1#1", "decision": "pick"}).status_code == 403
    assert review.picks == ""


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_requests_do_not_get(review: Served) -> None:
    reply = httpx.get(review.url, params={"token": review.token})

    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert {"httponly", "samesite=lax"} <= {p.strip().lower() for p in reply.headers["set-cookie"].split(";")}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"content-type": "text/plain"},
    ],
)
def test_another_site_decides_nothing_even_with_the_cookie(review: Served, headers: dict[str, str]) -> None:
    client = visitor(review)

    sent = {"content-type": "application/json", **headers}
    reply = client.post("/decide", content=json.dumps({"slot": "1#1", "decision": "pick"}), headers=sent)

    assert reply.status_code in (403, 415)
    assert review.picks == ""


def test_another_name_for_this_machine_is_refused(review: Served) -> None:
    reply = visitor(review).get("/", headers={"host": "rebound.example"})

    assert reply.status_code == 421


def test_the_page_forbids_frames_and_foreign_scripts(review: Served) -> None:
    headers = visitor(review).get("/").headers

    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


# --- what is shown


def test_media_and_small_pictures_are_served_by_id_alone(review: Served) -> None:
    client = visitor(review)

    whole, part = client.get("/media/img-001"), client.get("/media/img-001", headers={"range": "bytes=0-3"})

    assert (whole.status_code, whole.headers["content-type"]) == (200, "image/png")
    assert (part.status_code, part.content) == (206, b"\x89PNG")
    assert client.get("/small/thumb/img-001").content[8:12] == b"WEBP"
    for path in ("/media/..%2fscenes.yaml", "/media/img-999", "/small/web/img-001", "/small/thumb/x"):
        assert client.get(path).status_code == 404


def test_a_manifest_that_names_a_file_outside_the_project_shows_nothing(root: Path) -> None:
    path = root / "assets/manifest.json"
    (root.parent / "secret.png").write_bytes(b"secret")
    path.write_text(path.read_text().replace("assets/images/scene-01.png", "../secret.png"))

    with pytest.raises(Exception, match="outside the project"), boards.served(root):
        pass


# --- deciding


def test_a_pick_is_in_the_file_when_the_answer_comes(review: Served) -> None:
    reply = visitor(review).post("/decide", json={"slot": "2a#2", "decision": "pick", "author": "Bo"})

    assert reply.json() == {"ok": True}
    found = picks.parse(review.picks, "picks.yaml")
    assert (found.take("2a"), found.decision("2a#2").author) == (2, "Bo")


def test_a_rejection_keeps_its_reason_and_a_star_its_place(review: Served) -> None:
    client = visitor(review)
    client.post("/decide", json={"slot": "2a#1", "decision": "reject", "note": "soft\nface"})
    client.post("/decide", json={"slot": "2a#1", "star": True})

    now = picks.parse(review.picks, "picks.yaml").decision("2a#1")
    assert (now.choice, now.note, now.star, now.author) == ("reject", "soft\nface", True, "Ann")


@pytest.mark.parametrize(
    "body",
    [
        {"slot": "9#1", "decision": "pick"},
        {"slot": "1#1", "decision": "maybe"},
        {"slot": "1#1", "star": 1},
        {"slot": "1#1", "note": 5},
        {"slot": "1#1", "note": "x" * 5000},
        {"slot": "../x#1", "decision": "pick"},
        {"slot": "1#1"},
        {"slot": "a b"},
        {},
        [],
    ],
)
def test_what_is_no_decision_is_refused_in_words(review: Served, body: Any) -> None:
    reply = visitor(review).post("/decide", json=body)

    assert reply.status_code == 400
    assert reply.json()["message"]
    assert review.picks == ""


def test_a_body_without_end_is_refused(review: Served) -> None:
    reply = visitor(review).post(
        "/decide", content=b'{"slot": "' + b"x" * 1_000_000, headers={"content-type": "application/json"}
    )

    assert reply.status_code == 400


def test_two_who_change_one_note_do_not_overwrite_each_other(review: Served) -> None:
    ann, bo = visitor(review), visitor(review)

    first = ann.post("/decide", json={"slot": "2b#1", "note": "brighter", "was": ""})
    second = bo.post("/decide", json={"slot": "2b#1", "note": "darker", "was": ""})

    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["note"] == "brighter"
    assert picks.parse(review.picks, "picks.yaml").decision("2b#1").note == "brighter"


@pytest.mark.slow
def test_many_who_decide_at_once_lose_nothing(review: Served) -> None:
    clients = [visitor(review) for _ in range(6)]

    def decide_often(number: int) -> None:
        for take in (1, 2, 3):
            clients[number].post("/decide", json={"slot": f"2a#{take}", "star": True, "author": str(number)})

    threads = [threading.Thread(target=decide_often, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(picks.parse(review.picks, "picks.yaml").decisions) == 18


# --- news


class Listener:
    """Reads the server's events in a thread."""

    def __init__(self, client: httpx.Client) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.client = client
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        until(lambda: self.heard)

    def _read(self) -> None:
        name = ""
        try:
            with self.client.stream("GET", "/events", timeout=None) as reply:
                for line in reply.iter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        self.heard.append((name, json.loads(line[6:])))
        except httpx.HTTPError:
            return

    def values(self, name: str) -> list[Any]:
        return [value for event, value in self.heard if event == name]


def test_a_decision_is_told_to_everybody_else(review: Served) -> None:
    other = Listener(visitor(review))

    visitor(review).post("/decide", json={"slot": "2a#3", "decision": "pick"})

    until(lambda: ["2a"] in other.values("shots"))
    html = visitor(review).get("/shots", params={"name": "2a"}).json()["2a"]
    assert "picked" in html.split(">")[0]


def test_what_a_terminal_decides_reaches_the_page(review: Served) -> None:
    other = Listener(visitor(review))

    decide(review.session.live.workspace, [Decision(slot="2b#1", choice="reject")])

    until(lambda: ["2b"] in other.values("shots"))


def test_a_run_in_a_terminal_arrives_on_the_page(review: Served, sim: Sim) -> None:
    other = Listener(visitor(review))

    boards.run(review.root, sim, "3")

    until(lambda: ["3"] in other.values("shots"))
    until(lambda: "data-id" in visitor(review).get("/shots", params={"name": "3"}).json()["3"])


def test_a_scene_file_that_is_edited_elsewhere_asks_the_page_to_load_anew(review: Served) -> None:
    other = Listener(visitor(review))
    path = review.root / "scenes.yaml"

    path.write_text(path.read_text().replace("title: Arrival", "title: The arrival"))

    until(lambda: other.values("reload"))
    assert "The arrival" in visitor(review).get("/").text


def test_a_scene_file_that_cannot_be_read_just_now_is_told_and_the_page_stays(review: Served) -> None:
    other = Listener(visitor(review))
    path = review.root / "scenes.yaml"

    path.write_text("kiebatch: [")

    until(lambda: other.values("problem"))
    assert "Arrival" in visitor(review).get("/").text


# --- making


def test_a_wish_is_a_plan_with_its_price_and_changes_nothing(root: Path, sim: Sim) -> None:
    with boards.served(root, runner=boards.runner(root, sim)) as review:
        plan = visitor(review).post("/plan", json={"kind": "again", "slot": "2b#1"}).json()

    assert (plan["may"], plan["total"]) == (True, "8 credits")
    assert plan["jobs"] == [{"slot": "2b", "model": "nano-banana-2", "reason": "forced", "credits": "8"}]
    assert sim.charges() == []


def test_a_confirmed_plan_runs_and_the_page_follows(root: Path, sim: Sim) -> None:
    with boards.served(root, runner=boards.runner(root, sim)) as review:
        client = visitor(review)
        other = Listener(visitor(review))
        plan = client.post("/plan", json={"kind": "make", "slot": "3#1"}).json()

        assert client.post("/run", json={"plan": plan["id"]}).json() == {"ok": True}

        until(lambda: any(now.get("done") == 1 for now in other.values("run")))
        until(lambda: ["3"] in other.values("shots"))
        # The page hears of it while it is in flight, and again when it is made.
        until(lambda: "data-id" in client.get("/shots", params={"name": "3"}).json()["3"])
    assert len(sim.charges()) == 1


def test_a_plan_is_carried_out_once(root: Path, sim: Sim) -> None:
    with boards.served(root, runner=boards.runner(root, sim)) as review:
        client = visitor(review)
        plan = client.post("/plan", json={"kind": "make", "slot": "3#1"}).json()
        first = client.post("/run", json={"plan": plan["id"]})
        second = client.post("/run", json={"plan": plan["id"]})
        until(lambda: not review.session.making.progress()["running"])

    assert (first.status_code, second.status_code) == (200, 400)
    assert len(sim.charges()) == 1


def test_another_prompt_is_shown_as_a_change_of_the_scene_file_and_written_when_allowed(
    root: Path, sim: Sim
) -> None:
    action = {"kind": "prompt", "slot": "1#1", "prompt": "A small boat nears the lighthouse at dawn"}
    with boards.served(root, runner=boards.runner(root, sim), may_write=True) as review:
        client = visitor(review)
        assert client.post("/prompt", json={"slot": "1#1"}).json()["prompt"].endswith("at dusk")
        plan = client.post("/plan", json=action).json()
        assert "+    prompt: A small boat nears the lighthouse at dawn   # wide" in plan["diff"]
        assert "dawn" not in (root / "scenes.yaml").read_text()

        client.post("/run", json={"plan": plan["id"]})

        until(lambda: len(sim.charges()) == 1 and not review.session.making.progress()["running"])
    assert (
        "prompt: A small boat nears the lighthouse at dawn   # wide\n" in (root / "scenes.yaml").read_text()
    )
    assert [v.number for v in _take(root, "1").versions] == [1, 2]


def test_a_page_that_may_not_write_shows_the_change_and_how_else(root: Path, sim: Sim) -> None:
    with boards.served(root, runner=boards.runner(root, sim)) as review:
        client = visitor(review)
        plan = client.post("/plan", json={"kind": "another", "slot": "2a#1"}).json()

        assert (plan["may"], "--write" in plan["note"]) == (False, True)
        assert "+        takes: 4" in plan["diff"]
        assert client.post("/run", json={"plan": plan["id"]}).status_code == 400


def test_a_scene_file_that_changed_since_the_plan_is_not_overwritten(root: Path, sim: Sim) -> None:
    with boards.served(root, runner=boards.runner(root, sim), may_write=True) as review:
        client = visitor(review)
        plan = client.post("/plan", json={"kind": "another", "slot": "2a#1"}).json()
        path = root / "scenes.yaml"
        path.write_text(path.read_text() + "# mine\n")

        reply = client.post("/run", json={"plan": plan["id"]})

    assert (reply.status_code, "changed meanwhile" in reply.json()["message"]) == (400, True)
    assert path.read_text().endswith("# mine\n")
    assert "takes: 3" in path.read_text()
    assert sim.charges() == []


def test_a_failed_job_is_tried_again_after_a_yes(root: Path, sim: Sim) -> None:
    sim.fault("submit@1=fail:422 too violent")
    boards.run(root, sim, "3")

    with boards.served(root, runner=boards.runner(root, sim)) as review:
        client = visitor(review)
        plan = client.post("/plan", json={"kind": "retry", "slot": "3#1"}).json()
        assert plan["total"] == "8 credits"
        client.post("/run", json={"plan": plan["id"]})
        until(lambda: not review.session.making.progress()["running"] and _take(root, "3").state == "made")


@pytest.mark.slow
def test_all_that_failed_is_tried_again_at_once(root: Path, sim: Sim) -> None:
    sim.fault("submit@1=fail:422 too violent")
    boards.run(root, sim, "3")

    with boards.served(root, runner=boards.runner(root, sim)) as review:
        client = visitor(review)
        assert "Retry what failed" in client.get("/").text
        plan = client.post("/plan", json={"kind": "failed"}).json()
        assert [job["slot"] for job in plan["jobs"]] == ["3"]
        client.post("/run", json={"plan": plan["id"]})
        until(lambda: not review.session.making.progress()["running"] and _take(root, "3").state == "made")


def test_all_that_is_missing_is_one_plan(root: Path, sim: Sim) -> None:
    with boards.served(root, runner=boards.runner(root, sim)) as review:
        plan = visitor(review).post("/plan", json={"kind": "all"}).json()

    assert [(job["slot"], job["credits"]) for job in plan["jobs"]] == [("1.vo", "up to 12"), ("3", "8")]
    assert plan["total"] == "up to 20 credits"


WORDS = {"slot": "2a#1", "prompt": "{keeper} sits on the stair"}


def test_a_new_prompt_is_by_default_one_more_take_and_the_others_stay(root: Path, sim: Sim) -> None:
    with boards.served(root, runner=boards.runner(root, sim), may_write=True) as review:
        client = visitor(review)
        plan = client.post("/plan", json={"kind": "reworded", **WORDS}).json()
        assert ([job["slot"] for job in plan["jobs"]], plan["total"]) == (["2a#4"], "8 credits")

        client.post("/run", json={"plan": plan["id"]})

        until(lambda: len(sim.charges()) == 1 and not review.session.making.progress()["running"])
    assert 'takes: [~, ~, ~, {prompt: "{keeper} sits on the stair"}]' in (root / "scenes.yaml").read_text()
    film = publish.film_of(boards.load(root))
    panel = next(p for p in film.panels if p.name == "2a")
    assert [(t.number, t.state, len(t.versions)) for t in panel.takes] == [
        *((1, "made", 1), (2, "made", 1), (3, "made", 1), (4, "made", 1))
    ]


def test_new_words_for_all_takes_are_a_choice_with_their_price(root: Path, sim: Sim) -> None:
    with boards.served(root, runner=boards.runner(root, sim), may_write=True) as review:
        plan = visitor(review).post("/plan", json={"kind": "prompt", **WORDS}).json()

    assert [job["slot"] for job in plan["jobs"]] == ["2a", "2a#2", "2a#3"]
    assert (plan["total"], plan["title"]) == ("24 credits", "All takes of 2a with another prompt")


MARKDOWN = """\
---
defaults: {model: nano-banana-2}
---
# The Lighthouse

## Scene 1: Arrival
- **Prompt**: A small boat

## Scene 2: The stairs

| # | Prompt |
|---|---|
| a | He climbs |
| b | He listens |
"""


@pytest.fixture
def written_in_markdown(tmp_path: Path) -> Path:
    root = tmp_path / "markdown"
    root.mkdir()
    (root / "SCENES.md").write_text(MARKDOWN)
    return root


def test_a_markdown_film_gets_another_take_from_the_page(written_in_markdown: Path, sim: Sim) -> None:
    root = written_in_markdown
    with boards.served(root, runner=boards.runner(root, sim), may_write=True) as review:
        client = visitor(review)
        plan = client.post("/plan", json={"kind": "another", "slot": "1#1"}).json()
        assert (plan["may"], "+- **Takes**: 2" in plan["diff"]) == (True, True)

        client.post("/run", json={"plan": plan["id"]})

        until(lambda: len(sim.charges()) == 1 and not review.session.making.progress()["running"])
    changed = MARKDOWN.replace("A small boat\n", "A small boat\n- **Takes**: 2\n")
    assert (root / "SCENES.md").read_text() == changed


def test_what_cannot_be_edited_in_markdown_is_converted_and_then_edited(
    written_in_markdown: Path, sim: Sim
) -> None:
    root = written_in_markdown
    with boards.served(root, runner=boards.runner(root, sim), may_write=True) as review:
        client = visitor(review)
        asked = {"kind": "another", "slot": "2a#1"}
        refused = client.post("/plan", json=asked)
        assert (refused.status_code, refused.json()["kind"]) == (400, "CannotEdit")
        plan = client.post("/plan", json={"kind": "convert"}).json()
        assert (plan["may"], "SCENES.md.before-yaml" in plan["note"]) == (True, True)

        assert client.post("/run", json={"plan": plan["id"]}).json() == {"ok": True}

        assert client.post("/plan", json=asked).json()["may"]
    assert (root / "SCENES.md.before-yaml").read_text() == MARKDOWN
    assert [str(j.slot) for j in api.load(root).project.jobs] == ["1", "2a", "2b"]
    assert sim.charges() == []


def test_a_page_that_may_not_write_converts_nothing(written_in_markdown: Path, sim: Sim) -> None:
    root = written_in_markdown
    with boards.served(root, runner=boards.runner(root, sim)) as review:
        client = visitor(review)
        plan = client.post("/plan", json={"kind": "convert"}).json()

        assert (plan["may"], "--write" in plan["note"]) == (False, True)
        assert client.post("/run", json={"plan": plan["id"]}).status_code == 400
    assert (root / "SCENES.md").read_text() == MARKDOWN


def _take(root: Path, name: str) -> Any:
    film = publish.film_of(boards.load(root))
    return next(p for p in film.panels if p.name == name).takes[0]
