"""What to do next, as data: which commands lead on from an answer that is not success, what they spend, which are safe.

A step is safe when it can neither spend nor lose anything beyond the cap that was given: it only looks, it decides what
the balance has decided already, or it is a run that stays within what is left of `--max-credits`.  Whoever follows safe
steps alone, person or program, spends no more than that cap in all.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiebatch._dataclass import dataclass
from kiebatch.cli import command_line

if TYPE_CHECKING:
    from kiebatch.ci.answers import Check, Problem, RunAnswer, SlotState
    from kiebatch.model import JSON  # with 26 dataclasses, which `--help` does without

_SPENDS = frozenset({"run", "generate", "enhance"})
_LOOKS = frozenset(
    {"validate", "explain", "plan", "presets", "status", "schema", "models", "log", "diff", "verify"}
)
_LOOKS |= {"runs", "assets", "costs", "credits", "doctor", "pull"}
# Options that are said once, that let a run pass its cap, or that hold a secret.
_NOT_AGAIN = frozenset(
    {"as_json", "api_key", "force", "plan_file", "approved", "max_credits", "quiet", "check", "out"}
)
_NO_BOUND = frozenset({"allow_unpriced", "trust_prices", "allow_unknown_model"})
_PLACES = ("project", "assets", "state", "draft")
_NAMED = re.compile(r"`kiebatch ([^`]+)`")
_BLANK = re.compile(r"\b[A-Z]+\b|…|\.\.\.")  # FILE, T, N: a word that the reader replaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command that leads on, as the words after the program's name."""

    words: tuple[str, ...]
    why: str
    spends: bool = False
    safe: bool = True

    @property
    def command(self) -> str:
        return shlex.join(("kiebatch", *self.words))

    def as_json(self) -> dict[str, JSON]:
        return {"command": self.command, "spends": self.spends, "safe": self.safe, "why": self.why}

    def __str__(self) -> str:
        return f"hint: `{self.command}`: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command line as it was read: the words of each option, in order; those of arguments under theirs."""

    command: str
    values: Mapping[str, Any]
    parts: Mapping[str, tuple[str, ...]]

    @property
    def film(self) -> tuple[str, ...]:
        """The scene file that was named, and where its film lies, as `plan` and `run` take them."""
        return (*self.parts.get("scene_file", ()), *self._of(_PLACES))

    @property
    def place(self) -> tuple[str, ...]:
        """Where the film lies, for `resolve`, which takes no scene file and knows no drafts."""
        words = self._of(("project", "assets", "state"))
        scene_file = self.values.get("scene_file")
        if scene_file and "project" not in self.parts and Path(scene_file).parent != Path():
            return ("--project", str(Path(scene_file).parent), *words)
        return words

    @property
    def cap(self) -> float | None:
        return self.values.get("max_credits")

    @property
    def bounded(self) -> bool:
        """Whether a cap, where there is one, bounds all that may be spent."""
        return not (self.parts.keys() & _NO_BOUND)

    @property
    def draft(self) -> bool:
        return "draft" in self.parts

    def again(self) -> tuple[str, ...]:
        """The same words, but for what is said once."""
        return tuple(word for name in self.parts if name not in _NOT_AGAIN for word in self.parts[name])

    def _of(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(word for name in names for word in self.parts.get(name, ()))


def typed(command: Any, args: Sequence[str]) -> Typed | None:
    """Return what the words after a command's name say; None for a group of commands, and where they say nothing.

    `command` is one of click's.
    """
    if hasattr(command, "commands"):
        return None
    context = command.make_context(command.name, list(args), resilient_parsing=True)
    parts = {}
    for parameter in command.params:
        words = _words(parameter, context.params.get(parameter.name))
        if words:
            parts[parameter.name] = words
    return Typed(command=command.name, values=context.params, parts=parts)


def _words(parameter: Any, value: Any) -> tuple[str, ...]:
    if value in (None, False, ()) or value == parameter.default:
        return ()
    if getattr(parameter, "is_flag", False):
        return (parameter.opts[0],)
    values = value if isinstance(value, list | tuple) else (value,)
    option = () if parameter.param_type_name == "argument" else (parameter.opts[0],)
    return tuple(word for one in values for word in (*option, str(one)))


def of(asked: Typed | None, answer: Mapping[str, JSON]) -> list[Step]:
    """Return the steps that lead on from an answer, best first; none where only a person can know.

    `answer` is a document of the contract: what its `status`, `problems`, `failures`, `held` and `slots` say decides.
    """
    if asked is None:
        return []
    known = _known(answer)
    steps: dict[str, Step] = {}
    for rule in _RULES:
        for step in rule(asked, known):
            steps.setdefault(step.command, step)
    return list(steps.values())


def _known(answer: Mapping[str, JSON]) -> RunAnswer:
    from kiebatch.ci import answers  # only where something leads on from an answer

    return answers.of_run(answer)


def after(answer: Mapping[str, JSON], *, succeeded: bool) -> list[Step] | None:
    """Return the steps after an answer of the command at hand; None after a success that leaves nothing to do."""
    command = command_line.asked.get()()
    if succeeded and (command is None or command.command not in ("plan", "status")):
        return None
    return of(command, answer)


def unsaid(answer: Mapping[str, JSON]) -> list[Step]:
    """Return the steps after an answer that is not success, without those that its own hints name already."""
    command = command_line.asked.get()()
    if command is None:
        return []
    said = "\n".join(_hints(command, _known(answer)))
    return [step for step in of(command, answer) if f"`{step.command}`" not in said]


# --- the rules, each for one thing that an answer can say --------------------------------------------------


def _from_held(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    held = [*(answer.get("held") or ()), *(s for s in _slots(answer) if s["state"] == "held")]
    for one in held:
        slot = str(one["slot"])
        words = ("resolve", slot, *asked.place)
        if one.get("charged") is False:
            yield Step(words=(*words, "--resubmit"), why="the balance says that it was not charged")
            continue
        if one.get("task_id"):
            why = "the provider named this task: the next run looks for it, at no cost"
            yield Step(words=(*words, "--task-id", str(one["task_id"])), why=why)
            continue
        yield Step(words=("status", *asked.film), why=f"says what the balance shows of `{slot}`")
        yield Step(
            words=(*words, "--task-id", "T"), why="its task is listed at kie.ai/logs: collect it", safe=False
        )
        yield Step(words=(*words, "--resubmit"), why="it is not listed there: send it again", safe=False)


def _from_empty(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    """A task that the provider calls finished, and that named no output, can bring nothing any more."""
    for failure in answer.get("failures") or ():
        if failure["code"] == "no-output":
            words = ("resolve", str(failure["slot"]), *asked.place, "--forget")
            within = asked.cap is not None and asked.bounded
            why = f"gives task {failure['task_id']} up, so that the next run makes another, as a new charge"
            yield Step(words=words, why=why, safe=within)


def _from_stop(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    """What to look at where the provider, the budget or the machine said no."""
    looks = {
        "budget": ("plan", "says what the rest costs: a person decides on a higher cap"),
        "over-cap": ("plan", "says what each job costs: a person decides on a higher cap"),
        "over-limit": ("plan", "says what each job costs: a person decides on a higher limit"),
        "unpriced": ("plan", "says whose price is not known: a person decides on --allow-unpriced"),
        "no-consent": ("plan", "says what it would cost: a person agrees with --max-credits N"),
        "credits": ("credits", "shows the balance"),
        "no-key": ("doctor", "says where a key is looked for"),
        "key": ("doctor", "says which key is used, and what the provider says to it"),
        "unreachable": ("doctor", "looks at the network and the provider"),
        "trouble": ("doctor", "looks at the network and the provider"),
        "no-room": ("doctor", "says how much room there is"),
        "lost-journal": ("status", "lists what is known to be in flight"),
    }
    for code in (answer.get("stopped"), *(problem.get("code") for problem in _problems(answer))):
        if code in looks:
            command, why = looks[code]
            words = asked.film if command in ("plan", "status") else _project(asked)
            yield Step(words=(command, *words), why=why)


def _from_problems(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    """What looks closer at a file, at the command itself, and what hints name."""
    problems = _problems(answer)
    if any(problem.get("code") == "usage" for problem in problems):
        yield Step(words=(asked.command, "--help"), why="shows what it takes")
    placed = answer.get("status") == "invalid" and any(problem.get("line") for problem in problems)
    named = asked.parts.get("scene_file", ())
    if placed and asked.command != "validate" and _are_scene_files(named):
        yield Step(words=("validate", *named), why="lists all that is wrong with it")
    for hint in _hints(asked, answer):
        for found in _NAMED.finditer(hint):
            yield _judged(found.group(1), why=hint.partition("\n")[0])


def _are_scene_files(named: Sequence[str]) -> bool:
    """Whether files can be scene files by their names: `convert` takes lists, too."""
    from kiebatch.project import finding  # only where something is wrong

    return bool(named) and all(Path(name).suffix.lower() in finding.TEXTS for name in named)


def _from_damage(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    if answer.get("status") != "damaged":
        return
    if "remote" in asked.parts:
        words = ("push", *_project(asked))
        yield Step(words=words, why="stores what is here and not there", safe=False)
    elif "fix" not in asked.parts:
        words = ("verify", *asked.film, "--fix")
        yield Step(words=words, why="mends what can be mended without loss")


def _from_migration(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    if asked.command == "migrate" and answer.get("status") == "work":
        words = ("migrate", *(word for word in asked.again() if word != "--check"))
        yield Step(words=words, why="writes the other models into the scene file", safe=False)


def _from_collectable(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    """A single prompt that was paid for is collected by its task."""
    if asked.command != "generate" or not answer.get("task_id") or asked.draft:
        return
    place = tuple(word for name in ("output", *_PLACES) for word in asked.parts.get(name, ()))
    words = ("generate", "--task-id", str(answer["task_id"]), "--model", str(answer["model"]), *place)
    yield Step(words=words, why="collects the task that was paid for, at no cost")


# What no command of the same kind gets past: a person changes something first.
_FOR_A_PERSON = {"budget", "over-limit", "unpriced", "no-key", "no-consent", "lost-journal", "no-room"}


def _from_work(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    """The run that goes on; last, since it finds done what the steps before it did."""
    stopped = {answer.get("stopped"), *(problem.get("code") for problem in _problems(answer))}
    if stopped & _FOR_A_PERSON:
        return
    if "over-cap" in stopped:
        if asked.command == "run":
            yield _run(asked, answer, why="does what the cap allows", more=("--partial",))
    elif asked.command in ("run", "generate"):
        if answer.get("status") in ("failed", "held", "refused", "interrupted"):
            yield from _goes_on(asked, answer)
    elif asked.command in ("plan", "status") and (answer.get("status") == "work" or _unfinished(answer)):
        yield _run(asked, answer, why="does it", command="run")


def _goes_on(asked: Typed, answer: RunAnswer) -> Iterator[Step]:
    """The same command once more; for failures that come again it has to be said."""
    if asked.command == "generate" and (answer.get("task_id") or answer.get("status") == "held"):
        return
    failures = answer.get("failures") or ()
    stubborn = bool(failures) and not any(failure["retryable"] for failure in failures)
    if stubborn and "only" not in asked.parts:
        why = "tries once more what failed, as a new charge"
        yield _run(asked, answer, why=why, more=("--only", "failed"))
    else:
        yield _run(asked, answer, why="collects what is paid for, and makes what is not")


def _run(asked: Typed, answer: RunAnswer, *, why: str, more: Sequence[str] = (), command: str = "") -> Step:
    """Return the run that goes on within what is left of the cap."""
    again = _same_words(asked, command)
    words = (command or asked.command, *again, *(word for word in more if word not in again))
    if asked.draft:
        return Step(words=words, why=why)
    if asked.cap is None:
        return Step(words=words, why=why, spends=True, safe=False)
    spending = answer.get("credits")
    reserved = (spending and spending.get("reserved")) or 0.0
    left = max(0.0, math.floor((asked.cap - reserved) * 10_000) / 10_000)
    cap = f"{left:.4f}".rstrip("0").rstrip(".")
    return Step(words=(*words, "--max-credits", cap), why=why, spends=left > 0, safe=asked.bounded)


def _same_words(asked: Typed, command: str) -> Sequence[str]:
    """Return what is said again after `command`, which takes all that `plan` takes but what only shows or writes."""
    if not command:
        return asked.again()
    if asked.command == "plan":
        return [word for word in asked.again() if word not in ("--all", "--write-moved")]
    return asked.film


_RULES: tuple[Callable[[Typed, RunAnswer], Iterator[Step]], ...] = (
    _from_held,
    _from_empty,
    _from_stop,
    _from_problems,
    _from_damage,
    _from_migration,
    _from_collectable,
    _from_work,
)


def _judged(words: str, *, why: str) -> Step:
    """Return a command that a hint names, with what it can do."""
    name = words.split()[0]
    spends = name in _SPENDS and "--draft" not in words and "--dry-run" not in words
    safe = name in _LOOKS and not _BLANK.search(words) and "--out" not in words
    return Step(words=tuple(words.split()), why=why, spends=spends, safe=safe)


def _problems(answer: RunAnswer) -> list[Problem]:
    return [p for p in answer.get("problems") or () if p.get("severity", "error") == "error"]


def _hints(asked: Typed, answer: RunAnswer) -> Iterator[str]:
    """Yield the hints that an answer's problems carry, and the checks of `doctor`."""
    checks: Sequence[Check] = ()
    if asked.command == "doctor":
        checks = answer.get("checks", ())
    for one in (*_problems(answer), *checks):
        if one.get("hint"):
            yield str(one["hint"])


def _slots(answer: RunAnswer) -> list[SlotState]:
    return [slot for slot in answer.get("slots") or () if "state" in slot]


def _unfinished(answer: RunAnswer) -> bool:
    return any(slot["state"] in ("queued", "in-flight", "failed", "missing") for slot in _slots(answer))


def _project(asked: Typed) -> tuple[str, ...]:
    return asked.parts.get("project", ())
