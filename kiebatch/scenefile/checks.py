"""Checks a project as a whole: slots that are written alike, circles, and the lines of `moved`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from kiebatch.catalogue import Model, inputs
from kiebatch.catalogue.saying import say
from kiebatch.errors import Problems, Where, did_you_mean
from kiebatch.model import (
    JSON,
    Document,
    Job,
    Modality,
    Path,
    Project,
    SceneId,
    ShotOutput,
    Slot,
    as_mapping,
    under,
)
from kiebatch.scenefile.shape import DefaultValues, ShotValues
from kiebatch.scenefile.shots import SOUNDS, with_ids
from kiebatch.scenefile.source import Source

_MODALITIES: tuple[Modality, ...] = ("image", "video", "audio")


def check_slots(project: Project, problems: Problems) -> None:
    """Report slots that differ in case alone."""
    seen: dict[str, Slot] = {}
    for job in project.jobs:
        other = seen.setdefault(str(job.slot).lower(), job.slot)
        if other != job.slot:
            message = f"two slots read alike: `{job.slot}` and `{other}`"
            problems.error(job.where, message, code="duplicate-id")


def check_sounds(source: Source, project: Project) -> None:
    """Report a sound that is both a file and to be made, and one that ends with a scene that does not come later."""
    order = {str(scene.id): place for place, scene in enumerate(project.scenes)}
    for place, scene in enumerate(source.value.get("scenes", ())):
        if scene is None:
            continue
        for key in SOUNDS:
            sound = scene.get(key)
            if sound is not None and not isinstance(sound, str):
                _check_sound(source, order, ("scenes", place, key), scene.get("id"), sound)


def _check_sound(
    source: Source, order: Mapping[str, int], path: Path, scene: SceneId | None, sound: ShotValues
) -> None:
    if "file" in sound and "model" in sound:
        message = f"scene {scene}: `{path[-1]}` has both `file` and `model`"
        hint = "a file of your own is not made; its words may go under `text`"
        source.error((*path, "model"), message, hint=hint)
    through = sound.get("through")
    if through is None or str(scene) not in order:
        return
    if str(through) not in order:
        message = f"scene {scene}: there is no scene `{through}` for `{path[-1]}` to end with"
        source.error((*path, "through"), message, hint=did_you_mean(str(through), order))
    elif order[str(through)] < order[str(scene)]:
        message = f"scene {scene}: `{path[-1]}` cannot end with scene `{through}`, which comes before it"
        source.error((*path, "through"), message)


def check_cycles(project: Project, problems: Problems) -> None:
    """Report shots that start from one another in a circle."""
    if not any(job.needs for job in project.jobs):
        return
    by_slot = {job.slot: job for job in project.jobs}
    graph = TopologicalSorter({slot: [n for n in job.needs if n in by_slot] for slot, job in by_slot.items()})
    try:
        graph.prepare()
    except CycleError as error:
        order = list(by_slot)
        circle = _in_file_order(error.args[1], order)
        where = _where_it_starts(by_slot[circle[0]], circle[1]) or Where(project.file)
        message = "these shots start from one another in a circle: " + " -> ".join(map(str, circle))
        problems.error(where, message, code="cycle")


def check_default_params(source: Source, used: Sequence[Model]) -> None:
    """Report each value of `defaults.params` that no model of the file takes, although some have the field."""
    _check_params(source, source.defaults, used, ("defaults", "params"))
    for modality in _MODALITIES:
        meant = [model for model in used if model.modality == modality]
        _check_params(source, source.defaults_for(modality), meant, ("defaults", modality, "params"))
    _without_echoes(source)


def _check_params(source: Source, defaults: DefaultValues, models: Iterable[Model], path: Path) -> None:
    for name, value in defaults.get("params", {}).items():
        taken = (inputs.default_value(model, name, value) for model in models)
        found = [one for one in taken if one]
        if found and not any(one.fits for one in found):
            message = f"no model of this file takes `{name}: {say(value)}`"
            source.error((*path, name), message, hint=found[0].hint, code="default-not-taken")


def _without_echoes(source: Source) -> None:
    """Drop the warnings of single models about a default that is an error for all of them."""
    errors = {
        p.where for p in source.problems.found if p.code == "default-not-taken" and p.severity == "error"
    }
    source.problems.found[:] = [
        p
        for p in source.problems.found
        if p.severity == "error" or p.code != "default-not-taken" or p.where not in errors
    ]


def _in_file_order(circle: list[Slot], order: list[Slot]) -> list[Slot]:
    """Return a circle from its first shot in the file on, each followed by the one that it starts from."""
    # graphlib names each node before those that depend on it.
    around = list(reversed(circle))[:-1]
    first = min(range(len(around)), key=lambda i: order.index(around[i]))
    turned = around[first:] + around[:first]
    return [*turned, turned[0]]


def _where_it_starts(job: Job, slot: Slot) -> Where | None:
    found = (m.where for m in job.media if isinstance(m.ref, ShotOutput) and m.ref.slot == slot)
    return next(found, None)


# --- moved ---------------------------------------------------------------------------------------------


def moved(source: Source, shots: Collection[str]) -> dict[str, str]:
    """Return `moved` with each old slot's place in today's file; lines that lead nowhere are errors.

    All lines apply at once, so that `{1: 2, 2: 1}` swaps.  A target that is not in today's file is followed further:
    `{2: 20, 20: 30}` ends at 30 for both.
    """
    written = {str(old): str(new) for old, new in source.value.get("moved", {}).items()}
    found: dict[str, str] = {}
    for old, new in written.items():
        end = follow(new, written, shots)
        if end is None:
            message, hint = _leads_nowhere(new, written, shots)
            source.error(("moved", old), message, hint=hint, code="moved")
        elif shot_of(old) == shot_of(end) and old == end:
            source.error(("moved", old), f"`moved` names `{old}` as its own new place", code="moved")
        else:
            found[old] = end
    _warn_shared_targets(source, written)
    return found


def follow(target: str, written: Mapping[str, str], shots: Collection[str]) -> str | None:
    """Return where a target leads in today's file, None when it leads nowhere."""
    seen: set[str] = set()
    while shot_of(target) not in shots:
        if target in seen:
            return None
        seen.add(target)
        further = written.get(target) or _of_shot(target, written)
        if further is None:
            return None
        target = further
    return target


