"""Feeds the readers with what others might send: `python -m bench.fuzz --kind yaml --cases 10000 --seed 1`.

Each case is made from its number and the seed alone, so `--first N` goes on where a run was stopped and repeats one
case.  Cases are honest documents with a few values changed, so that most pass validation and reach the code behind it.
A case fails by a traceback, by taking over 5 s, or by an oracle that finds its acceptance nonsensical; the process as a
whole must stay under 1 GB.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.fuzzing import files, hosts, texts
from bench.fuzzing.kind import Kind, Verdict

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*texts.KINDS, *files.KINDS, *hosts.KINDS)}
SLOWEST_S = 5.0
MOST_MEMORY = 2**30


@dataclass
class Report:
    """What came of the cases of one kind: how many of each verdict, and what failed, with its number."""

    kind: str
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    @property
    def accepted_share(self) -> float:
        return self.verdicts[Verdict.ACCEPTED] / max(1, self.verdicts.total())


def run(kind: Kind, cases: int, *, seed: int = 1, first: int = 0) -> Report:
    """Run cases `first` to `first + cases` of a kind and return what came of them."""
    report = Report(kind.name)
    with tempfile.TemporaryDirectory(prefix="kiebatch-fuzz-") as folder:
        for number in range(first, first + cases):
            rng = random.Random(f"{kind.name} {seed} {number}")
            place = Path(folder) / str(number)
            place.mkdir()
            started = time.perf_counter()
            try:
                report.verdicts[kind.case(rng, place)] += 1
            except Exception:
                report.failures.append(f"case {number}:\n{traceback.format_exc()}")
            spent_s = time.perf_counter() - started
            report.slowest_s = max(report.slowest_s, spent_s)
            if spent_s > SLOWEST_S:
                report.failures.append(f"case {number}: {spent_s:.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if peak > MOST_MEMORY:
        report.failures.append(f"the process grew to {peak / 2**20:.0f} MiB")
    return report


def main() -> int:
    """Run the cases that the command line asks for; 1 when any fails."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    asked = parser.parse_args()
    chosen = KINDS.values() if asked.kind == "all" else [KINDS[asked.kind]]
    failed = False
    for kind in chosen:
        report = run(kind, asked.cases, seed=asked.seed, first=asked.first)
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(report.verdicts.items()))
        print(f"{kind.name:10} {counts}; slowest {report.slowest_s:.2f} s; {len(report.failures)} failed")
        for failure in report.failures[:5]:
            print(failure, file=sys.stderr)
        for failure in report.failures[5:]:
            first, *_, last = [failure, *failure.strip().splitlines()]
            print(f"{first.splitlines()[0]} {last}", file=sys.stderr)
        failed = failed or bool(report.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
