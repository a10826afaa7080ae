"""Validate and plan films of growing size: `python -m bench.scale`.  Linear means that the last column stays flat."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from kiebatch import api

SCENE = """\
  - id: {n}
    title: scene {n}
    duration: 5
    prompt: "{{keeper}} climbs stair number {n}, lantern in hand, low angle"
    style: storm
"""
HEAD = """\
kiebatch: 1
defaults: {model: nano-banana-2, params: {aspect_ratio: "16:9", output_format: png}}
styles: {storm: "storm light, heavy grain"}
characters: {keeper: a keeper in a yellow oilskin}
scenes:
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for count in (500, 1000, 2000, 4000, 8000):
            path = Path(folder) / f"film-{count}" / "scenes.yaml"
            path.parent.mkdir()
            path.write_text(HEAD + "".join(SCENE.format(n=n) for n in range(1, count + 1)), encoding="utf-8")
            best = float("inf")
            for _ in range(3):
                began = time.perf_counter()
                api.plan(api.load(path))
                best = min(best, time.perf_counter() - began)
            print(f"{count:5} scenes  {best:6.2f} s  {best / count * 1e6:6.0f} microseconds a scene")


if __name__ == "__main__":
    main()
