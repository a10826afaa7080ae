"""A plan as a value: one entry per slot, with action, reason and price."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import Literal, Protocol

from kiebatch._dataclass import dataclass
from kiebatch.model import (
    JSON,
    USD_PER_CREDIT,
    Asset,
    Attempt,
    Job,
    Price,
    Slot,
    canonical,
)
from kiebatch.project import Assignment
from kiebatch.record import Key


class Action(StrEnum):
    """What a run does with a slot (contract section 8)."""

    GENERATE = "generate"
    KEEP = "keep"
    RESTORE = "restore"
    MISSING = "missing"
    ALTERED = "altered"
    BLOCKED = "blocked"
    ORPHAN = "orphan"


class Reason(StrEnum):
    """Why (contract section 2).  UPSTREAM and MOVED also name a slot: `Entry.other`."""

    NEW = "new"
    PROMPT = "prompt"
    MODEL = "model"
    PARAMS = "params"
    REFERENCES = "references"
    UPSTREAM = "upstream"
    FAILED_BEFORE = "failed before"
    FORCED = "forced"
    KEPT = "kept"
    ACCEPTED = "accepted"
    ADOPTED = "adopted"
    MOVED = "moved from"
    ORPHAN = "orphan"
    MADE_BEFORE = "made before"
    IN_FLIGHT = "in flight"
    PAID = "paid for already"
    SAVED = "saved"
    FILE_MISSING = "file missing"
    FILE_ALTERED = "file altered"
    HELD = "held"
    UNPICKED = "waits for a pick"
    APPROVED_ONCE = "bought under this approval already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a command asked for.  No selector means everything.

    `until_picks` stops before jobs that start from a shot of which nobody has picked a take.
    """

    only: tuple[str, ...] = ()
    force: bool = False
    until_picks: bool = False


class Stored(Protocol):
    """What a plan asks a store of results; see `record.ResultStore`."""

    def distrust(self, digests: Iterable[str]) -> None: ...

    def expect(self, keys: Iterable[Key]) -> None: ...

    def has(self, key: Key) -> bool: ...

    def digests(self, key: Key) -> Mapping[int, str]: ...


