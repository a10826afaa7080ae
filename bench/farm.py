"""A farm of workers, measured and killed: `python -m bench.farm scale` or `… kills`.

`scale`: 400 clips of 2 MB from a server that gives 2 MB/s a connection, fetched by one process, then by 1, 2 and 4
workers with 4 units at once: speed-up, processor time a unit (PostgreSQL's included), memory of the one who asked.

`kills`: 2,000 pictures and 4 workers of which one is killed again and again, while PostgreSQL is stopped and started:
every output is stored once with its own bytes, and the attempts are counted.

Real processes, a real PostgreSQL in a temporary folder, real SIGKILLs.  Wall times on a machine that does other things
say little; ratios and counts say more.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from bench import postgres
from kiebatch import media
from kiebatch.farm import Pace, StoreShelf, TeamQueue
from kiebatch.model import Modality, Output
from kiebatch.provider import Client
from kiebatch.record.store import layout, open_store
from kiebatch.team import Away, Connection, schema
from kiebatch.units import Context, LocalQueue, Made, NoRows, Order, download

_CHUNK = 64 << 10
_PATIENCE_S = 900.0
# A worker that was killed keeps its row; one that beats is alive.
_ALIVE = "SELECT pid FROM workers WHERE ended IS NULL AND beat > clock_timestamp() - make_interval(secs => 1)"


# --- results to fetch ----------------------------------------------------------------------------------


def picture(number: int) -> bytes:
    """Return a small picture that no other number has."""
    made = io.BytesIO()
    colour = (number % 256, number // 256 % 256, number // 65536)
    Image.new("RGB", (64, 36), colour).save(made, "PNG")
    return made.getvalue()


def clip(folder: Path, size: int) -> bytes:
    """Return a real clip, made larger by a box that players skip."""
    path = folder / "clip.mp4"
    media.run_ffmpeg(["-f", "lavfi", "-i", "testsrc=d=1:s=320x180", "-pix_fmt", "yuv420p", f"file:{path}"])
    made = path.read_bytes()
    room = size - len(made) - 16
    return made + (room + 8).to_bytes(4, "big") + b"free" + bytes(room)


def clip_of(whole: bytes, number: int) -> bytes:
    """Return the clip of a number: its last box holds it."""
    return whole + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")


async def _serve(kind: str, rate: float, delay_s: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = clip(Path(folder), 2 << 20) if kind == "clip" else b""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            number = int(request.split(b" ")[1].strip(b"/"))
            body = clip_of(whole, number) if whole else picture(number)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            await asyncio.sleep(delay_s)
            writer.write(head.encode())
            await _pour(writer, body, rate)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def _pour(writer: asyncio.StreamWriter, body: bytes, rate: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for at in range(0, len(body), _CHUNK):
        writer.write(body[at : at + _CHUNK])
        await writer.drain()
        if rate:
            await asyncio.sleep(max(0.0, began + at / rate - loop.time()))


@contextlib.contextmanager
def served(kind: str, rate: float = 0.0, delay_s: float = 0.0) -> Iterator[str]:
    """Serve results in a process of its own; yield its address."""
    command = [sys.executable, "-m", "bench.farm", "serve", "--kind", kind, "--rate", str(rate)]
    command += ["--delay", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environ()) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


# --- the farm ------------------------------------------------------------------------------------------


@dataclass
class Farm:
    """A team's database and store, the server of its results, and its workers."""

    database: str
    folder: Path
    media: str
    modality: Modality
    scale: float = 0.1
    bucket: str = ""  # the address of a store that is no folder
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def prepare(self, count: int) -> list[Order]:
        """Enter paid tasks whose outputs are to be stored; return the units that store them."""
        self.store.mkdir(parents=True)
        connection = Connection(self.database, patience_s=30)
        schema.migrate(connection)
        attempts = connection.transact(lambda cursor: [_attempt(cursor, n, self) for n in range(count)])
        connection.close()
        return [self.order(attempt, number) for number, attempt in enumerate(attempts)]

    def order(self, attempt: int, number: int) -> Order:
        output = Output(number=1, url=f"{self.media}/{number}")
        unit = download(str(attempt), f"task-{number}", output, self.modality, timeout_s=60)
        return Order(unit=unit, address=f"{self.media}/{number}", output=(attempt, 1))

    def start(self, *, jobs: int = 4, kinds: str = "download") -> None:
        number = len(self.workers)
        self.workers.append(self._started(jobs, kinds, number))

    def _started(self, jobs: int, kinds: str, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "kiebatch", "worker", "--kinds", kinds, "--jobs", str(jobs)]
        command += ["--folder", str(self.folder / f"worker-{number}"), "--time-scale", str(self.scale)]
        return subprocess.Popen(command, env=self.environ(), stderr=(self.folder / "said.txt").open("ab"))

    def environ(self) -> dict[str, str]:
        """Return what a worker of this farm reads."""
        return {
            **_environ(),
            "KIEBATCH_TEAM": self.database,
            "KIEBATCH_STORE": self.bucket or self.store.as_uri(),
            "KIE_BASE_URL": self.media,
        }

    def kill(self, number: int, how: int = signal.SIGKILL) -> bool:
        """Kill the process of a worker that does the work; return whether there was one."""
        for child in _children(self.workers[number].pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, how)
                return True
        return False

    def ask(self, sql: str) -> list[dict[str, Any]]:
        connection = Connection(self.database, patience_s=60)
        try:
            return connection.transact(lambda cursor: list(cursor.execute(sql)))
        finally:
            connection.close()

    def alive(self) -> int:
        (row,) = self.ask("SELECT count(*) AS many FROM workers WHERE ended IS NULL")
        return int(row["many"])

    def stored(self) -> int:
        (row,) = self.ask("SELECT count(*) AS many FROM outputs WHERE stored_at IS NOT NULL")
        return int(row["many"])

    def stop(self) -> None:
        for number, worker in enumerate(self.workers):
            self.kill(number, signal.SIGCONT)  # one that is frozen would never hear of it
            worker.terminate()
        for worker in self.workers:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def _attempt(cursor: Any, number: int, farm: Farm) -> int:
    cursor.execute("INSERT INTO accounts (id) VALUES ('studio') ON CONFLICT DO NOTHING")
    cursor.execute("INSERT INTO projects (id, name) VALUES ('film', 'film') ON CONFLICT DO NOTHING")
    row = cursor.execute(
        "INSERT INTO attempts (account, project, film, run_id, slot, scene, model, family, fingerprint, take, twin, edition, state,"
        " job, task_id) VALUES ('studio', 'film', 'assets', 'run', %s, '1', 'm', 'jobs', %s, 1, 1, 0, 'submitted', %s, %s) RETURNING id",
        (str(number), f"sha256:{number}", f'{{"modality": "{farm.modality}"}}', f"task-{number}"),
    ).fetchone()
    assert row is not None
    url = f"{farm.media}/{number}"
    cursor.execute("INSERT INTO outputs (attempt, number, url) VALUES (%s, 1, %s)", (row["id"], url))
    return int(row["id"])


