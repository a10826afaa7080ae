"""What is measured in real pictures, clips and sounds; each has one planted fault, or none."""

from __future__ import annotations

import math
import subprocess
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from kiebatch import media
from kiebatch.media import checks
from kiebatch.media.checks import Measured, Target

SIZE = (320, 180)


def painted(shift: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    """Return a picture with a sky, a ground, a sun and some trees."""
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    for y in range(size[1]):
        draw.line([(0, y), (size[0], y)], fill=(60 + y // 2, 90 + y // 3, 180 - y // 3))
    draw.ellipse([40 + shift, 20, 90 + shift, 70], fill=(250, 220, 120))
    for x in range(20, size[0], 47):
        draw.rectangle([x, 110, x + 14, size[1] - 8], fill=(30 + x % 60, 70, 40))
    return picture


def still(folder: Path, picture: Image.Image, name: str = "still.png") -> Path:
    path = folder / name
    picture.save(path)
    return path


def of_still(path: Path, check: str) -> Measured:
    return checks.measure(path, [check])[check]


def test_a_painted_still_has_no_bars_and_is_not_blank(tmp_path: Path) -> None:
    found = checks.measure(still(tmp_path, painted()), ["size", "bars", "blank", "cuts"])

    assert found["size"].value == "320x180"
    assert found["bars"].value == 0
    assert float(found["blank"].value or 0) < 50
    assert "cuts" not in found


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_black_bars_are_measured_in_pixels(tmp_path: Path, ending: str) -> None:
    lying, standing = painted(), painted()
    ImageDraw.Draw(lying).rectangle([0, 0, 320, 19], fill=0)
    ImageDraw.Draw(lying).rectangle([0, 160, 320, 180], fill=0)
    ImageDraw.Draw(standing).rectangle([0, 0, 39, 180], fill=0)
    ImageDraw.Draw(standing).rectangle([280, 0, 320, 180], fill=0)
    found = []
    for number, picture in enumerate((lying, standing)):
        path = tmp_path / f"{number}.{ending}"
        picture.save(path, quality=70)
        found.append(of_still(path, "bars"))

    assert abs(float(found[0].value or 0) - 20) <= 2
    assert abs(float(found[1].value or 0) - 40) <= 2
    assert [one.said for one in found] == ["above and below", "left and right"]


def test_what_is_dark_at_its_edges_has_no_bars(tmp_path: Path) -> None:
    spot = Image.new("RGB", SIZE)
    ImageDraw.Draw(spot).ellipse([90, 20, 230, 160], fill=(220, 200, 150))
    night = painted().point(lambda level: level // 12)

    assert of_still(still(tmp_path, spot.filter(ImageFilter.GaussianBlur(4))), "bars").value == 0
    assert of_still(still(tmp_path, night), "bars").value == 0


def test_a_still_of_one_colour_is_blank_and_a_gradient_is_not(tmp_path: Path) -> None:
    assert of_still(still(tmp_path, Image.new("RGB", SIZE, (90, 80, 70))), "blank").value == 100
    sky = Image.linear_gradient("L").resize(SIZE)
    assert float(of_still(still(tmp_path, sky), "blank").value or 0) < 50
    cut_out = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    ImageDraw.Draw(cut_out).ellipse([90, 20, 230, 160], fill=(220, 200, 150, 255))
    assert of_still(still(tmp_path, cut_out), "bars").value == 0


def test_a_picture_looks_like_its_smaller_and_compressed_self_and_like_no_other(tmp_path: Path) -> None:
    keeper = still(tmp_path, painted(), "keeper.png")
    same = tmp_path / "same.jpg"
    painted().resize((200, 112)).save(same, quality=40)
    other = still(tmp_path, painted().transpose(Image.Transpose.ROTATE_180), "other.png")

    def bits(path: Path) -> float:
        target = Target(path=keeper, sha256="k")
        found = checks.measure(path, ["like"], {"like": target})["like"]
        assert found.against == "k"
        return float(found.value or 0)

    assert bits(keeper) == 0
    assert bits(same) <= 4
    assert bits(other) > 12


def test_a_broken_file_is_not_measured_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(still(tmp_path, painted()).read_bytes()[:300])

    found = checks.measure(path, ["bars", "blank"])

    assert {one.value for one in found.values()} == {None}
    assert "cannot be decoded" in found["bars"].why


def test_without_tesseract_words_are_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert of_still(still(tmp_path, painted()), "text") == Measured(why="needs tesseract")


# --- clips and sound -----------------------------------------------------------------------------------

Maker = Callable[..., Path]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Make a clip by ffmpeg's sources and filters: `clip(filter, *more arguments)`."""
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str, *arguments: str) -> Path:
        path = folder / name
        program = media.find_ffmpeg()
        assert program
        encode = ["-pix_fmt", "yuv420p", "-preset", "ultrafast"] if name.endswith(".mp4") else []
        subprocess.run([program, "-v", "error", "-y", *arguments, *encode, str(path)], check=True)
        return path

    return make


def source(words: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", words)


MOVES = "testsrc2=s=320x180:r=24"
VIDEO = ("length", "bars", "cuts", "black", "freeze")


@pytest.mark.slow
@pytest.mark.needs("ffmpeg")
def test_a_clip_that_moves_has_no_fault(clip: Maker) -> None:
    path = clip("fine.mp4", *source(f"{MOVES}:d=2"), *source("sine=f=330:d=2"))

    found = checks.measure(path, [*VIDEO, "silence", "clipping", "loudness"])

    assert found["length"].value == pytest.approx(2.0, abs=0.06)
    assert [found[name].value for name in ("bars", "cuts", "black", "freeze", "silence", "clipping")] == [
        0
    ] * 6
    assert -30 < float(found["loudness"].value or 0) < -10


@pytest.mark.slow
@pytest.mark.needs("ffmpeg")
def test_cuts_black_and_frozen_parts_are_found_where_they_are(clip: Maker) -> None:
    joined = "[0][1]concat=n=2,fade=out:st=2.5:d=0.2,scale=320:180"
    path = clip(
        "faults.mp4",
        *source(f"{MOVES}:d=1"),
        *source("smptebars=s=320x180:r=24:d=2"),
        "-filter_complex",
        joined,
    )

    found = checks.measure(path, VIDEO)

    assert found["cuts"].value == 1
    assert found["cuts"].at == pytest.approx(1.0, abs=0.1)
    assert float(found["black"].value or 0) == pytest.approx(0.3, abs=0.1)
    assert float(found["freeze"].value or 0) == pytest.approx(1.5, abs=0.15)
    assert found["freeze"].at == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
@pytest.mark.needs("ffmpeg")
def test_bars_of_a_clip_are_where_no_frame_is_ever_bright(clip: Maker) -> None:
    path = clip("bars.mp4", *source("testsrc2=s=320x130:r=24:d=1,pad=320:180:0:25"))

    found = checks.measure(path, ["bars"])["bars"]

    assert float(found.value or 0) == pytest.approx(25, abs=3)


@pytest.mark.slow
@pytest.mark.needs("ffmpeg")
def test_the_first_and_the_last_frame_are_compared(clip: Maker, tmp_path: Path) -> None:
    first, last = still(tmp_path, painted(), "first.png"), still(tmp_path, painted().rotate(180), "last.png")
    path = clip(
        "framed.mp4",
        *("-loop", "1", "-t", "1", "-i", str(first), "-loop", "1", "-t", "1", "-i", str(last)),
        *("-filter_complex", "[0][1]concat=n=2,fps=24"),
    )
    targets = {"first_frame": Target(path=first, sha256="f"), "last_frame": Target(path=first, sha256="f")}

    found = checks.measure(path, list(targets), targets)

    assert float(found["first_frame"].value or 0) <= 4
    assert float(found["last_frame"].value or 0) > 12


@pytest.mark.slow
@pytest.mark.needs("ffmpeg")
def test_a_clip_without_a_track_is_silent_all_through(clip: Maker) -> None:
    path = clip("mute.mp4", *source(f"{MOVES}:d=1"))

    found = checks.measure(path, ["silence", "loudness", "clipping"])

    assert found["silence"].total == pytest.approx(1.0, abs=0.1)
    assert found["loudness"].value == -70
    assert found["clipping"].value == 0


def tone(path: Path, loud: float, *, silent_s: float = 0.0) -> Path:
    """Write three seconds of a tone, of which the middle is silent; what is louder than full scale is clipped."""
    rate = 16000
    samples = array("h")
    for n in range(3 * rate):
        quiet = abs(n / rate - 1.5) < silent_s / 2
        level = 0.0 if quiet else loud * math.sin(2 * math.pi * 330 * n / rate)
        samples.append(round(32767 * max(-1.0, min(1.0, level))))
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())
    return path


@pytest.mark.slow
@pytest.mark.needs("ffmpeg")
def test_silence_and_clipping_of_a_sound_are_measured(tmp_path: Path) -> None:
    asked = ["silence", "clipping", "loudness", "black"]
    fine = checks.measure(tone(tmp_path / "fine.wav", 0.3), asked)
    faulty = checks.measure(tone(tmp_path / "faulty.wav", 2.0, silent_s=1.2), asked)

    assert (fine["silence"].value, fine["clipping"].value) == (0, 0)
    assert faulty["silence"].value == pytest.approx(1.2, abs=0.1)
    assert faulty["silence"].at == pytest.approx(0.9, abs=0.1)
    assert float(faulty["clipping"].value or 0) > 100
    assert "black" not in fine


@pytest.mark.needs("ffmpeg")
def test_without_ffmpeg_a_clip_is_not_judged(clip: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clip("fine2.mp4", *source(f"{MOVES}:d=1"))
    monkeypatch.setenv("KIEBATCH_FFMPEG", "/nowhere/ffmpeg")
    media.find_ffmpeg.cache_clear()
    try:
        found = checks.measure(path, ["cuts", "size"])
    finally:
        monkeypatch.undo()
        media.find_ffmpeg.cache_clear()

    assert found["cuts"].value is None
    assert "ffmpeg" in found["cuts"].why
    assert found["size"].value == "320x180"
