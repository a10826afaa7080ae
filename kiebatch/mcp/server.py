"""The tools and resources of the server, on the protocol's SDK."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import anyio.to_thread
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.types import ClientCapabilities, ElicitationCapability, ToolAnnotations
from pydantic import BaseModel, Field

from kiebatch.errors import KieBatchError, Refused, counted
from kiebatch.mcp import arguments, looking, process
from kiebatch.mcp.arguments import Choice, Chosen
from kiebatch.mcp.process import Event
from kiebatch.mcp.purse import Purse
from kiebatch.mcp.runs import Ask, Runs

INSTRUCTIONS = """\
kiebatch turns a scene file into pictures, clips and sound through the kie.ai media API, and never pays twice for the same
one. Call `validate` and `plan` first: both are free. `run` with `draft` makes stand-ins, also free. A run that spends is
possible only when the person started this server with a cap, and all runs together stay under it. A job that is `held`
may have been charged: show it to the person, who decides with `kiebatch resolve`. Never edit manifest.json.
"""

SceneFile = Annotated[str, Field(description="path of the scene file, inside the project folder")]
Only = Annotated[
    list[str], Field(description="slots: `2`, `2b`, `2b#3`, `2-5`, `model:kling*`, `changed`, `failed`")
]
Draft = Annotated[bool, Field(description="the draft/ folder instead of assets/")]
Answer = dict[str, Any]

_READS = ToolAnnotations(readOnlyHint=True, openWorldHint=False)
_WRITES = ToolAnnotations(readOnlyHint=False, destructiveHint=False, openWorldHint=False)
_SPENDS = ToolAnnotations(readOnlyHint=False, destructiveHint=False, openWorldHint=True)
T = TypeVar("T")


class Agreement(BaseModel):
    """What the person is asked before a run that spends."""

    agree: bool = Field(description="submit these jobs")


@dataclass(frozen=True)
class Service:
    """The project that the tools work on."""

    root: Path
    environment: Mapping[str, str]
    runs: Runs
    confirm: bool

    def chosen(self, scene_file: str, *, only: Sequence[str] = (), draft: bool = False) -> Chosen:
        return Chosen(root=self.root, scene_file=scene_file, only=tuple(only), draft=draft)

    async def command(self, words: Callable[[], list[str]]) -> Answer:
        """Run a command that spends nothing, and return its JSON answer with its exit code."""
        with _errors():
            ended = await process.command(words(), folder=self.root, environment=self.environment)
        return {**ended.answer, "exit_code": ended.code}

    async def look(self, work: Callable[[], T]) -> T:
        with _errors():
            return await anyio.to_thread.run_sync(work)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Tell the client of an error of ours in its words, problems and hints included."""
    try:
        yield
    except KieBatchError as error:
        raise ToolError(str(error)) from None


def serve(root: Path, *, max_credits: float | None, confirm: bool, environment: Mapping[str, str]) -> None:
    """Serve one project over stdin and stdout until the client closes them.

    Without `max_credits` every run is a draft.  `environment` is what its commands get beside this process's own: the
    key and the address of the API.
    """
    purse = Purse(max_credits) if max_credits is not None else None
    service = Service(root, environment, Runs(root, environment, purse), confirm)
    made(service).run("stdio")


def made(service: Service) -> FastMCP[None]:
    """Return the server, with its tools and resources."""

    @contextlib.asynccontextmanager
    async def lifespan(_server: FastMCP[None]) -> AsyncIterator[None]:
        async with service.runs.serving():
            yield

    server: FastMCP[None] = FastMCP("kiebatch", INSTRUCTIONS, log_level="WARNING", lifespan=lifespan)
    _add_free_tools(server, service)
    _add_run(server, service)
    _add_resources(server, service)
    return server


