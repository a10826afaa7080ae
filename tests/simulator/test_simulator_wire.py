"""The simulator speaks as the fixtures in `kiebatch/testing/answers/` say, which were written from the protocol.

The families read the same fixtures in `test_families_wire`; the two share no code, this is where they meet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.provider import families
from kiebatch.simulator import Fault, Settings, Simulator
from kiebatch.simulator.families import callbacks
from kiebatch.simulator.server import service
from kiebatch.simulator.wire import Call, SentFile
from kiebatch.testing.fixtures import ANSWERS

FOLDER = ANSWERS
CALLBACK = "https://example.com/cb"
EXCHANGES = [
    pytest.param(
        {"endpoint": book.get("endpoint"), **exchange, "family": book["family"]},
        id=f"{path.stem}: {exchange['situation']}",
    )
    for path in sorted(FOLDER.glob("*.json"))
    for book in [json.loads(path.read_text(encoding="utf-8"))]
    for exchange in book["exchanges"]
]
Step = Callable[["World"], Any]


class World:
    """A simulator on a clock that the test moves; no sockets."""

    def __init__(self) -> None:
        self.now = 1_776_932_061.063
        self.sim = Simulator(Settings(pixels=0.01), clock=lambda: self.now)

    def call(self, method: str, path: str, body: Any = None, key: str | None = None, **query: str) -> Any:
        headers = {"authorization": f"Bearer {self.sim.settings.key if key is None else key}"}
        call = Call(method=method, path=path, body=body, query=query, headers=headers, origin="http://sim")
        if isinstance(body, Mapping):
            call.files = {name: sent for name, sent in body.items() if isinstance(sent, SentFile)}
            call.body = {name: sent for name, sent in body.items() if name not in call.files}
        return json.loads(service.answer(self.sim, call).body)

    def post(self, path: str, **body: Any) -> Any:
        return self.call("POST", path, body)

    def submit(self, path: str, **body: Any) -> str:
        reply = self.post(path, **body)
        assert reply["code"] == 200, reply
        return str(reply["data"]["taskId"])

    def read(self, path: str, task_id: str, share: float = 1.0) -> Any:
        """Read a record when this share of the task's time has passed."""
        task = self.sim.tasks[task_id]
        self.now = max(self.now, task.made_at + share * (task.ends_at - task.made_at) + 0.001)
        return self.call("GET", path, taskId=task_id)

    def fault(self, text: str) -> World:
        self.sim.faults.add(Fault.parse(text))
        return self

    # --- the calls of each family ---

    def market(self, share: float = 1.0, model: str = "nano-banana-2", **given: Any) -> Any:
        task = self.submit("/api/v1/jobs/createTask", model=model, input={"prompt": "A boat", **given})
        return self.read("/api/v1/jobs/recordInfo", task, share)

    def gpt4o(self, share: float = 1.0, **body: Any) -> Any:
        body = {"prompt": "A boat", "size": "1:1", "nVariants": 2, **body}
        return self.read(
            "/api/v1/gpt4o-image/record-info", self.submit("/api/v1/gpt4o-image/generate", **body), share
        )

    def flux(self, share: float = 1.0) -> Any:
        task = self.submit("/api/v1/flux/kontext/generate", prompt="A boat")
        return self.read("/api/v1/flux/kontext/record-info", task, share)

    def veo(self, share: float = 1.0) -> Any:
        return self.read(
            "/api/v1/veo/record-info", self.submit("/api/v1/veo/generate", prompt="A boat"), share
        )

    def large(self, share: float) -> Any:
        older = self.veo()["data"]["taskId"]
        first = self.call("GET", "/api/v1/veo/get-1080p-video", taskId=older, index="0")
        self.now += share * 1000
        return (
            first if share == 0 else self.call("GET", "/api/v1/veo/get-1080p-video", taskId=older, index="0")
        )

    def largest(self, times: int, wait_s: float = 0.0) -> Any:
        older, reply = self.veo()["data"]["taskId"], None
        for _ in range(times):
            reply = self.post("/api/v1/veo/get-4k-video", taskId=older, index=0)
            self.now += wait_s
        return reply

    def runway(self, share: float = 1.0, **body: Any) -> Any:
        body = {
            "prompt": "A boat",
            "duration": 5,
            "quality": "720p",
            "aspectRatio": "16:9",
            "imageUrl": "",
            **body,
        }
        return self.read(
            "/api/v1/runway/record-detail", self.submit("/api/v1/runway/generate", **body), share
        )

    def aleph(self, share: float = 1.0) -> Any:
        task = self.submit("/api/v1/aleph/generate", prompt="Make it night", videoUrl="https://x.test/in.mp4")
        return self.read("/api/v1/aleph/record-info", task, share)

    def song(self, share: float = 1.0) -> Any:
        task = self.submit(
            "/api/v1/generate",
            prompt="A sea shanty",
            customMode=False,
            instrumental=False,
            model="V5",
            callBackUrl=CALLBACK,
        )
        return self.read("/api/v1/generate/record-info", task, share)

    def derived(self, name: str, share: float = 1.0, fault: str = "", **body: Any) -> Any:
        song = self.song()["data"]
        given = {"taskId": song["taskId"], "callBackUrl": CALLBACK, **body}
        if name not in ("suno/cover", "midi"):
            given["audioId"] = song["response"]["sunoData"][0]["id"]
        if name == "midi":
            given["taskId"] = self.derived("vocal-removal")["data"]["taskId"]
        if fault:
            self.fault(fault)
        return self.read(
            f"/api/v1/{name}/record-info", self.submit(f"/api/v1/{name}/generate", **given), share
        )

    def lyrics(self) -> Any:
        return self.read(
            "/api/v1/lyrics/record-info",
            self.submit("/api/v1/lyrics", prompt="the sea", callBackUrl=CALLBACK),
        )

    def called_back(self, record: Any, stage: str = "end") -> Any:
        data = record["data"]
        return callbacks.body(self.sim, self.sim.tasks[data["taskId"]], stage)

    def too_fast(self) -> Any:
        return [self.market_submit() for _ in range(21)][-1]

    def market_submit(self, **body: Any) -> Any:
        return self.post(
            "/api/v1/jobs/createTask", **{"model": "nano-banana-2", "input": {"prompt": "A boat"}, **body}
        )

    def poor(self) -> World:
        self.sim.balance = 0
        return self

    def paused(self) -> World:
        self.sim.settings = Settings(paused=("nano-banana-2",))
        return self

    def upload(self) -> Any:
        sent = SentFile(data=b"x", name="x.png", media_type="image/jpeg")
        return self.post("/api/file-stream-upload", file=sent, uploadPath="images")


