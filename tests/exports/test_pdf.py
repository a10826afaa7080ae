"""The storyboard as a PDF: its words, fonts and pages, read back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pypdf
import pytest

from kiebatch.cli import app
from kiebatch.exports import pdf
from kiebatch.media import lettering
from kiebatch.project import Opened
from support import made_film

SCENES = """\
kiebatch: 1
title: "The Lighthouse, 灯台"
notes: A film about waiting. 한국어 سلام עברית 🦊
defaults: {model: nano-banana-2, style: grain}
styles: {grain: "muted winter colours, 35 mm film grain"}
characters: {Hanne: a woman of eighty in a grey coat}
scenes:
  - id: 1
    title: Arrival
    group: Act one
    location: EXT. MARSH ROAD
    time_of_day: DAWN
    duration: 2
    camera: slow push-in
    shot_size: wide
    lens: 35 mm
    transition: dissolve
    action: A boat comes closer.
    dialogue: |
      HANNE: Is it you?
      KEEPER: It has been long.
    text_overlay: "Ten years later; 十年後"
    prompt: "{Hanne} waits at the marsh"
    voiceover: {text: "No one had come for years.", model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}
    sound_effects: {prompt: wind in the reeds}
  - id: 2
    title: The stairs
    duration: 4.5
    notes: Keep the lantern in frame.
    shots:
      - {id: a, takes: 2, camera: low angle, prompt: "{Hanne} climbs"}
      - {id: b, duration: 1.5, model: kling-3.0/video, prompt: He stops and listens, transition: fade to black}
    music: {prompt: a quiet bed, model: suno/generate}
  - {id: 3, title: Empty, duration: 1, prompt: nothing}
  - {id: 4, skip: cut, prompt: Never seen}
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return made_film.make(tmp_path_factory.mktemp("films") / "lighthouse", SCENES)


def read(film: Opened, folder: Path, **options: Any) -> pypdf.PdfReader:
    (path,) = pdf.export(*made_film.arguments(film, folder / "s.pdf", **options))  # type: ignore[arg-type]
    return pypdf.PdfReader(path)


def text_of(reader: pypdf.PdfReader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages)


def fonts_of(reader: pypdf.PdfReader) -> list[Any]:
    found = []
    for page in reader.pages:
        for font in page["/Resources"].get("/Font", {}).values():  # type: ignore[attr-defined]
            found.append(font.get_object()["/DescendantFonts"][0].get_object())
    return found


@pytest.mark.slow
def test_a_production_office_finds_all_that_the_film_says(film: Opened, tmp_path: Path) -> None:
    reader = read(film, tmp_path, author="Ann", mark="1f3a9c2", date="2026-03-01")

    front, panels = (" ".join(page.extract_text().split()) for page in reader.pages)
    for said in ("A film about waiting", "a woman of eighty in a grey coat", "muted winter colours"):
        assert said in front
    for said in (
        "Act one 1 Arrival EXT. MARSH ROAD - DAWN",
        "2 The stairs",
        "3 Empty",
        "A boat comes closer.",
        "HANNE: Is it you?",
        "KEEPER: It has been long.",
        "No one had come for years.",
        "wide, 35 mm, slow push-in",
        "wind in the reeds",
        "a quiet bed",
        "Transition dissolve",
        "Keep the lantern in frame.",
        "=the look, back",
        "Ann 2026-03-01 1f3a9c2",
        "2 / 2",
    ):
        assert said in panels
    assert "Never seen" not in panels
    assert sum(len(page.images) for page in reader.pages) == 3


@pytest.mark.slow
def test_it_prints_the_authors_words_and_not_the_prompt_as_it_is_sent(film: Opened, tmp_path: Path) -> None:
    panels = read(film, tmp_path).pages[1].extract_text()

    assert "Hanne waits at the marsh" in panels
    assert "a woman of eighty" not in panels
    assert "film grain" not in panels


@pytest.mark.slow
def test_every_font_is_embedded_and_no_script_needs_the_readers(film: Opened, tmp_path: Path) -> None:
    reader = read(film, tmp_path)

    fonts = fonts_of(reader)
    text = text_of(reader)
    assert fonts
    assert all({"/FontFile2", "/FontFile3"} & set(font["/FontDescriptor"]) for font in fonts)
    for script in ("灯台", "한국어", "十年後", "سلام", "🦊"):
        drawn = "".join(piece.text for piece in lettering.pieces(script))
        if drawn == script:  # else no font of this machine has it, and a mark stands in its place
            assert script in text, script
    assert lettering.MISSING not in text


