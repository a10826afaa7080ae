"""A run as JUnit XML: one test case per job."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from kiebatch.ci import answers
from kiebatch.ci.answers import Asset, Counts, Expectations, Failure, RunAnswer, Spending
from kiebatch.ci.documents import severity_of, slot_of, unmet, unmet_words
from kiebatch.errors import plain
from kiebatch.model import JSON


class _Trouble(NamedTuple):
    """Why a test case did not pass: a `failure` is a verdict on the job, an `error` wants a person."""

    kind: Literal["failure", "error"]
    message: str
    type: str
    detail: str


@dataclass(frozen=True, slots=True)
class _TestCase:
    name: str
    seconds: float = 0.0
    output: str | None = None
    trouble: _Trouble | None = None

    def enter(self, suite: ET.Element) -> None:
        case = ET.SubElement(
            suite, "testcase", name=_xml(self.name), classname="kiebatch", time=_time(self.seconds)
        )
        if self.trouble:
            kind, message, type, detail = self.trouble
            ET.SubElement(case, kind, message=_xml(message), type=_xml(type)).text = _xml(detail)
        if self.output is not None:
            ET.SubElement(case, "system-out").text = _xml(self.output)


def junit(outcome: Mapping[str, JSON], seconds: Mapping[str, float] | None = None) -> str:
    """Return a run (contract section 7) as JUnit XML: one test case per job, a held job being an error.

    Jobs that were kept have no name in that document, unless they are not as expected; the suite's property `kept` counts
    them.  What is not as expected is a failure in a strict run alone.  `seconds` is how long each task took, by its id.
    """
    took = seconds or {}
    run = answers.of_run(outcome)
    cases = [*_made(run, took), *_failures(run, took), *_held(run), *_problems(run)]
    kinds = [case.trouble.kind for case in cases if case.trouble]
    numbers = {
        "tests": str(len(cases)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
    }
    root = ET.Element("testsuites", {"name": "kiebatch", **numbers})
    total = sum(case.seconds for case in cases)
    suite = ET.SubElement(
        root, "testsuite", {"name": "kiebatch run", **numbers, "skipped": "0", "time": _time(total)}
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _facts(run).items():
        if value is not None:
            ET.SubElement(properties, "property", name=name, value=_xml(value))
    for case in cases:
        case.enter(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _facts(outcome: RunAnswer) -> dict[str, str | float | None]:
    """Return what is said of the run as a whole."""
    return {
        "status": outcome.get("status"),
        "run_id": outcome.get("run_id"),
        "kept": (outcome.get("jobs") or Counts()).get("kept"),
        "credits spent": (outcome.get("credits") or Spending()).get("spent"),
    }


def _made(outcome: RunAnswer, took: Mapping[str, float]) -> Iterator[_TestCase]:
    """Yield what was made, and what was kept although it is not as expected."""
    strict = bool((outcome.get("expectations") or Expectations()).get("strict"))
    missed = _missed(outcome)
    names: dict[str, list[str]] = {}
    times: dict[str, float] = {}
    for asset in outcome.get("assets") or ():
        slot = slot_of(asset)
        names.setdefault(slot, []).append(str(asset.get("filename", "")))
        times[slot] = _seconds(asset, took)
    for slot in dict.fromkeys([*names, *missed]):
        words = [f"not as expected: {line}" for line in missed.get(slot, ())]
        trouble = None
        if words and strict:
            trouble = _Trouble("failure", words[0], "expect", "\n".join(words))
        yield _TestCase(slot, times.get(slot, 0.0), "\n".join([*names.get(slot, ()), *words]), trouble)


def _failures(outcome: RunAnswer, took: Mapping[str, float]) -> Iterator[_TestCase]:
    for failure in outcome.get("failures") or ():
        text = f"{failure.get('code')}: {failure.get('message')}"
        hint = f"\nhint: {failure['hint']}" if failure.get("hint") else ""
        detail = f"{text}{hint}\nmodel {failure.get('model')}, task {failure.get('task_id')}"
        trouble = _Trouble("failure", text, str(failure.get("code")), detail)
        yield _TestCase(str(failure.get("slot")), _seconds(failure, took), trouble=trouble)


def _held(outcome: RunAnswer) -> Iterator[_TestCase]:
    for job in outcome.get("held") or ():
        reason = str(job.get("reason"))
        yield _TestCase(str(job.get("slot")), trouble=_Trouble("error", reason, "held", reason))


_PLACE: Final = ("file", "line", "column")


def _problems(outcome: RunAnswer) -> Iterator[_TestCase]:
    for problem in outcome.get("problems") or ():
        if severity_of(problem) != "error":
            continue
        place = ":".join(str(problem[key]) for key in _PLACE if problem.get(key))
        text = str(problem.get("message"))
        trouble = _Trouble("error", text, str(problem.get("code") or "invalid"), text)
        yield _TestCase(place or "kiebatch", trouble=trouble)


def _missed(outcome: RunAnswer) -> Mapping[str, Sequence[str]]:
    """Return what is not as expected, in words, by slot."""
    found: dict[str, list[str]] = {}
    for verdict in unmet(outcome):
        found.setdefault(str(verdict.get("slot")), []).append(unmet_words(verdict))
    return found


def _seconds(task: Asset | Failure, took: Mapping[str, float]) -> float:
    return took.get(str(task.get("task_id")), 0.0)


def _time(seconds: float) -> str:
    """Return a length as JUnit has it: seconds with up to three decimals."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _xml(text: object) -> str:
    """Leave out what XML 1.0 cannot hold."""
    lines = (plain(line, limit=5000) for line in str(text).split("\n"))
    return re.sub("[\ufffe\uffff\ud800-\udfff]", " ", "\n".join(lines))
