"""Serves a simulator on a real socket; run as a program by `background`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from kiebatch.simulator.drawing.pool import die_with, drawing_pool
from kiebatch.simulator.faults import Fault
from kiebatch.simulator.server.application import Application, application
from kiebatch.simulator.server.background import Launch
from kiebatch.simulator.server.guard import Guard
from kiebatch.simulator.settings import Settings
from kiebatch.simulator.state import Simulator
from kiebatch.simulator.wire import Cut


class Protocol(H11Protocol):
    """HTTP/1.1 that can hang up in the middle, when the application says so."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self.app = partial(_or_cut, self.app, transport)


async def _or_cut(
    app: ASGIApp, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    try:
        await app(scope, receive, send)
    except Cut:
        transport.abort()


def listen(port: int = 0, host: str = "127.0.0.1") -> socket.socket:
    """Return a listening socket on the loopback interface; port 0 takes a free one.  OSError if taken."""
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted; without, answers wait 40 ms.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((host, port))
    found.listen(1024)
    return found


def url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn around one simulator.  Signals are left to whoever runs it."""

    def __init__(self, app: Application) -> None:
        super().__init__(
            uvicorn.Config(
                Guard(app),
                http=Protocol,
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_keep_alive=60,
                timeout_graceful_shutdown=1,
                backlog=1024,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Serve until standard input ends: `background` holds the other end of that pipe.

    Reads one line of JSON, a `Launch`, and answers with one line: the URL.
    """
    launch: Launch = json.loads(sys.stdin.buffer.readline())
    die_with(launch["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who still wants its results
    settings = Settings.from_json(launch["settings"])
    sockets = [listen(launch["port"])]
    if launch["separate_media"]:
        sockets.append(listen())
        settings = replace(settings, media_url=url_of(sockets[1]))
    sim = Simulator(settings)
    for fault in launch["faults"]:
        sim.faults.add(Fault.from_json(fault))
    sim.caption(launch["captions"])
    server = Server(application(sim, drawing_pool()))

    def end_with_input() -> None:
        while os.read(0, 4096):
            pass
        server.should_exit = True

    threading.Thread(target=end_with_input, daemon=True).start()
    sys.stdout.buffer.write(url_of(sockets[0]).encode() + b"\n")  # not in the encoding of the environment
    sys.stdout.buffer.flush()
    server.run(sockets=sockets)
    os._exit(0)
