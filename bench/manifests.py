"""How long the record takes when it is large: read, write, enter, compare, merge, `kiebatch diff` as a whole.

python bench/manifests.py [ASSETS]
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kiebatch.model import Asset
from kiebatch.record import gitdrivers, manifest
from kiebatch.record.manifest import Manifest, differences, merging


def asset(
    number: int,
    words: str = "a small boat nears the lighthouse at dusk, storm light, 35 mm film, heavy grain",
) -> Asset:
    digest = hashlib.sha256(f"{number} {words}".encode()).hexdigest()
    prompt = f"Panel {number}: {words}"
    return Asset(
        id=f"img-{number:03d}",
        type="image",
        filename=f"assets/images/scene-{number}.png",
        prompt=prompt,
        model="google/nano-banana",
        parameters={"size": "16:9", "endpoint": "/api/v1/jobs/createTask", "input": {"prompt": prompt, "image_size": "16:9", "output_format": "png"}},
        created_at="2026-03-01T10:00:00.000Z",
        scene_id=number,
        task_id=digest[:32],
        fingerprint=f"sha256:{digest}",
        sha256=digest,
        bytes=123456,
        media_type="image/png",
        width=1344,
        height=768,
        credits=4,
    )  # fmt: skip


def replaced(record: Manifest, every: int, words: str) -> Manifest:
    for number in range(1, len(record.assets) + 1, every):
        current = record.current(number)
        new = dataclasses.replace(asset(number, words), created_at="2026-03-02T10:00:00.000Z")
        record, _ = manifest.record(record, [new], current)
    return record


@contextmanager
def timed(name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{name:<52} {time.perf_counter() - start:8.3f} s")


def report(name: str, work: Callable[[], object]) -> object:
    with timed(name):
        return work()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    record = Manifest(tuple(asset(number) for number in range(1, count + 1)), source="scenes.yaml")
    text = str(report(f"write {count} assets", lambda: manifest.dump(record)))
    print(f"{'':<52} {len(text) / 1e6:8.1f} MB")
    report("read them", lambda: manifest.parse(text, "manifest.json"))
    report(
        "write again after one more", lambda: manifest.dump(manifest.record(record, [asset(count + 1)])[0])
    )
    ours = replaced(record, 40, "a small boat leaves the lighthouse at dawn")
    theirs = replaced(record, 50, "a large ship passes the lighthouse at night")
    changes = report(f"compare, {count // 40} new versions", lambda: differences.between(record, ours))
    assert isinstance(changes, list)
    assert len(changes) == -(-count // 40)
    report("merge two branches", lambda: merging.merge(record, ours, theirs))
    report("as lines for `git diff`", lambda: gitdrivers.readable(text))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "old.json").write_text(text, encoding="utf-8")
        (folder / "new.json").write_text(manifest.dump(ours), encoding="utf-8")
        command = [sys.executable, "-m", "kiebatch", "diff", "old.json", "new.json"]
        env = {**os.environ, "PYTHONPATH": str(Path(manifest.__file__).parents[3])}
        report("`kiebatch diff` of two files, as a whole", lambda: subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL))  # fmt: skip


if __name__ == "__main__":
    main()