def _add_free_tools(server: FastMCP[None], service: Service) -> None:
    @server.tool(annotations=_READS)
    async def validate(scene_file: SceneFile) -> Answer:
        """Check a scene file and its prompts.  Free; sends nothing."""
        return await service.command(lambda: arguments.validate(service.chosen(scene_file)))

    @server.tool(annotations=_READS)
    async def plan(scene_file: SceneFile, only: Only = [], draft: Draft = False) -> Answer:  # noqa: B006
        """Say what a run would do, why, and what it would cost.  Free; sends nothing."""
        chosen = service.chosen(scene_file, only=only, draft=draft)
        answer = await service.command(lambda: arguments.plan(chosen))
        return {**answer, "left_of_cap": service.runs.left_of_cap}

    @server.tool(annotations=_READS)
    async def status(scene_file: SceneFile, draft: Draft = False) -> Answer:
        """Say what is done, in flight, held or failed, and what expires soon."""
        return await service.command(lambda: arguments.status(service.chosen(scene_file, draft=draft)))

    @server.tool(annotations=_WRITES)
    async def pick(
        scene_file: SceneFile,
        slot: Annotated[str, Field(description="a take: `2a#3`, or `2a` where there is one")],
        choice: Annotated[
            Choice, Field(description="pick it, reject it, or take the decision back")
        ] = "pick",
        note: Annotated[str | None, Field(description="a note on the take")] = None,
        draft: Draft = False,
    ) -> Answer:
        """Choose a take; chains, board and exports use it."""
        chosen = service.chosen(scene_file, draft=draft)
        return await service.command(lambda: arguments.pick(chosen, slot, choice, note))

    @server.tool(annotations=_READS)
    async def models(
        model: Annotated[
            str | None, Field(description="a model's id or name; without it all of them")
        ] = None,
        task: Annotated[str | None, Field(description="text-to-image, image-to-video, upscale, ...")] = None,
        modality: Literal["image", "video", "audio"] | None = None,
    ) -> Answer:
        """Describe models: inputs, limits, prices, how to write prompts for them."""
        return await service.command(lambda: arguments.models(model, task=task, modality=modality))

    @server.tool(annotations=_READS)
    async def costs() -> Answer:
        """Say what the project's assets have cost: in all, by scene, by model."""
        return await service.look(bind(looking.costs, service.root))

    @server.tool(annotations=_WRITES)
    async def board(scene_file: SceneFile, draft: Draft = False) -> Answer:
        """Write the storyboard as one HTML page, and list the pictures that can be read as resources."""
        chosen = service.chosen(scene_file, draft=draft)
        answer = await service.command(lambda: arguments.board(chosen))
        pictures = await service.look(lambda: looking.of_board(service.root, draft=draft))
        return {**answer, "pictures": pictures}


def _add_run(server: FastMCP[None], service: Service) -> None:
    @server.tool(annotations=_SPENDS)
    async def run(
        ctx: Context[Any, Any, Any],
        scene_file: SceneFile,
        only: Only = [],  # noqa: B006
        draft: Annotated[bool, Field(description="stand-ins from the simulator: no key, no credits")] = False,
        partial: Annotated[
            bool, Field(description="go up to what is left of the cap instead of refusing a larger plan")
        ] = False,
    ) -> Answer:
        """Make what the plan says, or resume.  Spends within the cap of this server; without a cap it is a draft."""
        chosen = service.chosen(scene_file, only=only, draft=draft or service.runs.purse is None)
        progress = _Progress(ctx)
        with _errors():
            chosen.path  # noqa: B018  # refuses a file outside the project before anything is asked
            return await service.runs.run(
                chosen, _ask(ctx) if service.confirm else None, progress.happened, partial=partial
            )


def _ask(ctx: Context[Any, Any, Any]) -> Ask:
    async def ask(jobs: int, credits: float) -> bool:
        if not ctx.session.check_client_capability(ClientCapabilities(elicitation=ElicitationCapability())):
            raise Refused(
                "this server asks before it spends (--confirm), and this client cannot ask the person",
                hint="use a client with elicitation, or start the server without --confirm",
            )
        answer = await ctx.elicit(f"Submit {counted(jobs, 'job')} for up to {credits:g} credits?", Agreement)
        return answer.action == "accept" and answer.data.agree

    return ask


class _Progress:
    """Tells the client how many jobs of a run are over."""

    def __init__(self, ctx: Context[Any, Any, Any]) -> None:
        self._ctx = ctx
        self._over = 0

    async def happened(self, event: Event) -> None:
        if event.get("event") in ("saved", "failed", "held", "skipped"):
            self._over += 1
            await self._ctx.report_progress(self._over, message=f"{event['event']} {event['slot']}")


def _add_resources(server: FastMCP[None], service: Service) -> None:
    @server.resource("kiebatch://manifest", mime_type="application/json")
    async def manifest() -> str:
        """The project's manifest: every asset with its versions."""
        return await service.look(bind(looking.manifest, service.root))

    @server.resource("kiebatch://catalogue", mime_type="application/json")
    async def catalogue() -> Answer:
        """Every model with its inputs, limits and prices."""
        return await service.command(lambda: arguments.models(None, task=None, modality=None))

    @server.resource(looking.ADDRESS + "{asset}", mime_type="image/webp")
    async def picture(asset: str) -> bytes:
        """A small picture of one asset of the board; of a clip its first frame."""
        return await service.look(lambda: looking.picture(service.root, asset))
