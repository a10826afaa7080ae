"""`kiebatch credits`"""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from kiebatch.cli import console, options
from kiebatch.errors import Refused
from kiebatch.model import USD_PER_CREDIT
from kiebatch.provider import CallFailed, Client
from kiebatch.settings import Settings

app = typer.Typer()


@app.command()
def credits(
    api_key: options.ApiKey = None,
    base_url: options.BaseUrl = None,
    project: options.Project = None,
    draft: options.Draft = False,
    as_json: options.Json = False,
) -> None:
    """Show the account's balance.

    Example: kiebatch credits
    """
    chosen = options.with_key(
        options.read_settings(project or Path.cwd(), api_key=api_key, base_url=base_url, draft=draft)
    )
    with options.simulator(chosen) as settings:
        balance = asyncio.run(_balance(settings))
    text = f"{console.number(balance)} credits, about USD {balance * USD_PER_CREDIT:,.2f}"
    console.answer({"balance": balance}, text, as_json=as_json)


async def _balance(settings: Settings) -> float:
    # Somebody waits at a terminal: one more try, not the minute that a run would spend.
    async with Client(settings.api_key, settings.base_url, settings.upload_url, attempts=2) as client:
        try:
            return await client.balance()
        except CallFailed as failure:
            raise Refused(f"the provider cannot be reached: {failure.message}", hint=failure.hint) from None
