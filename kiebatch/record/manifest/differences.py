"""Compares two manifests slot by slot, in words."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kiebatch.model import JSON, Asset, Slot, natural, tidy
from kiebatch.record.manifest.keys import birth
from kiebatch.record.manifest.manifest import MARK, Manifest
from kiebatch.record.manifest.text import entry
from kiebatch.record.manifest.versions import slots

Change = Literal["added", "removed", "new-version", "changed", "orphaned", "picked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotChange:
    """What became of one slot.

    `old` and `new` are its current assets before and after, by output; `what` names the aspects that differ
    (`prompt`, `model`, `params`, `references`, `slot`, ...), `words` says how, a line for each.  `credits` is what the
    assets that came cost; `versions` counts them.
    """

    slot: str
    change: Change
    old: tuple[Asset, ...] = ()
    new: tuple[Asset, ...] = ()
    what: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    versions: int = 0
    credits: float = 0.0

    def as_json(self) -> dict[str, JSON]:
        """Return the keys of contract section 8, `diff`."""
        return {
            "slot": self.slot,
            "change": self.change,
            "old": self.old[0].id if self.old else None,
            "new": self.new[0].id if self.new else None,
            "what": list(self.what),
            "credits": number(self.credits),
            "versions": self.versions,
            "words": list(self.words),
        }

    def __str__(self) -> str:
        """Return the change in words: one line, and one more for each of `words`."""
        return "\n".join([f"{self.slot}: {self.summary}", *(f"    {line}" for line in self.words)])

    @property
    def summary(self) -> str:
        """Return the first line without the slot: `version 2 instead of 1 (prompt changed), +24 credits`."""
        text = {
            "added": "added",
            "removed": "removed",
            "new-version": self._replaced(),
            "changed": f"{_listed(self.what)} changed, the file stays",
            "orphaned": "no longer in the scene file",
            "picked": "decision changed",
        }[self.change]
        if self.change == "added" and self.versions > len(self.new):
            text += f" with {self.versions} versions"
        return text + (f", +{number(self.credits):g} credits" if self.credits else "")

    def _replaced(self) -> str:
        if not self.old or not self.new:
            return "a version came or went, none is current"
        then, now = self.old[0].version, self.new[0].version
        reasons = [f"{_listed(self.what)} changed"] if self.what else []
        if merged(self.new[0]):
            reasons.append("came by a merge")
        return f"version {now} instead of {then} ({', '.join(reasons) or 'generated again'})"


def merged(asset: Asset) -> bool:
    """Whether a version came from another branch: it was made, and its file named, as a version that both had made."""
    named = re.search(r"\.v(\d+)-[0-9a-f]{8}\.", asset.filename)
    return named is not None and int(named[1]) != asset.version


def number(value: float) -> float:
    """Return an amount of credits as JSON should show it: 24, not 24.0 or 24.000000001."""
    return tidy(value, 4)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names) or "nothing"


def between(
    old: Manifest,
    new: Manifest,
    picks_old: Mapping[str, str] | None = None,
    picks_new: Mapping[str, str] | None = None,
    wanted_old: Collection[str] | None = None,
    wanted_new: Collection[str] | None = None,
) -> list[SlotChange]:
    """Return what changed between two records, in the order of scenes, shots and takes.

    `picks_*` map the written form of a slot and take (`2b#3`) to the decision in words (`picked`).  `wanted_*` are
    the slots of the scene file then and now, by shot (`2b`): one that it has lost while its assets stay is orphaned.
    """
    changes = [*_of_slots(old, new), *_orphaned(new, wanted_old, wanted_new)]
    told = [(key, change) for key, change in changes if change.what or change.change != "changed"]
    picked = _picked(picks_old or {}, picks_new or {})
    return [change for _, change in sorted([*told, *picked], key=lambda row: row[0])]


_Row = tuple[tuple[object, ...], SlotChange]  # a change behind its place in the order of slots


def _of_slots(old: Manifest, new: Manifest) -> Iterator[_Row]:
    """Yield the slots whose assets differ: moved, removed, added, and changed where they are."""
    before, after = _changed_takes(old, new)
    then, now = slots(before), slots(after)
    lost = {slot: line for slot, line in then.items() if slot not in now}
    came = {slot: line for slot, line in now.items() if slot not in then}
    for old_slot, new_slot in _same_line(lost, came):
        lost_line, came_line = lost.pop(old_slot), came.pop(new_slot)
        yield new_slot.sort_key, _compared(new_slot, lost_line, came_line, moved_from=old_slot)
    for slot, line in lost.items():
        yield slot.sort_key, _removed(slot, line)
    for slot, line in came.items():
        yield slot.sort_key, _added(slot, line)
    for slot, line in then.items():
        if slot in now:
            yield slot.sort_key, _compared(slot, line, now[slot])


def totals(changes: Iterable[SlotChange]) -> dict[str, float]:
    """Return how many slots changed in which way, and what the new assets cost."""
    found = list(changes)
    counts = {name: sum(c.change == name for c in found) for name in Change.__args__}  # type: ignore[attr-defined]
    return {"slots": len({c.slot for c in found}), **counts, "credits": number(sum(c.credits for c in found))}


def _changed_takes(old: Manifest, new: Manifest) -> tuple[list[Asset], list[Asset]]:
    """Return both sides' entries of the takes that differ at all: most of a large record does not."""
    return _unlike(old.assets, new.assets), _unlike(new.assets, old.assets)


