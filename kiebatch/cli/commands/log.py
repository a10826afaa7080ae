"""`kiebatch log`"""

from __future__ import annotations

from typing import Annotated

import typer

from kiebatch.cli import console, options
from kiebatch.errors import Invalid, plain
from kiebatch.model import JSON, Asset, Slot, parse_slot
from kiebatch.project import finding, snapshots
from kiebatch.record import manifest
from kiebatch.record.manifest.differences import compared, merged

app = typer.Typer()


@app.command()
def log(
    slots: Annotated[
        list[str] | None, typer.Argument(help="2, 2b or 2b#3 [default: every slot]", show_default=False)
    ] = None,
    project: options.Project = None,
    assets: options.Assets = None,
    draft: options.DraftFolder = False,
    as_json: options.Json = False,
) -> None:
    """Show the versions of a slot, from old to new, with what changed between them.

    Example: kiebatch log 2b
    """
    workspace = snapshots.project(folder=project, assets=assets, draft=draft)
    recorded, picks = finding.read_manifest(workspace), finding.read_picks(workspace)
    console.warn(picks.problems)
    lines = manifest.slots(recorded.assets)
    chosen = _chosen(lines, slots or ())

    def decided(slot: Slot) -> str:
        standing = picks.decision(slot)
        word = {"pick": "picked", "reject": "rejected", "none": ""}[standing.choice]
        return f"{word}: {standing.note}" if standing.note else word

    value: JSON = {
        "slots": [
            {"slot": str(slot), "decision": decided(slot), "versions": _versions(line)}
            for slot, line in chosen.items()
        ]
    }

    def text() -> str:
        blocks = [_story(slot, line, decided(slot)) for slot, line in chosen.items()]
        return "\n\n".join(blocks) or "no assets yet"

    console.answer(value, text, as_json=as_json)


def _chosen(
    lines: dict[Slot, tuple[Asset, ...]], slots: list[str] | tuple[str, ...]
) -> dict[Slot, tuple[Asset, ...]]:
    if not slots:
        return lines
    found: dict[Slot, tuple[Asset, ...]] = {}
    for text in slots:
        matches = parse_slot(text, lines)
        if not matches:
            raise Invalid(
                f"`{plain(text)}` has no versions yet", hint="`kiebatch log` without a slot shows all"
            )
        found.update((slot, lines[slot]) for slot in matches)
    return found


def _before(line: tuple[Asset, ...], asset: Asset) -> Asset | None:
    """Return what an asset took the place of: the version before it, the same output of it where there is one."""
    older = [a for a in line if a.superseded_by == asset.id]
    return next((a for a in older if a.output == asset.output), older[0] if older else None)


def _words(line: tuple[Asset, ...], asset: Asset) -> list[str]:
    before = _before(line, asset)
    if before is None:
        return []
    found = [words for lines in compared(before, asset).values() for words in lines]
    if merged(asset):
        found.append("came by a merge: the other branch made a version of the same number")
    return found or ["generated again"]


def _versions(line: tuple[Asset, ...]) -> list[JSON]:
    return [{**manifest.entry(asset), "changes": _words(line, asset)} for asset in line]


def _cost(asset: Asset) -> str:
    if asset.draft:
        return "draft"
    return "" if asset.credits is None else f"{console.number(asset.credits)} credits"


def _name(asset: Asset) -> str:
    if asset.output > 1:
        return f"version {asset.version}, output {asset.output}"
    return f"version {asset.version}"


def _state(asset: Asset) -> str:
    return f"superseded by {asset.superseded_by}" if asset.superseded_by else "current"


def _facts(asset: Asset) -> list[str]:
    facts = [asset.id, asset.created_at[:16].replace("T", " "), asset.model, _cost(asset)]
    if asset.task_id:
        facts.append(f"task {asset.task_id}")
    return [fact for fact in facts if fact]


def _story(slot: Slot, line: tuple[Asset, ...], decided: str) -> str:
    rows = [f"{slot}  ({plain(decided)})" if decided else str(slot)]
    for asset in line:
        rows.append(f"  {_name(asset)}, {_state(asset)}: {plain(', '.join(_facts(asset)))}")
        rows.append(f"    {plain(asset.filename)}")
        before = _before(line, asset)
        if before is None and asset.prompt:
            rows.append(f"    prompt: {plain(asset.prompt)}")
        rows += [f"    {plain(words, limit=5000)}" for words in _words(line, asset)]
    return "\n".join(rows)
