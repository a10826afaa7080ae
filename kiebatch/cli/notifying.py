"""Tells somebody that a run is over: a command of theirs, or a notification on the desktop.

What is called comes from the command line, the environment or the user's config.yaml, never from a scene file.  It is
started without a shell, and it gets no key.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from kiebatch.ci import answers
from kiebatch.ci.answers import Counts, RunAnswer, Spending
from kiebatch.cli import console
from kiebatch.errors import KieBatchError, plain
from kiebatch.model import JSON

DESKTOP = "desktop"
_PATIENCE_S = 30.0
_SECRETS = ("KIE_API_KEY", "KIE_WEBHOOK_KEY")
# The text is an argument of the script, never a part of it.
_OSASCRIPT = (
    "osascript",
    *("-e", "on run argv"),
    *("-e", "display notification (item 2 of argv) with title (item 1 of argv)"),
    *("-e", "end run"),
)


@contextlib.contextmanager
def at_the_end(how: str) -> Iterator[Callable[[Mapping[str, JSON]], object]]:
    """Tell of the answer that is passed to what this yields, or of the error that ends the block.  Empty: tell nobody."""
    answers: list[Mapping[str, JSON]] = []
    try:
        yield answers.append
    except KieBatchError as error:
        answers.append({"status": error.status, "problems": error.problems_as_json()})
        raise
    finally:
        if how and answers:
            tell(how, answers[-1])


def tell(how: str, answer: Mapping[str, JSON]) -> None:
    """Start what --notify names.  That it fails is said, and changes nothing: the run is over."""
    words = desktop(sys.platform, sentence(answer)) if how == DESKTOP else shlex.split(how)
    if not words:
        console.say("--notify desktop: there is neither notify-send nor osascript here")
        return
    try:
        done = subprocess.run(
            words,
            input=json.dumps(answer),
            env=environment(answer, os.environ),
            stdout=subprocess.DEVNULL,
            text=True,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        console.say(f"--notify: `{plain(words[0])}` could not tell: {plain(error)}")
        return
    if done.returncode:
        console.say(f"--notify: `{plain(words[0])}` ended with {done.returncode}")


def desktop(platform: str, text: str, which: Callable[[str], str | None] = shutil.which) -> Sequence[str]:
    """Return the command that shows a text on a desktop; empty where there is none."""
    if platform == "darwin" and which("osascript"):
        return (*_OSASCRIPT, "kiebatch", text)
    if which("notify-send"):
        return ("notify-send", "--app-name=kiebatch", "--", "kiebatch", text)
    return ()


def environment(answer: Mapping[str, JSON], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of what is called: the result in variables, and no key."""
    run = answers.of_run(answer)
    jobs, credits = run.get("jobs") or Counts(), run.get("credits") or Spending()
    told = {
        "KIEBATCH_STATUS": run.get("status"),
        "KIEBATCH_RUN": run.get("run_id"),
        "KIEBATCH_SUCCEEDED": jobs.get("succeeded"),
        "KIEBATCH_FAILED": jobs.get("failed"),
        "KIEBATCH_HELD": jobs.get("held"),
        "KIEBATCH_SPENT": credits.get("spent"),
        "KIEBATCH_TEXT": sentence(answer),
    }
    kept = {name: value for name, value in environ.items() if name not in _SECRETS}
    return kept | {name: str(value) for name, value in told.items() if value is not None}


def sentence(answer: Mapping[str, JSON]) -> str:
    """Return what a run came to in one line."""
    run = answers.of_run(answer)
    jobs = run.get("jobs")
    if not jobs:
        return plain(f"{run.get('status')}: {_about(run)}", 200)
    counts = {
        "made": jobs.get("succeeded"),
        "failed": jobs.get("failed"),
        "held": jobs.get("held"),
        "not sent": jobs.get("skipped"),
    }
    parts = [f"{count} {word}" for word, count in counts.items() if count] or ["nothing to do"]
    spent = (run.get("credits") or Spending()).get("spent")
    if spent:
        parts.append(f"{spent:g} credits")
    return f"{run.get('status')}: {', '.join(parts)}"


def _about(answer: RunAnswer) -> str:
    """Return the words of an answer that counts no jobs: a refusal, or that of `kiebatch generate`."""
    problems = answer.get("problems")
    if problems:
        return str(problems[0]["message"])
    names = [os.path.basename(path) for path in answer.get("downloaded_files") or ()]
    return str(answer.get("error") or ", ".join(names))
