"""Reports to a CI system: its job summary, its annotations, a JUnit file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from kiebatch import ci, files
from kiebatch._dataclass import dataclass
from kiebatch.ci import answers
from kiebatch.ci.answers import Expectations, Problem
from kiebatch.errors import Refused, Where
from kiebatch.model import JSON


def on_github() -> bool:
    """Whether GitHub Actions (or what speaks its commands) reads our output."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What the document of a run does not say of its jobs: their place in the scene file by slot, and how many seconds
    each took at the provider by task id."""

    places: Mapping[str, Where] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


def wanted(junit: Path | None = None) -> bool:
    """Whether anybody reads what `outcome` writes."""
    return bool(os.environ.get("GITHUB_STEP_SUMMARY")) or junit is not None or on_github()


def outcome(
    document: Mapping[str, JSON], *, junit: Path | None = None, facts: Callable[[], JobFacts] = JobFacts
) -> None:
    """Report a run, a plan or an error: a document of contract sections 2, 7 or 8.

    Appends to the file that `GITHUB_STEP_SUMMARY` names, annotates, and writes `junit` where it is given.  `facts` is
    only called where somebody reads what they are for.
    """
    if not wanted(junit):
        return
    known = facts()
    _summarize(document)
    answer = answers.of_run(document)
    jobs = [*(answer.get("failures") or ()), *(answer.get("held") or ()), *_unmet(document)]
    problems([*(answer.get("problems") or ()), *(_placed(job, known.places) for job in jobs)])
    if junit is not None:
        try:
            files.replace(junit, ci.junit(document, known.seconds))
        except Refused as error:  # a run that is paid for must not fail because its report cannot be written
            print(error, file=sys.stderr)


def _summarize(document: Mapping[str, JSON]) -> None:
    """Append to the job summary, where there is one."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    try:
        with open(summary, "a", encoding="utf-8") as stream:
            stream.write(ci.summary(document))
    except OSError as error:
        print(f"cannot write the job summary: {error.strerror}", file=sys.stderr)


def _unmet(document: Mapping[str, JSON]) -> list[Problem]:
    """Return what a run found not as expected, as problems.  A plan says it in its text: it has just looked on."""
    if "totals" in document:
        return []
    run = answers.of_run(document)
    strict = (run.get("expectations") or Expectations()).get("strict")
    severity = "error" if strict else "warning"
    return [
        {"slot": str(one.get("slot")), "message": ci.unmet_words(one), "severity": severity}
        for one in ci.unmet(run)
    ]


def _placed(job: Mapping[str, object], places: Mapping[str, Where]) -> Mapping[str, object]:
    """Return a failed or held job with its place in the scene file."""
    where = places.get(str(job.get("slot")))
    return {**job, "file": where.file, "line": where.line, "column": where.column} if where else job


def problems(found: Sequence[Mapping[str, object]]) -> None:
    """Annotate problems where GitHub reads it.  On stderr: stdout carries the answer."""

    if on_github():
        for line in ci.annotations(found, _folder()):
            print(line, file=sys.stderr)


def _folder() -> str:
    """Return the current folder from the top of the checkout, which annotations name files from."""
    top = os.environ.get("GITHUB_WORKSPACE", "")
    here = Path.cwd()
    if not top or not here.is_relative_to(top) or here == Path(top):
        return ""
    return here.relative_to(top).as_posix()
