"""A TCP proxy that can go silent: it takes what it gets and passes nothing on, as a partition looks from inside."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Proxy:
    """Passes connections on to a port of this machine.  While `silent` is set nothing passes, in either direction.

    `server` is where it listens; a free port of the loopback where nothing is said.
    """

    def __init__(self, target: int, *, server: socket.socket | None = None) -> None:
        self.silent = threading.Event()
        self._target = target
        self._server = server or socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # else `accept` would hold it open
        self._server.close()
        self.drop()

    def drop(self) -> None:
        """Cut every connection that is there."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
                there = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._pairs.append((client, there))
            for source, target in ((client, there), (there, client)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.silent.is_set():
                    target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
