"""Suno: music, lyrics, and all that is made from a track (protocol 5)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kiebatch.model import JSON
from kiebatch.simulator.drawing.wanted import Wanted
from kiebatch.simulator.families import dedicated
from kiebatch.simulator.state import Facts, NewTask, Simulator, Task
from kiebatch.simulator.wire import Answer, Call, Refusal, blank_separated, compact, millis, number, ok

MUSIC, LYRICS, WAV, VOCALS, MIDI, VIDEO, COVER = (
    "suno",
    "suno-lyrics",
    "suno-wav",
    "suno-vocals",
    "suno-midi",
    "suno-mp4",
    "suno-cover",
)
ENGINES = ("V3_5", "V4", "V4_5", "V4_5PLUS", "V4_5ALL", "V5", "V5_5")
TRACK_S = 120.0
# The share of its time after which a task reaches each stage.
_TEXT, _FIRST = 0.3, 0.6
_STEMS = (
    "backingVocals",
    "drums",
    "bass",
    "guitar",
    "piano",
    "keyboard",
    "percussion",
    "strings",
    "synth",
    "fx",
    "brass",
    "woodwinds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """One way to make music: its path, what it needs, what it needs in custom mode."""

    operation: str
    required: Sequence[str] = ()
    custom: Sequence[str] = ()  # needed when `customMode` or `defaultParamFlag` is true
    callback: bool = True  # whether the submission is refused without one
    tracks: int = 2

    def submit(self, sim: Simulator, call: Call) -> Answer:
        sim.admit()
        body = call.fields
        self._check(body)
        given = {name: value for name, value in body.items() if name != "callBackUrl"}
        model = "suno/" + self.operation.replace("_", "-")
        new = NewTask(
            family=MUSIC,
            operation=self.operation,
            outputs=self._tracks(sim, given),
            facts=_from_track(sim, body),
            error=self._error(sim, body),
        )
        task = dedicated.submit(sim, call, model, new)
        _publish_stages(sim, task)
        return ok({"taskId": task.id})

    def _check(self, body: Mapping[str, JSON]) -> None:
        if self.callback and not body.get("callBackUrl"):
            raise Refusal(422, "Please enter callBackUrl.")
        _require(body, self.required)
        if body.get("customMode") or body.get("defaultParamFlag"):
            _require(body, self.custom)
        if body.get("model", "V5") not in ENGINES:
            raise Refusal(422, "model is not within the range of allowed options")

    def _tracks(self, sim: Simulator, given: Mapping[str, JSON]) -> list[Wanted]:
        seconds = max(1.0, number(given.get("duration"), 8.0 if self.operation == "sounds" else TRACK_S))
        known = sim.known("suno/" + self.operation.replace("_", "-"))
        first = sim.drawings(known, given)[0]
        return [
            replace(first, kind="audio", format="mp3", seconds=seconds, number=number)
            for number in range(1, self.tracks + 1)
        ]

    def _error(self, sim: Simulator, body: Mapping[str, JSON]) -> tuple[str, str] | None:
        """Return how a bad reference ends: the submission is taken, the task fails (protocol 5)."""
        if "audioId" in body and _track(sim, body["audioId"]) is None:
            return ("400", "The audio does not exist")
        return None


def _require(body: Mapping[str, JSON], names: Sequence[str]) -> None:
    for name in names:
        if body.get(name) in (None, "", []):
            raise Refusal(422, f"{name} is required")


def _from_track(sim: Simulator, body: Mapping[str, JSON]) -> Facts:
    found = _track(sim, body.get("audioId"))
    return Facts(parent=found[0].id) if found else Facts()


def audio_id(task: Task, number: int) -> str:
    """Return the id of a task's track, in the form of a UUID."""
    digits = f"{task.id[:-2]}{number:02d}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _track(sim: Simulator, sent: JSON) -> tuple[Task, int] | None:
    """Return the task and number of a finished track, by its audio id."""
    plain = str(sent or "").replace("-", "")
    for task in sim.tasks.values():
        if task.family == MUSIC and task.id[:-2] == plain[:-2] and task.phase(sim.clock()) == "done":
            number = int(plain[-2:]) if plain[-2:].isdecimal() else 0
            if 1 <= number <= len(task.outputs):
                return task, number
    return None