def _environ() -> dict[str, str]:
    """Return an environment in which a process finds the modules that this one found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


async def wanted(database: str, orders: Sequence[Order], results: Path | str, here: Path) -> None:
    """Ask for units as a run does, and wait for all of them."""
    address = results if isinstance(results, str) else results.as_uri()
    shelf = StoreShelf(open_store(address), here)
    context = Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread)
    async with TeamQueue.opened(database, context, pace=Pace(scale=1.0), derives=False) as queue:

        async def one(order: Order) -> None:
            ended = await queue.result(order)
            assert isinstance(ended, Made), ended

        for first in range(0, len(orders), 300):
            await asyncio.gather(*(one(order) for order in orders[first : first + 300]))


def check_stored(farm: Farm, expected: Sequence[bytes]) -> list[str]:
    """Return what is wrong with what was stored: a row without its bytes, or bytes that nobody made."""
    rows = farm.ask("SELECT sha256, stored_at FROM outputs ORDER BY attempt")
    digests = [hashlib.sha256(one).hexdigest() for one in expected]
    wrong = [f"output {n} has no bytes" for n, row in enumerate(rows) if row["stored_at"] is None]
    wrong += [
        f"output {n} has other bytes" for n, row in enumerate(rows) if row["sha256"] not in (None, digests[n])
    ]
    for digest in digests:
        path = farm.store / layout.blob(digest)
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"the store has no {digest}")
    blobs = [p for p in (farm.store / "sha256").rglob("*") if p.is_file() and not p.name.startswith(".")]
    if len(blobs) != len(set(digests)):
        wrong.append(f"{len(blobs)} files are stored for {len(set(digests))} results")
    return wrong


# --- kills ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Killed:
    """What came of a farm under kills."""

    units: int
    kills: int
    restarts: int
    started: int
    parked: int
    wrong: list[str]
    took_s: float


def killed(
    folder: Path,
    *,
    units: int,
    kills: int,
    restarts: int,
    workers: int = 4,
    seed: int = 1,
    scale: float = 0.1,
) -> Killed:
    """Store `units` pictures while one worker after the other is killed and the database is restarted."""
    rng = random.Random(seed)
    with postgres.server() as server, served("picture", delay_s=0.2) as url:
        farm = Farm(postgres.new_schema(server.url), folder, url, "image", scale)
        orders = farm.prepare(units)
        began = time.monotonic()
        try:
            for _ in range(workers):
                farm.start()
            _until(lambda: farm.alive() >= workers)
            done, restarted = 0, 0
            for number in range(kills):
                # A part of the units comes before each kill, so that there is always something to interrupt.
                part = orders[len(orders) * number // kills : len(orders) * (number + 1) // kills]
                asyncio.run(deferred(farm, part))
                time.sleep(rng.uniform(0.0, 0.4))
                done += _kill_one(farm, rng)
                if (number + 1) * restarts // kills > restarted:
                    server.stop("immediate")
                    server.start()
                    restarted += 1
            _until(lambda: farm.stored() == units)
            (counts,) = farm.ask(
                "SELECT sum(started) AS started, count(*) FILTER (WHERE state = 'parked') AS parked FROM units"
            )
        finally:
            farm.stop()
        wrong = check_stored(farm, [picture(n) for n in range(units)])
    took_s = time.monotonic() - began
    return Killed(units, done, restarted, int(counts["started"]), int(counts["parked"]), wrong, took_s)


async def deferred(farm: Farm, orders: Sequence[Order]) -> None:
    """Queue units without waiting for them."""
    shelf = StoreShelf(open_store(farm.store.as_uri()), farm.folder / "asking")
    context = Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread)
    async with TeamQueue.opened(farm.database, context, derives=False) as queue:
        await queue.defer(orders)


def _kill_one(farm: Farm, rng: random.Random) -> int:
    """Kill one of the workers that live; return 1, or 0 where none came to life in time."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(
            Away, ProcessLookupError
        ):  # the row of one that was killed lives on for a while
            alive = farm.ask(_ALIVE)
            if alive:
                os.kill(rng.choice(alive)["pid"], signal.SIGKILL)
                return 1
        time.sleep(0.05)
    return 0


