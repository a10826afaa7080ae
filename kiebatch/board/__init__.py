"""The storyboard page and the review server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.board.desk import Desk as Desk
    from kiebatch.board.server import Doors as Doors
    from kiebatch.board.server import application as application

__getattr__, __dir__ = face(
    __name__,
    {
        "Desk": "desk",
        "Doors": "server",
        "application": "server",
    },
)
