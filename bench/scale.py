"""Plan films of growing size: `python -m bench.scale`.  Linear means an exponent of 1."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

SCENE = """\
  - id: {n}
    title: scene {n}
    duration: 5
    prompt: "{{keeper}} climbs stair number {n}, lantern in hand, low angle"
    style: storm
"""
HEAD = """\
kiebatch: 1
defaults: {model: nano-banana-2, params: {aspect_ratio: "16:9", output_format: png}}
styles: {storm: "storm light, heavy grain"}
characters: {keeper: a keeper in a yellow oilskin}
scenes:
"""
# In a process of its own, so that the peak of memory is its own; with the collector set as the program sets it.
PLAN = """
import gc, resource, sys
from pathlib import Path
gc.set_threshold(50_000, 20, 20)
from kiebatch import api
plan = api.plan(api.load(Path(sys.argv[1])))
used = resource.getrusage(resource.RUSAGE_SELF)
print(len(plan.entries), used.ru_utime + used.ru_stime, used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2))
"""


def write(path: Path, count: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(SCENE.format(n=n) for n in range(1, count + 1)), encoding="utf-8")
    return path


def planned(path: Path) -> tuple[float, float]:
    """Return the processor time in seconds and the peak of memory in MB of planning a film."""
    done = subprocess.run([sys.executable, "-c", PLAN, str(path)], check=True, capture_output=True, text=True)
    _, cpu_s, peak_mb = done.stdout.split()
    return float(cpu_s), float(peak_mb)


def rows(counts: Sequence[int]) -> Iterator[str]:
    """Yield one row a size, with the exponent of growth since the size before."""
    before: tuple[int, float] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            cpu_s, peak_mb = planned(write(Path(folder) / f"film-{count}" / "scenes.yaml", count))
            growth = math.log(cpu_s / before[1]) / math.log(count / before[0]) if before else 1.0
            yield f"{count:,} scenes: {cpu_s:.1f} s, {peak_mb:.0f} MB, exponent {growth:.2f}"
            before = (count, cpu_s)


def main() -> None:
    for row in rows((500, 1_000, 2_000, 4_000, 8_000)):
        print(row)


if __name__ == "__main__":
    main()
