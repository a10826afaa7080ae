"""`kiebatch review`"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from kiebatch.board import Access, ReviewSession, Role, Runner, application
from kiebatch.cli import console, notifying, options, progress, serving, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import Invalid
from kiebatch.model import JSON
from kiebatch.project import Opened, opening
from kiebatch.record import manifest, picks_file
from kiebatch.running import session
from kiebatch.running.events import Event
from kiebatch.settings import settings

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.without(shared.ALL, "listen", "approved"))
def review(
    given: shared.Given,
    scene_file: options.MaybeSceneFile = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="where to listen; 0.0.0.0:8477 lets a phone in the room in [default: 127.0.0.1:8477]",
            show_default=False,
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="let the page change prompts and takes in the scene file")
    ] = False,
    look_only: Annotated[
        bool, typer.Option("--look-only", help="decisions alone: nothing can be made from the page")
    ] = False,
    notes_only: Annotated[
        bool,
        typer.Option(
            "--notes-only", help="for a client: notes under a guest's name, no decisions, no prices"
        ),
    ] = False,
    password: Annotated[
        str | None,
        typer.Option(
            "--password",
            envvar="KIEBATCH_REVIEW_PASSWORD",
            help="ask for it before the page opens; `-` asks you for it here",
            show_default=False,
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", metavar="TIME", help="let nobody in after 30m, 12h or 3d", show_default=False
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url",
            metavar="URL",
            help="the address of a tunnel or proxy in front of this server",
            show_default=False,
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="show it in the browser")] = True,
    author: Annotated[
        str | None, typer.Option("--author", help="who decides [default: git's user.name]")
    ] = None,
) -> None:
    """Serve the storyboard, with picks and notes that are saved.

    Every decision is written to picks.yaml at once.  Nothing is spent unless somebody confirms a plan with its
    price.  Ctrl-C ends it.

    Example: kiebatch review scenes.yaml --write
    """
    if notes_only and write:
        raise Invalid("choose one of --write and --notes-only")
    secret = _password(password)
    ends = _end(expires)
    _warn_of_idle(given)
    first, _ = options.open_given(given, scene_file, quiet=given.as_json)
    can_spend = not (look_only or notes_only)
    if author is None:
        author = picks_file.author(first.workspace)
    reviewing = ReviewSession(
        _loading(given, scene_file),
        derivatives=options.derivatives(first.workspace),
        author=author,
        may_write=write,
        runner=_runner(given) if can_spend else None,
    )
    listening, host = serving.listening(listen)
    place = _Place(host, listening.getsockname()[1], public_url)
    access = Access(
        token=secrets.token_urlsafe(18),
        hosts=place.names,
        password=secret,
        expires_at=ends,
        role=Role.GUEST if notes_only else Role.OWNER,
    )
    url = f"{place.base}/?token={access.token}"
    title = first.project.title or "The storyboard"
    console.answer({"status": "serving", "url": url}, f"{title}: {url}", as_json=given.as_json)
    if not given.as_json:
        _explain(place, url, access, can_spend=can_spend)
    if open_ and place.is_local and console.on_terminal():
        typer.launch(url)
    _serve(reviewing, access, listening)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the page is served: the host and port of our socket, and the address in front of it where there is one."""

    host: str
    port: int
    public_url: str | None

    @property
    def base(self) -> str:
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"http://{serving.shown(serving.reachable(self.host))}:{self.port}"

    @property
    def is_local(self) -> bool:
        return serving.is_loopback(self.host) and not self.public_url

    @property
    def names(self) -> frozenset[str]:
        """The names that the page goes by; none where anybody may reach it by addresses we cannot list."""
        public = {serving.public_host(self.public_url)} if self.public_url else set()
        if self.host in serving.ANYWHERE:
            return frozenset()
        return serving.names(self.host, self.port) | public


def _end(expires: str | None) -> float | None:
    """Return when nobody gets in any more, in seconds of the clock; None for never."""
    if not expires:
        return None
    return time.time() + serving.lasting(expires)


def _warn_of_idle(given: shared.Given) -> None:
    """Say which options were typed that a review does not go by."""
    idle = [f"--{name}" for name in ("only", "force", "yes") if given[name]]
    if idle:
        console.say(
            f"warning: {', '.join(idle)} do nothing here: the page chooses, and asks before it spends"
        )


def _loading(given: shared.Given, scene_file: Path | None) -> Callable[[], Opened]:
    """Return what reads the film as it is now."""

    def load() -> Opened:
        reading = settings(given.flags, {}, {})
        return opening.load(_current(scene_file), **given.where, settings=reading)

    return load


def _explain(place: _Place, url: str, access: Access, *, can_spend: bool) -> None:
    """Say how others get at the page and what they may do there, and what ends it."""
    if not place.is_local:
        console.say(serving.qr_code(url))
        console.say(_who_may(access, can_spend=can_spend))
    console.say("Ctrl-C ends the review.")


def _serve(reviewing: ReviewSession, access: Access, listening: socket.socket) -> None:
    """Serve the page until Ctrl-C."""
    config = uvicorn.Config(
        application(reviewing, access),
        log_level="warning",
        access_log=False,  # its lines would hold the token
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def _runner(given: shared.Given) -> Runner:
    """Return what makes what was confirmed on the page, by the options that were typed."""

    async def runner(
        opened: Opened,
        *,
        only: Sequence[str],
        force: bool,
        bound: Mapping[str, JSON],
        emit: Callable[[Event], object],
    ) -> object:
        # The page says who holds the project, instead of hanging.
        chosen = replace(options.settings_for(given, opened), wait=False)
        shown = progress.Progress({}, bar=False, quiet=True, transcript=options.transcript(given, chosen))

        def both(event: Event) -> None:
            shown(event)
            emit(event)

        with shown, options.simulator(chosen, opened) as ready:
            outcome = await session.run_async(
                opened, settings=ready, only=only, force=force, bound=bound, emit=both
            )
        if ready.notify:  # in a thread, so that the page goes on
            await asyncio.to_thread(notifying.tell, ready.notify, outcome.as_json(manifest.entry))
        return outcome

    return runner


def _current(scene_file: Path | None) -> Path | None:
    """Return the scene file; its successor where the page has converted it to YAML."""
    if scene_file is None or scene_file.exists():
        return scene_file
    converted = scene_file.with_name("scenes.yaml")
    was_converted = scene_file.with_name(f"{scene_file.name}.before-yaml").exists() and converted.exists()
    return converted if was_converted else scene_file


def _password(given: str | None) -> str:
    if given == "-":
        return str(typer.prompt("Password for the page", hide_input=True, err=True, confirmation_prompt=True))
    if given is not None and not given.strip():
        raise Invalid("the password of the page is empty")
    return given or ""


def _who_may(access: Access, *, can_spend: bool) -> str:
    """Return who may do what with the address that was printed."""
    who = "Whoever has this address and the password" if access.password else "Whoever has this address"
    if access.role is not Role.OWNER:
        may = "can see the film and write notes"
    elif can_spend:
        may = "can decide, and confirm what is spent"
    else:
        may = "can decide; nothing can be bought from it"
    until = ""
    if access.expires_at is not None:
        until = time.strftime(", until %Y-%m-%d %H:%M", time.localtime(access.expires_at))
    return f"{who} {may}{until}."
