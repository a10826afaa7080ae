"""Small films for the tests of the money path: written, run against a simulator, and counted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kiebatch import api
from kiebatch.model import Rate
from kiebatch.running import Outcome
from support import simulated

MODEL = "z-image"
# No limits, and reads as fast as the simulator's tasks end.
QUICK: Mapping[str, Any] = {
    "rate": Rate(starts=1000, window_s=1.0),
    "poll_rate": Rate(starts=1000, window_s=1.0),
    "poll_interval_s": 0.01,
    "expected_scale": 0.0003,
}


def write(
    folder: Path, *, shots: int = 2, chained: bool = False, model: str = MODEL, **defaults: Any
) -> Path:
    """Write a scene file of one scene with so many shots and return its path; `chained`: each from the one before."""
    scene: list[dict[str, Any]] = []
    for number in range(shots):
        shot: dict[str, Any] = {"id": f"s{number + 1}", "prompt": f"Shot {number + 1} of the lighthouse film"}
        if chained and number:
            shot |= {"model": "nano-banana-2", "references": [{"shot": f"1.s{number}"}]}
        scene.append(shot)
    document = {
        "kiebatch": 1,
        "defaults": {"model": model, **defaults},
        "scenes": [{"id": 1, "shots": scene}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scenes.yaml"
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")  # JSON is YAML
    return path


def edit(path: Path, shot: str, **keys: Any) -> None:
    """Change keys of one shot."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for one in document["scenes"][0]["shots"]:
        if one["id"] == shot:
            one |= keys
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def run(
    path: Path,
    sim: simulated.Sim,
    *,
    edges: api.Edges | None = None,
    only: Sequence[str] = (),
    **options: Any,
) -> Outcome:
    """Run a film against a simulator, quickly."""
    load = {key: options.pop(key) for key in ("assets", "state") if key in options}
    force = options.pop("force", False)
    emit = options.pop("emit", lambda _event: None)
    bound = options.pop("bound", None)
    return api.run(
        api.load(path, **load),
        edges=edges or api.Edges(gate_path=":memory:"),
        only=only,
        force=force,
        emit=emit,
        bound=bound,
        api_key=sim.key,
        base_url=sim.url,
        **{**QUICK, **options},
    )


def assets(path: Path, folder: str = "assets") -> list[dict[str, Any]]:
    """Return the manifest's entries."""
    found = json.loads((path.parent / folder / "manifest.json").read_text(encoding="utf-8"))
    return list(found["assets"])


def current(path: Path) -> dict[str, dict[str, Any]]:
    """Return the current entry of each shot."""
    return {a["shot"]: a for a in assets(path) if "superseded_by" not in a}
