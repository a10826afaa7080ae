"""What CI systems read: job summary, annotations, JUnit.  All from the documents of contract sections 7 and 8."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from kiebatch.errors import plain
from kiebatch.model import JSON, Slot

SUMMARY_BYTES = 900_000  # GitHub refuses a step's summary above 1 MiB
ROWS = 200  # of one table
ANNOTATIONS = 10  # of one severity: GitHub shows no more of a step

_ICONS = {
    "success": "✅",
    "failed": "❌",
    "held": "⏸️",
    "interrupted": "⏹️",
    "refused": "⛔",
    "up-to-date": "✅",
    "work": "🎬",
}


# --- text that means nothing to a machine --------------------------------------------------------------


def harmless(text: object) -> str:
    """Return text such that no line of it is a command to a CI system, with no control characters.

    GitHub reads lines that begin with `::`, and `##[` anywhere; Azure and TeamCity read `##name[`.
    """
    lines = (plain(line, limit=20_000) for line in str(text).split("\n"))
    return "\n".join(re.sub(r"##(?=\w*\[)", "# #", re.sub(r"^(\s*):(?=:)", r"\1: ", line)) for line in lines)


def markdown(text: object, limit: int = 500) -> str:
    """Return text that Markdown shows as it is: no markup, links, pictures, HTML, mentions or line breaks."""
    flat = " ".join(plain(text, limit=limit).split())
    escaped = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", escaped)
    escaped = re.sub(r"^(\d*)([+=.)-])", r"\1\\\2", escaped)  # no list or rule
    # Neither a mention of a person, nor a reference to an issue, nor a link.
    return re.sub(r"(@|:(?=//)|\bwww(?=\.))", "\\1\u200b", escaped)


def code(text: object, limit: int = 200) -> str:
    """Return text as inline code of Markdown, for names and commands; safe in a table."""
    flat = " ".join(plain(text, limit=limit).split()).replace("`", "'").replace("|", "\u00a6")
    return f"`{flat}`" if flat else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], limit: int = ROWS) -> str:
    """Return a Markdown table of cells that are Markdown already, and a line for the rows that it leaves out."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows[:limit]]
    if len(rows) > limit:
        lines.append(f"\n… and {len(rows) - limit} more.")
    return "\n".join(lines)


def bounded(parts: Sequence[str], limit: int = SUMMARY_BYTES) -> str:
    """Join paragraphs, and leave out those that would make the text larger than `limit` bytes."""
    kept: list[str] = []
    size = 0
    for number, part in enumerate(parts):
        size += len(part.encode()) + 2
        if size > limit - 100:
            kept.append(f"… and {len(parts) - number} more parts that do not fit here.")
            break
        kept.append(part)
    return "\n\n".join(kept) + "\n"


def _number(value: JSON) -> str:
    return f"{value:,.4f}".rstrip("0").rstrip(".") if isinstance(value, int | float) else "?"


# --- job summary ---------------------------------------------------------------------------------------


def summary(outcome: Mapping[str, JSON]) -> str:
    """Return a run (contract section 7) or a plan (section 8) as Markdown for `GITHUB_STEP_SUMMARY`."""
    if "totals" in outcome:
        return _plan_summary(outcome)
    status = str(outcome.get("status", "error"))
    jobs: Mapping[str, JSON] = outcome.get("jobs") or {}
    credits: Mapping[str, JSON] = outcome.get("credits") or {}
    parts = [f"## {_ICONS.get(status, '❌')} kiebatch run: {markdown(status)}"]
    if jobs:
        counts = [
            f"{jobs[key]} {key}"
            for key in ("succeeded", "failed", "held", "kept", "skipped")
            if jobs.get(key)
        ]
        parts.append(f"{', '.join(counts) or 'nothing to do'} of {jobs.get('planned', 0)} planned jobs")
    if credits:
        text = f"**{_number(credits.get('spent', 0))} credits** spent, {_number(credits.get('estimated', 0))} estimated"
        if credits.get("billed_for_failures"):
            text += f", {_number(credits['billed_for_failures'])} billed for failed jobs"
        parts.append(text)
    if outcome.get("reason"):
        parts.append(f"Stopped: {markdown(outcome['reason'])}")
    parts += [f"- {markdown(p.get('message'))}" for p in outcome.get("problems") or ()]
    failures = [
        [
            code(f.get("slot")),
            code(f.get("model")),
            code(f.get("code")),
            markdown(f.get("message")) + (f" **{markdown(f['hint'])}**" if f.get("hint") else ""),
            code(f.get("task_id")),
        ]
        for f in outcome.get("failures") or ()
    ]
    if failures:
        parts += ["### Failed", table(["slot", "model", "code", "message", "task"], failures)]
    held = [
        [code(h.get("slot")), markdown(h.get("reason")), code(f"kiebatch resolve '{h.get('slot')}'")]
        for h in outcome.get("held") or ()
    ]
    if held:
        parts += [
            "### Held: perhaps charged, never sent again unasked",
            table(["slot", "reason", "decide"], held),
        ]
    assets = [
        [
            code(_slot_of(a)),
            code(a.get("filename")),
            code(a.get("model")),
            str(a.get("version", 1)),
            _number(a.get("credits")),
        ]
        for a in outcome.get("assets") or ()
    ]
    if assets:
        parts += ["### New", table(["slot", "file", "model", "version", "credits"], assets)]
    return bounded(parts + _unmet_table(outcome))


