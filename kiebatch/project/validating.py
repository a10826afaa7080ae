"""Checks scene files without planning anything: what `kiebatch validate` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kiebatch.errors import Invalid, Problem
from kiebatch.model import JSON
from kiebatch.project import opening
from kiebatch.project.references import QUIET
from kiebatch.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What is wrong with some scene files, and how much they hold.  `strict` counts warnings as errors."""

    problems: tuple[Problem, ...] = ()
    scenes: int = 0
    jobs: int = 0
    strict: bool = False

    @property
    def valid(self) -> bool:
        errors = any(problem.severity == "error" for problem in self.problems)
        counted = self.strict and any(problem.code not in QUIET for problem in self.problems)
        return not errors and not counted

    def as_json(self) -> dict[str, JSON]:
        """Return the keys of contract section 8, `validate`."""
        return {
            "status": "valid" if self.valid else "invalid",
            "problems": [problem.as_json() for problem in self.problems],
            "scenes": self.scenes,
            "jobs": self.jobs,
        }


def validate(*paths: str | Path, settings: Settings | None = None, allow: Sequence[Path] = ()) -> Validation:
    """Check scene files and lint their prompts; nothing is sent, and nothing is raised for what is wrong with them.

    `allow` names further folders whose files may be sent.
    """
    chosen = settings or Settings()
    problems: list[Problem] = []
    scenes = jobs = 0
    for path in paths:
        try:
            # Strictness is the answer's: with it a file that only has warnings would not be counted.
            found = opening.load(path, settings=replace(chosen, strict=False), lint=True, allow=allow)
        except Invalid as invalid:
            problems += invalid.problems
            continue
        problems += found.problems
        scenes += len(found.project.scenes)
        jobs += len(found.project.jobs)
    return Validation(problems=tuple(problems), scenes=scenes, jobs=jobs, strict=chosen.strict)
