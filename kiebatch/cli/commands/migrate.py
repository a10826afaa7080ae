"""`kiebatch migrate`"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.catalogue import Catalogue, UnknownModel, migrating
from kiebatch.catalogue.migrating import Migration
from kiebatch.cli import console, options
from kiebatch.errors import Exit, Invalid
from kiebatch.model import JSON
from kiebatch.planning import Entry
from kiebatch.planning.planning import plan
from kiebatch.project import Opened, finding, load, load_catalogue
from kiebatch.running import decisions
from kiebatch.scenefile import markdown, migration

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class _Ways:
    """Which models of a file are to be replaced: the closed ones, those that close soon, with `every` older ones."""

    catalogue: Catalogue
    every: bool
    today: dt.date

    def find(self, name: str) -> Migration | None:
        old = self.catalogue.get(name) or next(iter(self.catalogue.named(name)), None)
        if old is None:
            return None
        closing = old.is_closed(self.today) or old.closes_soon(self.today)
        wanted = closing or (self.every and old.status != "current")
        return migrating.migration(old, self.catalogue) if wanted else None


@app.command()
def migrate(
    scene_file: Annotated[Path, typer.Argument(help="the scene file")],
    every: Annotated[bool, typer.Option("--all", help="older forms that still work, too")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 3 when there is something to change")
    ] = False,
    project: options.Project = None,
    as_json: options.Json = False,
) -> None:
    """Replace models that are closed, or close within 30 days, by those that take their place.

    The slots stay the same and nothing that was made is made again; what is new costs the new model's price.

    Example: kiebatch migrate scenes.yaml --check
    """
    workspace = finding.find(scene_file, project=project)
    ways = _Ways(load_catalogue(workspace), every, dt.datetime.now(dt.UTC).date())
    text = files.read_text(scene_file)
    is_markdown = scene_file.suffix.lower() in (".md", ".markdown") or markdown.looks_like(text)
    found = (
        migration.migrated_markdown(text, ways.find)
        if is_markdown
        else migration.migrated_yaml(text, files.shown(scene_file), ways.find)
    )
    kept: Sequence[str] = ()
    if found.changes and not check:
        kept = _write(scene_file, text, found, project)
    code = Exit.DIFFERS.when(check and found.changes)
    _answer(ways, found.changes, kept, code=code, written=not check, as_json=as_json)
    console.leave(code)


def _write(scene_file: Path, before: str, found: migration.Migrated, project: Path | None) -> Sequence[str]:
    """Write the file and keep what was made for it; the file is put back where the new one is not valid."""
    files.replace(scene_file, found.text)
    try:
        opened = load(scene_file, project=project)
        return _keep(opened, found)
    except Invalid:
        files.replace(scene_file, before)
        raise


def _keep(opened: Opened, found: migration.Migrated) -> Sequence[str]:
    """Accept every asset that an old model made of today's words, so that no slot is made again."""
    old = {change.old for change in found.changes}
    old_ids = {m.id for name in old for m in (opened.catalogue.get(name), *opened.catalogue.named(name)) if m}
    slots = [
        str(entry.slot)
        for entry in plan(opened).entries
        if entry.action == "generate" and _is_made(entry, old | old_ids, opened.catalogue)
    ]
    return [str(slot) for slot in decisions.accept(opened, slots)] if slots else ()


def _is_made(entry: Entry, old: Set[str], catalogue: Catalogue) -> bool:
    """Whether all that a slot has was made by an old model of the words that it has today."""
    if not (entry.job and entry.fingerprint and entry.current):
        return False
    words = entry.job.prompt.split()
    return all(_same_model(a.model, old, catalogue) and a.prompt.split() == words for a in entry.current)


def _same_model(name: str, old: Set[str], catalogue: Catalogue) -> bool:
    if name in old:
        return True
    try:
        return catalogue.resolve(name).id in old
    except UnknownModel as unknown:
        return bool(old & set(unknown.choices)) or any(m.id in old for m in catalogue.named(name))


def _status(changes: Sequence[migration.Change], *, written: bool) -> str:
    if not changes:
        return "ok"
    return "changed" if written else "work"


def _lines(change: migration.Change, ways: _Ways) -> list[str]:
    """Say what a change puts in place of a model, or what it could not carry over."""
    if change.lost:
        return [
            f"line {change.line}: `{name}` is not carried over: {why}" for name, why in change.lost.items()
        ]
    head = f"line {change.line}: {change.old} -> {change.new}"
    way = ways.find(change.old)
    if way is None:
        return [head]
    lines = [f"{head} (says {way.source})" if way.source else head]
    if way.lacks():
        lines.append(f"  {change.new} takes no {', '.join(way.lacks())}")
    return lines


def _answer(
    ways: _Ways,
    changes: Sequence[migration.Change],
    kept: Sequence[str],
    *,
    code: Exit,
    written: bool,
    as_json: bool,
) -> None:
    rows: list[dict[str, JSON]] = [
        {"line": change.line, "old": change.old, "new": change.new, "lost": dict(change.lost)}
        for change in changes
    ]
    lines = [line for change in changes for line in _lines(change, ways)]
    if kept:
        lines.append(f"kept as made: {', '.join(kept)}")
    if not changes:
        lines.append("nothing to migrate: every model of the file takes jobs")
    elif written:
        lines.append("written; `kiebatch plan` shows what is new and what it costs")
    console.answer(
        {
            "status": _status(changes, written=written),
            "changes": rows,
            "kept": list(kept),
        },
        "\n".join(lines),
        as_json=as_json,
        code=code,
    )
