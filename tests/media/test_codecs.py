"""The codec of a clip or a sound, as ffmpeg itself calls it, in the facts of a file and in the manifest."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path

import pytest

from kiebatch import media
from kiebatch.media import codecs
from support.film import Film

PICTURE = ("-f", "lavfi", "-i", "testsrc=size=128x72:rate=10:duration=0.5", "-pix_fmt", "yuv420p")
SOUND = ("-f", "lavfi", "-i", "sine=duration=0.5")


@pytest.mark.slow
@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.mp4", PICTURE),
        ("both.mp4", (*SOUND, *PICTURE)),
        ("b.mp4", (*PICTURE, "-c:v", "mpeg4")),
        ("fragments.mp4", (*PICTURE, "-movflags", "frag_keyframe+empty_moov")),
        ("a.mov", PICTURE),
        ("a.m4a", SOUND),
        ("a.mp3", SOUND),
        ("a.wav", SOUND),
        ("a24.wav", (*SOUND, "-c:a", "pcm_s24le")),
        ("a.flac", SOUND),
    ],
)
def test_a_codec_is_what_ffmpeg_calls_it(name: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    program = media.find_ffmpeg()
    assert program
    subprocess.run([program, "-v", "error", *arguments, str(tmp_path / name)], check=True)
    said = subprocess.run([program, "-i", str(tmp_path / name)], capture_output=True, text=True).stderr

    streams = dict(reversed(re.findall(r"Stream #.*?: (Video|Audio): (\w+)", said)))

    assert media.facts(tmp_path / name).codec == streams.get("Video", streams.get("Audio"))


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\x08moov", b"\0\0\0\0mdat", b"\0\0\0\x01moov" + b"\xff" * 8, b"RIFF" * 9]
)
def test_broken_bytes_have_no_codec_and_end(data: bytes) -> None:
    for media_type in ("video/mp4", "audio/wav"):
        assert codecs.codec(io.BytesIO(data), media_type) is None


@pytest.mark.slow
def test_the_manifest_names_it_and_a_picture_has_none(film: Film) -> None:
    film.write(
        """
        kiebatch: 1
        scenes:
          - id: 1
            model: nano-banana-2
            prompt: a boat
            voiceover: {text: No one had come., model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}
        """
    )

    assert film.command("run", "scenes.yaml", "--yes", "--poll-interval", "0.01").code == 0

    assert {asset["type"]: asset.get("codec") for asset in film.manifest} == {"image": None, "audio": "mp3"}
