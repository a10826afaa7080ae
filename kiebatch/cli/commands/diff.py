"""`kiebatch diff`"""

from __future__ import annotations

from typing import Annotated

import typer

from kiebatch.cli import console, options
from kiebatch.errors import Exit, plain
from kiebatch.model import JSON
from kiebatch.project import snapshots
from kiebatch.record.manifest.differences import totals

app = typer.Typer()

Old = Annotated[
    str | None,
    typer.Argument(
        help="a git revision, a range A..B, or a manifest file [default: HEAD]", show_default=False
    ),
]
New = Annotated[
    str | None,
    typer.Argument(help="a git revision or a manifest file [default: the working tree]", show_default=False),
]


@app.command()
def diff(
    old: Old = None,
    new: New = None,
    check: Annotated[bool, typer.Option("--check", help="exit 3 when there is a difference")] = False,
    project: options.Project = None,
    assets: options.Assets = None,
    draft: options.DraftFolder = False,
    as_json: options.Json = False,
) -> None:
    """Show what changed between two manifests, slot by slot, in words.

    Example: kiebatch diff main
    """
    workspace, before, after = snapshots.pair(old, new, folder=project, assets=assets, draft=draft)
    changes = snapshots.compare(workspace, before, after)
    counts = totals(changes)

    def text() -> str:
        lines = [plain(line, limit=5000) for change in changes for line in str(change).splitlines()]
        if not changes:
            return f"no difference between {before.label} and {after.label}"
        slots = f"{counts['slots']} slot{' differs' if counts['slots'] == 1 else 's differ'}"
        cost = f", {console.number(counts['credits'])} credits" if counts["credits"] else ""
        return "\n".join([*lines, f"{slots} between {before.label} and {after.label}{cost}"])

    code = Exit.DIFFERS.when(check and changes)
    value: dict[str, JSON] = {"slots": [c.as_json() for c in changes], "totals": counts}
    console.answer(value, text, as_json=as_json, code=code)
    console.leave(code)
