"""A budget for repeated reads, so that an outage is waited out and not hammered.

A bucket that empties with failures and fills with successes; the figures are those of the AWS SDKs' adaptive retry.
While it is empty, one read at a time goes out, after growing pauses; the first that succeeds lets all others go.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from kiebatch.addresses import STATUS_PAGE
from kiebatch.provider import policy

FULL = 500
TRANSIENT = 14  # what a read without a useful answer costs
THROTTLED = 5  # what one costs that was refused as too many
GAIN = 1  # what a success brings back
_AGAIN = 100  # in the bucket after an outage


class RetryBudget:
    """The bucket of one run.  `notice` gets one sentence when an outage begins and one when it is over."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
        notice: Callable[[str], object] = lambda sentence: None,
    ) -> None:
        self.left = FULL
        self._sleep = sleep
        self._rng = rng or random.Random()
        self._notice = notice
        self._turn = asyncio.Lock()
        self._failed = 0  # in a row, in this outage

    async def admit(self) -> bool:
        """Return when a read may go out; True for the one that looks whether an outage is over.

        Whoever gets True calls `ended` afterwards, whatever came of the read.
        """
        if self.left > 0:
            return False
        await self._turn.acquire()
        if self.left > 0:
            self._turn.release()
            return False
        try:
            if not self._failed:
                self._notice(f"the provider does not answer ({STATUS_PAGE}); waiting until it does")
            self._failed += 1
            await self._sleep(policy.wait_s(self._failed, self._rng))
        except BaseException:
            self._turn.release()
            raise
        return True

    def ended(self) -> None:
        """Let the next one look."""
        self._turn.release()

    def succeeded(self) -> None:
        """Note a useful answer."""
        if self.left <= 0:
            self._notice("the provider answers again")
            self.left = _AGAIN
        self._failed = 0
        self.left = min(FULL, self.left + GAIN)

    def failed(self, *, throttled: bool = False) -> None:
        """Note a read that has to be repeated."""
        self.left = max(0, self.left - (THROTTLED if throttled else TRANSIENT))
