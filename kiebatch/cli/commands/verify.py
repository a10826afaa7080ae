"""`kiebatch verify`"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.cli import console, options
from kiebatch.errors import Exit, Invalid, counted, plain
from kiebatch.git import Repository
from kiebatch.model import JSON
from kiebatch.project import finding, snapshots
from kiebatch.record import verification
from kiebatch.record.store import checking
from kiebatch.record.verification import Damage
from kiebatch.running import transfers
from kiebatch.settings import settings
from kiebatch.workspace import Workspace

app = typer.Typer()


@app.command()
def verify(
    scene_file: options.MaybeSceneFile = None,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="mend what can be mended without loss; after a merge: take both sides"),
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="insist on the files of older versions, too")] = False,
    remote: Annotated[
        bool, typer.Option("--remote", help="does the store that KIEBATCH_STORE names have the files?")
    ] = False,
    sample: Annotated[
        str,
        typer.Option(
            "--sample", metavar="SHARE", help="with --remote: read so many of its files whole, such as 5%"
        ),
    ] = "0%",
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
    if remote and fix:
        raise Invalid("--remote only looks: `kiebatch push` stores what is missing there")
    damage = _remote(workspace, sample) if remote else _damage(workspace, fix=fix, every=every)
    left = [each for each in damage if not each.fixed]
    status, code = ("damaged", Exit.DIFFERS) if left else ("ok", Exit.OK)
    value: dict[str, JSON] = {"status": status, "problems": [each.as_json() for each in damage]}
    lines = [*map(str, damage), _in_sum(damage, left, remote=remote)]
    if fix and len(left) < len(damage):
        lines += _git_hint(workspace.assets.parent, files.shown(workspace.assets))
    console.answer(value, "\n".join(lines), as_json=as_json, code=code)
    console.leave(code)


def _in_sum(damage: Sequence[Damage], left: Sequence[Damage], *, remote: bool) -> str:
    if not damage:
        return "ok: the store has every file" if remote else "ok: every file is as the manifest says"
    if not left:
        return "everything is mended"
    mended = f", {len(damage) - len(left)} mended" if len(left) < len(damage) else ""
    return f"{counted(len(left), 'problem')}{mended}"


def _damage(workspace: Workspace, *, fix: bool, every: bool) -> list[Damage]:
    look = verification.fix if fix else verification.verify
    return look(workspace, every=every)


def _remote(workspace: Workspace, sample: str) -> list[Damage]:
    recorded = finding.read_manifest(workspace)
    store = transfers.chosen_store(settings({}, os.environ, {}), recorded)
    return checking.check(recorded, store, share=_share(sample), rng=random.Random())


def _share(text: str) -> float:
    match = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,6})?)\s*%\s*", text)
    if not match or float(match.group(1)) > 100:
        raise Invalid(f"--sample takes a share such as 5%, found `{plain(text, 40)}`")
    return float(match.group(1)) / 100


def _git_hint(folder: Path, assets: str) -> list[str]:
    repository = Repository.around(folder)
    return [f"now: git add {assets} && git commit"] if repository and repository.stages() else []
