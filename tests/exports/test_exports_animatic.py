"""The animatic: its length to a frame, its streams, and what it shows when, read back by ffmpeg."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from kiebatch import media
from kiebatch.exports import animatic, cut, pieces, soundtrack
from kiebatch.project import Opened
from kiebatch.record.manifest import Manifest
from kiebatch.simulator.drawing import panels
from kiebatch.simulator.drawing.wanted import Wanted
from kiebatch.units import fitting
from support import made_film

pytestmark = pytest.mark.needs("ffmpeg")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return made_film.make(tmp_path_factory.mktemp("films") / "lighthouse")


@pytest.fixture(scope="module")
def movie(film: Opened, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("out") / "film.mp4"
    path, *_ = animatic.export(*made_film.arguments(film, target, size=(320, 180)))  # type: ignore[arg-type]
    return path


def said(path: Path, *arguments: str) -> str:
    return media.run_ffmpeg(["-i", f"file:{path}", *arguments, "-f", "null", "-"])


def picture(path: Path, frame: int, folder: Path) -> Image.Image:
    """Return one frame of a clip, counted from 0."""
    target = folder / f"frame-{frame}.png"
    media.run_ffmpeg(
        ["-i", f"file:{path}", "-vf", f"select=eq(n\\,{frame})", "-frames:v", "1", f"file:{target}"]
    )
    with Image.open(target) as opened:
        return opened.convert("RGB")


def colour(image: Image.Image) -> tuple[float, ...]:
    return tuple(ImageStat.Stat(image.crop((100, 60, 220, 110))).mean)


@pytest.mark.slow
def test_it_is_as_long_as_the_film_to_a_frame(movie: Path) -> None:
    counted = re.findall(r"frame=\s*(\d+)", said(movie, "-map", "0:v", "-c", "copy"))

    assert int(counted[-1]) == 180
    assert media.facts(movie).duration_s == pytest.approx(7.5, abs=1 / 24)


def test_its_streams_are_what_every_player_takes(movie: Path) -> None:
    streams = said(movie, "-t", "0.1")

    assert re.search(r"Video: h264 .*yuv420p.*320x180.* 24 fps", streams)
    assert re.search(r"Audio: aac .*48000 Hz, stereo", streams)


def test_every_scene_is_a_chapter(movie: Path) -> None:
    found = said(movie, "-t", "0.1")

    assert re.findall(r"Chapter #0:\d+: start (\S+), end (\S+)", found)[:3] == [
        ("0.000000", "2.000000"),
        ("2.000000", "6.500000"),
        ("6.500000", "7.500000"),
    ]
    assert re.findall(r"title\s+: (\d.*)", found)[:3] == ["1 Arrival", "2 The stairs", "3 Empty"]


@pytest.mark.slow
def test_it_shows_the_picked_takes_the_clip_and_a_card_for_what_is_missing(
    movie: Path, tmp_path: Path
) -> None:
    first, picked, card = (colour(picture(movie, n, tmp_path)) for n in (10, 100, 170))

    assert first == pytest.approx((200, 120, 40), abs=12)
    assert picked == pytest.approx((60, 180, 60), abs=12)
    assert max(card) < 130


@pytest.mark.slow
def test_a_dissolve_shows_both_shots_and_a_fade_ends_in_black(movie: Path, tmp_path: Path) -> None:
    start, middle = colour(picture(movie, 48, tmp_path)), colour(picture(movie, 54, tmp_path))
    black = colour(picture(movie, 155, tmp_path))

    assert start == pytest.approx((200, 120, 40), abs=25)
    assert all(60 <= a <= 200 for a in middle[:2])
    assert middle != pytest.approx((60, 180, 60), abs=12)
    assert max(black) < 40


def test_voice_and_music_are_heard_where_they_belong(movie: Path) -> None:
    def loudness(start: float, length: float) -> float:
        cut_out = f"atrim={start}:{start + length},volumedetect"
        found = said(movie, "-map", "0:a", "-af", cut_out)
        return float(found.split("mean_volume: ")[1].split(" ")[0])

    voice, pause, music, nothing = (
        loudness(0.2, 0.8),
        loudness(1.4, 0.5),
        loudness(2.5, 2),
        loudness(6.8, 0.6),
    )

    assert voice > -30
    assert pause < -60
    assert voice > music > -50
    assert nothing < -60


def loudness_of(path: Path, start: float, length: float) -> float:
    found = said(path, "-map", "0:a", "-af", f"atrim={start}:{start + length},volumedetect")
    return float(found.split("mean_volume: ")[1].split(" ")[0])


@pytest.mark.slow
def test_music_goes_on_until_its_scene_ends_and_the_slam_of_a_door_does_not(tmp_path: Path) -> None:
    scenes = """\
