"""Every credit that left the account gets a name: the journal's attempts, what records said, and balances, joined.

Between two readings of a balance lies a window.  What the account lost in it is, in this order: what certainly cost
something (results, billed failures, tasks under way), what may have (held jobs, failures of which nobody said whether
they were given back) as far as the loss reaches, and the rest is somebody else's.  Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

from kiebatch.model import JSON, Attempt, Slot, as_list, stamp, under
from kiebatch.record.notebook import Reading

ROUNDING = 0.01  # credits: what two sums may differ by and still agree


class Kind(StrEnum):
    """What a credit that left the account is."""

    SLOT = "slot"  # a result that is here
    FAILURE = "failure"  # a task that failed and was billed
    HELD = "held"  # a submission of which nobody knows whether it was charged
    OPEN = "open"  # a task under way, or one whose result is not here yet
    GIVEN_UP = "given-up"  # a task that a person forgot
    FOREIGN = "foreign"  # nobody here: another machine, another project, or a person on the website
    ADDED = "added"  # credits that came in: a purchase, or a refund of something older


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time between two readings of one account.  `gone` is what it lost, `ours` what this journal knows of it."""

    number: int
    account: str
    since: float
    until: float
    before: float
    after: float
    ours: float = 0.0

    @property
    def gone(self) -> float:
        return round(self.before - self.after, 4)

    @property
    def rest(self) -> float:
        """What is left without a name: above zero it is foreign, below it came in."""
        left = round(self.gone - self.ours, 4)
        return left if abs(left) > ROUNDING else 0.0

    def as_json(self) -> dict[str, JSON]:
        return {
            "window": self.number,
            "account": self.account,
            "since": stamp(self.since),
            "until": stamp(self.until),
            "before": self.before,
            "after": self.after,
            "gone": self.gone,
            "ours": round(self.ours, 4),
            "foreign": max(self.rest, 0.0),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One charge.  `price` is what it was expected to cost, `said` what the task's own record says.

    `sure` is False where neither a record nor a balance tells whether it was charged.
    """

    kind: Kind
    credits: float
    time: float
    window: int | None = None
    sure: bool = True
    slot: Slot | None = None
    film: str = ""
    model: str = ""
    task_id: str | None = None
    run_id: str = ""
    price: float | None = None
    said: float | None = None
    code: str = ""
    message: str = ""
    attempt: int = 0

    @property
    def excess(self) -> float:
        """What it cost above its price; a failure has no price that would be right."""
        if self.kind is Kind.FAILURE or self.price is None or self.said is None:
            return 0.0
        return round(self.said - self.price, 4) if self.said > self.price + ROUNDING else 0.0

    def as_json(self) -> dict[str, JSON]:
        return {
            "kind": str(self.kind),
            "credits": self.credits,
            "time": stamp(self.time),
            "window": self.window,
            "sure": self.sure,
            "slot": str(self.slot) if self.slot else None,
            "film": self.film or None,
            "model": self.model or None,
            "task_id": self.task_id,
            "run": self.run_id or None,
            "price": self.price,
            "said": self.said,
            "code": self.code or None,
            "message": self.message or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Jobs of one model, parameters and price whose records say another cost than the price."""

    model: str
    params: Mapping[str, JSON]
    price: float
    charged: float  # the most
    least: float
    jobs: int

    def as_json(self) -> dict[str, JSON]:
        return {
            "model": self.model,
            "params": dict(self.params),
            "price": self.price,
            "charged": self.charged,
            "least": self.least,
            "jobs": self.jobs,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The ledger of an account, as this journal can tell it."""

    lines: Sequence[Line] = ()
    windows: Sequence[Window] = ()

    def after(self, since: float | None) -> Audit:
        """Return what happened since a moment: windows that end later, and what lies in them or is later itself."""
        if since is None:
            return self
        windows = [w for w in self.windows if w.until >= since]
        kept = {w.number for w in windows}
        return Audit(
            lines=[line for line in self.lines if line.window in kept or line.time >= since], windows=windows
        )

    def totals(self, film: str) -> dict[str, float]:
        """Return credits by kind: those of one film by their kind, those of other films of this journal together."""
        found: dict[str, float] = dict.fromkeys((str(kind) for kind in Kind), 0.0) | {"other_films": 0.0}
        for line in self.lines:
            own = not line.film or line.film == film
            found[str(line.kind) if own else "other_films"] += line.credits
        found["gone"] = sum(window.gone for window in self.windows)
        found["outside"] = sum(line.credits for line in self.lines if line.window is None)
        return {name: round(credits, 4) for name, credits in found.items()}


# --- charges -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Charge:
    """An attempt that cost something, or may have."""

    attempt: Attempt
    kind: Kind
    credits: float
    certain: bool

    @property
    def time(self) -> float:
        return self.attempt.submitted_at or self.attempt.intended_at


def _charges(attempts: Iterable[Attempt], said: Mapping[int, float]) -> Iterable[_Charge]:
    for attempt in attempts:
        kind, certain = _kind(attempt)
        if kind is not None:
            credits = said.get(attempt.id, attempt.credits or 0.0)
            yield _Charge(attempt, kind, credits, certain)


def _kind(attempt: Attempt) -> tuple[Kind | None, bool]:
    """Return what an attempt's credits are, and whether they certainly left the account."""
    if attempt.state == "saved":
        return Kind.SLOT, True
    if attempt.open:
        return Kind.OPEN, True
    if attempt.undecided:
        return Kind.HELD, False
    if attempt.state == "failed" and attempt.billed is not False:
        return Kind.FAILURE, attempt.billed is True
    if attempt.state == "forgotten":
        return Kind.GIVEN_UP, attempt.task_id is not None
    return None, False


def _line(charge: _Charge, said: Mapping[int, float], window: int | None) -> Line:
    attempt = charge.attempt
    return Line(
        kind=charge.kind,
        credits=charge.credits,
        time=charge.time,
        window=window,
        sure=charge.certain,
        slot=attempt.slot,
        film=attempt.film,
        model=attempt.model,
        task_id=attempt.task_id,
        run_id=attempt.run_id,
        price=price_of(attempt),
        said=said.get(attempt.id),
        code=attempt.code,
        message=attempt.message,
        attempt=attempt.id,
    )


def price_of(attempt: Attempt) -> float | None:
    """Return what an attempt was expected to cost when it was sent."""
    amount = next(iter(as_list(under(attempt.job, "price"))), None)
    return float(amount) if isinstance(amount, int | float) else None


def listed_price(attempt: Attempt) -> float | None:
    """Return what the catalogue said, where bills of earlier jobs had taken the place of its price."""
    listed = under(attempt.job, "listed")
    return float(listed) if isinstance(listed, int | float) else price_of(attempt)


# --- windows -------------------------------------------------------------------------------------------


def _restless(attempts: Iterable[Attempt]) -> list[tuple[float, float]]:
    """Return the spans in which a charge or a refund of ours may have come: a balance read then tells nothing."""
    spans = []
    for attempt in attempts:
        answered = attempt.submitted_at
        if answered is not None:
            spans.append((attempt.intended_at, answered))
        if attempt.state == "failed" and attempt.billed is not True and attempt.ended_at is not None:
            spans.append((answered or attempt.intended_at, attempt.ended_at))
    return spans


def _merged(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans in order, those that overlap as one."""
    found: list[tuple[float, float]] = []
    for begun, over in sorted(spans):
        if found and begun <= found[-1][1]:
            found[-1] = found[-1][0], max(over, found[-1][1])
        else:
            found.append((begun, over))
    return found


def _windows(readings: Sequence[Reading], attempts: Sequence[Attempt]) -> list[Window]:
    """Return the windows between readings at quiet moments, account by account."""
    spans = _merged(_restless(attempts))
    ends = [over for _, over in spans]
    by_account: dict[str, list[Reading]] = defaultdict(list)
    for reading in sorted(readings, key=lambda r: r.at):
        next_one = bisect_right(ends, reading.asked_at)
        if next_one == len(spans) or spans[next_one][0] >= reading.at:
            by_account[reading.account].append(reading)
    found: list[Window] = []
    for account, quiet in by_account.items():
        for before, after in pairwise(quiet):
            found.append(
                Window(
                    number=len(found) + 1,
                    account=account,
                    since=before.at,
                    until=after.at,
                    before=before.balance,
                    after=after.balance,
                )
            )
    return found


@dataclass(slots=True)
class _Places:
    """Says in which window a charge lies."""

    windows: Sequence[Window]
    readings: Sequence[Reading]
    _accounts: dict[str, str] = field(init=False)  # by run
    _ends: dict[str, list[float]] = field(init=False)
    _of: dict[str, list[Window]] = field(init=False)

    def __post_init__(self) -> None:
        self._accounts = {reading.run_id: reading.account for reading in self.readings}
        self._of = defaultdict(list)
        for window in self.windows:
            self._of[window.account].append(window)
        self._ends = {account: [w.until for w in windows] for account, windows in self._of.items()}

    def window(self, charge: _Charge) -> Window | None:
        known = set(self._accounts.values())
        account = self._accounts.get(charge.attempt.run_id) or (known.pop() if len(known) == 1 else None)
        windows = self._of.get(account or "", [])
        place = bisect_right(self._ends.get(account or "", []), charge.time)
        if place < len(windows) and windows[place].since <= charge.time:
            return windows[place]
        return None


# --- the whole -----------------------------------------------------------------------------------------


def audit(attempts: Sequence[Attempt], readings: Sequence[Reading], said: Mapping[int, float]) -> Audit:
    """Return the ledger.  `attempts` are those of every film in the journal, `said` what records said they cost."""
    windows = _windows(readings, attempts)
    places = _Places(windows, readings)
    inside: dict[int, list[_Charge]] = defaultdict(list)
    lines: list[Line] = []
    for charge in _charges(attempts, said):
        window = places.window(charge)
        if window is None and (charge.certain or charge.kind is not Kind.GIVEN_UP):
            lines.append(_line(charge, said, None))
        elif window is not None:
            inside[window.number].append(charge)
    told = [_told(window, inside[window.number]) for window in windows]
    for window, charges in told:
        lines += [_line(charge, said, window.number) for charge in charges]
        lines += _nobodys(window)
    lines.sort(key=lambda line: line.time)
    return Audit(lines=lines, windows=[window for window, _ in told])


def _told(window: Window, charges: Sequence[_Charge]) -> tuple[Window, list[_Charge]]:
    """Return a window with what was ours in it, and its charges: the uncertain ones as far as the loss reaches."""
    ours = sum(charge.credits for charge in charges if charge.certain)
    found: list[_Charge] = []
    for charge in charges:
        if charge.certain:
            found.append(charge)
            continue
        left = window.gone - ours
        if left >= charge.credits - ROUNDING:
            ours += charge.credits
            found.append(replace(charge, certain=True))
        elif charge.kind is not Kind.GIVEN_UP:
            found.append(replace(charge, credits=0.0, certain=True))
    return replace(window, ours=round(ours, 4)), found


def _nobodys(window: Window) -> list[Line]:
    """Return what a window lost, or got, beside what is ours."""
    if not window.rest:
        return []
    kind = Kind.FOREIGN if window.rest > 0 else Kind.ADDED
    return [Line(kind=kind, credits=abs(window.rest), time=window.until, window=window.number)]


def settled(attempts: Iterable[Attempt], found: Audit) -> list[Attempt]:
    """Return attempts with what the ledger knows of failures: whether they were billed, and what they cost."""
    lines = {line.attempt: line for line in found.lines if line.kind is Kind.FAILURE}
    return [_settled(attempt, lines.get(attempt.id)) for attempt in attempts]


def _settled(attempt: Attempt, line: Line | None) -> Attempt:
    return replace(attempt, billed=bool(line.credits), credits=line.credits) if line else attempt


def differences(lines: Iterable[Line], params: Callable[[Line], Mapping[str, JSON]]) -> list[Difference]:
    """Return where records say another cost than the price; `params` are a job's that its price depends on."""
    groups: dict[tuple[str, str, float], list[Line]] = defaultdict(list)
    for line in lines:
        if line.kind is Kind.SLOT and line.price is not None and line.said is not None:
            key = (line.model, repr(sorted(params(line).items())), line.price)
            groups[key].append(line)
    found = []
    for (model, _, price), group in groups.items():
        costs = [line.said for line in group if line.said is not None]
        if any(abs(cost - price) > ROUNDING for cost in costs):
            found.append(
                Difference(
                    model=model,
                    params=params(group[0]),
                    price=price,
                    charged=max(costs),
                    least=min(costs),
                    jobs=len(costs),
                )
            )
    return found
