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
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
RUNS = 9


def median_s(command: list[str], cwd: Path, environment: dict[str, str]) -> float:
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    compileall.compile_dir(ROOT / "kiebatch", quiet=2)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder)
        subprocess.run([PYTHON, "-m", "kiebatch", "init", "."], cwd=film, env=environment, check=True)
        subprocess.run(
            [PYTHON, "-m", "kiebatch", "run", "scenes.yaml", "--draft"],
            cwd=film,
            env=environment,
            check=True,
            stderr=subprocess.DEVNULL,
        )
        empty = median_s([PYTHON, "-c", "pass"], film, environment)
        print(f"python -c pass       {empty * 1000:6.0f} ms")
        for words, bound in (("--help", 8), ("status --draft", 12), ("plan scenes.yaml --draft", 30)):
            taken = median_s([PYTHON, "-m", "kiebatch", *words.split()], film, environment)
            print(
                f"{words:20} {taken * 1000:6.0f} ms  {taken / empty:5.1f} times empty (wanted: at most {bound})"
            )


if __name__ == "__main__":
    main()
