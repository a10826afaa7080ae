"""Gathers the shots that a scene file names, with what each takes over from its scene."""

from __future__ import annotations

from kiebatch.model import ROLES, Path
from kiebatch.scenefile.shape import SceneValues, ShotValues, picked
from kiebatch.scenefile.shots import INHERITED, SOUNDS, SceneSpec, ShotSpec, reason
from kiebatch.scenefile.source import Source


def gather(source: Source) -> list[SceneSpec]:
    """Return the scenes of a file in order; ids that are missing or used twice are reported and left out."""
    found: list[SceneSpec] = []
    seen: dict[str, Path] = {}
    by_name: dict[str, ShotSpec] = {}
    for i, scene in enumerate(source.value.get("scenes", ())):
        if scene is None or "id" not in scene:
            continue
        path: Path = ("scenes", i)
        first = seen.setdefault(str(scene["id"]).lower(), path)
        if first != path:
            line = source.where((*first, "id")).line
            message = f"the scene id `{scene['id']}` is used twice; the first is at line {line}"
            source.error((*path, "id"), message, code="duplicate-id")
            continue
        shots = [*_pictures(source, scene, path), *_sounds(scene, path)]
        kept = tuple(shot for shot in shots if _reads_alone(source, shot, by_name))
        found.append(SceneSpec(raw=scene, path=path, shots=kept))
    return found


def _reads_alone(source: Source, shot: ShotSpec, by_name: dict[str, ShotSpec]) -> bool:
    """Whether no other shot is written alike; `by_name` keeps those that were there before."""
    other = by_name.setdefault(shot.name.lower(), shot)
    if other is shot:
        return True
    line = source.where(other.path).line
    message = f"two slots read alike: `{shot.name}` and the `{other.name}` of line {line}"
    source.error((*shot.path, "id"), message, hint="change one id", code="duplicate-id")
    return False


def _pictures(source: Source, scene: SceneValues, path: Path) -> list[ShotSpec]:
    skip = reason(scene.get("skip"))
    if scene.get("shots") is None:
        return [ShotSpec(scene=scene["id"], shot=None, kind="shot", path=path, raw=scene, skip=skip)]
    _check_scene_with_shots(source, scene, path)
    inherited = picked(scene, INHERITED)
    found: list[ShotSpec] = []
    seen: set[str] = set()
    for i, shot in enumerate(scene["shots"]):
        if shot is None or "id" not in shot:
            continue
        shot_path: Path = (*path, "shots", i)
        if not _id_is_free(source, scene, shot, shot_path, seen):
            continue
        found.append(
            ShotSpec(
                scene=scene["id"],
                shot=shot["id"],
                kind="shot",
                path=shot_path,
                raw=shot,
                inherited=inherited,
                inherited_path=path,
                scene_raw=scene,
                skip=reason(shot.get("skip")) or skip,
            )
        )
    return found


def _check_scene_with_shots(source: Source, scene: SceneValues, path: Path) -> None:
    if "prompt" in scene:
        message = f"scene {scene['id']} has both `prompt` and `shots`"
        source.error((*path, "prompt"), message, hint="give one")
    for key in ("output", "voice", *ROLES):
        if key in scene:
            message = f"scene {scene['id']}: `{key}` belongs on a shot when the scene has `shots`"
            source.error((*path, key), message)
    if isinstance(scene.get("takes"), list):
        message = f"scene {scene['id']}: a list of `takes` belongs on a shot when the scene has `shots`"
        source.error((*path, "takes"), message, hint="a number here is meant for every shot")


def _id_is_free(source: Source, scene: SceneValues, shot: ShotValues, path: Path, seen: set[str]) -> bool:
    key = str(shot["id"]).lower()
    if key in seen:
        message = f"scene {scene['id']}: the shot id `{shot['id']}` is used twice"
        source.error((*path, "id"), message, code="duplicate-id")
        return False
    seen.add(key)
    if any(key == name and sound in scene for sound, name in SOUNDS.items()):
        source.error((*path, "id"), f"the shot id `{key}` belongs to the scene's own sound")
        return False
    return True


def _sounds(scene: SceneValues, path: Path) -> list[ShotSpec]:
    found: list[ShotSpec] = []
    for key, name in SOUNDS.items():
        sound = scene.get(key)
        if sound is None:
            continue
        raw: ShotValues = {"text": sound} if isinstance(sound, str) else sound
        skip = reason(raw.get("skip")) or reason(scene.get("skip"))
        found.append(ShotSpec(scene=scene["id"], shot=name, kind=name, path=(*path, key), raw=raw, skip=skip))
    return found
