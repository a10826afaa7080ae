"""Flux Kontext (protocol 4.2)."""

from __future__ import annotations

from dataclasses import replace

from kiebatch.model import JSON
from kiebatch.simulator.families import dedicated
from kiebatch.simulator.state import NewTask, Simulator, Task
from kiebatch.simulator.wire import TEXTS, Answer, Call, Refusal, iso, ok

FAMILY = "flux-kontext"
ORIGIN_TTL_S = 600.0


def generate(sim: Simulator, call: Call) -> Answer:
    sim.admit()
    model = call.fields.get("model") or "flux-kontext-pro"
    if model not in ("flux-kontext-pro", "flux-kontext-max"):
        raise Refusal(422, "model is not within the range of allowed options")
    # A tolerance out of range fails the task, not the submission.
    body = dict(call.fields)
    highest = 2 if body.get("inputImage") else 6
    tolerance = body.get("safetyTolerance", 2)
    wrong = not isinstance(tolerance, int) or not 0 <= tolerance <= highest
    if wrong:
        call.body = {name: value for name, value in body.items() if name != "safetyTolerance"}
    new = NewTask(
        family=FAMILY,
        operation="generate",
        error=("500", TEXTS[500]) if wrong else None,
    )
    task = dedicated.submit(sim, call, str(model), new, required=("prompt",))
    task.body = body
    if not task.error:
        origin = replace(task.outputs[0], part="origin")
        task.facts.origin = sim.publish(task, origin, ttl_s=ORIGIN_TTL_S)
    return ok({"taskId": task.id})


def read(sim: Simulator, call: Call) -> Answer:
    return dedicated.read(sim, call, record, FAMILY)


def record(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    end = dedicated.ending(task, sim.clock())
    failed = 2 if task.error and task.error[0] in ("400", "422", "451") else 3
    return {
        "taskId": task.id,
        "paramJson": dedicated.body_text(task),
        "createTime": iso(task.made_at),
        "completeTime": end.when(iso),
        "response": end.if_done(lambda: _links(sim, task, origin)),
        "successFlag": dedicated.flag(task, {"done": 1, "failed": failed}.get(end.phase, 0)),
        "errorCode": end.code,
        "errorMessage": end.message,
    }


def _links(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    found = dedicated.urls(sim, task, origin)
    if not found:
        return {"originImageUrl": "", "resultImageUrl": ""}
    return {"originImageUrl": sim.media_root(origin) + task.facts.origin, "resultImageUrl": found[0]}


def callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    if task.error:
        info = {"originImageUrl": "", "resultImageUrl": ""}
        return {
            "code": dedicated.error_code(task),
            "msg": task.error[1],
            "data": {"taskId": task.id, "info": info},
        }
    return {
        "code": 200,
        "msg": "BFL image generated successfully.",
        "data": {"taskId": task.id, "info": _links(sim, task, task.origin)},
    }


ROUTES = {
    ("POST", "/api/v1/flux/kontext/generate"): ("submit", generate),
    ("GET", "/api/v1/flux/kontext/record-info"): ("poll", read),
}
