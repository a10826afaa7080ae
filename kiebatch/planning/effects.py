"""What a plan would buy, as a value with a digest: what a person approves, and what a run then may buy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import (
    JSON,
    Attempt,
    Job,
    LocalFile,
    Ref,
    Row,
    ShotOutput,
    Slot,
    as_mapping,
    canonical,
    fingerprint,
    row_of,
    stamp,
)
from kiebatch.planning.order import output_of
from kiebatch.planning.plans import Action, Entry, Plan, Reason, most, price_of

_SHOWN = 50  # differences of one refusal
_LATE = 64  # tasks that may have been in flight when a plan was approved


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One thing that a plan buys.

    `content` is the fingerprint; where a job starts from a shot that is made first, it names that shot,
    whose own purchase says what it will be.  Credits are the most that the job or its fallback costs, `reserve` is
    what a cap puts aside; None where no price is known.  `instead` is the fallback, as model and content.  `replaces`
    are the files that a forced purchase supersedes: with what it made there instead, the same wish is another purchase.
    """

    slot: str
    model: str
    content: str
    credits: float | None
    reserve: float | None
    instead: tuple[str, str] | None = None
    replaces: tuple[str, ...] = ()

    def as_json(self) -> dict[str, JSON]:
        found: dict[str, JSON] = {
            "slot": self.slot,
            "model": self.model,
            "content": self.content,
            "credits": self.credits,
            "reserve": self.reserve,
        }
        if self.instead:
            found["instead"] = list(self.instead)
        if self.replaces:
            found["replaces"] = list(self.replaces)
        return found

    def __str__(self) -> str:
        price = "an unknown price" if self.credits is None else f"{self.credits:g} credits"
        spare = f" or {self.instead[0]}" if self.instead else ""
        older = f" in place of {', '.join(one[:12] for one in self.replaces)}" if self.replaces else ""
        return f"{self.model}{spare} for {price}, {self.content.removeprefix('sha256:')[:12]}{older}"


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What a plan buys at most: its purchases by slot, and the cap.  Neither order nor time is part of it."""

    purchases: Mapping[str, Purchase]
    cap: float | None = None

    @cached_property
    def digest(self) -> str:
        """Return the effect digest, `sha256:...` over the canonical JSON of the purchases and the cap."""
        lines = [self.purchases[slot].as_json() for slot in sorted(self.purchases)]
        text = canonical({"effects": 1, "cap": self.cap, "purchases": lines})
        return "sha256:" + hashlib.sha256(text).hexdigest()

    def as_json(self) -> dict[str, JSON]:
        lines = [self.purchases[slot].as_json() for slot in sorted(self.purchases)]
        return {"digest": self.digest, "cap": self.cap, "purchases": lines}


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval that a run goes by: its digest, and the purchases that it covers."""

    digest: str
    purchases: Mapping[str, Purchase]

    def record(self, slot: Slot) -> dict[str, JSON]:
        """Return what the journal keeps with an attempt: enough to go on after an interruption."""
        return {"approved": {"digest": self.digest, "purchase": self.purchases[str(slot)].as_json()}}

    def covers(self, job: Job, content: str) -> bool:
        """Whether a job that is about to be sent was approved.

        The content of one that starts from another shot was not known beforehand; what it starts from was approved.
        """
        purchase = self.purchases.get(str(job.slot))
        if purchase is None:
            return False
        if (job.price.reserved or 0.0) > (purchase.reserve or 0.0) + 1e-9:
            return False
        allowed = {purchase.model: purchase.content}
        if purchase.instead:
            allowed.setdefault(*purchase.instead)
        return job.model in allowed and (bool(job.needs) or allowed[job.model] == content)


