"""A small film in the hands of somebody who does everything, in any order, as a state machine."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bench import lives

FILM = {
    "kiebatch": 1,
    "defaults": {"model": "z-image"},
    "scenes": [
        {
            "id": 1,
            "shots": [
                {"id": "a", "prompt": "The boat", "takes": 2},
                {"id": "b", "prompt": "The lamp", "model": "nano-banana-2", "fallback": "z-image"},
                {
                    "id": "c",
                    "prompt": "From the boat",
                    "model": "nano-banana-2",
                    "references": [{"shot": "1a"}],
                },
            ],
        }
    ],
}


class AnyOrder(RuleBasedStateMachine):
    """A project in the hands of somebody who does everything, in any order.

    Every run checks that nothing was paid twice without the user's word and that no charge is unknown; the end,
    that everything comes home.
    """

    film: ClassVar[lives.Film]
    kind: ClassVar[Callable[..., lives.Life]] = lives.Life

    @initialize(seed=st.integers(0, 10**6))
    def begin(self, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.runner = asyncio.Runner(loop_factory=lives.VirtualLoop)
        self.life = type(self).kind(seed, self.film, self.folder)
        self.life.begin(self.runner.get_loop())
        self.opened = self.life.placed(self.film.before)

    @rule()
    def run(self) -> None:
        self.runner.run(self.life.run(self.opened, kills=False))

    @rule()
    def run_and_die(self) -> None:
        self.runner.run(self.life.run(self.opened, kills=True))

    @rule(honest=st.booleans())
    def resolve(self, honest: bool) -> None:
        self.life.resolve_all(honest=honest)

    @rule()
    def take_back_the_manifest(self) -> None:
        self.life.revert()

    @rule(rain=st.sampled_from([0.02, 0.1, 0.3]))
    def rain(self, rain: float) -> None:
        self.life.sim.faults.clear()
        self.life.weather(rain)

    @rule(days=st.sampled_from([0.1, 2, 30]))
    def wait(self, days: float) -> None:
        self.life.loop.now_s += days * 86400.0

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            try:
                self.runner.run(self.life.come_home(self.opened))
            finally:
                self.runner.close()
                shutil.rmtree(self.folder, ignore_errors=True)
