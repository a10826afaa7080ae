"""Sounds of the author's own: on the timeline, over several scenes, never made and never paid for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kiebatch import media
from kiebatch.board import film_builder as boards
from kiebatch.cli import app
from kiebatch.errors import Invalid
from kiebatch.exports import animatic, cut
from kiebatch.exports import otio as timelines
from kiebatch.project import Opened
from support import made_film

needs_ffmpeg = pytest.mark.needs("ffmpeg")
SCENES = """\
kiebatch: 1
defaults: {model: nano-banana-2, audio: {model: elevenlabs/text-to-speech-multilingual-v2}}
scenes:
  - id: 1
    duration: 2
    prompt: A boat
    music: {file: sounds/score.wav, through: 3}
  - id: 2
    prompt: A stair
    voiceover: {file: sounds/voice.wav, text: No one had come.}
  - {id: 3, duration: 2, prompt: The sea}
  - {id: 4, duration: 1, prompt: Nothing}
"""


def make(folder: Path, scenes: str = SCENES) -> Opened:
    (folder / "sounds").mkdir(parents=True)
    program = media.find_ffmpeg()
    assert program
    for name, seconds in (("score", 3), ("voice", 4)):
        tone = ["-f", "lavfi", "-i", f"sine=f=200:d={seconds}", str(folder / "sounds" / f"{name}.wav")]
        subprocess.run([program, "-v", "error", "-y", *tone], check=True)
    return made_film.make(folder, scenes)


def film_of(opened: Opened) -> cut.Film:
    return cut.film(opened.project, opened.manifest, opened.picks, opened.workspace)


@pytest.mark.slow
@needs_ffmpeg
def test_music_is_heard_over_all_scenes_up_to_the_named_one(tmp_path: Path) -> None:
    opened = make(tmp_path / "film")

    music, voice = film_of(opened).sounds

    assert [s.name for s in film_of(opened).shots] == ["1", "2", "3", "4"]
    assert (music.name, music.start, music.end) == ("1.music", 0, 192)
    assert (voice.name, voice.start) == ("2.vo", 48)


@pytest.mark.slow
@needs_ffmpeg
def test_nothing_is_made_for_a_file_and_its_length_counts(tmp_path: Path) -> None:
    opened = make(tmp_path / "film")
    board = boards.build(opened.project, opened.manifest, opened.picks)

    assert {str(job.slot) for job in opened.project.jobs} == {"1", "2", "3", "4"}
    assert film_of(opened).shots[1].frames == 96  # the voice takes four seconds
    assert [p.duration_s for p in board.panels if p.kind == "shot" and p.duration_s] == [2, 4, 2, 1]


@pytest.mark.slow
@needs_ffmpeg
def test_it_lies_on_the_timeline_and_in_the_animatic(tmp_path: Path) -> None:
    opened = make(tmp_path / "film")

    timeline = timelines.timeline(film_of(opened), tmp_path / "film")
    path, *_ = animatic.export(*made_film.arguments(opened, tmp_path / "f.mp4", size=(64, 36)))  # type: ignore[arg-type]

    urls = [
        clip.media_reference.target_url for track in timeline.audio_tracks() for clip in track.find_clips()
    ]
    loud = media.run_ffmpeg(
        ["-i", f"file:{path}", "-af", "atrim=7:7.8,volumedetect", "-vn", "-f", "null", "-"]
    )
    assert sorted(urls) == ["sounds/score.wav", "sounds/voice.wav"]
    assert float(loud.split("mean_volume: ")[1].split(" ")[0]) > -50  # three seconds of music, repeated


@needs_ffmpeg
def test_a_part_of_the_film_keeps_the_music_that_is_heard_in_it(tmp_path: Path) -> None:
    opened = make(tmp_path / "film")
    options = made_film.arguments(opened, tmp_path / "x", only=("3-4",))

    part = cut.closed_up(cut.chosen(*options))  # type: ignore[arg-type]

    assert [(s.name, s.start, s.end) for s in part.sounds] == [("1.music", 0, 48)]


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("score.wav, through: 3", "lost.wav", r"scenes\.yaml:7:\d+: there is no file `sounds/lost\.wav`"),
        ("through: 3", "through: 9", r"scenes\.yaml:7:\d+: scene 1: there is no scene `9`"),
        ("through: 3", "model: suno/generate", "both `file` and `model`"),
        ("id: 1\n    duration: 2", "id: 5\n    duration: 2", None),
        ("text: No one had come.", "through: 1", r"scene 2: `voiceover` cannot end with scene `1`"),
        ("sounds/voice.wav", "scenes.yaml", "cannot be used|is not a sound"),
    ],
)
def test_mistakes_are_said_at_their_place(old: str, new: str, said: str | None, tmp_path: Path) -> None:
    text = SCENES.replace(old, new)
    if said is None:
        assert make(tmp_path / "film", text)
        return
    with pytest.raises(Invalid, match=said):
        make(tmp_path / "film", text)


def test_plan_says_once_what_no_model_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_film.make(
        tmp_path / "film",
        "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n"
        "  - {id: 1, prompt: A boat, music: a quiet bed}\n  - {id: 2, prompt: B, sound_effects: wind}\n",
    )

    assert app.exit_code(["plan", str(tmp_path / "film")]) == 0

    out = capsys.readouterr().out
    assert out.count("on the board and made by no model: 1.music, 2.sfx") == 1