def read_effects(value: JSON) -> Effects | None:
    """Return effects that were written as JSON; None for what are none."""
    try:
        row = row_of(value)
        purchases = [_purchase(line) for line in row.list("purchases")]
        cap = row.number_or_none("cap")
    except (KeyError, TypeError, ValueError):
        return None
    return Effects(purchases={purchase.slot: purchase for purchase in purchases}, cap=cap)


def _purchase(line: JSON) -> Purchase:
    """Return a purchase that `Purchase.as_json` wrote; KeyError, TypeError or ValueError for what is none."""
    row = row_of(line)
    return Purchase(
        slot=row.text("slot"),
        model=row.text("model"),
        content=row.text("content"),
        credits=row.number_or_none("credits"),
        reserve=row.number_or_none("reserve"),
        instead=_instead(row),
        replaces=row.texts("replaces") if "replaces" in row.values else (),
    )


def _instead(row: Row) -> tuple[str, str] | None:
    if not row.values.get("instead"):
        return None
    model, content = row.texts("instead")
    return model, content


def of_plan(todo: Plan, *, cap: float | None = None) -> Effects:
    """Return what a plan would buy, under a cap in credits."""
    return _Buying(todo, cap, _Bought(purchases={}, tasks=frozenset(), spent={})).effects()


def approved(
    todo: Plan, digest: str, *, cap: float | None = None, then: Effects | None = None
) -> tuple[Plan, Approval]:
    """Return what a run may still do of a plan under an approval, and the approval.

    What was bought under it before counts as part of the plan, and is not bought again.  `then` is what was approved,
    where that is known: it is shown beside what the plan is now.  `Invalid` where the plan is another one.  A plan that
    buys nothing needs no approval.
    """
    bought = _bought_under(digest, todo.facts.attempts)
    known = then if then is not None and then.digest == digest else None
    now = _as_approved(_Buying(todo, cap, bought, known), digest)
    if todo.generate and now.digest != digest:
        raise Invalid(_differences(now, digest, known))
    entries = tuple(_once(entry, bought) for entry in todo.entries)
    return replace(todo, entries=entries), Approval(digest, now.purchases)


# --- what was bought under an approval -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bought:
    """What the journal knows of an approval: its purchases, their tasks, and the slots that cannot be bought again."""

    purchases: Mapping[str, Purchase]
    tasks: frozenset[str]
    spent: Mapping[str, Attempt]


def _bought_under(digest: str, attempts: Sequence[Attempt]) -> _Bought:
    purchases: dict[str, Purchase] = {}
    tasks = set()
    spent = {}
    for attempt in attempts:
        record = as_mapping(attempt.job.get("approved"))
        if record.get("digest") != digest:
            continue
        purchase = _purchase(record["purchase"])
        purchases[purchase.slot] = purchase
        if attempt.task_id:
            tasks.add(attempt.task_id)
        if _perhaps_paid(attempt):
            spent[purchase.slot] = attempt
    return _Bought(purchases=purchases, tasks=frozenset(tasks), spent=spent)


def _perhaps_paid(attempt: Attempt) -> bool:
    """Whether an attempt may have cost something: an approval is for one purchase of each slot."""
    certainly_free = attempt.state == "refused" or (attempt.state == "failed" and attempt.billed is False)
    return not (certainly_free or attempt.may_resubmit)


def _once(entry: Entry, bought: _Bought) -> Entry:
    """Return what is to happen with a slot that the plan would buy, where it was bought under the approval before."""
    attempt = bought.spent.get(str(entry.slot))
    if attempt is None or entry.action is not Action.GENERATE:
        return entry
    if entry.cause is Reason.FORCED and attempt.state == "saved":
        return replace(entry, action=Action.KEEP, cause=Reason.KEPT)
    return replace(entry, action=Action.BLOCKED, cause=Reason.APPROVED_ONCE, attempt=attempt)


# --- the effects of a plan -------------------------------------------------------------------------------


