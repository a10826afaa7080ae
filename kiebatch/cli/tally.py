"""How far a run is, from its events: counts, money, rate, and when it will be over.  No terminal, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from kiebatch._dataclass import dataclass
from kiebatch.model import USD_PER_CREDIT
from kiebatch.running import events


@dataclass(slots=True)
class Count:
    """Jobs of a model, or of all: how many there are, and what became of them."""

    total: int = 0
    done: int = 0
    failed: int = 0
    held: int = 0

    @property
    def over(self) -> int:
        return min(self.total, self.done + self.failed + self.held)


@dataclass(slots=True)
class _Flying:
    """A job that the provider is at work on, since when (seconds of the run's clock), and how long such take."""

    since: float
    usual_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of a job before it goes: its model, and how many seconds that usually takes."""

    model: str
    usual_s: float


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a run has come to so far.  `jobs` are those it is to make, by slot; `began` is the clock's time then."""

    jobs: Mapping[str, Expected]
    began: float
    all: Count = field(init=False)
    models: dict[str, Count] = field(init=False)
    credits: float = 0.0
    sent: int = 0
    _flying: dict[str, _Flying] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.all = Count(total=len(self.jobs))
        self.models = {}
        for job in self.jobs.values():
            self.models.setdefault(job.model, Count()).total += 1

    @property
    def flying(self) -> int:
        return len(self._flying)

    def note(self, event: events.Event, now: float) -> None:
        """Take one change of state."""
        match event:
            case events.Submitted():
                known = self.jobs.get(str(event.slot))
                self._flying[str(event.slot)] = _Flying(now, known.usual_s if known else 0.0)
                self.credits += event.credits or 0.0
                self.sent += 1
            case events.Saved() if event.asset.output == 1:
                self._over(str(event.slot), "done")
            case events.JobFailed():
                self._over(str(event.slot), "failed")
            case events.JobHeld():
                self._over(str(event.slot), "held")
            case _:
                pass

    def _over(self, slot: str, how: str) -> None:
        self._flying.pop(slot, None)
        job = self.jobs.get(slot)
        counts = [self.all]
        if job:
            counts.append(self.models[job.model])
        for count in counts:
            setattr(count, how, getattr(count, how) + 1)

    def left_s(self, now: float) -> float | None:
        """Return in how many seconds it will be over; None before the first job is on its way, and at the end.

        What is in flight takes what such jobs took before; what is not yet sent goes at today's pace.
        """
        unsent = self.all.total - self.all.over - self.flying
        if not self.sent or (unsent <= 0 and not self._flying):
            return None
        longest = max(
            (max(one.usual_s - (now - one.since), 0.0) for one in self._flying.values()), default=0.0
        )
        if unsent <= 0:
            return longest
        usual_s = max((job.usual_s for job in self.jobs.values()), default=0.0)
        return max(longest, unsent * (now - self.began) / self.sent + usual_s)

    def per_minute(self, now: float) -> float:
        """Return how many jobs a minute have been over since the run began."""
        return self.all.over * 60 / max(now - self.began, 1.0)

    def line(self, now: float) -> str:
        """Return all of it in one line."""
        parts = [f"{self.all.over}/{self.all.total} jobs", f"{self.flying} in flight"]
        return ", ".join([*parts, *_trouble(self.all), *self._pace(now)])

    def brief(self, now: float) -> str:
        """Return what a bar does not show by itself."""
        parts = [f"{self.flying} in flight", *self._pace(now)]
        if self.all.failed:
            parts.insert(0, f"{self.all.failed} failed")
        return ", ".join(parts)

    def model_lines(self) -> list[str]:
        """Return a line for each model."""
        return [f"  {name}: {_model(count)}" for name, count in sorted(self.models.items())]

    def _pace(self, now: float) -> list[str]:
        dollars = self.credits * USD_PER_CREDIT
        parts = [f"{self.credits:,.4g} credits (${dollars:.2f})", f"{self.per_minute(now):.1f} a minute"]
        left_s = self.left_s(now)
        if left_s is not None:
            parts.append(f"about {duration(left_s)} left")
        return parts


def _model(count: Count) -> str:
    return ", ".join([f"{count.over}/{count.total}", *_trouble(count)])


def _trouble(count: Count) -> list[str]:
    counts = {"failed": count.failed, "held": count.held}
    return [f"{number} {how}" for how, number in counts.items() if number]


def duration(seconds: float) -> str:
    """Return seconds as a person says them: `40 s`, `3 min`, `1 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def median(seconds: Iterable[float]) -> float | None:
    """Return the middle one; None of none."""
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2] if ordered else None
