"""A farm for tests: a team's database and store, units that are wanted, and real worker processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.farm import Farm, served


@contextlib.contextmanager
def farm(database: str, folder: Path, *, delay_s: float = 0.0) -> Iterator[Farm]:
    """Yield a farm whose times run at a twentieth; its workers have ended when the block ends.

    Every result takes `delay_s` until it begins to come.
    """
    with served("picture", delay_s=delay_s) as url:
        found = Farm(database, folder, url, "image", scale=0.05)
        try:
            yield found
        finally:
            found.stop()
