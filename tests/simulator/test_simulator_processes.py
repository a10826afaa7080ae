"""The simulator's life: in a process of its own, and in this one on virtual time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from bench.waiting import until
from kiebatch.errors import Invalid, KieBatchError
from kiebatch.simulator import Fault, Settings, Simulator, storm
from kiebatch.simulator.server import background
from kiebatch.simulator.server.inprocess import Transport
from kiebatch.simulator.times import SPANS, generation_s
from support import simulated
from support.places import ROOT


def gone(url: str) -> bool:
    try:
        httpx.get(f"{url}/_sim/stats", timeout=1)
    except httpx.TransportError:  # refused, or cut in the very moment
        return True
    return False


@pytest.mark.slow
def test_the_server_ends_when_it_is_stopped() -> None:
    running = simulated.start()

    running.stop()

    assert gone(running.url)


@pytest.mark.slow
def test_the_server_ends_with_a_parent_that_is_killed() -> None:
    program = "import time; from kiebatch.simulator.server import background; print(background.start().url, flush=True); time.sleep(60)"
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ}
    )
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    alive = not gone(url)

    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    assert alive
    until(lambda: gone(url), "the end of the server")


@pytest.mark.slow
def test_ctrl_c_does_not_reach_it() -> None:
    with simulated.start() as running:
        os.kill(running.pid, signal.SIGINT)

        assert httpx.get(f"{running.url}/_sim/stats").status_code == 200


@pytest.mark.slow
def test_a_taken_port_is_said_in_words() -> None:
    with simulated.start() as running:
        port = int(running.url.rpartition(":")[2])

        with pytest.raises(KieBatchError, match="did not start"):
            background.start(port=port)


def test_two_simulators_share_no_task_id() -> None:
    ids = set()
    for instance in ("one", "two"):
        sim = Simulator(Settings(instance=instance))
        ids |= {sim.new_id() for _ in range(10)}

    assert len(ids) == 20


# --- on virtual time -----------------------------------------------------------------------------------


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None) -> Any:
            if timeout:
                self.now += timeout
            return select(0)

        self._selector.select = jump  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now


def run(
    main: Callable[[Simulator, httpx.AsyncClient, VirtualLoop], Coroutine[Any, Any, Any]], **settings: Any
) -> Any:
    loop = VirtualLoop()
    try:
        sim = Simulator(Settings(pixels=0.01, **settings), clock=loop.time)
        client = httpx.AsyncClient(
            transport=Transport(sim, transit_s=lambda: 0.1),
            base_url="http://simulator",
            headers={"Authorization": f"Bearer {sim.settings.key}"},
        )
        return loop.run_until_complete(main(sim, client, loop))
    finally:
        loop.close()


async def submit(client: httpx.AsyncClient, prompt: str) -> dict[str, Any]:
    body = {"model": "nano-banana-2", "input": {"prompt": prompt}}
    return dict((await client.post("/api/v1/jobs/createTask", json=body)).json())


def test_a_task_of_a_minute_takes_a_minute_of_virtual_time_and_none_of_ours() -> None:
    async def main(sim: Simulator, client: httpx.AsyncClient, loop: VirtualLoop) -> tuple[float, int]:
        task = (await submit(client, "A boat"))["data"]["taskId"]
        while True:
            record = (await client.get("/api/v1/jobs/recordInfo", params={"taskId": task})).json()["data"]
            if record["state"] == "success":
                return loop.now, record["costTime"]
            await asyncio.sleep(1)

    now, cost_s = run(main)

    assert 12 <= cost_s <= 112
    assert cost_s < now < cost_s + 3


def test_a_slow_answer_runs_into_the_clients_own_time_limit() -> None:
    async def main(sim: Simulator, client: httpx.AsyncClient, loop: VirtualLoop) -> int:
        sim.faults.add(Fault(on="submit", kind="slow", value="30"))
        with pytest.raises(httpx.ReadTimeout):
            await submit(client, "A boat")
        return len(sim.ledger)

    assert run(main) == 1


def test_the_twenty_first_start_in_ten_seconds_is_refused_on_virtual_time_too() -> None:
    async def main(sim: Simulator, client: httpx.AsyncClient, loop: VirtualLoop) -> list[int]:
        replies = await asyncio.gather(*(submit(client, f"Boat {n}") for n in range(25)))
        await asyncio.sleep(10)
        return [reply["code"] for reply in [*replies, await submit(client, "Another boat")]]

    codes = run(main)

    assert sorted(codes) == [200] * 21 + [429] * 5
    assert codes[-1] == 200


def test_one_seed_gives_one_history_storms_included() -> None:
    async def main(sim: Simulator, client: httpx.AsyncClient, loop: VirtualLoop) -> list[str]:
        for fault in storm(3.0):
            sim.faults.add(fault)
        seen = []
        for n in range(60):
            try:
                seen.append((await submit(client, f"Boat {n}")).get("msg", "?"))
            except (httpx.HTTPError, ValueError) as error:
                seen.append(type(error).__name__)
        return seen

    first, again, other = (run(main, seed=seed, starts=0) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert len(set(first)) > 2


# --- the rules behind it -------------------------------------------------------------------------------


def test_generation_times_lie_in_the_recorded_spans_and_models_differ() -> None:
    for kind, (low, high) in SPANS.items():
        drawn = [generation_s(1, f"model {n % 5}", kind, n) for n in range(200)]
        usual = [sum(drawn[n::5]) / 40 for n in range(5)]

        assert all(low <= one <= high for one in drawn)
        assert max(usual) > 1.3 * min(usual)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("submit@3=html:502+after", Fault(on="submit", kind="html", value="502", nth=3, when="after")),
        ("poll%0.05=code:500", Fault(on="poll", kind="code", value="500", chance=0.05)),
        ("download@2x3=truncate", Fault(on="download", kind="truncate", nth=2, times=3)),
        (
            "submit~kling*=fail:422 No faces",
            Fault(on="submit", kind="fail", value="422 No faces", model="kling*"),
        ),
        ("/api/v1/veo/generate=empty", Fault(on="/api/v1/veo/generate", kind="empty")),
    ],
)
def test_a_fault_is_read_from_one_line(text: str, wanted: Fault) -> None:
    assert Fault.parse(text) == wanted


@pytest.mark.parametrize("text", ["", "submit", "submit=nonsense", "nowhere=cut", "submit@x=cut"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Fault.parse(text)


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "kiebatch", "sim", "--port", "0", "--speed", "1000", "--json"]
    serving = subprocess.Popen(
        [*command, "--fault", "credit@1=code:455"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert serving.stdout is not None
    text = ""
    while "}" not in text:
        text += serving.stdout.readline()
    said = json.loads(text)

    with httpx.Client(base_url=said["url"], headers={"Authorization": f"Bearer {said['key']}"}) as api:
        codes = [api.get("/api/v1/chat/credit").json()["code"] for _ in range(2)]
    serving.send_signal(signal.SIGINT)
    _, talk = serving.communicate(timeout=5)

    assert codes == [455, 200]
    assert serving.returncode == 0
    assert "0 tasks" in talk


@pytest.mark.slow
@pytest.mark.parametrize("option", [("--fault", "nonsense")])
def test_a_wrong_option_of_the_command_is_refused_with_exit_2(option: tuple[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kiebatch", "sim", *option, "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
    )

    assert done.returncode == 2
    assert json.loads(done.stdout)["status"] == "invalid"


@pytest.mark.slow
def test_media_can_lie_on_an_origin_of_their_own() -> None:
    settings = Settings.quick(**simulated.FAST)
    with background.start(settings, separate_media=True) as running:
        headers = {"Authorization": f"Bearer {running.key}"}
        with httpx.Client(base_url=running.url, headers=headers, verify=False) as api:
            sent = {"base64Data": "aGk=", "uploadPath": "a", "fileName": "x.txt"}
            link = api.post("/api/file-base64-upload", json=sent).json()["data"]["downloadUrl"]

        assert not link.startswith(running.url + "/")
        assert simulated.fetch(link).text == "hi"
