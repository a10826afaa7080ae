"""`kiebatch review`"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import typer
import uvicorn

from kiebatch.board import Access, ReviewSession, application
from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import Invalid
from kiebatch.model import JSON
from kiebatch.project import Opened, opening
from kiebatch.record import picks_file
from kiebatch.running import session
from kiebatch.running.events import Event
from kiebatch.settings import Settings, settings

app = typer.Typer()

PORT = 8477
_ANYWHERE = ("0.0.0.0", "::", "")


@app.command(cls=Command)
@shared.takes(shared.without(shared.ALL, "listen"))
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
        bool, typer.Option("--write", help="let the page change prompts and takes in the YAML scene file")
    ] = False,
    look_only: Annotated[
        bool, typer.Option("--look-only", help="decisions alone: nothing can be made from the page")
    ] = False,
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

    def load() -> Opened:
        reading = settings(given.flags, {}, {})
        return opening.load(scene_file, **given.where, settings=reading)

    def chosen(opened: Opened) -> Settings:
        read = options.settings_for(given, opened)
        return replace(read, wait=False)  # the page says who holds the project, instead of hanging

    async def runner(
        opened: Opened,
        *,
        only: Sequence[str],
        force: bool,
        bound: Mapping[str, JSON],
        emit: Callable[[Event], object],
    ) -> object:
        shown = console.Progress(total=0, bar=False, quiet=True, events_file=given["events_file"])

        def both(event: Event) -> None:
            shown(event)
            emit(event)

        with shown, options.simulator(chosen(opened), opened) as ready:
            return await session.run_async(
                opened, settings=ready, only=only, force=force, bound=bound, emit=both
            )

    as_json = given.as_json
    idle = [f"--{name}" for name in ("only", "force", "yes") if given[name]]
    if idle:
        console.say(
            f"warning: {', '.join(idle)} do nothing here: the page chooses, and asks before it spends"
        )
    first, _ = options.open_given(given, scene_file, quiet=as_json)
    reviewing = ReviewSession(
        load,
        author=author if author is not None else picks_file.author(first.workspace),
        may_write=write,
        runner=None if look_only else runner,
    )
    server, host = _socket(listen)
    port = server.getsockname()[1]
    token = secrets.token_urlsafe(18)
    hosts = frozenset() if host in _ANYWHERE else _names(host, port)
    url = f"http://{_shown(_reachable(host))}:{port}/?token={token}"
    console.answer(
        {"status": "serving", "url": url},
        f"{first.project.title or 'The storyboard'}: {url}",
        as_json=as_json,
    )
    if not as_json:
        if not _loopback(host):
            console.say(_qr(url))
            console.say("Whoever has this address can decide, and confirm what is spent.")
        console.say("Ctrl-C ends the review.")
    if open_ and _loopback(host) and console.on_terminal():
        typer.launch(url)
    config = uvicorn.Config(
        application(reviewing, Access(token=token, hosts=hosts)),
        log_level="warning",
        access_log=False,  # its lines would hold the token
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[server])


def _socket(listen: str | None) -> tuple[socket.socket, str]:
    """Open the listening socket.  Without a wish, another port will do when ours is taken."""
    host, _, port_text = (listen or f"127.0.0.1:{PORT}").rpartition(":")
    host = host.strip("[]")
    if not port_text.isdecimal() or int(port_text) > 65535 or (listen and not host and ":" not in listen):
        raise Invalid(f"--listen takes HOST:PORT, found `{listen}`")
    ports = [int(port_text)] if listen else [int(port_text), 0]
    for port in ports:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family), host
        except OSError as error:
            if port == ports[-1]:
                raise Invalid(f"cannot listen on {listen or host}: {error.strerror or error}") from None
    raise AssertionError


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(host: str, port: int) -> frozenset[str]:
    names = {_shown(host)} | ({"localhost", "127.0.0.1", "[::1]"} if _loopback(host) else set())
    return frozenset(f"{name}:{port}" for name in names)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reachable(host: str) -> str:
    """Return the address of this machine that others in the room reach."""
    if host not in _ANYWHERE:
        return host
    # Choosing a route sends nothing; the address is one that documentation reserves.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()


def _qr(url: str) -> str:
    """Return the address as a QR code of half blocks, which fits a terminal."""
    try:
        import segno
    except ImportError:
        return "for a QR code: pip install 'kiebatch[qr]'"
    rows = [list(row) for row in segno.make(url, error="l", micro=False).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    # White squares are drawn, so that it reads on a dark terminal too.
    signs = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return "\n".join(
        "".join(signs[bool(a), bool(b)] for a, b in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
