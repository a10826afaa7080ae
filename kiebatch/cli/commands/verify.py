"""`kiebatch verify`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.cli import console, options
from kiebatch.errors import Exit, Invalid
from kiebatch.git import Repository
from kiebatch.project import snapshots
from kiebatch.record import verification

app = typer.Typer()


@app.command()
def verify(
    scene_file: options.MaybeSceneFile = None,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="mend what can be mended without loss; after a merge: take both sides"),
    ] = False,
    project: options.Project = None,
    assets: options.Assets = None,
    draft: options.DraftFolder = False,
    as_json: options.Json = False,
) -> None:
    """Check that the files match the manifest.  Exits 3 when they do not.

    Example: kiebatch verify --fix
    """
    workspace = snapshots.project(scene_file, folder=project, assets=assets, draft=draft)
    if not workspace.manifest_path.is_file():
        raise Invalid(
            f"there is no manifest {files.shown(workspace.manifest_path)}", hint="`kiebatch run` writes it"
        )
    damage = verification.fix(workspace) if fix else verification.verify(workspace)
    left = [each for each in damage if not each.fixed]
    value = {"status": "damaged" if left else "ok", "problems": [each.as_json() for each in damage]}

    def text() -> str:
        lines = [str(each) for each in damage]
        if not damage:
            lines.append("ok: every file is as the manifest says")
        elif not left:
            lines.append("everything is mended")
        else:
            mended = f", {len(damage) - len(left)} mended" if len(left) < len(damage) else ""
            lines.append(f"{len(left)} problem{'' if len(left) == 1 else 's'}{mended}")
        if fix and len(left) < len(damage):
            lines += _git_hint(workspace.assets.parent, files.shown(workspace.assets))
        return "\n".join(lines)

    code = Exit.DIFFERS if left else Exit.OK
    console.answer(value, text, as_json=as_json, code=code)
    console.leave(code)


def _git_hint(folder: Path, assets: str) -> list[str]:
    repository = Repository.around(folder)
    return [f"now: git add {assets} && git commit"] if repository and repository.stages() else []
