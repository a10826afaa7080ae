"""`prompts.lock.yaml`: the prompts that were made better, in git, one line each.

    kiebatch-prompts: 1
    prompts:
    - {raw: "sha256:…", preset: clip, version: 1, model: kling-3.0/video, text: "…", by: gpt-5-6-luna, …}  # 2b

An entry is found by the digest of the raw prompt, its preset and version, and the model; the slot in the comment is
for people.  Editing `text` by hand is welcome.  Keys that a newer version wrote are kept.  Strings in, strings out.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

import yaml

from kiebatch import files
from kiebatch._dataclass import dataclass
from kiebatch.errors import Problem, Problems, Where
from kiebatch.record import line_file

NAME = "prompts.lock.yaml"
FORMAT = 1
_CODE = "prompts-lock"
_KNOWN = ("raw", "preset", "version", "model", "text", "by", "tokens", "credits", "date", "slot")
_EXAMPLE = '- {raw: "sha256:…", preset: clip, version: 1, model: kling-3.0/video, text: "…"}'


class Key(NamedTuple):
    """What an entry is found by."""

    raw: str  # `sha256:…` of the raw prompt
    preset: str
    version: int
    model: str


def digest(prompt: str) -> str:
    """Return the digest of a raw prompt as the lock writes it.

    What an editor changes unseen does not count: Unicode form, runs of blanks, blanks and empty lines at the ends.
    """
    plain = unicodedata.normalize("NFC", prompt).replace("\u00a0", " ").replace("\t", " ")
    lines = [" ".join(line.split()) for line in plain.strip().splitlines()]
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One enhanced prompt.  `by` names the chat model or command; `slot` is a comment."""

    key: Key
    text: str
    by: str = ""
    tokens: int | None = None
    credits: float | None = None
    date: str = ""
    slot: str = ""
    extra: line_file.Extra = ()
    where: Where = field(compare=False, default=Where())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All entries, in the order of the file; of two with one key the later one holds."""

    entries: tuple[Entry, ...] = ()
    head: line_file.Extra = ()  # top-level keys that a newer version wrote
    problems: tuple[Problem, ...] = ()  # warnings

    def get(self, key: Key) -> Entry | None:
        return next((entry for entry in reversed(self.entries) if entry.key == key), None)

    def with_entries(self, new: Iterable[Entry]) -> Lock:
        """Return the lock with new entries in their places; those of the same key are replaced."""
        by_key = {entry.key: entry for entry in self.entries}
        by_key |= {entry.key: entry for entry in new}
        return Lock(entries=tuple(sorted(by_key.values(), key=_place)), head=self.head)

    def without(self, keys: Iterable[Key]) -> Lock:
        dropped = set(keys)
        return Lock(entries=tuple(e for e in self.entries if e.key not in dropped), head=self.head)


def _place(entry: Entry) -> tuple[str, Key]:
    # By model and digest, not by slot: a renumbered film moves no line, and two branches seldom touch one place.
    return entry.key.model, entry.key


def read(path: Path) -> Lock:
    """Return the lock in a file, empty where there is none."""
    return parse(files.text_if_there(path), files.shown(path))


def parse(text: str, file: str = NAME) -> Lock:
    """Return the lock that a text holds, empty for an empty one.  `Invalid` with everything that is wrong."""
    node = line_file.compose(text, file, _CODE)
    if node is None:
        return Lock()
    problems = Problems()
    parts = _parts(node)
    version = parts.pop("kiebatch-prompts", None)
    if not isinstance(version, yaml.ScalarNode) or version.value != str(FORMAT):
        where = line_file.place(version or node, file)
        problems.error(where, f"the file begins with `kiebatch-prompts: {FORMAT}`", code=_CODE)
    listed = parts.pop("prompts", None)
    lines = listed.value if isinstance(listed, yaml.SequenceNode) else []
    found = line_file.entries(lines, file, problems, known=_KNOWN, example=_EXAMPLE, code=_CODE)
    entries = [entry for one in found if (entry := _entry(one, problems))]
    problems.raise_if_errors()
    head = tuple((name, line_file.flow(value)) for name, value in parts.items())
    return Lock(entries=tuple(entries), head=head, problems=tuple(problems.warnings))


def _parts(node: yaml.Node) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): value for key, value in node.value}


def _entry(read: line_file.Entry, problems: Problems) -> Entry | None:
    said = {name: read.text(name) or "" for name in _KNOWN}
    if not said["raw"] or not said["model"] or not said["text"].strip():
        problems.error(
            read.where, "an entry needs `raw`, `model` and `text`", hint=f"like {_EXAMPLE}", code=_CODE
        )
        return None
    try:
        version, tokens, credits = (_number(said[name]) for name in ("version", "tokens", "credits"))
    except ValueError:
        message = "`version`, `tokens` and `credits` are numbers"
        problems.error(read.where, message, code=_CODE)
        return None
    return Entry(
        key=Key(said["raw"], said["preset"], int(version or 0), said["model"]),
        text=said["text"],
        by=said["by"],
        tokens=None if tokens is None else int(tokens),
        credits=credits,
        date=said["date"],
        slot=said["slot"],
        extra=read.extra,
        where=read.where,
    )


def _number(text: str) -> float | None:
    return None if text in ("", "null") else float(text)


def dump(lock: Lock) -> str:
    """Return the lock as text: the same lock gives the same bytes."""
    lines = [
        f"kiebatch-prompts: {FORMAT}\n",
        *(f"{name}: {value}\n" for name, value in lock.head),
        "prompts:\n",
    ]
    lines += [_line(entry) for entry in lock.entries]
    return "".join(lines)


def _line(entry: Entry) -> str:
    quoted = line_file.quoted
    fields: list[tuple[str, str]] = [
        ("raw", quoted(entry.key.raw)),
        ("preset", quoted(entry.key.preset)),
        ("version", str(entry.key.version)),
        ("model", quoted(entry.key.model)),
        ("text", quoted(entry.text)),
    ]
    if entry.by:
        fields.append(("by", quoted(entry.by)))
    if entry.tokens is not None:
        fields.append(("tokens", str(entry.tokens)))
    if entry.credits is not None:
        fields.append(("credits", f"{entry.credits:g}"))
    if entry.date:
        fields.append(("date", quoted(entry.date)))
    if entry.slot:
        fields.append(("slot", quoted(entry.slot)))
    return line_file.line([*fields, *entry.extra])


def merge(base: Lock, ours: Lock, theirs: Lock) -> tuple[Lock, tuple[Key, ...]]:
    """Return both sides' changes in one lock, and the keys whose text both sides changed differently.

    Of those the later date is kept, ours where the dates are the same; a person has to look at it.
    """
    sides = [{entry.key: entry for entry in side.entries} for side in (base, ours, theirs)]
    old, mine, yours = sides
    merged: dict[Key, Entry] = {}
    conflicts: list[Key] = []
    for key in {**mine, **yours}:
        before, a, b = old.get(key), mine.get(key), yours.get(key)
        chosen = _merged(before, a, b)
        if chosen is None:
            continue
        if a and b and a.text != b.text and before not in (a, b):
            conflicts.append(key)
        merged[key] = chosen
    head: Mapping[str, str] = {**dict(theirs.head), **dict(ours.head)}
    lock = Lock(entries=tuple(sorted(merged.values(), key=_place)), head=tuple(head.items()))
    return lock, tuple(conflicts)


def _merged(before: Entry | None, mine: Entry | None, yours: Entry | None) -> Entry | None:
    """Return the entry of one key: the side that changed it, else the later one; None where it was taken out."""
    if mine is None or yours is None:
        kept = mine or yours
        return None if before is not None and kept == before else kept
    if mine == before:
        return yours
    if yours == before:
        return mine
    return yours if yours.date > mine.date else mine


def conflict_text(conflicts: Iterable[Key], name: str) -> str:
    """Return what a person should know after a merge with conflicts."""
    lines = [f"{name}: both branches changed the text of"]
    lines += [f"  {key.model}, preset `{key.preset}`, {key.raw[:15]}…" for key in conflicts]
    return "\n".join([*lines, "hint: the later one was kept; read those lines, then git add the file"])
