"""Which warnings of a scene file are about which shot."""

from __future__ import annotations

import bisect
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from kiebatch.errors import Problem, Where
from kiebatch.model import JSON, Project, as_list
from kiebatch.planning.plans import Plan
from kiebatch.project import Opened

_NAMED = re.compile(r"shot `([^`]+)`: ")


def jobs_as_json(todo: Plan, opened: Opened) -> list[dict[str, JSON]]:
    """Return the selected slots of a plan as contract section 8 says, with the file's warnings about each."""
    about = warnings_by_shot(opened.project, opened.problems)
    found: list[dict[str, JSON]] = []
    for entry in todo.entries:
        if not entry.selected:
            continue
        value = entry.as_json()
        own = as_list(value["warnings"])
        more = [w for w in about.get(entry.slot.shot_name, ()) if w not in own]
        if entry.job and more:
            value |= {"warnings": [*own, *more], "state": "warnings"}
        found.append(value)
    return found


def warnings_by_shot(project: Project, problems: Sequence[Problem]) -> Mapping[str, Sequence[str]]:
    """Return the warnings of a file by the written name of the shot that they are about.

    A warning names its shot, or lies between the place where a shot begins and the next one.
    """
    begins: dict[tuple[str, int], str] = {}
    for scene in project.scenes:
        for shot in scene.shots:
            for job in shot.jobs[:1]:
                begins.setdefault(_line(job.where), job.slot.shot_name)
        begins.setdefault(_line(scene.where), "")  # what lies before its first shot is about the scene
    lines = sorted(begins)
    found: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        if problem.severity != "warning":
            continue
        named = _NAMED.match(problem.message)
        name = named.group(1) if named else _at(begins, lines, problem.where)
        if name:
            found[name].append(problem.message[named.end() :] if named else problem.message)
    return found


def _at(begins: Mapping[tuple[str, int], str], lines: Sequence[tuple[str, int]], where: Where) -> str:
    index = bisect.bisect_right(lines, _line(where)) - 1
    if index < 0 or not where.line or lines[index][0] != where.file:
        return ""
    return begins[lines[index]]


def _line(where: Where) -> tuple[str, int]:
    return where.file, where.line