def _until(true: Any) -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(Away):
            if true():
                return
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


# --- scale ---------------------------------------------------------------------------------------------


def _one_process(url: str, folder: Path, count: int, jobs: int) -> tuple[float, float]:
    """Return wall and processor seconds of fetching without a farm: the local queue, into the same store."""
    command = [sys.executable, "-m", "bench.farm", "alone", "--media", url, "--folder", str(folder)]
    command += ["--count", str(count), "--jobs", str(jobs)]
    said = subprocess.run(command, check=True, env=_environ(), capture_output=True, text=True)
    wall_s, cpu_s = said.stdout.split()
    return float(wall_s), float(cpu_s)


async def _alone(url: str, folder: Path, count: int, jobs: int) -> None:
    store = folder / "store"
    store.mkdir(parents=True)
    async with Client("", url) as client:
        shelf = StoreShelf(open_store(store.as_uri()), folder / "here")
        context = Context(shelf=shelf, rows=NoRows(), offload=asyncio.to_thread, fetch=client.download)
        queue = LocalQueue(context, {"download": jobs})
        farm = Farm("", folder, url, "video")
        began, cpu = time.monotonic(), time.process_time()
        ended = await asyncio.gather(*(queue.result(farm.order(n, n)) for n in range(count)))
    assert all(isinstance(one, Made) for one in ended), ended
    print(time.monotonic() - began, time.process_time() - cpu)


