"""`kiebatch worker`"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from kiebatch.cli import console
from kiebatch.errors import Invalid
from kiebatch.farm import Pace, doable, parent, supervise
from kiebatch.project import config
from kiebatch.provider import API_URL
from kiebatch.record.store import open_store
from kiebatch.team.environment import address
from kiebatch.units import Kind

app = typer.Typer()


@app.command()
def worker(
    kinds: Annotated[
        str,
        Option(
            "--kinds",
            help="what it does, like download or derive,segment; all that this machine can by default",
        ),
    ] = "",
    jobs: Annotated[int, Option("--jobs", min=1, max=256, help="units at once")] = 4,
    folder: Annotated[
        Path | None, Option("--folder", help="for files in progress; a temporary folder by default")
    ] = None,
    base_url: Annotated[
        str,
        Option("--base-url", envvar="KIE_BASE_URL", help="the API's address: its host may serve results too"),
    ] = API_URL,
    scale: Annotated[float, Option("--time-scale", min=0.001, hidden=True)] = 1.0,
) -> None:
    """Fetch and check results, and make thumbnails, web copies and segments for a team, until SIGTERM or Ctrl-C.

    The team is the one of KIEBATCH_TEAM, results go to KIEBATCH_STORE; no API key is needed or read. It finishes what
    it began before it ends, and starts itself once more when it ends by accident.

    Example: kiebatch worker --kinds download,derive --jobs 8
    """
    url, store = address(), os.environ.get("KIEBATCH_STORE", "")
    if not url or not store:
        raise Invalid(
            "a worker needs KIEBATCH_TEAM and KIEBATCH_STORE",
            hint="`kiebatch team init` prints the first; docs/team.md",
        )
    able = doable([kind.strip() for kind in kinds.split(",") if kind.strip()])
    if parent.CHILD not in os.environ:
        command = [sys.executable, "-m", "kiebatch", *sys.argv[1:]]
        raise typer.Exit(supervise(command, console.say, scale=scale))
    with tempfile.TemporaryDirectory(prefix="kiebatch-worker-") as temporary:
        asyncio.run(_work(url, store, folder or Path(temporary), able, jobs, base_url, Pace(scale=scale)))
    console.say("the worker has ended")


async def _work(
    url: str, store: str, folder: Path, kinds: tuple[Kind, ...], jobs: int, base_url: str, pace: Pace
) -> None:
    from kiebatch.farm import Worker  # the parent of the process that works needs no driver
    from kiebatch.provider import Client

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)  # it can be read when the parent is gone
    async with Client("", base_url, trusted_hosts=config.read().trusted_hosts) as client:
        one = Worker(
            url=url,
            results=open_store(store),
            client=client,
            folder=folder,
            kinds=kinds,
            jobs=jobs,
            pace=pace,
            say=console.say,
        )
        await one.run(stop)
