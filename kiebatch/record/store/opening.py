"""Opens the stores that a person's settings name."""

from __future__ import annotations

from kiebatch.record.store.address import StoreAddress
from kiebatch.record.store.folder import FolderObjects
from kiebatch.record.store.objects import Objects, StoreTimes
from kiebatch.record.store.results import Both, ResultCache, Results, ResultStore
from kiebatch.settings import Settings


def open_store(address: str, times: StoreTimes | None = None) -> Results:
    """Return the store at an address.  `Invalid` for a text that is not an address, and where an extra is missing.

    No connection is opened before it is asked for something.
    """
    parsed, chosen = StoreAddress.parse(address), times or StoreTimes()
    return Results(_objects(parsed, chosen), address=str(parsed), times=chosen)


def _objects(address: StoreAddress, times: StoreTimes) -> Objects:
    if address.folder is not None:
        return FolderObjects(address.folder, there=True)
    from kiebatch.record.store.bucket import (
        open_bucket,
    )  # obstore: an extra, and only where a bucket is named

    return open_bucket(address, times)


def times_of(settings: Settings) -> StoreTimes:
    return StoreTimes(
        connect_s=settings.connect_timeout_s,
        read_s=settings.read_timeout_s,
        whole_s=settings.download_timeout_s,
        again_s=settings.call_timeout_s,
    )


def results_of(settings: Settings, *, network: bool) -> ResultStore | None:
    """Return the cache and the store that are set; None where neither is.

    Without `network` only what can be read on this machine counts.  A draft has nothing to do with the store: its
    pictures are kept nowhere.
    """
    stores: list[Results] = [ResultCache(settings.cache)] if settings.cache else []
    if settings.store and not settings.draft:
        found = open_store(settings.store, times_of(settings))
        if network or found.objects.at_hand:
            stores.append(found)
    if len(stores) > 1:
        return Both(stores)
    return stores[0] if stores else None
