"""How long the catalogue takes: importing it, one model, all of it, and checking many jobs.

    python bench/catalogue.py

Each cold figure is processor time in a new process, best of five; the limit for reading everything is 0.3 s.
"""

from __future__ import annotations

import subprocess
import sys
import time

COLD = {
    "import": "",
    "one model": "c.load().resolve('nano-banana-2')",
    "one of the largest file": "c.load().resolve('wan/3-0-video')",
    "a display name": "c.load().resolve('Veo 3.1 Fast')",
    "everything": "c.load().all()",
}
JOBS = 5000


def cold(statement: str) -> float:
    """Return the processor seconds that a statement takes in a new process after the import, best of five."""
    code = (
        "import time; t = time.process_time()\n"
        "from kiebatch import catalogue as c\n"
        f"{'t = time.process_time()' if statement else 'pass'}\n{statement}\n"
        "print(time.process_time() - t)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    return min(times)


def jobs() -> float:
    """Return the seconds for building, checking, linting and pricing many jobs of several models."""
    from kiebatch import catalogue
    from kiebatch.catalogue import inputs, lint
    from kiebatch.model import Ask

    found = catalogue.load()
    models = [
        found.resolve(m) for m in ("nano-banana-2", "kling-3.0/video", "veo-3-1", "ai-music-api/generate")
    ]
    start = time.process_time()
    for number in range(JOBS):
        model = models[number % len(models)]
        ask = Ask(
            prompt=f"Waves break on the rocks, take {number}",
            default_params={"aspect_ratio": "16:9"},
            duration_s=5,
        )
        built = inputs.build(model, ask)
        lint.check(model, ask, 5)
        catalogue.price(model, built.input)
    return time.process_time() - start


def main() -> int:
    slow = False
    for name, statement in COLD.items():
        took = cold(statement)
        limit = 0.3 if name == "everything" else None
        slow |= limit is not None and took > limit
        print(f"{name:26} {took * 1000:7.1f} ms" + (f"  (limit {limit * 1000:.0f} ms)" if limit else ""))
    took = jobs()
    print(f"{f'{JOBS} jobs, all checks':26} {took * 1000:7.1f} ms  ({took / JOBS * 1e6:.0f} us each)")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