PRODUCED: dict[str, Step] = {
    "jobs: accepted": lambda w: w.market_submit(),
    "jobs: unknown model": lambda w: w.market_submit(model="no/such"),
    "jobs: field missing": lambda w: w.market_submit(input={}),
    "jobs: paused": lambda w: w.paused().market_submit(),
    "jobs: too fast": lambda w: w.too_fast(),
    "jobs: no credits": lambda w: w.poor().market_submit(),
    "jobs: no key": lambda w: w.call("POST", "/api/v1/jobs/createTask", {}, key="wrong"),
    "jobs: waiting": lambda w: w.market(0.5),
    "jobs: generating": lambda w: w.market(
        0.5, "kling-3.0/video", sound=False, duration="5", mode="std", multi_shots=False
    ),
    "jobs: done": lambda w: w.market(),
    "jobs: done with six": lambda w: w.market(model="grok-imagine/text-to-image"),
    "jobs: done with a last frame": lambda w: w.market(model="bytedance/seedance-2", return_last_frame=True),
    "jobs: done with words": lambda w: w.market(
        model="elevenlabs/speech-to-text", audio_url="https://x.test/a.mp3"
    ),
    "jobs: done, not double-encoded": lambda w: w.fault("submit=object").market(),
    "jobs: done without output": lambda w: w.fault("submit=no-output:list").market(),
    "jobs: failed": lambda w: w.fault("submit=fail:500 Internal error, please try again later.").market(),
    "jobs: failed by the envelope": lambda w: w.fault("submit=fail-envelope:501").market(),
    "jobs: just submitted": lambda w: w.fault("submit=fresh:60").market(0.0),
    "gpt4o-image: accepted": lambda w: w.post("/api/v1/gpt4o-image/generate", prompt="A boat", size="1:1"),
    "gpt4o-image: running": lambda w: w.gpt4o(0.5),
    "gpt4o-image: done": lambda w: w.gpt4o(),
    "gpt4o-image: done, in the quickstart's spelling": lambda w: w.fault("submit=snake").gpt4o(),
    "gpt4o-image: failed": lambda w: w.fault("submit=fail:400 Your content was flagged").gpt4o(),
    "gpt4o-image: unknown task": lambda w: w.call("GET", "/api/v1/gpt4o-image/record-info", taskId="x"),
    "flux-kontext: running": lambda w: w.flux(0.5),
    "flux-kontext: done": lambda w: w.flux(),
    "flux-kontext: failed": lambda w: w.fault("submit=fail:500").flux(),
    "flux-kontext: refused upstream": lambda w: w.fault("submit=fail:400 Flagged").flux(),
    "veo: running": lambda w: w.veo(0.5),
    "veo: done": lambda w: w.veo(),
    "veo: done, the list in brackets": lambda w: w.fault("submit=urls-as-text:brackets").veo(),
    "veo: done, the list as text at the top": lambda w: (
        w.fault("submit=urls-as-text:json").fault("submit=top-level").veo()
    ),
    "veo: failed": lambda w: w.fault("submit=fail:501 Video generation failed").veo(),
    "veo: 1080p is not ready": lambda w: w.large(0.0),
    "veo: 1080p is ready": lambda w: w.large(1.0),
    "veo: 4k is begun": lambda w: w.largest(1),
    "veo: 4k is asked for again": lambda w: w.largest(2),
    "veo: 4k is ready": lambda w: w.largest(2, 1000),
    "runway: waiting": lambda w: w.runway(0.1),
    "runway: queueing": lambda w: w.runway(0.3),
    "runway: done": lambda w: w.runway(imageUrl="https://x.test/in.png"),
    "runway: failed": lambda w: w.fault(
        "submit=fail:400 Reached the limit for concurrent generations."
    ).runway(),
    "aleph: running": lambda w: w.aleph(0.5),
    "aleph: done": lambda w: w.aleph(),
    "aleph: failed": lambda w: w.fault("submit=fail:400 Try another video").aleph(),
    "suno: no callback": lambda w: w.post(
        "/api/v1/generate", prompt="A", customMode=False, instrumental=False, model="V5"
    ),
    "suno: parent unknown": lambda w: w.post(
        "/api/v1/wav/generate", taskId="x", audioId="y", callBackUrl=CALLBACK
    ),
    "suno: unknown task": lambda w: w.call("GET", "/api/v1/generate/record-info", taskId="x"),
    "suno: pending": lambda w: w.song(0.1),
    "suno: first track": lambda w: w.song(0.7),
    "suno: done": lambda w: w.song(),
    "suno: done, but the callback failed": lambda w: w.fault("submit=callback-exception").song(),
    "suno: failed": lambda w: w.fault("submit=fail:531 Failed, the credits have been refunded").song(),
    "suno: lyrics": lambda w: w.lyrics(),
    "suno: wav": lambda w: w.derived("wav"),
    "suno: wav failed": lambda w: w.derived("wav", fault="submit=fail:500 Internal error"),
    "suno: voice and accompaniment": lambda w: w.derived("vocal-removal"),
    "suno: midi": lambda w: w.derived("midi"),
    "suno: cover running": lambda w: w.derived("suno/cover", 0.5),
    "suno: cover": lambda w: w.derived("suno/cover"),
    "suno: style": lambda w: w.post("/api/v1/style/generate", content="sea shanty"),
    "common: balance": lambda w: w.call("GET", "/api/v1/chat/credit"),
    "common: a new link": lambda w: w.post(
        "/api/v1/common/download-url", url=json.loads(w.market()["data"]["resultJson"])["resultUrls"][0]
    ),
    "common: not a link of ours": lambda w: w.post(
        "/api/v1/common/download-url", url="https://example.com/a.png"
    ),
    "common: an unknown model's price": lambda w: w.call("GET", "/api/v1/models/no/such/price"),
    "common: uploaded": lambda w: w.upload(),
    "common: no path to upload to": lambda w: w.post("/api/file-base64-upload", base64Data="aGk="),
    "common: upload without a key": lambda w: w.call("POST", "/api/file-url-upload", {}, key=""),
    "callbacks: market done": lambda w: w.called_back(w.market()),
    "callbacks: market failed": lambda w: w.called_back(w.fault("submit=fail:500 Internal error").market()),
    "callbacks: 4o": lambda w: w.called_back(w.gpt4o()),
    "callbacks: flux": lambda w: w.called_back(w.flux()),
    "callbacks: veo": lambda w: w.called_back(w.veo()),
    "callbacks: runway": lambda w: w.called_back(w.runway()),
    "callbacks: aleph": lambda w: w.called_back(w.aleph()),
    "callbacks: suno": lambda w: w.called_back(w.song()),
}


