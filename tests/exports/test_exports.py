"""Sheet, PDF, shot list and Remotion data: written from a finished film, and read by what people open them with."""

from __future__ import annotations

import csv as spreadsheet
import io
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from kiebatch.cli import app
from kiebatch.errors import Invalid
from kiebatch.exports import csv, cut, remotion, sheet
from kiebatch.project import Opened
from kiebatch.record import picks
from support import made_film, pictures


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return made_film.make(tmp_path_factory.mktemp("films") / "lighthouse")


# --- the cut -------------------------------------------------------------------------------------------


def test_the_film_has_its_shots_in_order_with_whole_frames(film: Opened) -> None:
    found = cut.film(film.project, film.manifest, film.picks, film.workspace)

    assert [(s.name, s.start, s.frames) for s in found.shots] == [
        ("1", 0, 48),
        ("2a", 48, 72),  # what the scene's 4.5 s leave
        ("2b", 120, 36),
        ("3", 156, 24),
    ]
    assert found.length == 180
    assert [(s.name, s.start, s.frames) for s in found.sounds] == [("1.vo", 0, 48), ("2.music", 48, 108)]


def test_the_pick_stands_for_its_shot_else_the_first_that_nobody_rejected(film: Opened) -> None:
    picked = cut.film(film.project, film.manifest, film.picks, film.workspace)
    rejected = picks.parse(
        '- {slot: "2a#1", decision: reject, time: "2026-03-01T10:00:00.000Z"}', "picks.yaml"
    )
    other = cut.film(film.project, film.manifest, rejected, film.workspace)
    none = cut.film(film.project, film.manifest, picks.Picks(), film.workspace)

    assert [_take(f) for f in (picked, other, none)] == [2, 2, 1]


def _take(film: cut.Film) -> int | None:
    shown = film.shots[1].shown
    return shown.number if shown else None


def test_nothing_drifts_at_broadcast_rates(film: Opened) -> None:
    found = cut.film(film.project, film.manifest, film.picks, film.workspace, Fraction(24000, 1001))

    assert found.length == round(7.5 * 24000 / 1001)
    assert [a.end for a in found.shots[:-1]] == [b.start for b in found.shots[1:]]


# --- sheet ---------------------------------------------------------------------------------------------