def _publish_stages(sim: Simulator, task: Task) -> None:
    """Let streams be had from the text stage on, and the first track from the first stage on."""
    if task.error or math.isinf(task.ends_at):
        return
    span = task.ends_at - task.made_at
    for wanted in task.outputs:
        if wanted.number == 1:
            sim.publish(task, wanted, available_at=task.made_at + _FIRST * span)
        sim.publish(task, replace(wanted, part="stream"), available_at=task.made_at + _TEXT * span)
        sim.publish(task, _cover(wanted), available_at=task.made_at + _TEXT * span)
    sim.schedule(task, task.made_at + _TEXT * span, "text")
    sim.schedule(task, task.made_at + _FIRST * span, "first")


def _cover(wanted: Wanted) -> Wanted:
    return replace(wanted, kind="image", format="jpeg", width=wanted.height, part="image")


def read(sim: Simulator, call: Call) -> Answer:
    return dedicated.read(sim, call, record, MUSIC)


def record(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    now = sim.clock()
    end, stage = dedicated.ending(task, now), _stage(task, now)
    response: JSON = None
    if end.phase != "failed" and stage != "PENDING":
        response = {"taskId": task.id, "sunoData": _tracks(sim, task, origin, stage)}
    return {
        "taskId": task.id,
        "parentMusicId": task.facts.parent,
        "param": compact(task.body),
        "response": response,
        "status": stage,
        "type": task.operation,
        "operationType": task.operation,
        "errorCode": end.code,
        "errorMessage": end.message,
    }


def _success(task: Task) -> str:
    """Return the state of a task that is done."""
    return "CALLBACK_EXCEPTION" if "callback-exception" in task.quirks else "SUCCESS"


_FAILED = {
    "451": "CREATE_TASK_FAILED",
    "CREATE_TASK_FAILED": "CREATE_TASK_FAILED",
    "SENSITIVE_WORD_ERROR": "SENSITIVE_WORD_ERROR",
}


def _stage(task: Task, now: float) -> str:
    phase = task.phase(now)
    if phase == "failed" and task.error:
        return _FAILED.get(task.error[0], "GENERATE_AUDIO_FAILED")
    if phase == "done":
        return _success(task)
    if "state" in task.quirks:
        return task.quirks["state"]
    share = task.progress(now)
    if math.isinf(task.ends_at) or share < _TEXT:
        return "PENDING"
    return "TEXT_SUCCESS" if share < _FIRST else "FIRST_SUCCESS"


def _tracks(sim: Simulator, task: Task, origin: str, stage: str) -> list[dict[str, JSON]]:
    root = sim.media_root(origin)
    if "no-output" in task.quirks:
        return []
    return [
        {
            "id": audio_id(task, wanted.number),
            "audioUrl": root + sim.result_path(task, wanted) if _is_ready(wanted, stage) else "",
            "streamAudioUrl": root + sim.result_path(task, replace(wanted, part="stream")),
            "imageUrl": root + sim.result_path(task, _cover(wanted)),
            "prompt": task.input.get("prompt", ""),
            "modelName": f"chirp-{str(task.input.get('model', 'V5')).lower()}",
            "title": task.input.get("title") or "Untitled",
            "tags": task.input.get("style") or task.input.get("tags") or "",
            "createTime": blank_separated(task.made_at),
            "duration": wanted.seconds + 0.44 * wanted.number if _is_ready(wanted, stage) else None,
        }
        for wanted in task.outputs
    ]


def _is_ready(wanted: Wanted, stage: str) -> bool:
    """Whether a track can be had at a stage: the first one is there a stage before the others."""
    if stage == "FIRST_SUCCESS":
        return wanted.number == 1
    return stage != "TEXT_SUCCESS"


_SNAKE = {
    "audioUrl": "audio_url",
    "streamAudioUrl": "stream_audio_url",
    "imageUrl": "image_url",
    "modelName": "model_name",
    "errorMessage": "error_message",
}


def callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    if task.error:
        data: JSON = {"callbackType": "error", "task_id": task.id, "data": None}
        return {"code": dedicated.error_code(task), "msg": task.error[1], "data": data}
    word = {"text": "TEXT_SUCCESS", "first": "FIRST_SUCCESS"}.get(stage, "SUCCESS")
    tracks = _tracks(sim, task, task.origin, word)
    named = [{_SNAKE.get(key, key): value for key, value in track.items()} for track in tracks]
    kind = "complete" if stage == "end" else stage
    data = {"callbackType": kind, "task_id": task.id, "data": named}
    return {"code": 200, "msg": "All generated successfully.", "data": data}


SONGS: Mapping[str, Song] = {
    "/api/v1/generate": Song(operation="generate", required=("model",), custom=("style", "title")),
    "/api/v1/generate/extend": Song(
        operation="extend", required=("audioId", "model"), custom=("prompt", "style", "title", "continueAt")
    ),
    "/api/v1/generate/upload-cover": Song(
        operation="upload_cover", required=("uploadUrl", "model"), custom=("style", "title")
    ),
    "/api/v1/generate/upload-extend": Song(
        operation="upload_extend", required=("uploadUrl", "continueAt", "model"), custom=("style", "title")
    ),
    "/api/v1/generate/add-instrumental": Song(
        operation="add_instrumental", required=("uploadUrl", "title", "tags", "negativeTags")
    ),
    "/api/v1/generate/add-vocals": Song(
        operation="add_vocals", required=("uploadUrl", "prompt", "title", "style", "negativeTags")
    ),
    "/api/v1/generate/replace-section": Song(
        operation="replace_section",
        required=("taskId", "audioId", "prompt", "tags", "title", "infillStartS", "infillEndS", "fullLyrics"),
        callback=False,
        tracks=1,
    ),
    "/api/v1/generate/mashup": Song(
        operation="mashup", required=("uploadUrlList", "model"), custom=("style", "title")
    ),
    "/api/v1/generate/sounds": Song(operation="sounds", required=("prompt", "model"), callback=False),
}


# --- made from a track ---------------------------------------------------------------------------------


Found = Mapping[str, JSON] | None  # what a conversion made; None under the fault `no-output`


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """One thing that can be made from a finished track, and how its record tells it."""

    family: str
    model: str
    result: Callable[[Simulator, Task, str], Found]
    outputs: Callable[[Wanted, Mapping[str, JSON]], list[Wanted]]
    failed: str | int
    required: Sequence[str] = ("taskId", "audioId")
    from_family: str = MUSIC
    number_flags: Sequence[int] = ()  # running and done, where the flag is a number
    once: bool = False
    field: str = "response"

    def submit(self, sim: Simulator, call: Call) -> Answer:
        sim.admit()
        body = call.fields
        _require(body, self.required)
        if "callBackUrl" not in body:
            raise Refusal(422, "Please enter callBackUrl.")
        older = dedicated.parent(sim, body.get("taskId"), self.from_family)
        number = self._number(older, body.get("audioId"))
        made = older.facts.made(self.family)
        if self.once and number in made:
            if self.family == COVER:
                return ok({"taskId": made[number]})
            raise Refusal(409, "The record already exists")
        first = older.outputs[number - 1]
        new = NewTask(
            family=self.family,
            operation=self.model.removeprefix("suno/"),
            outputs=self.outputs(first, body),
            facts=Facts(number=number, seconds=first.seconds),
        )
        task = dedicated.submit(sim, call, self.model, new)
        made[number] = task.id
        return ok({"taskId": task.id})

    def _number(self, older: Task, sent: JSON) -> int:
        if sent in (None, "") or older.family != MUSIC:
            return 1
        for wanted in older.outputs:
            if audio_id(older, wanted.number) == sent:
                return wanted.number
        raise Refusal(422, "Record does not exist")

    def read(self, sim: Simulator, call: Call) -> Answer:
        return dedicated.read(sim, call, self.record, self.family)

    def record(self, sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
        end = dedicated.ending(task, sim.clock())
        return {
            "taskId": task.id,
            "musicId": str(task.input.get("audioId", "")),
            "callbackUrl": task.callback,
            "musicIndex": task.facts.number - 1,
            "completeTime": end.when(blank_separated),
            self.field: end.if_done(lambda: self.result(sim, task, origin)),
            "successFlag": self._flag(sim, task, end.phase),
            "createTime": blank_separated(task.made_at),
            "errorCode": 200 if end.phase == "done" else end.code,
            "errorMessage": end.message or "",
        }

    def _flag(self, sim: Simulator, task: Task, phase: str) -> JSON:
        if self.number_flags:
            pending, running, done = self.number_flags
            begun = task.progress(sim.clock()) > 0.2
            value = {"done": done, "failed": int(self.failed)}.get(phase, running if begun else pending)
            return dedicated.flag(task, value)
        return {"done": _success(task), "failed": self.failed}.get(phase, task.quirks.get("state", "PENDING"))

    def callback(self, sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
        name = "task_id" if self.family in (VOCALS, VIDEO) else "taskId"
        nothing: JSON = {name: task.id, **_TOLD_NOTHING[self.family]}
        if task.error:
            return {"code": dedicated.error_code(task), "msg": task.error[1], "data": nothing}
        found = self.result(sim, task, task.origin)
        if not found:
            return {"code": 200, "msg": "success", "data": nothing}
        return {"code": 200, "msg": "success", "data": {name: task.id, **_TOLD[self.family](found)}}


# What a callback says of each result, beside the task, and what it says where there is none.
_TOLD: Mapping[str, Callable[[Mapping[str, JSON]], dict[str, JSON]]] = {
    COVER: lambda found: {"images": found["images"]},
    MIDI: lambda found: dict(found),
    VOCALS: lambda found: {
        "vocal_separation_info": {_underscored(key): found[key] for key in found if key != "originData"}
    },
    WAV: lambda found: {"audioWavUrl": found["audioWavUrl"]},
    VIDEO: lambda found: {"video_url": found["videoUrl"]},
}
_TOLD_NOTHING: Mapping[str, dict[str, JSON]] = {
    COVER: {"images": None},
    MIDI: {"state": None, "instruments": None},
    VOCALS: {"vocal_separation_info": None},
    WAV: {"audioWavUrl": None},
    VIDEO: {"video_url": None},
}


def _underscored(key: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", key)


def _vocals(wanted: Wanted, body: Mapping[str, JSON]) -> list[Wanted]:
    names = (
        ("vocal", "instrumental")
        if body.get("type", "separate_vocal") == "separate_vocal"
        else ("vocal", *_STEMS)
    )
    return [replace(wanted, part=name, number=number) for number, name in enumerate(names, 1)]


def _vocals_result(sim: Simulator, task: Task, origin: str) -> Found:
    found = dict(zip((w.part for w in task.outputs), dedicated.urls(sim, task, origin), strict=False))
    result: dict[str, JSON] = {
        "originUrl": None,
        "originData": [
            {
                "duration": task.facts.seconds,
                "audio_url": url,
                "stem_type_group_name": part.title(),
                "id": f"{task.id[:24]}-{number:02d}",
            }
            for number, (part, url) in enumerate(found.items(), 1)
        ],
    }
    for part in ("vocal", "instrumental", *_STEMS):
        result[f"{part}Url"] = found.get(part)
    return result


def _midi_result(sim: Simulator, task: Task, origin: str) -> Found:
    if "no-output" in task.quirks:
        return None
    lot = int(task.id[:8], 16)
    notes: list[JSON] = [
        {
            "pitch": 48 + (lot >> n) % 24,
            "start": f"{n * 0.5:.3f}",
            "end": f"{n * 0.5 + 0.4:.3f}",
            "velocity": 0.8,
        }
        for n in range(16)
    ]
    return {"state": "complete", "instruments": [{"name": "Piano", "notes": notes}]}


def _single(key: str) -> Callable[[Simulator, Task, str], Found]:
    def result(sim: Simulator, task: Task, origin: str) -> Found:
        return {key: dedicated.first_url(sim, task, origin)}

    return result


CONVERSIONS: Mapping[str, Conversion] = {
    "/api/v1/wav": Conversion(
        family=WAV,
        model="suno/wav",
        result=_single("audioWavUrl"),
        outputs=lambda wanted, body: [replace(wanted, format="wav")],
        failed="GENERATE_WAV_FAILED",
        once=True,
    ),
    "/api/v1/vocal-removal": Conversion(
        family=VOCALS,
        model="suno/separate",
        result=_vocals_result,
        outputs=_vocals,
        failed="GENERATE_AUDIO_FAILED",
    ),
    "/api/v1/midi": Conversion(
        family=MIDI,
        model="suno/midi",
        result=_midi_result,
        outputs=lambda wanted, body: [],
        failed=3,
        required=("taskId",),
        from_family=VOCALS,
        number_flags=(0, 0, 1),
        field="midiData",
    ),
    "/api/v1/mp4": Conversion(
        family=VIDEO,
        model="suno/music-video",
        result=_single("videoUrl"),
        outputs=lambda wanted, body: [replace(wanted, kind="video", format="mp4")],
        failed="GENERATE_MP4_FAILED",
    ),
    "/api/v1/suno/cover": Conversion(
        family=COVER,
        model="suno/cover-image",
        result=lambda sim, task, origin: {"images": dedicated.urls(sim, task, origin)},
        outputs=lambda wanted, body: [replace(_cover(wanted), part="cover", number=n) for n in (1, 2)],
        failed=3,
        required=("taskId",),
        number_flags=(0, 2, 1),
        once=True,
    ),
}


# --- words ---------------------------------------------------------------------------------------------


def lyrics(sim: Simulator, call: Call) -> Answer:
    try:
        sim.admit()
    except Refusal:
        raise Refusal(430) from None  # this call has a code list of its own (protocol 5.3)
    prompt = call.fields.get("prompt")
    if not prompt:
        raise Refusal(422, "prompt is required")
    if not call.fields.get("callBackUrl"):
        raise Refusal(422, "Please enter callBackUrl.")
    if len(str(prompt)) > 200:
        raise Refusal(413, "prompt exceeds range: at most 200 characters")
    new = NewTask(family=LYRICS, operation="lyrics", outputs=[])
    try:
        task = dedicated.submit(sim, call, "suno/lyrics", new)
    except Refusal as refusal:
        if refusal.code == 402:
            raise Refusal(429, refusal.msg) from None
        raise
    return ok({"taskId": task.id})


def read_lyrics(sim: Simulator, call: Call) -> Answer:
    return dedicated.read(sim, call, lyrics_record, LYRICS)


def lyrics_record(sim: Simulator, task: Task, origin: str) -> dict[str, JSON]:
    end = dedicated.ending(task, sim.clock())
    word = "GENERATE_LYRICS_FAILED"
    if task.error and task.error[0] == "SENSITIVE_WORD_ERROR":
        word = "SENSITIVE_WORD_ERROR"
    return {
        "taskId": task.id,
        "param": compact(task.body),
        "response": end.if_done(lambda: {"taskId": task.id, "data": _verses(task)}),
        "status": {"done": _success(task), "failed": word}.get(
            end.phase, task.quirks.get("state", "PENDING")
        ),
        "type": "LYRICS",
        "errorCode": end.code,
        "errorMessage": end.message,
    }


def _verses(task: Task) -> list[dict[str, JSON]]:
    if "no-output" in task.quirks:
        return []
    words = str(task.input.get("prompt", ""))
    return [
        {
            "text": f"[Verse]\n{words}\n\n[Chorus]\n{refrain}",
            "title": title,
            "status": "complete",
            "errorMessage": "",
        }
        for title, refrain in (
            ("First light", "And the lamp goes round"),
            ("Last boat", "And the sea comes in"),
        )
    ]


def lyrics_callback(sim: Simulator, task: Task, stage: str) -> dict[str, JSON]:
    if task.error:
        data: JSON = {"callbackType": "error", "task_id": task.id, "data": None}
        return {"code": dedicated.error_code(task), "msg": task.error[1], "data": data}
    found = [{_SNAKE.get(key, key): value for key, value in verses.items()} for verses in _verses(task)]
    return {
        "code": 200,
        "msg": "All generated successfully.",
        "data": {"callbackType": "complete", "task_id": task.id, "data": found},
    }


def _at_once(sim: Simulator, call: Call, model: str, required: Sequence[str]) -> Task:
    sim.admit()
    new = NewTask(
        family="suno-words",
        operation=model.removeprefix("suno/"),
        outputs=[],
        at_once=True,
    )
    return dedicated.submit(sim, call, model, new, required=required)


def persona(sim: Simulator, call: Call) -> Answer:
    body = call.fields
    older = dedicated.parent(sim, body.get("taskId"), MUSIC)
    sent = str(body.get("audioId"))
    if _track(sim, sent) is None:
        raise Refusal(422, "Record does not exist")
    if sent in older.facts.personas:
        raise Refusal(409, "A persona of this music already exists")
    task = _at_once(sim, call, "suno/persona", ("audioId", "name", "description"))
    older.facts.personas.append(sent)
    return ok({"personaId": task.id, "name": body["name"], "description": body["description"]})


def timestamps(sim: Simulator, call: Call) -> Answer:
    older = dedicated.parent(sim, call.fields.get("taskId"), MUSIC)
    if _track(sim, call.fields.get("audioId")) is None:
        raise Refusal(422, "Record does not exist")
    _at_once(sim, call, "suno/timestamped-lyrics", ("audioId",))
    words = str(older.input.get("prompt") or "la la la").split()
    aligned: list[JSON] = [
        {
            "word": f"{word} ",
            "success": True,
            "startS": round(1 + n * 0.5, 2),
            "endS": round(1.4 + n * 0.5, 2),
            "palign": 0,
        }
        for n, word in enumerate(words)
    ]
    return ok(
        {"alignedWords": aligned, "waveformData": [0, 0.5, 1, 0.5], "hootCer": 0.38, "isStreamed": False}
    )


def style(sim: Simulator, call: Call) -> Answer:
    """Answer with the surprises that were recorded: a Chinese flag, another key for the error (protocol 5.6)."""
    task = _at_once(sim, call, "suno/style", ("content",))
    return ok(
        {
            "taskId": task.id,
            "param": compact(task.body),
            "result": f"{call.fields['content']}, warm analogue tape, brushed drums, close upright piano",
            "creditsConsumed": task.charge.credits,
            "creditsRemaining": sim.balance,
            "successFlag": "成功",
            "errorCode": None,
            "errorMsg": "",
            "createTime": millis(task.made_at),
        }
    )


ROUTES: dict[tuple[str, str], tuple[str, Callable[[Simulator, Call], Answer]]] = {
    ("GET", "/api/v1/generate/record-info"): ("poll", read),
    ("POST", "/api/v1/lyrics"): ("submit", lyrics),
    ("GET", "/api/v1/lyrics/record-info"): ("poll", read_lyrics),
    ("POST", "/api/v1/generate/generate-persona"): ("submit", persona),
    ("POST", "/api/v1/generate/get-timestamped-lyrics"): ("submit", timestamps),
    ("POST", "/api/v1/style/generate"): ("submit", style),
}
for _path, _song in SONGS.items():
    ROUTES["POST", _path] = ("submit", _song.submit)
for _path, _conversion in CONVERSIONS.items():
    ROUTES["POST", f"{_path}/generate"] = ("submit", _conversion.submit)
    ROUTES["GET", f"{_path}/record-info"] = ("poll", _conversion.read)
