"""What the same four pictures cost by a plain script and by kiebatch when life goes on: `python -m bench.coming_from`.

Counts charges in the simulator's ledger. Each situation begins with a folder in which all four pictures were made, but the
last two, which begin with an empty one.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiebatch.testing import Sim, start
from kiebatch.testing.running import environment

ROOT = Path(__file__).parent.parent
PROMPTS = ("A boat at dusk", "A lantern on a stair", "A gull on a rail", "Waves on a rock")


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to make the pictures: how its file is written, its command, and where its pictures are."""

    name: str
    write: Callable[[Path, tuple[str, ...]], object]
    command: tuple[str, ...]
    pictures: str

    def start(self, folder: Path, sim: Sim) -> subprocess.Popen[bytes]:
        known = {"POLL_S": "0.05", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(folder)}
        return subprocess.Popen(
            [sys.executable, *self.command],
            cwd=folder,
            env={**known, **environment(sim, folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, folder: Path, sim: Sim) -> int:
        return self.start(folder, sim).wait(timeout=60)


def _lines(folder: Path, prompts: tuple[str, ...]) -> None:
    (folder / "prompts.txt").write_text("\n".join(prompts) + "\n", encoding="utf-8")


def _scenes(folder: Path, prompts: tuple[str, ...]) -> None:
    scenes = [{"id": number, "prompt": prompt} for number, prompt in enumerate(prompts, start=1)]
    text = json.dumps(
        {"kiebatch": 1, "defaults": {"model": "nano-banana-2"}, "scenes": scenes}
    )  # JSON is YAML
    (folder / "scenes.yaml").write_text(text, encoding="utf-8")


SCRIPT = Contender(
    "script", _lines, (str(ROOT / "examples" / "plain_loop.py"), "prompts.txt", "out"), "out/*.png"
)
RUN = ("-m", "kiebatch", "run", "scenes.yaml", "--yes", "--poll-interval", "0.05")
OURS = Contender("kiebatch", _scenes, RUN, "assets/images/*")


def _again(_one: Contender, _folder: Path) -> None:
    pass


def _changed(one: Contender, folder: Path) -> None:
    one.write(folder, (*PROMPTS[:3], "Waves on a rock, at night"))


def _deleted(one: Contender, folder: Path) -> None:
    sorted(folder.glob(one.pictures))[0].unlink()


CHANGES: tuple[tuple[str, int, Callable[[Contender, Path], object]], ...] = (
    ("the same command once more", 0, _again),
    ("one prompt is changed", 1, _changed),
    ("one picture is deleted", 0, _deleted),
)


def after(change: Callable[[Contender, Path], object], one: Contender, folder: Path, sim: Sim) -> int:
    """Return what a second run charges after a change."""
    _made(one, folder, sim)
    before = len(sim.charges())
    change(one, folder)
    one.run(folder, sim)
    return len(sim.charges()) - before


def _made(one: Contender, folder: Path, sim: Sim) -> None:
    folder.mkdir(parents=True)
    one.write(folder, PROMPTS)
    one.run(folder, sim)


def lost_answer(one: Contender, folder: Path, sim: Sim) -> int:
    """Return what is charged where the answer to the second submission is a web page, although it was charged."""
    sim.fault("submit@2=html:502+after")
    _made(one, folder, sim)
    return len(sim.charges())


def killed(one: Contender, folder: Path, sim: Sim) -> int:
    """Return what is charged where the program is killed while the fourth picture is made, and started again."""
    sim.fault("submit@4=lasts:1")
    folder.mkdir(parents=True)
    one.write(folder, PROMPTS)
    first = one.start(folder, sim)
    while len(sim.charges()) < len(PROMPTS):
        time.sleep(0.02)
    first.kill()
    first.wait()
    one.run(folder, sim)
    return len(sim.charges())


MEASURES: dict[str, tuple[int, Callable[[Contender, Path, Sim], int]]] = {
    **{title: (wanted, functools.partial(after, change)) for title, wanted, change in CHANGES},
    "an answer is lost after the charge": (4, lost_answer),
    "killed during the fourth, started again": (4, killed),
}


def row(title: str, folder: Path, sim: Sim) -> str:
    """Return a row of the table in docs/coming-from.md."""
    wanted, measure = MEASURES[title]
    found = []
    for one in (SCRIPT, OURS):
        sim.reset()
        found.append(measure(one, folder / f"{title}-{one.name}", sim))
    return f"| {title} | {wanted} | {found[0]} | {found[1]} |"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="coming-from-") as name, start() as running:
        for title in MEASURES:
            print(row(title, Path(name), Sim(running)))


if __name__ == "__main__":
    main()
