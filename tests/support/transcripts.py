"""Runs the `console` blocks of a document, as a reader would type them, and compares what they print."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """One command of a document, and what the document says it prints."""

    text: str
    expected: list[str]


def files(text: str) -> dict[str, str]:
    """Return the files that a document shows: code blocks whose first line is a comment with a name."""
    return {
        name: f"# {name}\n{body}"
        for name, body in re.findall(r"```\w+\n# (\w+\.\w+)\n(.*?)```", text, re.DOTALL)
    }


def commands(text: str) -> list[Command]:
    found: list[Command] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:], []))
            else:
                found[-1].expected.append(line)
    return found


def run(document: Path, folder: Path, environment: Mapping[str, str]) -> list[tuple[Command, list[str]]]:
    """Run a document's commands one after the other in a folder; return each with the lines it printed."""
    text = document.read_text(encoding="utf-8")
    for name, content in files(text).items():
        (folder / name).write_text(content, encoding="utf-8")
    results = []
    entered = ""  # what a reader's shell keeps for the commands after it
    for command in commands(text):
        if command.text.startswith(". "):
            entered += f"{command.text}\n"
        done = subprocess.run(
            ["bash", "-c", entered + command.text], cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
        )  # fmt: skip
        results.append((command, done.stdout.splitlines()))
    return results


def alike(lines: list[str]) -> list[str]:
    """Return lines without what differs each time: digests, times, sizes, and the order in which jobs end."""
    shown = (re.sub(r"\b[0-9a-f]{7,64}\b", "HEX", line) for line in lines)
    shown = (re.sub(r'\btime="[\d.]+"', 'time="N"', line) for line in shown)
    shown = (re.sub(r"\b(img|vid|aud)-\d{3,}\b", r"\1-N", line) for line in shown)
    shown = (re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d\.\d+Z)?", "TIME", line) for line in shown)
    return sorted(re.sub(r"\(\d+ bytes\)", "(N bytes)", line.rstrip()) for line in shown if line.strip())
