"""Thumbnails, web sizes and poster frames, of real pictures, clips and sound."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kiebatch import files
from kiebatch.media import Derivatives, Kind, Wanted, derivatives
from kiebatch.model import Asset

needs_ffmpeg = pytest.mark.needs("ffmpeg")


@pytest.fixture
def cache(tmp_path: Path) -> Derivatives:
    return Derivatives(tmp_path / ".kiebatch")


def picture(path: Path, size: tuple[int, int], **how: Any) -> Path:
    Image.linear_gradient("L").resize(size).convert("RGB").save(path, **how)
    return path


def media(path: Path, *arguments: str) -> Path:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments, str(path)], check=True)
    return path


def wish(path: Path, kind: Kind, modality: str = "image") -> Wanted:
    return Wanted(path, files.sha256(path), modality, kind)


def test_a_thumbnail_is_webp_within_384_pixels(tmp_path: Path, cache: Derivatives) -> None:
    made = cache.get(wish(picture(tmp_path / "a.png", (1600, 900)), "thumb"))

    assert made is not None
    with Image.open(made) as image:
        assert (image.format, image.size) == ("WEBP", (384, 216))


def test_a_small_picture_is_never_made_larger(tmp_path: Path, cache: Derivatives) -> None:
    small = picture(tmp_path / "a.png", (60, 40))

    for kind in ("thumb", "poster", "web"):
        made = cache.get(wish(small, kind))
        assert made is not None
        assert Image.open(made).size == (60, 40)


def test_a_photo_is_turned_as_its_exif_says_and_its_place_is_left_out(
    tmp_path: Path, cache: Derivatives
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # latitude

    made = cache.get(wish(picture(tmp_path / "a.jpg", (800, 400), exif=exif), "thumb"))

    assert made is not None
    with Image.open(made) as image:
        assert image.size == (192, 384)
        assert not image.getexif()


def test_transparency_is_kept(tmp_path: Path, cache: Derivatives) -> None:
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(tmp_path / "a.png")

    made = cache.get(wish(tmp_path / "a.png", "thumb"))

    assert made is not None
    assert Image.open(made).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


def test_the_same_content_is_made_once_whatever_its_name(tmp_path: Path, cache: Derivatives) -> None:
    first = picture(tmp_path / "a.png", (800, 600))
    second = Path(shutil.copy(first, tmp_path / "b.png"))
    made = cache.get(wish(first, "thumb"))
    assert made is not None
    os.utime(made, (1, 1))

    assert cache.get(wish(second, "thumb")) == made
    assert made.stat().st_mtime == 1


def test_many_are_made_in_parallel_and_each_is_told(tmp_path: Path, cache: Derivatives) -> None:
    wishes = [wish(picture(tmp_path / f"{i}.png", (200 + i, 100)), "thumb") for i in range(12)]
    told: list[int] = []

    made = cache.make([*wishes, wishes[0]], lambda: told.append(1))

    assert set(made) == set(wishes)
    assert len(told) == 12


def test_a_picture_with_a_bombs_dimensions_is_refused_unread(tmp_path: Path, cache: Derivatives) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )

    assert cache.get(wish(bomb, "thumb")) is None


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\xff\xff\xffWEBPVP8 "]
)
def test_what_is_no_picture_has_no_thumbnail(tmp_path: Path, cache: Derivatives, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)

    assert cache.get(wish(tmp_path / "a.png", "thumb")) is None


def test_a_file_that_is_gone_is_no_wish(tmp_path: Path) -> None:
    asset = Asset(id="img-001", type="image", filename="a.png")

    assert derivatives.wanted(asset, tmp_path / "a.png", "thumb") is None


def test_a_file_that_somebody_altered_gets_a_thumbnail_of_what_it_is_now(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", (90, 90))
    asset = Asset(id="img-001", type="image", filename="a.png", sha256="0" * 64, bytes=12)

    found = derivatives.wanted(asset, path, "thumb")

    assert found is not None
    assert found.sha256 == files.sha256(path)


@pytest.mark.slow
@needs_ffmpeg
def test_a_clip_has_a_poster_and_a_small_version_that_plays_while_it_loads(
    tmp_path: Path, cache: Derivatives
) -> None:
    clip = media(
        tmp_path / "it's: a clip.mov", "-f", "lavfi", "-i", "testsrc=s=1920x1080:d=0.4:r=10", "-c:v", "mpeg4"
    )

    made = cache.make([wish(clip, kind, "video") for kind in ("thumb", "poster", "web")])

    by_kind = {w.kind: p for w, p in made.items()}
    assert Image.open(by_kind["thumb"]).size == (384, 216)
    assert Image.open(by_kind["poster"]).size == (1280, 720)
    data = by_kind["web"].read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"avc1" in data
    said = subprocess.run(["ffmpeg", "-i", str(by_kind["web"])], capture_output=True, text=True).stderr
    assert "1280x720" in said


@pytest.mark.slow
@needs_ffmpeg
def test_sound_has_peaks_and_a_small_version(tmp_path: Path, cache: Derivatives) -> None:
    sound = media(tmp_path / "a.wav", "-f", "lavfi", "-i", "sine=d=1", "-af", "afade=d=1")

    made = cache.make([wish(sound, "peaks", "audio"), wish(sound, "web", "audio")])

    values = json.loads(made[wish(sound, "peaks", "audio")].read_text())
    assert len(values) == derivatives.PEAKS
    assert values[0] < 20
    assert max(values) == 100
    assert made[wish(sound, "web", "audio")].stat().st_size < sound.stat().st_size


@pytest.mark.slow
@needs_ffmpeg
def test_a_playlist_that_calls_itself_a_clip_reads_no_other_file(tmp_path: Path, cache: Derivatives) -> None:
    clip = media(tmp_path / "secret.ts", "-f", "lavfi", "-i", "testsrc=s=64x64:d=0.2:r=10")
    hostile = tmp_path / "a.mp4"
    hostile.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n")

    assert cache.get(wish(hostile, "thumb", "video")) is None
    assert not list(cache.folder.rglob("*.webp"))
