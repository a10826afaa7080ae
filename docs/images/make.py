"""Makes the pictures of the board and the review that the documentation shows.

    python docs/images/make.py

Paints a small film of its own, so that nothing is bought for it, and photographs its pages in Chromium (needs the extra
`e2e`, ffmpeg, and Chromium at /usr/bin/chromium).
"""

from __future__ import annotations

import math
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from playwright.sync_api import sync_playwright

from kiebatch import api, files
from kiebatch.board import Access, ReviewSession, application, publish
from kiebatch.record import manifest
from kiebatch.record.picks import Decision
from kiebatch.record.picks_file import decide

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples/lighthouse/scenes.yaml"
SIZE = WIDTH, HEIGHT = 1280, 720
Color = tuple[int, int, int]
Draw = Callable[[ImageDraw.ImageDraw], object]

# --- painting ------------------------------------------------------------------------------------------


def sky(*stops: Color) -> Image.Image:
    """A gradient from the top to the bottom."""
    column = Image.new("RGB", (1, len(stops)))
    column.putdata(list(stops))
    return column.resize(SIZE, Image.Resampling.BICUBIC)


def light(picture: Image.Image, draw: Draw, blur: float) -> Image.Image:
    """Add light that is drawn on black and blurred."""
    layer = Image.new("RGB", SIZE)
    draw(ImageDraw.Draw(layer))
    return ImageChops.screen(picture, layer.filter(ImageFilter.GaussianBlur(blur)))


def shape(picture: Image.Image, draw: Draw, soft: float = 1.2) -> Image.Image:
    """Put shapes in front, with edges as soft as a lens makes them."""
    layer = picture.copy()
    draw(ImageDraw.Draw(layer))
    return layer.filter(ImageFilter.GaussianBlur(soft))


def film_look(picture: Image.Image, seed: int) -> Image.Image:
    random.seed(seed)
    grain = Image.effect_noise(SIZE, 15).convert("RGB")
    vignette = Image.radial_gradient("L").resize(SIZE).point(lambda v: 255 - int(v * 0.36)).convert("RGB")
    return ImageChops.multiply(ImageChops.overlay(picture, grain), vignette)


def sea(d: ImageDraw.ImageDraw, top: int, near: Color, far: Color, seed: int = 1) -> None:
    rng = random.Random(seed)
    for y in range(top, HEIGHT):
        t = (y - top) / (HEIGHT - top)
        d.line([(0, y), (WIDTH, y)], tuple(int(a + (b - a) * t) for a, b in zip(far, near, strict=True)))
    for _ in range(260):
        t = rng.random() ** 1.6
        y, long = top + 4 + t * (HEIGHT - top), 8 + 90 * t
        x = rng.uniform(-50, WIDTH)
        tone = tuple(min(255, int(c * rng.uniform(0.7, 1.5)) + 4) for c in far)
        d.line([(x, y), (x + long, y + rng.uniform(-2, 2))], tone, max(1, int(3 * t)))


def tower(d: ImageDraw.ImageDraw, x: int, foot: int, height: int, tone: Color) -> None:
    w = height * 0.085
    d.polygon(
        [(x - w, foot), (x - w * 0.6, foot - height), (x + w * 0.6, foot - height), (x + w, foot)], tone
    )
    d.rectangle([x - w * 0.9, foot - height - 4, x + w * 0.9, foot - height + 3], tone)
    d.rectangle([x - w * 0.45, foot - height * 1.1, x + w * 0.45, foot - height], tone)
    d.polygon(
        [(x - w * 0.6, foot - height * 1.1), (x, foot - height * 1.17), (x + w * 0.6, foot - height * 1.1)],
        tone,
    )
    d.polygon(
        [
            (x - height * 0.7, foot + 40),
            (x - w * 2, foot - 16),
            (x + w * 3, foot - 26),
            (x + height, foot + 40),
        ],
        tone,
    )


def beam(x: int, y: int, angle: float, spread: float, color: Color) -> Draw:
    def draw(d: ImageDraw.ImageDraw) -> None:
        ends = [(x + 1700 * math.cos(a), y + 1700 * math.sin(a)) for a in (angle - spread, angle + spread)]
        d.polygon([(x, y), *ends], color)
        d.ellipse([x - 16, y - 16, x + 16, y + 16], (255, 240, 200))

    return draw


