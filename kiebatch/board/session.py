"""One film under review: what its page shows, what an action would do and cost, and doing it."""

from __future__ import annotations

from collections.abc import Callable

from kiebatch.board.live import LiveFilm
from kiebatch.board.making import Making, Runner
from kiebatch.board.page import Review
from kiebatch.board.proposals import Proposals
from kiebatch.media import Derivatives
from kiebatch.project import Opened


class ReviewSession:
    """Brings together the parts of a review.

    `author` is who decides where the page does not say it.  `may_write` lets the page change the scene file; without a
    `runner` nothing can be made from it.  The disk is looked at `every_s` seconds.
    """

    def __init__(
        self,
        load: Callable[[], Opened],
        *,
        derivatives: Derivatives | None = None,
        author: str = "",
        may_write: bool = False,
        runner: Runner | None = None,
        every_s: float = 0.7,
    ) -> None:
        self.author = author
        self.every_s = every_s
        self.live = LiveFilm(load, derivatives)
        self.proposals = Proposals(self.live, may_write=may_write, may_run=runner is not None)
        self.making = Making(self.live, runner)
        self.owner_view = Review(author=author, may_write=may_write, may_run=runner is not None)

    def guest_view(self, name: str) -> Review:
        """Return what a guest's page may do: write notes under that name."""
        return Review(author=name, may_write=False, may_run=False, guest=True)
