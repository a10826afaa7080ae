"""Reads the account's balance, and writes down what it was told: the audit's evidence."""

from __future__ import annotations

from collections.abc import Callable

from kiebatch.addresses import STATUS_PAGE
from kiebatch.errors import Refused
from kiebatch.provider import CallFailed, Client
from kiebatch.record import Ledger
from kiebatch.running.events import Event, Noticed
from kiebatch.settings import Settings


class Balances:
    """The balance of one account, for one run.  `account` is its digest; empty for a draft, whose credits are nobody's."""

    def __init__(
        self, client: Client, ledger: Ledger, now: Callable[[], float], *, account: str, run_id: str
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._now = now
        self.account = account
        self._run_id = run_id

    @property
    def nobodys(self) -> bool:
        return not self.account

    async def read(self, *, attempts: int | None = None) -> float:
        """Return the balance.  Raises `CallFailed` and `Refused` as the client does."""
        asked_at = self._now()
        balance = await self._client.balance(attempts=attempts)
        if self.account:
            await self._ledger.balance_read(
                balance, asked_at=asked_at, account=self.account, run_id=self._run_id
            )
        return balance


def without_balance(failure: CallFailed, settings: Settings, emit: Callable[[Event], object]) -> None:
    """Go on without knowing the balance only where the provider answers and the user has named a cap."""
    if failure.code != "no-balance":
        raise Refused(
            f"the provider cannot be reached: {failure.message}",
            hint=f"nothing was sent; {failure.hint or f'{STATUS_PAGE} says whether the service is down'}",
            code="unreachable",
        ) from None
    if settings.max_credits is None:
        raise Refused(
            f"the balance is not known: {failure.message}; nothing was sent",
            hint="--max-credits N lets the run go without it, up to that cap",
            code="unreachable",
        ) from None
    emit(
        Noticed(
            message=f"the balance is not known ({failure.message}); going on up to the cap of "
            f"{settings.max_credits:g} credits",
            level="warning",
        )
    )