def boat(d: ImageDraw.ImageDraw, x: int, y: int, s: float, tone: Color) -> None:
    d.polygon(
        [(x - 60 * s, y), (x + 64 * s, y - 3 * s), (x + 44 * s, y + 17 * s), (x - 46 * s, y + 18 * s)], tone
    )
    d.line([(x, y), (x + 2, y - 78 * s)], tone, max(2, int(3 * s)))
    d.polygon([(x + 4, y - 74 * s), (x + 42 * s, y - 12 * s), (x + 4, y - 12 * s)], tone)


def person(
    d: ImageDraw.ImageDraw, x: int, foot: int, h: float, tone: Color, scarf: Color | None = None
) -> None:
    d.polygon(
        [
            (x - h * 0.17, foot),
            (x - h * 0.12, foot - h * 0.74),
            (x + h * 0.12, foot - h * 0.74),
            (x + h * 0.18, foot),
        ],
        tone,
    )
    d.ellipse([x - h * 0.085, foot - h * 0.99, x + h * 0.085, foot - h * 0.79], tone)
    if scarf:
        d.line([(x - h * 0.1, foot - h * 0.755), (x + h * 0.1, foot - h * 0.735)], scarf, int(h * 0.065))
        d.line([(x + h * 0.06, foot - h * 0.74), (x + h * 0.12, foot - h * 0.5)], scarf, int(h * 0.05))


def arrival(_: int) -> Image.Image:
    p = sky((16, 24, 44), (34, 44, 74), (118, 78, 84), (214, 132, 78))
    p = light(p, lambda d: d.ellipse([90, 330, 470, 560], (120, 60, 20)), 70)
    p = shape(p, lambda d: sea(d, 452, (12, 18, 30), (84, 62, 68)))
    p = light(p, beam(978, 196, math.pi * 0.96, 0.05, (96, 84, 60)), 16)
    p = shape(p, lambda d: (tower(d, 978, 480, 262, (12, 14, 22)), boat(d, 420, 520, 0.8, (10, 12, 20))))
    return light(p, lambda d: d.ellipse([958, 178, 998, 214], (255, 226, 160)), 12)


def stairs(take: int) -> Image.Image:
    warm = [(150, 96, 40), (172, 120, 52), (120, 92, 66)][take % 3]
    cx, cy = [(560, 330), (700, 390), (640, 280)][take % 3]
    p = sky((14, 13, 16), (26, 22, 22), (16, 14, 16))
    for ring in range(13, 0, -1):
        r = ring * 52
        tone = tuple(int(c * (0.16 + 0.055 * (13 - ring))) for c in warm)

        def turn(d: ImageDraw.ImageDraw, r: int = r, tone: Any = tone, ring: int = ring) -> None:
            d.ellipse([cx - r, cy - r * 0.72, cx + r, cy + r * 0.72], tone)
            for i in range(18):
                a = i * math.pi / 9 + ring * 0.21 + take
                d.line(
                    [
                        (cx + r * 0.8 * math.cos(a), cy + r * 0.58 * math.sin(a)),
                        (cx + r * math.cos(a), cy + r * 0.72 * math.sin(a)),
                    ],
                    (9, 8, 10),
                    4,
                )

        p = shape(p, turn, 0.9)
    p = light(p, lambda d: d.ellipse([cx - 90, cy + 40, cx + 130, cy + 240], (200, 130, 50)), 60)
    p = shape(p, lambda d: person(d, cx + 30, cy + 330, 300, (22, 18, 12)))
    return light(p, lambda d: d.ellipse([cx + 82, cy + 170, cx + 112, cy + 204], (255, 220, 150)), 9)


