"""Media in a store instead of in git: `pull`, `push`, and what the other commands say of files that are there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from bench.buckets import Buckets, Network, files_of
from kiebatch.errors import Exit
from support import transcripts
from support.film import Film
from support.filmrepo import PACKAGE
from support.workflows import Machine

QUICK = ("--yes", "--poll-interval", "0.01", "--no-canary")
SCENES = """\
    kiebatch: 1
    defaults: {model: z-image}
    scenes:
      - {id: 1, prompt: A small boat nears the lighthouse}
      - {id: 2, prompt: The keeper waves}
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that KIEBATCH_STORE names."""
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setenv("KIEBATCH_STORE", f"file://{folder}")
    return folder


def made(film: Film) -> None:
    film.write(SCENES)
    assert film.command("run", "scenes.yaml", *QUICK).code == 0


def without_media(film: Film) -> dict[str, bytes]:
    """Leave what git brings: the scene file and the manifest.  Returns the media that were there."""
    media = {str(p.relative_to(film.folder)): p.read_bytes() for p in (film.assets / "images").iterdir()}
    shutil.rmtree(film.assets / "images")
    shutil.rmtree(film.folder / ".kiebatch")
    return media


def media_of(film: Film) -> dict[str, bytes]:
    return {name: (film.folder / name).read_bytes() for name in files_of(film.folder) if "/images/" in name}


@pytest.mark.slow
def test_a_clone_is_up_to_date_and_brings_its_files_when_somebody_wants_them(film: Film, store: Path) -> None:
    made(film)
    media = without_media(film)

    plan = film.command("plan", "scenes.yaml", "--check")
    assert plan.code == 0
    assert "2 up to date, 2 of them in the store and not here" in plan.out
    status = film.command("status", "--json").json
    assert [(slot["state"], slot["remote"]) for slot in status["slots"]] == [("done", True)] * 2
    assert "kiebatch pull 1" in status["slots"][0]["message"]
    assert film.command("verify").code == 0
    assert film.command("run", "scenes.yaml", *QUICK).code == 0

    one = film.command("pull", "2", "--json").json
    assert [(each["slot"], each["file"]) for each in one["pulled"]] == [("2", "assets/images/scene-02.png")]
    rest = film.command("pull")
    assert (rest.code, rest.out.rpartition(": ")[2].strip()) == (0, "1 pulled, 1 already there")
    assert media_of(film) == media
    assert film.command("verify").code == 0
    assert len(film.sim.charges()) == 2


@pytest.mark.slow
def test_media_in_git_become_media_in_a_store(
    film: Film, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"file://{store}"
    monkeypatch.delenv("KIEBATCH_STORE")
    made(film)
    assert "store" not in (film.assets / "manifest.json").read_text()
    monkeypatch.setenv("KIEBATCH_STORE", address)

    pushed = film.command("push", "--json").json

    assert (pushed["status"], len(pushed["pushed"]), pushed["store"]) == ("success", 2, address)
    assert f'"store": "{address}"' in (film.assets / "manifest.json").read_text()
    # Another project of the team takes what is there, and pays nothing.
    other = Film(film.folder.parent / "other", film.sim, film.capture)
    other.folder.mkdir()
    other.write(SCENES)
    assert other.command("run", str(other.scene_file), *QUICK).code == 0
    assert len(film.sim.charges()) == 2
    again = film.command("push")
    assert again.out.strip() == f"{address}: 2 already there"


@pytest.mark.slow
def test_a_part_of_a_film_that_is_stored_does_not_make_it_a_film_of_the_store(
    film: Film, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KIEBATCH_STORE")
    made(film)
    monkeypatch.setenv("KIEBATCH_STORE", f"file://{store}")

    assert film.command("push", "2").code == 0
    (film.folder / film.manifest[0]["filename"]).unlink()
    left = film.command("push", "--json")

    assert left.code == Exit.FAILED
    assert [one["slot"] for one in left.json["absent"]] == ["1"]
    assert '"store"' not in (film.assets / "manifest.json").read_text()


@pytest.mark.slow
def test_a_file_that_the_store_lacks_is_said_and_then_asked_of_the_provider(film: Film, store: Path) -> None:
    made(film)
    without_media(film)
    digest = film.manifest[0]["sha256"]
    (store / "sha256" / digest[:2] / digest[2:4] / digest).unlink()

    said = film.command("pull")

    assert said.code == Exit.FAILED
    assert "1: assets/images/scene-01.png: the store does not have it" in said.out
    assert "1 file(s) are not in the store yet" in film.command("status").out
    assert film.command("plan", "scenes.yaml", "--check").code == Exit.DIFFERS
    assert film.command("run", "scenes.yaml", *QUICK).code == 0
    assert film.command("verify").code == 0
    assert len(film.sim.charges()) == 2
    assert film.command("push").code == 0
    assert "not in the store" not in film.command("status").out


@pytest.mark.slow
def test_what_lies_under_a_files_name_stays(film: Film, store: Path) -> None:
    made(film)
    name = film.folder / film.manifest[0]["filename"]
    name.write_bytes(b"drawn over")

    assert film.command("pull").code == 0

    assert name.read_bytes() == b"drawn over"


@pytest.mark.slow
def test_damaged_bytes_do_not_come_home(film: Film, store: Path) -> None:
    made(film)
    without_media(film)
    digest = film.manifest[0]["sha256"]
    blob = store / "sha256" / digest[:2] / digest[2:4] / digest
    blob.write_bytes(b"x" * blob.stat().st_size)

    assert film.command("pull").code == Exit.FAILED

    assert len(media_of(film)) == 1


@pytest.mark.slow
def test_verify_remote_says_what_the_store_lacks_and_what_is_damaged_there(film: Film, store: Path) -> None:
    made(film)
    assert (
        film.command("verify", "--remote", "--sample", "100%").out.strip() == "ok: the store has every file"
    )
    first, second = (store / "sha256" / d[:2] / d[2:4] / d for d in (a["sha256"] for a in film.manifest))
    first.unlink()
    second.write_bytes(b"x" * second.stat().st_size)

    said = film.command("verify", "--remote", "--sample", "100%", "--json")

    assert said.code == Exit.DIFFERS
    assert [(p["slot"], p["kind"]) for p in said.json["problems"]] == [("1", "unstored"), ("2", "unstored")]
    assert film.command("push").code == 0
    assert film.command("verify", "--remote", "--sample", "100%").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("command", ["pull", "push", "verify --remote"])
def test_without_a_store_of_the_persons_own_nothing_is_asked(
    film: Film, store: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    made(film)
    monkeypatch.delenv("KIEBATCH_STORE")

    said = film.command(*command.split())

    assert said.code == Exit.INVALID
    assert "KIEBATCH_STORE is not set" in said.err
    assert f"the manifest names file://{store}" in said.err


@pytest.mark.slow
def test_a_pull_request_that_names_another_store_leads_nowhere(
    film: Film, store: Path, tmp_path: Path
) -> None:
    made(film)
    without_media(film)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    manifest = film.assets / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f"file://{store}", f"file://{theirs}"))

    said = film.command("pull")

    assert said.code == 0
    assert f"the manifest names file://{theirs}; looked in file://{store}" in said.err
    assert files_of(theirs) == []


@pytest.mark.slow
def test_a_slot_that_nobody_knows_is_refused(film: Film, store: Path) -> None:
    made(film)

    said = film.command("pull", "7b")

    assert said.code == Exit.INVALID
    assert "its slots are 1, 2" in said.err


@pytest.mark.slow
@pytest.mark.parametrize("share", ["5", "many", "101%", "-1%"])
def test_a_share_is_a_percentage(film: Film, store: Path, share: str) -> None:
    made(film)

    assert film.command("verify", "--remote", "--sample", share).code == Exit.INVALID


@pytest.mark.slow
def test_a_store_that_fails_ends_a_push_and_what_is_here_stays(
    film: Film, s3: Buckets, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(film)
    address = s3.make("push-that-fails")
    monkeypatch.setenv("KIEBATCH_STORE", address)
    network.fault(403, method="PUT")

    said = film.command("push", "--json")

    assert said.code == Exit.FAILED
    assert len(said.json["failed"]) == 2
    assert '"store"' not in (film.assets / "manifest.json").read_text()
    network.mend()
    assert film.command("push").code == 0
    without_media(film)
    assert film.command("pull").code == 0
    assert len(media_of(film)) == 2


@pytest.mark.slow
def test_a_board_shows_what_is_in_the_store_by_its_small_picture(
    film: Film, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(film)
    assert len(files_of(store / "derived")) == 2
    without_media(film)

    assert film.command("board").code == 0
    page = (film.folder / "board.html").read_text()
    assert page.count("data:image/webp;base64,") == 2
    # They are kept, so that the next board needs no store.
    monkeypatch.delenv("KIEBATCH_STORE")
    assert film.command("board").code == 0
    assert (film.folder / "board.html").read_text() == page
    assert media_of(film) == {}


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["other bytes", "too large", "gone", "no store"])
def test_a_board_without_small_pictures_is_still_a_board(
    film: Film, store: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    made(film)
    without_media(film)
    for path in (store / "derived").iterdir():
        if trouble == "other bytes":
            path.write_text("<script>alert(1)</script>")
        elif trouble == "too large":
            path.write_bytes(path.read_bytes() + bytes(2**20))
        else:
            path.unlink()
    if trouble == "no store":
        monkeypatch.setenv("KIEBATCH_STORE", f"file://{store}-elsewhere")

    said = film.command("board")

    assert said.code == 0
    page = (film.folder / "board.html").read_text()
    assert "data:image/webp" not in page
    assert ("without the small copies of the store" in said.err) == (trouble == "no store")


@pytest.mark.slow
def test_the_page_about_the_store_is_what_really_happens(
    film: Film, s3: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(
        SCENES.replace(
            "{id: 2, prompt: The keeper waves}",
            "{id: 2, shots: [{id: b, prompt: The keeper waves from the gallery at dawn}]}",
        )
    )
    assert film.command("run", "scenes.yaml", *QUICK).code == 0
    for words in ("git init -q -b main", "git add .", "git commit -q -m media"):
        subprocess.run(words.split(), check=True, timeout=60, env={**os.environ, **AUTHOR})
    s3.make("studio")
    tools = Machine(tmp_path / "tools", tmp_path, {})
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL")
    environment = {
        **AUTHOR,
        **{name: os.environ[name] for name in names},
        "PATH": f"{tools.folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "KIEBATCH_STORE": "s3://studio/films",
    }

    results = transcripts.run(PACKAGE / "docs" / "store.md", film.folder, environment)

    assert len(results) > 8
    for command, printed in results:
        assert transcripts.alike(printed) == transcripts.alike(command.expected), command.text


AUTHOR = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}


@pytest.mark.slow
def test_a_run_asks_once_for_what_the_bucket_has(
    film: Film, s3: Buckets, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIEBATCH_STORE", s3.make("asked-once"))
    made(film)
    other = film.elsewhere(film.scene_file.read_text(encoding="utf-8"))
    monkeypatch.chdir(other.folder)
    network.requests.clear()

    said = other.command("run", "scenes.yaml", "--json")

    read = Counter(path for method, path in network.requests if method == "GET" and ".json" in path)
    assert said.json["jobs"]["succeeded"] == len(read) == 2
    assert set(read.values()) == {2}, network.requests  # for the plan, and when it is taken
