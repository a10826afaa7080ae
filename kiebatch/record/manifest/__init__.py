"""The manifest: read, repair, add, supersede, write; strings in, strings out; keeps the keys of other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.record.manifest.adding import annotated as annotated
    from kiebatch.record.manifest.adding import changed as changed
    from kiebatch.record.manifest.adding import record as record
    from kiebatch.record.manifest.adding import version_after as version_after
    from kiebatch.record.manifest.ids import PREFIXES as PREFIXES
    from kiebatch.record.manifest.ids import id_prefix as id_prefix
    from kiebatch.record.manifest.ids import renumbered as renumbered
    from kiebatch.record.manifest.keys import birth as birth
    from kiebatch.record.manifest.keys import place as place
    from kiebatch.record.manifest.keys import revised as revised
    from kiebatch.record.manifest.keys import sort_key as sort_key
    from kiebatch.record.manifest.manifest import MARK as MARK
    from kiebatch.record.manifest.manifest import Manifest as Manifest
    from kiebatch.record.manifest.names import asset_name as asset_name
    from kiebatch.record.manifest.names import first_name as first_name
    from kiebatch.record.manifest.names import version_name as version_name
    from kiebatch.record.manifest.repair import Repair as Repair
    from kiebatch.record.manifest.repair import repaired as repaired
    from kiebatch.record.manifest.repair import with_own_files as with_own_files
    from kiebatch.record.manifest.text import FORMAT as FORMAT
    from kiebatch.record.manifest.text import KEYS as KEYS
    from kiebatch.record.manifest.text import asset_of as asset_of
    from kiebatch.record.manifest.text import differing as differing
    from kiebatch.record.manifest.text import dump as dump
    from kiebatch.record.manifest.text import entry as entry
    from kiebatch.record.manifest.text import parse as parse
    from kiebatch.record.manifest.text import parse_file as parse_file
    from kiebatch.record.manifest.versions import lines as lines
    from kiebatch.record.manifest.versions import slots as slots

__getattr__, __dir__ = face(
    __name__,
    {
        "FORMAT": "text",
        "KEYS": "text",
        "MARK": "manifest",
        "Manifest": "manifest",
        "PREFIXES": "ids",
        "Repair": "repair",
        "annotated": "adding",
        "asset_name": "names",
        "asset_of": "text",
        "birth": "keys",
        "changed": "adding",
        "differing": "text",
        "dump": "text",
        "entry": "text",
        "first_name": "names",
        "id_prefix": "ids",
        "lines": "versions",
        "parse": "text",
        "parse_file": "text",
        "place": "keys",
        "record": "adding",
        "renumbered": "ids",
        "repaired": "repair",
        "revised": "keys",
        "slots": "versions",
        "sort_key": "keys",
        "version_after": "adding",
        "version_name": "names",
        "with_own_files": "repair",
    },
)