class Others(Protocol):
    """What other films of the account have, asked at planning time."""

    def of(self, contents: Iterable[str]) -> Sequence[Attempt]:
        """Return their attempts of some contents: open, held or saved; the newest edition last."""

    def prepare(self, contents: Iterable[str]) -> None:
        """Ask about many contents at once, so that `of` need not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the edges know, as values.

    `digests` holds the sha256 of an entry's file by its `filename`; None where the file is gone, and the
    pointer's own sha256 where Git LFS has left a pointer.  `media` holds the sha256 of local references.
    `remote` says whether the store that the manifest names has an asset's file, where it is not here; `intact` whether
    it is here or there as it was made.  `retrievable` says whether the provider may still have an asset's media, `collectable` a lost task's.
    `same_model` says whether two names mean one model, `could_be` whether a name of another tool could.
    """

    digests: Mapping[str, str | None] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)
    attempts: Sequence[Attempt] = ()
    stored: Stored | None = None
    others: Others | None = None
    retrievable: Callable[[Asset], bool] = lambda _asset: False
    collectable: Callable[[Attempt], bool] = lambda _attempt: True
    same_model: Callable[[str, str], bool] = lambda a, b: a == b
    could_be: Callable[[str, str], bool] = lambda a, b: a == b
    draft: bool = False
    intact: Callable[[Asset], bool] = lambda _asset: False
    # Of results that the journal has and the manifest lacks: task id and output number -> sha256.
    saved: Mapping[tuple[str, int], str] = field(default_factory=dict)
    remote: Callable[[Asset], bool] = lambda _asset: False
    ended_now: frozenset[int] = frozenset()  # attempts that came to nothing in this run: not sent again in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to happen with one slot, and why.

    `current` are the slot's assets of today, which a new version supersedes; for a slot that was found by its content
    (`Reason.MOVED`) those that it keeps.  `attempt` is the known task that a `restore` collects, `older` the
    superseded version that it makes current again.  `fingerprint` is None while something it starts from is not made;
    `key` then has no content either.  `note` is a sentence for people.  `seen` is the highest attempt for its contents
    that was known at the last look before a purchase.  `remote`: what it keeps is not here but in the store.  `stored`
    is the key under which a store has it: its own, or that of a fallback's result.  `upstream` is the cause of what
    keeps back a shot that it starts from.
    """

    slot: Slot
    action: Action
    cause: Reason
    other: Slot | None = None
    detail: str = ""
    job: Job | None = None
    fingerprint: str | None = None
    twin: int = 1
    current: tuple[Asset, ...] = ()
    attempt: Attempt | None = None
    older: tuple[Asset, ...] = ()
    selected: bool = True
    note: str = ""
    seen: int | None = None
    remote: bool = False
    stored: Key | None = None
    upstream: Reason | None = None

    def with_selected(self, selected: bool) -> Entry:
        return self if self.selected == selected else replace(self, selected=selected)

    @property
    def reason(self) -> str:
        """The reason as it is written: `upstream 2a`, `moved from 1`, `prompt`."""
        words = f"{self.cause.value} {self.other}" if self.other else self.cause.value
        if self.cause is Reason.UNPICKED:
            return f"waits for a pick of {self.detail}"
        return f"{words}: {self.detail}" if self.detail else words

    @property
    def asset(self) -> Asset | None:
        """What the slot has; the first output of a task that gave several."""
        return self.current[0] if self.current else None

    @property
    def model(self) -> str:
        """The model of its job, else the one that made what it has."""
        source = self.job or self.asset
        return source.model if source else ""

    @property
    def prompt(self) -> str:
        """The prompt of its job, else the one that made what it has."""
        source = self.job or self.asset
        return source.prompt if source else ""

    @property
    def key(self) -> Key | None:
        """What the slot's job is paid for as; None while its content is not known."""
        return Key(self.fingerprint, self.slot.take, self.twin) if self.fingerprint else None

    @property
    def root(self) -> Reason:
        """Its cause, and of what is kept back by a shot that it starts from, that shot's."""
        return self.upstream or self.cause

    @property
    def work(self) -> bool:
        """Whether a run would do something for it."""
        return self.selected and self.action in (Action.GENERATE, Action.RESTORE)

    @property
    def settled(self) -> bool:
        """Whether the slot has what it asks for, whatever became of its file since."""
        return self.action in (Action.KEEP, Action.ALTERED)

    def as_json(self) -> dict[str, JSON]:
        """Return the keys of contract section 8, `plan`."""
        found: dict[str, JSON] = {
            "slot": str(self.slot),
            "scene_id": self.slot.scene,
            "shot": self.slot.shot,
            "take": self.slot.take,
            "model": self.model or None,
            "endpoint": None,
            "action": self.action.value,
            "reason": self.reason,
            "fingerprint": self.fingerprint,
            "input": {},
            "needs": [],
            "credits": self._credits(),
            "state": self._state(),
            "defaulted": [],
        }
        warnings: list[JSON] = []
        if self.job:  # its keys keep their places
            found |= _asked(self.job)
            warnings += self.job.warnings
        if self.note:
            warnings.append(self.note)
        return found | {"warnings": warnings, "remote": self.remote}

    def _credits(self) -> dict[str, JSON]:
        if self.job and self.action is Action.GENERATE:
            return price_of(self.job).as_json()
        return {"amount": 0, "kind": "exact", "as_of": self.job.price.as_of if self.job else None}

    def _state(self) -> str:
        if self.job and self.job.warnings:
            return "warnings"
        return "defaults" if self.job and self.job.defaulted else "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do: every slot of the file in file order, then the orphans.

    `collect` are tasks that were paid for and whose result nobody wants any more by today's file: a run
    still fetches them, so that nothing that was paid for is lost.
    """

    entries: tuple[Entry, ...]
    collect: tuple[Attempt, ...] = ()
    facts: Facts = field(default_factory=Facts, compare=False, repr=False)  # what it was decided on
    assignment: Assignment | None = field(default=None, compare=False, repr=False)

    @property
    def work(self) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.work)

    @property
    def generate(self) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.selected and e.action is Action.GENERATE)

    @property
    def moved(self) -> Mapping[str, str]:
        """The `moved:` lines that would carry along the versions of what was found by its content."""
        return {
            entry.other.shot_name: entry.slot.shot_name
            for entry in self.entries
            if entry.cause is Reason.MOVED and entry.other
        }

    @property
    def status(self) -> Literal["up-to-date", "work"]:
        missing = any(e.selected and e.action is Action.MISSING for e in self.entries)
        return "work" if self.work or self.collect or missing or self.blocked else "up-to-date"

    @property
    def blocked(self) -> tuple[Entry, ...]:
        """What is selected and cannot be made as things stand; `--until picks` asks for what waits for a pick."""
        blocked = (e for e in self.entries if e.selected and e.action is Action.BLOCKED)
        return tuple(e for e in blocked if e.root is not Reason.UNPICKED)

    def unmade(self) -> Plan:
        """Return the plan with only those slots selected that are still to be made."""
        open_actions = (Action.GENERATE, Action.BLOCKED)
        entries = (e.with_selected(e.selected and e.action in open_actions) for e in self.entries)
        return replace(self, entries=tuple(entries))

    def buying_as(self, other: Plan) -> Plan:
        """Return the plan with each purchase as another plan of the same slots has it; what is not bought stays."""
        theirs = {entry.slot: entry for entry in other.entries}

        def as_theirs(entry: Entry) -> Entry:
            if entry.action is not Action.GENERATE:
                return entry
            found = theirs.get(entry.slot, entry)
            return found.with_selected(entry.selected and found.selected)

        return replace(self, entries=tuple(map(as_theirs, self.entries)))

    def without_purchases(self) -> Plan:
        """Return the plan that brings home what is paid for, and buys nothing."""
        entries = (e.with_selected(e.selected and e.action is not Action.GENERATE) for e in self.entries)
        return replace(self, entries=tuple(entries))

    def credits(self) -> float:
        """Return what the plan's priced jobs cost; a fallback counts where it is dearer."""
        return round(sum(price_of(e.job).amount or 0.0 for e in self.generate if e.job), 4)

    def reserved(self) -> float:
        """Return what a cap must put aside for the plan: more than `credits` where a price is the user's own word."""
        return round(sum(most(e.job) or 0.0 for e in self.generate if e.job), 4)

    def unpriced(self) -> int:
        return sum(1 for e in self.generate if e.job and most(e.job) is None)

    def credits_by_model(self) -> dict[str, float]:
        """Return what its jobs cost by model; a job without a known price adds nothing."""
        return self._credits_by(lambda job: job.model)

    def _credits_by(self, name: Callable[[Job], str]) -> dict[str, float]:
        found: dict[str, float] = defaultdict(float)
        for entry in self.generate:
            if entry.job:
                amount = price_of(entry.job).amount or 0.0
                found[name(entry.job)] = round(found[name(entry.job)] + amount, 4)
        return dict(found)

    def totals(self) -> dict[str, JSON]:
        by_scene = self._credits_by(lambda job: str(job.slot.scene))
        by_model = self.credits_by_model()
        total = self.credits()
        return {
            "jobs": len(self.generate),
            "credits": total,
            "usd": round(total * USD_PER_CREDIT, 4),
            "unpriced": self.unpriced(),
            "by_scene": by_scene,
            "by_model": by_model,
            "usd_by_scene": {k: round(v * USD_PER_CREDIT, 4) for k, v in by_scene.items()},
            "usd_by_model": {k: round(v * USD_PER_CREDIT, 4) for k, v in by_model.items()},
        }

    def digest(self) -> str:
        """Return a digest of everything the plan decides, for plans that bind."""
        decided = [[str(e.slot), e.action.value, e.reason, e.fingerprint] for e in self.entries if e.selected]
        return hashlib.sha256(canonical(decided)).hexdigest()


