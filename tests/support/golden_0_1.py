"""Makes `tests/golden/project-0.1/` with the program of 0.1 and its own simulator.

    git worktree add /tmp/kiebatch-0.1 3b07f8c
    python tests/support/golden_0_1.py /tmp/kiebatch-0.1 tests/golden/project-0.1

It is a record of what 0.1 wrote, so it is made once and then never again: a second run gives other task ids and
times. Nothing here imports kiebatch: every step is a command of the old checkout, run as a user would run it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

KEY = "simulated-key"
NO_BREAK_SPACE = "\u00a0"
DECOMPOSED = "cafe\u0301 d'e\u0301te\u0301"  # NFD, as macOS writes names
ADOPTED_SLOT = "12c"

# `{first}` is 1 in the first run and 10 later, where `moved` says so; `{edit}` and `{accept}` change between runs.
SCENES = """\
# Every kind of thing that 0.1 could leave behind. Trailing blanks below are on purpose.
kiebatch: 1
title: Made by 0.1
defaults:
  params: {{aspect_ratio: "16:9"}}
  image: {{model: nano-banana-2}}
styles:
  storm: storm light, 35 mm film
characters:
  keeper:
    text: a grey-bearded lighthouse keeper
    references: [refs/keeper.png]
negative_prompt: [watermark]
{moved}
scenes:
  - id: {first}
    title: The scene that was renumbered
    style: storm
    prompt: A small boat nears the lighthouse

  - id: 2
    shots:
      - {{id: a, takes: 3, prompt: "{{keeper}} climbs a spiral stair"}}
      - id: b
        model: kling-3.0/video
        params: {{sound: false, mode: std, multi_shots: false}}
        prompt: He stops and listens
        start_frame: {{shot: 2a}}
        duration: 5

  - id: 3
    title: Prompts that are not normal
    shots:
      - {{id: a, prompt: "The lamp room at dusk   "}}
      - {{id: b, prompt: "The  lamp   begins to turn"}}
      - {{id: c, prompt: "The{nbsp}lamp{nbsp}{nbsp}room, empty"}}
      - {{id: d, prompt: "A {nfd} by the sea"}}
      - id: e
        prompt: |

          The tower, seen from below{blanks}

          and the sky\t above it

      - {{id: f, prompt: "\\tThe stairs\\t"}}

  - id: 4
    title: A seed that is derived from the slot
    seed: stable
    shots:
      - {{id: a, model: qwen2/text-to-image, takes: 2, prompt: Waves on the rocks}}

  - id: 5
    title: Two models
    model: [nano-banana-2, bytedance/seedream-v4-text-to-image]
    prompt: The harbour in the morning

  - id: 6
    title: Made by the fallback
    fallback: bytedance/seedream-v4-text-to-image
    prompt: The storm at its height

  - id: 7
    title: A clip whose length on the timeline was not sent
    duration: 9
    model: kling-3.0/video
    params: {{sound: false, mode: std, multi_shots: false, aspect_ratio: "16:9"}}
    prompt: The light sweeps over the water

  - id: 8
    title: Sound
    prompt: The keeper at his desk
    voiceover: {{text: "No one had  come for years. ", model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}}

  - id: 9
    title: Made by another tool
    prompt: A gull on a rail

  - id: 12
    title: Several versions
    shots:
      - {{id: a, prompt: "A door, {edit}"}}
      - {{id: b, prompt: "A window, {accept}"}}
      - {{id: c, prompt: A key on a hook}}

  - id: 20
    title: One shot for each state of an attempt
    shots:
      - {{id: failed, prompt: A task that failed and may be tried again}}
      - {{id: never, prompt: A task that failed for good}}
      - {{id: refused, prompt: A submission that was refused}}
      - {{id: forgotten, prompt: A held job that was forgotten}}
      - {{id: resubmit, prompt: A held job that may be sent again}}
      - {{id: wrong, prompt: A held job with a wrong task id}}
      - {{id: held, prompt: A held job}}
      - {{id: running, prompt: A task that is still running}}
      - {{id: lost, prompt: A task whose picture could not be fetched}}
      - {{id: intended, prompt: A job that was about to be sent}}
      - {{id: unrecorded, prompt: A picture that the manifest does not name yet}}
      - {{id: new, prompt: A job that was never sent}}
"""

MARKDOWN = f"""\
# The Harbour

