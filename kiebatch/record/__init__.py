"""What is remembered: the manifest (committed), the journal (local), picks, and the cache of paid results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.record.cache import ResultCache as ResultCache
    from kiebatch.record.journal import Hook as Hook
    from kiebatch.record.journal import Journal as Journal
    from kiebatch.record.journal import asset_to as asset_to
    from kiebatch.record.journal import open_journal as open_journal
    from kiebatch.record.verification import verify as verify
    from kiebatch.record.writer import ManifestWriter as ManifestWriter

__getattr__, __dir__ = face(
    __name__,
    {
        "Hook": "journal",
        "Journal": "journal",
        "ManifestWriter": "writer",
        "ResultCache": "cache",
        "asset_to": "journal",
        "open_journal": "journal",
        "verify": "verification",
    },
)
