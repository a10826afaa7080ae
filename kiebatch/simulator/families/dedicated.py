"""What the dedicated families have in common: how they submit, how a task of theirs is found, their errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kiebatch.model import JSON
from kiebatch.simulator import validation
from kiebatch.simulator.state import NewTask, Phase, Simulator, Task
from kiebatch.simulator.wire import Answer, Call, Refusal, compact, ok

_CALLBACKS = ("callBackUrl", "calBackUrl")


def submit(sim: Simulator, call: Call, model: str, new: NewTask, *, required: Sequence[str] = ()) -> Task:
    """Take a submission with a flat body: limits, validation, charge.  `model` is the catalogue's name for it.

    A retired model (`paused` in the settings) is refused with 505, as the dedicated endpoints do it.
    """
    given = {name: value for name, value in call.fields.items() if name not in _CALLBACKS}
    if model in sim.settings.paused:
        raise Refusal(505)
    for name in required:
        if given.get(name) in (None, "", []):
            raise Refusal(422, validation.required(sim, name))
    known = sim.known(model)
    validation.check(
        sim, known, {k: v for k, v in given.items() if k != "model" or "model" in known.properties}
    )
    return sim.create(call, known, given, new)


def read(
    sim: Simulator, call: Call, record: Callable[[Simulator, Task, str], JSON], *families: str
) -> Answer:
    """Answer a read with the record of its task; code 200 with `data` null where these families have none (protocol 4)."""
    task = _visible(sim, call, families)
    if task is None:
        return ok(None)
    return ok(record(sim, task, call.origin))


def _visible(sim: Simulator, call: Call, families: Sequence[str]) -> Task | None:
    sim.admit_read()
    task_id = call.query.get("taskId")
    if not task_id:
        raise Refusal(400, "taskId is required")
    task = sim.tasks.get(task_id)
    if task is None or task.family not in families or task.phase(sim.clock()) == "absent":
        return None
    if task.phase(sim.clock()) == "failed" and "fail-envelope" in task.quirks:
        raise Refusal(int(task.quirks["fail-envelope"]))
    return task


def parent(sim: Simulator, task_id: JSON, family: str) -> Task:
    """Return a finished task that another one builds on; 422 `Record does not exist` where there is none."""
    task = sim.tasks.get(str(task_id))
    if task is None or task.family != family or task.phase(sim.clock()) != "done":
        raise Refusal(422, "Record does not exist")
    return task


def error_code(task: Task) -> JSON:
    """Return a failed task's code as a dedicated record has it: an integer, where it is a number."""
    if task.error is None:
        return None
    code = task.error[0]
    return int(code) if code.isdecimal() else code


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ended, as records tell it: nothing of it while the task runs, no error where it is done."""

    phase: Phase
    at: float | None = None
    code: JSON = None
    message: str | None = None

    def when(self, form: Callable[[float], JSON]) -> JSON:
        """Return the time in a family's own form."""
        return None if self.at is None else form(self.at)

    def if_done(self, result: Callable[[], JSON]) -> JSON:
        return result() if self.phase == "done" else None


def ending(task: Task, now: float) -> Ending:
    """Return how a task has ended by `now`."""
    phase = task.phase(now)
    if phase == "failed" and task.error:
        return Ending(phase, task.ends_at, error_code(task), task.error[1])
    if phase == "done":
        return Ending(phase, task.ends_at)
    return Ending(phase)


def flag(task: Task, value: int) -> JSON:
    """Return a flag, as a number or (fault `flag-as-text`) as a numeric text (protocol 4)."""
    return str(value) if "flag-as-text" in task.quirks else value


def urls(sim: Simulator, task: Task, origin: str) -> list[str]:
    """Return the links of a finished task's outputs; none under the fault `no-output`."""
    if "no-output" in task.quirks:
        return []
    root = sim.media_root(origin)
    return [root + sim.result_path(task, wanted) for wanted in task.outputs]


def first_url(sim: Simulator, task: Task, origin: str) -> str:
    """Return the link of a finished task's first output; empty where it has none."""
    return next(iter(urls(sim, task, origin)), "")


def body_text(task: Task) -> str:
    """Return the request as records tell it: its JSON as a text."""
    kept: Mapping[str, JSON] = {"taskId": task.id, **task.body}
    return compact(kept)
