"""A PostgreSQL of one's own: a temporary folder, a free loopback port, gone at the end."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


def program(name: str) -> str | None:
    """Return a program of PostgreSQL's server: on the PATH, or where Debian puts it."""
    found = shutil.which(name)
    if found:
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else None


@dataclass
class Server:
    """One server.  `fsync` off loses what a power cut would, and nothing that a kill would."""

    folder: Path
    port: int
    fsync: bool = False

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def make(self) -> None:
        self._as_server(
            [
                _needed("initdb"),
                "-D",
                str(self.data),
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--no-sync",
                "--no-locale",
            ]
        )

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self.fsync else "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self.folder / "log"
        self._as_server(
            [
                _needed("pg_ctl"),
                "-D",
                str(self.data),
                "-l",
                str(log),
                "-o",
                options,
                "-w",
                "-t",
                "60",
                "start",
            ]
        )

    def stop(self, how: str = "immediate") -> None:
        self._as_server([_needed("pg_ctl"), "-D", str(self.data), "-m", how, "-w", "-t", "60", "stop"])

    def _as_server(self, command: list[str]) -> None:
        """Run a program as a user that PostgreSQL accepts: it refuses root."""
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def _needed(name: str) -> str:
    found = program(name)
    assert found, f"{name} is not here"
    return found


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def server(*, fsync: bool = False) -> Iterator[Server]:
    """Make a server and start it; stop it and remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="kiebatch-pg-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        found = Server(folder, free_port(), fsync)
        found.make()
        found.start()
        try:
            yield found
        finally:
            with contextlib.suppress(RuntimeError):
                found.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_schema(url: str) -> str:
    """Make an empty schema; return the address that leads into it alone."""
    import psycopg

    name = f"t{secrets.token_hex(8)}"
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(f"CREATE SCHEMA {name}")
    return f"{url}?options=-csearch_path%3D{name}"


def commits(url: str) -> int:
    """Return how many transactions the database has seen, reads included.  A connection tells when it is closed."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        row = db.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])
