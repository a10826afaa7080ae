"""The simulator's dedicated families and callbacks, over real sockets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from bench.waiting import PATIENCE_S, until
from support.simulated import Sim, fetch

CALLBACK = "https://example.com/kiebatch"


class Api:
    """Calls of the API, by path."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return dict(self.client.post(path, json=body).json())

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return dict(self.client.get(path, params=query).json())

    def submit(self, path: str, **body: Any) -> str:
        reply = self.post(path, **body)
        assert reply["code"] == 200, reply
        return str(reply["data"]["taskId"])

    def until(self, path: str, task_id: str, over: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}

        def ended() -> bool:
            data.clear()
            data.update(self.get(path, taskId=task_id)["data"] or {})
            return bool(data) and bool(over(data))

        until(ended, "the end of the task")
        return data

    def song(self, **more: Any) -> dict[str, Any]:
        body = {
            "prompt": "A sea shanty",
            "customMode": False,
            "instrumental": False,
            "model": "V5",
            "callBackUrl": CALLBACK,
        }
        task_id = self.submit("/api/v1/generate", **{**body, **more})
        return self.until("/api/v1/generate/record-info", task_id, lambda d: d["status"] == "SUCCESS")


@pytest.fixture
def api(sim: Sim) -> Iterator[Api]:
    with sim.client() as client:
        yield Api(client)


def flagged(data: dict[str, Any]) -> bool:
    return bool(data["successFlag"] != 0)


def test_4o_gives_its_variants_and_links_to_them(sim: Sim, api: Api) -> None:
    task = api.submit("/api/v1/gpt4o-image/generate", prompt="A boat", size="3:2", nVariants=2)

    record = api.until("/api/v1/gpt4o-image/record-info", task, flagged)

    urls = record["response"]["resultUrls"]
    link = api.post("/api/v1/gpt4o-image/download-url", taskId=task, url=urls[0])["data"]
    assert (record["successFlag"], record["status"], record["progress"]) == (1, "SUCCESS", "1.00")
    assert len(urls) == 2
    assert fetch(link).headers["content-type"] == "image/png"
    assert sim.charges()[0]["credits"] == 12


def test_4o_fails_with_an_integer_code_and_its_progress_back_at_zero(sim: Sim, api: Api) -> None:
    sim.fault("submit@1=fail:400 The content was flagged")
    task = api.submit("/api/v1/gpt4o-image/generate", prompt="A boat", size="3:2")

    record = api.until("/api/v1/gpt4o-image/record-info", task, flagged)

    assert (record["successFlag"], record["errorCode"], record["progress"]) == (2, 400, "0.00")


def test_flux_gives_single_links_and_a_tolerance_out_of_range_fails_the_task(api: Api) -> None:
    good = api.submit("/api/v1/flux/kontext/generate", prompt="A boat")
    bad = api.submit("/api/v1/flux/kontext/generate", prompt="A boat", safetyTolerance=9)

    done = api.until("/api/v1/flux/kontext/record-info", good, flagged)
    failed = api.until("/api/v1/flux/kontext/record-info", bad, flagged)

    assert fetch(done["response"]["resultImageUrl"]).status_code == 200
    assert (failed["successFlag"], failed["errorCode"], failed["response"]) == (3, 500, None)
    assert done["createTime"].endswith("Z")


def test_veo_extends_upgrades_and_answers_422_for_a_4k_that_is_ready(sim: Sim, api: Api) -> None:
    task = api.submit("/api/v1/veo/generate", prompt="A boat", model="veo3_fast")
    api.until("/api/v1/veo/record-info", task, flagged)

    longer = api.submit("/api/v1/veo/extend", taskId=task, prompt="It lands")
    first = api.post("/api/v1/veo/get-4k-video", taskId=task)
    second = api.post("/api/v1/veo/get-4k-video", taskId=task)
    extended = api.until("/api/v1/veo/record-info", longer, flagged)
    api.until("/api/v1/veo/record-info", first["data"]["taskId"], flagged)
    third = api.post("/api/v1/veo/get-4k-video", taskId=task)
    large: list[dict[str, Any]] = []

    def made() -> bool:
        large.append(api.get("/api/v1/veo/get-1080p-video", taskId=task, index=0))
        return bool(large[-1]["code"] == 200)

    until(made, "the larger clip")

    assert extended["response"]["fullResultUrls"]
    assert (first["code"], first["data"]["resultUrls"]) == (200, None)
    assert (second["code"], second["data"]["resultUrls"]) == (422, None)
    assert (third["code"], len(third["data"]["resultUrls"])) == (422, 1)
    assert (large[0]["code"], large[-1]["data"].keys()) == (400, {"resultUrl"})
    assert [charge["model"] for charge in sim.charges()] == [
        "veo3_fast",
        "veo-dedicated/extend",
        "veo-dedicated/get-4k-video",
        "veo-dedicated/get-1080p-video",
    ]