def _unlike(here: Sequence[Asset], there: Sequence[Asset]) -> list[Asset]:
    known = {asset.id: asset for asset in there}
    places = {_take(a) for a in here if known.get(a.id) != a}
    mine = {asset.id: asset for asset in here}
    places |= {_take(a) for a in there if mine.get(a.id) != a}
    return [asset for asset in here if _take(asset) in places]


def _take(asset: Asset) -> tuple[object, ...]:
    return (asset.scene_id, asset.shot, asset.take) if asset.scene_id is not None else (asset.filename,)


def _same_line(
    lost: Mapping[Slot, Sequence[Asset]], came: Mapping[Slot, Sequence[Asset]]
) -> list[tuple[Slot, Slot]]:
    """Return the slots that only have another name now: moved, or joined or left by a second model."""
    owners = {birth(asset): slot for slot, line in lost.items() for asset in line}
    pairs: dict[Slot, Slot] = {}
    for slot, line in came.items():
        owner = next((owners[birth(a)] for a in line if birth(a) in owners), None)
        if owner is not None and owner not in pairs:
            pairs[owner] = slot
    return list(pairs.items())


def _current(line: Sequence[Asset]) -> tuple[Asset, ...]:
    return tuple(asset for asset in line if asset.current)


def _cost(assets: Iterable[Asset]) -> float:
    return sum(asset.credits or 0.0 for asset in assets if not asset.draft)


def _added(slot: Slot, line: Sequence[Asset]) -> SlotChange:
    words = tuple(f"{asset.filename}: {asset.model}" for asset in _current(line))
    return SlotChange(
        slot=str(slot),
        change="added",
        new=_current(line),
        versions=len(line),
        credits=_cost(line),
        words=words,
    )


def _removed(slot: Slot, line: Sequence[Asset]) -> SlotChange:
    return SlotChange(slot=str(slot), change="removed", old=_current(line))


def _compared(
    slot: Slot, old: Sequence[Asset], new: Sequence[Asset], moved_from: Slot | None = None
) -> SlotChange:
    came = _without(new, old)
    then, now = _current(old), _current(new)
    aspects: dict[str, list[str]] = {}
    if moved_from is not None and moved_from.shot_name != slot.shot_name:
        aspects["slot"] = [f"slot: {moved_from} -> {slot}"]
    if then and now:
        aspects |= compared(then[0], now[0])
    words = [line for lines in aspects.values() for line in lines]
    replaced = {birth(a) for a in then} != {birth(a) for a in now}
    others = {} if replaced else _other_facts(old, new)
    words += [f"{key}: {text}" for key, text in others.items() if text]
    return SlotChange(
        slot=str(slot),
        change="new-version" if replaced or came else "changed",
        old=then,
        new=now,
        what=tuple(dict.fromkeys((*aspects, *others))),
        words=tuple(words),
        versions=len(came),
        credits=_cost(came),
    )


