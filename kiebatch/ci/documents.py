"""What CI systems read: job summary, annotations.  All from the documents of contract sections 7 and 8."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from kiebatch.ci import answers
from kiebatch.ci.answers import (
    Amount,
    Asset,
    Counts,
    Effects,
    Expectations,
    Failure,
    Held,
    PlanAnswer,
    PlannedJob,
    RunAnswer,
    Spending,
    Totals,
    Verdict,
)
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


def _number(value: object) -> str:
    return f"{value:,.4f}".rstrip("0").rstrip(".") if isinstance(value, int | float) else "?"


# --- job summary ---------------------------------------------------------------------------------------


def summary(outcome: Mapping[str, JSON]) -> str:
    """Return a run (contract section 7) or a plan (section 8) as Markdown for `GITHUB_STEP_SUMMARY`."""
    if "totals" in outcome:
        plan = answers.of_plan(outcome)
        return bounded(_plan_summary(plan) + _unmet_table(plan))
    run = answers.of_run(outcome)
    return bounded(_run_summary(run) + _unmet_table(run))


def _run_summary(outcome: RunAnswer) -> list[str]:
    status = str(outcome.get("status", "error"))
    parts = [f"## {_ICONS.get(status, '❌')} kiebatch run: {markdown(status)}"]
    if outcome.get("jobs"):
        parts.append(_counts(outcome["jobs"]))
    if outcome.get("credits"):
        parts.append(_spending(outcome["credits"]))
    if outcome.get("reason"):
        parts.append(f"Stopped: {markdown(outcome['reason'])}")
    parts += [f"- {markdown(problem.get('message'))}" for problem in outcome.get("problems", ())]
    parts += _section(
        "Failed",
        ["slot", "model", "code", "message", "task"],
        [_failed_row(failure) for failure in outcome.get("failures", ())],
    )
    parts += _section(
        "Held: perhaps charged, never sent again unasked",
        ["slot", "reason", "decide"],
        [_held_row(job) for job in outcome.get("held", ())],
    )
    parts += _section(
        "New",
        ["slot", "file", "model", "version", "credits"],
        [_new_row(asset) for asset in outcome.get("assets", ())],
    )
    return parts


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table under its heading; nothing where it has no rows."""
    if not rows:
        return []
    return [f"### {title}", table(head, rows)]


_COUNTED: Final = ("succeeded", "failed", "held", "kept", "skipped")


def _counts(jobs: Counts) -> str:
    counts = ", ".join(f"{jobs[name]} {name}" for name in _COUNTED if jobs.get(name))
    return f"{counts or 'nothing to do'} of {jobs.get('planned', 0)} planned jobs"


def _spending(credits: Spending) -> str:
    text = f"**{_number(credits.get('spent', 0))} credits** spent, {_number(credits.get('estimated', 0))} estimated"
    if credits.get("billed_for_failures"):
        text += f", {_number(credits['billed_for_failures'])} billed for failed jobs"
    return text


def _failed_row(failure: Failure) -> list[str]:
    message = markdown(failure.get("message"))
    if failure.get("hint"):
        message += f" **{markdown(failure['hint'])}**"
    return [
        code(failure.get("slot")),
        code(failure.get("model")),
        code(failure.get("code")),
        message,
        code(failure.get("task_id")),
    ]


def _held_row(job: Held) -> list[str]:
    slot = job.get("slot")
    return [code(slot), markdown(job.get("reason")), code(f"kiebatch resolve '{slot}'")]


def _new_row(asset: Asset) -> list[str]:
    return [
        code(slot_of(asset)),
        code(asset.get("filename")),
        code(asset.get("model")),
        str(asset.get("version", 1)),
        _number(asset.get("credits")),
    ]


def _plan_summary(plan: PlanAnswer) -> list[str]:
    totals = plan.get("totals") or Totals()
    status = str(plan.get("status", "work"))
    unpriced = f", {totals['unpriced']} without a known price" if totals.get("unpriced") else ""
    parts = [
        f"## {_ICONS.get(status, '🎬')} kiebatch plan: {markdown(status)}",
        f"{totals.get('jobs', 0)} jobs, **{_number(totals.get('credits', 0))} credits** "
        f"(about {_number(totals.get('usd', 0))} USD){unpriced}",
        *_digest_line(plan),
    ]
    rows = [_planned_row(job) for job in plan.get("jobs") or () if job.get("action") != "keep"]
    if rows:
        parts.append(table(["slot", "action", "reason", "model", "credits"], rows))
    return parts


