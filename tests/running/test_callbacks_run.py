"""Callbacks in a run, over real sockets: the simulator calls, the run listens, and polling is a safety net."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from kiebatch import api
from kiebatch.errors import Exit, Invalid
from kiebatch.project import opening
from kiebatch.provider import callbacks
from kiebatch.provider.callbacks import Hint
from kiebatch.running import Outcome
from kiebatch.running.events import Event, Noticed, Submitted
from support.film import Film

KEY = "webhook-key"
FOUR = """\
kiebatch: 1
defaults: {model: z-image, params: {aspect_ratio: "16:9"}}
scenes:
  - {id: 1, prompt: A lighthouse at dusk}
  - {id: 2, prompt: A boat below it}
  - {id: 3, prompt: A keeper on a stair}
  - {id: 4, prompt: A gull on a rail}
"""
CHAIN = """\
kiebatch: 1
scenes:
  - {id: 1, model: z-image, prompt: A lighthouse at dusk}
  - {id: 2, model: nano-banana-2, prompt: The same at dawn, references: [{shot: 1}]}
"""


def here() -> str:
    """Return a free address of this machine."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


def called(film: Film, address: str = "", **options: Any) -> Outcome:
    """Run a film whose provider calls back.  The safety net is at thirty poll intervals: 0.3 s."""
    address = address or here()
    return film.run(callback_url=f"http://{address}/kie", listen=address, **options)


def polls(film: Film) -> int:
    return int(film.sim.stats()["requests"].get("poll", 0))


@pytest.mark.slow
def test_a_called_back_run_reads_each_record_once(film: Film) -> None:
    film.write(FOUR)
    film.sim.fault("submit@1x4=lasts:0.15")
    film.run()
    polled, before = polls(film), len(film.sim.charges())
    film.sim.clear_faults()
    film.sim.fault("submit@1x4=lasts:0.15")

    outcome = called(film, force=True, poll_interval_s=1)

    assert (outcome.exit_code, outcome.succeeded) == (Exit.OK, 4)
    assert len(film.sim.charges()) - before == 4
    assert polls(film) - polled == 4 < polled


def test_lost_callbacks_only_cost_time(film: Film) -> None:
    film.write(FOUR)
    film.sim.fault("callback%1=lost")

    outcome = called(film)

    assert (outcome.exit_code, outcome.succeeded) == (Exit.OK, 4)
    assert film.sim.stats()["requests"].get("callback", 0) == 0


def test_callbacks_that_come_twice_or_late_change_nothing(film: Film) -> None:
    film.write(FOUR)
    film.sim.fault("callback@1x2=twice")
    film.sim.fault("callback@3=late:0.5")
    film.sim.fault("submit@1x4=lasts:0.05")

    outcome = called(film)

    assert (outcome.exit_code, outcome.succeeded) == (Exit.OK, 4)
    assert len(film.sim.charges()) == len(film.manifest) == 4


def test_with_a_key_signed_callbacks_are_heard(film: Film) -> None:
    film.write(FOUR)
    film.sim.change(webhook_key=KEY)

    outcome = called(film, webhook_key=KEY, poll_interval_s=1)

    assert (outcome.exit_code, outcome.succeeded) == (Exit.OK, 4)
    assert polls(film) == 4


@pytest.mark.slow
def test_with_a_key_forged_callbacks_are_not(film: Film) -> None:
    film.write(FOUR)
    film.sim.change(webhook_key=KEY)
    film.sim.fault("callback%1=forged")

    outcome = called(film, webhook_key=KEY)

    assert (outcome.exit_code, outcome.succeeded) == (Exit.OK, 4)
    assert film.sim.stats()["requests"]["callback"] > 4  # those that are refused are sent again


def test_a_lost_answer_is_mended_by_the_callback_and_nothing_is_held(film: Film) -> None:
    film.write(CHAIN)
    film.sim.fault("submit@1=cut+after")

    outcome = called(film)

    assert (outcome.exit_code, outcome.succeeded, outcome.held) == (Exit.OK, 2, [])
    assert outcome.spent == sum(c["credits"] for c in film.sim.charges())
    assert {c["task_id"] for c in film.sim.charges()} == {a["task_id"] for a in film.manifest}
    assert film.reasons() == {"1": "keep: kept", "2": "keep: kept"}


def test_what_never_reached_the_provider_is_held_after_a_while(film: Film) -> None:
    film.write(CHAIN)
    film.sim.fault("submit@1=cut")

    outcome = called(film)

    assert outcome.exit_code == Exit.HELD
    assert [str(h.slot) for h in outcome.held] == ["1"]
    assert [s.reason for s in outcome.skipped] == ["upstream 1: held"]
    assert film.sim.charges() == []


@pytest.mark.slow
def test_a_later_run_hears_of_what_an_earlier_one_held(film: Film) -> None:
    film.write(CHAIN)
    address = here()
    film.sim.fault("submit@1=cut+after")
    film.sim.fault("callback@1=late:1")
    assert called(film, address).exit_code == Exit.HELD

    outcome = called(film, address, poll_interval_s=0.1)  # patient enough for the callback

    assert (outcome.exit_code, outcome.held) == (Exit.FAILED, [])
    assert [f.message for f in outcome.failures] == ["what it starts from is here now: run again"]
    assert film.reasons() == {"1": "keep: kept", "2": "generate: new"}
    called(film, address)
    assert [a["scene_id"] for a in film.manifest] == [1, 2]
    assert len(film.sim.charges()) == 2
    assert film.reasons() == {"1": "keep: kept", "2": "keep: kept"}


