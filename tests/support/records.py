"""Assets and records as a run makes them, without running one."""

from __future__ import annotations

import hashlib

from kiebatch.model import Asset
from kiebatch.record import manifest
from kiebatch.record.manifest import Manifest

MODELS = ("google/nano-banana", "kling-3.0/video")


def an_asset(scene: int = 1, shot: str | None = None, minute: int = 0, **facts: object) -> Asset:
    """An asset as the engine hands it over: without id, with everything a download tells."""
    seed = f"{scene} {shot} {minute} {sorted(facts.items())}"
    given: dict[str, object] = {
        "type": "image",
        "filename": f"assets/images/scene-{scene:02d}.png",
        "prompt": "A small boat nears the lighthouse at dusk",
        "model": MODELS[0],
        "parameters": {
            "size": "16:9",
            "endpoint": "/api/v1/jobs/createTask",
            "input": {"image_size": "16:9"},
        },
        "created_at": f"2026-03-01T10:{minute:02d}:00.000Z",
        "task_id": f"task-{seed}",
        "fingerprint": "sha256:" + hashlib.sha256(seed.encode()).hexdigest(),
        "sha256": hashlib.sha256(seed.encode()).hexdigest(),
        "bytes": 123456,
        "media_type": "image/png",
        "width": 1344,
        "height": 768,
        "credits": 4,
    }
    return Asset(id="", scene_id=scene, shot=shot, **{**given, **facts})  # type: ignore[arg-type]


def made(record: Manifest, *assets: Asset) -> Manifest:
    """Enter each asset as the newest of its slot, as a run does."""
    for asset in assets:
        there = record.current(asset.scene_id, asset.shot, asset.take)
        record, _ = manifest.record(record, [asset], [old for old in there if old.model == asset.model])
    return record
