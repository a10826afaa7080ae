"""What a page can ask for, and what that would do: values without any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kiebatch.model import JSON


class Kind(StrEnum):
    """The actions of the page.  The last three are about the whole film and name no slot."""

    MAKE = "make"  # what is open or changed
    RETRY = "retry"  # what failed
    AGAIN = "again"  # a new version with the same words
    ANOTHER = "another"  # one more take with the same words
    REWORDED = "reworded"  # one more take with words of its own
    PROMPT = "prompt"  # other words for all takes of the shot
    ENHANCED = "enhanced"  # other words in place of those that a chat model made
    PLAIN = "plain"  # without them: the author's words are sent
    ALL = "all"  # everything that is missing or changed
    FAILED = "failed"  # everything that failed
    CONVERT = "convert"  # the Markdown file becomes YAML


WHOLE_FILM = (Kind.ALL, Kind.FAILED, Kind.CONVERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What somebody asks for: a kind, the take it is about, and the words of a new prompt."""

    kind: Kind
    slot: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of one file: its whole text before and after."""

    path: Path
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A file that takes another's place: `old` is kept under the name `kept`, and `new` is written with `text`."""

    old: Path
    kept: Path
    new: Path
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an action would do: its jobs and price, and the change of the scene file where it needs one.

    `may` says whether the page can do it; if not, `note` says how else.
    """

    title: str
    does: str
    only: tuple[str, ...] = ()
    force: bool = False
    bound: Mapping[str, JSON]
    jobs: tuple[Mapping[str, JSON], ...] = ()
    total: str = ""
    may: bool
    note: str = ""
    difference: str = ""
    edit: Edit | None = None
    replacement: Replacement | None = None

    @property
    def makes(self) -> bool:
        """Whether anything is to be made; else it only changes a file."""
        return bool(self.bound.get("jobs"))

    def as_json(self) -> dict[str, JSON]:
        return {
            "title": self.title,
            "does": self.does,
            "jobs": list(self.jobs),
            "total": self.total,
            "may": self.may,
            "note": self.note,
            "diff": self.difference,
        }
