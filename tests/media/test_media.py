"""What bytes are, and what is wrong with them: real files of every kind, whole, cut off and hostile."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import subprocess
import wave
import zlib
from pathlib import Path

import pytest
from PIL import Image

from kiebatch import media
from kiebatch.errors import Invalid

needs_ffmpeg = pytest.mark.needs("ffmpeg")


def a_picture(form: str = "PNG", size: tuple[int, int] = (64, 36), **options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, form, **options)
    return out.getvalue()


def made(path: Path, *arguments: str) -> Path:
    """Make a medium with ffmpeg."""
    program = media.find_ffmpeg()
    assert program
    subprocess.run(
        [program, "-v", "error", "-y", *arguments, str(path)], check=True, stdin=subprocess.DEVNULL
    )
    return path


PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=128x72:r=12:d=2")
SOUND = ("-f", "lavfi", "-i", "sine=f=440:d=2")


def written(folder: Path, data: bytes, name: str = "file.bin") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("form", "media_type", "extension"),
    [
        ("PNG", "image/png", ".png"),
        ("JPEG", "image/jpeg", ".jpg"),
        ("WEBP", "image/webp", ".webp"),
        ("GIF", "image/gif", ".gif"),
        ("AVIF", "image/avif", ".avif"),
        ("TIFF", "image/tiff", ".tiff"),
        ("BMP", "image/bmp", ".bmp"),
    ],
)
def test_a_picture_is_known_by_its_bytes_whatever_its_name(
    form: str, media_type: str, extension: str, tmp_path: Path
) -> None:
    data = a_picture(form)

    facts = media.facts(written(tmp_path, data, "clip.mp4"))

    assert (facts.kind, facts.media_type, facts.extension) == ("image", media_type, extension)
    assert (facts.width, facts.height, facts.size_bytes) == (64, 36, len(data))


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "arguments", "media_type", "kind"),
    [
        ("a.mp4", (*PICTURE, "-pix_fmt", "yuv420p"), "video/mp4", "video"),
        ("a.mov", PICTURE, "video/quicktime", "video"),
        ("a.webm", (*PICTURE, "-c:v", "libvpx", "-deadline", "realtime"), "video/webm", "video"),
        ("a.mkv", PICTURE, "video/x-matroska", "video"),
        ("f.mp4", (*PICTURE, "-movflags", "frag_keyframe+empty_moov"), "video/mp4", "video"),
        ("a.mp3", SOUND, "audio/mpeg", "audio"),
        ("a.wav", SOUND, "audio/wav", "audio"),
        ("a.ogg", SOUND, "audio/ogg", "audio"),
        ("a.flac", SOUND, "audio/flac", "audio"),
        ("a.m4a", SOUND, "audio/mp4", "audio"),
        ("sound.mp4", SOUND, "audio/mp4", "audio"),
    ],
)
def test_clips_and_sounds_say_their_type_and_length(
    name: str, arguments: tuple[str, ...], media_type: str, kind: str, tmp_path: Path
) -> None:
    facts = media.facts(made(tmp_path / name, *arguments))

    assert (facts.kind, facts.media_type) == (kind, media_type)
    assert facts.duration_s == pytest.approx(2.0, abs=0.1)
    if kind == "video":
        assert (facts.width, facts.height) == (128, 72)


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html><body>Not found</body></html>",
        b"\n  <html lang='en'>",
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        bytes(range(256)),
        b"MZ\x90\x00",
        b"%PDF-1.7\n\xe2\xe3",
    ],
)
def test_web_pages_and_unknown_bytes_are_no_media(data: bytes, tmp_path: Path) -> None:
    assert media.sniff(data) is None
    with pytest.raises(media.Undecodable, match="not a picture, clip or sound"):
        media.facts(written(tmp_path, data))


def test_words_and_json_are_text(tmp_path: Path) -> None:
    assert media.facts(written(tmp_path, "He stops – and listens.".encode())).extension == ".txt"
    assert media.facts(written(tmp_path, b'{"words": []}')).media_type == "application/json"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(media.Undecodable, match="empty"):
        media.facts(written(tmp_path, b""))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_a_picture_that_was_cut_off_is_refused(form: str, tmp_path: Path) -> None:
    data = a_picture(form, (320, 180))

    with pytest.raises(media.Undecodable):
        media.facts(written(tmp_path, data[: len(data) * 2 // 3]))


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.mp4", "fast.mp4", "a.webm", "a.mp3", "a.wav"])
def test_a_clip_or_sound_that_was_cut_off_is_refused(name: str, tmp_path: Path) -> None:
    arguments: tuple[str, ...] = SOUND if name.endswith(("mp3", "wav")) else PICTURE
    if name.endswith("webm"):
        arguments = (*PICTURE, "-c:v", "libvpx", "-deadline", "realtime")
    extra = ("-movflags", "+faststart") if name == "fast.mp4" else ()
    data = made(tmp_path / name, *arguments, *extra).read_bytes()

    with pytest.raises(media.Undecodable):
        media.facts(written(tmp_path, data[: len(data) * 2 // 3], "cut"))


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100_000)) + chunk(b"IEND", b"")

    with pytest.raises(media.Undecodable, match="refused"):
        media.facts(written(tmp_path, bomb))


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize("seed", range(12))
def test_damaged_files_never_raise_anything_but_undecodable(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    if seed % 3 == 0:
        data = bytearray(a_picture("PNG"))
    else:
        kind = ("a.mp4", PICTURE) if seed % 3 == 1 else ("a.mp3", SOUND)
        data = bytearray(made(tmp_path / kind[0], *kind[1]).read_bytes())
    for _ in range(60):
        data[chance.randrange(8, min(len(data), 3000))] = chance.randrange(256)

    with contextlib.suppress(media.Undecodable):
        media.facts(written(tmp_path, bytes(data)))


@pytest.mark.slow
@needs_ffmpeg
def test_a_playlist_dressed_as_a_clip_reads_no_other_file(tmp_path: Path) -> None:
    secret = made(tmp_path / "secret.mp4", *PICTURE)
    trick = written(tmp_path, f"#EXTM3U\n#EXTINF:2,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode(), "clip.mp4")

    with pytest.raises(media.Undecodable):
        media.frame(trick, "first", tmp_path / "stolen.png")

    assert not (tmp_path / "stolen.png").exists()


@pytest.mark.slow
def test_a_wav_that_was_written_to_a_pipe_says_its_length(tmp_path: Path) -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    data = bytearray(out.getvalue())
    data[40:44] = b"\xff\xff\xff\xff"

    assert media.facts(written(tmp_path, bytes(data))).duration_s == 1.0


@needs_ffmpeg
def test_two_mp3_files_behind_each_other_are_as_long_as_both(tmp_path: Path) -> None:
    one = made(tmp_path / "a.mp3", *SOUND, "-write_xing", "0").read_bytes()

    assert media.facts(written(tmp_path, one + one)).duration_s == pytest.approx(4.1, abs=0.2)


@pytest.mark.slow
@needs_ffmpeg
def test_the_first_and_the_last_frame_of_a_clip(tmp_path: Path) -> None:
    red = ("-f", "lavfi", "-i", "color=red:s=64x36:d=0.5:r=10")
    blue = ("-f", "lavfi", "-i", "color=blue:s=64x36:d=0.5:r=10")
    join = ("-filter_complex", "[0][1]concat=n=2", "-pix_fmt", "yuv420p")
    clip = made(tmp_path / "a.mp4", *red, *blue, *join)

    media.frame(clip, "first", tmp_path / "first.png")
    media.frame(clip, "last", tmp_path / "last.png")

    with Image.open(tmp_path / "first.png") as first, Image.open(tmp_path / "last.png") as last:
        assert first.size == last.size == (64, 36)
        red_pixel, blue_pixel = first.convert("RGB").getpixel((9, 9)), last.convert("RGB").getpixel((9, 9))
    assert isinstance(red_pixel, tuple)
    assert isinstance(blue_pixel, tuple)
    assert red_pixel[0] > 200 > 60 > red_pixel[2]
    assert blue_pixel[2] > 200 > 60 > blue_pixel[0]


@pytest.mark.slow
@needs_ffmpeg
def test_whether_a_clip_has_sound(tmp_path: Path) -> None:
    silent = made(tmp_path / "silent.mp4", *PICTURE)
    loud = made(tmp_path / "loud.mp4", *PICTURE, *SOUND, "-shortest")

    assert not media.has_sound(silent)
    assert media.has_sound(loud)


def test_without_ffmpeg_the_way_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIEBATCH_FFMPEG", str(tmp_path / "nowhere"))
    media.find_ffmpeg.cache_clear()
    try:
        with pytest.raises(Invalid, match="ffmpeg cannot be started"):
            media.frame(tmp_path / "a.mp4", "first", tmp_path / "b.png")
    finally:
        media.find_ffmpeg.cache_clear()


def test_a_turned_photo_has_the_pixels_that_people_see(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = a_picture("JPEG", (64, 36), exif=exif.tobytes())

    facts = media.facts(written(tmp_path, data))

    assert (facts.width, facts.height) == (36, 64)
