"""`kiebatch report`"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.ci import report as reports
from kiebatch.cli import console, options, shared
from kiebatch.cli.commands.diff import New, Old
from kiebatch.cli.panels import Command
from kiebatch.errors import Invalid
from kiebatch.model import JSON, under
from kiebatch.planning import planning, statuses
from kiebatch.project import opening, snapshots
from kiebatch.record.manifest.differences import totals
from kiebatch.settings import settings
from kiebatch.workspace import Workspace

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def report(
    given: shared.Given,
    old: Old = None,
    new: New = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="write the Markdown here and the picture beside it [default: stdout]"
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="write the before-and-after picture here, a PNG")
    ] = None,
    picture_url: Annotated[
        str | None, typer.Option("--picture-url", help="how the text names the picture [default: its file]")
    ] = None,
) -> None:
    """Write what changed as Markdown with before-and-after pictures, for a pull request.

    Example: kiebatch report main --output report.md
    """
    where = {"assets": given["assets"], "draft": given.draft}
    workspace, before, after = snapshots.pair(old, new, folder=given["project"], **where)
    changes = snapshots.compare(workspace, before, after)
    if output and picture is None:
        picture = output.with_suffix(".png")
    shown = reports.panels(changes, before, after, options.derivatives(workspace)) if picture else []
    if picture and shown:
        files.replace(picture, reports.contact_sheet(shown))
        picture_url = picture_url or _relative(picture, output)
    else:
        picture = picture_url = None
    ahead = _outlook(workspace, given) if after.label == snapshots.WORKING_TREE else _Outlook()
    text = reports.markdown(
        changes,
        before.label,
        after.label,
        picture=picture_url,
        plan=ahead.plan,
        failed=ahead.failed,
        held=ahead.held,
    )
    value: dict[str, JSON] = {
        "markdown": text,
        "picture": str(picture) if picture else None,
        "slots": [c.as_json() for c in changes],
        "totals": totals(changes),
        "planned": under(ahead.plan, "totals"),
        "effects": under(ahead.plan, "effects"),
    }
    _tell(text, value, output, picture, as_json=given.as_json)


def _tell(
    text: str, value: Mapping[str, JSON], output: Path | None, picture: Path | None, *, as_json: bool
) -> None:
    """Write the report into its file, or print it."""
    if output is None:
        console.answer(value, text.rstrip("\n"), as_json=as_json)
        return
    files.replace(output, text)
    console.answer(value, "", as_json=as_json)
    written = [files.shown(path) for path in (output, picture) if path]
    console.say(f"wrote {' and '.join(written)}")


def _relative(picture: Path, output: Path | None) -> str:
    if output and picture.resolve().is_relative_to(output.resolve().parent):
        return picture.resolve().relative_to(output.resolve().parent).as_posix()
    return picture.as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outlook:
    """What is ahead: the plan, and what failed and is held."""

    plan: Mapping[str, JSON] | None = None
    failed: Sequence[Mapping[str, JSON]] = ()
    held: Sequence[Mapping[str, JSON]] = ()


def _outlook(workspace: Workspace, given: shared.Given) -> _Outlook:
    """Return what is ahead; nothing where the scene file cannot be read."""
    if workspace.scene_file is None:
        return _Outlook()
    where = {
        "draft": given.draft,
        "assets": None if given.draft else workspace.assets,
        "state": given["state"],
        "settings": settings(given.flags, {}, {}),
    }
    try:
        opened = opening.load(workspace.scene_file, allow=None, **where)
        plan = {"totals": planning.plan(opened).totals()}
        standing = statuses.status(workspace.scene_file, **where)
    except Invalid as invalid:
        console.say(f"without the plan, since the scene file cannot be read: {invalid}")
        return _Outlook()
    return _Outlook(
        plan=plan,
        failed=[s.as_json() for s in standing.slots if s.state == "failed"],
        held=[s.as_json() for s in standing.slots if s.state == "held"],
    )