def shape(value: Any) -> Any:
    """Return what a reply looks like: its keys in order, and the kind of each value."""
    if isinstance(value, dict):
        return [(key, shape(part)) for key, part in value.items()]
    if isinstance(value, list):
        return ["several", shape(value[0])] if value else []
    if isinstance(value, str):
        return _form(value)
    return type(value).__name__


def _form(text: str) -> str:
    if text[:1] in "{[" and text:
        return "JSON text" if _is_json(text) else "bracketed text"
    for name, pattern in (
        ("empty", r""),
        ("address", r"https?://\S+"),
        ("day and time", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        ("ISO time", r"\d{4}-\d\d-\d\dT[\d:.]+Z"),
        ("decimal", r"\d\.\d\d"),
        ("words in capitals", r"[A-Z][A-Z_]+"),
    ):
        if re.fullmatch(pattern, text):
            return name
    return "text"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# Free texts may differ in whether they are there at all.
FREE = ("tags", "musicId", "prompt", "name", "id")


def without_free_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "..." if key in FREE else without_free_texts(part) for key, part in value.items()}
    return [without_free_texts(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_simulator_speaks_as_the_protocol_says(exchange: dict[str, Any]) -> None:
    reply = PRODUCED[f"{exchange['family']}: {exchange['situation']}"](World())

    assert shape(without_free_texts(reply)) == shape(without_free_texts(exchange["reply"]))
    for key in ("code", "msg"):
        assert reply.get(key) == exchange["reply"].get(key)


def test_every_fixture_names_its_section_and_how_sure_it_is() -> None:
    for parameters in EXCHANGES:
        exchange: Any = parameters.values[0]
        assert re.fullmatch(r"\d[\d., ]*", exchange["section"]), exchange
        assert exchange["confidence"] in ("high", "medium", "low"), exchange


def test_no_family_asks_the_simulator_for_a_path_that_it_does_not_know() -> None:
    known = set(service.ROUTES)

    for endpoint in families.all_endpoints():
        assert (endpoint.method, endpoint.path) in known
        if endpoint.record_path:
            assert ("GET", endpoint.record_path) in known


def test_a_task_is_read_at_the_address_of_its_own_family_alone() -> None:
    world = World()
    song = world.song()["data"]["taskId"]

    assert world.read("/api/v1/lyrics/record-info", song)["data"] is None
    assert world.read("/api/v1/wav/record-info", song)["data"] is None
    assert world.read("/api/v1/generate/record-info", song)["data"]["taskId"] == song


# --- whatever is sent --------------------------------------------------------------------------------

NAMES = (
    "model", "input", "prompt", "taskId", "audioId", "url", "uploadPath", "fileName", "base64Data", "fileUrl", "file",
    "callBackUrl", "calBackUrl", "customMode", "instrumental", "uploadUrl", "index", "pageNum", "pageSize", "type",
    "duration", "quality", "aspectRatio", "safetyTolerance", "content", "size", "filesUrl", "videoUrl", "task_id",
    "nVariants", "generationType", "imageUrls", "resolution", "aspect_ratio", "uploadUrlList", "continueAt", "style",
)  # fmt: skip
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(("V5", "1:1", "5", "720p", "nano-banana-2", "http://sim/media/x.png", CALLBACK)),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(NAMES), part, max_size=4),
    max_leaves=8,
)


