"""The simulator's Market API, credits, limits, uploads and media, over real sockets."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from bench.waiting import until
from kiebatch.model import JSON
from kiebatch.simulator import Settings, Simulator, faults
from kiebatch.simulator.server import service
from kiebatch.simulator.wire import Call
from support.places import ROOT
from support.simulated import Sim, fetch

MODEL = "nano-banana-2"
KEYS = [
    "taskId",
    "model",
    "state",
    "param",
    "resultJson",
    "failCode",
    "failMsg",
    "costTime",
    "completeTime",
    "createTime",
]


@pytest.fixture
def api(sim: Sim) -> Any:
    with sim.client() as client:
        yield client


def submit(
    api: httpx.Client, prompt: str = "A boat at dusk", model: str = MODEL, **given: Any
) -> dict[str, Any]:
    body = {"model": model, "input": {"prompt": prompt, **given}}
    return dict(api.post("/api/v1/jobs/createTask", json=body).json())


def task_of(reply: dict[str, Any]) -> str:
    assert reply["code"] == 200, reply
    return str(reply["data"]["taskId"])


def wait(api: httpx.Client, task_id: str) -> dict[str, Any]:
    record: dict[str, Any] = {}

    def ended() -> bool:
        reply = api.get("/api/v1/jobs/recordInfo", params={"taskId": task_id}).json()
        record.update(reply["data"] or {})
        return record.get("state") in ("success", "fail")

    until(ended, "the end of the task")
    return record


def urls(record: dict[str, Any]) -> list[str]:
    return list(json.loads(record["resultJson"])["resultUrls"])


def test_a_submission_gives_a_task_and_its_record_has_the_ten_keys_in_order(api: httpx.Client) -> None:
    reply = submit(api)

    record = wait(api, task_of(reply))

    assert list(reply) == ["code", "msg", "data"]
    assert reply["data"]["taskId"] == reply["data"]["recordId"]
    assert len(reply["data"]["taskId"]) == 32
    assert list(record) == KEYS
    assert json.loads(json.loads(record["param"])["input"]) == {"prompt": "A boat at dusk"}


def test_answers_are_gzip_without_a_length(api: httpx.Client) -> None:
    reply = api.get("/api/v1/chat/credit")

    assert reply.headers["content-type"] == "application/json;charset=UTF-8"
    assert reply.headers["content-encoding"] == "gzip"
    assert "content-length" not in reply.headers


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"X-API-KEY": "simulated-key"}])
def test_a_call_without_the_right_bearer_key_is_refused_in_a_body_without_data(
    sim: Sim, headers: dict[str, str]
) -> None:
    reply = fetch(f"{sim.url}/api/v1/chat/credit", headers=headers)

    assert reply.status_code == 200
    assert list(reply.json()) == ["code", "msg"]
    assert reply.json()["code"] == 401


def test_the_file_has_the_ratio_and_format_that_were_asked_for(api: httpx.Client) -> None:
    for form, wanted in (("png", "PNG"), ("jpg", "JPEG")):
        record = wait(api, task_of(submit(api, aspect_ratio="9:16", output_format=form)))

        reply = fetch(urls(record)[0])

        image = Image.open(io.BytesIO(reply.content))
        assert image.format == wanted
        assert abs(image.width / image.height - 9 / 16) < 0.02
        assert reply.headers["content-type"] == f"image/{wanted.lower()}"


def test_two_prompts_never_look_the_same_and_two_takes_of_one_neither(sim: Sim, api: httpx.Client) -> None:
    def looks(*prompts: str) -> list[bytes]:
        records = [wait(api, task_of(submit(api, prompt))) for prompt in prompts]
        return [Image.open(io.BytesIO(fetch(urls(r)[0]).content)).tobytes() for r in records]

    one, other, second = looks("A boat", "A boat.", "A boat")
    sim.reset()

    assert len({one, other, second}) == 3
    assert looks("A boat", "A boat") == [one, second]


def test_identical_bodies_make_distinct_tasks_and_each_is_charged(sim: Sim, api: httpx.Client) -> None:
    before = sim.balance

    tasks = [task_of(submit(api)) for _ in range(3)]

    charges = sim.charges()
    assert [charge["task_id"] for charge in charges] == tasks
    assert len(set(tasks)) == 3
    assert sim.balance == pytest.approx(before - sum(charge["credits"] for charge in charges))


def test_a_failed_task_gives_its_credits_back(sim: Sim, api: httpx.Client) -> None:
    sim.fault("submit@1=fail:422 The prompt was flagged")
    before = sim.balance

    record = wait(api, task_of(submit(api)))

    assert (record["state"], record["failCode"], record["failMsg"]) == (
        "fail",
        "422",
        "The prompt was flagged",
    )
    assert sim.charges()[0]["refunded"]
    assert sim.balance == before


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"model": "no/such", "input": {"prompt": "x"}}, 422, "not supported"),
        ({"model": MODEL, "input": {}}, 500, "prompt is required"),
        ({"model": MODEL}, 500, "input is required"),
        ({"model": MODEL, "input": {"prompt": "x", "aspect_ratio": "17:4"}}, 422, "aspect_ratio"),
    ],
)
def test_what_the_catalogue_refuses_is_refused_at_no_cost(
    sim: Sim, api: httpx.Client, body: dict[str, Any], code: int, words: str
) -> None:
    reply = api.post("/api/v1/jobs/createTask", json=body)

    assert reply.status_code == 200
    assert reply.json()["code"] == code
    assert words in reply.json()["msg"]
    assert sim.charges() == []


def test_no_credits_is_402_or_500_by_the_settings(sim: Sim, api: httpx.Client) -> None:
    sim.balance = 1.5
    first = submit(api)
    sim.change(no_credit_code=500)
    second = submit(api)

    assert (first["code"], second["code"]) == (402, 500)
    assert first["msg"] == second["msg"] == "Credits insufficient"
    assert sim.charges() == []


def test_a_key_with_a_cap_ends_with_433(sim: Sim, api: httpx.Client) -> None:
    sim.change(key_cap=10)

    assert [submit(api)["code"] for _ in range(2)] == [200, 433]


def test_the_window_refuses_the_surplus_and_slides(sim: Sim, api: httpx.Client) -> None:
    sim.change(starts=3, window_s=600.0)

    codes = [submit(api)["code"] for _ in range(5)]
    sim.change(window_s=0.0)  # every start so far lies outside it
    codes.append(submit(api)["code"])

    assert codes == [200, 200, 200, 429, 429, 200]
    assert len(sim.charges()) == 4


def test_errors_can_carry_real_http_statuses(sim: Sim, api: httpx.Client) -> None:
    sim.change(real_status=True)

    reply = api.post("/api/v1/jobs/createTask", json={"model": "no/such", "input": {}})

    assert reply.status_code == 422


def test_a_fresh_task_reads_as_null_for_a_while(sim: Sim, api: httpx.Client) -> None:
    sim.fault("submit@1=fresh:0.3")
    task_id = task_of(submit(api))

    first = api.get("/api/v1/jobs/recordInfo", params={"taskId": task_id}).json()

    assert first == {"code": 422, "msg": "recordInfo is null", "data": None}
    assert wait(api, task_id)["state"] == "success"


def test_an_upload_can_be_used_and_a_wrong_link_of_ours_fails_the_job(sim: Sim, api: httpx.Client) -> None:
    upload = api.post(
        "/api/file-stream-upload",
        files={"file": ("ref.png", b"\x89PNG...", "image/png")},
        data={"uploadPath": "images/refs", "fileName": "a b.png"},
    ).json()
    link = upload["data"]["downloadUrl"]

    good = wait(api, task_of(submit(api, image_input=[link])))
    bad = wait(api, task_of(submit(api, image_input=[link + "x"])))

    assert (upload["success"], upload["code"], upload["data"]["success"]) == (True, 200, True)
    assert fetch(link).content == b"\x89PNG..."
    assert good["state"] == "success"
    assert (bad["state"], bad["failCode"]) == ("fail", "451")


def test_uploads_say_what_is_missing(api: httpx.Client) -> None:
    reply = api.post("/api/file-base64-upload", json={"base64Data": "aGk="}).json()

    assert reply == {"success": False, "code": 400, "msg": "Missing required parameter: uploadPath"}


def test_the_media_host_refuses_and_notes_a_key(sim: Sim, api: httpx.Client) -> None:
    link = urls(wait(api, task_of(submit(api))))[0]

    reply = fetch(link, headers=sim.headers)

    assert reply.status_code == 400
    assert len(sim.stats()["key_leaks"]) == 1


def test_a_dead_link_is_renewed_by_download_url(sim: Sim, api: httpx.Client) -> None:
    link = urls(wait(api, task_of(submit(api))))[0]
    sim.expire_links()

    fresh = api.post("/api/v1/common/download-url", json={"url": link}).json()
    foreign = api.post("/api/v1/common/download-url", json={"url": "https://example.com/a.png"}).json()

    assert fetch(link).status_code == 403
    assert fetch(fresh["data"]).status_code == 200
    assert foreign == {"code": 422, "msg": "url is wrong", "data": None}


def test_a_file_can_be_had_in_parts(api: httpx.Client) -> None:
    link = urls(wait(api, task_of(submit(api))))[0]
    whole = fetch(link).content

    rest = fetch(link, headers={"Range": "bytes=10-"})

    assert rest.status_code == 206
    assert rest.content == whole[10:]
    assert rest.headers["content-range"] == f"bytes 10-{len(whole) - 1}/{len(whole)}"
    for mark, status in ((rest.headers["etag"], 206), ('"another"', 200)):
        headers = {"Range": "bytes=10-", "If-Range": mark}
        assert fetch(link, headers=headers).status_code == status


def test_a_connection_cut_after_the_task_leaves_a_charge_and_no_answer(sim: Sim, api: httpx.Client) -> None:
    sim.fault("submit@2=cut+after")
    submit(api)

    with pytest.raises(httpx.RemoteProtocolError):
        submit(api)

    assert len(sim.charges()) == 2


@pytest.mark.parametrize(
    "fault", ["submit@1=cut", "submit@1=cut-early", "submit@1=html:502", "submit@1=code:500"]
)
def test_trouble_before_the_task_costs_nothing(sim: Sim, api: httpx.Client, fault: str) -> None:
    sim.fault(fault)

    try:
        reply = api.post("/api/v1/jobs/createTask", json={"model": MODEL, "input": {"prompt": "x"}})
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        reply = None

    assert reply is None or reply.status_code == 502 or reply.json()["code"] == 500
    assert sim.charges() == []


def test_a_truncated_download_ends_early(sim: Sim, api: httpx.Client) -> None:
    link = urls(wait(api, task_of(submit(api))))[0]
    sim.fault("download@1=truncate")

    with pytest.raises(httpx.RemoteProtocolError):
        fetch(link)

    assert fetch(link).status_code == 200


def test_a_clip_in_a_field_for_pictures_fails_the_job(api: httpx.Client) -> None:
    files = {"file": ("a.mp4", b"clip", "video/mp4")}
    upload = api.post("/api/file-stream-upload", files=files, data={"uploadPath": "a"}).json()

    record = wait(api, task_of(submit(api, image_input=[upload["data"]["downloadUrl"]])))

    assert (record["state"], record["failCode"]) == ("fail", "422")
    assert "image_input" in record["failMsg"]


def test_uploads_end_after_their_time_and_the_same_name_overwrites(sim: Sim, api: httpx.Client) -> None:
    links = []
    for data in ("b25l", "dHdv"):
        body = {"base64Data": f"data:text/plain;base64,{data}", "uploadPath": "a", "fileName": "x"}
        links.append(api.post("/api/file-base64-upload", json=body).json()["data"]["downloadUrl"])
    copied = api.post("/api/file-url-upload", json={"fileUrl": links[0], "uploadPath": "b"}).json()

    whole = fetch(links[0]).text
    sim.expire_links(uploads=True)

    assert links[0] == links[1]
    assert whole == "two"
    assert copied["data"]["fileSize"] == 3
    assert fetch(links[0]).status_code == 403


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("code:455", lambda r: (r.status_code, r.json()["code"]) == (200, 455)),
        ("http:429", lambda r: (r.status_code, r.json()["code"]) == (429, 429)),
        ("html:520", lambda r: r.status_code == 520 and "<html>" in r.text),
        ("empty", lambda r: r.status_code == 200 and r.content == b""),
        ("garbage:list", lambda r: r.json() == []),
        ("garbage:number", lambda r: r.json() == 12),
        ("garbage:broken", lambda r: not r.text.endswith("}")),
        ("no-data", lambda r: r.json() == {"code": 200, "msg": "success", "data": None}),
        ("retry-after:3", lambda r: (r.status_code, r.headers["retry-after"]) == (429, "3")),
        ("slow:0.05", lambda r: r.elapsed.total_seconds() >= 0.05 and r.json()["code"] == 200),
    ],
)
def test_an_answer_can_be_spoiled(sim: Sim, api: httpx.Client, fault: str, seen: Any) -> None:
    sim.fault(f"credit@2={fault}")

    replies = [api.get("/api/v1/chat/credit") for _ in range(3)]

    assert seen(replies[1])
    assert [replies[n].json()["data"] for n in (0, 2)] == [10_000, 10_000]


def test_an_answer_can_end_in_the_middle(sim: Sim, api: httpx.Client) -> None:
    sim.fault("credit@1=cut-middle")

    with pytest.raises(httpx.RemoteProtocolError):
        api.get("/api/v1/chat/credit")


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("expired", lambda r: r.status_code == 403),
        ("gone", lambda r: r.status_code == 404),
        ("html:503", lambda r: r.status_code == 503),
        ("page", lambda r: r.status_code == 200 and r.headers["content-type"].startswith("text/html")),
        ("empty", lambda r: r.status_code == 200 and r.content == b""),
        (
            "wrong-type:text/plain",
            lambda r: r.headers["content-type"] == "text/plain" and r.content[1:4] == b"PNG",
        ),
        ("wrong-medium", lambda r: r.content[4:8] == b"ftyp"),
        ("no-length", lambda r: "content-length" not in r.headers and r.content[1:4] == b"PNG"),
        ("redirect:http://127.0.0.1:9/x", lambda r: r.headers["location"] == "http://127.0.0.1:9/x"),
    ],
)
def test_a_download_can_be_spoiled(sim: Sim, api: httpx.Client, fault: str, seen: Any) -> None:
    link = urls(wait(api, task_of(submit(api, output_format="png"))))[0]
    sim.fault(f"download@1={fault}")

    assert seen(fetch(link))
    assert fetch(link).content[1:4] == b"PNG"


def test_a_link_can_end_in_the_wrong_extension(sim: Sim, api: httpx.Client) -> None:
    sim.fault("submit@1=extension:gif")

    link = urls(wait(api, task_of(submit(api, output_format="png"))))[0]

    assert link.endswith(".gif")
    assert fetch(link).content[1:4] == b"PNG"


def test_a_download_can_stall(sim: Sim, api: httpx.Client) -> None:
    link = urls(wait(api, task_of(submit(api))))[0]
    sim.fault("download@1=stall")

    with pytest.raises(httpx.ReadTimeout):
        fetch(link, timeout=0.1)


def test_a_fault_can_strike_one_model_and_several_calls_in_a_row(sim: Sim, api: httpx.Client) -> None:
    sim.fault("submit~nano*@2x2=code:429")

    codes = [submit(api, model=model, aspect_ratio="1:1")["code"] for model in ("z-image", *4 * [MODEL])]

    assert codes == [200, 200, 429, 429, 200]


def test_unknown_fields_are_taken_and_noted(sim: Sim, api: httpx.Client) -> None:
    task_of(submit(api, no_such_field=1))

    assert sim.stats()["unknown_fields"] == {"nano-banana-2 no_such_field": 1}


def test_models_and_prices_are_listed(sim: Sim, api: httpx.Client) -> None:
    listed = api.get("/api/v1/models", params={"q": "banana", "taskType": "Text to Image"}).json()["data"]
    schema = api.get("/api/v1/models/google/nano-banana/schema").json()
    page = {"pageNum": 2, "pageSize": 3}
    prices = api.post("/client/v1/model-pricing/page", json=page, headers={"Authorization": ""}).json()

    assert listed["total"] == len(listed["models"]) > 1
    assert schema["data"]["openapi"]["components"]["schemas"]["input"]["properties"]["prompt"]
    assert len(prices["data"]["records"]) == 3


@pytest.mark.parametrize(
    ("method", "path", "content", "code"),
    [
        ("GET", "/api/v1/no/such/path", b"", 404),
        ("GET", "/api/v1/jobs/createTask", b"", 405),
        ("POST", "/api/v1/jobs/createTask", b"{broken", 400),
        ("POST", "/api/v1/jobs/createTask", b"[1]", 400),
        ("GET", "/api/v1/jobs/recordInfo", b"", 400),
    ],
)
def test_calls_that_are_none_are_refused(
    sim: Sim, api: httpx.Client, method: str, path: str, content: bytes, code: int
) -> None:
    assert api.request(method, path, content=content).json()["code"] == code
    assert sim.charges() == []


def test_every_fault_is_in_the_manual() -> None:
    page = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")

    missing = [kind for kind in faults.KINDS if f"`{kind}`" not in page and f"`{kind}:" not in page]

    assert missing == []


def test_a_projects_own_models_are_known_with_their_inputs_and_prices(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "mine.yaml").write_text(
        "maker: Someone\nmodels:\n"
        "  - {id: someone/new, title: New, modality: image, task: text-to-image, family: jobs, status: current,\n"
        "     endpoint: /api/v1/jobs/createTask, outputs: {count: 2}, sources: [mine], as_of: '2026-11-20',\n"
        "     confidence: low, prices: [{per: output, credits: 3, as_of: '2026-11', source: mine}],\n"
        "     input: {type: object, required: [prompt], properties: {prompt: {type: string, maxLength: 10}}}}\n",
        encoding="utf-8",
    )
    sim = Simulator(Settings(model_files=(str(folder),)))

    def create(prompt: str) -> int:
        body: JSON = {"model": "someone/new", "input": {"prompt": prompt}}
        headers = {"authorization": f"Bearer {sim.settings.key}"}
        call = Call(method="POST", path="/api/v1/jobs/createTask", headers=headers, body=body)
        return int(json.loads(service.answer(sim, call).body)["code"])

    assert [create("A boat"), create("A boat at dusk")] == [200, 422]
    assert [(charge.credits, len(sim.tasks[charge.task_id].outputs)) for charge in sim.ledger] == [(6, 2)]
