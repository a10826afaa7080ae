"""Every figure of docs/performance.md, as a ratio or a count: `python -m bench [--only NAME ...]`.

The rows are printed as they come; each takes seconds, all of them a few minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import makespan, neighbour, scale, startup, storm

Rows = Callable[[Path], Iterator[str]]
JOBS = 200


def calm(folder: Path) -> Iterator[str]:
    """The makespan of 200 stills on virtual time, against the shortest possible one in file order."""
    for low_ms, high_ms in ((10, 50), (20, 120), (100, 300)):
        took_s, account = makespan.batch(
            folder / f"{low_ms}",
            makespan.stills(JOBS),
            transit_s=(low_ms / 1000, high_ms / 1000),
            canary=False,
        )
        ratio = took_s / makespan.bound(account)
        yield f"transit of {low_ms} to {high_ms} ms: {ratio:.3f} of the bound, {account.refused} x 429"


def refusal(folder: Path) -> Iterator[str]:
    """The same with a single 429 on the way."""
    took_s, account = makespan.batch(
        folder / "one", makespan.stills(JOBS), fault="submit@100=code:429", canary=False
    )
    yield f"one 429: {took_s / makespan.bound(account):.3f} of the bound"


def beside(folder: Path) -> Iterator[str]:
    """A neighbour on the account who takes 5 of the 20 starts at random."""
    for seed in range(3):
        found = neighbour.shared(folder / str(seed), seed)
        yield f"{found.share:.0%} of the starts that are left, {found.refused_share:.1%} refused"


def stormy(folder: Path) -> Iterator[str]:
    """60 jobs through a storm, and the client of fifty lines through the same."""
    for title, run in (("kiebatch", storm.ours), ("fifty lines", storm.plain)):
        found = run(folder / title.replace(" ", "-"))
        yield f"{title}: {found.took_s:.1f} s, {found.whole} of {storm.JOBS} whole, {found.twice} charged twice"


def cpu(folder: Path) -> Iterator[str]:
    """Processor time of a job over sockets, and of the client of fifty lines."""
    makespan.real(folder / "warm", 20)
    figures = makespan.real(folder / "real", 100)
    yield f"kiebatch: {figures['cpu_ms']:.1f} ms a job, {figures['peak_mb']:.0f} MB at most"
    began = time.process_time()
    whole = storm.plain(folder / "plain", storm=()).whole
    yield f"fifty lines, no journal: {(time.process_time() - began) / max(whole, 1) * 1000:.1f} ms a job"


def noticed(folder: Path) -> Iterator[str]:
    """How long after its end a task is noticed, as a share of its duration, and with how many reads."""
    found = makespan.polling(folder, batches=4)
    for number, (reads, _, share) in enumerate(found, 1):
        if number in (1, len(found)):
            yield f"batch {number} of a model: {share:.0%} after its end, {reads:.1f} reads a task"


def planning(_folder: Path) -> Iterator[str]:
    """Plans of growing films: seconds, memory, and how they grow."""
    yield from scale.rows((1_000, 10_000))


def starting(_folder: Path) -> Iterator[str]:
    """Small commands against an empty Python."""
    yield from startup.rows()


ROWS: dict[str, Rows] = {
    "calm": calm,
    "refusal": refusal,
    "neighbour": beside,
    "storm": stormy,
    "cpu": cpu,
    "noticed": noticed,
    "plan": planning,
    "startup": starting,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=ROWS, metavar="NAME", help=", ".join(ROWS))
    for name in parser.parse_args().only or ROWS:
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            for row in ROWS[name](Path(folder)):
                print(f"{name:10} {row}", flush=True)


if __name__ == "__main__":
    main()
