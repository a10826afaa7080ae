"""Questions about runs and results: by model, status, tag, person, time; the latest; what it has cost.  Pure."""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kiebatch.errors import Invalid
from kiebatch.model import JSON, USD_PER_CREDIT, Asset, Attempt
from kiebatch.record.picks import Picks
from kiebatch.record.runs import Run

_AGO = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: dt.datetime) -> dt.datetime:
    """Return the moment that `2026-03-01`, `2026-03-01T10:00` or `7d` (hours, days, weeks ago) says."""
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return now - dt.timedelta(**{_UNITS[ago.group(2)]: int(ago.group(1))})
    try:
        found = dt.datetime.fromisoformat(text.strip())
        # The first and the last day of all have no time in some zones.
        found = found if found.tzinfo else found.astimezone()
        found.timestamp()
    except (ValueError, OverflowError, OSError):
        raise Invalid(
            f"`{text}` is not a time",
            hint="like 2026-03-01, 2026-03-01T10:00, or 7d for a week ago (h, d, w)",
        ) from None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which runs or results are asked for; all of it must fit.  `model` may have `*`; `since` and `until` bound the time."""

    model: str = ""
    status: str = ""
    tag: str = ""
    by: str = ""
    run: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def time(self, stamp: str) -> bool:
        """Whether a time lies between the bounds; text that is not a time never does where there are any."""
        if self.since is None and self.until is None:
            return True
        try:
            found = dt.datetime.fromisoformat(stamp)
        except ValueError:
            return False
        found = found if found.tzinfo else found.replace(tzinfo=dt.UTC)
        return (self.since is None or found >= self.since) and (self.until is None or found <= self.until)

    def takes(self, run: Run) -> bool:
        """Whether a run fits in every respect."""
        return (
            self.models(run.models)
            and self.status in ("", run.status)
            and (not self.tag or self.tag in run.tags)
            and self.by.casefold() in run.by.casefold()
            and run.id.startswith(self.run)
            and self.time(run.started_at)
        )

    def models(self, names: Iterable[str]) -> bool:
        return not self.model or any(fnmatch.fnmatchcase(name, self.model) for name in names)


def runs(found: Sequence[Run], wanted: Filter) -> list[Run]:
    """Return the runs that fit, in their order."""
    return [run for run in found if wanted.takes(run)]


# --- results -------------------------------------------------------------------------------------------


def tags_of(asset: Asset) -> tuple[str, ...]:
    found = asset.extra.get("tags")
    return tuple(str(tag) for tag in found) if isinstance(found, list | tuple) else ()


def run_of(asset: Asset) -> str:
    return str(asset.extra.get("run") or "")


class Standing(StrEnum):
    """What became of a result: it stands for its take, a newer version replaced it, or somebody turned it down."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    PICKED = "picked"
    REJECTED = "rejected"


def standing(asset: Asset, slot: object, picks: Picks) -> Standing:
    """Return what became of an asset; `slot` is its slot."""
    if not asset.current:
        return Standing.SUPERSEDED
    choice = picks.decision(slot).choice  # type: ignore[arg-type]
    return {"pick": Standing.PICKED, "reject": Standing.REJECTED}.get(choice, Standing.CURRENT)


@dataclass(frozen=True, slots=True)
class Result:
    """One asset with the slot it belongs to and what became of it."""

    asset: Asset
    slot: str
    standing: Standing


def results(found: Sequence[Result], wanted: Filter) -> list[Result]:
    """Return the results that fit, the oldest first."""
    fitting = [
        one
        for one in found
        if wanted.models([one.asset.model])
        and (not wanted.status or one.standing == wanted.status)
        and (not wanted.tag or wanted.tag in tags_of(one.asset))
        and (not wanted.run or run_of(one.asset).startswith(wanted.run))
        and wanted.time(one.asset.created_at)
    ]
    return sorted(fitting, key=lambda one: (one.asset.created_at, one.asset.id))


def latest(found: Sequence[Result], by: str) -> list[Result]:
    """Return the newest result of each slot, model or tag; all outputs of its task, where that had more than one."""
    keys: Mapping[str, Callable[[Result], Sequence[str]]] = {
        "slot": lambda one: [one.slot],
        "model": lambda one: [one.asset.model],
        "tag": lambda one: tags_of(one.asset),
    }
    newest: dict[str, list[Result]] = {}
    for one in found:
        for key in keys[by](one):
            before = newest.get(key, [])
            newest[key] = [*before, one] if _made_together(before, one) else [one]
    by_id = {one.asset.id: one for key in sorted(newest) for one in newest[key]}
    return list(by_id.values())


