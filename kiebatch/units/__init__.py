"""Work that any machine can do: fetch and check a result, derive from it, encode a segment, upload a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.units.context import Context as Context
    from kiebatch.units.context import NoRows as NoRows
    from kiebatch.units.context import Parts as Parts
    from kiebatch.units.context import Rows as Rows
    from kiebatch.units.context import Shelf as Shelf
    from kiebatch.units.deriving import derive as derive
    from kiebatch.units.downloading import download as download
    from kiebatch.units.execution import carry_out as carry_out
    from kiebatch.units.execution import execute as execute
    from kiebatch.units.queue import LocalQueue as LocalQueue
    from kiebatch.units.queue import OpenQueue as OpenQueue
    from kiebatch.units.queue import WorkQueue as WorkQueue
    from kiebatch.units.segments import Cue as Cue
    from kiebatch.units.segments import Piece as Piece
    from kiebatch.units.segments import Source as Source
    from kiebatch.units.segments import Transition as Transition
    from kiebatch.units.segments import even as even
    from kiebatch.units.segments import fitting as fitting
    from kiebatch.units.segments import segment as segment
    from kiebatch.units.segments import tools as tools
    from kiebatch.units.shelf import Folder as Folder
    from kiebatch.units.unit import KINDS as KINDS
    from kiebatch.units.unit import Ended as Ended
    from kiebatch.units.unit import Failed as Failed
    from kiebatch.units.unit import Kind as Kind
    from kiebatch.units.unit import Made as Made
    from kiebatch.units.unit import Order as Order
    from kiebatch.units.unit import Unit as Unit
    from kiebatch.units.uploading import upload as upload

__getattr__, __dir__ = face(
    __name__,
    {
        "Context": "context",
        "Cue": "segments",
        "Ended": "unit",
        "Failed": "unit",
        "Folder": "shelf",
        "KINDS": "unit",
        "Kind": "unit",
        "LocalQueue": "queue",
        "Made": "unit",
        "NoRows": "context",
        "OpenQueue": "queue",
        "Order": "unit",
        "Parts": "context",
        "Piece": "segments",
        "Rows": "context",
        "Shelf": "context",
        "Source": "segments",
        "Transition": "segments",
        "Unit": "unit",
        "WorkQueue": "queue",
        "carry_out": "execution",
        "derive": "deriving",
        "download": "downloading",
        "even": "segments",
        "execute": "execution",
        "fitting": "segments",
        "segment": "segments",
        "tools": "segments",
        "upload": "uploading",
    },
)
