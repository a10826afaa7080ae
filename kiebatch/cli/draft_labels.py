"""What a draft's panels are called: the simulator is told, since a request does not say whose it is."""

from __future__ import annotations

from collections.abc import Iterable

from kiebatch.model import Job, Project, Scene, Shot


def labels(project: Project, todo: Iterable[Job] = ()) -> dict[str, list[str]]:
    """Return for each prompt the labels of its requests, in the order in which they are sent.

    `todo` are the jobs of the coming run: a take that is made alone keeps its number.  Without them a label names no
    take, and the simulator counts.
    """
    shots = {job.slot: (scene, shot) for scene in project.scenes for shot in scene.shots for job in shot.jobs}
    found: dict[str, list[str]] = {}
    for job in todo:
        if job.slot in shots:
            found.setdefault(job.prompt, []).append(_label(*shots[job.slot], f"{_name(job)}#{job.slot.take}"))
    return found or _shared(project, shots.values())


def _shared(project: Project, shots: Iterable[tuple[Scene, Shot]]) -> dict[str, list[str]]:
    """Return one label for each prompt; shots that say the same share it."""
    names: dict[str, list[str]] = {}
    of: dict[str, tuple[Scene, Shot]] = {}
    for job in project.jobs:
        names.setdefault(job.prompt, []).append(_name(job))
    for scene, shot in shots:
        for job in shot.jobs:
            of.setdefault(job.prompt, (scene, shot))
    return {
        prompt: [_label(*of[prompt], " / ".join(dict.fromkeys(called)))] for prompt, called in names.items()
    }


def _name(job: Job) -> str:
    return job.slot.shot_name


def _label(scene: Scene, shot: Shot, name: str) -> str:
    head = ", ".join(filter(None, (name, shot.camera or scene.camera)))
    return f"{head}\n{shot.described}" if shot.described else head
