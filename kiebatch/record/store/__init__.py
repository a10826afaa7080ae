"""Results that were paid for, by what they were paid for: a folder of a team, or a bucket; the same layout in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.record.store.address import StoreAddress as StoreAddress
    from kiebatch.record.store.objects import StoreFailed as StoreFailed
    from kiebatch.record.store.objects import StoreTimes as StoreTimes
    from kiebatch.record.store.opening import open_store as open_store
    from kiebatch.record.store.opening import results_of as results_of
    from kiebatch.record.store.opening import times_of as times_of
    from kiebatch.record.store.results import ResultCache as ResultCache
    from kiebatch.record.store.results import Results as Results
    from kiebatch.record.store.results import ResultStore as ResultStore
    from kiebatch.record.store.results import Stored as Stored
    from kiebatch.record.store.whereabouts import Whereabouts as Whereabouts

__getattr__, __dir__ = face(
    __name__,
    {
        "ResultCache": "results",
        "ResultStore": "results",
        "Results": "results",
        "StoreAddress": "address",
        "StoreFailed": "objects",
        "StoreTimes": "objects",
        "Stored": "results",
        "Whereabouts": "whereabouts",
        "open_store": "opening",
        "results_of": "opening",
        "times_of": "opening",
    },
)