def face(take: int) -> Image.Image:
    x = 600 if take == 0 else 500
    p = sky((16, 18, 26), (30, 24, 24), (60, 38, 20))
    p = light(p, lambda d: d.ellipse([x + 150, 250, x + 620, 760], (210, 128, 46)), 90)

    def bust(d: ImageDraw.ImageDraw) -> None:
        dark = (17, 14, 13)
        d.polygon(
            [(x - 380, 740), (x - 250, 560), (x - 60, 500), (x + 90, 500), (x + 250, 570), (x + 330, 740)],
            dark,
        )
        d.ellipse([x - 130, 170, x + 120, 480], dark)
        d.polygon([(x + 96, 300), (x + 150, 356), (x + 104, 372)], dark)
        d.polygon([(x - 110, 400), (x + 112, 390), (x + 100, 560), (x - 20, 600), (x - 100, 540)], dark)
        d.pieslice([x - 150, 110, x + 130, 380], 180, 360, dark)
        d.polygon([(x - 210, 300), (x - 150, 216), (x + 120, 216), (x + 178, 262), (x + 60, 262)], dark)

    p = shape(p, bust, 2.4)
    p = light(
        p,
        lambda d: d.line(
            [(x + 120, 226), (x + 104, 300), (x + 148, 356), (x + 108, 376), (x + 104, 540)],
            (226, 140, 56),
            7,
        ),
        5,
    )
    return light(p, lambda d: d.ellipse([x + 330, 480, x + 420, 590], (255, 214, 140)), 18)


def door(_: int) -> Image.Image:
    p = sky((12, 14, 18), (22, 22, 26), (14, 14, 16))
    p = shape(
        p,
        lambda d: [
            d.rectangle([430 + i * 72, 70, 498 + i * 72, 640], (44 + 6 * (i % 3), 32 + 4 * (i % 2), 24))
            for i in range(6)
        ],
        1.5,
    )
    p = shape(p, lambda d: [d.rectangle([424, y, 866, y + 34], (24, 22, 24)) for y in (150, 500)])
    p = light(p, lambda d: d.rectangle([430, 636, 862, 650], (150, 190, 230)), 7)
    return light(p, lambda d: d.polygon([(430, 650), (862, 650), (1060, 720), (230, 720)], (60, 84, 110)), 16)


def girl(take: int) -> Image.Image:
    x = 640 if take == 0 else 560
    p = sky((9, 10, 14), (15, 15, 19), (10, 10, 13))
    p = shape(
        p,
        lambda d: d.polygon(
            [(450, 90), (830, 90), (830, 660), (450, 660)], (64, 84, 104) if take == 0 else (84, 88, 88)
        ),
        3,
    )
    rng = random.Random(take)
    drops = [(rng.uniform(450, 830), rng.uniform(90, 640)) for _ in range(170)]
    p = light(p, lambda d: [d.line([(a, b), (a - 7, b + 34)], (74, 88, 104), 2) for a, b in drops], 1.2)
    p = light(p, lambda d: d.polygon([(450, 660), (830, 660), (1060, 720), (300, 720)], (52, 66, 82)), 18)
    return shape(p, lambda d: person(d, x, 664, 330, (12, 13, 17), (176, 30, 34)))


def stove(take: int) -> Image.Image:
    p = (
        sky((20, 13, 10), (42, 24, 14), (26, 15, 10))
        if take == 0
        else sky((12, 16, 20), (36, 28, 26), (20, 16, 16))
    )
    p = light(p, lambda d: d.ellipse([470, 300, 810, 690], (200, 92, 24)), 95)
    p = shape(
        p,
        lambda d: (
            d.rectangle([566, 330, 714, 650], (16, 12, 12)),
            d.rectangle([622, 0, 658, 330], (14, 11, 11)),
        ),
    )
    p = light(p, lambda d: d.rectangle([592, 456, 688, 560], (255, 150, 50)), 10)
    return shape(
        p,
        lambda d: (
            person(d, 366, 700, 420, (20, 15, 10)),
            person(d, 906, 700, 310, (18, 13, 11), (150, 30, 26)),
        ),
        1.6,
    )


