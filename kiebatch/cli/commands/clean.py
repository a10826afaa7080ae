"""`kiebatch clean`"""

from __future__ import annotations

from typing import Annotated

import typer

from kiebatch.cli import asked, console, options
from kiebatch.model import JSON
from kiebatch.project import finding
from kiebatch.running import cleaning

app = typer.Typer()


@app.command()
def clean(
    older: Annotated[
        str | None,
        typer.Option("--older", metavar="AGE", help="only what is older: 30d, 12h, 2w", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go, and leave it")] = False,
    project: options.Project = None,
    draft: options.DraftFolder = False,
    assets: options.Assets = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Remove run records, unfinished downloads and derivatives, and say what that frees.

    Results, the manifest and the journal stay: nothing has to be paid for again.

    Example: kiebatch clean --older 30d --dry-run
    """
    workspace = finding.find(project=project, draft=draft, assets=assets, state=state)
    found = cleaning.clean(workspace, asked.seconds(older), dry_run=dry_run)
    total = sum(one.bytes for one in found)
    status, verb = ("would-free", "would free") if dry_run else ("success", "freed")
    value: JSON = {"status": status, "bytes": total, "removed": [one.as_json() for one in found]}
    rows = [[one.what, str(one.files), _size(one.bytes)] for one in found]
    table = console.table(rows, ["what", "files", "size"], right=(1, 2))
    console.answer(value, f"{table}\n{verb} {_size(total)}", as_json=as_json)


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    size = count / 1000
    for unit in ("kB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
