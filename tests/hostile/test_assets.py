"""A manifest that a pull request brings: what it may make a reader read, and a writer write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiebatch.errors import Invalid
from kiebatch.workspace import Workspace
from support.filmrepo import Film

SECRET = "KIE_API_KEY=secret-of-the-reader"
SCENES = (
    'kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n  - {id: 1, title: "One", prompt: "a boat"}\n'
)
READERS = (
    ("board",),
    ("board", "--embed"),
    ("export", "sheet"),
    ("export", "csv"),
    ("export", "remotion"),
    ("export", "otio"),
    ("verify",),
    ("report", "HEAD"),
    ("log", "1"),
    ("status",),
    ("plan", "scenes.yaml"),
)


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """A project in git beside a file of the reader's own, which nobody else may see."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET, encoding="utf-8")
    made = Film(tmp_path / "film")
    (made.root / "scenes.yaml").write_text(SCENES, encoding="utf-8")
    (made.root / ".env").write_text(SECRET, encoding="utf-8")
    (made.root / ".gitignore").write_text(".kiebatch/\n.env\n", encoding="utf-8")
    made.make(1)
    made.commit()
    return made


def enter(film: Film, filename: str, kind: str = "text", **more: Any) -> None:
    """Let the manifest's entry name another file."""
    document = json.loads(film.manifest_path.read_text(encoding="utf-8"))
    entry = {**document["assets"][0], "filename": filename, "type": kind, **more}
    for key in ("sha256", "bytes", "media_type"):
        entry.pop(key, None)
    document["assets"] = [entry]
    film.manifest_path.write_text(json.dumps(document), encoding="utf-8")


def link(film: Film, name: str, target: str, *, tracked: bool = True) -> None:
    path = film.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    if tracked:
        film.commit()


def plain_dotenv(film: Film) -> None:
    enter(film, ".env")


def dotenv_through_assets(film: Film) -> None:
    enter(film, "assets/../.env")


def dotfile_in_assets(film: Film) -> None:
    (film.assets / ".env").write_text(SECRET, encoding="utf-8")
    enter(film, "assets/.env")


def hidden_folder_in_assets(film: Film) -> None:
    (film.assets / ".git").mkdir()
    (film.assets / ".git" / "config.txt").write_text(SECRET, encoding="utf-8")
    enter(film, "assets/.git/config.txt")


def absolute(film: Film) -> None:
    enter(film, str(film.root.parent / "outside" / "secret.txt"))


def parent(film: Film) -> None:
    enter(film, "../outside/secret.txt")


def home(film: Film) -> None:
    enter(film, "~/.ssh/id_rsa")


def beside_the_assets(film: Film) -> None:
    (film.root / "notes.txt").write_text(SECRET, encoding="utf-8")
    enter(film, "notes.txt")


def a_name_like_the_assets_folder(film: Film) -> None:
    (film.root / "assets-of-mine").mkdir()
    (film.root / "assets-of-mine" / "secret.txt").write_text(SECRET, encoding="utf-8")
    enter(film, "assets-of-mine/secret.txt")


def tracked_link_to_a_file(film: Film) -> None:
    link(film, "assets/text/one.txt", "../../../outside/secret.txt")
    enter(film, "assets/text/one.txt")


def tracked_link_to_a_folder(film: Film) -> None:
    link(film, "assets/text", "../../outside")
    enter(film, "assets/text/secret.txt")


def tracked_link_in_a_deeper_folder(film: Film) -> None:
    link(film, "assets/text/more/deep", "../../../../outside")
    enter(film, "assets/text/more/deep/secret.txt")


def tracked_link_to_dotenv(film: Film) -> None:
    link(film, "assets/text/one.txt", "../../.env")
    enter(film, "assets/text/one.txt")


def text_that_is_called_a_picture(film: Film) -> None:
    (film.assets / "images" / "two.png").write_text(SECRET, encoding="utf-8")
    enter(film, "assets/images/two.png", "image")


def text_that_is_called_a_model_of_the_world(film: Film) -> None:
    (film.assets / "images" / "two.obj").write_text(SECRET, encoding="utf-8")
    enter(film, "assets/images/two.obj", "3d")


def a_page_that_is_called_a_text(film: Film) -> None:
    (film.assets / "text").mkdir()
    (film.assets / "text" / "page.txt").write_text(f"<!doctype html>{SECRET}", encoding="utf-8")
    enter(film, "assets/text/page.txt")


def a_pipe(film: Film) -> None:
    (film.assets / "text").mkdir()
    os.mkfifo(film.assets / "text" / "pipe.txt")
    enter(film, "assets/text/pipe.txt")


def nul(film: Film) -> None:
    enter(film, "assets/text/a\0b.txt")


def too_long(film: Film) -> None:
    enter(film, "assets/text/" + "a" * 300 + ".txt")


def half_a_character(film: Film) -> None:
    enter(film, "assets/text/\ud800.txt")


def the_folder_itself(film: Film) -> None:
    enter(film, "assets")


