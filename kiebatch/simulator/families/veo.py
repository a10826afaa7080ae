"""Veo 3.1: generate, extend, 1080p and 4K (protocol 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kiebatch.model import JSON
from kiebatch.simulator import asked, times
from kiebatch.simulator.drawing.wanted import Wanted
from kiebatch.simulator.families import dedicated
from kiebatch.simulator.state import NewTask, Simulator, Task
from kiebatch.simulator.wire import Answer, Call, Refusal, blank_separated, compact, ok

FAMILY = "veo"
ENGINES = ("veo3", "veo3_fast", "veo3_lite")
UPGRADE_S = 90.0  # 1080p takes one to three minutes
_PROCESSING_1080P = "1080P is processing. It should be ready in 1-2 minutes. Please check back shortly."


def generate(sim: Simulator, call: Call) -> Answer:
    sim.admit()
    body = call.fields
    model = body.get("model") or "veo3_fast"
    if not isinstance(model, str) or model not in ENGINES:
        raise Refusal(422, "Incorrect model")
    if body.get("generationType") == "REFERENCE_2_VIDEO" and model != "veo3_fast":
        raise Refusal(422, "REFERENCE_2_VIDEO is not supported by this model")
    if body.get("generationType", "TEXT_2_VIDEO") != "TEXT_2_VIDEO" and not body.get("imageUrls"):
        raise Refusal(422, "imageUrls is required for this generationType")
    new = NewTask(family=FAMILY, operation="generate")
    task = dedicated.submit(sim, call, model, new, required=("prompt",))
    return ok({"taskId": task.id})


def extend(sim: Simulator, call: Call) -> Answer:
    sim.admit()
    older = _older(sim, call)
    if older.facts.made("1080p"):
        raise Refusal(422, "A video that was upgraded to 1080P cannot be extended")
    new = NewTask(
        family=FAMILY,
        operation="extend",
        outputs=sim.drawings(older.known, {**older.input, **call.fields}),
    )
    task = dedicated.submit(sim, call, "veo-dedicated/extend", new, required=("prompt",))
    return ok({"taskId": task.id})


def get_1080p(sim: Simulator, call: Call) -> Answer:
    """Begin or report the 1080p form of a finished video.  Not a task: code 400 until it is there.

    It is paid once, at the first call for a video.
    """
    if not call.query.get("taskId"):
        raise Refusal(400, "taskId is required")
    older = dedicated.parent(sim, call.query["taskId"], FAMILY)
    index = _index(older, call.query.get("index", "0"))
    begun = older.facts.made("1080p")
    if index not in begun:
        call.body = {"taskId": older.id, "index": index}
        new = NewTask(
            family="veo-1080p",
            operation="get-1080p-video",
            outputs=_larger(sim, older, index, "1080p"),
        )
        task = dedicated.submit(sim, call, "veo-dedicated/get-1080p-video", new)
        begun[index] = task.id
        _takes(sim, task, UPGRADE_S)
    task = sim.tasks[begun[index]]
    phase = task.phase(sim.clock())
    if phase == "failed" and task.error:
        raise Refusal(int(task.error[0]), task.error[1])
    if phase != "done":
        raise Refusal(400, _PROCESSING_1080P)
    found = dedicated.urls(sim, task, call.origin)
    return ok({"resultUrl": found[0] if found else ""})


def get_4k(sim: Simulator, call: Call) -> Answer:
    """Begin the 4K form of a finished video; every later call is a 422, also when it is ready."""
    sim.admit()
    older = _older(sim, call)
    index = _index(older, call.fields.get("index", 0))
    begun = older.facts.made("4k")
    if index in begun:
        raise _begun_4k(sim, sim.tasks[begun[index]], call.origin)
    new = NewTask(
        family=FAMILY,
        operation="get-4k-video",
        outputs=_larger(sim, older, index, "4k"),
    )
    task = dedicated.submit(sim, call, "veo-dedicated/get-4k-video", new)
    begun[index] = task.id
    return ok({"taskId": task.id, "resultUrls": None, "imageUrls": None})


def _older(sim: Simulator, call: Call) -> Task:
    """Return the finished video that the body names."""
    if not call.fields.get("taskId"):
        raise Refusal(422, "taskId is required")
    return dedicated.parent(sim, call.fields["taskId"], FAMILY)


def _begun_4k(sim: Simulator, task: Task, origin: str) -> Refusal:
    """Return the answer to every call for a 4K form but the first."""
    if task.phase(sim.clock()) != "done":
        waiting: JSON = {"taskId": task.id, "resultUrls": None, "imageUrls": None}
        return Refusal(422, "4k is processing. Please check back later.", waiting)
    found: JSON = {"taskId": task.id, "resultUrls": dedicated.urls(sim, task, origin), "imageUrls": []}
    return Refusal(422, "The 4k video has been generated successfully", found)


def read(sim: Simulator, call: Call) -> Answer:
    return dedicated.read(sim, call, record, FAMILY, "veo-1080p")


def record(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    end = dedicated.ending(task, sim.clock())
    failed = 2 if task.error and task.error[0] in ("400", "422", "451") else 3
    data: dict[str, JSON] = {
        "taskId": task.id,
        "paramJson": dedicated.body_text(task),
        "createTime": blank_separated(task.made_at),
        "completeTime": end.when(blank_separated),
        "response": None,
        "successFlag": dedicated.flag(task, {"done": 1, "failed": failed}.get(end.phase, 0)),
        "errorCode": end.code,
        "errorMessage": end.message or "",
        "fallbackFlag": False,
    }
    if end.phase == "done":
        found = _as_listed(task, dedicated.urls(sim, task, origin))
        if "top-level" in task.quirks:
            data["resultUrls"] = found
        else:
            data["response"] = {"taskId": task.id, "resultUrls": found, **_beside(task, found)}
    return data


def _beside(task: Task, found: JSON) -> dict[str, JSON]:
    more: dict[str, JSON] = {}
    if task.operation == "extend":
        more["fullResultUrls"] = found
    if task.input.get("aspect_ratio") == "9:16":
        more["originUrls"] = found
    more["resolution"] = {"get-1080p-video": "1080p", "get-4k-video": "4k"}.get(
        task.operation, task.input.get("resolution", "720p")
    )
    return more


def _as_listed(task: Task, found: list[str]) -> JSON:
    form = task.quirks.get("urls-as-text")
    if form is None:
        return found
    return "[" + ",".join(found) + "]" if form == "brackets" else compact(found)


def _index(older: Task, sent: JSON) -> int:
    text = str(sent)
    if not text.isdecimal() or int(text) >= max(1, len(older.outputs)):
        raise Refusal(422, "index out of range")
    return int(text)


def _larger(sim: Simulator, older: Task, index: int, resolution: str) -> list[Wanted]:
    first = older.outputs[index] if older.outputs else None
    if first is None:
        return []
    given = {**older.input, "resolution": resolution}
    width, height = asked.pixels_of(given, "video", sim.settings.pixels)
    return [replace(first, width=width, height=height, part=resolution, number=1)]


def _takes(sim: Simulator, task: Task, seconds: float) -> None:
    """Give an upgrade its own time instead of a whole generation's."""
    drawn = times.generation_s(sim.settings.seed, task.id, "image", 1)
    if task.phase(sim.clock()) == "running" and task.ends_at - task.made_at > seconds / sim.settings.speed:
        task.ends_at = task.made_at + (seconds + drawn / 4) / sim.settings.speed
        for wanted in task.outputs:
            sim.publish(task, wanted)


def callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    if task.operation == "get-4k-video":
        if task.error:
            return {"code": 500, "msg": task.error[1], "data": {"taskId": task.id}}
        info: dict[str, JSON] = {"resultUrls": dedicated.urls(sim, task, task.origin), "imageUrls": []}
        return {
            "code": 200,
            "msg": "4K Video generated successfully.",
            "data": {"taskId": task.id, "info": info},
        }
    data: Mapping[str, JSON] = {"taskId": task.id, "promptJson": compact(task.body)}
    if task.error:
        return {
            "code": dedicated.error_code(task),
            "msg": task.error[1],
            "data": {**data, "fallbackFlag": False},
        }
    found = dedicated.urls(sim, task, task.origin)
    info = {"resultUrls": "[" + ",".join(found) + "]", "resolution": "720p"}
    return {
        "code": 200,
        "msg": "Veo3.1 video generated successfully.",
        "data": {**data, "info": info, "fallbackFlag": False},
    }


ROUTES = {
    ("POST", "/api/v1/veo/generate"): ("submit", generate),
    ("POST", "/api/v1/veo/extend"): ("submit", extend),
    ("GET", "/api/v1/veo/record-info"): ("poll", read),
    ("GET", "/api/v1/veo/get-1080p-video"): ("poll", get_1080p),
    ("POST", "/api/v1/veo/get-4k-video"): ("submit", get_4k),
}