def _planned_row(job: PlannedJob) -> list[str]:
    return [
        code(job.get("slot")),
        markdown(job.get("action")),
        markdown(job.get("reason")),
        code(job.get("model")),
        _number((job.get("credits") or Amount()).get("amount")),
    ]


def unmet(outcome: RunAnswer | PlanAnswer) -> list[Verdict]:
    """Return the verdicts of a run or a plan on what is not as expected."""
    expectations = outcome.get("expectations") or Expectations()
    return [verdict for verdict in expectations.get("verdicts") or () if verdict.get("verdict") == "unmet"]


def unmet_words(verdict: Verdict) -> str:
    """Say in one line what is not as expected: `size: 1024x1024; expected 10x10`."""
    return f"{verdict.get('check')}: {verdict.get('found')}; expected {verdict.get('expected')}"


def _unmet_table(outcome: RunAnswer | PlanAnswer) -> list[str]:
    return _section(
        "Not as expected: nothing is bought again for it",
        ["slot", "check", "found", "expected"],
        [
            [
                code(one.get("slot")),
                code(one.get("check")),
                markdown(one.get("found")),
                code(one.get("expected")),
            ]
            for one in unmet(outcome)
        ],
    )


def digest_line(plan: Mapping[str, JSON]) -> list[str]:
    """Return the line that names the effect digest of a plan's document; none where it buys nothing."""
    return _digest_line(answers.of_plan(plan))


def _digest_line(plan: PlanAnswer) -> list[str]:
    effects = plan.get("effects") or Effects()
    if not effects.get("purchases"):
        return []
    return [f"Effect digest, for `kiebatch run --approved`: {code(effects.get('digest'))}"]


def slot_of(asset: Asset) -> str:
    scene = asset.get("scene_id")
    if scene is None:
        return str(asset.get("id", ""))
    return str(Slot(scene, asset.get("shot"), None, asset.get("take", 1)))


# --- annotations ---------------------------------------------------------------------------------------


def annotations(problems: Sequence[Mapping[str, object]], folder: str = "") -> list[str]:
    """Return workflow commands that GitHub shows beside the lines of a change.

    `problems` are those of `validate`, or the failures and held jobs of a run, with the line of their shot where it is known.
    `folder` is the current folder in the repository, for paths that are relative to it.  At most ten of a severity.
    """
    lines: list[str] = []
    for severity in ("error", "warning"):
        found = [p for p in problems if severity_of(p) == severity]
        shown = found if len(found) <= ANNOTATIONS else found[: ANNOTATIONS - 1]
        lines += [_annotation(severity, problem, folder) for problem in shown]
        if len(shown) < len(found):
            lines.append(f"::{severity} title=kiebatch::and {len(found) - len(shown)} more, see the log")
    return lines


def severity_of(problem: Mapping[str, object]) -> str:
    """Return how bad a problem is; a failure and a held job do not say it, and are errors."""
    return str(problem.get("severity") or "error")


def _annotation(severity: str, problem: Mapping[str, object], folder: str) -> str:
    slot = problem.get("slot")
    message = plain(problem.get("message") or problem.get("reason") or "", limit=1000)
    if problem.get("hint"):
        message += f"\nhint: {plain(problem['hint'], limit=1000)}"
    properties = _place(problem, folder)
    properties["title"] = f"kiebatch {slot}" if slot else "kiebatch"
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{severity} {written}::{_data(message)}"


def _place(problem: Mapping[str, object], folder: str) -> dict[str, str]:
    """Return where a problem lies, in the words of a workflow command; nothing where no file is named."""
    if not problem.get("file"):
        return {}
    file = str(problem["file"])
    if folder and not file.startswith("/"):
        file = f"{folder.rstrip('/')}/{file}"
    place = {"file": file, "line": problem.get("line"), "col": problem.get("column")}
    return {key: str(value) for key, value in place.items() if value}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(plain(text)).replace(":", "%3A").replace(",", "%2C")