kiebatch: 1
defaults: {model: nano-banana-2}
scenes:
  - {id: 1, duration: 3, prompt: a, voiceover: {text: b, voice: Rachel, model: elevenlabs/text-to-speech-multilingual-v2}}
  - id: 2
    duration: 14
    prompt: a
    music: {prompt: a quiet bed, model: suno/generate}
  - {id: 3, duration: 1, prompt: a}
"""
    opened = made_film.make(tmp_path / "film", scenes)
    path, *_ = animatic.export(*made_film.arguments(opened, tmp_path / "f.mp4", size=(64, 36)))  # type: ignore[arg-type]
    music = next(s for s in _film(opened).sounds if s.kind == "music")
    slam = replace(music, kind="sfx", prompt="the slam of a door")
    wind = replace(music, kind="sfx", prompt="wind, a quiet ambience")
    looped = [
        soundtrack.sounds(replace(_film(opened), shots=(), sounds=(sound,)))[0].looped
        for sound in (music, slam, wind)
    ]

    assert loudness_of(path, 13.5, 2) > -50  # the file itself is 10 seconds long
    assert loudness_of(path, 17.2, 0.6) < -60
    assert looped == [True, False, True]


def _film(opened: Opened) -> cut.Film:
    return cut.film(opened.project, opened.manifest, opened.picks, opened.workspace)


@pytest.mark.slow
def test_a_shot_that_did_not_change_is_not_encoded_again(tmp_path: Path) -> None:
    opened = made_film.make(tmp_path / "film")
    options = made_film.arguments(opened, tmp_path / "f.mp4", size=(64, 36))
    animatic.export(*options)  # type: ignore[arg-type]
    kept = sorted((opened.workspace.state / "animatic").iterdir())
    # Whoever finds green where the card of shot 3 was sees that its piece was used as it was.
    look = pieces.Look(film=_film(opened), size=(64, 36))
    card = pieces.Store(opened.workspace.state).path(pieces.pieces(look, [()] * 4)[3])
    green = ["-f", "lavfi", "-i", "color=c=0x00ff00:s=64x36:r=24:d=1", "-pix_fmt", "yuv420p"]
    media.run_ffmpeg([*green, "-video_track_timescale", "90000", f"file:{card}"])
    (tmp_path / "film" / "scenes.yaml").write_text(made_film.SCENES.replace("Ten years", "Nine years"))
    opened = made_film.open_(tmp_path / "film")

    path, *_ = animatic.export(*made_film.arguments(opened, tmp_path / "f.mp4", size=(64, 36)))  # type: ignore[arg-type]

    new = set((opened.workspace.state / "animatic").iterdir()) - set(kept)
    assert len(new) == 2  # the first shot, and the one that blends out of it
    assert picture(path, 170, tmp_path).getpixel((30, 18)) == pytest.approx((0, 255, 0), abs=20)


@pytest.mark.slow
@pytest.mark.parametrize("camera", ["slow push-in", "tilt up", "static"])
def test_a_move_over_a_drafts_panel_cuts_through_no_words(camera: str, tmp_path: Path) -> None:
    scenes = f"kiebatch: 1\ndefaults: {{model: nano-banana-2}}\nscenes: [{{id: 1, duration: 1, camera: {camera}, prompt: A sea}}]\n"
    opened = made_film.make(tmp_path / "film", scenes)
    asked = Wanted(
        kind="image", format="jpeg", model="m", prompt="A sea at noon", key="k", width=640, height=360,
        label=f"1, {camera}",
    )  # fmt: skip
    (shown,) = (take for shot in _film(opened).shots for take in shot.takes)
    assert shown.path
    shown.path.write_bytes(panels.still(asked))

    path, *_ = animatic.export(*made_film.arguments(opened, tmp_path / "f.mp4", size=(640, 360)))  # type: ignore[arg-type]

    for frame in (0, 12, 23):
        shot = picture(path, frame, tmp_path)
        slate = shot.crop((0, 340, 640, 360)).convert("L").histogram()
        colours = [c for _, c in shot.getcolors(1 << 20) or () if isinstance(c, tuple)]
        red = [c for c in colours if c[0] - c[1] > 90 and c[0] - c[2] > 90]
        whole = sum(slate[:60]) > 640 * 20 * 0.7  # the dark line is all there
        assert whole == (camera == "static")
        assert bool(red) == (camera == "static")


def test_what_nobody_used_for_a_month_is_removed(tmp_path: Path) -> None:
    store = pieces.Store(tmp_path)
    store.folder.mkdir()
    for name, age_s in (("old.mp4", 40 * 86400), ("new.mp4", 10 * 86400)):
        (store.folder / name).write_bytes(b"x")
        os.utime(store.folder / name, (1_000_000_000 - age_s, 1_000_000_000 - age_s))

    store.clear(now=1_000_000_000)

    assert [p.name for p in store.folder.iterdir()] == ["new.mp4"]


@pytest.mark.slow
def test_captions_can_be_in_the_picture(film: Opened, tmp_path: Path) -> None:
    options = made_film.arguments(film, tmp_path / "f.mp4", size=(320, 180), captions=True)
    path, *_ = animatic.export(*options)  # type: ignore[arg-type]

    def white(frame: int) -> int:
        return sum(picture(path, frame, tmp_path).convert("L").crop((60, 160, 260, 178)).histogram()[220:])

    assert white(10) > 40
    assert white(40) == 0  # the voice is over after 1.2 s


def test_words_lie_over_their_shot_alone(movie: Path, tmp_path: Path) -> None:
    def lower_third(frame: int) -> int:
        grey = picture(movie, frame, tmp_path).convert("L").crop((60, 140, 260, 170))
        return sum(grey.histogram()[235:])

    assert lower_third(20) > 40
    assert lower_third(100) == 0


@pytest.mark.parametrize("fps", [Fraction(25), pytest.param(Fraction(24000, 1001), marks=pytest.mark.slow)])
def test_other_rates_and_a_slate(film: Opened, fps: Fraction, tmp_path: Path) -> None:
    options = made_film.arguments(film, tmp_path / "f.mp4", size=(160, 90), fps=fps, slate=True)
    path, *_ = animatic.export(*options)  # type: ignore[arg-type]
    expected = cut.film(film.project, film.manifest, film.picks, film.workspace, fps).length

    counted = re.findall(r"frame=\s*(\d+)", said(path, "-map", "0:v", "-c", "copy"))

    assert int(counted[-1]) == expected
    corner = picture(path, 50, tmp_path).crop((0, 0, 12, 4)).convert("L")
    assert ImageStat.Stat(corner).mean[0] < 110


@pytest.mark.parametrize(
    ("have", "want", "slowed", "held"),
    [(5, 3, 1, 0), (5, 5, 1, 0), (4, 6, 1.5, 0), (2, 7, 2, 3), (0, 2, 1, 2)],
)
def test_a_clip_is_cut_slowed_or_held(have: float, want: float, slowed: float, held: float) -> None:
    assert fitting(have, want) == pytest.approx((slowed, held))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("", "cut"),
        ("CUT TO:", "cut"),
        ("fade to black", "black"),
        ("FADE OUT.", "black"),
        ("flash to white", "white"),
        ("slow cross-fade", "dissolve"),
        ("dissolve to:", "dissolve"),
        ("wipe right", "wiperight"),
        ("wipe", "wipeleft"),
        ("smash cut", "cut"),
    ],
)
def test_what_the_words_of_a_transition_mean(words: str, kind: str) -> None:
    assert pieces.transition(words) == kind


@pytest.mark.slow
def test_a_film_of_many_voices_has_them_all(tmp_path: Path) -> None:
    head = "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n"
    scene = (
        "  - {{id: {n}, duration: 1.5, prompt: a, voiceover: {{text: b, voice: Rachel, model: {model}}}}}\n"
    )
    model = "elevenlabs/text-to-speech-multilingual-v2"
    opened = made_film.make(
        tmp_path / "film", head + "".join(scene.format(n=n, model=model) for n in range(1, 61))
    )
    voice = next(a for a in opened.manifest.assets if a.shot == "vo")
    assets = tuple(replace(voice, id=f"aud-{n:03d}", scene_id=n) for n in range(1, 61))
    options = (opened.project, Manifest(assets), opened.picks, opened.workspace)

    path, *_ = animatic.export(*options, cut.Options(output=tmp_path / "f.mp4", size=(64, 36)))

    for start in (0.2, 60.2, 88.7):
        heard = said(path, "-map", "0:a", "-af", f"atrim={start}:{start + 0.8},volumedetect")
        assert float(heard.split("mean_volume: ")[1].split(" ")[0]) > -30
    assert media.facts(path).duration_s == pytest.approx(90, abs=1 / 24)


@pytest.mark.slow
def test_a_film_without_any_file_is_a_film_of_cards(tmp_path: Path) -> None:
    opened = made_film.make(tmp_path / "film")
    for path in (tmp_path / "film" / "assets").rglob("*.*"):
        if path.suffix in (".png", ".mp4", ".mp3"):
            path.unlink()

    options = made_film.arguments(opened, tmp_path / "f.mp4", size=(160, 90))
    path, *_ = animatic.export(*options)  # type: ignore[arg-type]

    assert "Audio:" not in said(path, "-t", "0.1")
    assert media.facts(path).duration_s == pytest.approx(7.5, abs=1 / 24)
