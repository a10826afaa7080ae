"""Keeps results in the stores that are set, beside the run: a store that fails never fails a job."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from kiebatch.errors import plain
from kiebatch.model import Asset
from kiebatch.record import Key, Results, StoreFailed
from kiebatch.running.context import RunContext
from kiebatch.running.events import Noticed

_AT_ONCE = 8
_ENOUGH = 3  # failures after which a store is left alone for the rest of the run


class Keeper:
    """Puts what a run brings home into its stores, and writes down what they did not take."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: dict[str, int] = {}
        self._unstored = 0

    def keep(self, key: Key, assets: Sequence[Asset]) -> None:
        """Begin to store one task's assets, whose files are in their places."""
        if self._context.results is None or any(asset.draft for asset in assets):
            return
        for store in self._context.results.parts:
            if store.shared:
                # Written down first: a run that is killed in between leaves nothing that only seems to be stored.
                self._context.whereabouts.note(_digests(assets), there=False)
            task = asyncio.get_running_loop().create_task(self._put(store, key, assets))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until everything is stored, or known not to be."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        if self._unstored:
            self._warn(f"{self._unstored} results are not in the store yet: `kiebatch push` puts them there")

    async def _put(self, store: Results, key: Key, assets: Sequence[Asset]) -> None:
        paths = {a.filename: self._context.workspace.asset_path(a.filename) for a in assets}
        async with self._at_once:
            failures = self._failures.get(store.address, 0)
            if failures < _ENOUGH:
                try:
                    await self._context.offload(store.put, key, assets, paths)
                except StoreFailed as failed:
                    self._failures[store.address] = failures + 1
                    self._warn(f"a result is here, but not in the store: {plain(failed.message)}")
                else:
                    self._failures.pop(store.address, None)
                    if store.shared:
                        self._context.whereabouts.note(_digests(assets), there=True)
                        await self._context.offload(self._store_previews, store, assets, paths)
                    return
        if store.shared:
            self._unstored += len(assets)

    def _store_previews(self, store: Results, assets: Sequence[Asset], paths: Mapping[str, Path]) -> None:
        from kiebatch.running.previews import store_preview  # brings Pillow along

        for asset in assets:
            try:
                store_preview(store, asset, paths[asset.filename], self._context.workspace.state)
            except StoreFailed as failed:
                self._context.emit(Noticed(message=plain(failed.message), level="debug"))

    def _warn(self, message: str) -> None:
        self._context.emit(Noticed(message=message, level="warning"))


def _digests(assets: Sequence[Asset]) -> list[str]:
    return [asset.sha256 for asset in assets if asset.sha256]
