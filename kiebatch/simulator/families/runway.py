"""Runway (protocol 4.4) and Aleph (protocol 4.5)."""

from __future__ import annotations

import math
from dataclasses import replace

from kiebatch.model import JSON
from kiebatch.simulator.families import dedicated
from kiebatch.simulator.state import Facts, NewTask, Simulator, Task
from kiebatch.simulator.wire import Answer, Call, Refusal, blank_separated, iso, ok

RUNWAY, ALEPH = "runway", "aleph"
_OVER = {"done": "success", "failed": "fail"}


def generate(sim: Simulator, call: Call) -> Answer:
    sim.admit()
    body = call.fields
    if str(body.get("duration")) == "10" and body.get("quality") == "1080p":
        raise Refusal(422, "duration 10 is not supported with quality 1080p")
    required: tuple[str, ...] = ("prompt", "duration", "quality")
    if not body.get("imageUrl"):
        required += ("aspectRatio",)
    return _begin(sim, call, "runway/generate", "generate", required)


def extend(sim: Simulator, call: Call) -> Answer:
    sim.admit()
    for name in ("taskId", "prompt", "quality"):
        if not call.fields.get(name):
            raise Refusal(422, f"{name} is required")
    older = dedicated.parent(sim, call.fields["taskId"], RUNWAY)
    return _begin(sim, call, "runway/extend", "extend", (), parent=older)


def _begin(
    sim: Simulator,
    call: Call,
    model: str,
    operation: str,
    required: tuple[str, ...],
    parent: Task | None = None,
) -> Answer:
    outputs = sim.drawings(parent.known, {**parent.input, **call.fields}) if parent else None
    new = NewTask(
        family=RUNWAY,
        operation=operation,
        outputs=outputs,
        facts=Facts(parent=parent.id if parent else ""),
    )
    task = dedicated.submit(sim, call, model, new, required=required)
    _cover(sim, task)
    return ok({"taskId": task.id})


def _cover(sim: Simulator, task: Task) -> None:
    if task.outputs and not task.error:
        task.facts.cover = sim.publish(
            task, replace(task.outputs[0], kind="image", format="png", part="cover")
        )


def read(sim: Simulator, call: Call) -> Answer:
    return dedicated.read(sim, call, detail, RUNWAY)


def detail(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    now = sim.clock()
    end = dedicated.ending(task, now)
    video, cover = _links(sim, task, origin)
    found: JSON = {
        "videoId": f"{task.id[:8]}-{task.id[8:12]}",
        "taskId": task.id,
        "videoUrl": video,
        "imageUrl": cover,
    }
    return {
        "taskId": task.id,
        "parentTaskId": task.facts.parent,
        "generateParam": {
            "prompt": task.input.get("prompt"),
            "imageUrl": task.input.get("imageUrl", ""),
            "expandPrompt": True,
        },
        "state": _state(task, end.phase, task.progress(now)),
        "generateTime": blank_separated(task.made_at),
        "videoInfo": end.if_done(lambda: found),
        "failCode": end.code or 0,
        "failMsg": end.message or "",
        "expireFlag": int(not math.isinf(task.ends_at) and now > task.ends_at + sim.settings.result_ttl_s),
    }


def _links(sim: Simulator, task: Task, origin: str) -> tuple[str, str]:
    """Return the links of a finished task's clip and of its first picture; empty where it has none."""
    video = dedicated.first_url(sim, task, origin)
    if not video:
        return "", ""
    return video, sim.media_root(origin) + task.facts.cover


def _state(task: Task, phase: str, progress: float) -> str:
    if phase in _OVER:
        return _OVER[phase]
    if "state" in task.quirks:
        return str(task.quirks["state"])
    if progress < 0.2:
        return "wait"
    return "queueing" if progress < 0.4 else "generating"


def callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    found = dedicated.urls(sim, task, task.origin)
    data = {"task_id": task.id, "video_id": task.id[:8], "video_url": "", "image_url": ""}
    if task.error:
        return {"code": 400 if task.error[0] == "400" else 500, "msg": task.error[1], "data": data}
    data |= {"video_url": found[0], "image_url": sim.media_root(task.origin) + task.facts.cover}
    return {"code": 200, "msg": "All generated successfully.", "data": data}


# --- Aleph ---------------------------------------------------------------------------------------------


def edit(sim: Simulator, call: Call) -> Answer:
    sim.admit()
    new = NewTask(family=ALEPH, operation="generate")
    task = dedicated.submit(sim, call, "runway/aleph", new, required=("prompt", "videoUrl"))
    _cover(sim, task)
    return ok({"taskId": task.id})


def read_edit(sim: Simulator, call: Call) -> Answer:
    return dedicated.read(sim, call, edit_record, ALEPH)


def edit_record(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    """Return Aleph's record: flag 0 means running and failed alike, the error fields tell which."""
    end = dedicated.ending(task, sim.clock())
    return {
        "taskId": task.id,
        "paramJson": dedicated.body_text(task),
        "response": end.if_done(lambda: _edit_links(sim, task, origin)),
        "completeTime": end.when(iso),
        "createTime": iso(task.made_at),
        "successFlag": dedicated.flag(task, int(end.phase == "done")),
        "errorCode": end.code or 0,
        "errorMessage": end.message or "",
    }


def _edit_links(sim: Simulator, task: Task, origin: str) -> dict[str, str]:
    video, cover = _links(sim, task, origin)
    return {"taskId": task.id, "resultVideoUrl": video, "resultImageUrl": cover}


def edit_callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    if task.error:
        return {"code": 400, "msg": task.error[1], "data": None, "taskId": task.id}
    links = _edit_links(sim, task, task.origin)
    data = {"result_video_url": links["resultVideoUrl"], "result_image_url": links["resultImageUrl"]}
    return {"code": 200, "msg": "All generated successfully.", "data": data, "taskId": task.id}


ROUTES = {
    ("POST", "/api/v1/runway/generate"): ("submit", generate),
    ("POST", "/api/v1/runway/extend"): ("submit", extend),
    ("GET", "/api/v1/runway/record-detail"): ("poll", read),
    ("POST", "/api/v1/aleph/generate"): ("submit", edit),
    ("GET", "/api/v1/aleph/record-info"): ("poll", read_edit),
}