def _without(line: Sequence[Asset], other: Sequence[Asset]) -> list[Asset]:
    """Return the versions of a line that another one has not."""
    known = {birth(asset) for asset in other}
    return [asset for asset in line if birth(asset) not in known]


# --- aspects -------------------------------------------------------------------------------------------


def compared(old: Asset, new: Asset) -> dict[str, list[str]]:
    """Return what differs between two versions, by aspect, in words: prompt, model, params, references."""
    found: dict[str, list[str]] = {}
    if old.prompt != new.prompt:
        found["prompt"] = [f"prompt: {word_diff(old.prompt, new.prompt)}"]
    if old.model != new.model:
        found["model"] = [f"model: {old.model} -> {new.model}"]
    then, now = inputs(old), inputs(new)
    rows: dict[str, list[str]] = {"params": [], "references": []}
    for key, text in _otherwise(sorted({*then, *now}), then, now).items():
        is_reference = _is_media(then.get(key)) or _is_media(now.get(key))
        rows["references" if is_reference else "params"].append(f"{key}: {text}")
    found |= {aspect: lines for aspect, lines in rows.items() if lines}
    known = old.fingerprint is not None and new.fingerprint is not None
    if not found and known and old.fingerprint != new.fingerprint:
        found["references"] = ["references: another content under the same name"]
    return found


def inputs(asset: Asset) -> dict[str, JSON]:
    """Return what was sent beside the prompt, flat: `{"aspect_ratio": "16:9", "image_input.0": "file:a.png"}`."""
    sent = asset.parameters.get("input")
    flat: dict[str, JSON] = {}
    if isinstance(sent, dict) and sent:
        for key, value in sent.items():
            if value != asset.prompt:
                _flatten(key, value, flat)
    else:  # an entry of another tool has its size beside the endpoint, and nothing else
        for key, value in asset.parameters.items():
            if key not in ("endpoint", "input"):
                _flatten(key, value, flat)
    return flat


def _flatten(key: str, value: JSON, flat: dict[str, JSON]) -> None:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            _flatten(f"{key}.{name}", inner, flat)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            _flatten(f"{key}.{index}", inner, flat)
    else:
        flat[key] = value


def _is_media(value: JSON) -> bool:
    return isinstance(value, str) and re.match(r"(file|shot|task):|https?://", value) is not None


def _shown(value: JSON) -> str:
    if value is None:
        return "(none)"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


# What may change in an entry while its file stays the same, and is worth a word.  The prompt and the rest of
# what was asked are compared above; links and versions of neighbours follow from other entries.
_FACTS = ("filename", "sha256", "fingerprint", "credits", "draft", "created_at", "task_id", MARK)


def _other_facts(old: Sequence[Asset], new: Sequence[Asset]) -> dict[str, str]:
    found: dict[str, str] = {}
    known = {birth(asset): asset for asset in old}
    for asset in new:
        before = known.get(birth(asset))
        if before is None or before == asset:
            continue
        then, now = entry(before), entry(asset)
        found |= _otherwise(_FACTS, then, now)
        if "fingerprint" in found:
            found["fingerprint"] = ""  # that it is another one is all that it tells
        more = sorted({*before.extra, *asset.extra} - {MARK, "run"})
        found |= _otherwise(more, before.extra, asset.extra)
    gone = _without(old, new)
    if gone:
        found["versions"] = f"{len(gone)} of {len(old)} removed"
    return found


def _otherwise(keys: Sequence[str], then: Mapping[str, JSON], now: Mapping[str, JSON]) -> dict[str, str]:
    """Return how the values of some keys changed, in words; nothing for a key that has the same one."""
    changed = [key for key in keys if then.get(key) != now.get(key)]
    return {key: f"{_shown(then.get(key))} -> {_shown(now.get(key))}" for key in changed}


# --- picks and orphans ---------------------------------------------------------------------------------