def _plan_summary(plan: Mapping[str, JSON]) -> str:
    totals: Mapping[str, JSON] = plan.get("totals") or {}
    status = str(plan.get("status", "work"))
    parts = [f"## {_ICONS.get(status, '🎬')} kiebatch plan: {markdown(status)}"]
    unpriced = f", {totals['unpriced']} without a known price" if totals.get("unpriced") else ""
    parts.append(
        f"{totals.get('jobs', 0)} jobs, **{_number(totals.get('credits', 0))} credits** "
        f"(about {_number(totals.get('usd', 0))} USD){unpriced}"
    )
    parts += digest_line(plan)
    rows = [
        [
            code(job.get("slot")),
            markdown(job.get("action")),
            markdown(job.get("reason")),
            code(job.get("model")),
            _number((job.get("credits") or {}).get("amount")),
        ]
        for job in plan.get("jobs") or ()
        if job.get("action") != "keep"
    ]
    if rows:
        parts.append(table(["slot", "action", "reason", "model", "credits"], rows))
    return bounded(parts + _unmet_table(plan))


def unmet(outcome: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    """Return the verdicts of a run or a plan on what is not as expected."""
    verdicts = (outcome.get("expectations") or {}).get("verdicts") or ()
    return [verdict for verdict in verdicts if verdict.get("verdict") == "unmet"]


def unmet_words(verdict: Mapping[str, JSON]) -> str:
    """Say in one line what is not as expected: `size: 1024x1024; expected 10x10`."""
    return f"{verdict.get('check')}: {verdict.get('found')}; expected {verdict.get('expected')}"


def _unmet_table(outcome: Mapping[str, JSON]) -> list[str]:
    rows = [
        [code(one.get("slot")), code(one.get("check")), markdown(one.get("found")), code(one.get("expected"))]
        for one in unmet(outcome)
    ]
    head = ["slot", "check", "found", "expected"]
    return ["### Not as expected: nothing is bought again for it", table(head, rows)] if rows else []


def digest_line(plan: Mapping[str, JSON]) -> list[str]:
    """Return the line that names the effect digest of a plan's document; none where it buys nothing."""
    effects: Mapping[str, JSON] = plan.get("effects") or {}
    if not effects.get("purchases"):
        return []
    return [f"Effect digest, for `kiebatch run --approved`: {code(effects.get('digest'))}"]


def _slot_of(asset: Mapping[str, JSON]) -> str:
    scene = asset.get("scene_id")
    return (
        str(asset.get("id", ""))
        if scene is None
        else str(Slot(scene, asset.get("shot"), None, asset.get("take", 1)))
    )


# --- annotations ---------------------------------------------------------------------------------------


def annotations(problems: Sequence[Mapping[str, JSON]], folder: str = "") -> list[str]:
    """Return workflow commands that GitHub shows beside the lines of a change.

    `problems` are those of `validate`, or the failures and held jobs of a run, with the line of their shot where it is known.
    `folder` is the current folder in the repository, for paths that are relative to it.  At most ten of a severity.
    """
    lines: list[str] = []
    for severity in ("error", "warning"):
        found = [p for p in problems if (p.get("severity") or "error") == severity]
        shown = found if len(found) <= ANNOTATIONS else found[: ANNOTATIONS - 1]
        lines += [_annotation(severity, problem, folder) for problem in shown]
        if len(shown) < len(found):
            lines.append(f"::{severity} title=kiebatch::and {len(found) - len(shown)} more, see the log")
    return lines


def _annotation(severity: str, problem: Mapping[str, JSON], folder: str) -> str:
    slot = problem.get("slot")
    message = plain(problem.get("message") or problem.get("reason") or "", limit=1000)
    if problem.get("hint"):
        message += f"\nhint: {plain(problem['hint'], limit=1000)}"
    properties = {}
    file = problem.get("file")
    if file:
        properties["file"] = (
            str(file) if not folder or str(file).startswith("/") else f"{folder.rstrip('/')}/{file}"
        )
        for key, value in (("line", problem.get("line")), ("col", problem.get("column"))):
            if value:
                properties[key] = str(value)
    properties["title"] = f"kiebatch {slot}" if slot else "kiebatch"
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{severity} {written}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(plain(text)).replace(":", "%3A").replace(",", "%2C")


# --- JUnit ---------------------------------------------------------------------------------------------


def junit(outcome: Mapping[str, JSON], seconds: Mapping[str, float] | None = None) -> str:
    """Return a run (contract section 7) as JUnit XML: one test case per job, a held job being an error.

    Jobs that were kept have no name in that document, unless they are not as expected; the suite's property `kept` counts
    them.  What is not as expected is a failure in a strict run alone.  `seconds` is how long each task took, by its id.
    """
    took = seconds or {}
    made: dict[str, list[str]] = {}
    times: dict[str, float] = {}
    for asset in outcome.get("assets") or ():
        made.setdefault(_slot_of(asset), []).append(str(asset.get("filename", "")))
        times[_slot_of(asset)] = took.get(str(asset.get("task_id")), 0.0)
    failures = list(outcome.get("failures") or ())
    missed = _missed(outcome)
    strict = bool((outcome.get("expectations") or {}).get("strict"))
    for slot in missed:
        made.setdefault(slot, [])
        times.setdefault(slot, 0.0)
    held = list(outcome.get("held") or ())
    problems = [p for p in outcome.get("problems") or () if (p.get("severity") or "error") == "error"]
    count = len(made) + len(failures) + len(held) + len(problems)
    errors = len(held) + len(problems)
    failed = len(failures) + (len(missed) if strict else 0)
    numbers = {"tests": str(count), "failures": str(failed), "errors": str(errors)}
    root = ET.Element("testsuites", {"name": "kiebatch", **numbers})
    total = sum(times.values()) + sum(took.get(str(f.get("task_id")), 0.0) for f in failures)
    suite = ET.SubElement(
        root, "testsuite", {"name": "kiebatch run", **numbers, "skipped": "0", "time": _time(total)}
    )
    properties = ET.SubElement(suite, "properties")
    facts = {
        "status": outcome.get("status"),
        "run_id": outcome.get("run_id"),
        "kept": (outcome.get("jobs") or {}).get("kept"),
    }
    facts["credits spent"] = (outcome.get("credits") or {}).get("spent")
    for name, value in facts.items():
        if value is not None:
            ET.SubElement(properties, "property", name=name, value=_xml(value))
    for slot, filenames in made.items():
        case = _case(suite, slot, times[slot])
        words = [f"not as expected: {line}" for line in missed.get(slot, ())]
        if words and strict:
            _problem(case, "failure", words[0], "expect", "\n".join(words))
        ET.SubElement(case, "system-out").text = _xml("\n".join([*filenames, *words]))
    for failure in failures:
        text = f"{failure.get('code')}: {failure.get('message')}"
        hint = f"\nhint: {failure['hint']}" if failure.get("hint") else ""
        detail = f"{text}{hint}\nmodel {failure.get('model')}, task {failure.get('task_id')}"
        case = _case(suite, failure.get("slot"), took.get(str(failure.get("task_id")), 0.0))
        _problem(case, "failure", text, _xml(failure.get("code")), detail)
    for job in held:
        _problem(
            _case(suite, job.get("slot")), "error", str(job.get("reason")), "held", str(job.get("reason"))
        )
    for problem in problems:
        place = ":".join(str(problem[key]) for key in ("file", "line", "column") if problem.get(key))
        text = str(problem.get("message"))
        _problem(
            _case(suite, place or "kiebatch"), "error", text, _xml(problem.get("code") or "invalid"), text
        )
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _missed(outcome: Mapping[str, JSON]) -> dict[str, list[str]]:
    """Return what is not as expected, in words, by slot."""
    found: dict[str, list[str]] = {}
    for verdict in unmet(outcome):
        found.setdefault(str(verdict.get("slot")), []).append(unmet_words(verdict))
    return found


def _case(suite: ET.Element, name: JSON, seconds: float = 0.0) -> ET.Element:
    return ET.SubElement(suite, "testcase", name=_xml(name), classname="kiebatch", time=_time(seconds))


def _time(seconds: float) -> str:
    """Return a length as JUnit has it: seconds with up to three decimals."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _problem(case: ET.Element, kind: str, message: str, type: str, detail: str) -> None:
    ET.SubElement(case, kind, message=_xml(message), type=type).text = _xml(detail)


def _xml(text: object) -> str:
    """Leave out what XML 1.0 cannot hold."""
    lines = (plain(line, limit=5000) for line in str(text).split("\n"))
    return re.sub("[\ufffe\uffff\ud800-\udfff]", " ", "\n".join(lines))