def morning(_: int) -> Image.Image:
    p = sky((150, 176, 196), (196, 204, 204), (236, 214, 184), (240, 222, 196))
    p = light(p, lambda d: d.ellipse([780, 330, 900, 450], (255, 220, 160)), 60)
    p = shape(p, lambda d: sea(d, 430, (96, 122, 138), (206, 196, 178), 4))
    gulls = [(300, 180, 26), (380, 230, 18), (520, 150, 22), (980, 210, 16), (690, 260, 12)]
    return shape(
        p,
        lambda d: [
            (
                d.arc([x - s * 2, y, x, y + s], 200, 340, (60, 66, 74), 3),
                d.arc([x, y, x + s * 2, y + s], 200, 340, (60, 66, 74), 3),
            )
            for x, y, s in gulls
        ],
        0.8,
    )


def book(_: int) -> Image.Image:
    p = sky((20, 14, 10), (38, 26, 16), (24, 16, 11))
    p = shape(
        p,
        lambda d: [
            d.polygon(
                [(640, 170), (640 + s * 430, 130), (640 + s * 500, 610), (640, 650)],
                (206, 184, 142) if s < 0 else (216, 194, 152),
            )
            for s in (-1, 1)
        ],
        1,
    )
    rows = [(s, 210 + i * 44) for s in (-1, 1) for i in range(9) if not (s > 0 and i > 4)]
    p = shape(
        p,
        lambda d: [
            d.line([(640 + s * (54 + i % 3), y), (640 + s * (330 + (y * 7) % 90), y - 14)], (74, 56, 40), 5)
            for i, (s, y) in enumerate(rows)
        ],
        1.4,
    )
    glow = (
        Image.radial_gradient("L")
        .resize((1500, 1100))
        .point(lambda v: max(0, 255 - int(v * 1.05)))
        .crop((300, 60, 1580, 780))
        .resize(SIZE)
    )
    return ImageChops.multiply(
        p,
        Image.merge("RGB", [glow, glow.point(lambda v: int(v * 0.86)), glow.point(lambda v: int(v * 0.62))]),
    )