@pytest.mark.parametrize(("form", "text"), [("json", '["http'), ("brackets", "[http")])
def test_veo_can_write_its_list_as_text(sim: Sim, api: Api, form: str, text: str) -> None:
    sim.fault(f"submit@1=urls-as-text:{form}")
    task = api.submit("/api/v1/veo/generate", prompt="A boat")

    record = api.until("/api/v1/veo/record-info", task, flagged)

    assert record["response"]["resultUrls"].startswith(text)


def test_runway_has_states_of_its_own_spelling(sim: Sim, api: Api) -> None:
    sim.fault("submit@1=lasts:0.4")
    task = api.submit(
        "/api/v1/runway/generate", prompt="A boat", duration=5, quality="720p", aspectRatio="16:9"
    )
    seen: list[str] = []

    def over(record: dict[str, Any]) -> bool:
        seen.append(record["state"])
        return record["state"] in ("success", "fail")

    record = api.until("/api/v1/runway/record-detail", task, over)

    assert list(dict.fromkeys(seen)) == ["wait", "queueing", "generating", "success"]
    assert fetch(record["videoInfo"]["videoUrl"]).headers["content-type"] == "video/mp4"
    assert fetch(record["videoInfo"]["imageUrl"]).headers["content-type"] == "image/png"


def test_runway_refuses_ten_seconds_in_1080p(sim: Sim, api: Api) -> None:
    reply = api.post("/api/v1/runway/generate", prompt="A", duration=10, quality="1080p", aspectRatio="16:9")

    assert reply["code"] == 422
    assert sim.charges() == []


def test_aleph_fails_under_the_flag_that_also_means_running(sim: Sim, api: Api) -> None:
    sim.fault("submit@1=fail:400 Try another video")
    task = api.submit("/api/v1/aleph/generate", prompt="Make it night", videoUrl="https://example.com/a.mp4")

    record = api.until("/api/v1/aleph/record-info", task, lambda d: d["completeTime"])

    assert (record["successFlag"], record["errorCode"], record["errorMessage"]) == (
        0,
        400,
        "Try another video",
    )


def test_suno_wants_a_callback_and_answers_null_for_ids_it_does_not_know(sim: Sim, api: Api) -> None:
    refused = api.post("/api/v1/generate", prompt="A", customMode=False, instrumental=False, model="V5")
    unknown = api.get("/api/v1/generate/record-info", taskId="0" * 32)

    assert refused == {"code": 422, "msg": "Please enter callBackUrl.", "data": None}
    assert unknown == {"code": 200, "msg": "success", "data": None}
    assert sim.charges() == []


def test_suno_makes_two_tracks(sim: Sim, api: Api) -> None:
    tracks = [track["audioUrl"] for track in api.song()["response"]["sunoData"]]

    assert [fetch(url).headers["content-type"] for url in tracks] == ["audio/mpeg"] * 2
    assert len({fetch(url).content for url in tracks}) == 2


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        ("/api/v1/wav", {}, lambda d: d["response"]["audioWavUrl"]),
        ("/api/v1/mp4", {}, lambda d: d["response"]["videoUrl"]),
        ("/api/v1/vocal-removal", {"type": "separate_vocal"}, lambda d: d["response"]["vocalUrl"]),
        ("/api/v1/vocal-removal", {"type": "split_stem"}, lambda d: d["response"]["drumsUrl"]),
        ("/api/v1/suno/cover", {}, lambda d: d["response"]["images"][1]),
    ],
)
def test_a_track_becomes_other_things(
    api: Api, path: str, body: dict[str, Any], found: Callable[[Any], str]
) -> None:
    song = api.song()
    given = {"taskId": song["taskId"], "callBackUrl": CALLBACK, **body}
    if "cover" not in path:
        given["audioId"] = song["response"]["sunoData"][1]["id"]

    task = api.submit(f"{path}/generate", **given)
    record = api.until(f"{path}/record-info", task, lambda d: d["successFlag"] in ("SUCCESS", 1))

    assert fetch(found(record)).status_code == 200


def test_midi_is_made_from_a_separation_and_holds_notes(api: Api) -> None:
    song = api.song()
    stems = api.submit(
        "/api/v1/vocal-removal/generate",
        taskId=song["taskId"],
        audioId=song["response"]["sunoData"][0]["id"],
        callBackUrl=CALLBACK,
    )
    api.until("/api/v1/vocal-removal/record-info", stems, lambda d: d["successFlag"] == "SUCCESS")

    task = api.submit("/api/v1/midi/generate", taskId=stems, callBackUrl=CALLBACK)
    record = api.until("/api/v1/midi/record-info", task, lambda d: d["successFlag"] == 1)

    assert record["midiData"]["instruments"][0]["notes"]