def scaled(folder: Path, count: int, jobs: int) -> Iterator[str]:
    with served("clip", 2 << 20) as url:
        alone_s, alone_cpu = _one_process(url, folder / "alone", count, jobs)
        yield f"one process, {jobs} at once: {alone_s:.1f} s, {1000 * alone_cpu / count:.0f} ms CPU a unit"
        for workers in (1, 2, 4):
            took_s, cpu, transactions, memory = _with_workers(
                url, folder / str(workers), count, jobs, workers
            )
            whole = sum(cpu.values())
            parts = ", ".join(f"{name} {1000 * spent / count:.0f}" for name, spent in cpu.items())
            yield (
                f"{workers} workers: {took_s:.1f} s, {alone_s / took_s:.2f} x one process; {1000 * whole / count:.0f} ms CPU a unit"
                f" ({parts}), {whole / alone_cpu:.2f} x; {transactions / count:.1f} transactions a unit;"
                f" the one who asked: {memory}"
            )


def _with_workers(
    url: str, folder: Path, count: int, jobs: int, workers: int
) -> tuple[float, dict[str, float], float, str]:
    """Return seconds, processor seconds by who spent them, transactions, and the memory of the one who asked."""
    with postgres.server() as server:
        farm = Farm(postgres.new_schema(server.url), folder, url, "video", scale=1.0)
        orders = farm.prepare(count)
        for _ in range(workers):
            farm.start(jobs=jobs)
        _until(lambda: farm.alive() >= workers)
        began, held, before = time.monotonic(), _resident_mb(), _farm_cpu(farm, server)
        committed = _transactions(farm)
        asyncio.run(wanted(farm.database, orders, farm.store, folder / "asking"))
        took_s, after = time.monotonic() - began, _farm_cpu(farm, server)
        memory = f"{held:.0f} MB before, {_resident_mb():.0f} MB after"
        farm.stop()
        spent = {name: after[name] - before[name] for name in after}
        return took_s, spent, _transactions(farm) - committed, memory


def _transactions(farm: Farm) -> float:
    (row,) = farm.ask("SELECT xact_commit AS many FROM pg_stat_database WHERE datname = current_database()")
    return float(row["many"])


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _farm_cpu(farm: Farm, server: postgres.Server) -> dict[str, float]:
    """Return the processor seconds so far: of the workers and their parents, of PostgreSQL, and of this process."""
    first = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    return {
        "workers": sum(_tree_cpu(worker.pid) for worker in farm.workers),
        "PostgreSQL": _tree_cpu(first),
        "asking": time.process_time(),
    }


def _tree_cpu(first: int) -> float:
    """Return the processor seconds of a process, of its children that ended, and of those that live."""
    ticks = 0
    for pid in (first, *_children(first)):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15] if pid == first else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


# --- the command ---------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("scale", "kills", "serve", "alone"))
    parser.add_argument("--kind", default="picture")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--media", default="")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--units", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--restarts", type=int, default=10)
    chosen = parser.parse_args()
    if chosen.what == "serve":
        asyncio.run(_serve(chosen.kind, chosen.rate, chosen.delay))
        return
    if chosen.what == "alone":
        asyncio.run(_alone(chosen.media, chosen.folder, chosen.count, chosen.jobs))
        return
    with tempfile.TemporaryDirectory(prefix="kiebatch-farm-") as folder:
        if chosen.what == "scale":
            for line in scaled(Path(folder), chosen.count, chosen.jobs):
                print(line, flush=True)
        else:
            print(killed(Path(folder), units=chosen.units, kills=chosen.kills, restarts=chosen.restarts))


if __name__ == "__main__":
    main()