def test_the_sheet_looks_as_it_did(film: Opened, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    steps: list[tuple[int, int]] = []
    options = made_film.arguments(
        film, tmp_path / "s.png", progress=lambda done, total: steps.append((done, total))
    )

    (page,) = sheet.export(*options)  # type: ignore[arg-type]

    with Image.open(page) as picture:
        assert picture.width == sheet.WIDTH
        pictures.check(
            "sheet.png", picture.resize((600, round(600 * picture.height / picture.width))), request
        )
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_long_sheet_goes_on_further_pages(film: Opened, tmp_path: Path) -> None:
    options = made_film.arguments(film, tmp_path / "s.png", columns=2, rows=1, all_takes=True)

    pages = sheet.export(*options)  # type: ignore[arg-type]

    assert [p.name for p in pages] == ["s.png", "s-2.png", "s-3.png"]
    assert all(p.exists() for p in pages)


# --- extras --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "library"), [("pdf", "fpdf"), ("otio", "opentimelineio")])
def test_a_missing_extra_names_the_command_that_installs_it(kind: str, library: str, tmp_path: Path) -> None:
    made_film.make(tmp_path / "film")
    blocked = f"import sys; sys.modules[{library!r}] = None; from kiebatch import cli; cli.main()"

    done = subprocess.run(
        [sys.executable, "-c", blocked, "export", kind, str(tmp_path / "film")],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "pip install '" in done.stderr
    assert "pip install 'kiebatch" not in done.stderr  # a name that anybody may register


# --- csv -----------------------------------------------------------------------------------------------


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(spreadsheet.DictReader(stream))


def test_the_shot_list_has_a_row_for_each_shot_and_sound(film: Opened, tmp_path: Path) -> None:
    (path,) = csv.export(*made_film.arguments(film, tmp_path / "s.csv"))  # type: ignore[arg-type]

    rows = rows_of(path)

    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert [row["slot"] for row in rows] == ["1#1", "1.vo#1", "2a#2", "2.music#1", "2b#1", "3#1"]
    assert [row["start"] for row in rows][::2] == ["00:00:00:00", "00:00:02:00", "00:00:05:00"]
    assert sum(float(row["seconds"] or 0) for row in rows) == 7.5
    assert (rows[2]["pick"], rows[2]["file"]) == ("yes", "assets/images/scene-02-a-t2.png")


def test_no_cell_is_run_as_a_formula(film: Opened, tmp_path: Path) -> None:
    (path,) = csv.export(*made_film.arguments(film, tmp_path / "s.csv", all_takes=True))  # type: ignore[arg-type]

    with path.open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in spreadsheet.reader(stream) for cell in row]

    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    assert not [cell for cell in cells if re.match(r"[=+\-@\t\r]", cell)]


@pytest.mark.parametrize(
    "note", ["=1+1", "'=quoted", "'plain", "two\nlines", 'a "word", and more', "-", "日本語", ""]
)
def test_notes_come_back_as_they_were_written(film: Opened, note: str, tmp_path: Path) -> None:
    noted = picks.append("", [picks.Decision(slot="2a#1", note=note)], datetime(2026, 3, 1, tzinfo=UTC))
    opened = replace(film, picks=picks.parse(noted, "picks.yaml"))
    (path,) = csv.export(*made_film.arguments(opened, tmp_path / "s.csv"))  # type: ignore[arg-type]
    text = path.read_text(encoding="utf-8")

    same = csv.notes(text, "s.csv", opened.picks)
    fresh = csv.notes(text, "s.csv", picks.Picks())

    assert same == []
    assert [(d.slot, d.note) for d in fresh] == ([("2a#1", note)] if note else [])


def test_a_list_that_a_spreadsheet_saved_with_semicolons_is_read(film: Opened) -> None:
    found = csv.notes("note;take;SLOT\r\nlonger;1;1#1\r\n\r\n", "s.csv", picks.Picks())

    assert [(d.slot, d.note) for d in found] == [("1#1", "longer")]


def test_a_list_without_its_columns_or_with_a_broken_slot_is_refused(film: Opened) -> None:
    with pytest.raises(Invalid, match="no columns"):
        csv.notes("a,b\n1,2\n", "s.csv", picks.Picks())
    with pytest.raises(Invalid, match=r"s\.csv:3"):
        csv.notes("slot,note\n1#1,x\n#,y\n", "s.csv", picks.Picks())
    with pytest.raises(Invalid, match="is not a shot list"):
        csv.notes(f"slot,note\n1#1,{'x' * 200_000}\n", "s.csv", picks.Picks())


def test_notes_edited_in_a_spreadsheet_are_written_into_the_picks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "film"
    made_film.make(folder)
    assert app.exit_code(["export", "csv", str(folder)]) == 0
    path = folder / "export" / "film.csv"
    rows = rows_of(path)
    rows[0]["note"] = "=wider, please"
    out = io.StringIO(newline="")
    writer = spreadsheet.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")

    assert app.exit_code(["export", "csv", str(folder), "--import", str(path), "--write"]) == 0

    assert made_film.open_(folder).picks.decision("1#1").note == "=wider, please"
    assert made_film.open_(folder).picks.take("2a") == 2
    assert "1#1: =wider, please" in capsys.readouterr().out


# --- remotion ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_remotion_file_compiles_and_its_types_hold(film: Opened, tsc: list[str], tmp_path: Path) -> None:
    remotion.export(*made_film.arguments(film, tmp_path / "film.ts"))  # type: ignore[arg-type]
    (tmp_path / "use.ts").write_text(
        'import film, { type Shot } from "./film";\n'
        "const shots: readonly Shot[] = film.scenes.flatMap((scene) => scene.shots);\n"
        "export const last: number = shots[shots.length - 1]!.from + shots[shots.length - 1]!.durationInFrames;\n"
        "export const same: boolean = last === film.durationInFrames;\n"
    )

    checks = ["--strict", "--noEmit", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"]
    done = subprocess.run(
        [
            *tsc,
            *checks,
            "--target",
            "es2022",
            "--module",
            "esnext",
            "--moduleResolution",
            "bundler",
            "use.ts",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


def test_the_remotion_file_names_sources_and_frames(film: Opened, tmp_path: Path) -> None:
    (path,) = remotion.export(*made_film.arguments(film, tmp_path / "film.ts"))  # type: ignore[arg-type]

    text = path.read_text(encoding="utf-8")

    assert '"durationInFrames": 180' in text
    assert '"src": "assets/images/scene-02-a-t2.png"' in text
    assert '"move": "push in"' in text
    assert '"transition": "fade to black"' in text


# --- the command ---------------------------------------------------------------------------------------


def test_export_writes_beside_the_scene_file_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "film"
    made_film.make(folder)
    monkeypatch.chdir(folder)

    assert app.exit_code(["export", "sheet"]) == 0
    assert app.exit_code(["export", "remotion", "scenes.yaml", "--output", "data/film.ts", "--json"]) == 0

    out = capsys.readouterr().out
    assert out.startswith("export/film.png\n")
    assert '"file": "data/film.ts"' in out
    assert (folder / "export" / "film.png").exists()
    assert (folder / "data" / "film.ts").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sheet", "--write"], "--write goes with --import"),
        (["sheet", "--import", "x"], "--import reads a timeline"),
        (["otio", "--import", "nowhere.otio"], "there is no file"),
        (["animatic", "--fps", "fast"], "--fps takes a number"),
        (["animatic", "--size", "101x57"], "even numbers"),
    ],
)
def test_bad_usage_is_said_in_words(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_film.make(tmp_path / "film")

    code = app.exit_code(["export", arguments[0], str(tmp_path / "film"), *arguments[1:]])

    assert code == 2
    assert said in capsys.readouterr().err
