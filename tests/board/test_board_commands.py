"""`kiebatch board`, `pick` and `review`, as a person or a script calls them."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.waiting import until
from kiebatch.cli import serving
from kiebatch.cli.app import exit_code
from kiebatch.record import picks
from support import boards, simulated


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return boards.film(tmp_path_factory.mktemp("commands") / "film")


@pytest.fixture
def root(_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A film in the current folder."""
    root = Path(shutil.copytree(_made, tmp_path / "film"))
    monkeypatch.chdir(root)
    return root


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = exit_code(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def chosen(root: Path) -> picks.Picks:
    return picks.parse((root / "assets/picks.yaml").read_text(encoding="utf-8"), "picks.yaml")


def test_the_board_is_written_beside_the_scene_file_and_says_where(root: Path, capsys: Any) -> None:
    code, out, _ = call(capsys, "board")

    assert (code, out.startswith("board.html: 4 shots")) == (0, True)
    assert (root / "board.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_boards_json_names_the_file(root: Path, capsys: Any) -> None:
    code, out, _ = call(capsys, "board", "scenes.yaml", "-o", "out/b.html", "--json")

    found = json.loads(out)
    assert (code, found["status"], found["shots"], found["without_preview"]) == (0, "success", 4, 0)
    assert (root / "out/b.html").stat().st_size == found["bytes"]


def test_a_take_is_picked_by_its_name(root: Path, capsys: Any) -> None:
    code, out, _ = call(capsys, "pick", "2a#3", "--note", "the look back", "--author", "Ann")

    assert (code, out) == (0, "2a#3: picked, note: the look back\n")
    assert (chosen(root).take("2a"), chosen(root).decision("2a#3").author) == (3, "Ann")


def test_a_shot_with_one_take_needs_no_number_and_several_slots_go_at_once(root: Path, capsys: Any) -> None:
    code, out, _ = call(capsys, "pick", "1", "2b", "--json")

    assert code == 0
    assert [d["slot"] for d in json.loads(out)["decisions"]] == ["1#1", "2b#1"]


def test_a_rejection_and_its_taking_back_are_decisions_too(root: Path, capsys: Any) -> None:
    call(capsys, "pick", "2a#1", "--reject", "--note", "soft")
    assert chosen(root).decision("2a#1").choice == "reject"

    call(capsys, "pick", "2a#1", "--none")

    assert (chosen(root).decision("2a#1").choice, chosen(root).decision("2a#1").note) == ("none", "soft")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["2a"], "means several takes: 2a#1, 2a#2, 2a#3"),
        (["9z"], "there is no take `9z`"),
        (["2a#7"], "there is no take `2a#7`"),
        (["2a#9"], "2a has takes 1 to 3"),
        ([], "name a take"),
        (["1", "--from", "x"], "name a take"),
        (["1", "--reject", "--none"], "choose one of"),
        (["--from", "nowhere.txt"], "there is no file"),
    ],
)
def test_what_cannot_be_picked_is_said_and_nothing_written(
    root: Path, capsys: Any, words: list[str], said: str
) -> None:
    code, _, err = call(capsys, "pick", *words)

    assert code == 2
    assert said in err
    assert not (root / "assets/picks.yaml").exists()


def test_a_boards_list_is_taken_in_once(root: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "list.txt").write_text(
        '- {slot: "2a#2", decision: pick, note: "yes", time: "2026-03-01T10:00:00.000Z", author: "Bo"}\n'
    )

    first = call(capsys, "pick", "--from", "list.txt")
    monkeypatch.setattr(sys, "stdin", io.StringIO((root / "list.txt").read_text()))
    again = call(capsys, "pick", "--from", "-")

    assert (first[1], again[1]) == ("2a#2: picked, note: yes\n", "nothing new\n")
    assert (chosen(root).decision("2a#2").author, len(chosen(root).decisions)) == ("Bo", 1)


def test_a_list_of_another_film_is_refused_whole(root: Path, capsys: Any) -> None:
    (root / "list.txt").write_text("- {slot: 1, decision: pick}\n- {slot: 77x, decision: pick}\n")

    code, _, err = call(capsys, "pick", "--from", "list.txt")

    assert (code, "`77x#1`" in err) == (2, True)
    assert not (root / "assets/picks.yaml").exists()


def test_a_picks_file_with_a_mistake_is_named_at_its_place(root: Path, capsys: Any) -> None:
    (root / "assets/picks.yaml").write_text("- {slot: 1, decision: maybe}\n")

    code, out, _ = call(capsys, "pick", "1", "--json")

    problem = json.loads(out)["problems"][0]
    assert (code, problem["line"], problem["file"]) == (2, 1, "assets/picks.yaml")


