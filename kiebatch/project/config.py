"""Reads `config.yaml`, the person's own settings: what a scene file may never decide.

    kiebatch-config: 1
    allow: [~/pictures]            # folders outside the project whose files may be sent or played
    allow_commands: [~/films]      # folders whose scene files may run commands over their results
    trusted_hosts: [cdn.example]   # hosts, or host:port, from which results and references may come
    foreign_urls: send             # send, upload or refuse the web addresses in a scene file
    account: studio                # the name that machines with several keys share
    warn_above: 100                # credits, or dollars: 5$
    confirm_above: 500
    reject_above: 20$
    notify: desktop                # what tells of a run's end: a command, or desktop

It lies in the user's config folder (`KIEBATCH_CONFIG_HOME`), never in a project.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from kiebatch import files, workspace
from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem, Problems, Where, did_you_mean
from kiebatch.model import JSON, Document
from kiebatch.scenefile import document
from kiebatch.settings import THRESHOLDS, parse_credits

NAME = "config.yaml"
FORMAT = 1
_HEAD = "kiebatch-config"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(:\d{1,5})?")
_LONGEST = 256 * 1024  # bytes


class ForeignUrls(StrEnum):
    """What happens to a web address that a scene file names as a picture, clip or sound."""

    SEND = "send"  # the provider fetches it
    UPLOAD = "upload"  # the upload host copies it first, and the copy is sent
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """The person's settings.  Thresholds are in credits; `allow` holds absolute folders, links resolved.

    `problems` are warnings: keys that this version does not know are left alone.
    """

    allow: tuple[Path, ...] = ()
    allow_commands: tuple[Path, ...] = ()  # folders whose scene files may run commands, links resolved
    account: str = ""
    notify: str = ""
    trusted_hosts: tuple[str, ...] = ()  # in lower case
    foreign_urls: ForeignUrls = ForeignUrls.SEND
    warn_above: float | None = None
    confirm_above: float | None = None
    reject_above: float | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def chosen(self) -> dict[str, JSON]:
        """What `settings.settings` takes of it: the thresholds that are set, and what tells of a run's end."""
        found = {name: getattr(self, name) for name in (*THRESHOLDS, "notify")}
        return {name: value for name, value in found.items() if value not in (None, "")}


def path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return where the person's config lies, whether it is there or not; None where there is no home."""
    folder = workspace.config_home(environ)
    return folder / NAME if folder else None


def read(where: Path | None = None) -> UserConfig:
    """Return the person's config, an empty one where there is no file.

    `where` is the file; by default the one in the user's config folder.  `Invalid` with every problem of it.
    """
    found = where or path()
    if found is None:
        message = "the config folder of this user cannot be read; nothing of it counts"
        hint = "KIEBATCH_CONFIG_HOME names another folder"
        problem = Problem(where=Where(), message=message, hint=hint, severity="warning", code="config")
        return UserConfig(problems=(problem,))
    if not files.is_there(found):
        return UserConfig()
    return parse(files.read_text(found, longest=_LONGEST), files.shown(found), found.parent)


def parse(text: str, file: str, folder: Path) -> UserConfig:
    """Return the config that `text` holds.  Relative folders in it are relative to `folder`."""
    read_document = document.read(text, file)
    if read_document.value is None:
        return UserConfig()
    return _Reader(read_document, folder).config()


class _Reader:
    """Turns one document into a `UserConfig`, and collects what is wrong with it."""

    def __init__(self, read_document: Document, folder: Path) -> None:
        self.document = read_document
        self.folder = folder
        self.problems = Problems()

    def config(self) -> UserConfig:
        values = self.document.value
        if not isinstance(values, dict):
            self.error((), "the config is a group of keys, such as `allow: [~/pictures]`")
            values = {}
        self.check_format(values.get(_HEAD))
        readers: dict[str, Callable[[str, JSON], Any]] = {
            "allow": self.folders,
            "allow_commands": self.folders,
            "account": self.word,
            "notify": self.word,
            "trusted_hosts": self.hosts,
            "foreign_urls": self.foreign,
            "warn_above": self.credits,
            "confirm_above": self.credits,
            "reject_above": self.credits,
        }
        found = {key: readers[key](key, value) for key, value in values.items() if key in readers}
        for key in values:
            if key not in readers and key != _HEAD:
                self.unknown(key, [*readers])
        self.problems.raise_if_errors()
        return UserConfig(
            **{key: value for key, value in found.items() if value is not None},
            problems=tuple(self.problems.found),
        )

    def check_format(self, version: JSON) -> None:
        if version == FORMAT and not isinstance(version, bool):
            return
        if version is None:
            self.error((), f"the config begins with the line `{_HEAD}: {FORMAT}`, which is missing")
            return
        self.error((_HEAD,), f"`{_HEAD}` must be {FORMAT}, found `{version}`", "install a newer kiebatch")

    def unknown(self, key: str, known: list[str]) -> None:
        self.problems.warning(
            self.document.where((key,), key=True),
            f"unknown key `{key}` in the config; it is left alone",
            hint=did_you_mean(key, known) or "a newer kiebatch may know it",
            code="unknown-key",
        )

    def error(self, at: tuple[str | int, ...], message: str, hint: str = "") -> None:
        self.problems.error(self.document.where(at), message, hint=hint, code="config")

    def texts(self, key: str, value: JSON) -> list[tuple[int, str]]:
        listed = value if isinstance(value, list) else [value]
        found = []
        for number, one in enumerate(listed):
            if isinstance(one, str) and one.strip():
                found.append((number, one.strip()))
            elif one is not None:
                self.error((key,), f"`{key}` is a list of texts")
        return found

    def folders(self, key: str, value: JSON) -> tuple[Path, ...]:
        found = []
        for _, text in self.texts(key, value):
            try:
                found.append(files.resolved(self.folder / files.expanded(text)))
            except Invalid as error:
                self.error((key,), f"`{key}`: {error.message}")
        return tuple(found)

    def hosts(self, key: str, value: JSON) -> tuple[str, ...]:
        found = []
        for _, text in self.texts(key, value):
            if _HOST.fullmatch(text):
                found.append(text.lower())
            else:
                self.error((key,), f"`{key}` takes host names such as `cdn.example`, found `{text}`")
        return tuple(found)

    def word(self, key: str, value: JSON) -> str | None:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value).strip()
        if value is not None:
            self.error((key,), f"`{key}` is a name")
        return None

    def foreign(self, key: str, value: JSON) -> ForeignUrls | None:
        choices = [str(one) for one in ForeignUrls]
        if value in choices:
            return ForeignUrls(value)
        self.error((key,), f"`{key}` is {', '.join(choices[:-1])} or {choices[-1]}, found `{value}`")
        return None

    def credits(self, key: str, value: JSON) -> float | None:
        if value is None:
            return None
        try:
            return parse_credits(value, key)
        except Invalid as error:
            self.error((key,), error.message)
            return None
