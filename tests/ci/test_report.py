"""What changed, for a pull request."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from PIL import Image

from kiebatch import files
from kiebatch.ci import report
from kiebatch.ci.report import Panel
from kiebatch.record import manifest
from kiebatch.record.manifest import Manifest
from kiebatch.record.manifest.differences import between
from support.filmrepo import Film
from support.records import an_asset


@pytest.fixture
def film(tmp_path: Path) -> Film:
    found = Film(tmp_path / "film")
    found.make(1, prompt="A small boat", colour="navy")
    found.make(2, "b", prompt="He stops and listens", colour="red")
    found.commit("base")
    return found


def pixel(path: Path, x: int, y: int) -> tuple[int, ...]:
    with Image.open(path) as image:
        return image.convert("RGB").getpixel((x, y))  # type: ignore[return-value]


def test_a_report_shows_pictures_words_and_credits(film: Film) -> None:
    film.make(2, "b", 1, prompt="He stops and <b>turns</b>", colour="lime", credits=24)
    film.make(3, minute=2, colour="yellow")

    said = film.kiebatch("report", "--output", "out/report.md")

    text = (film.root / "out" / "report.md").read_text(encoding="utf-8")
    assert (said.code, said.out) == (0, "")
    assert "**2 slots**: 1 with a new version, 1 new; **28 credits** (about 0.14 USD) spent" in text
    assert "![before and after](report.png)" in text
    assert "<b>" not in MarkdownIt().render(text).replace("<strong>", "")
    picture = film.root / "out" / "report.png"
    assert pixel(picture, 100, 100)[0] > 200 > pixel(picture, 100, 100)[1]  # before: red
    assert pixel(picture, 450, 100)[1] > 200 > pixel(picture, 450, 100)[0]  # after: lime


def test_a_report_between_revisions_takes_both_pictures_from_git(film: Film) -> None:
    film.make(2, "b", 1, colour="lime")
    film.commit("two")
    for path in (film.assets / "images").iterdir():
        path.unlink()

    said = film.kiebatch(
        "report",
        "HEAD~1",
        "HEAD",
        "--picture",
        "p.png",
        "--picture-url",
        "https://example.org/p.png",
        "--json",
    )

    assert said.json["picture"] == "p.png"
    assert "![before and after](https://example.org/p.png)" in said.json["markdown"]
    assert pixel(film.root / "p.png", 450, 100)[1] > 200


def test_a_report_without_changes_is_short(film: Film) -> None:
    said = film.kiebatch("report", "--picture", "p.png")

    assert "Nothing changed; **0 credits** (about 0.00 USD) spent" in said.out
    assert not (film.root / "p.png").exists()


def test_a_report_says_what_is_planned(film: Film) -> None:
    scenes = "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n  - {id: 7, prompt: A gull}\n"
    (film.root / "scenes.yaml").write_text(scenes, encoding="utf-8")

    text = film.kiebatch("report").out

    assert "credits** (about 0.04 USD) planned for 1 jobs" in text


def test_failed_and_held_jobs_are_listed_as_text() -> None:
    text = report.markdown(
        [],
        "a",
        "b",
        failed=[{"slot": "2b", "message": "![x](http://x) @ann"}],
        held=[{"slot": "3", "message": "?"}],
    )

    assert "- `2b`: !\\[x\\](http:\u200b//x) @\u200bann" in text
    assert "### Held" in text


def test_a_report_is_bounded_however_much_changed(tmp_path: Path) -> None:
    big = Film(tmp_path, git=False)
    for scene in range(1, 4):
        big.make(scene, prompt="word " * 900)
    one = between(Manifest(), big.record)

    text = report.markdown(one * 200, "a" * 300, "b")

    assert len(text) < report.MAX_BYTES
    assert "… and" in text


@pytest.mark.slow
def test_a_contact_sheet_is_bounded_in_bytes() -> None:
    noise = io.BytesIO()
    Image.effect_noise((192, 108), 90).convert("RGB").save(noise, "PNG")
    panels = [
        Panel(f"scene {n}", noise.getvalue(), None if n % 7 else noise.getvalue())
        for n in range(report.MAX_PANELS)
    ]

    sheet = report.contact_sheet(panels, 60_000)

    assert len(sheet) <= 60_000
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.format == "PNG"


@pytest.mark.needs("ffmpeg")
def test_a_clip_shows_its_first_frame_where_ffmpeg_is(film: Film) -> None:
    record = film.record
    clip = film.assets / "clips" / "scene-04.mp4"
    clip.parent.mkdir()
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "color=c=lime:s=64x36:d=0.2:r=10",
            "-pix_fmt",
            "yuv420p",
            str(clip),
        ],
        check=True,
    )
    facts: dict[str, Any] = {
        "type": "video",
        "filename": "assets/clips/scene-04.mp4",
        "sha256": files.sha256(clip),
        "bytes": clip.stat().st_size,
    }
    film.write(manifest.record(record, [an_asset(4, minute=3, **facts)])[0])

    film.kiebatch("report", "--picture", "p.png")

    assert pixel(film.root / "p.png", 450, 100)[1] > 200
