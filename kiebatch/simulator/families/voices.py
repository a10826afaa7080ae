"""Helpers that make ids instead of media: Suno voices and Gemini Omni's (protocol 5.5).

Their replies are not known; the keys are those of their neighbours (confidence low).
"""

from __future__ import annotations

from kiebatch.model import JSON
from kiebatch.simulator.families import dedicated
from kiebatch.simulator.state import NewTask, Simulator, Task
from kiebatch.simulator.wire import Answer, Call, Refusal, millis, ok

FAMILY = "suno-voice"


def validate(sim: Simulator, call: Call) -> Answer:
    return _begin(sim, call, "suno/voice-validate")


def regenerate(sim: Simulator, call: Call) -> Answer:
    if not call.fields.get("calBackUrl"):  # spelled so upstream, and wanted here
        raise Refusal(422, "Please enter calBackUrl.")
    dedicated.parent(sim, call.fields.get("taskId"), FAMILY)
    return _begin(sim, call, "suno/voice-regenerate")


def generate(sim: Simulator, call: Call) -> Answer:
    dedicated.parent(sim, call.fields.get("taskId"), FAMILY)
    return _begin(sim, call, "suno/voice-generate")


def _begin(sim: Simulator, call: Call, model: str) -> Answer:
    sim.admit()
    new = NewTask(family=FAMILY, operation=model.removeprefix("suno/"), outputs=[])
    task = dedicated.submit(sim, call, model, new)
    return ok({"taskId": task.id})


def read(sim: Simulator, call: Call) -> Answer:
    return dedicated.read(sim, call, _record, FAMILY)


def _record(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    end = dedicated.ending(task, sim.clock())
    return {
        "taskId": task.id,
        "status": {"done": "success", "failed": "fail"}.get(end.phase, task.quirks.get("state", "wait")),
        **(_made(task) if end.phase == "done" else {}),
        "createTime": millis(task.made_at),
        "completeTime": end.when(millis),
        "errorCode": end.code,
        "errorMessage": end.message,
    }


def _made(task: Task) -> dict[str, JSON]:
    if task.operation == "voice-generate":
        return {"voiceId": f"voice_{task.id[:12]}"}
    return {"validateInfo": "The quick brown fox jumps over the lazy dog."}


def check(sim: Simulator, call: Call) -> Answer:
    task = dedicated.parent(sim, call.fields.get("task_id"), FAMILY)
    return ok({"isAvailable": True, **_made(task)})


def callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    if task.error:
        return {"code": dedicated.error_code(task), "msg": task.error[1], "data": {"taskId": task.id}}
    return {"code": 200, "msg": "success", "data": {"taskId": task.id, **_made(task)}}


def omni_audio(sim: Simulator, call: Call) -> Answer:
    return _at_once(sim, call, "gemini-omni/audio", "audio_id")


def omni_character(sim: Simulator, call: Call) -> Answer:
    return _at_once(sim, call, "gemini-omni/character", "character_id")


def _at_once(sim: Simulator, call: Call, model: str, key: str) -> Answer:
    sim.admit()
    new = NewTask(family="omni", operation=model, outputs=[], at_once=True)
    task = dedicated.submit(sim, call, model, new)
    return ok({key: f"{key.removesuffix('_id')}_{task.id[:12]}"})


ROUTES = {
    ("POST", "/api/v1/voice/validate"): ("submit", validate),
    ("POST", "/api/v1/voice/regenerate"): ("submit", regenerate),
    ("POST", "/api/v1/voice/generate"): ("submit", generate),
    ("GET", "/api/v1/voice/validate-info"): ("poll", read),
    ("GET", "/api/v1/voice/record-info"): ("poll", read),
    ("POST", "/api/v1/voice/check-voice"): ("other", check),
    ("POST", "/api/v1/omni/audio/create"): ("submit", omni_audio),
    ("POST", "/api/v1/omni/character/create"): ("submit", omni_character),
}
