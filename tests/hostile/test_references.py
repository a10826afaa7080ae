"""A scene file that somebody else wrote: which of the reader's files it may send."""

from __future__ import annotations

import os
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from support.film import Film

SCENES = """\
kiebatch: 1
defaults: {{model: nano-banana-2}}
scenes:
  - id: 1
    prompt: a boat
    references: [{reference}]
"""


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (512, 512), "navy").save(path, "PNG")
    return path


def scenes(film: Film, reference: str) -> None:
    film.scene_file.write_text(SCENES.format(reference=reference), encoding="utf-8")


def outside(film: Film) -> Path:
    return picture(film.folder.parent / "private" / "face.png")


def by_absolute_path(film: Film) -> str:
    return str(outside(film))


def by_parent(film: Film) -> str:
    return os.path.relpath(outside(film), film.folder)


def by_link(film: Film) -> str:
    (film.folder / "face.png").symlink_to(outside(film))
    return "face.png"


def by_linked_folder(film: Film) -> str:
    (film.folder / "refs").symlink_to(outside(film).parent)
    return "refs/face.png"


def by_a_chain_of_links(film: Film) -> str:
    (film.folder / "one.png").symlink_to("two.png")
    (film.folder / "two.png").symlink_to(outside(film))
    return "one.png"


def by_dots_in_the_middle(film: Film) -> str:
    (film.folder / "refs").mkdir()
    return f"refs/../../{outside(film).relative_to(film.folder.parent)}"


OUTSIDE = (by_absolute_path, by_parent, by_link, by_linked_folder, by_a_chain_of_links, by_dots_in_the_middle)