def _made_together(before: Sequence[Result], one: Result) -> bool:
    task_id = one.asset.task_id
    return bool(task_id and before and before[-1].asset.task_id == task_id)


# --- costs ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Cost:
    """Credits of one group.

    `bought` is what results cost, `unused` the part of it that was never picked or was replaced, `failed` what
    failures cost.
    """

    bought: float = 0.0
    unused: float = 0.0
    failed: float = 0.0
    results: int = 0
    failures: int = 0

    @property
    def total(self) -> float:
        return round(self.bought + self.failed, 4)

    def as_json(self) -> dict[str, float]:
        return {
            "credits": self.total,
            "usd": round(self.total * USD_PER_CREDIT, 4),
            "bought": round(self.bought, 4),
            "unused": round(self.unused, 4),
            "failed": round(self.failed, 4),
            "results": self.results,
            "failures": self.failures,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a film has cost: in all, by group, and what was not bought because it was there."""

    total: Cost
    groups: Mapping[str, Cost]
    saved: float = 0.0

    def as_json(self) -> dict[str, JSON]:
        groups = {name: cost.as_json() for name, cost in self.groups.items()}
        return {"total": self.total.as_json(), "groups": groups, "saved": round(self.saved, 4)}


@dataclass(slots=True)
class _Counted:
    by: str
    total: Cost = field(default_factory=Cost)
    groups: dict[str, Cost] = field(default_factory=lambda: defaultdict(Cost))

    def add_result(self, asset: Asset, *, unused: bool) -> None:
        credits = asset.credits or 0.0
        for cost in self._of(asset.scene_id, asset.model, tags_of(asset), asset.created_at):
            cost.results += 1
            cost.bought += credits
            if unused:
                cost.unused += credits

    def add_failure(self, attempt: Attempt, credits: float) -> None:
        time = dt.datetime.fromtimestamp(attempt.submitted_at or attempt.intended_at, dt.UTC).isoformat()
        for cost in self._of(attempt.slot.scene, attempt.model, (), time):
            cost.failures += 1
            cost.failed += credits

    def _of(self, scene: object, model: str, tags: Sequence[str], time: str) -> list[Cost]:
        names = {
            "scene": [str(scene)],
            "model": [model],
            "tag": list(tags) or ["(no tag)"],
            "week": [week(time)],
        }[self.by]
        return [self.total, *(self.groups[name] for name in names)]


def costs(found: Sequence[Result], attempts: Sequence[Attempt], recorded: Sequence[Run], by: str) -> Costs:
    """Return what results and failures cost, grouped `by` scene, model, tag or week.

    Drafts cost nothing.  Failures are those that this machine's journal knows and that were not given back.
    """
    counted = _Counted(by)
    picked = {_shot(one) for one in found if one.standing is Standing.PICKED}
    for one in found:
        if not one.asset.draft:
            counted.add_result(one.asset, unused=_is_unused(one, picked))
    for attempt in attempts:
        if attempt.state == "failed" and attempt.billed is not False and attempt.credits:
            counted.add_failure(attempt, attempt.credits)
    groups = {name: counted.groups[name] for name in sorted(counted.groups)}
    saved = sum(run.saved for run in recorded if not run.draft)
    return Costs(total=counted.total, groups=groups, saved=saved)


def _shot(one: Result) -> str:
    return one.slot.partition("#")[0]


def _is_unused(one: Result, picked: Collection[str]) -> bool:
    """Whether another result took a result's place: a newer one, or one that was picked for its shot."""
    if one.standing is Standing.CURRENT:
        return _shot(one) in picked
    return one.standing in (Standing.SUPERSEDED, Standing.REJECTED)


def week(stamp: str) -> str:
    """Return the ISO week of a time, as `2026-W09`."""
    try:
        year, number, _ = dt.datetime.fromisoformat(stamp).isocalendar()
    except ValueError:
        return "(no date)"
    return f"{year}-W{number:02d}"
