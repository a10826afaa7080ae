"""The timeline: read back by its own library, edited by a script, imported, and written into the scene file."""

from __future__ import annotations

import difflib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import opentimelineio as otio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.cli import app
from kiebatch.errors import Invalid
from kiebatch.exports import cut, retime
from kiebatch.exports import otio as timelines
from kiebatch.exports.otio import Edit
from kiebatch.project import Opened
from support import made_film
from support.film import Film


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return made_film.make(tmp_path_factory.mktemp("films") / "lighthouse")


@pytest.fixture
def timeline(finished: Opened, tmp_path: Path) -> Any:
    target = finished.workspace.root / "export" / "film.otio"
    timelines.export(*made_film.arguments(finished, target))  # type: ignore[arg-type]
    return otio.adapters.read_from_file(str(target))


def lengthen(timeline: Any, name: str, frames: int) -> None:
    clip = next(c for c in timeline.find_clips() if c.name == name)
    start = clip.source_range.start_time
    clip.source_range = otio.opentime.TimeRange(start, otio.opentime.RationalTime(frames, start.rate))


def move(timeline: Any, name: str, place: int) -> None:
    track = timeline.video_tracks()[0]
    index = next(n for n, clip in enumerate(track) if clip.name == name)
    clip = track.pop(index)
    track.insert(place, clip.deepcopy())


def saved(timeline: Any, folder: Path) -> Path:
    path = folder / "edited.otio"
    otio.adapters.write_to_file(timeline, str(path))
    return path


def compared(opened: Opened, path: Path) -> tuple[cut.Film, Edit]:
    edited = timelines.read(path)
    film = cut.film(opened.project, opened.manifest, opened.picks, opened.workspace, edited.fps)
    return film, timelines.compare(edited, film)


# --- writing -------------------------------------------------------------------------------------------


def test_one_clip_per_shot_with_every_take_and_the_pick_active(timeline: Any) -> None:
    picture = timeline.video_tracks()[0]
    stairs = picture[1]

    assert [clip.name for clip in picture] == ["1", "2a", "2b", "3"]
    assert timeline.duration() == otio.opentime.RationalTime(180, 24)
    assert sorted(stairs.media_references()) == ["2a#1", "2a#2"]
    assert stairs.active_media_reference_key == "2a#2"
    assert isinstance(picture[3].media_reference, otio.schema.MissingReference)


def test_media_are_named_relative_to_the_timeline(finished: Opened, timeline: Any) -> None:
    for clip in timeline.find_clips():
        for reference in clip.media_references().values():
            if isinstance(reference, otio.schema.ExternalReference):
                path = finished.workspace.root / "export" / unquote(reference.target_url)
                assert path.is_file()
                assert reference.available_range.duration >= clip.source_range.duration or clip.name == "2b"


def test_voices_and_music_have_tracks_where_they_sound(timeline: Any) -> None:
    tracks = {track.name: track for track in timeline.audio_tracks()}

    assert set(tracks) == {"Voice", "Music"}
    music = next(iter(tracks["Music"].find_clips()))
    assert music.range_in_parent().start_time.to_seconds() == 2.0
    assert music.range_in_parent().duration.to_seconds() == 4.5


def test_notes_are_markers(timeline: Any) -> None:
    markers = {m.comment for clip in timeline.find_clips() for m in clip.markers}

    assert markers == {"Keep the lantern in frame.", "=the look, back"}


# --- reading back --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_untouched_timeline_says_nothing_new(finished: Opened, timeline: Any, tmp_path: Path) -> None:
    _, edit = compared(finished, saved(timeline, tmp_path))

    assert edit.changes == ()


@pytest.mark.slow
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_that_is_so_at_every_rate(finished: Opened, fps: Fraction, tmp_path: Path) -> None:
    (path,) = timelines.export(*made_film.arguments(finished, tmp_path / "f.otio", fps=fps))  # type: ignore[arg-type]

    assert compared(finished, path)[1].changes == ()


@pytest.mark.slow
def test_lengths_order_and_drops_are_told(finished: Opened, timeline: Any, tmp_path: Path) -> None:
    lengthen(timeline, "2b", 60)
    move(timeline, "3", 0)
    track = timeline.video_tracks()[0]
    del track[1]
    stranger = otio.schema.Clip(name="logo", source_range=track[0].source_range)
    track.append(stranger)

    _, edit = compared(finished, saved(timeline, tmp_path))

    assert [str(change) for change in edit.changes] == [
        "1: no longer in the timeline",
        "2b: 1.5 s -> 2.5 s",
        "3: moved to the front",
        "logo: in the timeline, not in the scene file",
    ]