CASES = (
    plain_dotenv,
    dotenv_through_assets,
    dotfile_in_assets,
    hidden_folder_in_assets,
    absolute,
    parent,
    home,
    beside_the_assets,
    a_name_like_the_assets_folder,
    tracked_link_to_a_file,
    tracked_link_to_a_folder,
    tracked_link_in_a_deeper_folder,
    tracked_link_to_dotenv,
    text_that_is_called_a_picture,
    text_that_is_called_a_model_of_the_world,
    a_page_that_is_called_a_text,
    a_pipe,
    nul,
    too_long,
    half_a_character,
    the_folder_itself,
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_a_manifest_names_reaches_no_reader_unless_it_is_an_asset(
    film: Film, case: Callable[[Film], None]
) -> None:
    case(film)

    for command in READERS:
        said = film.kiebatch(*command)

        assert said.code in (0, 1, 2, 3), (command, said)
        assert "secret-of-the-reader" not in said.out + said.err
    for written in (*film.root.glob("*.html"), *film.root.glob("export/**/*"), *film.root.glob("report*")):
        assert b"secret-of-the-reader" not in written.read_bytes(), written


def test_a_link_that_git_does_not_track_is_the_persons_own_and_is_followed(film: Film) -> None:
    disk = film.root.parent / "disk"
    (film.assets / "images").rename(disk)
    link(film, "assets/images", str(disk), tracked=False)
    (film.root / ".gitignore").write_text(".kiebatch/\n.env\nassets/images\n", encoding="utf-8")

    assert film.kiebatch("verify").code == 0
    assert film.kiebatch("status").code == 0
    assert f"assets/images is a link to {disk}" in film.kiebatch("status").out


def test_an_asset_that_dvc_keeps_elsewhere_is_read_through_its_own_link(film: Film) -> None:
    name = film.record.assets[0].filename
    cache = film.root.parent / "dvc-cache"
    (film.root / name).rename(cache)
    film.git("rm", "--quiet", "--cached", name)
    (film.root / ".gitignore").write_text(f".kiebatch/\n.env\n{name}\n", encoding="utf-8")
    link(film, name, str(cache))

    assert film.kiebatch("verify").code == 0


def test_without_a_repository_a_link_may_not_lead_out_of_the_assets_folder(tmp_path: Path) -> None:
    film = Film(tmp_path / "film", git=False)
    film.make(1)
    name = film.record.assets[0].filename
    (film.root / name).rename(tmp_path / "elsewhere.png")
    (film.root / name).symlink_to(tmp_path / "elsewhere.png")

    said = film.kiebatch("verify")

    assert said.code == 3
    assert "a link that leads out of the assets folder" in said.out + said.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("assets/images", "../../outside"),
        ("assets", "../outside"),
        (".kiebatch", "../outside"),
        ("draft", "../outside"),
    ],
)
def test_nothing_is_written_through_a_link_that_git_tracks(
    film: Film, name: str, target: str, tmp_path: Path
) -> None:
    if (film.root / name).exists():
        (film.root / name).rename(tmp_path / "was")
    (film.root / ".gitignore").write_text(".env\n", encoding="utf-8")
    link(film, name, target)
    before = sorted(path.name for path in (tmp_path / "outside").iterdir())

    said = film.kiebatch("run", "scenes.yaml", "--draft")

    assert said.code == 2 or name in ("assets/images", "assets"), said
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == before


def test_a_board_is_not_written_through_a_tracked_link(film: Film, tmp_path: Path) -> None:
    link(film, "board.html", "../outside/secret.txt")

    film.kiebatch("board")

    assert (tmp_path / "outside" / "secret.txt").read_text(encoding="utf-8") == SECRET


@pytest.mark.parametrize(
    "source",
    ["/elsewhere/evil.yaml", "../evil.yaml", "sub/evil.yaml", "..", ".", "a\0b.yaml", "x" * 300, "a\\b"],
)
def test_the_source_of_a_manifest_is_a_plain_name(film: Film, source: str) -> None:
    document = json.loads(film.manifest_path.read_text(encoding="utf-8"))
    film.manifest_path.write_text(json.dumps({**document, "source": source}, indent=2), encoding="utf-8")

    said = film.kiebatch("run", "--yes", "--json")

    (problem,) = said.json["problems"]
    assert (said.code, problem["file"]) == (2, "assets/manifest.json")
    assert problem["line"] > 1
    assert "`source`" in problem["message"]


def test_digests_that_could_be_paths_name_no_files(film: Film) -> None:
    document = json.loads(film.manifest_path.read_text(encoding="utf-8"))
    document["assets"][0]["sha256"] = "../../../../outside/x"
    film.manifest_path.write_text(json.dumps(document), encoding="utf-8")

    assert film.kiebatch("board").code == 0
    assert film.record.assets[0].sha256 is None
    assert film.record.assets[0].extra["sha256"] == "../../../../outside/x"


def test_the_manifests_of_today_name_only_what_the_rule_lets_pass(tmp_path: Path) -> None:
    place = Workspace(root=tmp_path, assets=tmp_path / "assets", state=tmp_path / ".kiebatch")

    for name in (
        "assets/images/scene-01.png",
        "assets/clips/scene-02-b-kling-3.0-video.mp4",
        "assets/text/a..b.txt",
    ):
        assert place.asset_path(name) == tmp_path / name
    with pytest.raises(Invalid, match="lies outside the project"):
        place.asset_path("../assets/images/scene-01.png")
