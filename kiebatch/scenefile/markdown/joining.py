"""Joins files that describe one film, scene by scene."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kiebatch.errors import Problem, Problems, shortened
from kiebatch.model import JSON, Document, Path
from kiebatch.scenefile.markdown.drafts import SOUNDS
from kiebatch.scenefile.markdown.prose import SCENE, TOP, MarkdownDocument, Placed, document_of, tree_of
from kiebatch.scenefile.markdown.settling import settle
from kiebatch.scenefile.markdown.values import in_order

# --- two files of one film -----------------------------------------------------------------------------


def joined(documents: Sequence[Document]) -> tuple[Document, list[Problem]]:
    """Join documents of one film by scene id: the plan wins, and every conflict is a warning that shows both places.

    The plan is the file with `plan` in its name, else the last one.  The result goes by the first other file's name.
    """
    ordered = sorted(documents, key=lambda d: "plan" in d.file.rsplit("/", 1)[-1].casefold())
    problems = Problems()
    visuals: list[Placed] = []
    whole: Placed | None = None
    for document in ordered:
        root = tree_of(document)
        if isinstance(document, MarkdownDocument):
            visuals += [_at(root, path) for path in document.visuals]
        whole = root if whole is None else _Join(problems, {id(v) for v in visuals}).top(whole, root)
    assert whole is not None
    settle(whole)
    return document_of(whole, ordered[0].file, visuals), problems.found


def _at(root: Placed, path: Path) -> Placed:
    found = root
    for step in path:
        found = found.each[step] if isinstance(step, int) else found.group[step]
    return found


class _Join:
    def __init__(self, problems: Problems, visuals: set[int]) -> None:
        self.problems = problems
        self.visuals = visuals

    def top(self, old: Placed, new: Placed) -> Placed:
        mine = old.group
        for key, value in new.group.items():
            if key == "scenes":
                self.scenes(mine.setdefault("scenes", Placed([], value.where)).each, value.each)
            elif key == "title":
                mine.setdefault("title", value)
            elif key == "kiebatch":
                continue
            else:
                self.enter(mine, key, value, key)
        old.value = in_order(mine, TOP)
        return old

    def scenes(self, old: list[Placed], new: list[Placed]) -> None:
        before = -1
        common = {_ident(s) for s in new} & {_ident(s) for s in old}
        for scene in new:
            ident = _ident(scene)
            at = next((i for i, s in enumerate(old) if _ident(s) == ident), None)
            if at is None:
                before += 1
                while (
                    before < len(old) and _ident(old[before]) not in common and _follows(scene, old[before])
                ):
                    before += 1
                old.insert(before, scene)
            else:
                self.shot(old[at], scene, f"scene {scene.id}")
                before = at

    def shot(self, old: Placed, new: Placed, name: str) -> None:
        mine, theirs = old.group, new.group
        self.one_prompt(mine, theirs, name)
        self.one_prompt(theirs, mine, name)
        for key, value in theirs.items():
            if key in mine:
                self.both(mine, key, value, name)
            else:
                mine[key] = value
        old.value = in_order(mine, SCENE)

    def both(self, mine: dict[str, Placed], key: str, value: Placed, name: str) -> None:
        """Enter what both files say of a scene or shot; of two titles the first file's stays."""
        if key == "shots":
            self.shots(mine[key].each, value.each, name)
        elif key == "prompt" and mine[key].value != value.value:
            self.prompt(mine, value, name)
        elif key in SOUNDS:
            self.sound(mine, key, value, name)
        elif key not in ("id", "title"):
            self.enter(mine, key, value, f"{name}: `{key.replace('_', ' ')}`")

    def one_prompt(self, one: dict[str, Placed], other: dict[str, Placed], name: str) -> None:
        """A scene's Visual is what its shots are about; a Prompt beside shots would be one shot too many."""
        if "shots" not in one or "prompt" not in other or "shots" in other:
            return
        prompt = other.pop("prompt")
        if self.only_visual(prompt):
            other["visual"] = prompt
            return
        self.problems.error(
            prompt.where,
            f"{name} has a prompt here, and shots at {one['shots'].where}",
            hint="put this prompt into one of the shots",
            code="conflict",
        )

    def shots(self, old: list[Placed], new: list[Placed], name: str) -> None:
        known = {_ident(shot): shot for shot in reversed(old)}
        for shot in new:
            same = known.setdefault(_ident(shot), shot)
            if same is shot:
                old.append(shot)
            else:
                self.shot(same, shot, f"{name}, shot {shot.id}")

    def prompt(self, mine: dict[str, Placed], value: Placed, name: str) -> None:
        """A Prompt takes the place of what was only a Visual, whichever file has it."""
        if self.only_visual(mine["prompt"]):
            mine["visual"], mine["prompt"] = mine["prompt"], value
        elif self.only_visual(value):
            mine.setdefault("visual", value)
        else:
            self.enter(mine, "prompt", value, f"{name}: `prompt`")

    def only_visual(self, placed: Placed) -> bool:
        return id(placed) in self.visuals

    def sound(self, mine: dict[str, Placed], key: str, value: Placed, name: str) -> None:
        old = mine[key]
        own = _as_group(old)
        for inner, said in _as_group(value).items():
            self.enter(own, inner, said, f"{name}: `{key}`")
        if set(own) == {"text"}:
            old.value, old.where = own["text"].value, own["text"].where

    def enter(self, target: dict[str, Placed], key: str, value: Placed, name: str) -> None:
        old = target.get(key)
        if old is None or old.plain == value.plain:
            target.setdefault(key, value)
            return
        if key == "notes":
            target[key] = Placed(f"{old.value}\n\n{value.value}", old.where, old.key)
            return
        if isinstance(old.value, dict) and isinstance(value.value, dict) and "shot" not in value.value:
            for inner, one in value.value.items():
                self.enter(old.value, inner, one, f"{name} `{inner}`")
            return
        self.problems.warning(
            value.where,
            f"{name} is `{_short(value.plain)}` here and `{_short(old.plain)}` at {old.where}; this one is taken",
            code="conflict",
        )
        target[key] = value


def _as_group(sound: Placed) -> dict[str, Placed]:
    """Return a sound as a group of keys, which one that is only words becomes."""
    if not isinstance(sound.value, dict):
        sound.value = {"text": Placed(sound.value, sound.where)}
    return sound.value


def _ident(scene: Placed) -> str:
    return str(scene.id).casefold()


def _follows(scene: Placed, other: Placed) -> bool:
    """Whether a scene's number puts it behind another: 3 behind 2, 12A behind 12."""

    def number(placed: Placed) -> list[tuple[int, str]]:
        return [(int(d or 0), w) for d, w in re.findall(r"(\d{1,18})|([^\d.]+)", _ident(placed))]

    return number(scene) > number(other)


def _short(value: JSON) -> str:
    return shortened(" ".join(str(value).split()), 40)
