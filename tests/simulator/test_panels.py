"""Draft panels: drawn from the words, right in size, different for every take, in any script."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from kiebatch import media
from kiebatch.media import clean_art, framing, lettering
from kiebatch.simulator.drawing import arrows, drawing, panels, sound
from kiebatch.simulator.drawing.wanted import Wanted
from support import pictures

needs_ffmpeg = pytest.mark.needs("ffmpeg")
BOAT = Wanted(
    kind="image",
    format="png",
    model="nano-banana-2",
    prompt="A small boat nears the lighthouse at dusk, wide shot, storm light",
    key="a",
    width=640,
    height=360,
    label="1, slow push-in",
)


def test_the_words_say_size_move_light_and_weather() -> None:
    said = framing.read("slow push-in", "A girl and her dog run home, wide shot, rain, dusk, low angle")

    assert said.move == "push in"
    assert (said.size, said.angle, said.light, said.weather) == ("wide", "low", "dusk", "rain")
    assert [f.child for f in said.people] == [True]


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("extreme close-up of an eye", "extreme close"),
        ("CU on the letter", "close"),
        ("medium close-up", "medium close"),
        ("a medium two-shot of the brothers", "medium"),
        ("full shot, he waits", "full"),
        ("wide shot, then a close-up", "wide"),
        ("aerial of the island", "extreme wide"),
        ("a widely known song", None),
    ],
)
def test_shot_sizes(words: str, size: str | None) -> None:
    assert framing.read(words).size == size


@pytest.mark.parametrize(
    ("words", "move"),
    [
        ("slow dolly in", "push in"),
        ("zooms out", "pull out"),
        ("pan left across the room", "pan left"),
        ("camera pans slowly to the right", "pan right"),
        ("tilt down", "tilt down"),
        ("tracking shot follows her left", "track left"),
        ("crane up over the roofs", "crane up"),
        ("handheld", "handheld"),
        ("locked-off", "static"),
        ("a frying pan on the stove", None),
        ("she pushes the door", None),
    ],
)
def test_camera_moves(words: str, move: str | None) -> None:
    assert framing.move(words) == move


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("wide-storm", {}),
        ("close-night", {"prompt": "Close-up of a man at night in the city, rain", "label": "2b, static"}),
        (
            "stairs-lamplight",
            {"prompt": "The keeper climbs a stair, lantern in hand, full shot", "label": "2a"},
        ),
        (
            "portrait-snow",
            {"prompt": "Two children in a forest, snow, wide shot, pan right", "width": 360, "height": 640},
        ),
    ],
)
def test_panels_look_as_they_did(
    name: str, change: dict[str, object], request: pytest.FixtureRequest
) -> None:
    picture = panels.panel(replace(BOAT, **change))  # type: ignore[arg-type]

    pictures.check(f"panels/{name}.png", picture, request)


def test_an_insert_is_a_card_and_not_a_face() -> None:
    watch = replace(BOAT, prompt="Close-up of an old wrist watch", label="")
    face = replace(BOAT, prompt="Close-up of an old man", label="")

    def skin(wanted: Wanted) -> int:
        """Return how many pixels of the middle have the tone of a card; a face has eyes, hair and lines there."""
        middle = panels.panel(wanted).convert("L").crop((160, 60, 480, 240))
        return sum(middle.histogram()[236:])

    assert skin(watch) > 35_000
    assert skin(face) < 20_000


def test_style_words_draw_nothing_and_a_take_made_alone_keeps_its_number() -> None:
    told = replace(BOAT, label="2b#3, slow push-in\nA small boat")

    assert (told.shot, told.take_number, told.camera) == ("2b", 3, "slow push-in")
    assert told.words == "A small boat"
    assert (BOAT.shot, BOAT.take_number, BOAT.words) == ("1", 1, BOAT.prompt)


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("width", [640, 2560])
def test_a_panel_carries_its_art_without_slate_and_arrows(form: str, width: int, tmp_path: Path) -> None:
    path = tmp_path / "panel"
    path.write_bytes(panels.still(replace(BOAT, format=form, width=width, height=width * 9 // 16)))

    art = clean_art.read(path)

    assert art
    assert art.width / art.height == pytest.approx(16 / 9, abs=0.02)
    colours = [c for _, c in art.getcolors(1 << 20) or () if isinstance(c, tuple)]
    red = [c for c in colours if c[0] - c[2] > 110 and c[0] - c[1] > 90]
    assert colours
    assert red == []


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_other_files_carry_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(data)
    Image.new("RGB", (8, 8)).save(tmp_path / "y.png")

    assert clean_art.read(tmp_path / "x.png") is None
    assert clean_art.read(tmp_path / "y.png") is None


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("size", [(1344, 768), (768, 1344), (1024, 1024), (101, 67), (2560, 1080)])
def test_a_panel_has_exactly_the_pixels_and_the_format_asked_for(form: str, size: tuple[int, int]) -> None:
    data = panels.still(replace(BOAT, format=form, width=size[0], height=size[1]))

    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert (picture.format or "").lower() == form
        assert picture.size == size


def test_the_same_request_is_the_same_panel_and_takes_differ() -> None:
    again = panels.still(replace(BOAT))
    takes = {panels.panel(replace(BOAT, take=take)).tobytes() for take in range(1, 5)}

    assert again == panels.still(BOAT)
    assert len(takes) == 4


def test_a_camera_move_is_drawn_as_arrows() -> None:
    with_arrows = panels.panel(BOAT)
    without = panels.panel(BOAT, moves=False)

    assert ImageChops.difference(with_arrows, without).getbbox() is not None
    assert any(colour == arrows.ACCENT for _, colour in with_arrows.getcolors(1 << 20) or ())


def test_a_figure_stands_in_the_scale_of_the_shot_size() -> None:
    def figure(words: str) -> int:
        """Return how many pixels a person covers: the difference to the same place without anybody."""
        person = panels.panel(replace(BOAT, prompt=f"A man in a field, {words}", label=""))
        colours = person.convert("L").crop((0, 0, 640, 300))
        return sum(colours.histogram()[:60])

    assert figure("wide shot") < figure("full shot")


@pytest.mark.parametrize(
    "words",
    ["灯台に近づく船", "Маяк", "등대", "φάρος", "منارة", "מגדלור", "déjà vu", "नमस्ते", "🦊🦊", "\u202eabc"],
)
def test_text_in_any_script_is_drawn_and_never_as_boxes(words: str) -> None:
    drawn = "".join(piece.text for piece in lettering.pieces(words))

    for face, run in lettering.pieces(words):
        assert all(face is None or c == " " or lettering.covers(face, c) for c in run)
    assert drawn
    assert "\u202e" not in drawn
    assert panels.still(replace(BOAT, prompt=words))


def test_what_no_font_covers_is_put_in_other_words() -> None:
    latin = [face for face in lettering.faces() if "Liberation" in face or "DejaVu" in face][:1]

    said = "".join(piece.text for piece in lettering.pieces("ｗｉｄｅ 𒀀", latin))

    assert said == f"wide {lettering.MISSING}" or not latin


def test_lines_are_wrapped_at_words_and_shortened() -> None:
    lines = lettering.wrap("A small boat nears the lighthouse at dusk", 20, 160, 2)

    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(lettering.width(line, 20) <= 160 for line in lines)
    assert len(lettering.wrap("灯台に近づく小さな船が見える夕暮れ", 20, 100)) > 2


@pytest.mark.slow
@needs_ffmpeg
def test_a_clip_is_a_moving_panel_of_the_right_size_and_length(tmp_path: Path) -> None:
    data = panels.clip(replace(BOAT, kind="video", format="mp4", width=320, height=180, seconds=1.5))
    assert data
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)

    facts = media.facts(path)
    media.frame(path, "first", tmp_path / "first.png")
    media.frame(path, "last", tmp_path / "last.png")

    assert (facts.media_type, facts.width, facts.height) == ("video/mp4", 320, 180)
    assert facts.duration_s == pytest.approx(1.5, abs=0.05)
    with Image.open(tmp_path / "first.png") as first, Image.open(tmp_path / "last.png") as last:
        assert ImageChops.difference(first.convert("RGB"), last.convert("RGB")).getbbox()


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize("make", [sound.speech, sound.music])
def test_sounds_are_as_long_as_asked_for_and_quiet(make: object, tmp_path: Path) -> None:
    wanted = replace(BOAT, kind="audio", format="mp3", seconds=3.0)
    data = make(wanted)  # type: ignore[operator]
    path = tmp_path / "sound.mp3"
    path.write_bytes(data)

    said = media.run_ffmpeg(["-i", f"file:{path}", "-af", "volumedetect", "-f", "null", "-"])

    assert media.facts(path).duration_s == pytest.approx(3.0, abs=0.12)
    loudest = float(said.split("max_volume: ")[1].split(" ")[0])
    assert -40 < loudest < -3
    assert data != make(replace(wanted, key="b"))  # type: ignore[operator]


def test_without_ffmpeg_clips_and_sounds_come_from_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("KIEBATCH_FFMPEG", "")
    media.find_ffmpeg.cache_clear()
    try:
        if media.find_ffmpeg() is not None:
            pytest.skip("imageio-ffmpeg is installed")
        clip = drawing.draw(replace(BOAT, kind="video", format="mp4"))
        voice = drawing.draw(replace(BOAT, kind="audio", format="mp3"))
        for name, data in (("clip.mp4", clip), ("voice.mp3", voice)):
            (tmp_path / name).write_bytes(data)
            assert media.facts(tmp_path / name).duration_s
    finally:
        monkeypatch.undo()
        media.find_ffmpeg.cache_clear()
