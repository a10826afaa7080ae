"""What a run may do (`Limits`) and what it came to (`Outcome`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from kiebatch.errors import Exit, worst
from kiebatch.media.checks import Verdict
from kiebatch.model import JSON, Asset, Rate
from kiebatch.planning import expected
from kiebatch.planning.expected import Judged
from kiebatch.running.events import Event, JobFailed, JobHeld, Skipped
from kiebatch.running.stop import StopCause
from kiebatch.running.watching import Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may do.  Times in seconds."""

    rate: Rate
    poll_rate: Rate
    in_flight: int = 300
    order: Literal["file", "fastest"] = "file"
    max_credits: float | None = None
    canary: bool = True
    canary_from: int = 20  # jobs of one model that make a batch large
    canary_s: float = 60.0
    stop_on_overcharge: bool = True  # at the first job that costs more than its price
    quota_patience_s: float = 600.0  # without one acceptance
    patience: Patience = field(default_factory=Patience)
    expected_scale: float = 1.0
    callback_url: str | None = None
    net_s: float | None = None  # with callbacks: how far apart a task is read all the same
    downloads: int = 8
    download_s: float = 3600.0
    until_picks: bool = False


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    run_id: str
    assets: list[Asset] = field(default_factory=list)
    failures: list[JobFailed] = field(default_factory=list)
    held: list[JobHeld] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)  # what the selected slots are found to be
    strict: bool = False  # an unmet expectation is a failure
    skipped: list[Skipped] = field(default_factory=list)
    planned: int = 0
    kept: int = 0
    missing: int = 0
    succeeded: int = 0
    estimated: float = 0.0
    spent: float = 0.0
    reserved: float = 0.0  # what it took out of the cap; it never comes back
    billed_for_failures: float = 0.0
    records: dict[str, JSON] = field(default_factory=dict)  # of tasks that ended without an output
    stopped: StopCause | None = None  # why no more was submitted
    stopped_because: str = ""

    def note(self, event: Event) -> None:
        """Keep what the end of a run tells."""
        match event:
            case JobFailed():
                self.failures.append(event)
            case JobHeld():
                self.held.append(event)
            case Skipped():
                self.skipped.append(event)
            case _:
                pass

    def settle(self, failures: Sequence[JobFailed], *, billed: bool) -> None:
        """Take what the balance says of failures that nobody knew to be billed or refunded."""
        self.failures = [replace(f, billed=billed) if f in failures else f for f in self.failures]

    @property
    def not_sent(self) -> list[Skipped]:
        """What was skipped without being a failure."""
        failed = {f.slot for f in self.failures}
        return [s for s in self.skipped if s.slot not in failed]

    @property
    def unmet(self) -> list[tuple[Judged, Verdict]]:
        """The expectations that are not met, with the assets that they are about."""
        return [(one, verdict) for one in self.judged for verdict in one.unmet]

    @property
    def exit_code(self) -> Exit:
        codes = []
        if self.stopped is StopCause.INTERRUPTED:
            codes.append(Exit.INTERRUPTED)
        elif self.stopped:
            codes.append(Exit.REFUSED)
        if self.held:
            codes.append(Exit.HELD)
        if self.failures or (self.strict and self.unmet):
            codes.append(Exit.FAILED)
        if self.missing:
            codes.append(Exit.DIFFERS)
        return worst(codes)

    @property
    def status(self) -> str:
        return {
            Exit.OK: "success",
            Exit.FAILED: "failed",
            Exit.DIFFERS: "failed",
            Exit.REFUSED: "refused",
            Exit.HELD: "held",
            Exit.INTERRUPTED: "interrupted",
        }.get(self.exit_code, "error")

    def as_json(self, entry: Callable[[Asset], dict[str, JSON]]) -> dict[str, JSON]:
        """Return the document of contract section 7."""
        return {
            "status": self.status,
            "run_id": self.run_id,
            "jobs": self.counts(),
            "credits": {
                "estimated": round(self.estimated, 4),
                "spent": round(self.spent, 4),
                "reserved": round(self.reserved, 4),
                "billed_for_failures": round(self.billed_for_failures, 4),
            },
            "assets": [entry(a) for a in self.assets],
            "failures": [self._failure_json(f) for f in self.failures],
            "held": [{"slot": str(h.slot), "reason": h.reason} for h in self.held],
            "skipped": [{"slot": str(s.slot), "reason": s.reason} for s in self.skipped],
            "expectations": {**expected.as_json(self.judged), "strict": self.strict},
            "reason": self.stopped_because or None,
            "stopped": str(self.stopped) if self.stopped else None,
        }

    def counts(self) -> dict[str, int]:
        """Return how many jobs there were, and what became of them."""
        return {
            "planned": self.planned,
            "succeeded": self.succeeded,
            "failed": len(self.failures),
            "held": len(self.held),
            "kept": self.kept,
            "skipped": len(self.not_sent),
        }

    def _failure_json(self, failure: JobFailed) -> dict[str, JSON]:
        found: dict[str, JSON] = {
            "slot": str(failure.slot),
            "scene_id": failure.slot.scene,
            "shot": failure.slot.shot,
            "take": failure.slot.take,
            "model": failure.model,
            "task_id": failure.task_id,
            "code": failure.code,
            "message": failure.message,
            "retryable": failure.retryable,
            "hint": failure.hint or None,
        }
        if failure.task_id in self.records:
            found["record"] = self.records[failure.task_id]
        return found
