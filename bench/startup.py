"""How long small commands take, against an empty Python: `python -m bench.startup`.

Bytecode is compiled first, as pip does when it installs; medians of several runs, printed as ratios.
"""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
RUNS = 9
MODULES = "import sys; from kiebatch.cli import app; app.exit_code(sys.argv[1:]); print(len(sys.modules), file=sys.stderr)"


def median_s(command: list[str], cwd: Path, environment: dict[str, str]) -> float:
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def modules(words: list[str], cwd: Path, environment: dict[str, str]) -> int:
    """Return how many modules a command loads: a count that no other work on the machine changes."""
    done = subprocess.run(
        [PYTHON, "-c", MODULES, *words], cwd=cwd, env=environment, check=True, capture_output=True, text=True
    )
    return int(done.stderr.split()[-1])


def rows() -> Iterator[str]:
    """Yield one row a command, as a multiple of an empty Python."""
    compileall.compile_dir(ROOT / "kiebatch", quiet=2)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder)
        for words in (("init", "."), ("run", "scenes.yaml", "--draft")):
            subprocess.run(
                [PYTHON, "-m", "kiebatch", *words], cwd=film, env=environment, check=True, capture_output=True
            )
        empty = median_s([PYTHON, "-c", "pass"], film, environment)
        yield f"python -c pass: {empty * 1000:.0f} ms"
        for line, bound in (("--help", 5), ("status --draft", 8), ("plan scenes.yaml --draft", 10)):
            taken = median_s([PYTHON, "-m", "kiebatch", *line.split()], film, environment)
            count = modules(line.split(), film, environment)
            yield f"{line}: {taken / empty:.1f} times empty (wanted: at most {bound}), {count} modules"


def main() -> None:
    for row in rows():
        print(row)


if __name__ == "__main__":
    main()
