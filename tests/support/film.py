"""A film in a folder, run through the front door against a simulator on a real port."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from kiebatch import api
from kiebatch.cli import app
from kiebatch.model import Rate
from kiebatch.planning import plans
from kiebatch.project import config
from kiebatch.running import Outcome
from kiebatch.running.events import Event
from kiebatch.settings import Settings
from support import simulated


@dataclass
class Said:
    """What one command left behind: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


TWO_SHOTS = """
    kiebatch: 1
    defaults: {model: z-image}
    scenes:
      - {id: 1, prompt: A boat at dawn}
      - {id: 2, prompt: A lamp that turns}
"""


@dataclass
class Film:
    """A project folder with a scene file, and the simulator that makes it."""

    folder: Path
    sim: simulated.Sim
    capture: Any = None
    events: list[Event] = field(default_factory=list)

    @property
    def scene_file(self) -> Path:
        return self.folder / "scenes.yaml"

    @property
    def assets(self) -> Path:
        return self.folder / "assets"

    @property
    def manifest(self) -> list[dict[str, Any]]:
        return list(json.loads((self.assets / "manifest.json").read_text(encoding="utf-8"))["assets"])

    def write(self, text: str) -> None:
        self.scene_file.write_text(dedent(text), encoding="utf-8")

    def configure(self, text: str) -> None:
        """Write the person's own config.yaml."""
        own = config.path()
        assert own is not None
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(f"kiebatch-config: 1\n{text}\n", encoding="utf-8")

    def elsewhere(self, text: str, *, name: str = "elsewhere") -> Film:
        """Return a film in a folder of another machine, so to say: nothing but its scene file."""
        folder = self.folder.parent / name
        folder.mkdir()
        other = Film(folder, self.sim, self.capture)
        other.write(text)
        return other

    def edit(self, old: str, new: str) -> None:
        text = self.scene_file.read_text(encoding="utf-8")
        assert old in text
        self.scene_file.write_text(text.replace(old, new), encoding="utf-8")

    def settings(self, **more: Any) -> Settings:
        fast: dict[str, Any] = {
            "api_key": self.sim.key,
            "base_url": self.sim.url,
            "rate": Rate(starts=1000, window_s=1.0),
            "poll_rate": Rate(starts=1000, window_s=1.0),
            "poll_interval_s": 0.01,
            "expected_scale": 0.0005,
            "canary": False,
        }
        return Settings(**{**fast, **more})

    def load(self, **settings: Any) -> api.Opened:
        return api.load(self.scene_file, settings=self.settings(**settings))

    def plan(self, **options: Any) -> plans.Plan:
        return api.plan(self.load(), **options)

    def run(
        self,
        *,
        only: tuple[str, ...] = (),
        force: bool = False,
        edges: Any = None,
        confirm: Any = None,
        **settings: Any,
    ) -> Outcome:
        """Run the film through the library and keep its events."""
        self.events.clear()
        return api.run(
            self.load(
                **{
                    k: v
                    for k, v in settings.items()
                    if k in ("strict", "fold_negative", "allow_unknown_model")
                }
            ),
            settings=self.settings(**settings),
            only=only,
            force=force,
            emit=self.events.append,
            confirm=confirm,
            edges=edges,
        )

    def reasons(self, **options: Any) -> dict[str, str]:
        return {str(e.slot): f"{e.action}: {e.reason}" for e in self.plan(**options).entries}

    def command(self, *args: str) -> Said:
        """Run a command as the program does, with the simulator as the API."""
        self.capture.readouterr()
        code = app.exit_code([*args])
        out, err = self.capture.readouterr()
        return Said(code, out, err)
