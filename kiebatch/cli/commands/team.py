"""`kiebatch team`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kiebatch.cli import console, options
from kiebatch.errors import Invalid
from kiebatch.project import team_here
from kiebatch.provider import lifetimes
from kiebatch.team import accounts, address, shown

if TYPE_CHECKING:
    from kiebatch.farm import FarmStatus

app = typer.Typer(
    help="Share one account between several machines: one ledger, one rate window, one cap.\n\n"
    "Example: kiebatch team init postgresql://studio@db.example/kiebatch --account studio --cap 20000",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Account = Annotated[
    str | None,
    typer.Option("--account", help="the account; else KIEBATCH_ACCOUNT, your config.yaml, or your key's own"),
]


@app.command()
def init(
    url: Annotated[
        str | None,
        typer.Argument(
            help="the PostgreSQL database; else KIEBATCH_TEAM, which nobody reads in a list of processes"
        ),
    ] = None,
    account: Account = None,
    cap: Annotated[
        float | None, typer.Option("--cap", help="credits that the account may spend", min=0)
    ] = None,
    lease: Annotated[
        float,
        typer.Option("--lease", help="seconds of silence after which a run counts as dead; of a new ledger"),
    ] = 30.0,
    finish: Annotated[
        bool, typer.Option("--finish", help="end a roll-out: take away what only older programs needed")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Make the team's ledger and an account in it, or bring the ledger up to date.

    Prints the lines that every machine of the team exports.

    Example: kiebatch team init postgresql://studio@db.example/kiebatch --account studio --cap 20000
    """
    where = url or address()
    if not where:
        raise Invalid(
            "say where the team's PostgreSQL is",
            hint="kiebatch team init postgresql://studio@db.example/kiebatch, or KIEBATCH_TEAM",
        )
    name = _account(account, where)
    accounts.init(where, name, cap=cap, lease_s=lease, finish=finish)
    lines = [f"export KIEBATCH_TEAM={shown(where)}", f"export KIEBATCH_ACCOUNT={name}"]
    if shown(where) != where:
        console.say("the password is left out below: give it in a file that PGPASSFILE names")
    console.answer({"account": name, "cap": cap, "export": lines}, "\n".join(lines), as_json=as_json)


@app.command()
def status(account: Account = None, as_json: options.Json = False) -> None:
    """Show who is at work, what is held, and what the account has spent.

    Example: kiebatch team status
    """
    where = _there()
    found = accounts.status(where, _account(account, where), link_kept_s=lifetimes.RESULT_LINK.kept_s)
    work = _farm(where)
    lines = [_shown(found), *work.lines()]
    console.answer({**found.as_json(), "farm": work.to_json()}, "\n".join(lines), as_json=as_json)


@app.command()
def drain(
    resume: Annotated[bool, typer.Option("--resume", help="let the workers take units again")] = False,
    as_json: options.Json = False,
) -> None:
    """Let every worker finish what it began and take no more, before maintenance; runs fetch for themselves meanwhile.

    Example: kiebatch team drain
    """
    from kiebatch.farm import drained  # the driver is loaded where there is a team
    from kiebatch.team import Connection

    connection = Connection(_there())
    at_work = drained(connection, on=not resume)
    connection.close()
    text = f"the workers take no more units; {at_work} are at work"
    if resume:
        text = "the workers take units again"
    console.answer({"drained": not resume, "at_work": at_work}, text, as_json=as_json)


@app.command()
def cap(
    credits: Annotated[str, typer.Argument(help="what the account may spend; `none` takes the cap away")],
    per: Annotated[
        str | None, typer.Option("--per", help="`month`: what was spent counts from the first of each month")
    ] = None,
    account: Account = None,
    as_json: options.Json = False,
) -> None:
    """Set what the whole account may spend: until it is changed, or each month.

    Example: kiebatch team cap 20000 --per month
    """
    if per not in (None, "month"):
        raise Invalid(f"--per takes `month`, found `{per}`")
    amount = _credits(credits)
    where = _there()
    name = _account(account, where)
    accounts.set_cap(where, name, amount, monthly=per == "month")
    text = f"`{name}` has no cap"
    if amount is not None:
        text = f"`{name}` may spend {console.number(amount)} credits"
    if per:
        text += " a month"
    console.answer({"account": name, "cap": amount, "per": per}, text, as_json=as_json)


def _farm(where: str) -> FarmStatus:
    from kiebatch.farm import farm_status
    from kiebatch.team import Connection

    connection = Connection(where)
    try:
        return farm_status(connection)
    finally:
        connection.close()


def _there() -> str:
    where = address()
    if not where:
        raise Invalid(
            "KIEBATCH_TEAM is not set: this machine works alone", hint="`kiebatch team init` makes a ledger"
        )
    return where


def _account(named: str | None, where: str) -> str:
    team = team_here(Path.cwd(), account=named or "", environ={**os.environ, "KIEBATCH_TEAM": where})
    assert team is not None
    return team.account


def _credits(text: str) -> float | None:
    if text == "none":
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e12:
        raise Invalid(f"a cap is a number of credits, or `none`; found `{text}`")
    return amount


def _shown(found: accounts.Status) -> str:
    limit = "no cap" if found.cap is None else f"cap {console.number(found.cap)}"
    if found.per:
        limit += " a month"
    lines = [
        f"{found.account}: spent {console.number(found.spent)}, reserved {console.number(found.reserved)}, {limit}",
        f"{found.window} starts in the last 10 s; {found.open_tasks} tasks are open",
    ]
    if found.not_stored:
        hours = found.oldest_link_hours
        lines.append(f"{found.not_stored} results are not home; the first link dies in {hours:g} hours")
    for run in found.runs:
        lines.append(
            f"run {run['run_id']} of {run['who']}: {run['open']} open, heard of {run['silent_s']:g} s ago"
        )
    for held in found.held:
        lines.append(f"held {held['slot']} in {held['project']}: {held['reason']}")
    return "\n".join(lines)
