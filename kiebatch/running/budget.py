"""Checks before the first submission: the API key and the budget."""

from __future__ import annotations

from kiebatch.errors import Refused
from kiebatch.planning import Plan, assess
from kiebatch.settings import Settings


def check_key(settings: Settings) -> None:
    if not settings.api_key:
        raise Refused(
            "there is no API key",
            hint="set KIE_API_KEY, or put a line KIE_API_KEY=... into the project's .env; --draft needs none",
        )


def check_budget(todo: Plan, settings: Settings) -> None:
    """Refuse, before anything is sent, what the user's limits rule out."""
    rejected = assess(todo, settings).rejections
    if rejected:
        rule = rejected[0]
        raise Refused(f"{rule.message}; nothing was sent", hint=rule.hint)