def _of_shot(target: str, written: Mapping[str, str]) -> str | None:
    """Return where `2b#3` goes when the whole of `2b` moved."""
    shot = shot_of(target)
    return written[shot] + target[len(shot) :] if shot != target and shot in written else None


def _leads_nowhere(target: str, written: Mapping[str, str], shots: Collection[str]) -> tuple[str, str]:
    last, seen = target, {target}
    while (further := written.get(last)) is not None:
        if further in seen:
            return f"`moved` leads from `{target}` in a circle, and none of its shots is in the file", ""
        seen.add(further)
        last = further
    through = "" if last == target else f" (through `{target}`)"
    message = f"`moved` names `{last}`{through}, and there is no such shot"
    return message, did_you_mean(shot_of(last), shots)


def _warn_shared_targets(source: Source, written: Mapping[str, str]) -> None:
    first: dict[str, str] = {}
    for old, new in written.items():
        other = first.setdefault(new, old)
        if other != old:
            path: Path = ("moved", old)
            message = (
                f"`moved` sends both `{other}` and `{old}` to `{new}`; only one line of versions can go on"
            )
            source.warning(None, path, message, code="moved")


def shot_of(slot: str) -> str:
    """Return a written slot without model and take."""
    return re.split(r"[@#]", slot)[0]


def moved_lines(document: Document) -> dict[str, str]:
    """Return each old slot with its name in today's file; lines that lead nowhere are left out."""
    written = {old: str(new) for old, new in as_mapping(under(document.value, "moved")).items()}
    if not written:
        return {}
    names = _shot_names(document.value)
    ends = {old: follow(new, written, names) for old, new in written.items()}
    return {old: end for old, end in ends.items() if end is not None}


def _shot_names(value: JSON) -> set[str]:
    """Return the written names of the shots in a document that nobody has checked yet."""
    found: set[str] = set()
    for ident, scene in with_ids(under(value, "scenes")):
        sounds = [name for key, name in SOUNDS.items() if key in scene]
        shots = [None, *(shot for shot, _ in with_ids(scene.get("shots"))), *sounds]
        found |= {Slot(ident, shot).shot_name for shot in shots}
    return found
