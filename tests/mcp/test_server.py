"""The server as an agent meets it: the SDK's own client, over a real pipe or beside it in one process."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.session import ElicitationFnT
from mcp.client.stdio import stdio_client
from mcp.shared.context import RequestContext
from mcp.shared.memory import create_connected_server_and_client_session
from PIL import Image

from bench.waiting import until
from kiebatch.mcp import Purse
from kiebatch.mcp.runs import Runs
from kiebatch.mcp.server import Service, made
from support.film import Film

SCENES = """\
kiebatch: 1
defaults: {model: nano-banana-2}
scenes:
  - {id: 1, prompt: A small boat nears the lighthouse}
  - {id: 2, prompt: The keeper climbs a spiral stair}
  - {id: 3, prompt: The lamp begins to turn}
"""
PRICE = 8
TOOLS = {"validate", "plan", "run", "status", "pick", "models", "costs", "board"}
Talk = Callable[[ClientSession], Awaitable[Any]]


@asynccontextmanager
async def connected(film: Film, *options: str) -> AsyncIterator[ClientSession]:
    environment = {
        "KIE_API_KEY": film.sim.key,
        "KIE_BASE_URL": film.sim.url,
        "KIEBATCH_SPEED": "4000",
        "KIEBATCH_STATE_HOME": str(film.folder.parent / "state"),
        "KIEBATCH_CONFIG_HOME": str(film.folder.parent / "config"),
        "PYTHONPATH": ":".join(path for path in sys.path if path),
    }
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "kiebatch", "mcp", *options],
        cwd=film.folder,
        env=environment,
    )
    async with (
        stdio_client(server) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


def talk_over_a_pipe(film: Film, conversation: Talk, *options: str) -> Any:
    """Have a conversation with `kiebatch mcp` as a process, and return what it comes to."""

    async def work() -> Any:
        async with connected(film, *options) as session:
            return await conversation(session)

    return asyncio.run(work())


def talk(
    film: Film,
    conversation: Talk,
    *,
    max_credits: float | None = None,
    confirm: bool = False,
    elicit: ElicitationFnT | None = None,
) -> Any:
    """Have a conversation with a server in this process, whose commands are processes of their own."""
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    purse = Purse(max_credits) if max_credits is not None else None
    service = Service(film.folder, environment, Runs(film.folder, environment, purse), confirm)

    async def work() -> Any:
        async with create_connected_server_and_client_session(
            made(service), elicitation_callback=elicit
        ) as session:
            return await conversation(session)

    return asyncio.run(work())


async def call(session: ClientSession, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await session.call_tool(tool, arguments)
    assert not answer.isError, answer.content
    return dict(answer.structuredContent or {})


async def refused(session: ClientSession, tool: str, **arguments: Any) -> str:
    answer = await session.call_tool(tool, arguments)
    assert answer.isError
    return "".join(part.text for part in answer.content if isinstance(part, types.TextContent))


@pytest.fixture
def written(film: Film) -> Film:
    film.write(SCENES)
    return film


@pytest.mark.slow
def test_an_agent_drafts_looks_and_picks_without_a_credit(written: Film) -> None:
    async def conversation(session: ClientSession) -> dict[str, Any]:
        found: dict[str, Any] = {"tools": {tool.name for tool in (await session.list_tools()).tools}}
        found["valid"] = await call(session, "validate", scene_file="scenes.yaml")
        found["plan"] = await call(session, "plan", scene_file="scenes.yaml", only=["1-2"])
        found["run"] = await call(session, "run", scene_file="scenes.yaml")
        found["pick"] = await call(session, "pick", scene_file="scenes.yaml", slot="1", draft=True)
        found["status"] = await call(session, "status", scene_file="scenes.yaml", draft=True)
        found["board"] = await call(session, "board", scene_file="scenes.yaml", draft=True)
        uri = found["board"]["pictures"][0]["uri"]
        found["picture"] = (await session.read_resource(uri)).contents[0]
        return found

    found = talk_over_a_pipe(written, conversation)

    assert found["tools"] == TOOLS
    assert (found["valid"]["status"], found["valid"]["jobs"]) == ("valid", 3)
    assert found["plan"]["totals"]["credits"] == 2 * PRICE
    assert (found["run"]["status"], found["run"]["jobs"]["succeeded"]) == ("success", 3)
    assert found["pick"]["status"] == "success"
    assert found["status"]["counts"] == {"done": 3}
    assert (written.folder / "board.html").is_file()
    with Image.open(io.BytesIO(base64.b64decode(found["picture"].blob))) as image:
        assert image.format == "WEBP"
    assert written.sim.charges() == []


@pytest.mark.slow
def test_a_run_within_the_cap_spends_and_is_in_the_manifest(written: Film) -> None:
    async def conversation(session: ClientSession) -> tuple[dict[str, Any], ...]:
        made = await call(session, "run", scene_file="scenes.yaml")
        manifest = await session.read_resource("kiebatch://manifest")  # type: ignore[arg-type]
        return made, json.loads(manifest.contents[0].text), await call(session, "costs")  # type: ignore[union-attr]

    made, manifest, costs = talk_over_a_pipe(written, conversation, "--max-credits", "30")

    assert (made["status"], made["left_of_cap"]) == ("success", 30 - 3 * PRICE)
    assert len(written.sim.charges()) == len(manifest["assets"]) == 3
    assert (costs["credits"], costs["by_model"]) == (3 * PRICE, {"nano-banana-2": 3 * PRICE})


@pytest.mark.parametrize("calls", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_client_that_asks_again_and_again_never_passes_the_cap(written: Film, calls: int) -> None:
    shots = "\n".join(f"  - {{id: {n}, prompt: Picture number {n}}}" for n in range(1, calls + 1))
    written.write(f"kiebatch: 1\ndefaults: {{model: nano-banana-2}}\nscenes:\n{shots}\n")
    # One submission is charged without an answer, and one task fails.
    written.sim.fault("submit@2=cut+after")
    written.sim.fault("submit@3=fail:500 Internal error")

    async def conversation(session: ClientSession) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []

        async def ask(number: int) -> None:
            only = [str(number)] if number % 3 else []
            answer = await call(session, "run", scene_file="scenes.yaml", only=only, partial=number % 2 == 0)
            answers.append(answer)

        async with anyio.create_task_group() as group:
            for number in range(1, calls + 1):
                group.start_soon(ask, number)
        return answers

    answers = talk(written, conversation, max_credits=20)

    charged = sum(charge["credits"] for charge in written.sim.charges())
    assert len(answers) == calls
    assert 0 < charged <= 20
    assert min(answer["left_of_cap"] for answer in answers) >= 0


@pytest.mark.slow
def test_a_plan_above_the_cap_is_refused_before_anything_is_sent(written: Film) -> None:
    async def conversation(session: ClientSession) -> dict[str, Any]:
        return await call(session, "run", scene_file="scenes.yaml")

    answer = talk(written, conversation, max_credits=20)

    assert (answer["status"], answer["exit_code"], answer["left_of_cap"]) == ("refused", 4, 20)
    assert written.sim.charges() == []


@pytest.mark.slow
@pytest.mark.parametrize(("agrees", "charges"), [(True, 3), (False, 0)])
def test_with_confirm_the_person_is_asked_through_the_client(
    written: Film, agrees: bool, charges: int
) -> None:
    asked: list[str] = []

    async def elicit(
        context: RequestContext[ClientSession, Any], params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"agree": agrees})

    async def conversation(session: ClientSession) -> object:
        if agrees:
            return await call(session, "run", scene_file="scenes.yaml")
        return await refused(session, "run", scene_file="scenes.yaml")

    talk(written, conversation, max_credits=30, confirm=True, elicit=elicit)

    assert len(asked) == 1
    assert "3 jobs for up to 24" in asked[0]
    assert len(written.sim.charges()) == charges


def test_with_confirm_a_client_that_cannot_ask_spends_nothing(written: Film) -> None:
    async def conversation(session: ClientSession) -> str:
        return await refused(session, "run", scene_file="scenes.yaml")

    said = talk(written, conversation, max_credits=30, confirm=True)

    assert "cannot ask the person" in said
    assert written.sim.charges() == []


@pytest.mark.slow
def test_progress_is_told_while_a_run_goes_on(written: Film) -> None:
    told: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async def conversation(session: ClientSession) -> None:
        await session.call_tool("run", {"scene_file": "scenes.yaml"}, progress_callback=hear)

    talk(written, conversation)

    assert [progress for progress, _ in told] == [1, 2, 3]
    assert {message for _, message in told} == {"saved 1", "saved 2", "saved 3"}


@pytest.mark.slow
def test_a_cancelled_run_stops_submitting_and_collects_what_is_paid_for(written: Film) -> None:
    written.edit("defaults: {", "run: {in_flight: 1}\ndefaults: {")
    written.sim.fault("submit@1=lasts:1")

    async def conversation(session: ClientSession) -> dict[str, Any]:
        async def begin() -> None:
            await session.call_tool("run", {"scene_file": "scenes.yaml"})

        running = asyncio.create_task(begin())
        await asyncio.to_thread(until, lambda: written.sim.charges(), "the first submission")
        # The SDK's client has no call for it: the notification of the protocol, for the request in flight.
        number = session._request_id - 1
        cancelled = types.CancelledNotificationParams(
            requestId=number, reason="the person changed their mind"
        )
        await session.send_notification(
            types.ClientNotification(types.CancelledNotification(params=cancelled))
        )
        with pytest.raises(Exception, match="cancel"):
            await running
        # The next call waits for the run that is collecting, and knows what it has reserved.
        return await call(session, "run", scene_file="scenes.yaml", only=["2"], partial=True)

    answer = talk_over_a_pipe(written, conversation, "--max-credits", "100")

    assert {entry["scene_id"] for entry in written.manifest} == {1, 2}
    assert len(written.sim.charges()) == 2
    assert answer["left_of_cap"] == 100 - 2 * PRICE


@pytest.mark.slow
def test_what_is_for_a_person_is_not_offered(written: Film) -> None:
    async def conversation(session: ClientSession) -> tuple[list[types.Tool], list[str]]:
        await call(session, "run", scene_file="scenes.yaml")
        for name in ("force", "allow_unpriced", "yes"):
            await session.call_tool("run", {"scene_file": "scenes.yaml", name: True})
        words = ("--force", "2 --force", "--allow-unpriced")
        said = [await refused(session, "run", scene_file="scenes.yaml", only=[word]) for word in words]
        return (await session.list_tools()).tools, said

    tools, said = talk(written, conversation, max_credits=100)

    offered = {name for tool in tools for name in tool.inputSchema["properties"]}
    assert offered.isdisjoint({"force", "allow_unpriced", "yes", "resubmit", "api_key", "base_url"})
    assert all("names no slot" in text for text in said)
    assert len(written.sim.charges()) == 3, "nothing is made a second time"


@pytest.mark.slow
def test_files_outside_the_project_are_refused(written: Film) -> None:
    outside = written.folder.parent / "other.yaml"
    outside.write_text(SCENES, encoding="utf-8")
    (written.folder / "link.yaml").symlink_to(outside)

    async def conversation(session: ClientSession) -> list[str]:
        return [
            await refused(session, tool, scene_file=name)
            for tool in ("validate", "plan", "run", "status", "board")
            for name in ("../other.yaml", str(outside), "link.yaml")
        ]

    said = talk(written, conversation, max_credits=30)

    assert len(said) == 15
    assert all("outside the project" in text for text in said)


@pytest.mark.slow
def test_the_catalogue_is_a_resource(written: Film) -> None:
    async def conversation(session: ClientSession) -> Any:
        found = await session.read_resource("kiebatch://catalogue")  # type: ignore[arg-type]
        return json.loads(found.contents[0].text)  # type: ignore[union-attr]

    models = talk(written, conversation)["items"]

    assert "nano-banana-2" in {model["model"] for model in models}


@pytest.mark.slow
def test_starting_the_program_does_not_import_the_sdk() -> None:
    program = (
        "import sys; from kiebatch.cli import app; app.exit_code(['mcp', '--help']);"
        " print(*sys.modules, sep='\\n', file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "Serve the project to an agent" in done.stdout
    assert {"mcp", "pydantic", "anyio"}.isdisjoint(done.stderr.split())