def _orphaned(
    new: Manifest, wanted_old: Collection[str] | None, wanted_new: Collection[str] | None
) -> list[_Row]:
    if wanted_old is None or wanted_new is None:
        return []
    gone = set(wanted_old) - set(wanted_new)
    if not gone:
        return []
    return [
        (slot.sort_key, SlotChange(slot=str(slot), change="orphaned", old=_current(line), new=_current(line)))
        for slot, line in slots(new.assets).items()
        if slot.shot_name in gone
    ]


def _picked(old: Mapping[str, str], new: Mapping[str, str]) -> list[_Row]:
    """Return one row for each decision that changed.  A pick that moved to another take of its shot is one row."""
    changed = [slot for slot in sorted({*old, *new}, key=natural) if old.get(slot) != new.get(slot)]
    moved = _moved_picks(changed, old, new)
    rows: list[_Row] = []
    for slot in changed:
        if slot in moved.values() and not new.get(slot):
            continue  # told with the take that is picked now
        was, now = old.get(slot) or "undecided", new.get(slot) or "undecided"
        words = f"{was} -> {now}"
        if slot in moved:
            words = now.replace("picked", f"picked instead of {moved[slot]}", 1)
        rows.append((_pick_key(slot), SlotChange(slot=slot, change="picked", what=("pick",), words=(words,))))
    return rows


def _moved_picks(changed: Iterable[str], old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return the takes that are picked now in place of another take of their shot, and that one."""
    gained: dict[str, str] = {}
    lost: dict[str, str] = {}
    for slot in changed:
        if _is_pick(new.get(slot)):
            gained[_shot_of(slot)] = slot
        elif _is_pick(old.get(slot)):
            lost[_shot_of(slot)] = slot
    return {gained[shot]: lost[shot] for shot in gained if shot in lost}


def _is_pick(decision: str | None) -> bool:
    return decision is not None and decision.startswith("picked")


def _shot_of(slot: str) -> str:
    return slot.partition("#")[0].partition("@")[0]


def _pick_key(slot: str) -> tuple[object, ...]:
    shot, _, take = slot.partition("#")
    return (
        natural(re.sub(r"\D.*", "", shot) or shot),
        natural(shot),
        "",
        int(take) if take.isdecimal() and len(take) < 10 else 1,
    )


# --- words ---------------------------------------------------------------------------------------------

CONTEXT_WORDS = 6


def word_pieces(old: str, new: str) -> list[tuple[str, str, str]]:
    """Return the steps from one text to another: (`same`, text, text) or (`changed`, old words, new words)."""
    before, after = (re.findall(r"\s+|[^\W_]+|.", text) for text in (old, new))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    steps: list[tuple[str, str, str]] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        kind = "same" if tag == "equal" else "changed"
        left, right = "".join(before[a:b]), "".join(after[c:d])
        # A lone space between two changed words belongs to the change.
        if kind == "same" and left.isspace() and steps and b < len(before) and d < len(after):
            kind = "changed"
        if steps and steps[-1][0] == kind:
            steps[-1] = (kind, steps[-1][1] + left, steps[-1][2] + right)
        else:
            steps.append((kind, left, right))
    return steps


def word_diff(old: str, new: str, context: int = CONTEXT_WORDS) -> str:
    """Return how a text changed, as git's `--word-diff` writes it: `a [-small-]{+large+} boat`.

    Long stretches that stay are cut to `context` words on each side of a change.
    """
    steps = word_pieces(old, new)
    parts = []
    for index, (kind, left, right) in enumerate(steps):
        if kind == "changed":
            parts.append((f"[-{left}-]" if left else "") + (f"{{+{right}+}}" if right else ""))
        else:
            parts.append(_cut(left, context, first=index == 0, last=index == len(steps) - 1))
    return " ".join("".join(parts).split())


def _cut(text: str, context: int, *, first: bool, last: bool) -> str:
    words = re.findall(r"\s*\S+\s*", text)
    if len(words) <= context * (1 if first or last else 2) + 1:
        return text
    head = "" if first else "".join(words[:context]).rstrip() + " "
    tail = "" if last else " " + "".join(words[-context:]).lstrip()
    return f"{head}…{tail}"
