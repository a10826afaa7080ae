"""What can happen in a run, as frozen dataclasses.  The engine emits them and knows no bar, log or terminal."""

from __future__ import annotations

from kiebatch._dataclass import dataclass
from kiebatch.model import Asset, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The provider took the job and charged for it."""

    slot: Slot
    task_id: str
    credits: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A task was read and is not over (the event `running` of the contract)."""

    slot: Slot
    task_id: str
    state: str = ""
    progress: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """One output's bytes are on the disk, checked."""

    slot: Slot
    task_id: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One asset is in its place and in the record."""

    slot: Slot
    task_id: str | None
    asset: Asset


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed:
    """A job is over without a result.  `billed` is None where nobody knows."""

    slot: Slot
    model: str
    task_id: str | None
    code: str
    message: str
    retryable: bool = False
    billed: bool | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHeld:
    """A submission may or may not have been charged; it waits for a decision."""

    slot: Slot
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A job was not sent: what it starts from is not there, or the run stopped."""

    slot: Slot
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something the user should know while the run goes on: a pause, a warning, the wait after Ctrl-C."""

    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The run is over; `unmet` is how many expectations are not met."""

    status: str
    unmet: int = 0


Event = Submitted | Waiting | Downloaded | Saved | JobFailed | JobHeld | Skipped | Noticed | Finished
