"""Reads the local files that jobs refer to, and checks them against the models' limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from kiebatch import catalogue as models
from kiebatch import files, media
from kiebatch.catalogue import media_limits
from kiebatch.errors import Problem, Where
from kiebatch.model import Job, LocalFile, MediaFacts, Project, Shot
from kiebatch.project.finding import local_path
from kiebatch.workspace import Workspace


def media_facts(
    project: Project, workspace: Workspace, catalogue: models.Catalogue, digest: Callable[[Path], str]
) -> tuple[dict[str, tuple[str, MediaFacts]], list[Problem]]:
    """Return digest and facts of every local reference, and what is wrong with them at their places."""
    facts: dict[str, tuple[str, MediaFacts]] = {}
    problems: list[Problem] = []
    bad: set[str] = set()
    for job in project.jobs:
        for medium in job.media:
            ref = medium.ref
            if not isinstance(ref, LocalFile) or ref.path in facts or ref.path in bad:
                continue
            reason = ""
            path = local_path(workspace, ref.path)
            try:
                if not path.exists():
                    reason = f"there is no file `{ref.path}`"
                elif path.is_dir():
                    reason = f"`{ref.path}` is a folder"
                elif files.is_lfs_pointer(path):
                    reason = f"`{ref.path}` is a Git LFS pointer: run `git lfs pull`"
                else:
                    facts[ref.path] = (digest(path), media.facts(path))
            except media.Undecodable as error:
                reason = f"`{ref.path}` cannot be used: {error}"
            except OSError as error:
                reason = f"cannot read `{ref.path}`: {error.strerror}"
            if reason:
                bad.add(ref.path)
                problems.append(Problem(where=medium.where, message=reason, code="bad-file"))
    seen: set[tuple[Where, str]] = set()
    known = {f"file:{path}": found for path, (_, found) in facts.items()}
    for job in project.jobs:
        model = catalogue.get(job.model)
        if model is None or not job.media:
            continue
        for finding in media_limits.check_media(model, job.media, known, job.input):
            where = next(
                (m.where for m in job.media if m.role == finding.field or m.field == finding.field), job.where
            )
            if (where, finding.message) not in seen:
                seen.add((where, finding.message))
                problems.append(
                    Problem(
                        where=where,
                        message=f"shot `{job.slot.shot_name}`: {finding.message}",
                        hint=finding.hint,
                        severity=finding.severity,
                        code=finding.code,
                    )
                )
    return facts, problems


def repriced(
    project: Project, catalogue: models.Catalogue, facts: Mapping[str, tuple[str, MediaFacts]]
) -> Project:
    """Return the project with the prices that depend on local media, now that their lengths are known."""
    if not facts:
        return project
    known = {f"file:{path}": found for path, (_, found) in facts.items()}

    def priced(job: Job) -> Job:
        model = catalogue.get(job.model)
        if model is None or not any(isinstance(m.ref, LocalFile) for m in job.media):
            return job
        return replace(job, price=models.price(model, job.input, media=known))

    def shot(one: Shot) -> Shot:
        return replace(one, jobs=tuple(priced(job) for job in one.jobs)) if one.jobs else one

    scenes_ = tuple(replace(scene, shots=tuple(shot(s) for s in scene.shots)) for scene in project.scenes)
    return replace(project, scenes=scenes_)
