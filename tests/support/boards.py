"""Small films on the disk for the board's tests, and a browser to look at them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image, ImageDraw

from bench.waiting import until
from kiebatch import api
from kiebatch.board import Access, ReviewSession, Role, Runner, application
from kiebatch.model import JSON, Rate
from kiebatch.project import Opened, read_notes
from kiebatch.record.notes import Notes
from kiebatch.running.events import Event
from kiebatch.settings import Settings
from support.simulated import Sim

FILM = """\
kiebatch: 1
title: The Lighthouse
notes: No music until scene 3.
defaults: {model: nano-banana-2, params: {aspect_ratio: "16:9"}}
characters: {keeper: an old keeper in a yellow oilskin}
scenes:
  - id: 1
    title: Arrival
    duration: 6
    camera: slow push-in
    prompt: A small boat nears the lighthouse at dusk   # wide
    voiceover: {text: "No one had come for years.", model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}
  - id: 2
    title: The stairs
    shots:
      - id: a
        takes: 3
        camera: low angle
        prompt: "{keeper} climbs a spiral stair, lantern in hand"
      - id: b
        prompt: He stops and listens
        text_overlay: "1893"
        transition: cut to
  - id: 3
    title: The ship
    prompt: A tall ship turns away from the rocks
"""
MADE = ("1", "2a#1", "2a#2", "2a#3", "2b")


def picture(path: Path, words: str, color: str = "#345", size: tuple[int, int] = (640, 360)) -> Path:
    image = Image.new("RGB", size, color)
    ImageDraw.Draw(image).text((20, 20), words, fill="white", font_size=40)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def make(root: Path, slot: str, words: str = "", color: str = "#345") -> None:
    """Enter a picture as a slot's newest version, as `kiebatch adopt` does."""
    api.adopt(api.load(root / "scenes.yaml"), slot, picture(root / "made.png", words or slot, color))


def film(root: Path, text: str = FILM, made: tuple[str, ...] = MADE) -> Path:
    """Write a film whose shots are made, mostly, and return its folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "scenes.yaml").write_text(text, encoding="utf-8")
    for number, slot in enumerate(made):
        make(root, slot, color=f"hsl({number * 70}, 45%, 35%)")
    (root / "made.png").unlink(missing_ok=True)
    return root


def load(root: Path, *, draft: bool = False) -> Opened:
    return api.load(root / "scenes.yaml", draft=draft)


def fast(sim: Sim) -> Settings:
    """Return settings that lead to a simulator and wait for nothing."""
    quick = Rate(starts=1000, window_s=1.0)
    return Settings(
        api_key=sim.key,
        base_url=sim.url,
        rate=quick,
        poll_rate=quick,
        poll_interval_s=0.02,
        expected_scale=0.002,
        canary=False,
        wait=False,
    )


def run(root: Path, sim: Sim, *only: str) -> None:
    """Make some slots of a film, as `kiebatch run` does."""
    edges = api.Edges(gate_path=root / "gate.sqlite")
    api.run(load(root), settings=fast(sim), only=only, edges=edges)


def runner(root: Path, sim: Sim) -> Runner:
    """Return what a review starts when a plan is confirmed: a run against the simulator."""

    async def carry_out(
        opened: Opened,
        *,
        only: Sequence[str],
        force: bool,
        bound: Mapping[str, JSON],
        emit: Callable[[Event], object],
    ) -> object:
        edges = api.Edges(gate_path=root / "gate.sqlite")
        return await api.run_async(
            opened, settings=fast(sim), only=only, force=force, bound=bound, emit=emit, edges=edges
        )

    return carry_out


@dataclass
class Served:
    """A review that runs in this process."""

    url: str
    token: str
    session: ReviewSession
    root: Path

    @property
    def address(self) -> str:
        return f"{self.url}?token={self.token}"

    @property
    def picks(self) -> str:
        path = self.root / "assets/picks.yaml"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def notes(self) -> Notes:
        return read_notes(load(self.root).workspace)


@contextlib.contextmanager
def served(
    root: Path,
    *,
    password: str = "",
    role: Role = Role.OWNER,
    expires_at: float | None = None,
    load: Callable[[], Opened] | None = None,
    **options: Any,
) -> Iterator[Served]:
    session = ReviewSession(load or (lambda: api.load(root)), author="Ann", every_s=0.05, **options)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    access = Access(
        token="secret-token",
        hosts=frozenset([f"127.0.0.1:{port}"]),
        password=password,
        role=role,
        expires_at=expires_at,
    )
    config = uvicorn.Config(application(session, access), log_level="error", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield Served(f"http://127.0.0.1:{port}/", "secret-token", session, root)
    finally:
        server.should_exit = True
        thread.join(5)


# --- a browser -----------------------------------------------------------------------------------------

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Looked:
    """What a page said and asked for while it was looked at."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def check(self, *allowed: str) -> None:
        """Fail on any error the page has logged, and on any address outside of `allowed` and the disk."""
        strangers = [u for u in self.asked if not u.startswith(("file:", "data:", "blob:", *allowed))]
        assert (self.said, strangers) == ([], [])


def looked(context: Any) -> Looked:
    page = context.new_page()
    seen = Looked(page)
    page.set_default_timeout(5000)
    page.on("console", lambda m: seen.said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: seen.said.append(str(e)))
    page.on("request", lambda r: seen.asked.append(r.url))
    return seen


def clip(path: Path, source: str) -> Path:
    """Make a short clip or sound of one of ffmpeg's own sources."""
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, check=True)
    return path


def adopt(root: Path, slot: str, file: Path) -> None:
    """Enter any file as a slot's newest version."""
    api.adopt(load(root), slot, file)
