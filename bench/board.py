"""How long the board of a large film takes to make and to open, and how heavy it is.

    python bench/board.py [SHOTS]

Draws a film of SHOTS shots with three takes each (500 by default) in a temporary folder, writes its board twice (with
an empty and with a full cache of small pictures), and opens it in Chromium where Playwright and a browser are there.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from kiebatch import api, files
from kiebatch.board import publish
from kiebatch.model import Asset
from kiebatch.record import manifest
from kiebatch.record.manifest import Manifest

TAKES = 3
PROMPT = (
    "The keeper climbs the spiral stair, lantern in hand, low angle, {0}, storm light, rain on the lens, "
    "35 mm film, heavy grain, the sea far below, his coat heavy with water, breath in the cold air"
)


def film(root: Path, shots: int) -> None:
    """Write a scene file, its pictures and its manifest."""
    scenes = "".join(
        f"  - id: {n}\n    title: Scene {n}\n    camera: low angle\n    duration: 4\n    takes: {TAKES}\n"
        f"    prompt: {PROMPT.format(n)}\n"
        for n in range(1, shots + 1)
    )
    text = f"kiebatch: 1\ntitle: A long film\ndefaults: {{model: nano-banana-2}}\nscenes:\n{scenes}"
    (root / "scenes.yaml").write_text(text, encoding="utf-8")
    (root / "assets/images").mkdir(parents=True)
    noise = Image.effect_noise((1280, 720), 60).convert("RGB")
    record = Manifest(source="scenes.yaml")
    for n in range(1, shots + 1):
        for take in range(1, TAKES + 1):
            path = root / f"assets/images/scene-{n}-t{take}.jpg"
            shade = Image.new("RGB", noise.size, f"hsl({n * 7 % 360}, 40%, {20 + 10 * take}%)")
            Image.blend(shade, noise, 0.15).save(path, quality=80)
            asset = Asset(
                id="",
                type="image",
                filename=f"assets/images/{path.name}",
                prompt=PROMPT.format(n),
                model="nano-banana-2",
                created_at="2026-03-01T10:00:00.000Z",
                scene_id=n,
                take=take,
                fingerprint="sha256:" + "0" * 64,
                sha256=files.sha256(path),
                bytes=path.stat().st_size,
                media_type="image/jpeg",
                width=1280,
                height=720,
                credits=8,
            )
            record, _ = manifest.record(record, [asset])
    (root / "assets/manifest.json").write_text(manifest.dump(record), encoding="utf-8")


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what:44} {time.perf_counter() - began:7.2f} s")


def opened_in_a_browser(path: Path) -> None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("Playwright is not installed: not opened in a browser")
        return
    chromium = next((p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(p).exists()), None)
    if chromium is None:
        print("there is no Chromium: not opened in a browser")
        return
    with sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_timeout(500)
        entry = "performance.getEntriesByType('navigation')[0]"
        paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        measured: dict[str, Callable[[], float]] = {
            "browser: first picture on the screen": lambda: page.evaluate(paint) / 1000,
            "browser: all of it read": lambda: page.evaluate(f"{entry}.domContentLoadedEventEnd") / 1000,
        }
        for what, value in measured.items():
            print(f"{what:44} {value():7.2f} s")
        began = time.perf_counter()
        page.fill("#search", "scene 499")
        page.wait_for_selector("#found:has-text(' of ')")
        print(f"{'browser: a search':44} {time.perf_counter() - began:7.2f} s")
        browser.close()


def main() -> None:
    shots = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with timed(f"drawing {shots} shots with {TAKES} takes"):
            film(root, shots)
        with timed("loading the project"):
            opened = api.load(root / "scenes.yaml")
        with timed("the board, small pictures to be made"):
            publish.write(opened, root / "board.html")
        with timed("the board, small pictures in the cache"):
            written = publish.write(opened, root / "board.html")
        text = (root / "board.html").read_text(encoding="utf-8")
        bare = re.sub(r"data:image/webp;base64,[^\"]*", "", text)
        print(f"{'the page':44} {written.size_bytes / 1e6:7.2f} MB")
        print(f"{'the page without its pictures':44} {len(bare.encode()) / 1e6:7.2f} MB")
        opened_in_a_browser(root / "board.html")


if __name__ == "__main__":
    main()
