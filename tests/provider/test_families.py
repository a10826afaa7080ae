"""Every family passes one list of situations, so that a new one cannot forget any."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch import catalogue
from kiebatch.errors import Invalid
from kiebatch.model import JSON, Absent, Done, Output, Reply, Running, TaskFailed, as_mapping
from kiebatch.provider import families, policy
from kiebatch.provider.families import Endpoint

URL = "https://tempfile.aiquickdraw.com/r/1.mp4"
OTHER = "https://tempfile.aiquickdraw.com/r/2.mp4"
ECHO = "https://tempfile.redpandaai.co/kieai/1/input.png"  # what a record repeats of its input

Data = dict[str, JSON]


def reply(data: JSON, code: int = 200, message: str = "success") -> Reply:
    return Reply(http_status=200, code=code, message=message, data=data, body={"code": code})


@dataclass
class Situations:
    """The records of one endpoint in every situation (`data` of the reply); protocol sections 3 to 5.

    `several` is empty only for what makes one thing by nature.  A failure comes with the code and text to find.
    """

    running: list[Data]
    one: list[Data]
    several: list[Data]
    empty: list[Data]
    failed: list[tuple[Data, str, str]]
    unknown: Callable[[str], Data]
    job_input: Data = field(default_factory=dict)


def market(state: str, result: JSON = "", **more: JSON) -> Data:
    param = json.dumps({"input": json.dumps({"image_url": ECHO}), "model": "m"})
    record = {
        "taskId": "t",
        "model": "m",
        "state": state,
        "param": param,
        "resultJson": result,
        "failCode": None,
    }
    return record | {"failMsg": None, "costTime": None, "completeTime": None, "createTime": 1} | more


MARKET = Situations(
    running=[
        market("waiting"),
        market("queuing", None),
        market("Generating", progress=40),
        market("waiting", "{}"),
        {"taskId": "t", "state": "waiting"},
        market("queueing"),
        market("pending"),
        market("processing"),
    ],
    one=[
        market("success", json.dumps({"resultUrls": [URL]})),
        market("success", {"resultUrls": [URL]}),
        market("SUCCESS", json.dumps({"result_urls": [URL]})),
        market("succeeded", json.dumps({"resultUrl": URL})),
        market("completed", json.dumps({"videoUrl": URL})),
        market("success", json.dumps({"audioUrl": URL}), creditsConsumed=4),
        market("success", json.dumps({"resultUrls": f"[{URL}]"})),
        market("success", json.dumps({"data": [{"audio_url": URL, "id": "a"}]})),
        market("success", json.dumps({"data": [{"stream_audio_url": URL, "id": "a"}]})),
        market("success", json.dumps({"data": {"result_urls": [URL], "origin_urls": [ECHO]}})),
        market("success", json.dumps({"data": {"resultUrls": [URL]}})),
        market("success", json.dumps({"data": [URL]})),
        market("success", json.dumps([URL])),
        market("success", [URL]),
        market("success", URL),
        market("success", "", response={"resultUrls": [URL]}),
        market("success", None, response=json.dumps({"result_urls": [URL]})),
    ],
    several=[
        market("success", json.dumps([URL, OTHER])),
        market("success", json.dumps({"resultUrls": [URL, OTHER]})),
        market("success", json.dumps({"resultUrls": [URL], "lastFrameUrl": [OTHER], "firstFrameUrl": []})),
        market("success", json.dumps({"resultUrls": [URL], "resultWaterMarkUrls": [OTHER]})),
        market("success", json.dumps({"vocalUrl": URL, "instrumentalUrl": OTHER, "drumsUrl": None})),
    ],
    empty=[market("success", result) for result in ("", None, "{}", '{"resultUrls":[]}', "not json", "[", 5)],
    failed=[
        (market("fail", failCode="422", failMsg="flagged as sensitive"), "422", "flagged as sensitive"),
        (
            market("fail", failCode="500", failMsg="Internal error, please try again later"),
            "500",
            "Internal error",
        ),
        (market("FAILED", failCode=501, failMsg=""), "501", "no reason"),
        (market("error", failCode="", failMsg=None), "error", "no reason"),
        ({"state": "fail"}, "fail", "no reason"),
        (market("fail", failCode="SENSITIVE_WORD_ERROR", failMsg="x"), "SENSITIVE_WORD_ERROR", "x"),
    ],
    unknown=lambda word: market(word),
)


def flagged(flag: JSON, response: JSON = None, **more: JSON) -> Data:
    """Return a record of the families that tell their state by a number."""
    record = {"taskId": "t", "paramJson": json.dumps({"inputImage": ECHO}), "response": response}
    return record | {"successFlag": flag, "errorCode": None, "errorMessage": None, "createTime": 1} | more


GPT4O = Situations(
    running=[
        flagged(0, status="GENERATING", progress="0.50"),
        flagged("0"),
        flagged(None, status="GENERATING"),
        {"status": "GENERATING"},
    ],
    one=[
        flagged(1, {"resultUrls": [URL]}, status="SUCCESS", progress="1.00"),
        flagged("1", {"result_urls": [URL]}),
        flagged(1.0, json.dumps({"resultUrls": [URL]})),
        flagged("成功", {"resultUrls": [URL]}),
        flagged(None, {"resultUrls": [URL]}, status="SUCCESS"),
    ],
    several=[flagged(1, {"resultUrls": [URL, OTHER]})],
    empty=[flagged(1), flagged(1, {"resultUrls": []}), flagged(1, ""), flagged(1, {"resultUrls": None})],
    failed=[
        (flagged(2, status="CREATE_TASK_FAILED", errorCode=400, errorMessage="policy"), "400", "policy"),
        (flagged(3, errorCode=500, errorMessage="x"), "500", "x"),
        (flagged(0, status="GENERATE_FAILED", progress="0.00"), "generate_failed", "no reason"),
        (flagged("2"), "failed", "no reason"),
    ],
    unknown=lambda word: flagged(word),
)
FLUX = Situations(
    running=[flagged(0), flagged("0"), flagged(0, {"originImageUrl": "", "resultImageUrl": ""})],
    one=[
        flagged(1, {"originImageUrl": ECHO, "resultImageUrl": URL}),
        flagged("1", {"resultImageUrl": URL}),
        flagged("ok", {"resultImageUrl": URL}),
    ],
    several=[],
    empty=[flagged(1), flagged(1, {"originImageUrl": ECHO, "resultImageUrl": ""})],
    failed=[
        (flagged(2, errorCode=400, errorMessage="prompt flagged"), "400", "prompt flagged"),
        (flagged(3, errorCode=501, errorMessage="x"), "501", "x"),
    ],
    unknown=lambda word: flagged(word),
)
VEO = Situations(
    running=[flagged(0), flagged("0", {"resultUrls": None})],
    one=[
        flagged(1, {"taskId": "t", "resultUrls": [URL], "resolution": "720p"}),
        flagged("1", {"resultUrls": f"[{URL}]"}),
        flagged(1, {"resultUrls": json.dumps([URL])}),
        flagged(1, None, resultUrls=json.dumps([URL])),
    ],
    several=[
        flagged(1, {"resultUrls": [URL, OTHER]}),
        flagged(1, {"resultUrls": [URL], "originUrls": [OTHER]}),
        flagged(1, {"resultUrls": [URL], "fullResultUrls": [OTHER]}),
        flagged(1, {"resultUrls": f"[{URL}, {OTHER}]"}),
    ],
    empty=[flagged(1), flagged(1, {"resultUrls": []}), flagged(1, {"resultUrls": "[]"})],
    failed=[
        (flagged(2, errorCode=400, errorMessage="policy"), "400", "policy"),
        (flagged(3, errorCode=501, errorMessage="x"), "501", "x"),
    ],
    unknown=lambda word: flagged(word),
)
VEO_1080P = Situations(
    running=[],
    one=[{"resultUrl": URL}, {"taskId": "t", "resultUrl": URL}],
    several=[],
    empty=[],
    failed=[],
    unknown=lambda word: flagged(word),
    job_input={"taskId": "parent", "index": 0},
)
VEO_4K = Situations(
    running=[{"taskId": "t", "resultUrls": None, "imageUrls": None}, flagged(0)],
    one=[{"taskId": "t", "resultUrls": [URL], "imageUrls": [ECHO]}, flagged(1, {"resultUrls": [URL]})],
    several=[{"taskId": "t", "resultUrls": [URL, OTHER]}],
    empty=[flagged(1, {"resultUrls": []})],
    failed=VEO.failed,
    unknown=lambda word: flagged(word),
    job_input={"taskId": "parent", "index": 0},
)


def runway(state: str, video: JSON = None, **more: JSON) -> Data:
    record: Data = {"taskId": "t", "parentTaskId": "", "generateParam": {"prompt": "x", "imageUrl": ECHO}}
    return record | {"state": state, "videoInfo": video, "failCode": 0, "failMsg": "", "expireFlag": 0} | more


RUNWAY = Situations(
    running=[runway(state) for state in ("wait", "queueing", "generating", "WAIT")]
    + [runway("generating", {"videoUrl": ""})],
    one=[runway("success", {"videoId": "v", "taskId": "t", "videoUrl": URL, "imageUrl": ECHO})],
    several=[],
    empty=[runway("success"), runway("success", {"videoUrl": ""})],
    failed=[
        (runway("fail", failCode=400, failMsg="Your prompt was flagged"), "400", "flagged"),
        (runway("fail", failCode=400, failMsg="Please try again later."), "400", "try again"),
        (runway("fail"), "fail", "no reason"),
    ],
    unknown=lambda word: runway(word),
)
ALEPH = Situations(
    running=[
        flagged(0, errorCode=0, errorMessage=""),
        flagged(0),
        flagged(0, errorCode=200),
        flagged("0", {"resultVideoUrl": ""}),
    ],
    one=[
        flagged(
            1, {"taskId": "t", "resultVideoUrl": URL, "resultImageUrl": ECHO}, errorCode=0, completeTime="x"
        )
    ],
    several=[],
    empty=[flagged(1), flagged(1, {"resultVideoUrl": ""})],
    failed=[
        (flagged(0, errorCode=400, errorMessage="bad video"), "400", "bad video"),
        (flagged(0, errorCode=0, errorMessage="Generation failed"), "failed", "Generation failed"),
        (flagged(0, completeTime="2026-01-01T00:00:00Z"), "failed", "no reason"),
    ],
    unknown=lambda word: flagged(word),
)


def suno(status: str, *tracks: Data, **more: JSON) -> Data:
    record: Data = {
        "taskId": "t",
        "parentMusicId": "",
        "param": json.dumps({"uploadUrl": ECHO}),
        "type": "GENERATE",
    }
    response: Data = {"taskId": "t", "sunoData": list(tracks)}
    return record | {"status": status, "response": response, "errorCode": None, "errorMessage": None} | more


def track(url: str, name: str = "a") -> Data:
    return {
        "id": name,
        "audioUrl": url,
        "streamAudioUrl": ECHO,
        "imageUrl": ECHO,
        "title": "x",
        "duration": 1.5,
    }


SUNO = Situations(
    running=[
        suno("PENDING"),
        suno("TEXT_SUCCESS", track("")),
        suno("FIRST_SUCCESS", track(URL), track("")),
        suno("CALLBACK_EXCEPTION"),
        suno("CALLBACK_EXCEPTION", track("")),
        suno("PENDING") | {"response": None},
    ],
    one=[suno("SUCCESS", track(URL))],
    several=[
        suno("SUCCESS", track(URL, "a"), track(OTHER, "b")),
        suno("CALLBACK_EXCEPTION", track(URL, "a"), track(OTHER, "b")),
    ],
    empty=[suno("SUCCESS"), suno("SUCCESS", track("")), suno("SUCCESS") | {"response": None}],
    failed=[
        (suno("CREATE_TASK_FAILED", errorCode=500, errorMessage="x"), "500", "x"),
        (suno("GENERATE_AUDIO_FAILED", errorCode=531, errorMessage="refunded"), "531", "refunded"),
        (suno("SENSITIVE_WORD_ERROR"), "sensitive_word_error", "no reason"),
    ],
    unknown=lambda word: suno(word),
)


def lyrics(status: str, *texts: str, **more: JSON) -> Data:
    items = [{"text": text, "title": "Sea", "status": "complete", "errorMessage": ""} for text in texts]
    response: Data = {"taskId": "t", "data": items}
    return {"taskId": "t", "response": response, "status": status, "type": "LYRICS", **more}


LYRICS = Situations(
    running=[lyrics("PENDING"), lyrics("CALLBACK_EXCEPTION")],
    one=[lyrics("SUCCESS", "[Verse]\nThe sea")],
    several=[lyrics("SUCCESS", "one", "two"), lyrics("CALLBACK_EXCEPTION", "one", "two")],
    empty=[lyrics("SUCCESS"), lyrics("SUCCESS") | {"response": None}],
    failed=[
        (lyrics("GENERATE_LYRICS_FAILED", errorCode=500, errorMessage="x"), "500", "x"),
        (lyrics("SENSITIVE_WORD_ERROR"), "sensitive_word_error", "no reason"),
    ],
    unknown=lambda word: lyrics(word),
)


def converted(flag: JSON, response: JSON = None, **more: JSON) -> Data:
    record: Data = {"taskId": "t", "musicId": "m", "callbackUrl": ECHO, "musicIndex": 0, "successFlag": flag}
    return record | {"response": response, "errorCode": None, "errorMessage": None} | more


def conversion(key: str, failed: str) -> Situations:
    return Situations(
        running=[converted("PENDING"), converted("PENDING", {key: None}), converted("CALLBACK_EXCEPTION")],
        one=[
            converted("SUCCESS", {key: URL}, errorCode=200),
            converted("CALLBACK_EXCEPTION", {key: URL}),
            converted("SUCCESS", json.dumps({key: URL})),
        ],
        several=[],
        empty=[converted("SUCCESS"), converted("SUCCESS", {key: ""})],
        failed=[
            (converted(failed, errorCode=500, errorMessage="x"), "500", "x"),
            (converted("CREATE_TASK_FAILED"), "create_task_failed", "no reason"),
        ],
        unknown=lambda word: converted(word),
    )


STEMS = Situations(
    running=[converted("PENDING"), converted("CALLBACK_EXCEPTION")],
    one=[converted("SUCCESS", {"vocalUrl": URL, "originUrl": ECHO, "drumsUrl": None})],
    several=[
        converted("SUCCESS", {"vocalUrl": URL, "instrumentalUrl": OTHER, "originUrl": ECHO}),
        converted("SUCCESS", {"drumsUrl": URL, "bassUrl": OTHER}),
        converted(
            "SUCCESS", {"originData": [{"audio_url": URL, "id": "1"}, {"audio_url": OTHER, "id": "2"}]}
        ),
    ],
    empty=[converted("SUCCESS"), converted("SUCCESS", {"vocalUrl": None, "originData": None})],
    failed=[(converted("GENERATE_AUDIO_FAILED", errorCode=500, errorMessage="x"), "500", "x")],
    unknown=lambda word: converted(word),
)
COVER = Situations(
    running=[converted(0), converted(2), converted("2")],
    one=[converted(1, {"images": [URL]})],
    several=[converted(1, {"images": [URL, OTHER]})],
    empty=[converted(1), converted(1, {"images": []})],
    failed=[(converted(3, errorCode=500, errorMessage="x"), "500", "x")],
    unknown=lambda word: converted(word),
)
NOTES: Data = {
    "state": "complete",
    "instruments": [{"name": "Drums", "notes": [{"pitch": 73, "start": "0.2"}]}],
}
MIDI = Situations(
    running=[converted(0), converted("0", midiData=None)],
    one=[converted(1, midiData=NOTES), converted("1", midiData=NOTES)],
    several=[],
    empty=[converted(1), converted(1, midiData={"state": "complete", "instruments": []})],
    failed=[
        (converted(2, errorCode="500", errorMessage="x"), "500", "x"),
        (converted(3), "failed", "no reason"),
    ],
    unknown=lambda word: converted(word),
)

SITUATIONS: dict[str, Situations] = {
    "/api/v1/jobs/createTask": MARKET,
    "/api/v1/gpt4o-image/generate": GPT4O,
    "/api/v1/flux/kontext/generate": FLUX,
    "/api/v1/veo/generate": VEO,
    "/api/v1/veo/extend": VEO,
    "/api/v1/veo/get-1080p-video": VEO_1080P,
    "/api/v1/veo/get-4k-video": VEO_4K,
    "/api/v1/runway/generate": RUNWAY,
    "/api/v1/runway/extend": RUNWAY,
    "/api/v1/aleph/generate": ALEPH,
    **{
        f"/api/v1/generate{name}": SUNO
        for name in (
            "",
            "/extend",
            "/upload-cover",
            "/upload-extend",
            "/add-instrumental",
            "/add-vocals",
            "/replace-section",
            "/mashup",
            "/sounds",
        )
    },
    "/api/v1/lyrics": LYRICS,
    "/api/v1/wav/generate": conversion("audioWavUrl", "GENERATE_WAV_FAILED"),
    "/api/v1/vocal-removal/generate": STEMS,
    "/api/v1/midi/generate": MIDI,
    "/api/v1/mp4/generate": conversion("videoUrl", "GENERATE_MP4_FAILED"),
    "/api/v1/suno/cover/generate": COVER,
}
VOICE = Situations(
    running=[converted("PENDING"), converted("0"), {"taskId": "t", "status": "wait"}],
    one=[converted("SUCCESS", {"validateInfo": "read this aloud"}), {"taskId": "t", "status": "success"}],
    several=[],
    empty=[],
    failed=[(converted("fail", errorCode=400, errorMessage="too short"), "400", "too short")],
    unknown=lambda word: converted(word),
)
SITUATIONS |= {f"/api/v1/voice/{name}": VOICE for name in ("validate", "regenerate", "generate")}
AT_ONCE = {
    "/api/v1/voice/check-voice": {"voice_id": "v"},
    "/api/v1/omni/audio/create": {"audio_id": "a"},
    "/api/v1/omni/character/create": {"character_id": "c"},
    "/api/v1/generate/generate-persona": {"personaId": "p", "name": "n", "description": "d"},
    "/api/v1/generate/get-timestamped-lyrics": {"alignedWords": [{"word": "sea", "startS": 1.5, "endS": 2}]},
    "/api/v1/style/generate": {
        "taskId": "t",
        "result": "shanty",
        "successFlag": "成功",
        "creditsConsumed": 0.4,
    },
}

each = pytest.mark.parametrize(
    "endpoint", families.all_endpoints(), ids=lambda e: e.path.removeprefix("/api/v1/")
)
polled = pytest.mark.parametrize(
    "endpoint",
    [e for e in families.all_endpoints() if not e.at_once],
    ids=lambda e: e.path.removeprefix("/api/v1/"),
)


def test_no_endpoint_is_without_its_situations() -> None:
    known = {e.path for e in families.all_endpoints() if not e.at_once}
    assert known == set(SITUATIONS)
    assert {e.path for e in families.all_endpoints() if e.at_once} == set(AT_ONCE)
    for path, situations in SITUATIONS.items():
        assert situations.one, path


# --- submissions ---------------------------------------------------------------------------------------


@polled
@pytest.mark.parametrize("data", [{"taskId": "t9"}, {"task_id": "t9"}, {"taskId": "t9", "recordId": "t9"}])
def test_an_accepted_job_has_its_task(endpoint: Endpoint, data: Data) -> None:
    if endpoint.path.endswith("1080p-video"):
        data = {"resultUrl": URL}
    job_input = SITUATIONS[endpoint.path].job_input

    task = endpoint.task(reply(data), job_input)

    assert policy.submit(reply(data), task).kind == "accepted"
    if task == "t9":
        assert endpoint.record(task).query == {"taskId": "t9"}


@each
@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (400, "missing taskId", "refused"),
        (401, "You do not have access permissions", "stop"),
        (402, "Credits insufficient", "stop"),
        (404, "Not Found", "refused"),
        (422, "Record does not exist", "refused"),
        (429, "Your call frequency is too high", "later"),
        (433, "cap", "stop"),
        (451, "could not fetch", "refused"),
        (455, "maintenance", "later"),
        (500, "prompt is required", "refused"),
        (500, "Server exception", "unknown"),
        (505, "off", "refused"),
        (550, "queue full", "later"),
        (200, "success", "unknown"),
    ],
)
def test_a_job_without_a_task_is_judged_by_the_one_table(
    endpoint: Endpoint, code: int, message: str, kind: str
) -> None:
    job_input = {"taskId": "parent"}
    empty: tuple[JSON, ...] = (None, {}, [], "x")
    for data in empty:
        answer = reply(data, code, message)
        assert policy.submit(answer, endpoint.task(answer, job_input)).kind == kind


@each
def test_a_request_is_the_jobs_input_in_the_familys_form(endpoint: Endpoint) -> None:
    job_input: dict[str, JSON] = {"prompt": "a boat", "index": 1, "taskId": "t"}

    request = endpoint.request("veo3_fast", job_input)
    mine = endpoint.request("veo3_fast", job_input, "https://me.example/cb")

    assert request.path == endpoint.path
    assert job_input == {"prompt": "a boat", "index": 1, "taskId": "t"}
    if request.method == "GET":
        assert request.query == mine.query == {"prompt": "a boat", "index": "1", "taskId": "t"}
        return
    assert request.body is not None
    assert mine.body is not None
    flat = as_mapping(request.body.get("input", request.body))
    assert {k: flat[k] for k in job_input} == job_input
    names_model = endpoint.family in ("jobs", "flux-kontext") or endpoint.path == "/api/v1/veo/generate"
    assert request.body.get("model") == ("veo3_fast" if names_model else None)
    expected = {"required": "https://example.com/kiebatch-callback", "optional": None, "none": None}
    assert request.body.get(endpoint.callback_field) == expected[endpoint.callback]
    assert mine.body.get(endpoint.callback_field) == (
        None if endpoint.callback == "none" else "https://me.example/cb"
    )


def test_suno_is_never_without_a_callback_address_and_nobody_owns_the_one_we_name() -> None:
    asked = [
        e
        for e in families.all_endpoints()
        if e.family == "suno" and not e.at_once and "/voice/" not in e.path
    ]

    assert all(e.callback == "required" for e in asked)
    assert families.PLACEHOLDER_CALLBACK.startswith("https://example.com/")


# --- status --------------------------------------------------------------------------------------------


@polled
def test_a_running_task_is_running_by_every_word(endpoint: Endpoint) -> None:
    for data in SITUATIONS[endpoint.path].running:
        assert isinstance(endpoint.status(reply(data)), Running), data


@polled
def test_a_finished_task_gives_its_output(endpoint: Endpoint) -> None:
    for data in SITUATIONS[endpoint.path].one:
        status = endpoint.status(reply(data))
        assert isinstance(status, Done), data
        assert [(o.number, o.url or bool(o.text)) for o in status.outputs] in ([(1, URL)], [(1, True)]), data


@polled
def test_a_finished_task_gives_all_its_outputs_numbered(endpoint: Endpoint) -> None:
    for data in SITUATIONS[endpoint.path].several:
        status = endpoint.status(reply(data))
        assert isinstance(status, Done), data
        assert [o.number for o in status.outputs] == [1, 2], data
        assert {o.url for o in status.outputs} in ({URL, OTHER}, {None}), data


@polled
def test_a_finished_task_without_outputs_is_done_and_empty(endpoint: Endpoint) -> None:
    for data in SITUATIONS[endpoint.path].empty:
        assert endpoint.status(reply(data)) == Done(), data


@polled
def test_a_failed_task_says_why(endpoint: Endpoint) -> None:
    for data, code, text in SITUATIONS[endpoint.path].failed:
        status = endpoint.status(reply(data))
        assert isinstance(status, TaskFailed), data
        assert status.code == code
        assert text in status.message


@polled
@pytest.mark.parametrize("code", [501, 408, 531])
def test_a_failure_may_stand_in_the_envelope_alone(endpoint: Endpoint, code: int) -> None:
    for data in (None, {}, "", SITUATIONS[endpoint.path].unknown("waiting")):
        status = endpoint.status(reply(data, code, "the task failed"))
        assert isinstance(status, TaskFailed)
        assert (status.code, status.message) == (str(code), "the task failed")
        assert status.refunded == (True if code == 531 else None)


@polled
def test_a_record_that_is_not_visible_is_absent(endpoint: Endpoint) -> None:
    assert endpoint.status(reply(None, 422, "recordInfo is null")) == Absent(message="recordInfo is null")
    assert isinstance(endpoint.status(reply(None, 404, "Not Found")), Absent)
    assert isinstance(endpoint.status(reply(None)), Absent)
    assert isinstance(endpoint.status(reply({})), Absent)


@polled
def test_a_word_nobody_knows_is_running_and_shown(endpoint: Endpoint) -> None:
    status = endpoint.status(reply(SITUATIONS[endpoint.path].unknown("Daydreaming")))

    assert status == Running(state="daydreaming")


WORDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 600),
    st.floats(allow_nan=True),
    st.sampled_from(
        ["", "success", "SUCCESS", "fail", "1", "0", "{", "[", '{"resultUrls":5}', URL, "[1]", "成功"]
    ),
)
KEYS = st.sampled_from(
    [
        "state",
        "status",
        "successFlag",
        "resultJson",
        "response",
        "resultUrls",
        "sunoData",
        "audioUrl",
        "data",
        "text",
        "videoInfo",
        "videoUrl",
        "images",
        "midiData",
        "instruments",
        "originData",
        "errorCode",
        "errorMessage",
        "failCode",
        "failMsg",
        "progress",
        "result",
        "param",
        "taskId",
    ]
)
GARBAGE = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)


@given(GARBAGE, st.sampled_from([200, 400, 404, 422, 500, 501]))
def test_garbage_never_breaks_a_family_and_gives_no_output_but_urls_and_texts(data: JSON, code: int) -> None:
    for endpoint in families.all_endpoints():
        status = endpoint.status(reply(data, code))
        endpoint.task(reply(data, code), {"taskId": "t"})
        if isinstance(status, Done):
            assert all(o.text or (o.url or "").startswith("https://") for o in status.outputs)


@polled
def test_what_a_record_repeats_of_its_input_is_never_taken_for_a_result(endpoint: Endpoint) -> None:
    situations = SITUATIONS[endpoint.path]
    for data in (*situations.one, *situations.several, *situations.empty):
        status = endpoint.status(reply(data))
        assert isinstance(status, Done)
        assert ECHO not in [o.url for o in status.outputs]


# --- what is special -----------------------------------------------------------------------------------


def test_frames_and_stems_are_outputs_with_a_label() -> None:
    jobs = families.get("jobs")
    frames = market("success", json.dumps({"resultUrls": [URL], "lastFrameUrl": [OTHER]}))

    status = jobs.status(reply(frames))

    assert status == Done(
        outputs=(Output(number=1, url=URL), Output(number=2, url=OTHER, label="last_frame")), credits=None
    )
    stems = families.get("suno", "/api/v1/vocal-removal/generate")
    both = stems.status(reply(converted("SUCCESS", {"vocalUrl": URL, "instrumentalUrl": OTHER})))
    assert isinstance(both, Done)
    assert [o.label for o in both.outputs] == ["vocal", "instrumental"]


def test_results_that_are_words_are_outputs_too() -> None:
    status = families.get("jobs").status(
        reply(market("success", json.dumps({"resultObject": {"text": "the sea"}}), creditsConsumed="1.5"))
    )

    assert isinstance(status, Done)
    assert json.loads(status.outputs[0].text or "") == {"text": "the sea"}
    assert status.credits == 1.5
    song = families.get("suno", "/api/v1/lyrics").status(reply(lyrics("SUCCESS", "[Verse]\nThe sea")))
    assert isinstance(song, Done)
    assert song.outputs[0].text == "# Sea\n\n[Verse]\nThe sea\n"


def test_a_track_tells_the_id_that_later_calls_ask_for() -> None:
    status = families.get("suno").status(reply(suno("SUCCESS", track(URL, "a-1"), track(OTHER, "b-2"))))

    assert isinstance(status, Done)
    assert [o.id for o in status.outputs] == ["a-1", "b-2"]


def test_progress_is_a_share_whatever_it_is_written_in() -> None:
    seen = [
        families.get("jobs").status(reply(market("generating", progress=40))),
        families.get("gpt4o-image").status(reply(flagged(0, progress="0.50"))),
    ]

    assert [s.progress for s in seen if isinstance(s, Running)] == [0.4, 0.5]


@pytest.mark.parametrize(
    ("code", "message", "retryable"),
    [
        ("500", "Internal error, please try again later", True),
        ("400", "Reached the limit for concurrent generations.", True),
        ("422", "bad size", False),
        ("500", "Your content was flagged as sensitive", False),
    ],
)
def test_a_failure_that_may_not_happen_again_is_told_apart(code: str, message: str, retryable: bool) -> None:
    status = families.get("jobs").status(reply(market("fail", failCode=code, failMsg=message)))

    assert isinstance(status, TaskFailed)
    assert status.retryable == retryable


def test_a_refund_is_known_only_where_the_provider_says_so() -> None:
    jobs = families.get("jobs")

    free = jobs.status(reply(market("fail", failCode="500", failMsg="x", consumeCredits=0)))
    silent = jobs.status(reply(market("fail", failCode="500", failMsg="x")))

    assert isinstance(free, TaskFailed)
    assert isinstance(silent, TaskFailed)
    assert (free.refunded, silent.refunded) == (True, None)


def test_veo_in_1080p_is_asked_for_again_until_it_is_there() -> None:
    endpoint = families.get("veo", "GET /api/v1/veo/get-1080p-video")
    job_input: dict[str, JSON] = {"taskId": "parent", "index": 1}
    at_work = reply(None, 400, "1080P is processing. It should be ready in 1-2 minutes.")

    task = endpoint.task(at_work, job_input)

    assert task == "parent/1080p/1"
    assert endpoint.record(task).query == {"taskId": "parent", "index": "1"}
    assert isinstance(endpoint.status(at_work), Running)
    assert endpoint.status(reply({"resultUrl": URL})) == Done(outputs=(Output(number=1, url=URL),))
    assert endpoint.task(reply(None, 400, "the original task has failed"), job_input) is None


def test_veo_in_4k_has_its_result_in_a_422() -> None:
    endpoint = families.get("veo", "/api/v1/veo/get-4k-video")
    job_input: dict[str, JSON] = {"taskId": "parent", "index": 0}
    at_work = reply({"taskId": "parent", "resultUrls": None}, 422, "4k is processing")
    made = reply(
        {"taskId": "parent", "resultUrls": [URL]}, 422, "The 4K video has been generated successfully"
    )

    assert endpoint.task(reply({"taskId": "own", "resultUrls": None}), job_input) == "own"
    assert endpoint.record("own").query == {"taskId": "own"}
    for answer in (reply({"taskId": "parent", "resultUrls": None}), at_work, made):
        assert endpoint.task(answer, job_input) == "parent/4k/0"
    again = endpoint.record("parent/4k/0")
    assert (again.method, again.path, again.body) == ("POST", endpoint.path, {"taskId": "parent", "index": 0})
    assert isinstance(endpoint.status(at_work), Running)
    assert endpoint.status(made) == Done(outputs=(Output(number=1, url=URL),))


def test_what_exists_already_is_collected_by_its_older_task() -> None:
    cover = families.get("suno", "/api/v1/suno/cover/generate")

    assert cover.task(reply({"taskId": "older"}, 400, "cover already exists")) == "older"
    assert cover.task(reply(None, 409, "exists")) is None


@pytest.mark.parametrize(("path", "data"), AT_ONCE.items())
def test_some_calls_answer_at_once(path: str, data: Data) -> None:
    endpoint = next(e for e in families.all_endpoints() if e.path == path)
    answer = reply(data)

    status = endpoint.status(answer)

    assert isinstance(status, Done)
    assert status.outputs[0].text
    assert endpoint.task(answer) == endpoint.task(reply(dict(data)))
    with pytest.raises(ValueError, match="no record"):
        endpoint.record("t")


def test_a_dedicated_endpoint_names_the_model_that_the_catalogue_calls_its_successor() -> None:
    known = catalogue.load()
    for endpoint in families.all_endpoints():
        replaced = {m.superseded_by for m in known.all() if m.endpoint == endpoint.path}
        if endpoint.family in ("jobs", "omni"):
            assert not endpoint.current
        else:
            assert replaced == {endpoint.current}
            assert known.get(endpoint.current)


def test_every_current_model_has_a_family_that_speaks_for_it() -> None:
    for model in catalogue.load().all():
        if model.status != "withdrawn":
            assert families.get(model.family, model.endpoint).path == model.endpoint


def test_links_are_renewed_by_the_familys_own_call_where_it_has_one() -> None:
    own = families.get("gpt4o-image").fresh_link("t", URL)
    common = families.get("veo").fresh_link("t", URL)

    assert (own.path, own.body) == ("/api/v1/gpt4o-image/download-url", {"taskId": "t", "url": URL})
    assert (common.path, common.body) == ("/api/v1/common/download-url", {"url": URL})


def test_a_family_or_endpoint_nobody_knows_is_said() -> None:
    with pytest.raises(Invalid, match="unknown API family `luma`"):
        families.get("luma")
    with pytest.raises(Invalid, match="no endpoint `/api/v1/dance`"):
        families.get("suno", "/api/v1/dance")


def test_a_model_that_is_refused_without_a_callback_gets_a_harmless_one() -> None:
    jobs = families.get("jobs")

    needs = jobs.request("kling-3.0/motion-control", {}).body or {}
    other = jobs.request("z-image", {}).body or {}

    assert str(needs["callBackUrl"]).startswith("https://example.com/")
    assert "callBackUrl" not in other
