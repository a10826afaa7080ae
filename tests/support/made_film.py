"""A small finished film in a folder: scene file, pictures, a clip, a voice, music, manifest and picks."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from kiebatch import api, files, media
from kiebatch.exports.cut import Options
from kiebatch.model import Asset
from kiebatch.project import Opened
from kiebatch.record import manifest

SCENES = """\
# The film of the tests.
kiebatch: 1
title: "The Lighthouse, 灯台"
defaults:
  model: nano-banana-2
scenes:
  - id: 1            # the opening
    title: Arrival
    duration: 2
    camera: slow push-in
    transition: dissolve
    text_overlay: "Ten years later; 十年後"
    prompt: A small boat nears the lighthouse
    voiceover: {text: "No one had come for years.", model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}

  # The stairs were shot twice.
  - id: 2
    title: The stairs
    duration: 4.5
    notes: Keep the lantern in frame.
    shots:
      - id: a
        takes: 2
        camera: low angle
        prompt: The keeper climbs
      # The clip.
      - id: b
        duration: 1.5
        model: kling-3.0/video
        prompt: He stops and listens
        transition: fade to black
    music: {prompt: a quiet bed, model: suno/generate}

  - id: 3
    title: Empty
    duration: 1
    prompt: "=HYPERLINK(\\"http://x\\") is what they wrote"

  - id: 4
    skip: cut
    prompt: Never seen
"""
PICKS = '- {slot: "2a#2", decision: pick, note: "=the look, back", time: "2026-03-01T10:00:00.000Z"}\n'


@functools.cache
def _media() -> Path:
    """Make clip, voice and music once per session."""
    folder = Path(tempfile.mkdtemp(prefix="kiebatch-film-"))
    program = media.find_ffmpeg()
    assert program, "the tests of exports need ffmpeg"
    for name, arguments in {
        "clip.mp4": [
            *("-f", "lavfi", "-i", "testsrc2=s=192x108:r=24:d=1", "-f", "lavfi", "-i", "sine=f=300:d=1"),
            *("-pix_fmt", "yuv420p", "-shortest"),
        ],
        "voice.mp3": ["-f", "lavfi", "-i", "sine=f=200:d=1.2"],
        "music.mp3": ["-f", "lavfi", "-i", "sine=f=100:d=10"],
    }.items():
        subprocess.run([program, "-v", "error", "-y", *arguments, str(folder / name)], check=True)
    return folder


def make(folder: Path, scenes: str = SCENES) -> Opened:
    """Write the film into `folder` and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenes.yaml").write_text(scenes, encoding="utf-8")
    record = manifest.Manifest(source="scenes.yaml")

    def enter(scene: int, shot: str | None, type: str, name: str, data: bytes, **facts: object) -> None:
        nonlocal record
        path = folder / "assets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        asset = Asset(
            id="",
            type=type,
            filename=f"assets/{name}",
            prompt=f"prompt of {name}",
            created_at="2026-03-01T10:00:00.000Z",
            scene_id=scene,
            shot=shot,
            sha256=files.sha256(path),
            bytes=len(data),
            **facts,  # type: ignore[arg-type]
        )
        record, _ = manifest.record(record, [asset], [])

    for scene, shot, take, colour in (
        (1, None, 1, (200, 120, 40)),
        (2, "a", 1, (40, 120, 200)),
        (2, "a", 2, (60, 180, 60)),
    ):
        name = f"images/scene-{scene:02d}{'-' + shot if shot else ''}-t{take}.png"
        path = folder / "drawn.png"
        Image.new("RGB", (192, 108), colour).save(path)
        facts = {
            "model": "nano-banana-2",
            "take": take,
            "width": 192,
            "height": 108,
            "media_type": "image/png",
        }
        enter(scene, shot, "image", name, path.read_bytes(), credits=8, **facts)
        path.unlink()
    made = _media()
    clip = {
        "model": "kling-3.0/video",
        "width": 192,
        "height": 108,
        "duration": 1.0,
        "media_type": "video/mp4",
    }
    enter(2, "b", "video", "clips/scene-02-b.mp4", (made / "clip.mp4").read_bytes(), credits=70, **clip)
    for scene, shot, source, seconds in ((1, "vo", "voice.mp3", 1.2), (2, "music", "music.mp3", 10.0)):
        sound = {"model": "elevenlabs/text-to-speech-multilingual-v2", "duration": seconds}
        name = f"audio/scene-{scene:02d}-{shot}.mp3"
        enter(scene, shot, "audio", name, (made / source).read_bytes(), media_type="audio/mpeg", **sound)
    (folder / "assets" / "manifest.json").write_text(manifest.dump(record), encoding="utf-8")
    (folder / "assets" / "picks.yaml").write_text(PICKS, encoding="utf-8")
    return open_(folder)


def open_(folder: Path) -> Opened:
    return api.load(folder / "scenes.yaml")


def arguments(opened: Opened, output: Path, **options: object) -> tuple[object, ...]:
    """Return what every `export` function takes."""
    chosen = Options(output=output, **options)  # type: ignore[arg-type]
    return (opened.project, opened.manifest, opened.picks, opened.workspace, chosen)
