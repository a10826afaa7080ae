"""A simulator in a process of its own, which ends with this one: what `--draft` and the tests use."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

from kiebatch.errors import KieBatchError
from kiebatch.model import JSON
from kiebatch.simulator.faults import Fault
from kiebatch.simulator.settings import Settings

# The child finds the package where we found it, also in a checkout that is not installed; last in the path, and
# without the current folder (-P), so that nothing beside it is taken for a module of Python's.
_ROOT = str(Path(__file__).parents[3])
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from kiebatch.simulator.server.server import main; main()"
)


class Launch(TypedDict):
    """What a process is told that is to be a simulator: one line of JSON on its standard input."""

    settings: Mapping[str, JSON]
    faults: Sequence[Mapping[str, JSON]]
    captions: Mapping[str, JSON]
    port: int
    separate_media: bool
    parent: int  # the process that it ends with


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
    captions: Mapping[str, str | Sequence[str]] | None = None,
    port: int = 0,
    separate_media: bool = False,
) -> Background:
    """Start a simulator on a loopback port (0: a free one) and return when it takes connections.

    Settings default to `Settings.quick()`.  `captions` maps a prompt to what its pictures are called
    (`2b`), one text for all of them or one for each request in order.
    With `separate_media` results and uploads lie on another port, as they lie on another host at the provider.
    The server ends when this process ends, SIGKILL included: it watches a pipe that we hold, and its parent.
    """
    settings = settings or Settings.quick()
    if not settings.instance:
        settings = replace(settings, instance=secrets.token_hex(8))
    launch: Launch = {
        "settings": asdict(settings),
        "faults": [fault.as_json() for fault in faults],
        "captions": dict(captions or {}),
        "port": port,
        "separate_media": separate_media,
        "parent": os.getpid(),
    }
    with tempfile.TemporaryFile() as talk:  # a pipe that nobody reads could fill up
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=talk,
            start_new_session=True,  # a Ctrl-C on the terminal is not meant for it
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(launch).encode() + b"\n")
        process.stdin.flush()
        url = process.stdout.readline().decode().strip()
        if not url:
            process.wait()
            talk.seek(0)
            said = talk.read().decode(errors="replace").strip().splitlines()
            raise KieBatchError("the simulator did not start", hint=said[-1] if said else "")
    return Background(url=url, key=settings.key, process=process)
