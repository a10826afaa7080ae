"""Units of work on many machines: the queue in PostgreSQL, the workers, and what keeps both true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.farm.abilities import doable as doable
    from kiebatch.farm.asking import asking as asking
    from kiebatch.farm.pace import Pace as Pace
    from kiebatch.farm.parent import supervise as supervise
    from kiebatch.farm.queue import TeamQueue as TeamQueue
    from kiebatch.farm.shelf import StoreShelf as StoreShelf
    from kiebatch.farm.status import FarmStatus as FarmStatus
    from kiebatch.farm.status import drained as drained
    from kiebatch.farm.status import farm_status as farm_status
    from kiebatch.farm.worker import Worker as Worker

__getattr__, __dir__ = face(
    __name__,
    {
        "FarmStatus": "status",
        "Pace": "pace",
        "StoreShelf": "shelf",
        "TeamQueue": "queue",
        "Worker": "worker",
        "asking": "asking",
        "doable": "abilities",
        "drained": "status",
        "farm_status": "status",
        "supervise": "parent",
    },
)
