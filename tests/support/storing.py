"""Results that are stored one after the other, also by a process that can be killed: `python -m support.storing`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from kiebatch.record import Key, Results
from kiebatch.record.store import open_store
from support.places import ROOT, TESTS
from support.records import an_asset


def key(number: int) -> Key:
    return Key(f"sha256:{number:064x}")


def words(number: int) -> str:
    return f"{number} " * 40_000


def put(store: Results, number: int, folder: Path) -> None:
    """Store a result of some 100 KB."""
    path, content = folder / f"{number}.png", words(number)
    path.write_text(content)
    digest = hashlib.sha256(content.encode()).hexdigest()
    asset = an_asset(filename=f"assets/{path.name}", sha256=digest, bytes=len(content))
    store.put(key(number), [asset], {asset.filename: path})


def start(address: str, folder: Path, count: int) -> subprocess.Popen[bytes]:
    """Start a process that stores so many results."""
    command = [sys.executable, "-m", "support.storing", address, str(folder), str(count)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{TESTS}"})


def main(address: str, folder: str, count: str) -> None:
    store = open_store(address)
    for number in range(int(count)):
        put(store, number, Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
