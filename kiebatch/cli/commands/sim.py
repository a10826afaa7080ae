"""`kiebatch sim`"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from typing import Annotated

import typer
from typer import Option

from kiebatch.cli import console, options
from kiebatch.errors import Invalid, counted
from kiebatch.simulator import KEY, Fault, Settings, Simulator, storm
from kiebatch.simulator.drawing.pool import drawing_pool
from kiebatch.simulator.server.application import application
from kiebatch.simulator.server.server import Server, listen, url_of

app = typer.Typer()


@app.command()
def sim(
    port: Annotated[
        int, Option("--port", min=0, max=65535, help="the loopback port; 0 takes a free one")
    ] = 8765,
    speed: Annotated[
        float, Option("--speed", min=0.001, help="divides generation times: a still takes 12 to 112 s at 1")
    ] = 1.0,
    fault: Annotated[
        list[str] | None,
        Option(
            "--fault",
            help="trouble, like submit@3=html:502+after or poll%0.05=code:500; repeat for more",
            show_default=False,
        ),
    ] = None,
    weather: Annotated[
        float, Option("--storm", min=0, help="faults of every kind by lot; 1 spoils about one call in six")
    ] = 0.0,
    seed: Annotated[int, Option("--seed", help="of everything that is drawn by lot")] = 1,
    balance: Annotated[float, Option("--balance", min=0, help="credits to begin with")] = 5916.25,
    key: Annotated[str, Option("--key", help="the API key that is taken")] = KEY,
    starts: Annotated[
        int, Option("--starts", min=0, help="submissions taken in any 10 s; 0 for no limit")
    ] = 20,
    real_status: Annotated[
        bool, Option("--real-status", help="errors carry their code as HTTP status too, not only in the body")
    ] = False,
    webhook_key: Annotated[
        str, Option("--webhook-key", help="sign callbacks with this key", show_default=False)
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Run the bundled simulator of the kie.ai API as a server, until Ctrl-C.

    It speaks every family's wire format, draws real media, keeps accounts, and misbehaves on request.

    Example: kiebatch sim --port 8765 --speed 100
    """
    chosen = Settings(
        speed=speed,
        seed=seed,
        balance=balance,
        key=key,
        starts=starts,
        real_status=real_status,
        webhook_key=webhook_key,
    )
    simulator = Simulator(chosen)
    for wish in fault or ():
        simulator.faults.add(Fault.parse(wish))
    for one in storm(weather) if weather else ():
        simulator.faults.add(one)
    try:
        listening = listen(port)
    except OSError as error:
        raise Invalid(
            f"port {port} cannot be used: {error.strerror}", hint="--port 0 takes a free one"
        ) from error

    url = url_of(listening)
    console.answer(
        {"status": "serving", "url": url, "key": key},
        f"{url}\nkiebatch run FILE --base-url {url} --api-key {key}",
        as_json=as_json,
    )
    sys.stdout.flush()
    asyncio.run(_serve(Server(application(simulator, drawing_pool())), listening))
    calls, charges = sum(simulator.requests.values()), len(simulator.ledger)
    console.say(
        f"{calls} calls, {counted(charges, 'task')}, {console.number(simulator.charged)} credits charged"
    )


async def _serve(server: Server, listening: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM, which is how a server ends well."""

    def end() -> None:
        server.should_exit = True

    with contextlib.suppress(NotImplementedError):  # Windows has none; there Ctrl-C ends it as it is
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, end)
    await server.serve(sockets=[listening])