@pytest.mark.parametrize("way", OUTSIDE, ids=lambda way: way.__name__)
def test_a_file_outside_the_project_is_refused_with_the_line_that_allows_it(
    film: Film, way: Callable[[Film], str]
) -> None:
    scenes(film, way(film))

    said = film.command("run", "scenes.yaml", "--yes", "--json")

    (problem,) = said.json["problems"]
    assert (said.code, problem["line"], problem["code"]) == (2, 6, "outside-project")
    assert "lies outside the project and is not sent" in problem["message"]
    assert f"allow: [{film.folder.parent / 'private'}]" in problem["hint"]
    assert film.sim.stats()["uploads"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("way", OUTSIDE, ids=lambda way: way.__name__)
def test_what_the_person_allows_is_sent_and_the_plan_says_from_where(
    film: Film, way: Callable[[Film], str]
) -> None:
    scenes(film, way(film))
    folder = film.folder.parent / "private"

    plan = film.command("plan", "scenes.yaml", "--allow", str(folder), "--json")
    done = film.command("run", "scenes.yaml", "--yes", "--allow", str(folder))

    assert str(folder / "face.png") in "".join(problem["message"] for problem in plan.json["problems"])
    assert done.code == 0, done.err
    assert film.sim.stats()["uploads"] == 1


def private_sound(film: Film) -> Path:
    path = film.folder.parent / "private" / "voice.wav"
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    film.scene_file.write_text(
        "kiebatch: 1\ndefaults: {model: z-image}\nscenes:\n"
        f"  - {{id: 1, prompt: A boat, voiceover: {{file: {path}}}}}\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    "command", [("validate", "scenes.yaml"), ("board",), ("export", "animatic"), ("export", "web")]
)
def test_a_sound_outside_the_project_is_played_nowhere_until_the_config_allows_it(
    film: Film, command: tuple[str, ...]
) -> None:
    path = private_sound(film)

    said = film.command(*command, "--json")
    film.configure(f"allow: {path.parent}")
    allowed = film.command("validate", "scenes.yaml")

    assert (said.code, allowed.code) == (2, 0)
    (problem,) = [p for p in said.json["problems"] if p["severity"] == "error"]
    assert "lies outside the project and is not played" in problem["message"]
    assert f"allow: [{path.parent}]" in problem["hint"]


@pytest.mark.slow
def test_a_sheet_of_characters_shows_no_picture_from_outside_the_project(film: Film) -> None:
    inside = picture(film.folder / "face.png")
    outside(film)
    sheets = []
    for named in (inside.name, "../private/face.png"):
        film.scene_file.write_text(
            "kiebatch: 1\ndefaults: {model: nano-banana-2}\n"
            f"characters: {{keeper: {{text: an old keeper, references: [{named}]}}}}\n"
            "scenes: [{id: 1, prompt: The keeper waves, characters: [keeper]}]\n",
            encoding="utf-8",
        )
        assert film.command("export", "characters", "--output", "sheet.png").code == 0
        (sheet,) = film.folder.glob("sheet*.png")
        sheets.append(Image.open(sheet).convert("RGB").getcolors(1 << 20) or [])

    navy = [any(colour == (0, 0, 128) for _, colour in sheet) for sheet in sheets]
    assert navy == [True, False]


def test_the_config_allows_a_folder_for_good(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes(film, by_absolute_path(film))
    monkeypatch.setenv("KIEBATCH_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(
        f"kiebatch-config: 1\nallow: {film.folder.parent / 'private'}\n", encoding="utf-8"
    )

    assert film.command("validate", "scenes.yaml").code == 0
    assert film.command("validate", "scenes.yaml", "--strict").code == 0


def test_a_scene_file_cannot_allow_anything_itself(film: Film) -> None:
    scenes(film, by_absolute_path(film))
    (film.folder / "config.yaml").write_text("kiebatch-config: 1\nallow: [/]\n", encoding="utf-8")
    film.edit("kiebatch: 1", "kiebatch: 1\nallow: [/]")

    said = film.command("validate", "scenes.yaml")

    assert said.code == 2
    assert "unknown key `allow`" in said.err
    assert "lies outside the project" in said.err


def test_a_file_of_the_same_repository_is_as_good_as_one_of_the_project(film: Film) -> None:
    top = film.folder.parent
    subprocess.run(["git", "init", "--quiet", str(top)], check=True)
    scenes(film, by_parent(film))

    assert film.command("validate", "scenes.yaml").code == 0


def test_a_reference_into_assets_on_another_disk_is_the_projects_own(film: Film, tmp_path: Path) -> None:
    picture(tmp_path / "disk" / "images" / "scene-09.png")
    film.assets.symlink_to(tmp_path / "disk")
    scenes(film, "assets/images/scene-09.png")

    assert film.command("validate", "scenes.yaml").code == 0


def pipe(film: Film) -> str:
    os.mkfifo(film.folder / "pipe.png")
    return "pipe.png"


def socket_file(film: Film) -> str:
    import socket

    with socket.socket(socket.AF_UNIX) as one:
        before = Path.cwd()
        os.chdir(film.folder)
        one.bind("talk.png")
        os.chdir(before)
    return "talk.png"


def link_in_a_circle(film: Film) -> str:
    (film.folder / "round.png").symlink_to("round.png")
    return "round.png"


def folder(film: Film) -> str:
    (film.folder / "refs.png").mkdir()
    return "refs.png"


def vast(film: Film) -> str:
    with (film.folder / "vast.png").open("wb") as stream:
        stream.truncate(1 << 42)
    return "vast.png"


def settings_file(film: Film) -> str:
    (film.folder / ".env").write_text("KIE_API_KEY=secret", encoding="utf-8")
    return ".env"


def gits_own_settings(film: Film) -> str:
    (film.folder / ".git").mkdir()
    (film.folder / ".git" / "config").write_text(
        "[remote]\nurl = https://token@example.org", encoding="utf-8"
    )
    return ".git/config"


UNUSABLE: tuple[tuple[Callable[[Film], str], str], ...] = (
    (pipe, "not a regular file"),
    (socket_file, "cannot read"),
    (lambda film: "/dev/zero", "not a regular file"),
    (lambda film: "/dev/stdin", "not"),
    (lambda film: "/proc/self/environ", "lies outside the project"),
    (link_in_a_circle, "round.png"),
    (folder, "is a folder"),
    (vast, "it has more than 2048 MiB"),
    (settings_file, "never sent"),
    (gits_own_settings, "never sent"),
    (lambda film: "~nosuchuser/x.png", "the home folder of `~nosuchuser` is not known"),
    (lambda film: '"a\\0b.png"', "NUL"),
    (lambda film: "a" * 300 + ".png", "longer than a file name may be"),
    (lambda film: "/".join(["a" * 200] * 30) + ".png", "longer than a file name may be"),
    (lambda film: "gone.png", "there is no file"),
)


@pytest.mark.parametrize(("case", "words"), UNUSABLE)
def test_what_is_not_a_file_of_the_project_is_one_problem_at_its_place(
    film: Film, case: Callable[[Film], str], words: str
) -> None:
    scenes(film, case(film))

    said = film.command("validate", "scenes.yaml", "--json")

    (problem,) = [p for p in said.json["problems"] if p["severity"] == "error"]
    assert (said.code, problem["line"]) == (2, 6)
    assert words in problem["message"]