def lamp(take: int) -> Image.Image:
    x, y = (640, 330) if take == 0 else (760, 300)
    p = sky((10, 12, 20), (20, 18, 20), (12, 11, 14))
    for r in range(300, 30, -28):
        p = shape(
            p,
            lambda d, r=r: d.ellipse(
                [x - r, y - r, x + r, y + r], outline=(110 + r // 5, 88 + r // 6, 46), width=9
            ),
            0.8,
        )  # type: ignore[misc]
    p = light(p, lambda d: d.ellipse([x - 110, y - 110, x + 110, y + 110], (255, 196, 96)), 70)
    p = light(p, lambda d: d.ellipse([x - 34, y - 34, x + 34, y + 34], (255, 244, 214)), 12)
    return shape(p, lambda d: person(d, x - 320, 760, 470, (14, 12, 12)), 1.6)


def ship(_: int) -> Image.Image:
    p = sky((40, 52, 78), (96, 104, 124), (206, 160, 130), (232, 190, 140))
    p = shape(p, lambda d: sea(d, 440, (30, 42, 58), (176, 140, 122), 9))
    p = light(p, beam(60, 150, 0.24, 0.06, (110, 100, 78)), 22)

    def rigged(d: ImageDraw.ImageDraw) -> None:
        tone = (26, 24, 32)
        d.polygon([(610, 500), (980, 486), (940, 566), (660, 570)], tone)
        for mx, h in ((690, 250), (790, 310), (890, 250)):
            d.line([(mx, 500), (mx, 500 - h)], tone, 6)
            for i in range(3):
                top, w = 500 - h + 26 + i * h * 0.27, 40 + i * 15
                d.polygon(
                    [
                        (mx - w, top),
                        (mx + w, top),
                        (mx + w + 8, top + h * 0.22),
                        (mx - w - 2, top + h * 0.23),
                    ],
                    (58, 50, 56),
                )
        d.line([(980, 486), (1070, 430)], tone, 5)

    return shape(p, rigged, 1)


PICTURES: dict[str, tuple[Callable[[int], Image.Image], int]] = {
    "1": (arrival, 0),
    "2a#1": (stairs, 0),
    "2a#2": (stairs, 1),
    "2a#3": (stairs, 2),
    "2b": (face, 0),
    "3a": (door, 0),
    "3b#1": (girl, 0),
    "3b#2": (girl, 1),
    "4@nano-banana-2": (stove, 0),
    "4@z-image": (stove, 1),
    "5a": (morning, 0),
    "6": (book, 0),
    "7a#1": (lamp, 0),
    "7a#2": (lamp, 1),
    "8": (ship, 0),
}
VOICES = {"1.vo": 2.4, "4.vo": 1.6}

# --- the film ------------------------------------------------------------------------------------------


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


def film(root: Path) -> None:
    """Enter painted pictures, a clip and voices as the example film's assets, and decide about some."""
    scenes = root / "scenes.yaml"
    shutil.copy(EXAMPLE, scenes)
    for slot, (paint, take) in PICTURES.items():
        film_look(paint(take), take).save(root / "made.png")
        api.adopt(api.load(scenes), slot, root / "made.png")
    film_look(face(1), 3).save(root / "made.png")
    ffmpeg(
        "-loop",
        "1",
        "-i",
        str(root / "made.png"),
        "-t",
        "5",
        "-r",
        "24",
        "-pix_fmt",
        "yuv420p",
        str(root / "made.mp4"),
    )
    api.adopt(api.load(scenes), "2c", root / "made.mp4")
    for slot, seconds in VOICES.items():
        speech = f"aevalsrc='0.6*random(0)*pow(abs(sin(t*4.1)*sin(t*9.7+1)),1.3)':d={seconds}"
        ffmpeg("-f", "lavfi", "-i", speech, "-af", "lowpass=1800", str(root / "made.mp3"))
        api.adopt(api.load(scenes), slot, root / "made.mp3")
    text = scenes.read_text(encoding="utf-8")
    changed = text.replace("close-up of his face lit from below", "close-up of his face lit by the lantern")
    scenes.write_text(changed, encoding="utf-8")
    film_look(face(1), 5).save(root / "made.png")
    api.adopt(api.load(scenes), "2b", root / "made.png")
    text = scenes.read_text(encoding="utf-8")
    scenes.write_text(
        text.replace("the last entry dated ten years ago", "the last page empty"), encoding="utf-8"
    )
    for made in root.glob("made.*"):
        made.unlink()
    _with_prices(root)
    decided = [
        Decision(slot="1#1", choice="pick"),
        Decision(slot="2a#2", choice="pick", note="The lantern leads the eye. Trim the head by ten frames."),
        Decision(slot="2a#1", choice="reject"),
        Decision(slot="2c#1", star=True),
        Decision(slot="3b#1", choice="pick", star=True),
    ]
    decide(api.load(scenes).workspace, [replace(d, author="Ann") for d in decided])


def _with_prices(root: Path) -> None:
    """Write the catalogue's prices into the manifest, as if the pictures had been bought."""
    opened = api.load(root / "scenes.yaml")
    prices = {(j.model, j.slot.scene, j.slot.shot): j.price.amount for j in opened.project.jobs}
    record = opened.manifest
    for asset in record.assets:
        credits = prices.get((asset.model, asset.scene_id, asset.shot))
        record = manifest.changed(record, record.by_id[asset.id], credits=credits)
    files.replace(opened.workspace.manifest_path, manifest.dump(record))


# --- the photographs -----------------------------------------------------------------------------------


@contextmanager
def served(root: Path) -> Iterator[str]:
    async def runner(*_: object, **__: object) -> None:
        return None

    session = ReviewSession(
        lambda: api.load(root / "scenes.yaml"), author="Ann", may_write=True, runner=runner
    )
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application(session, Access(token="t")), log_level="error", timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/?token=t"
    server.should_exit = True


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder)
        film(root)
        publish.write(api.load(root / "scenes.yaml"), root / "board.html")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme="dark")
        page.goto((root / "board.html").as_uri())
        page.wait_for_timeout(600)
        page.screenshot(path=HERE / "board.png")
        with served(root) as url:
            page.goto(url)
            page.click("#s-2a [data-take='1']")
            page.keyboard.press("c")
            page.locator("#viewer input[type=range]").fill("52")
            page.wait_for_timeout(600)
            page.screenshot(path=HERE / "review.png")
        browser.close()
    for name in ("board.png", "review.png"):
        print(HERE / name)


if __name__ == "__main__":
    main()