@pytest.mark.slow
def test_a_review_prints_its_address_serves_and_ends_with_ctrl_c(root: Path) -> None:
    command = [sys.executable, "-m", "kiebatch", "review", "--json", "--no-open", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout
            line = ""
            while "}" not in line:
                line += running.stdout.readline()
            url = json.loads(line)["url"]
            with httpx.Client(follow_redirects=True, verify=False) as client:
                until(lambda: _there(client, url))
                page = client.get(url)
                origin = url.partition("/?")[0]
                reply = client.post(
                    f"{origin}/decide", json={"slot": "2b#1", "decision": "pick"}, headers={"origin": origin}
                )
            running.send_signal(signal.SIGINT)
            assert running.wait(10) == 0
        finally:
            running.kill()
    assert "The Lighthouse" in page.text
    assert reply.status_code == 200
    assert chosen(root).take("2b") == 1


@pytest.mark.slow
def test_a_review_tells_of_a_run_that_its_page_started(
    root: Path, sim: simulated.Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, teller = root / "told.json", root / "tell.py"
    teller.write_text(f"import sys; open({str(told)!r}, 'w').write(sys.stdin.read() + '\\n')\n")
    monkeypatch.setenv("KIE_API_KEY", sim.key)
    monkeypatch.setenv("KIE_BASE_URL", sim.url)
    monkeypatch.setenv("KIEBATCH_SPEED", "4000")
    command = [sys.executable, "-m", "kiebatch", "review", "--json", "--no-open", "--listen", "127.0.0.1:0"]
    command += ["--notify", f"{sys.executable} {teller}"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            line = ""
            while "}" not in line:
                line += running.stdout.readline()
            url = json.loads(line)["url"]
            origin = url.partition("/?")[0]
            with httpx.Client(follow_redirects=True, headers={"origin": origin}) as client:
                until(lambda: _there(client, url))
                client.get(url)
                plan = client.post(f"{origin}/plan", json={"kind": "make", "slot": "3#1"}).json()
                client.post(f"{origin}/run", json={"plan": plan["id"]})
                until(lambda: told.exists() and told.read_text().endswith("\n"))
            running.send_signal(signal.SIGINT)
            running.wait(10)
        finally:
            running.kill()
    assert json.loads(told.read_text())["jobs"]["succeeded"] == 1


def _there(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    "listen", ["here", "127.0.0.1", ":", "127.0.0.1:http", "127.0.0.1:99999", "203.0.113.7:80"]
)
def test_where_nobody_can_listen_is_said(root: Path, capsys: Any, listen: str) -> None:
    code, _, err = call(capsys, "review", "--no-open", "--listen", listen)

    assert code == 2
    assert "listen" in err


def test_the_qr_code_says_the_address() -> None:
    segno = pytest.importorskip("segno")
    url = "http://192.0.2.7:8477/?token=abc"

    rows = serving.qr_code(url).split("\n")

    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    read = [[halves[sign][half] for sign in row] for row in rows for half in (0, 1)]
    drawn = [list(row) for row in segno.make(url, error="l", micro=False).matrix_iter(border=2)]
    assert read[: len(drawn)] == drawn


def test_a_review_of_this_machine_goes_by_its_own_names_alone() -> None:
    assert serving.names("127.0.0.1", 80) == {"127.0.0.1:80", "localhost:80", "[::1]:80"}
    assert serving.names("192.0.2.7", 80) == {"192.0.2.7:80"}


def test_a_list_of_the_drafts_board_decides_nothing_about_the_real_film(root: Path, capsys: Any) -> None:
    (root / "list.txt").write_text('# film: draft\n- {slot: "2a#2", decision: pick}\n')

    code, _, err = call(capsys, "pick", "--from", "list.txt")

    assert (code, "about the film in `draft`" in err, "--draft" in err) == (2, True, True)
    assert not (root / "assets/picks.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--notes-only", "--write"], "choose one of --write and --notes-only"),
        (["--expires", "soon"], "write 30m, 12h or 3d"),
        (["--password", " "], "password of the page is empty"),
        (["--public-url", "film.example.org"], "write https://film.example.org"),
    ],
)
def test_what_does_not_fit_a_review_is_said(root: Path, capsys: Any, words: list[str], said: str) -> None:
    code, _, err = call(capsys, "review", "--no-open", "--listen", "127.0.0.1:0", *words)

    assert (code, said in err) == (2, True)


def test_a_review_behind_a_tunnel_goes_by_its_public_name_too() -> None:
    assert serving.public_host("https://film.example.org") == "film.example.org"
    assert serving.public_host("http://film.example.org:8080/") == "film.example.org:8080"
    assert serving.lasting("3d") == 3 * 86400
