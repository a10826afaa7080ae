"""Checks before the first submission: the API key and the budget."""

from __future__ import annotations

from kiebatch.errors import Refused
from kiebatch.planning import Plan, plans
from kiebatch.settings import Settings


def check_key(settings: Settings) -> None:
    if not settings.api_key:
        raise Refused(
            "there is no API key",
            hint="set KIE_API_KEY, or put a line KIE_API_KEY=... into the project's .env; --draft needs none",
        )


def check_budget(todo: Plan, settings: Settings) -> None:
    """Refuse, before anything is sent, what the user's limits rule out."""
    if settings.draft:
        return
    unpriced = [e for e in todo.generate if e.job and plans.most(e.job) is None]
    if unpriced and not settings.allow_unpriced:
        names = ", ".join(f"{e.slot} ({e.job.model})" for e in unpriced[:5] if e.job)
        raise Refused(
            f"the price of {len(unpriced)} job{'s' if len(unpriced) > 1 else ''} is not known: {names}",
            hint="--allow-unpriced lets them go",
        )
    need = todo.credits()
    if settings.max_credits is not None and need > settings.max_credits and not settings.partial:
        raise Refused(
            f"the plan needs up to {need:g} credits, and the cap is {settings.max_credits:g}; nothing was sent",
            hint="raise --max-credits, choose with --only, or go as far as it allows with --partial",
        )
