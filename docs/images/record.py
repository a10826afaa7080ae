"""Records what `make demo` shows on a terminal, as an asciicast: `python docs/images/record.py`.

It runs the commands of the Makefile's target in a terminal of its own and writes docs/images/demo.cast (format version 2,
https://docs.asciinema.org/manual/asciicast/v2/). Moments without output are cut to two seconds.
"""

from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CAST = Path(__file__).parent / "demo.cast"
WIDTH, HEIGHT = 110, 32
LONGEST_PAUSE_S = 2.0
TYPING_S = 0.03


def commands(makefile: str) -> list[str]:
    """Return the commands of the target `demo`, as a person types them."""
    body = makefile.partition("\ndemo:")[2].split("\n\n")[0].splitlines()[1:]
    lines = [line.strip().replace("$(BIN)/", "") for line in body]
    return [line for line in lines if line.startswith(("rm ", "cp ", "kiebatch "))]


def output(command: str, folder: Path) -> Iterator[tuple[float, str]]:
    """Run a command on a terminal; yield what it writes, with the seconds since it began."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (HEIGHT, WIDTH))
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {
        "PATH": programs,
        "HOME": str(folder),
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
    }
    began = time.monotonic()
    child = subprocess.Popen(
        ["sh", "-c", command], cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            part = b""
        if not part:
            break
        yield time.monotonic() - began, part.decode("utf-8", "replace")
    os.close(ours)
    if child.wait():
        raise SystemExit(f"`{command}` ended with {child.returncode}")


def record(folder: Path) -> Iterator[tuple[float, str]]:
    """Type each command and show what it writes, on one clock."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    now = 0.0
    for command in commands((ROOT / "Makefile").read_text(encoding="utf-8")):
        yield now, "$ "
        for letter in command:
            now += TYPING_S
            yield now, letter
        now += 0.3
        yield now, "\r\n"
        last = 0.0
        for moment, text in output(command, folder):
            now += min(moment - last, LONGEST_PAUSE_S)
            last = moment
            yield now, text
        now += 1.0


def main() -> None:
    header = {
        "version": 2,
        "width": WIDTH,
        "height": HEIGHT,
        "title": "A film from a scene file, as a draft",
        "command": shlex.join(["make", "demo"]),
    }
    with tempfile.TemporaryDirectory(prefix="cast-") as name:
        events = [json.dumps([round(now, 3), "o", text]) for now, text in record(Path(name))]
    CAST.write_text("\n".join([json.dumps(header), *events]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
