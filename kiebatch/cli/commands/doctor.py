"""`kiebatch doctor`"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import typer

from kiebatch.cli import checks, console, options, shared_checks
from kiebatch.cli.checks import Check, Level
from kiebatch.errors import Exit, Invalid
from kiebatch.model import JSON
from kiebatch.settings import Settings

app = typer.Typer()


@app.command()
def doctor(
    project: options.Project = None,
    draft: options.Draft = False,
    state: options.State = None,
    api_key: options.ApiKey = None,
    base_url: options.BaseUrl = None,
    as_json: options.Json = False,
) -> None:
    """Look at everything that a run needs, and say what to do about what is missing.

    Of a store and a team's ledger, where KIEBATCH_STORE and KIEBATCH_TEAM are set, it reads alone. With --draft it looks
    only at what a draft needs: no key, no network. The provider is asked for the balance, and nothing else.
    Leaves with 3 when a run cannot work.

    Example: kiebatch doctor
    """
    root = (project or Path.cwd()).resolve()
    if not root.is_dir():
        raise Invalid(f"there is no folder {root}")
    chosen = options.read_settings(root, api_key=api_key, base_url=base_url)
    found = [*_machine(root, state or root / ".kiebatch")]
    if not draft:
        found += _provider(chosen, root, typed=api_key is not None)
        found += filter(None, (shared_checks.store(chosen), shared_checks.team(chosen, root)))
    bad = any(check.level is Level.PROBLEM for check in found)
    status, code = ("problems", Exit.DIFFERS) if bad else ("ok", Exit.OK)
    value: JSON = {"status": status, "checks": [check.as_json() for check in found]}
    console.answer(value, lambda: "\n".join(map(_line, found)), as_json=as_json, code=code)
    console.leave(code)


def _machine(root: Path, state: Path) -> Iterator[Check]:
    yield checks.versions()
    yield checks.python()
    yield checks.ffmpeg()
    yield checks.fonts()
    yield from checks.extras()
    yield checks.git(root)
    yield checks.state_folder(state)
    yield checks.simulator()


def _provider(chosen: Settings, root: Path, *, typed: bool) -> Iterator[Check]:
    yield checks.key(chosen, root / ".env", typed=typed)
    yield checks.proxy(chosen.base_url)
    if chosen.api_key:
        yield from asyncio.run(checks.provider(chosen))
    yield asyncio.run(checks.clock(chosen.base_url))


def _line(check: Check) -> str:
    marks = {Level.OK: "ok     ", Level.NOTE: "note   ", Level.PROBLEM: "problem"}
    line = f"{marks[check.level]}  {check.name}: {check.found}"
    return f"{line}\n         hint: {check.hint}" if check.hint else line