def test_what_is_derived_from_nothing_is_refused_and_a_second_wav_exists_already(sim: Sim, api: Api) -> None:
    song = api.song()
    given = {"audioId": song["response"]["sunoData"][0]["id"], "callBackUrl": CALLBACK}

    unknown = api.post("/api/v1/wav/generate", taskId="no-such-task", **given)
    codes = [api.post("/api/v1/wav/generate", taskId=song["taskId"], **given)["code"] for _ in range(2)]

    assert (unknown["code"], unknown["msg"]) == (422, "Record does not exist")
    assert codes == [200, 409]


def test_a_bad_reference_is_taken_and_fails_later(api: Api) -> None:
    task = api.submit(
        "/api/v1/generate/extend", defaultParamFlag=False, audioId="nobody", model="V5", callBackUrl=CALLBACK
    )

    record = api.until("/api/v1/generate/record-info", task, lambda d: d["errorCode"])

    assert record["status"] == "GENERATE_AUDIO_FAILED"


def test_words_come_as_lyrics_as_timestamps_as_style_and_as_a_persona(sim: Sim, api: Api) -> None:
    song = api.song()
    track = {"taskId": song["taskId"], "audioId": song["response"]["sunoData"][0]["id"]}

    lyrics = api.submit("/api/v1/lyrics", prompt="the sea", callBackUrl=CALLBACK)
    record = api.until("/api/v1/lyrics/record-info", lyrics, lambda d: d["status"] == "SUCCESS")
    aligned = api.post("/api/v1/generate/get-timestamped-lyrics", **track)
    style = api.post("/api/v1/style/generate", content="sea shanty")
    persona = {**track, "name": "Old salt", "description": "rough"}
    codes = [api.post("/api/v1/generate/generate-persona", **persona)["code"] for _ in range(2)]

    assert record["response"]["data"][0]["status"] == "complete"
    assert aligned["data"]["alignedWords"][0]["word"] == "A "
    assert style["data"]["successFlag"] == "成功"
    assert codes == [200, 409]


# --- callbacks -----------------------------------------------------------------------------------------


class Listener:
    """Takes callbacks; answers with the statuses it was given, then 200."""

    def __init__(self, statuses: list[int]) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.came = threading.Condition()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with listener.came:
                    listener.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                    listener.came.notify_all()
                self.send_response(statuses.pop(0) if statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def wait(self, count: int) -> list[tuple[dict[str, str], dict[str, Any]]]:
        with self.came:
            self.came.wait_for(lambda: len(self.got) >= count, PATIENCE_S)
            return list(self.got)


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def start(*statuses: int) -> Listener:
        made.append(Listener(list(statuses)))
        return made[-1]

    yield start
    for listener in made:
        listener.server.shutdown()
        listener.server.server_close()


def test_a_callback_is_signed_and_says_what_the_record_says(
    sim: Sim, api: Api, listen: Callable[..., Listener]
) -> None:
    sim.change(webhook_key="a secret")
    hook = listen()

    task = api.submit(
        "/api/v1/jobs/createTask", model="nano-banana-2", input={"prompt": "A boat"}, callBackUrl=hook.url
    )

    headers, body = hook.wait(1)[0]
    stamp = headers["x-webhook-timestamp"]
    wanted = hmac.new(b"a secret", f"{task}.{stamp}".encode(), hashlib.sha256).digest()
    assert headers["x-webhook-signature"] == base64.b64encode(wanted).decode()
    assert (body["code"], body["data"]["state"]) == (200, "success")
    assert body["data"]["consumeCredits"] == 8


def kinds_struck(sim: Sim) -> list[str]:
    return [kind for _, kind in sim.stats()["struck"]]


def test_callbacks_are_retried_doubled_and_lost(sim: Sim, api: Api, listen: Callable[..., Listener]) -> None:
    hook = listen(500, 503)
    sim.fault("callback@2=lost")
    sim.fault("callback@3=twice")

    for struck in ([], ["lost"], ["lost", "twice"]):
        api.submit(
            "/api/v1/jobs/createTask", model="nano-banana-2", input={"prompt": "A boat"}, callBackUrl=hook.url
        )
        until(lambda: len(hook.got) >= 3 and kinds_struck(sim) == struck, "the callback")  # noqa: B023

    assert len(hook.wait(5)) == 5  # two refused, one taken; none; two


def test_suno_calls_back_at_every_stage(sim: Sim, api: Api, listen: Callable[..., Listener]) -> None:
    hook = listen()

    api.song(callBackUrl=hook.url)

    kinds = [body["data"]["callbackType"] for _, body in hook.wait(3)]
    assert kinds == ["text", "first", "complete"]


def test_a_failed_job_calls_back_without_cost(sim: Sim, api: Api, listen: Callable[..., Listener]) -> None:
    hook = listen()
    sim.fault("submit@1=fail:500 Internal error")

    api.submit("/api/v1/jobs/createTask", model="nano-banana-2", input={"prompt": "A"}, callBackUrl=hook.url)

    _, body = hook.wait(1)[0]
    assert (body["code"], body["data"]["state"], body["data"]["consumeCredits"]) == (501, "fail", 0)