SONG = {"prompt": "A", "customMode": False, "instrumental": False, "model": "V5", "callBackUrl": CALLBACK}
UPLOADED = {**SONG, "uploadUrl": "https://x.test/a.mp3", "continueAt": 5, "defaultParamFlag": False}
WORDED = {"title": "T", "tags": "folk", "negativeTags": "drums", "style": "folk", **UPLOADED}
SECTION = {**WORDED, "infillStartS": 10, "infillEndS": 20, "fullLyrics": "la"}
VALID: dict[str, dict[str, Any]] = {
    "/api/v1/jobs/createTask": {"model": "nano-banana-2", "input": {"prompt": "A boat"}},
    "/api/v1/gpt4o-image/generate": {"prompt": "A", "size": "1:1", "nVariants": 2},
    "/api/v1/flux/kontext/generate": {"prompt": "A", "aspectRatio": "16:9"},
    "/api/v1/veo/generate": {"prompt": "A", "aspect_ratio": "16:9", "resolution": "720p"},
    "/api/v1/runway/generate": {"prompt": "A", "duration": 5, "quality": "720p", "aspectRatio": "16:9"},
    "/api/v1/aleph/generate": {"prompt": "A", "videoUrl": "https://x.test/a.mp4"},
    "/api/v1/generate": SONG,
    "/api/v1/generate/upload-cover": UPLOADED,
    "/api/v1/generate/upload-extend": UPLOADED,
    "/api/v1/generate/add-instrumental": WORDED,
    "/api/v1/generate/add-vocals": WORDED,
    "/api/v1/generate/replace-section": SECTION,
    "/api/v1/generate/mashup": {**WORDED, "uploadUrlList": ["https://x.test/a.mp3", "https://x.test/b.mp3"]},
    "/api/v1/generate/sounds": {"prompt": "A", "model": "V5"},
    "/api/v1/lyrics": {"prompt": "A", "callBackUrl": CALLBACK},
    "/api/v1/style/generate": {"content": "A"},
    "/api/v1/generate/generate-persona": {"name": "A", "description": "B"},
    "/api/v1/omni/audio/create": {"audio_id": "kore", "name": "A"},
    "/api/v1/omni/character/create": {"descriptions": "A", "image_urls": ["https://x.test/a.png"]},
    "/api/v1/voice/validate": {"voiceUrl": "https://x.test/a.mp3", "vocalStartS": 0, "vocalEndS": 10},
    "/api/file-stream-upload": {
        "file": SentFile(data=b"x", name="x", media_type="image/png"),
        "uploadPath": "a",
    },
    "/api/file-base64-upload": {"base64Data": "aGk=", "uploadPath": "a"},
    "/client/v1/model-pricing/page": {"pageNum": 1, "pageSize": 10},
}
CALLS = sorted({*service.ROUTES, *service.PUBLIC})


