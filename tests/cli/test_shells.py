"""Other places to run in: a terminal without colours, a dumb one, and cron, which has next to no environment."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from support.places import ROOT

SCENES = "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n  - {id: 1, prompt: A small boat nears the lighthouse}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenes.yaml").write_text(SCENES, encoding="utf-8")
    return tmp_path


def on_a_terminal(folder: Path, *command: str, **environment: str) -> str:
    """Run a command on a terminal of its own, and return what it wrote there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    child = subprocess.Popen(
        [sys.executable, "-m", "kiebatch", *command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert child.wait() == 0, written
    return written.decode("utf-8").replace("\r\n", "\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("plan", "scenes.yaml"), ("validate", "scenes.yaml"), ("plan", "--help")]
)
def test_with_no_color_there_is_no_escape_sequence(folder: Path, command: tuple[str, ...]) -> None:
    said = on_a_terminal(folder, *command, TERM="xterm-256color", NO_COLOR="1")

    assert said
    assert "\x1b" not in said


@pytest.mark.slow
def test_a_dumb_terminal_gets_lines_and_no_bar(folder: Path) -> None:
    said = on_a_terminal(folder, "run", "scenes.yaml", "--draft", TERM="dumb")

    assert "saved 1: draft/images/scene-01.jpg" in said.splitlines()
    assert "\x1b" not in said
    assert "\r" not in said


@pytest.mark.slow
def test_a_terminal_that_can_gets_a_bar(folder: Path) -> None:
    said = on_a_terminal(folder, "run", "scenes.yaml", "--draft", TERM="xterm-256color")

    assert "1/1" in said


@pytest.mark.slow
def test_cron_runs_it_with_next_to_no_environment(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kiebatch", "run", "scenes.yaml", "--draft", "--json"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert '"status": "success"' in done.stdout
