"""Cuts a process off from the database, not from the provider: what is sent is neither answered nor refused.

Where this machine lets us, the process has a network of its own (a namespace of Linux, which takes root).  The provider
is on that network's loopback, and the database at the far end of a cable that is pulled.  Elsewhere a proxy goes silent.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

from bench.proxy import Proxy

_CLONE_NEWNET = 0x40000000
_HERE, _THERE = "10.213.77.1", "10.213.77.2"  # at the two ends of the cable


class Cable(Protocol):
    """What leads from a process to the database."""

    kind: str

    @property
    def database(self) -> str:
        """Return the database's host and port, as the process calls them."""
        ...

    def command(self, command: Sequence[str]) -> list[str]:
        """Return how to run a command at the end of the cable."""
        ...

    def cut(self) -> None: ...

    def mend(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def cable(provider: int, database: int) -> Cable:
    """Return a way from a process to two ports of this machine."""
    return Network(provider, database) if _networks() else Silence(database)


def _networks() -> bool:
    """Whether this machine lets us make networks."""
    return (
        os.getuid() == 0
        and shutil.which("ip") is not None
        and subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0
    )


class Silence:
    """A proxy that goes silent, and drops its connections when it is mended."""

    kind = "a proxy that goes silent"

    def __init__(self, database: int) -> None:
        self._proxy = Proxy(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.close()

    @property
    def database(self) -> str:
        return f"127.0.0.1:{self._proxy.port}"

    def command(self, command: Sequence[str]) -> list[str]:
        return list(command)

    def cut(self) -> None:
        self._proxy.silent.set()

    def mend(self) -> None:
        self._proxy.silent.clear()
        self._proxy.drop()


class Network:
    """A network that reaches `provider` on its own loopback, and `database` through a cable; both are ports of ours."""

    kind = "a network of its own, whose cable is pulled"

    def __init__(self, provider: int, database: int) -> None:
        self.name = f"kiebatch-{os.getpid()}"
        self._cable = f"kb{os.getpid()}"
        self._ports = (provider, database)

    def __enter__(self) -> Self:
        ends = (f"{self._cable}a", f"{self._cable}b")
        _ip("netns", "add", self.name)
        _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", self.name)
        _ip("address", "add", f"{_HERE}/30", "dev", ends[0])
        _ip("link", "set", ends[0], "up")
        _ip("-n", self.name, "address", "add", f"{_THERE}/30", "dev", ends[1])
        _ip("-n", self.name, "link", "set", ends[1], "up")
        _ip("-n", self.name, "link", "set", "lo", "up")
        provider, database = self._ports
        self._provider = Proxy(provider, server=_listening_in(self.name, provider))
        self._database = Proxy(database, server=socket.create_server((_HERE, 0)))
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in (self._provider, self._database):
            proxy.close()
        _ip("link", "del", f"{self._cable}a")
        _ip("netns", "del", self.name)

    @property
    def database(self) -> str:
        return f"{_HERE}:{self._database.port}"

    def command(self, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]

    def cut(self) -> None:
        _ip("link", "set", f"{self._cable}a", "down")

    def mend(self) -> None:
        _ip("link", "set", f"{self._cable}a", "up")


def _ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


def _listening_in(name: str, port: int) -> socket.socket:
    """Return a socket that listens on the loopback of another network.  A thread alone can go there and make it."""
    made: list[socket.socket] = []

    def there() -> None:
        with Path(f"/run/netns/{name}").open("rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        made.append(socket.create_server(("127.0.0.1", port)))

    thread = threading.Thread(target=there)
    thread.start()
    thread.join()
    return made[0]
