"""A simulator in a process of its own, which ends with this one: what `--draft` and the tests use."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kiebatch.errors import KieBatchError
from kiebatch.simulator.faults import Fault
from kiebatch.simulator.settings import Settings

# The child finds the package where we found it, also from a checkout that is not installed.
_ROOT = str(Path(__file__).parents[2])


@dataclass(slots=True)
class Background:
    """A running simulator: where it listens and which key it takes.  Ends by `stop`, or with this process."""

    url: str
    key: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        """End the server, and wait until it has."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    settings: Settings | None = None,
    *,
    faults: Iterable[Fault] = (),
    captions: Mapping[str, str] | None = None,
    port: int = 0,
) -> Background:
    """Start a simulator on a loopback port (0: a free one) and return when it takes connections.

    Settings default to `Settings.quick()`.  `captions` maps a prompt to what its picture is called (`2b`).
    The server ends when this process ends, SIGKILL included: it watches a pipe that we hold, and its parent.
    """
    settings = settings or Settings.quick()
    if not settings.instance:
        settings = replace(settings, instance=secrets.token_hex(8))
    wish: dict[str, Any] = {
        "settings": asdict(settings),
        "faults": [fault.as_json() for fault in faults],
        "captions": dict(captions or {}),
        "port": port,
        "parent": os.getpid(),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "kiebatch.simulator.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))},
        start_new_session=True,  # a Ctrl-C on the terminal is not meant for it
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(json.dumps(wish).encode() + b"\n")
    process.stdin.flush()
    url = process.stdout.readline().decode().strip()
    if not url:
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
        process.wait()
        raise KieBatchError("the simulator did not start", hint=said[-1] if said else "")
    return Background(url=url, key=settings.key, process=process)
