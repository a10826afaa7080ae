"""The storyboard page and the review server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.board.access import Access as Access
    from kiebatch.board.access import Role as Role
    from kiebatch.board.making import Runner as Runner
    from kiebatch.board.server import application as application
    from kiebatch.board.session import ReviewSession as ReviewSession

__getattr__, __dir__ = face(
    __name__,
    {
        "Access": "access",
        "ReviewSession": "session",
        "Role": "access",
        "Runner": "making",
        "application": "server",
    },
)
