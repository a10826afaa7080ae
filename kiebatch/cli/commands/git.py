"""`kiebatch git`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.cli import console, streams
from kiebatch.errors import Exit, Invalid
from kiebatch.git import Repository
from kiebatch.record import gitdrivers

app = typer.Typer(
    help="Install diff and merge drivers for the manifest in this repository.\n\nExample: kiebatch git install",
    rich_markup_mode=None,
    no_args_is_help=True,
)

# Git calls two of these commands for every file that it shows or merges: what they import is kept small.
Json = Annotated[bool, typer.Option("--json", help="print one JSON document on stdout, nothing else there")]
Project = Annotated[
    Path | None, typer.Option("--project", help="the project folder, instead of the current one")
]
Assets = Annotated[
    list[Path] | None,
    typer.Option(
        "--assets", help="an assets folder that is not called `assets`; repeat for more", show_default=False
    ),
]
Lfs = Annotated[bool, typer.Option("--lfs", help="keep pictures, clips and sound in Git LFS")]


@app.command()
def install(project: Project = None, assets: Assets = None, lfs: Lfs = False, as_json: Json = False) -> None:
    """Let git show the manifest in words and merge it slot by slot.

    Writes .gitattributes, to be committed, and the settings of this clone: every clone runs it once.

    Example: kiebatch git install --lfs
    """
    repository = _repository(project)
    done = gitdrivers.install(repository, _names(repository, assets or []), lfs=lfs)
    console.answer({"status": "success", "done": done}, "\n".join(done), as_json=as_json)


@app.command()
def uninstall(project: Project = None, as_json: Json = False) -> None:
    """Undo `kiebatch git install`.

    Example: kiebatch git uninstall
    """
    done = gitdrivers.uninstall(_repository(project))
    console.answer({"status": "success", "done": done}, "\n".join(done), as_json=as_json)


@app.command(hidden=True)
def textconv(file: Annotated[Path, typer.Argument(help="a manifest, as git hands it over")]) -> None:
    """Print a manifest as text for `git diff`; git calls this."""
    streams.document(gitdrivers.readable(file.read_text(encoding="utf-8", errors="replace")))


@app.command("merge-driver", hidden=True)
def merge_driver(base: Path, ours: Path, theirs: Path, name: str) -> None:
    """Merge two manifests into OURS; git calls this."""
    conflicts = gitdrivers.merge(base, ours, theirs, name)
    if conflicts is None:
        console.say(
            f"{name}: one side is not a manifest that can be read; the lines were merged as plain text"
        )
    elif conflicts:
        console.say(gitdrivers.conflict_text(conflicts, name))
    if conflicts is None or conflicts:
        console.leave(Exit.FAILED)


@app.command("merge-prompts", hidden=True)
def merge_prompts(base: Path, ours: Path, theirs: Path, name: str) -> None:
    """Merge two versions of prompts.lock.yaml into OURS; git calls this."""
    from kiebatch.prompts import lock  # what the manifest's driver does not need

    sides = [lock.parse(files.read_text(path), f"{name} ({path.name})") for path in (base, ours, theirs)]
    merged, conflicts = lock.merge(*sides)
    ours.write_text(lock.dump(merged), encoding="utf-8", newline="\n")
    if conflicts:
        console.say(lock.conflict_text(conflicts, name))
        console.leave(Exit.FAILED)


def _repository(project: Path | None) -> Repository:
    folder = (project or Path.cwd()).resolve()
    repository = Repository.around(folder)
    if repository is None:
        named = "this folder" if folder == Path.cwd().resolve() else files.shown(folder)
        raise Invalid(f"{named} is not in a git repository", hint="run `git init` there first")
    return repository


def _names(repository: Repository, folders: list[Path]) -> list[str]:
    names = []
    for folder in folders:
        name = repository.name_of(folder)
        if name is None or name == ".":
            raise Invalid(f"{files.shown(folder)} is not a folder of this repository")
        names.append(f"/{name}")
    return names
