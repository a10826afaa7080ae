"""The error tree, exit codes, `Where`, `Problem`, and how a problem is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import field
from enum import IntEnum
from typing import Literal, NamedTuple

from kiebatch._dataclass import dataclass

Severity = Literal["error", "warning"]


class Exit(IntEnum):
    """What the shell sees.  Where several apply: 2, 70, 130, 4, 5, 1, 3, in that order."""

    OK = 0
    FAILED = 1
    INVALID = 2
    DIFFERS = 3
    REFUSED = 4
    HELD = 5
    BUG = 70
    INTERRUPTED = 130

    def when(self, happened: object) -> Exit:
        """Return this code where something is true, else `OK`."""
        return self if happened else Exit.OK


_PRECEDENCE = (Exit.INVALID, Exit.BUG, Exit.INTERRUPTED, Exit.REFUSED, Exit.HELD, Exit.FAILED, Exit.DIFFERS)


def worst(codes: Iterable[Exit]) -> Exit:
    """Return the exit code that wins when several apply; `Exit.OK` for none."""
    found = set(codes)
    return next((code for code in _PRECEDENCE if code in found), Exit.OK)


class Where(NamedTuple):
    """A place in a file.  Line and column count from 1; 0 means unknown."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file or "-"]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with what the user gave, at its place, with a way out where one is known.

    `code` is a short stable word for scripts (`unknown-key`, `too-long`); lint codes can be silenced.
    """

    where: Where
    message: str
    hint: str = ""
    severity: Severity = "error"
    code: str = "invalid"

    def __str__(self) -> str:
        label = "warning: " if self.severity == "warning" else ""
        place = f"{self.where}: " if self.where.file else ""
        text = f"{place}{label}{self.message}"
        return f"{text}\nhint: {self.hint}" if self.hint else text

    def as_json(self) -> dict[str, str | int | None]:
        """Return the keys of contract section 8, `validate`."""
        return {
            "file": self.where.file,
            "line": self.where.line or None,
            "column": self.where.column or None,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "hint": self.hint or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a job, before anybody knows its place in a file.

    `field` is what it is about, as the person wrote it: `prompt`, `params.aspect_ratio`, `references`, `duration`,
    `model`.  `code` is a short stable word; warnings can be silenced by it.
    """

    field: str
    message: str
    hint: str = ""
    severity: Severity = "error"
    code: str = "invalid-input"


class KieBatchError(Exception):
    """Base of everything raised on purpose.  `exit_code` is what the shell sees.

    - Invalid (2): bad usage or files; nothing was sent
    - Refused (4): no key, no credits, over budget, another run is at work; the run can be resumed
    - Interrupted (130): the user stopped it; the run can be resumed
    """

    exit_code: Exit = Exit.FAILED
    status: str = "error"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        """`code` is a short stable word for scripts; by default the status."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.status

    def problems_as_json(self) -> list[dict[str, str | int | None]]:
        """Return the error in the shape that every `--json` answer uses."""
        return [Problem(where=Where(), message=self.message, hint=self.hint, code=self.code).as_json()]

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class Invalid(KieBatchError):
    """What the user gave cannot be used.  Carries every problem found; nothing was sent."""

    exit_code = Exit.INVALID
    status = "invalid"

    def __init__(self, problems: Sequence[Problem] | str, *, hint: str = "") -> None:
        if isinstance(problems, str):
            problems = [Problem(where=Where(), message=problems, hint=hint)]
        self.problems: tuple[Problem, ...] = tuple(problems)
        first = self.problems[0]
        super().__init__(first.message, hint=first.hint)

    def problems_as_json(self) -> list[dict[str, str | int | None]]:
        return [problem.as_json() for problem in self.problems]

    def __str__(self) -> str:
        return "\n".join(str(p) for p in self.problems)


class Refused(KieBatchError):
    """The provider, the budget or another run says no.  Nothing more is sent; the run can be resumed."""

    exit_code = Exit.REFUSED
    status = "refused"


class Interrupted(KieBatchError):
    """The user stopped the run.  What is paid for can be collected by the next run."""

    exit_code = Exit.INTERRUPTED
    status = "interrupted"


class CallFailed(KieBatchError):
    """One call over the network came to nothing; it ends that call, not the run.

    `code` is the provider's, or one of ours: `no-answer`, `gone` (a dead link), `too-big`, `truncated`, `not-media`,
    `forbidden-address`, `bad-redirect`, `bad-encoding`, `no-url`, `not-found`, `timeout`.  `retryable` says that later may differ.
    """

    status = "failed"

    def __init__(
        self, code: str, message: str, *, retryable: bool, retry_after_s: float | None = None, hint: str = ""
    ) -> None:
        super().__init__(plain(message), hint=hint)
        self.code = code
        self.retryable = retryable
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Problems:
    """Collects the problems of a file so that they are reported together."""

    found: list[Problem] = field(default_factory=list)

    def error(self, where: Where, message: str, *, hint: str = "", code: str = "invalid") -> None:
        self.found.append(Problem(where=where, message=message, hint=hint, code=code))

    def warning(self, where: Where, message: str, *, hint: str = "", code: str = "warning") -> None:
        self.found.append(Problem(where=where, message=message, hint=hint, code=code, severity="warning"))

    @property
    def errors(self) -> list[Problem]:
        return [p for p in self.found if p.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        return [p for p in self.found if p.severity == "warning"]

    def raise_if_errors(self) -> None:
        """Raise `Invalid` with everything found, in file order, when there is at least one error."""
        if self.errors:
            raise Invalid(sorted(self.found, key=lambda p: (p.where.file, p.where.line, p.where.column)))


def plain(text: object, limit: int = 2000) -> str:
    """Make text from outside safe to print: no control or bidirectional characters, bounded length.

    Provider messages, file names and titles reach a terminal through this alone.
    """
    kept = str(text)
    if not kept.isprintable():  # to Python, what turns the direction of a text is not printable either
        kept = "".join(c if c.isprintable() else " " for c in kept)
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def install_hint(extra: str) -> str:
    """Return the command that installs what an extra of ours needs, such as `pdf`.

    It names the libraries, never `kiebatch`: as long as that is not on the package index, anybody may register it.
    """
    from importlib import metadata  # only where something is missing

    try:
        required = metadata.requires("kiebatch") or []
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        required = []
    marked = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]")
    named = [line.partition(";")[0].strip() for line in required if marked.search(line)]
    libraries = [f"'{name}'" for name in named if not name.startswith("kiebatch")]
    return "pip install " + (" ".join(libraries) or f"'./kiebatch[{extra}]'")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `2 jobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like `word`, or nothing."""
    import difflib  # only where a word is not known

    by_lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def shortened(text: str, most: int) -> str:
    """Return a text as a message shows it: of `most` letters at most, the last three as dots where it is longer."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the hint for a misspelt word: "did you mean `prompt`?", or nothing where no known word is near."""
    return suggested(nearest(word, known))


def suggested(word: str) -> str:
    """Return the hint that names the word that was meant; nothing where there is none."""
    return f"did you mean `{word}`?" if word else ""
