"""Runs one kiebatch command as a process of its own, whose stdout is one JSON document.

A process, because a run that is cancelled stops submitting at one SIGINT and goes on collecting what is paid for, also
when the server is gone; and because nothing that it prints can get into the server's own stdout, which is the protocol.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import anyio
import anyio.to_thread

from kiebatch.errors import Exit, plain
from kiebatch.model import JSON


class Event(TypedDict, total=False):
    """A line of `--events`, as far as it is read here."""

    event: str
    slot: str
    credits: float | None


_LOOK_S = 0.05  # how often a run's events are read


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command answered: its exit code, and the JSON document of its stdout."""

    code: int
    answer: dict[str, JSON]


async def command(arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Ended:
    """Run a command that spends nothing to its end."""

    def work() -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "kiebatch", *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return _ended(done.returncode, done.stdout)

    return await anyio.to_thread.run_sync(work)


class Run:
    """A `kiebatch run` in progress, with its events and its answer as files in `room`."""

    def __init__(
        self, arguments: Sequence[str], room: Path, *, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.events: list[Event] = []
        self._answer = room / "answer.json"
        self._events = room / "events.jsonl"
        self._read = 0
        command, *options = arguments
        with self._answer.open("wb") as stdout:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kiebatch", command, f"--events={self._events}", *options],
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # the end of the server does not end a run that is collecting
            )

    def stop(self) -> None:
        """Stop submitting and go on collecting what is paid for: the first Ctrl-C."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    async def wait(self, happened: Callable[[Event], None]) -> Ended:
        """Wait for the run's end, and pass on each of its events as it comes."""
        while self._process.poll() is None:
            self._look(happened)
            await anyio.sleep(_LOOK_S)
        self._look(happened)
        return _ended(self._process.returncode, self._answer.read_bytes())

    def _look(self, happened: Callable[[Event], None]) -> None:
        if not self._events.exists():
            return
        with self._events.open("rb") as stream:
            stream.seek(self._read)
            for line in stream:
                if not line.endswith(b"\n"):
                    return  # it is being written
                self._read += len(line)
                self.events.append(json.loads(line))
                happened(self.events[-1])


def _ended(code: int, out: bytes) -> Ended:
    try:
        answer = json.loads(out)
    except ValueError:
        text = plain(out[:200].decode("utf-8", "replace"))
        return Ended(int(Exit.BUG), {"status": "error", "message": f"not a JSON answer: {text}"})
    return Ended(code, answer if isinstance(answer, dict) else {"items": answer})
