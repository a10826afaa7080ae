"""`kiebatch mcp`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from kiebatch.cli import options
from kiebatch.errors import Invalid, install_hint

app = typer.Typer()


@app.command()
def mcp(
    project: options.Project = None,
    max_credits: Annotated[
        float | None,
        typer.Option(
            "--max-credits",
            min=0,
            help="the most that all runs of this server together may reserve; without it every run is a draft",
            show_default=False,
        ),
    ] = None,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="ask the person through the client before a run that spends"),
    ] = False,
    api_key: options.ApiKey = None,
    base_url: options.BaseUrl = None,
) -> None:
    """Serve the project to an agent over stdin and stdout, with the Model Context Protocol.

    Tools: validate, plan, run, status, pick, models, costs, board. No tool forces, resubmits, or lets a job go whose
    price is not known.

    Example: kiebatch mcp --project film --max-credits 200
    """
    root = (project or Path.cwd()).resolve()
    if not root.is_dir():
        raise Invalid(f"there is no folder {root}")
    settings = options.read_settings(root, api_key=api_key, base_url=base_url)
    # KIEBATCH_YES is consent to any run of a person; an agent has the cap alone.
    environment = {"KIEBATCH_YES": "", "KIE_BASE_URL": settings.base_url}
    if settings.api_key:
        environment["KIE_API_KEY"] = settings.api_key
    if os.environ.get("KIE_UPLOAD_URL"):
        environment["KIE_UPLOAD_URL"] = os.environ["KIE_UPLOAD_URL"]
    try:
        from kiebatch.mcp import serve
    except ModuleNotFoundError as error:
        raise Invalid(f"the server needs the library `{error.name}`", hint=install_hint("mcp")) from None
    serve(root, max_credits=max_credits, confirm=confirm, environment=environment)
