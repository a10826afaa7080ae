"""How `pull` and `push` show their progress and their answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from kiebatch.cli import console
from kiebatch.errors import Exit, plain
from kiebatch.running.transfers import Transfer


@contextlib.contextmanager
def bar(*, as_json: bool) -> Iterator[Callable[[], object]]:
    """Show a bar on a terminal when it takes longer than a second; yield what counts one file."""
    from tqdm import tqdm

    with tqdm(unit=" files", delay=1, leave=False, disable=True if as_json else None) as shown:
        yield shown.update


def answer(found: Transfer, moved: str, *, as_json: bool) -> None:
    """Print what came of it, and leave with 1 where a file is missing."""
    for note in found.notes:
        console.say(note)
    code = Exit.FAILED.when(not found.complete)
    console.answer(found.as_json(moved), lambda: _text(found, moved), as_json=as_json, code=code)
    console.leave(code)


def _text(found: Transfer, moved: str) -> str:
    lines = [
        f"{one.slot}: {plain(one.asset.filename)}: {one.message}"
        for one in (*found.of("absent"), *found.of("failed"))
    ]
    counts = {
        moved: len(found.of("moved")),
        "already there": len(found.of("already")),
        "in neither place" if moved == "pushed" else "not in the store": len(found.of("absent")),
        "failed": len(found.of("failed")),
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    lines.append(f"{found.store}: {said or 'nothing to do'}")
    return "\n".join(lines)
