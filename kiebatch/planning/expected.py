"""Judges the results of slots by what today's file expects of them, from what was measured and is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kiebatch._dataclass import dataclass
from kiebatch.media import checks
from kiebatch.media.checks import Measured, State, Verdict
from kiebatch.model import JSON, Alike, Asset, Expectation, LocalFile, Ref, ShotOutput, Slot
from kiebatch.planning.order import output_of
from kiebatch.planning.plans import Entry, Plan

KEY = "checks"  # of an entry of the manifest
Line = Callable[[Slot], Sequence[Asset]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one asset of a slot was found to be, expectation by expectation."""

    slot: Slot
    asset: Asset
    verdicts: tuple[Verdict, ...]

    @property
    def unmet(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.state is State.UNMET)

    def as_json(self) -> list[dict[str, JSON]]:
        named = {"slot": str(self.slot), "asset": self.asset.id}
        return [{**named, **verdict.as_json()} for verdict in self.verdicts]


def values_of(asset: Asset) -> dict[str, Measured]:
    """Return what is known of an asset: what was measured, and its size and length, which every entry has."""
    found = checks.kept(asset.extra.get(KEY))
    if asset.width and asset.height:
        found["size"] = Measured(value=f"{asset.width}x{asset.height}")
    if asset.duration is not None:
        found["length"] = Measured(value=asset.duration)
    return found


def applying(expect: Iterable[Expectation], asset: Asset) -> list[Expectation]:
    """Return those expectations that are about an asset of this type."""
    return [one for one in expect if asset.type in checks.CHECKS[one.check].kinds]


def judged(
    slot: Slot, expect: Sequence[Expectation], assets: Iterable[Asset], digest: Digest
) -> list[Judged]:
    """Return the verdicts on a slot's assets.

    What nobody wrote is judged only where it was unmet when the result arrived: then its entry keeps it.
    """
    found = []
    for asset in assets:
        values, recorded = values_of(asset), checks.kept(asset.extra.get(KEY))
        verdicts = [
            checks.judge(one, values.get(one.check), length_s=asset.duration, against=digest.against(one))
            for one in applying(expect, asset)
            if not one.by_default or one.check in recorded
        ]
        if verdicts:
            found.append(Judged(slot=slot, asset=asset, verdicts=tuple(verdicts)))
    return found


@dataclass(frozen=True, slots=True)
class Digest:
    """Says which content a likeness is compared with today: the sha256 of a local file, or of a slot's asset."""

    media: Mapping[str, str]
    line: Line

    def asset(self, ref: Ref) -> Asset | None:
        return output_of(self.line(ref.slot), ref) if isinstance(ref, ShotOutput) else None

    def __call__(self, ref: Ref) -> str | None:
        if isinstance(ref, LocalFile):
            return self.media.get(ref.path)
        asset = self.asset(ref)
        return asset.sha256 if asset else None

    def against(self, one: Expectation) -> str | None:
        """Return what an expectation compares with today; None where it compares with nothing."""
        return self(one.want.ref) if isinstance(one.want, Alike) else None


def of_entries(entries: Iterable[Entry], digest: Digest) -> list[Judged]:
    """Return the verdicts on what the slots of a plan have now."""
    found = []
    for entry in entries:
        if entry.job:
            found += judged(entry.slot, entry.job.expect, digest.line(entry.slot), digest)
    return found


def of_plan(todo: Plan, line: Line | None = None) -> list[Judged]:
    """Return the verdicts on the selected slots of a plan; `line` says what each slot has, by default as planned."""
    there = {entry.slot: entry.current for entry in todo.entries}
    digest = Digest(todo.facts.media, line or (lambda slot: there.get(slot, ())))
    return of_entries((e for e in todo.entries if e.selected), digest)


def counts(found: Iterable[Judged]) -> dict[str, int]:
    """Return how many expectations are met, unmet and unjudged."""
    totals = {state.value: 0 for state in State}
    for one in found:
        for verdict in one.verdicts:
            totals[verdict.state.value] += 1
    return totals


def unmet(found: Iterable[Judged]) -> dict[Slot, tuple[str, ...]]:
    """Return in words what is not as expected, by slot; slots without such are left out."""
    words: dict[Slot, tuple[str, ...]] = {}
    for one in found:
        if one.unmet:
            words[one.slot] = (*words.get(one.slot, ()), *map(str, one.unmet))
    return words


def as_json(found: Sequence[Judged]) -> dict[str, JSON]:
    """Return the key `expectations` of a run and of a plan."""
    return {**counts(found), "verdicts": [verdict for one in found for verdict in one.as_json()]}