@pytest.mark.slow
def test_a_callback_after_the_report_still_brings_the_job_home(film: Film) -> None:
    film.write(FOUR)
    address = here()
    film.sim.fault("submit@1=cut+after")
    film.sim.fault("callback@1=late:0.6")
    film.sim.fault("submit@2=lasts:0.8")

    outcome = called(film, address)

    assert (outcome.exit_code, outcome.held) == (Exit.OK, [])
    assert len(film.manifest) == len(film.sim.charges()) == 4


@pytest.mark.slow
def test_a_stranger_decides_nothing(film: Film) -> None:
    film.write(FOUR[: FOUR.index("  - {id: 3")])
    address = here()
    film.sim.fault("submit@1=cut+after")
    film.sim.fault("callback@1=lost")
    film.sim.fault("submit@2=lasts:1.2")
    answers: list[int] = []

    def call(task_id: str) -> None:
        lost = next(t["task_id"] for t in film.sim.tasks() if t["task_id"] != task_id)
        with httpx.Client(base_url=f"http://{address}", trust_env=False, verify=False) as http:
            for query in ("", "?kiebatch=1-000000000000000000000000", "?kiebatch=x", f"?kiebatch={'1' * 64}"):
                answers.append(http.post(f"/kie{query}", json={"data": {"taskId": lost}}).status_code)
            answers.append(http.post("/kie", content=b"[" * 10_000).status_code)

    def emit(event: Event) -> None:
        if isinstance(event, Submitted) and not strangers:
            strangers.append(threading.Thread(target=call, args=(event.task_id,)))
            strangers[0].start()

    strangers: list[threading.Thread] = []
    outcome = api.run(
        film.load(),
        settings=film.settings(callback_url=f"http://{address}/kie", listen=address),
        emit=emit,
    )
    strangers[0].join()

    assert answers == [200, 200, 200, 200, 400]
    assert (outcome.exit_code, outcome.succeeded) == (Exit.HELD, 1)
    assert [str(h.slot) for h in outcome.held] == ["1"]


def test_a_callback_that_names_another_shots_task_decides_nothing(film: Film) -> None:
    film.write(FOUR[: FOUR.index("  - {id: 3")])
    film.sim.fault("submit@1x2=cut+after")
    film.run(callback_url="https://film.example/kie")  # that nobody hears
    with opening.peek(film.load().workspace) as journal:
        assert journal is not None
        tokens = [callbacks.token_for(held.run_id, held.id) for held in journal.attempts(states=("held",))]
    tasks = {charge["input"]["prompt"]: charge["task_id"] for charge in film.sim.charges()}
    theirs = [tasks["A lighthouse at dusk"], tasks["A boat below it"]]

    @contextlib.asynccontextmanager
    async def listening(_address: str, heard: Callable[[Hint], object], **_: Any) -> AsyncIterator[str]:
        for task, token in zip([*reversed(theirs), *theirs], tokens * 2, strict=True):
            asyncio.get_running_loop().call_soon(heard, Hint(task, token))
        yield "film.example"

    outcome = film.run(
        callback_url="https://film.example/kie",
        listen="127.0.0.1:0",
        poll_interval_s=0.1,
        edges=api.Edges(listening=listening, gate_path=":memory:"),
    )

    assert (outcome.exit_code, outcome.succeeded) == (Exit.OK, 2)
    assert {a["prompt"]: a["task_id"] for a in film.manifest} == tasks


def test_the_command_listens_on_loopback_and_keeps_the_key_to_itself(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(FOUR)
    address = here()
    monkeypatch.setenv("KIE_WEBHOOK_KEY", KEY)
    film.sim.change(webhook_key=KEY)

    said = film.command(
        *("run", "scenes.yaml", "--yes", "--poll-interval", "0.02"),
        *("--callback-url", f"http://{address}/kie", "--listen", address),
    )

    assert said.code == Exit.OK, said.err
    assert f"taking callbacks at {address}\n" in said.err
    assert KEY not in said.out + said.err
    assert not any(KEY in path.read_text("utf-8", "replace") for path in film.folder.rglob("*.json"))
    assert film.sim.stats()["requests"]["callback"] == 4


def test_unsigned_callbacks_are_taken_and_said(film: Film) -> None:
    film.write(FOUR)

    called(film)

    said = [e.message for e in film.events if isinstance(e, Noticed) and "callbacks" in e.message]
    assert len(said) == 1
    assert said[0].endswith("unsigned: set KIE_WEBHOOK_KEY")


def test_an_address_that_cannot_be_used_ends_the_run_before_anything_is_sent(film: Film) -> None:
    film.write(FOUR)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Invalid, match="cannot listen"):
            called(film, address)

    assert film.command("run", "scenes.yaml", "--yes", "--listen", "127.0.0.1:0").code == Exit.INVALID
    assert (
        film.command("run", "scenes.yaml", "--yes", "--callback-url", "me.example/kie").code == Exit.INVALID
    )
    assert film.sim.charges() == []
