"""What a web page shows of a film: each shot as a small file under a name that stays, with thumbnail and poster.

`2a.webp`, `2a-thumb.webp`; `2b.mp4`, `2b-poster.webp`, `2b-thumb.webp`; `1.vo.m4a`; and `index.json`, which says what each
is.  A name is that of the shot, not of the version: a shot that is made again keeps its address.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from kiebatch import files
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Film, Options, Take
from kiebatch.media import Derivatives, Kind, Wanted, wanted
from kiebatch.model import JSON, Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

FORMAT: Final = 1
_KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "image": ("web", "thumb"),
    "video": ("web", "poster", "thumb"),
    "audio": ("web",),
}


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the folder `output`, and return its files, the index first.

    What an earlier export left there under a name of ours, and is no longer of the film, goes.
    """
    film = cut.chosen(project, manifest, picks, workspace, options)
    folder = options.output
    before = _listed(folder / "index.json")
    wishes = {name: wish for name, _, _, wish in _wishes(film, options)}
    total = len(set(wishes.values()))
    steps = iter(range(1, total + 1))
    made = (options.derivatives or Derivatives(workspace.state)).make(
        wishes.values(), lambda: options.progress(next(steps, total), total)
    )
    written: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, wish in wishes.items():
        if wish in made:
            target = folder / name
            _copy(made[wish], target)
            written.append(target)
    for name in before - {path.name for path in written}:
        (folder / name).unlink(missing_ok=True)
    index = {"kiebatch-web": FORMAT, "title": film.title, "shots": list(_index(film, options, made))}
    files.replace(folder / "index.json", json.dumps(index, ensure_ascii=False, indent=2) + "\n")
    return [folder / "index.json", *written]


def _wishes(film: Film, options: Options) -> Iterator[tuple[str, Cut, Take, Wanted]]:
    """Yield each file with its shot and take: its name, and what it is made of."""
    sides = {"web": options.web_side, "poster": options.web_side, "thumb": options.thumb_side}
    for shot in (*film.shots, *film.sounds):
        for take in _takes(shot, options):
            if take.path is None and not take.remote:
                continue
            for kind in _KINDS.get(take.asset.type, ()):
                wish = wanted(take.asset, take.path, kind, sides.get(kind))
                if wish is not None:
                    yield _name(shot, take, wish, options), shot, take, wish


def _takes(shot: Cut, options: Options) -> tuple[Take, ...]:
    if options.all_takes:
        return shot.takes
    return (shot.shown,) if shot.shown else ()


def _name(shot: Cut, take: Take, wish: Wanted, options: Options) -> str:
    name = cut.file_name(shot.name)
    if options.all_takes:
        name = cut.file_name(take.slot.replace("#", "-t"))
    kind = "" if wish.kind == "web" else f"-{wish.kind}"
    return f"{name}{kind}{Derivatives(Path()).path(wish).suffix}"


def _index(film: Film, options: Options, made: Mapping[Wanted, Path]) -> Iterator[dict[str, JSON]]:
    found: dict[str, dict[str, JSON]] = {}
    for name, shot, take, wish in _wishes(film, options):
        if wish not in made:
            continue
        told: dict[str, JSON] = {
            "slot": take.slot,
            "shot": shot.name,
            "scene": shot.scene,
            "type": take.asset.type,
            "title": shot.title or shot.scene_title,
            "seconds": round(film.seconds(shot.frames), 3),
            "picked": take.standing.choice == "pick",
        }
        found.setdefault(take.slot, told)[wish.kind] = name
    yield from found.values()


def _copy(source: Path, target: Path) -> None:
    """Put a file there in one step; one that is the same already keeps its time, for those who sync by it."""
    if (
        target.is_file()
        and target.stat().st_size == source.stat().st_size
        and files.sha256(target) == files.sha256(source)
    ):
        return
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)


def _listed(index: Path) -> set[str]:
    """Return the files that an earlier index names; none where there is none, or it is not one of ours."""
    try:
        told = json.loads(index.read_text(encoding="utf-8"))
        shots = told["shots"] if told.get("kiebatch-web") == FORMAT else []
        names = {shot[kind] for shot in shots for kind in ("web", "poster", "thumb") if kind in shot}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {name for name in names if isinstance(name, str) and Path(name).name == name}