def _as_approved(buying: _Buying, digest: str) -> Effects:
    """Return a plan's effects, as of the approval where that can be.

    What was in flight then may be here now, and the tasks that ended last are those: each number of them is tried.
    """
    todo = buying.todo
    used = {ref.slot for e in todo.generate if e.job for ref in _shots(e.job)}
    ended = {task: at for e in todo.entries if e.slot in used for task, at in _ended(e)}
    late = sorted(ended, key=lambda task: ended[task], reverse=True)[:_LATE]
    today = buying.effects()
    then = (buying.effects(frozenset(late[:count])) for count in range(1, len(late) + 1))
    return next((one for one in (today, *then) if one.digest == digest), today)


def _ended(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield the tasks whose results a slot has, with the time at which each came."""
    for asset in (*entry.current, *entry.older):
        if asset.task_id:
            yield asset.task_id, asset.created_at
    attempt = entry.attempt
    if attempt and attempt.task_id and attempt.ended_at:
        yield attempt.task_id, stamp(attempt.ended_at)


def _shots(job: Job) -> Iterator[ShotOutput]:
    led = job.led or (job.open_form.led if job.open_form else None)
    if led and led.slot:
        yield ShotOutput(led.slot)
    for medium in (*job.media, *(job.fallback.media if job.fallback else ())):
        if isinstance(medium.ref, ShotOutput):
            yield medium.ref


@dataclass(frozen=True, slots=True)
class _Buying:
    """What a plan buys, under a cap, beside what was bought under the approval; `known` is the approved plan's effects."""

    todo: Plan
    cap: float | None
    bought: _Bought
    known: Effects | None = None

    def effects(self, late: frozenset[str] = frozenset()) -> Effects:
        """Return the effects; `late` are tasks that may have been in flight when the plan was approved."""
        naming = _Naming(self.todo, self.bought.tasks, late)
        now = {str(e.slot): self._purchase(e, e.job, naming) for e in self.todo.generate if e.job}
        return Effects(purchases={**self.bought.purchases, **now}, cap=self.cap)

    def _purchase(self, entry: Entry, job: Job, naming: _Naming) -> Purchase:
        """Return a job's purchase: at its approved price, where such jobs have been billed less since.

        The first jobs of an approved plan teach this price, and the others are still the ones that were approved.
        """
        purchase = replace(_to_buy(job, naming), replaces=self._replaces(entry))
        before = self.known.purchases.get(purchase.slot) if self.known else None
        if before is None or not _billed_less(job):
            return purchase
        dearer = (before.credits or 0.0) > (purchase.credits or 0.0)
        return before if dearer and replace(purchase, credits=before.credits) == before else purchase

    def _replaces(self, entry: Entry) -> tuple[str, ...]:
        """Return what a forced purchase supersedes; where it was bought under the approval, what it superseded."""
        if entry.cause is not Reason.FORCED:
            return ()
        before = self.bought.purchases.get(str(entry.slot))
        if before and any(asset.task_id in self.bought.tasks for asset in entry.current):
            return before.replaces
        return tuple(asset.sha256 or asset.filename for asset in entry.current)


def _billed_less(job: Job) -> bool:
    """Whether a job, or its fallback, has a price that bills have taught and that is below the catalogue's."""
    prices = [one.price for one in (job, job.fallback) if one]
    return any(p.listed is not None and p.amount is not None and p.amount < p.listed for p in prices)


def _to_buy(job: Job, naming: _Naming) -> Purchase:
    then = job.open_form
    if then and then.led and then.led.slot and naming.is_open(ShotOutput(then.led.slot)):
        job = then  # it was approved before its voice was made
    spare = job.fallback
    return Purchase(
        slot=str(job.slot),
        model=job.model,
        content=_content(job, naming),
        credits=price_of(job).amount,
        reserve=most(job),
        instead=(spare.model, fingerprint(spare, naming)) if spare else None,
    )


def _content(job: Job, naming: _Naming) -> str:
    """Return a job's fingerprint; of one whose length follows a voice that is not made, that of all its lengths."""
    if job.led is None or job.led.slot is None:
        return fingerprint(job, naming)
    pauses = [job.led.head_s, job.led.tail_s, job.led.others_s, job.led.among]
    forms = [fingerprint(one, naming) for _, one in job.lengths]
    text = canonical({"voice": naming(ShotOutput(job.led.slot)), "pauses": pauses, "lengths": forms})
    return "sha256:" + hashlib.sha256(text).hexdigest()


class _Naming:
    """Names a medium by its content, and a shot that is made first, or was under the approval, by its own name.

    A shot whose task is in flight is named by the task, and so are those whose tasks `late` holds.
    """

    def __init__(self, todo: Plan, tasks: frozenset[str], late: frozenset[str]) -> None:
        self._entries = {entry.slot: entry for entry in todo.entries}
        self._facts = todo.facts
        self._tasks = tasks
        self._late = late

    def __call__(self, ref: Ref) -> str:
        if isinstance(ref, LocalFile):
            return self._facts.media.get(ref.path) or str(ref)
        if isinstance(ref, ShotOutput) and ref.slot in self._entries:
            return self._shot(self._entries[ref.slot], ref)
        return str(ref)

    def is_open(self, ref: ShotOutput) -> bool:
        """Whether a shot is named and not its content: it is made first, or was under the approval."""
        return self(ref).startswith(str(ref))

    def _shot(self, entry: Entry, ref: ShotOutput) -> str:
        if entry.selected and entry.action is Action.GENERATE:
            return str(ref)
        if entry.action is Action.RESTORE and entry.attempt:
            task = entry.attempt.task_id or ""
            return self._of_task(ref, task, self._facts.saved.get((task, ref.output)))
        if entry.stored and self._facts.stored:
            return self._facts.stored.digests(entry.stored).get(ref.output) or str(ref)
        asset = output_of(entry.older or entry.current, ref)
        return str(ref) if asset is None else self._of_task(ref, asset.task_id or "", asset.sha256)

    def _of_task(self, ref: ShotOutput, task: str, sha256: str | None) -> str:
        if task in self._tasks:
            return str(ref)
        return f"{ref} of {task}" if sha256 is None or task in self._late else sha256


# --- two plans side by side ------------------------------------------------------------------------------


def _differences(now: Effects, digest: str, known: Effects | None) -> list[Problem]:
    """Return why a plan is not the one that was approved, a line for each purchase that differs."""
    message = (
        f"the plan is not the one that was approved; nothing was sent (approved {digest}, now {now.digest})"
    )
    cap = known.cap if known else None
    if replace(now, cap=cap).digest == digest:
        message += f"; only the cap differs: it is {_cap(now.cap)}, and was {_cap(cap)}"
    hint = "look at it with `kiebatch plan`; who agrees runs it with `--approved` and the digest of today"
    first = Problem(where=Where(), message=message, hint=hint, code="not-approved")
    lines = _beside(known, now) if known else [f"{slot}: now {line}" for slot, line in _sorted(now)]
    shown = lines[:_SHOWN]
    if len(lines) > _SHOWN:
        shown.append(f"and {len(lines) - _SHOWN} more")
    return [first, *(Problem(where=Where(), message=line, code="not-approved") for line in shown)]


def _beside(then: Effects, now: Effects) -> list[str]:
    slots = sorted({*then.purchases, *now.purchases})
    pairs = [(slot, then.purchases.get(slot), now.purchases.get(slot)) for slot in slots]
    return [
        f"{slot}: approved {before or 'nothing'}; now {after or 'nothing'}"
        for slot, before, after in pairs
        if before != after
    ]


def _sorted(found: Effects) -> list[tuple[str, Purchase]]:
    return sorted(found.purchases.items())


def _cap(cap: float | None) -> str:
    return "none" if cap is None else f"{cap:g} credits"
