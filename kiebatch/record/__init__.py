"""What is remembered: the manifest (committed), the journal (local), picks, and stores of paid results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.record.asset_rows import asset_from as asset_from
    from kiebatch.record.asset_rows import asset_to as asset_to
    from kiebatch.record.database import Hook as Hook
    from kiebatch.record.database import no_hook as no_hook
    from kiebatch.record.journal import Journal as Journal
    from kiebatch.record.journal import SavedOutput as SavedOutput
    from kiebatch.record.journal_file import open_journal as open_journal
    from kiebatch.record.ledger import Claimed as Claimed
    from kiebatch.record.ledger import Fenced as Fenced
    from kiebatch.record.ledger import Intent as Intent
    from kiebatch.record.ledger import Key as Key
    from kiebatch.record.ledger import NoRoom as NoRoom
    from kiebatch.record.ledger import Taken as Taken
    from kiebatch.record.ledger import TaskKnown as TaskKnown
    from kiebatch.record.manifest_writer import ManifestWriter as ManifestWriter
    from kiebatch.record.notebook import Notebook as Notebook
    from kiebatch.record.off_loop import Ledger as Ledger
    from kiebatch.record.off_loop import Offload as Offload
    from kiebatch.record.sqlite_journal import SqliteJournal as SqliteJournal
    from kiebatch.record.store import ResultCache as ResultCache
    from kiebatch.record.store import Results as Results
    from kiebatch.record.store import ResultStore as ResultStore
    from kiebatch.record.store import Stored as Stored
    from kiebatch.record.store import StoreFailed as StoreFailed
    from kiebatch.record.store import Whereabouts as Whereabouts
    from kiebatch.record.store import results_of as results_of
    from kiebatch.record.verification import verify as verify

__getattr__, __dir__ = face(
    __name__,
    {
        "Claimed": "ledger",
        "Fenced": "ledger",
        "Hook": "database",
        "Intent": "ledger",
        "Journal": "journal",
        "Key": "ledger",
        "Ledger": "off_loop",
        "ManifestWriter": "manifest_writer",
        "NoRoom": "ledger",
        "Notebook": "notebook",
        "Offload": "off_loop",
        "ResultCache": "store",
        "ResultStore": "store",
        "Results": "store",
        "SavedOutput": "journal",
        "SqliteJournal": "sqlite_journal",
        "StoreFailed": "store",
        "Stored": "store",
        "TaskKnown": "ledger",
        "Taken": "ledger",
        "Whereabouts": "store",
        "asset_from": "asset_rows",
        "asset_to": "asset_rows",
        "no_hook": "database",
        "open_journal": "journal_file",
        "results_of": "store",
        "verify": "verification",
    },
)