Notes that nobody sends.

## Defaults
- **Model**: nano-banana-2
- **Aspect ratio**: 16:9

## Scene 1: Morning
> Boats at  rest,{NO_BREAK_SPACE}mist on the water
> and a {DECOMPOSED} on the quay

- **Duration**: 4s
- **Camera**: slow push-in

## Scene 2: The net

### Shot a: hands
> Hands mending a net, close

- **Takes**: 2

### Shot b: the clip
> The hands stop

- **Model**: kling-3.0/video
- **Start frame**: 2a take 2
- **Duration**: 5s
"""

FOREIGN = {
    "assets": [
        {
            "id": "img-001",
            "type": "image",
            "filename": "assets/images/gull.png",
            "prompt": "A gull on a rail",
            "model": "Nano Banana 2",
            "parameters": {"size": "16:9"},
            "created_at": "2026-01-05T08:00:00.000Z",
            "scene_id": 9,
            "version": 1,
            "mood": "a key of the other tool",
        }
    ],
    "version": "1.0",
}


@dataclass
class Old:
    """The program of 0.1, run in one project folder against one simulator."""

    checkout: Path
    folder: Path
    url: str

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent.parent / "home"),
            "PYTHONPATH": str(self.checkout),
            "KIE_API_KEY": KEY,
            "KIE_BASE_URL": self.url,
            "KIEBATCH_SPEED": "4000",
            "LANG": "C.UTF-8",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "kiebatch", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *arguments: str, expect: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=200)
        print("$ kiebatch", *arguments, f"-> {process.returncode}", file=sys.stderr)
        assert process.returncode == expect, f"{process.returncode}\n{out}\n{err}"
        return out

    def run(self, scene_file: str, *arguments: str, expect: int = 0) -> str:
        options = ["--yes", "--no-canary", "--timeout", "3", "--rate", "1000/1s", "--poll-interval", "0.05"]
        return self.command("run", scene_file, *options, *arguments, expect=expect)

    def fault(self, text: str) -> None:
        httpx.post(f"{self.url}/_sim/faults", json=text).raise_for_status()

    def clear(self) -> None:
        httpx.post(f"{self.url}/_sim/faults/clear", json={}).raise_for_status()

    def submissions(self) -> int:
        return int(httpx.get(f"{self.url}/_sim/stats").json()["requests"].get("submit", 0))


@contextlib.contextmanager
def simulator(checkout: Path) -> Iterator[str]:
    """Serve the old simulator, with small pictures, until the block ends."""
    program = (
        "from kiebatch.simulator import Settings, background\n"
        "running = background.start(Settings.quick(speed=4000.0, pixels=0.0625, unknown_models=False))\n"
        "print(running.url, flush=True)\n"
        "input()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate("\n")


def scenes(*, first: int, edit: str, accept: str) -> str:
    moved = "moved: {1: 10}" if first == 10 else ""
    return SCENES.format(
        first=first,
        edit=edit,
        accept=accept,
        moved=moved,
        nbsp=NO_BREAK_SPACE,
        nfd=DECOMPOSED,
        blanks="  ",
    )


def until(happened: Callable[[], bool]) -> None:
    while not happened():
        time.sleep(0.02)


def film(old: Old, folder: Path) -> None:
    """Make the YAML film: first what is settled, then one shot for each state that an attempt can be left in."""
    (folder / "refs").mkdir(parents=True)
    Image.new("RGB", (8, 8), (180, 160, 40)).save(folder / "refs" / "keeper.png")
    images = folder / "assets" / "images"
    images.mkdir(parents=True)
    Image.new("RGB", (16, 9), (200, 210, 220)).save(images / "gull.png")
    (folder / "assets" / "manifest.json").write_text(json.dumps(FOREIGN, indent=2), encoding="utf-8")
    scene_file = folder / "scenes.yaml"
    settled = ["--only", "1-12", "--cache", "../cache"]

    scene_file.write_text(scenes(first=1, edit="closed", accept="shut"), encoding="utf-8")
    old.run("scenes.yaml", "--only", "2a", "--cache", "../cache")
    old.command("pick", "2a#2", "--note", "the lantern")
    old.command("pick", "2a#3", "--reject")
    old.fault("submit~nano*@1=fail:422 the picture was not allowed")
    old.run("scenes.yaml", "--only", "6", "--cache", "../cache")
    old.clear()
    old.run("scenes.yaml", *settled)

    scene_file.write_text(scenes(first=10, edit="open", accept="ajar"), encoding="utf-8")
    old.command("accept", "12b")
    own = folder / "own.png"
    Image.new("RGB", (16, 9), (90, 60, 30)).save(own)
    old.command("adopt", ADOPTED_SLOT, "own.png")
    own.unlink()
    old.command("plan", "scenes.yaml", "--only", "12a", "--out", "../plans/spent.plan")
    old.command("run", "--plan", "../plans/spent.plan", "--yes")
    old.run("scenes.yaml", "--only", "2-12", "--only", "10", "--cache", "../cache")

    states(old, folder)
    old.command("plan", "scenes.yaml", "--only", "20.new", "--out", "../plans/next.plan")


def states(old: Old, folder: Path) -> None:
    """Leave one attempt behind in each state; a state that the next run would settle comes late."""

    def only(shot: str, expect: int) -> None:
        old.run("scenes.yaml", "--only", f"20.{shot}", expect=expect)
        old.clear()

    def held(shot: str) -> None:
        old.fault("submit@1=cut+after")
        only(shot, expect=5)

    old.fault("submit@1=fail:500 Internal error, try again")
    only("failed", expect=1)
    old.fault("submit@1=fail:422 the prompt was not allowed")
    only("never", expect=1)
    old.fault("submit@1=code:422")
    only("refused", expect=1)
    manifest = folder / "assets" / "manifest.json"
    before = manifest.read_bytes()
    only("unrecorded", expect=0)
    manifest.write_bytes(before)  # as `git checkout` of an older commit does
    for shot, decision in (("forgotten", ["--forget"]), ("resubmit", ["--resubmit"])):
        held(shot)
        old.command("resolve", f"20.{shot}", *decision, "--project", ".")
    held("wrong")
    old.command("resolve", "20.wrong", "--task-id", "0123456789abcdef0123456789abcdef", "--project", ".")
    # The provider's "no such task" is believed after 90 seconds.
    old.run("scenes.yaml", "--only", "20.wrong", "--timeout", "120", expect=1)
    held("held")
    old.fault("submit@1=stuck")
    only("running", expect=1)
    old.fault("download@1x1000=gone")
    old.fault("link@1x1000=code:404")
    old.run("scenes.yaml", "--only", "20.lost", expect=1)
    manifest.write_bytes(before)
    sent = old.submissions()
    old.fault("submit@1=slow:60")
    process = old.start("run", "scenes.yaml", "--only", "20.intended", "--yes", "--no-canary")
    until(lambda: old.submissions() > sent)
    process.send_signal(signal.SIGKILL)
    process.wait()
    old.clear()


def markdown(old: Old, folder: Path) -> None:
    folder.mkdir()
    (folder / "SCENES.md").write_text(MARKDOWN, encoding="utf-8")
    old.run("SCENES.md", "--only", "2a")
    old.command("pick", "2a#2")
    old.run("SCENES.md")


def expected(old: Old, scene_file: str, target: Path) -> None:
    """Keep what 0.1 itself plans for the project that it made."""
    plan: dict[str, Any] = json.loads(old.command("plan", scene_file, "--json"))
    jobs = [{name: job[name] for name in ("slot", "action", "reason", "fingerprint")} for job in plan["jobs"]]
    target.write_text(json.dumps(jobs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    checkout, target = (Path(argument).resolve() for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as room, simulator(checkout) as url:
        made = Path(room) / "project"
        (made / "plans").mkdir(parents=True)
        for name, scene_file, make in (("film", "scenes.yaml", film), ("markdown", "SCENES.md", markdown)):
            old = Old(checkout, made / name, url)
            make(old, made / name)
            expected(old, scene_file, made / f"{name}.plan.json")
            state = made / name / ".kiebatch"
            with contextlib.closing(sqlite3.connect(state / "journal.sqlite")) as journal:
                journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                found = journal.execute("SELECT state, code, count(*) FROM attempts GROUP BY 1, 2").fetchall()
            print(name, found, file=sys.stderr)
            # Under a name that no .gitignore hides.
            (made / name / "state").mkdir()
            shutil.copy(state / "journal.sqlite", made / name / "state" / "journal.sqlite")
            shutil.rmtree(state)
        shutil.copytree(made, target, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
