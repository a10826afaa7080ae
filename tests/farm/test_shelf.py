"""The farm's shelf: bytes that others made come here whole, however many at once."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from kiebatch.farm import StoreShelf
from kiebatch.model import Output
from kiebatch.record.store import layout, open_store
from kiebatch.units import Unit, download

MANY = 80  # more than a machine keeps


def shelves(folder: Path) -> tuple[StoreShelf, StoreShelf]:
    """Return the shelves of two machines over one store."""
    store = folder / "store"
    store.mkdir()
    return StoreShelf(open_store(store.as_uri()), folder / "a"), StoreShelf(
        open_store(store.as_uri()), folder / "b"
    )


def unit(number: int) -> Unit:
    return download(str(number), "task", Output(number=1, url="https://x.example/1"), "image", timeout_s=9)


def name(number: int) -> str:
    return f"sha256/{hashlib.sha256(str(number).encode()).hexdigest()}"


async def made(shelf: StoreShelf, number: int) -> None:
    part = shelf.scratch(unit(number))
    part.write_text(str(number))
    await shelf.put(name(number), part)


def test_more_results_at_once_than_a_machine_keeps_are_all_taken(tmp_path: Path) -> None:
    there, here = shelves(tmp_path)

    async def scenario() -> list[str]:
        for number in range(MANY):
            await made(there, number)
        taken = await asyncio.gather(*(here.take(unit(n), name(n)) for n in range(MANY)))
        return [path.read_text() for path in taken if path]

    assert asyncio.run(scenario()) == [str(n) for n in range(MANY)]


def test_bytes_that_are_not_what_they_are_called_are_not_taken(tmp_path: Path) -> None:
    there, here = shelves(tmp_path)

    async def scenario() -> Path | None:
        await made(there, 1)
        (tmp_path / "store" / layout.blob(name(1).removeprefix("sha256/"))).write_text("2")
        return await here.take(unit(1), name(1))

    assert asyncio.run(scenario()) is None


def test_what_is_lent_can_be_read_elsewhere_and_stays(tmp_path: Path) -> None:
    there, here = shelves(tmp_path)
    own = tmp_path / "1.txt"
    own.write_text("1")

    async def scenario() -> tuple[Path | None, Path | None]:
        await there.lend(name(1), own)
        return await there.get(name(1)), await here.get(name(1))

    mine, other = asyncio.run(scenario())

    assert mine == own
    assert other is not None
    assert other.read_text() == own.read_text() == "1"
