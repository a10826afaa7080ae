"""An S3 server of one's own: moto in a process on a free loopback port, and a network before it that misbehaves."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench import postgres
from bench.waiting import until

SLOW_S = 0.5
KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}


@dataclass
class Buckets:
    """A running server; `url` is its endpoint."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def make(self, bucket: str) -> str:
        """Make a bucket and return its address as a store."""
        self.ask("PUT", f"/{bucket}")
        return f"s3://{bucket}/film"

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            assert answer.status < 300, (method, path, answer.status)
            return answer.read()
        finally:
            connection.close()


@contextlib.contextmanager
def start() -> Iterator[Buckets]:
    port = postgres.free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tempfile.gettempdir(),
        env={**os.environ, **KEYS},
    )
    try:
        until(lambda: _listens(port) or process.poll() is not None, "the S3 server")
        assert process.poll() is None, "the S3 server did not start"
        yield Buckets(port)
    finally:
        process.kill()
        process.wait(10)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


# --- a network that misbehaves -------------------------------------------------------------------------


@dataclass
class Fault:
    """What goes wrong with some requests: a status, a connection that is cut, or an answer that never comes."""

    what: int | str  # a status; "reset"; "silent"; "slow": it passes, late
    method: str = ""
    part: str = ""  # of the path
    times: int = 1000

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and method == (self.method or method) and self.part in path


@dataclass
class Network:
    """A proxy before a server: what `faults` name goes wrong, all else passes."""

    target: int
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    server: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def fault(self, what: int | str, *, method: str = "", part: str = "", times: int = 1000) -> None:
        self.faults.append(Fault(what, method, part, times))

    def mend(self) -> None:
        self.faults.clear()

    def next_fault(self, method: str, path: str) -> int | str | None:
        self.requests.append((method, path))
        for fault in self.faults:
            if fault.fits(method, path):
                fault.times -= 1
                return fault.what
        return None


@contextlib.contextmanager
def between(buckets: Buckets) -> Iterator[Network]:
    """Run a proxy before the server."""
    network = Network(buckets.port)
    network.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(network))
    network.server.daemon_threads = True
    thread = threading.Thread(
        target=network.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield network
    finally:
        network.over.set()
        network.server.shutdown()
        network.server.server_close()
        thread.join(10)


def _handler(network: Network) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            what = network.next_fault(self.command, self.path)
            if what == "silent":
                network.over.wait(30)
            if what == "slow":
                network.over.wait(SLOW_S)
                what = None
            if isinstance(what, str):
                self.close_connection = True
                self.connection.close()
                return
            if what is not None:
                text = b"<Error><Code>TroubleOfTheTests</Code></Error>"
                self._answer(what, {}, b"" if self.command == "HEAD" else text)
                return
            self._answer(*self._passed_on(body))

        def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", network.target, timeout=20)
            try:
                headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                connection.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            dropped: tuple[str, ...] = ("connection", "transfer-encoding", "date", "server")
            if self.command != "HEAD":
                dropped = (*dropped, "content-length")
                self.send_header("content-length", str(len(body)))
            elif "content-length" not in {k.lower() for k in headers}:
                self.send_header("content-length", "0")
            for name, value in headers.items():
                if name.lower() not in dropped:
                    self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    return Handler


def files_of(folder: Path) -> list[str]:
    """Return the names of the files under a folder, sorted."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
