"""The verdict on a plan's price: may it go, and which rule says so."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from kiebatch._dataclass import dataclass
from kiebatch.model import JSON, USD_PER_CREDIT
from kiebatch.planning.plans import Plan, most
from kiebatch.settings import Consent, Settings


class Verdict(StrEnum):
    """What is to happen with a plan: let it go, say something, ask a person, or refuse it."""

    ALLOW = "allow"
    WARN = "warn"
    CONFIRM = "confirm"
    REJECT = "reject"


_ORDER = tuple(Verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule that spoke about a plan.

    `name` is a short stable word for scripts: `max_credits`, `partial`, `unpriced`, `balance`, `consent`, or a
    threshold.  `limit` is in credits, None for a rule that has none.
    """

    name: str
    verdict: Verdict
    message: str
    hint: str = ""
    limit: float | None = None
    source: str = ""  # the file that set it

    def as_json(self) -> dict[str, JSON]:
        return {
            "rule": self.name,
            "verdict": str(self.verdict),
            "limit": self.limit,
            "source": self.source or None,
            "message": self.message,
            "hint": self.hint or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The verdict on a plan with every rule that spoke, the strictest first."""

    rules: tuple[Rule, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return self.rules[0].verdict if self.rules else Verdict.ALLOW

    @property
    def rejections(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.verdict is Verdict.REJECT)


def preflight(todo: Plan, settings: Settings, balance: float | None = None) -> Verdict:
    """Return the verdict on a plan's price: allow, warn, confirm or reject; `assess` also says why."""
    return assess(todo, settings, balance).verdict


def assess(todo: Plan, settings: Settings, balance: float | None = None) -> Assessment:
    """Return the verdict on a plan's price and the rules behind it.  `balance` is the account's, where it is known.

    A draft and a plan that sends nothing cost nothing and pass.
    """
    if settings.draft or not todo.generate:
        return Assessment()
    rules = [
        *_caps(todo, settings),
        *thresholds(todo.reserved(), settings),
        *_consent(todo, settings, balance),
    ]
    rules.sort(key=lambda rule: _ORDER.index(rule.verdict), reverse=True)
    return Assessment(rules=tuple(rules))


def _caps(todo: Plan, settings: Settings) -> Iterator[Rule]:
    unpriced = [e for e in todo.generate if e.job and most(e.job) is None]
    if unpriced and not settings.allow_unpriced:
        names = ", ".join(f"{e.slot} ({e.job.model})" for e in unpriced[:5] if e.job)
        yield Rule(
            name="unpriced",
            verdict=Verdict.REJECT,
            message=f"the price of {len(unpriced)} job{'s' if len(unpriced) > 1 else ''} is not known: {names}",
            hint="--allow-unpriced lets them go",
        )
    yield from _cap(todo.reserved(), settings)


def _cap(need: float, settings: Settings) -> Iterator[Rule]:
    cap = settings.cap
    if cap is None or need <= cap:
        return
    ours = settings.max_credits is not None and settings.max_credits <= cap
    yield Rule(
        name="partial" if settings.partial else "max_credits",
        verdict=Verdict.WARN if settings.partial else Verdict.REJECT,
        message=f"the plan needs up to {need:g} credits, and the cap is {cap:g}",
        hint=(
            "raise --max-credits, choose with --only, or go as far as it allows with --partial"
            if ours
            else "the scene file sets it: raise its `max_credits`, choose with --only, or use --partial"
        ),
        limit=cap,
        source="" if ours else "the scene file",
    )


def thresholds(need: float, settings: Settings, *, who: str = "the plan needs") -> Iterator[Rule]:
    """Yield a rule for each threshold that a cost is above.  `who` begins the message: what costs that much."""
    for name, limit, verdict in (
        ("reject_above", settings.reject_above, Verdict.REJECT),
        ("confirm_above", settings.confirm_above, _unless_typed(settings)),
        ("warn_above", settings.warn_above, Verdict.WARN),
    ):
        if limit is None or need <= limit:
            continue
        source = settings.said_by.get(name, "")
        yield Rule(
            name=name,
            verdict=verdict,
            message=f"{who} up to {_both(need)}, and `{name}`{f' in {source}' if source else ''} is {_both(limit)}",
            hint="choose with --only, or raise it there" if verdict is Verdict.REJECT else "",
            limit=limit,
            source=source,
        )


def _consent(todo: Plan, settings: Settings, balance: float | None) -> Iterator[Rule]:
    need = todo.reserved()
    if balance is not None and balance < need:
        yield Rule(
            name="balance",
            verdict=_unless_typed(settings),
            message=f"the balance is {balance:g} credits and the plan needs up to {need:g}",
            limit=balance,
        )
    if settings.consent is Consent.NONE and settings.max_credits is None and not settings.approved:
        yield Rule(
            name="consent",
            verdict=Verdict.CONFIRM,
            message="a run asks before it spends",
            hint="--yes, or better a cap with --max-credits N, lets it go without a question",
        )


def _unless_typed(settings: Settings) -> Verdict:
    """What a person typed for this very run is an answer; what is exported for every run is not."""
    typed = settings.consent is Consent.TYPED or settings.max_credits is not None or settings.approved
    return Verdict.WARN if typed else Verdict.CONFIRM


def _both(credits: float) -> str:
    return f"{credits:g} credits (${credits * USD_PER_CREDIT:,.2f})"
