"""The manifest of a run: entered in memory at once, written off the loop at most once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from kiebatch.errors import KieBatchError
from kiebatch.model import JSON, Asset, Slot
from kiebatch.record import Ledger, ManifestWriter, Offload
from kiebatch.record.manifest import Manifest


class Recording:
    """One owner of the `ManifestWriter`: nothing is entered while the file is written."""

    def __init__(self, writer: ManifestWriter, ledger: Ledger, offload: Offload) -> None:
        self._writer = writer
        self._ledger = ledger
        self._offload = offload
        self._lock = asyncio.Lock()
        self._entered = asyncio.Event()

    @property
    def manifest(self) -> Manifest:
        return self._writer.manifest

    def as_it_stands(self, asset: Asset) -> Asset:
        return self._writer.as_it_stands(asset)

    def of_task(self, task_id: str | None) -> tuple[Asset, ...]:
        """Return the assets of a task, as they stand."""
        return tuple(a for a in self.manifest.assets if task_id and a.task_id == task_id)

    def displace(self, slots: Mapping[str, Slot]) -> None:
        """See `ManifestWriter.displace`."""
        self._writer.displace(slots)

    async def enter(
        self,
        slot: Slot,
        new: Sequence[Asset],
        replaces: Sequence[Asset] = (),
        attempt: int | None = None,
        *,
        behind: bool = False,
    ) -> tuple[Asset, ...]:
        """Enter a task's assets for a slot; return them with ids and versions as they stand."""
        async with self._lock:
            entered = self._writer.enter(new, replaces, attempt, slot=slot, behind=behind)
        self._entered.set()
        return entered

    async def annotate(self, asset: Asset, key: str, value: JSON) -> None:
        """See `ManifestWriter.annotate`."""
        async with self._lock:
            self._writer.annotate(asset, key, value)
        self._entered.set()

    async def flush(self, *, force: bool = False) -> None:
        """Write what waits, when it is due or when forced, and note in the ledger what the file now holds."""
        async with self._lock:
            done = await self._offload(self._writer.flush, force)
        self._ledger.recorded(done)

    async def keep_flushing(self) -> None:
        """Write whenever something is due, until cancelled."""
        while True:
            await self._entered.wait()
            self._entered.clear()
            while (due_s := self._writer.due_in_s) is not None:
                await asyncio.sleep(max(0.05, due_s))
                try:
                    await self.flush()
                except KieBatchError:  # it is tried again, and told, at the end
                    break
