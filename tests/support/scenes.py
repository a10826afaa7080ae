"""Scene files as texts, built into projects."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from kiebatch import catalogue
from kiebatch.errors import Problem
from kiebatch.model import Document, Job, Project, as_form
from kiebatch.scenefile import build, document, markdown
from kiebatch.scenefile.shape import FileValues, SceneValues, ShotValues

CATALOGUE = catalogue.load()
HEAD = "kiebatch: 1\ndefaults: {model: nano-banana-2}\n"


def built(text: str, **options: Any) -> tuple[Project, list[Problem]]:
    """Return the project of a YAML text, and every problem."""
    read = document.read(dedent(text), "s.yaml")
    return build.build(read, CATALOGUE, build.Options(**options))


def built_markdown(text: str, **options: Any) -> tuple[Project, list[Problem]]:
    """Return the project of a Markdown text, and every problem of reading and building it."""
    read, found = markdown.read(dedent(text), "SCENES.md")
    project, more = build.build(read, CATALOGUE, build.Options(**options))
    return project, [*found, *more]


def jobs(text: str, **options: Any) -> dict[str, Job]:
    """Return the jobs of a YAML text without errors, by slot."""
    project, problems = built(text, **options)
    assert [str(p) for p in problems if p.severity == "error"] == []
    return {str(job.slot): job for job in project.jobs}


def values(read: Document) -> FileValues:
    """Return what a document says as what the schema would find it to be."""
    return as_form(FileValues, read.value)


def scenes(read: Document) -> list[SceneValues]:
    """Return the scenes of a document that the schema would let pass."""
    return scenes_of(values(read))


def scenes_of(film: FileValues) -> list[SceneValues]:
    return [scene for scene in film["scenes"] if scene is not None]


def shots_of(scene: SceneValues) -> list[ShotValues]:
    return [shot for shot in scene["shots"] if shot is not None]


def of_code(problems: list[Problem], code: str) -> list[Problem]:
    return [problem for problem in problems if problem.code == code]