@pytest.mark.slow
def test_a_clip_cut_in_two_counts_once(finished: Opened, timeline: Any, tmp_path: Path) -> None:
    lengthen(timeline, "1", 24)
    track = timeline.video_tracks()[0]
    track.insert(1, track[0].deepcopy())

    _, edit = compared(finished, saved(timeline, tmp_path))

    assert [change.what for change in edit.changes] == ["repeated"]


@pytest.mark.slow
def test_a_renamed_clip_is_known_by_its_metadata(finished: Opened, timeline: Any, tmp_path: Path) -> None:
    timeline.video_tracks()[0][0].name = "opening v3 FINAL"

    assert compared(finished, saved(timeline, tmp_path))[1].changes == ()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "not a timeline", '{"OTIO_SCHEMA": "Gap.1"}'])
def test_a_broken_file_is_refused_in_words(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.otio"
    path.write_text(text)

    with pytest.raises(Invalid, match="is not a timeline"):
        timelines.read(path)


# --- writing it into the scene file --------------------------------------------------------------------


def changed_lines(old: str, new: str) -> list[str]:
    return [line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line[0] in "+-"]


@pytest.mark.slow
def test_lengths_are_replaced_where_they_stand_and_comments_stay(
    finished: Opened, timeline: Any, tmp_path: Path
) -> None:
    lengthen(timeline, "1", 72)
    lengthen(timeline, "2b", 60)
    read, edit = compared(finished, saved(timeline, tmp_path))

    text = retime.apply(made_film.SCENES, "scenes.yaml", read, edit)

    assert changed_lines(made_film.SCENES, text) == [
        "-     duration: 2",
        "+     duration: 3",
        "-     duration: 4.5",
        "+     duration: 5.5",
        "-         duration: 1.5",
        "+         duration: 2.5",
    ]


@pytest.mark.slow
def test_a_shot_without_a_length_gets_one_and_its_scene_grows(
    finished: Opened, timeline: Any, tmp_path: Path
) -> None:
    lengthen(timeline, "2a", 96)
    read, edit = compared(finished, saved(timeline, tmp_path))

    text = retime.apply(made_film.SCENES, "scenes.yaml", read, edit)

    assert changed_lines(made_film.SCENES, text) == [
        "-     duration: 4.5",
        "+     duration: 5.5",
        "+         duration: 4",
    ]


@pytest.mark.slow
def test_entries_move_with_their_comments(finished: Opened, timeline: Any, tmp_path: Path) -> None:
    move(timeline, "2b", 1)
    move(timeline, "1", 3)
    read, edit = compared(finished, saved(timeline, tmp_path))

    text = retime.apply(made_film.SCENES, "scenes.yaml", read, edit)

    order = [
        "# The stairs were shot twice.",
        "- id: 2",
        "# The clip.",
        "- id: b",
        "- id: a",
        "music:",
        "- id: 3",
    ]
    places = (
        [text.index(words) for words in [*order[:-1], "- id: 3", "- id: 1 "]] if "- id: 3" in text else []
    )
    assert places == sorted(places)
    assert sorted(text.splitlines()) == sorted(made_film.SCENES.splitlines())


@pytest.mark.slow
def test_after_writing_the_timeline_says_nothing_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "film"
    opened = made_film.make(folder)
    timelines.export(*made_film.arguments(opened, folder / "f.otio"))  # type: ignore[arg-type]
    timeline = otio.adapters.read_from_file(str(folder / "f.otio"))
    lengthen(timeline, "2a", 30)
    move(timeline, "3", 1)
    path = saved(timeline, tmp_path)
    command = ["export", "otio", str(folder), "--import", str(path)]

    assert app.exit_code(command) == 0
    before = (folder / "scenes.yaml").read_text()
    assert app.exit_code([*command, "--write"]) == 0
    capsys.readouterr()
    assert app.exit_code([*command, "--json"]) == 0

    assert before == made_film.SCENES
    assert json.loads(capsys.readouterr().out) == {"status": "same", "changes": []}


TRICKY = [
    # (what is odd, the scene list)
    ("flow", "scenes: [{id: 1, prompt: a, duration: 2}, {id: 2, prompt: b}]\n"),
    (
        "windows",
        "scenes:\r\n  - id: 1\r\n    prompt: a  # one\r\n  - id: 2\r\n    duration: 2\r\n    prompt: b\r\n",
    ),
    (
        "quoted",
        'scenes:\n- "id": 1\n  "duration" : 2 # two\n  prompt: a\n- id: 2\n  prompt: |\n    # not a comment\n    b',
    ),
    ("merged", "scenes:\n  - &first\n    id: 1\n    duration: 2\n    prompt: a\n  - <<: *first\n    id: 2\n"),
    ("wide", "scenes:\n  - id: 1\n    prompt: 灯台 # 灯\n  - {prompt: 'é, ü', id: 2, duration: 1.25}\n"),
]


@pytest.mark.parametrize(("what", "scenes"), TRICKY, ids=[what for what, _ in TRICKY])
def test_odd_yaml_is_edited_right_or_left_alone(what: str, scenes: str, tmp_path: Path) -> None:
    text = "# head\nkiebatch: 1\ndefaults: {model: nano-banana-2}\n" + scenes
    (tmp_path / "film").mkdir()
    scene_file = tmp_path / "film" / "scenes.yaml"
    scene_file.write_bytes(text.encode())
    opened = made_film.open_(tmp_path / "film")
    film = cut.film(opened.project, opened.manifest, opened.picks, opened.workspace)
    lengths = {shot.name: 7.25 for shot in film.shots}
    changes = tuple(
        timelines.Change(what="duration", shot=shot.name, old_s=film.seconds(shot.frames), new_s=7.25)
        for shot in film.shots
    )

    new = retime.apply(
        text, "scenes.yaml", film, Edit(lengths=lengths, order=tuple(lengths), changes=changes)
    )

    scene_file.write_bytes(new.encode())
    assert [scene.duration_s for scene in made_film.open_(tmp_path / "film").project.scenes] == [7.25, 7.25]
    assert new.startswith("# head\n")


def test_an_anchored_length_is_left_to_the_author(tmp_path: Path) -> None:
    text = (
        "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n  - id: 1\n    duration: &long 4\n    prompt: a\n"
        "  - id: 2\n    duration: *long\n    prompt: b\n"
    )
    (tmp_path / "scenes.yaml").write_text(text)
    opened = made_film.open_(tmp_path)
    film = cut.film(opened.project, opened.manifest, opened.picks, opened.workspace)
    one, two = (timelines.Change(what="duration", shot=shot, old_s=4, new_s=5) for shot in ("1", "2"))

    alias = retime.apply(text, "s.yaml", film, Edit(lengths={}, order=("1", "2"), changes=(two,)))
    with pytest.raises(Invalid, match=r"s\.yaml:5:\d+: this `duration` is used elsewhere"):
        retime.apply(text, "s.yaml", film, Edit(lengths={}, order=("1", "2"), changes=(one,)))

    assert "duration: &long 4" in alias
    assert "    duration: 5\n    prompt: b" in alias


@given(st.permutations(range(5)))
def test_the_fewest_shots_count_as_moved(order: list[int]) -> None:
    before, after = [str(n) for n in range(5)], [str(n) for n in order]

    stay = timelines._longest_kept(before, after)

    assert [n for n in after if n in stay] == [n for n in before if n in stay]
    assert stay
    assert len(stay) == 5 or after != before


@pytest.mark.slow
def test_only_the_shots_that_became_longer_are_made_again(film: Film) -> None:
    film.write("""
        kiebatch: 1
        scenes:
          - id: 1
            duration: 4
            model: nano-banana-2
            prompt: A boat
          - id: 2   # two clips
            shots:
              - {id: a, model: kling-3.0/video, duration: 5, prompt: He climbs}
              - {id: b, model: kling-3.0/video, duration: 5, prompt: He stops}
    """)
    film.run()
    assert film.command("export", "otio").code == 0
    path = film.folder / "export" / "film.otio"
    timeline = otio.adapters.read_from_file(str(path))
    lengthen(timeline, "1", 24 * 6)
    lengthen(timeline, "2b", 24 * 8)
    move(timeline, "2b", 1)
    otio.adapters.write_to_file(timeline, str(path))

    said = film.command("export", "otio", "--import", str(path), "--write")

    assert said.code == 0, said.err
    reasons = film.reasons()
    assert {slot for slot, reason in reasons.items() if reason.startswith("generate")} == {"2b"}
    assert "# two clips" in film.scene_file.read_text()