def _asked(job: Job) -> dict[str, JSON]:
    """Return what a plan says of a job."""
    found: dict[str, JSON] = {
        "endpoint": job.endpoint,
        "input": dict(job.input),
        "needs": [str(slot) for slot in job.needs],
        "defaulted": list(job.defaulted),
    }
    if job.led:
        found["follows"] = {"voice": str(job.led.slot), "about_s": round(job.led.seconds(), 2)}
    return found


_NOTHING = Price(amount=0.0, kind="exact")


def _spare_price(job: Job) -> Price:
    """Return the price of a job's fallback; nothing where it has none."""
    return job.fallback.price if job.fallback else _NOTHING


def most(job: Job) -> float | None:
    """Return the most credits a job can cost, its fallback considered; None when that is not known."""
    return _dearest(job.price.reserved, _spare_price(job).reserved)


def _dearest(*amounts: float | None) -> float | None:
    return None if any(a is None for a in amounts) else max(a for a in amounts if a is not None)


def price_of(job: Job) -> Price:
    """Return what a job costs; a bound where its fallback is dearer, unknown where either is."""
    amount = _dearest(job.price.amount, _spare_price(job).amount)
    if amount is None:
        return Price(amount=None, kind="unknown", as_of=job.price.as_of)
    return (
        job.price if amount == job.price.amount else Price(amount=amount, kind="bound", as_of=job.price.as_of)
    )
