"""4o image (protocol 4.1)."""

from __future__ import annotations

from kiebatch.model import JSON
from kiebatch.simulator.families import dedicated
from kiebatch.simulator.families.common import temporary_link
from kiebatch.simulator.state import NewTask, Simulator, Task
from kiebatch.simulator.wire import Answer, Call, Refusal, millis, ok

FAMILY = "gpt4o-image"


def generate(sim: Simulator, call: Call) -> Answer:
    sim.admit()
    body = call.fields
    if not (body.get("prompt") or body.get("filesUrl") or body.get("fileUrl")):
        raise Refusal(422, "prompt and filesUrl cannot be empty at the same time")
    new = NewTask(family=FAMILY, operation="generate")
    task = dedicated.submit(sim, call, "gpt4o-image", new, required=("size",))
    return ok({"taskId": task.id})


def read(sim: Simulator, call: Call) -> Answer:
    return dedicated.read(sim, call, record, FAMILY)


def record(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    end = dedicated.ending(task, sim.clock())
    failed = "CREATE_TASK_FAILED" if task.error and task.error[0] == "451" else "GENERATE_FAILED"
    key = "result_urls" if "snake" in task.quirks else "resultUrls"
    progress = {"done": 1.0, "failed": 0.0}.get(end.phase, min(0.99, task.progress(sim.clock())))
    return {
        "taskId": task.id,
        "paramJson": dedicated.body_text(task),
        "completeTime": end.when(millis),
        "createTime": millis(task.made_at),
        "response": end.if_done(lambda: {key: dedicated.urls(sim, task, origin)}),
        "successFlag": dedicated.flag(task, {"done": 1, "failed": 2}.get(end.phase, 0)),
        "status": {"done": "SUCCESS", "failed": failed}.get(
            end.phase, task.quirks.get("state", "GENERATING")
        ),
        "errorCode": end.code,
        "errorMessage": end.message or "",
        "progress": f"{progress:.2f}",
    }


def link(sim: Simulator, call: Call) -> Answer:
    """Give a 20-minute link to one image of a task (protocol 4.1, last paragraph)."""
    task = sim.tasks.get(str(call.fields.get("taskId")))
    if task is None or task.family != FAMILY:
        raise Refusal(422, "Record is null")
    if task.phase(sim.clock()) != "done":
        raise Refusal(422, "Record status is not success")
    if sim.clock() - task.made_at > 14 * 86400:
        raise Refusal(422, "The record is older than 14 days")
    return ok(temporary_link(sim, call.origin, str(call.fields.get("url") or "")))


def callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    if task.error:
        return {
            "code": dedicated.error_code(task),
            "msg": task.error[1],
            "data": {"taskId": task.id, "info": None},
        }
    found = dedicated.urls(sim, task, task.origin)
    return {"code": 200, "msg": "success", "data": {"taskId": task.id, "info": {"result_urls": found}}}


ROUTES = {
    ("POST", "/api/v1/gpt4o-image/generate"): ("submit", generate),
    ("GET", "/api/v1/gpt4o-image/record-info"): ("poll", read),
    ("POST", "/api/v1/gpt4o-image/download-url"): ("link", link),
}
