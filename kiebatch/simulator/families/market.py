"""The Market API: `createTask` and `recordInfo` (protocol 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kiebatch.catalogue import Model
from kiebatch.model import JSON
from kiebatch.simulator import asked, models, validation
from kiebatch.simulator.state import NewTask, Simulator, Task
from kiebatch.simulator.wire import UNKNOWN_MODEL, Answer, Call, Refusal, compact, millis, ok

# Most models stay in `waiting` until they are done, these in `generating`; none was seen in both (protocol 3.3).
_GENERATING = ("kling", "seedream", "gpt-image")
_EMPTY: Mapping[str, JSON] = {"text": "", "null": None, "object": "{}", "list": '{"resultUrls":[]}'}


def create(sim: Simulator, call: Call) -> Answer:
    sim.admit()
    model, given = _asked(sim, call.fields)
    known = _known(sim, model)
    validation.check(sim, known, given)
    task = sim.create(call, known, given, NewTask(family="jobs", operation="createTask"))
    if asked.kind_of(known) == "text":
        task.facts.result = asked.text_result(known, given)
    if given.get("return_last_frame") and task.outputs and not task.error:
        frame = replace(task.outputs[0], kind="image", format="png", part="last_frame")
        task.facts.last_frame = sim.publish(task, frame)
    named = next(iter(sim.tasks)) if "same-id" in task.quirks else task.id
    return ok({"taskId": named, "recordId": named})


def _known(sim: Simulator, model: str) -> Model:
    """Return the model of a submission; `Refusal` where it is unknown, or takes no jobs."""
    known = models.find(model, sim.settings.model_files)
    if known is None and sim.settings.unknown_models:
        known = models.guess(model)
    if known is None:
        raise Refusal(sim.settings.unknown_model_code, UNKNOWN_MODEL)
    if known.status == "withdrawn" or model in sim.settings.paused:
        raise Refusal(500, "This interface is temporarily paused")
    return known


def _asked(sim: Simulator, body: Mapping[str, JSON]) -> tuple[str, Mapping[str, JSON]]:
    """Return the model and the input of a submission; `Refusal` where one is missing."""
    model, given = body.get("model"), body.get("input")
    if not isinstance(model, str) or not model:
        raise Refusal(sim.settings.missing_field_code, validation.required(sim, "model"))
    if not isinstance(given, Mapping):
        raise Refusal(sim.settings.missing_field_code, validation.required(sim, "input"))
    return model, given


def read(sim: Simulator, call: Call) -> Answer:
    sim.admit_read()
    task_id = call.query.get("taskId")
    if not task_id:
        raise Refusal(400, "taskId is required")
    task = sim.tasks.get(task_id)
    now = sim.clock()
    if task is None or task.family != "jobs" or task.phase(now) == "absent":
        raise Refusal(
            sim.settings.absent_code, "recordInfo is null" if sim.settings.absent_code == 422 else ""
        )
    if task.phase(now) == "failed" and "fail-envelope" in task.quirks:
        raise Refusal(int(task.quirks["fail-envelope"]))
    return ok(record(sim, task, call.origin))


def record(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    """Return a task's record: the ten keys of protocol 3.2 in their order, and extra ones if so set."""
    now = sim.clock()
    phase = task.phase(now)
    over = phase in ("done", "failed")
    code = message = ended = lasted = None
    if over:
        ended, lasted = millis(task.ends_at), int(task.ends_at - task.made_at)
    if phase == "failed" and task.error:
        code, message = task.error
    data: dict[str, JSON] = {
        "taskId": "0" * 32 if "other-id" in task.quirks else task.id,
        "model": task.model,
        "state": _state(sim, task, now),
        "param": task.facts.param or _param(task),
        "resultJson": _result(sim, task, origin) if phase == "done" else "",
        "failCode": code,
        "failMsg": message,
        "costTime": lasted,
        "completeTime": ended,
        "createTime": millis(task.made_at),
    }
    return data | _extra(sim, task, now, over=over)


def _extra(sim: Simulator, task: Task, now: float, *, over: bool) -> dict[str, JSON]:
    """Return what records carry beside the ten keys, where the settings or a fault say so."""
    extra: dict[str, JSON] = {}
    if sim.settings.extra_keys:
        extra["updateTime"] = millis(min(now, task.ends_at))
        extra["progress"] = int(100 * task.progress(now))
        extra["creditsConsumed"] = _consumed(sim, task) if over else None
    if "costs" in task.quirks and over:
        extra["creditsConsumed"] = float(task.quirks["costs"])
    return extra


def _consumed(sim: Simulator, task: Task) -> float:
    """Return what a task that is over cost in the end."""
    return 0 if task.error and sim.gives_back(task) else task.charge.credits


def _param(task: Task) -> str:
    """Return the request as the record tells it: JSON in JSON, keys in another order (protocol 3.2)."""
    shuffled = dict(sorted(task.input.items(), key=lambda pair: _hash_order(pair[0])))
    task.facts.param = compact({"input": compact(shuffled), "model": task.model})
    return task.facts.param


def _hash_order(key: str) -> int:
    """Return where a hash map of the provider's puts a key: any order but the client's, always the same."""
    value = 0
    for letter in key:
        value = (31 * value + ord(letter)) & 0xFFFFFFFF
    return (value ^ value >> 16) & 15


def _state(sim: Simulator, task: Task, now: float) -> str:
    phase = task.phase(now)
    if phase == "done":
        return "success"
    if phase == "failed":
        return "fail"
    if "state" in task.quirks:
        return task.quirks["state"]
    if sim.settings.queuing and task.progress(now) < 1 / 3:
        return "queuing"
    return "generating" if task.model.startswith(_GENERATING) else "waiting"


def _result(sim: Simulator, task: Task, origin: str) -> JSON:
    if "no-output" in task.quirks:
        return _EMPTY.get(task.quirks["no-output"], "")
    result = _found(sim, task, sim.media_root(origin))
    return result if "object" in task.quirks else compact(result)


def _found(sim: Simulator, task: Task, root: str) -> dict[str, JSON]:
    """Return what a task made: values, the tracks of a song, or links to media below `root`."""
    if task.facts.result is not None:
        return {"resultObject": task.facts.result}
    urls = [root + sim.result_path(task, wanted) for wanted in task.outputs]
    if "tracks" in task.quirks:
        tracks = zip(urls, task.outputs, strict=True)
        return {"data": [{"audio_url": url, "id": url[-32:], "duration": w.seconds} for url, w in tracks]}
    if task.facts.last_frame:
        return {"resultUrls": urls, "lastFrameUrl": [root + task.facts.last_frame]}
    return {"resultUrls": urls}


def callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    """Return the body of a callback (protocol 8): the record and the credits, or what failed."""
    data = record(sim, task, task.origin)
    if not task.error:
        data |= {
            "consumeCredits": task.charge.credits,
            "remainedCredits": sim.balance,
            "updateTime": millis(task.ends_at),
        }
        return {"code": 200, "msg": "Playground task completed successfully.", "data": data}
    kept = ("taskId", "model", "state", "failCode", "failMsg", "completeTime")
    failed = {key: data[key] for key in kept} | {"consumeCredits": _consumed(sim, task)}
    return {"code": 501, "msg": "Playground task failed.", "data": failed}


ROUTES = {
    ("POST", "/api/v1/jobs/createTask"): ("submit", create),
    ("GET", "/api/v1/jobs/recordInfo"): ("poll", read),
}