@pytest.mark.parametrize("path", VALID)
def test_what_is_valid_is_taken(path: str) -> None:
    world = World()
    song = world.song()["data"]
    track = {"taskId": song["taskId"], "audioId": song["response"]["sunoData"][0]["id"]}

    reply = world.post(path, **track, **VALID[path])

    assert reply["code"] == 200, reply


@pytest.mark.slow
@given(data=st.data())
def test_whatever_is_sent_gets_an_envelope_and_never_a_bug(data: st.DataObject) -> None:
    world = World()
    song = world.song()["data"]
    known = {
        "taskId": song["taskId"],
        "audioId": song["response"]["sunoData"][0]["id"],
        "callBackUrl": CALLBACK,
    }

    for method, path in data.draw(st.lists(st.sampled_from(CALLS), min_size=1, max_size=8)):
        valid = {**known, **VALID.get(path, {})}
        wrong = {
            name: data.draw(ANYTHING)
            for name in data.draw(st.lists(st.sampled_from((*NAMES, *valid)), max_size=2))
        }
        body = data.draw(
            st.sampled_from(({**valid, **wrong}, {**valid, "input": {**SONG, **wrong}}, wrong, None, [], 3))
        )
        query = {"taskId": str(body.get("taskId")), "index": "0"} if isinstance(body, dict) else {}
        reply = world.call(method, path, body, **query)
        world.now += data.draw(st.sampled_from((0, 1, 1000)))

        assert isinstance(reply["code"], int)
        assert isinstance(reply["msg"], str)
        known["taskId"] = (
            (reply.get("data") or {}).get("taskId", known["taskId"])
            if isinstance(reply.get("data"), dict)
            else known["taskId"]
        )


def test_suno_makes_its_tracks_in_stages() -> None:
    world = World()
    task = world.submit(
        "/api/v1/generate",
        prompt="A sea shanty",
        customMode=False,
        instrumental=True,
        model="V5",
        callBackUrl="https://example.com/done",
    )

    read = [world.read("/api/v1/generate/record-info", task, share)["data"] for share in (0, 0.4, 0.7, 1)]

    assert [data["status"] for data in read] == ["PENDING", "TEXT_SUCCESS", "FIRST_SUCCESS", "SUCCESS"]
    assert [[bool(track["audioUrl"]) for track in data["response"]["sunoData"]] for data in read[1:]] == [
        [False, False],
        [True, False],
        [True, True],
    ]
