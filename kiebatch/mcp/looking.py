"""The project's record as resources: its manifest, small pictures of its assets, and what they have cost."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.media import Derivatives
from kiebatch.model import JSON
from kiebatch.project import find, read_manifest
from kiebatch.workspace import Workspace

ADDRESS = "kiebatch://picture/"


def manifest(root: Path) -> str:
    """Return the text of the project's manifest; an empty one where nothing is made yet."""
    path = _workspace(root).manifest_path
    return files.read_text(path) if path.exists() else '{"kiebatch": 1, "assets": []}\n'


def of_board(root: Path, *, draft: bool) -> list[dict[str, JSON]]:
    """Return which pictures there are: scene, shot, take and address of each current asset that can be looked at."""
    found = read_manifest(_workspace(root, draft=draft))
    return [
        {
            "scene_id": asset.scene_id,
            "shot": asset.shot,
            "take": asset.take,
            "asset": asset.id,
            "uri": f"{ADDRESS}{'draft-' if draft else ''}{asset.id}",
        }
        for asset in found.assets
        if asset.type in ("image", "video") and not asset.superseded_by
    ]


def picture(root: Path, name: str) -> bytes:
    """Return an asset as a small WebP; of a clip its first frame.  `Invalid` where there is none."""
    workspace = _workspace(root, draft=name.startswith("draft-"))
    asset = read_manifest(workspace).by_id.get(name.removeprefix("draft-"))
    path = workspace.asset_path(asset.filename) if asset else None
    made = Derivatives(workspace.state).of(asset, path, "thumb") if asset and path else None
    if made is None:
        raise Invalid(f"there is no picture `{name}`", hint="the tool `board` lists them")
    return made.read_bytes()


def costs(root: Path) -> dict[str, JSON]:
    """Return what the project's assets have cost, older versions included: in all, by scene, by model."""
    by_scene: dict[str, float] = defaultdict(float)
    by_model: dict[str, float] = defaultdict(float)
    unknown = 0
    for asset in read_manifest(_workspace(root)).assets:
        if asset.draft:
            continue
        if asset.credits is None:
            unknown += 1
            continue
        by_scene[str(asset.scene_id)] += asset.credits
        by_model[asset.model] += asset.credits
    return {
        "credits": sum(by_model.values()),
        "by_scene": dict(by_scene),
        "by_model": dict(by_model),
        "assets_without_a_known_cost": unknown,
    }


def _workspace(root: Path, *, draft: bool = False) -> Workspace:
    return find(project=root, draft=draft)