@pytest.mark.slow
def test_what_no_font_has_is_marked(tmp_path: Path) -> None:
    opened = made_film.make(
        tmp_path / "film", 'kiebatch: 1\nscenes: [{id: 1, title: "A \U000f1234 sign", notes: "\U00012000"}]\n'
    )

    text = text_of(read(opened, tmp_path))

    assert "A" in text
    assert "sign" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("grid", "portrait", "pages"),
    [((1, 1), False, 5), ((2, 1), True, 3), ((3, 2), False, 2), ((3, 4), True, 2)],
)
def test_a_page_holds_one_to_twelve_panels(
    film: Opened, grid: tuple[int, int], portrait: bool, pages: int, tmp_path: Path
) -> None:
    reader = read(film, tmp_path, grid=grid, portrait=portrait)

    box = reader.pages[0].mediabox
    assert len(reader.pages) == pages
    assert (box.height > box.width) is portrait
    assert f"{pages} / {pages}" in reader.pages[-1].extract_text()


@pytest.mark.slow
def test_letter_paper_and_chosen_fields_and_scenes(film: Opened, tmp_path: Path) -> None:
    reader = read(film, tmp_path, paper="letter", fields=("dialogue", "camera"), only=("1",))

    text = reader.pages[-1].extract_text()
    assert (reader.pages[0].mediabox.width, reader.pages[0].mediabox.height) == (792, 612)
    assert "Is it you?" in text
    assert "slow push-in" in text
    assert "A boat comes closer" not in text
    assert "The stairs" not in text


@pytest.mark.slow
def test_draft_stands_on_every_page_of_a_draft(film: Opened, tmp_path: Path) -> None:
    from dataclasses import replace

    draft = replace(film, workspace=replace(film.workspace, draft=True))

    assert all("Draft" in page.extract_text() for page in read(draft, tmp_path).pages)
    assert "Draft" not in text_of(read(film, tmp_path))


@pytest.mark.slow
def test_it_says_who_made_it_and_when(film: Opened, tmp_path: Path) -> None:
    told = read(film, tmp_path, author="Ann", date="2026-03-01").metadata

    assert told
    assert (told.title, told.author, told.creator) == ("The Lighthouse, 灯台", "Ann", "kiebatch")
    assert str(told.creation_date)[:10] == "2026-03-01"


@pytest.mark.slow
def test_it_is_the_same_bytes_for_the_same_film_on_the_same_day(film: Opened, tmp_path: Path) -> None:
    one, two = (
        pdf.export(*made_film.arguments(film, tmp_path / name, date="2026-03-01"))[0].read_bytes()  # type: ignore[arg-type]
        for name in ("a.pdf", "b.pdf")
    )

    assert one == two


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--layout", "13"], "1 to 12 panels, found 13"),
        (["--layout", "5x3"], "1 to 12 panels, found 5 x 3"),
        (["--layout", "0"], "1 to 12 panels"),
        (["--layout", "many"], "--layout takes 1 to 12 panels"),
        (["--fields", "camera,plot"], "there is no field `plot`"),
    ],
)
def test_a_page_that_cannot_be_is_refused(
    arguments: list[str], said: str, film: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.exit_code(["export", "pdf", str(film.workspace.root), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_knows_author_and_commit_from_git(tmp_path: Path) -> None:
    made_film.make(tmp_path / "film", SCENES)
    for command in (
        ["init", "-q"],
        ["config", "user.name", "Ann Author"],
        ["config", "user.email", "ann@example.com"],
        ["add", "scenes.yaml"],
        ["commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path / "film", check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=tmp_path / "film", capture_output=True, text=True
    ).stdout.strip()

    assert app.exit_code(["export", "pdf", str(tmp_path / "film"), "--layout", "6"]) == 0

    reader = pypdf.PdfReader(tmp_path / "film" / "export" / "film.pdf")
    assert reader.metadata
    assert reader.metadata.author == "Ann Author"
    assert commit in reader.pages[-1].extract_text()


def test_a_long_text_ends_in_dots_and_not_in_the_next_panel(tmp_path: Path) -> None:
    long = "word " * 900
    opened = made_film.make(
        tmp_path / "film", f"kiebatch: 1\nscenes: [{{id: 1, notes: {long}}}, {{id: 2, title: Next}}]\n"
    )

    text = read(opened, tmp_path, grid=(1, 2)).pages[-1].extract_text()

    assert "word…" in text
    assert "2 Next" in text
