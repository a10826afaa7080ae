"""EDL, Final Cut Pro 7 XML and FCPXML: read by OpenTimelineIO's adapters, edited, and read back."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from kiebatch.cli import app
from kiebatch.errors import Invalid
from kiebatch.exports import cut, edl, fcp7, fcpxml
from kiebatch.exports import otio as timelines
from kiebatch.project import Opened
from support import made_film

ADAPTERS = {".edl": "cmx_3600", ".xml": "fcp_xml", ".fcpxml": "fcpx_xml"}
KINDS = [(edl, ".edl"), (fcp7, ".xml"), (fcpxml, ".fcpxml")]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return made_film.make(tmp_path_factory.mktemp("films") / "lighthouse")


def written(module: object, ending: str, film: Opened, folder: Path, **options: object) -> Path:
    arguments = made_film.arguments(film, folder / f"film{ending}", **options)
    return module.export(*arguments)[0]  # type: ignore[attr-defined,no-any-return]


def picture(path: Path) -> list[otio.schema.Clip]:
    timeline = otio.adapters.read_from_file(str(path), ADAPTERS[path.suffix])
    if isinstance(timeline, otio.schema.SerializableCollection):
        timeline = next(iter(timeline.find_children(descended_from_type=otio.schema.Timeline)))
    # FCPXML hangs sounds under the picture, and the adapter reads them as picture.
    sounds = (".vo", ".music", ".sfx")
    clips = [
        c for track in timeline.video_tracks() for c in track.find_clips() if not c.name.endswith(sounds)
    ]
    return sorted(clips, key=lambda c: c.transformed_time(c.trimmed_range().start_time, c.parent()).value)


@pytest.mark.parametrize(("module", "ending"), KINDS)
def test_the_library_reads_every_shot_with_its_length(
    module: object, ending: str, film: Opened, tmp_path: Path
) -> None:
    path = written(module, ending, film, tmp_path, only=("1", "2"))

    lengths = [clip.trimmed_range().duration.value for clip in picture(path)]

    assert lengths == [48, 72, 36]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "ending"), KINDS)
@pytest.mark.parametrize("fps", [Fraction(24), Fraction(25), Fraction(24000, 1001)])
def test_what_was_not_edited_comes_back_as_the_scene_file_says(
    module: object, ending: str, fps: Fraction, film: Opened, tmp_path: Path
) -> None:
    path = written(module, ending, film, tmp_path, fps=fps)

    edited = timelines.read(path, fps)
    whole = cut.film(film.project, film.manifest, film.picks, film.workspace, edited.fps)

    assert edited.fps == fps
    assert [c for c in timelines.compare(edited, whole).changes if c.shot != "3"] == []


def test_an_edl_calls_clips_after_their_files_and_notes_become_a_marker_list(
    film: Opened, tmp_path: Path
) -> None:
    path, markers = edl.export(*made_film.arguments(film, tmp_path / "film.edl"))  # type: ignore[arg-type]

    lines = path.read_text(encoding="utf-8").splitlines()
    assert "* FROM CLIP NAME:  scene-02-a-t2.png" in lines
    assert "* SHOT: 2a" in lines
    assert not any(str(tmp_path) in line for line in lines)
    assert markers.name == "film-markers.edl"
    assert markers.read_text(encoding="utf-8").splitlines()[3:5] == [
        "001  001      V     C        00:00:02:00 00:00:02:01 00:00:02:00 00:00:02:01  ",
        "Keep the lantern in frame. |C:ResolveColorYellow |M:2a notes |D:1",
    ]


def test_resolve_is_told_the_format_of_a_final_cut_sequence(film: Opened, tmp_path: Path) -> None:
    root = xml.parse(written(fcp7, ".xml", film, tmp_path)).getroot()

    told = root.find(".//sequence/media/video/format/samplecharacteristics")
    assert told is not None
    assert (told.findtext("width"), told.findtext("height"), told.findtext("rate/timebase")) == (
        "192",
        "108",
        "24",
    )
    assert [(m.findtext("name"), m.findtext("comment"), m.findtext("in")) for m in root.iter("marker")] == [
        ("2a notes", "Keep the lantern in frame.", "48"),
        ("2a#2", "=the look, back", "48"),
    ]
    urls = [url.text or "" for url in root.iter("pathurl")]
    assert len(urls) == 5
    assert all(url.startswith("file:///") for url in urls)


def test_fcpxml_has_exact_times_sounds_in_lanes_and_notes(film: Opened, tmp_path: Path) -> None:
    path = written(fcpxml, ".fcpxml", film, tmp_path, fps=Fraction(24000, 1001))

    root = xml.parse(path).getroot()

    line = root.find(".//spine")
    assert line is not None
    assert [(e.tag, e.get("name")) for e in line] == [
        ("clip", "1"),
        ("clip", "2a"),
        ("asset-clip", "2b"),
        ("gap", "3"),
    ]
    assert line[0].get("duration") == "1001/500s"  # 48 frames of 1001/24000 s
    assert [(e.get("name"), e.get("lane"), e.get("audioRole")) for e in line.findall("*/asset-clip")] == [
        ("1.vo", "-1", "dialogue"),
        ("2.music", "-2", "music"),
    ]
    assert [m.get("note") for m in root.iter("marker")] == ["Keep the lantern in frame.", "=the look, back"]


def test_a_note_of_the_review_is_a_marker_at_its_second(tmp_path: Path) -> None:
    opened = made_film.make(tmp_path / "film")
    opened.workspace.notes_path.write_text(
        "kiebatch-notes: 1\nnotes:\n"
        '- {id: n-1, slot: "2b#1", seconds: 0.5, text: "the hand is cut off", time: "2026-03-01T10:00:00.000Z", author: Ann}\n'
        '- {id: n-2, reply: n-1, text: "wider", time: "2026-03-01T11:00:00.000Z", author: Bo}\n'
        '- {id: n-3, shot: "1", text: "too dark", time: "2026-03-01T12:00:00.000Z", author: Ann}\n'
        '- {id: n-3, done: true, time: "2026-03-01T13:00:00.000Z", author: Ann}\n',
        encoding="utf-8",
    )

    root = xml.parse(written(fcp7, ".xml", opened, tmp_path)).getroot()

    found = [(m.findtext("name"), m.findtext("comment"), m.findtext("in")) for m in root.iter("marker")]
    assert found == [
        ("1 Ann, done", "too dark", "0"),
        ("2a notes", "Keep the lantern in frame.", "48"),
        ("2a#2", "=the look, back", "48"),
        ("2b#1 Ann", "the hand is cut off / Bo: wider", "132"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ending"), [("edl", ".edl"), ("fcp7", ".xml"), ("fcpxml", ".fcpxml")])
def test_an_edit_is_written_into_the_scene_file(
    kind: str, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "film"
    made_film.make(folder)
    assert app.exit_code(["export", kind, str(folder), "--only", "1-2"]) == 0
    path = folder / "export" / f"film{ending}"
    text = path.read_text(encoding="utf-8")
    # The first shot is a second shorter: each format says its length in its own way.
    old, new = {
        ".edl": ("00:00:00:00 00:00:02:00 00:00:00:00 00:00:02:00", "00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00"),
        ".xml": ("<duration>48</duration>\n                                <start>0</start>\n                                <end>48</end>\n                                <in>0</in>\n                                <out>48</out>",
                 "<duration>24</duration>\n                                <start>0</start>\n                                <end>24</end>\n                                <in>0</in>\n                                <out>24</out>"),
        ".fcpxml": ('name="1" offset="0s" duration="2s"', 'name="1" offset="0s" duration="1s"'),
    }[ending]  # fmt: skip
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

    assert app.exit_code(["export", kind, str(folder), "--import", str(path), "--write"]) == 0

    assert "1: 2 s -> 1 s" in capsys.readouterr().out
    assert "duration: 1\n    camera: slow push-in" in (folder / "scenes.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_edl_has_room_for_999_shots_and_only_rates_with_a_timecode(film: Opened, tmp_path: Path) -> None:
    many = "kiebatch: 1\nscenes:\n" + "".join(f"  - {{id: {n}, title: x}}\n" for n in range(1, 1001))
    long = made_film.make(tmp_path / "long", many)

    with pytest.raises(Invalid, match="an EDL holds 999 shots, and this film has 1000"):
        written(edl, ".edl", long, tmp_path)
    with pytest.raises(Invalid, match="cannot be written at 13 frames a second"):
        written(edl, ".edl", film, tmp_path, fps=Fraction(13))


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".edl", ".xml", ".fcpxml", ".otio"])
@pytest.mark.parametrize(
    "text", ["", "<xmeml/>", "<fcpxml><a></fcpxml>", "{}", "\x00\x01", "001 x V C 1 2 3 4"]
)
def test_what_is_not_a_timeline_is_refused(ending: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"broken{ending}"
    path.write_text(text, encoding="utf-8")
    whole = cut.Film(title="x", fps=Fraction(24), shots=())

    with pytest.raises(Invalid, match=r"is not a timeline|shows none of this film's shots"):
        timelines.compare(timelines.read(path), whole)
