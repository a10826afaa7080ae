"""The documents that commands answer with (contract sections 2, 7 and 8), as far as something here reads them.

Each key may be missing: one type describes the answers of all commands.  The schema of a run and the tests of each
command hold that the documents are so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict, cast

if TYPE_CHECKING:
    from kiebatch.model import JSON  # with 26 dataclasses, which `--help` does without


class Problem(TypedDict, total=False):
    """What is wrong, and where; also a failed or held job once its place in the scene file is known."""

    slot: str
    severity: str
    code: str
    message: str
    hint: str | None
    file: str
    line: int | None
    column: int | None


class Counts(TypedDict, total=False):
    """How many jobs a run had, and what became of them."""

    planned: int
    succeeded: int
    failed: int
    held: int
    kept: int
    skipped: int


class Spending(TypedDict, total=False):
    """The credits of a run."""

    estimated: float
    spent: float
    reserved: float
    billed_for_failures: float


class Asset(TypedDict, total=False):
    """What a run made: the keys of a manifest entry."""

    id: str
    scene_id: int | str | None
    shot: int | str | None
    take: int
    version: int
    filename: str
    model: str
    task_id: str
    credits: float | None


class Failure(TypedDict, total=False):
    """A job that failed."""

    slot: str
    model: str
    task_id: str | None
    code: str
    message: str
    hint: str | None
    retryable: bool


class Held(TypedDict, total=False):
    """A job that may have been charged; `charged` is what the balance says, where it says it."""

    slot: str
    reason: str
    task_id: str | None
    charged: bool | None


class Verdict(TypedDict, total=False):
    """What one expectation found."""

    slot: str
    check: str
    verdict: str
    found: str
    expected: str


class Expectations(TypedDict, total=False):
    """What was expected of the assets; a run is `strict` where it fails for what is not as expected."""

    strict: bool
    verdicts: list[Verdict]


class Totals(TypedDict, total=False):
    """What a plan comes to."""

    jobs: int
    credits: float
    usd: float
    unpriced: int


class Effects(TypedDict, total=False):
    """What a plan buys."""

    digest: str
    purchases: list[Mapping[str, object]]


class Amount(TypedDict, total=False):
    """A price in credits."""

    amount: float | None


class PlannedJob(TypedDict, total=False):
    """One job of a plan."""

    slot: str
    action: str
    reason: str
    model: str | None
    credits: Amount


class SlotState(TypedDict, total=False):
    """One slot of `status`, which alone has a `state`."""

    slot: str
    state: str
    task_id: str | None
    charged: bool | None


class Check(TypedDict, total=False):
    """One check of `doctor`."""

    hint: str | None


class RunAnswer(TypedDict, total=False):
    """What a run, an error or any command but `plan` answers with."""

    status: str
    problems: list[Problem]
    # a run
    run_id: str
    reason: str | None
    stopped: str | None
    jobs: Counts
    credits: Spending
    assets: list[Asset]
    failures: list[Failure]
    held: list[Held]
    expectations: Expectations
    # `generate`
    task_id: str | None
    model: str
    downloaded_files: list[str]
    error: str
    # `status` and `doctor`
    slots: list[SlotState]
    checks: list[Check]


class PlanAnswer(TypedDict, total=False):
    """What `plan` answers with."""

    status: str
    jobs: list[PlannedJob]
    totals: Totals
    effects: Effects
    expectations: Expectations


def of_run(document: Mapping[str, JSON]) -> RunAnswer:
    """Return an answer of any command but `plan` as its type knows it."""
    return cast(RunAnswer, document)


def of_plan(document: Mapping[str, JSON]) -> PlanAnswer:
    """Return an answer of `plan` as its type knows it."""
    return cast(PlanAnswer, document)
