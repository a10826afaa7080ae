"""Settles what is known only when the whole file is read: `2a take 2` is a shot, and names have one spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from kiebatch.model import SceneId, Slot
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import ROLES, SOUNDS
from kiebatch.scenefile.markdown.prose import Literal, Placed, Value, group_of, identity, items_of

_MEDIA_ENDING = re.compile(
    r"(?i)\.(png|jpe?g|jfif|webp|gif|avif|bmp|tiff?|heic|svg|mp4|mov|webm|mkv|avi|m4v|mp3|wav|m4a|ogg|flac|aac)$"
)
_SCHEME = re.compile(r"(?i)^[a-z][a-z0-9+.-]*:")
_LIKE_A_SHOT = re.compile(r"\d+[A-Za-z]?|\d+\.\w{1,20}")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}")
_SCENE = r"(?:scene|szene|scène|escena|cena)"
_SHOT = r"(?:shot|einstellung|plan|plano)"
_SOUND_SHOTS = dict(zip(SOUNDS, ("vo", "music", "sfx"), strict=True))


def settle(root: Placed) -> None:
    """Turn `2a take 2` into the shot it names, and bring names of characters and styles to one spelling."""
    _Settling.of(root).scenes(root)


@dataclass(frozen=True, slots=True)
class _Settling:
    """What the names of one file are: characters and styles, media, and shots."""

    names: Mapping[str, str] = field(default_factory=dict)  # by their canonical form
    media: frozenset[str] = frozenset()
    slots: Mapping[str, str] = field(default_factory=dict)  # written names by their casefolded form

    @classmethod
    def of(cls, root: Placed) -> _Settling:
        top = root.group
        names: dict[str, str] = {}
        for key in ("characters", "styles"):
            for name in group_of(top.get(key)):
                names[labels.canonical(name)] = names[name] = name
        media = frozenset(group_of(top.get("references")))
        slots = {written.casefold(): written for scene in _scenes(root) for written in _slots(scene)}
        return cls(names, media, slots)

    def scenes(self, root: Placed) -> None:
        for scene in _scenes(root):
            own = scene.group
            self._shot(own, scene.id)
            for shot in scene.shots:
                self._shot(shot.group, scene.id)
            for key in SOUNDS:
                if key in own:
                    self._sound(own[key], scene.id)

    def _sound(self, sound: Placed, scene: SceneId) -> None:
        if isinstance(sound.value, dict):
            self._shot(sound.value, scene)
        else:
            sound.value = self._spelled(str(sound.value))

    def _shot(self, one: dict[str, Placed], scene: SceneId) -> None:
        for role in ROLES:
            if role in one:
                self._media(one[role], scene)
        for key in ("prompt", "text"):
            words = one.get(key)
            if words is not None and isinstance(words.value, str):
                words.value = self._spelled(words.value)
        for key in ("characters", "style"):
            if key in one:
                self._named(one[key], may_be_several=key == "style")

    def _media(self, placed: Placed, scene: SceneId) -> None:
        for medium in placed.each:
            text = medium.value
            if not _means_more(text) or text in self.media:
                continue
            found = shot_output(text, self.slots, scene)
            if found:
                medium.value = {key: Placed(value, medium.where) for key, value in found.items()}

    def _named(self, placed: Placed, *, may_be_several: bool) -> None:
        if may_be_several and _means_more(placed.value):
            self._split(placed, placed.value)
        for name in placed.each:
            if _means_more(name.value):
                name.value = self._name(name.value) or name.value

    def _split(self, placed: Placed, text: str) -> None:
        """Make a list of `storm, calm` where every part of it is a name."""
        parts = [part.strip() for part in text.split(",")]
        if len(parts) > 1 and all(labels.canonical(part) in self.names for part in parts):
            placed.value = [Placed(part, placed.where) for part in parts]

    def _name(self, text: str) -> str:
        return self.names.get(text) or self.names.get(labels.canonical(text), "")

    def _spelled(self, text: str) -> str:
        """Return a text with the names in braces as they are spelled where they are defined."""

        def one(match: re.Match[str]) -> str:
            if match.group(0) in ("{{", "}}"):
                return match.group(0)
            found = self._name(match.group(1).strip())
            return f"{{{found}}}" if found else match.group(0)

        return _PLACEHOLDER.sub(one, text) if "{" in text else text


def _means_more(value: Value) -> TypeGuard[str]:
    """Whether a value is a text that may name something, and does not just mean itself."""
    return isinstance(value, str) and not isinstance(value, Literal)


def _scenes(root: Placed) -> list[Placed]:
    return items_of(root.group.get("scenes"))


def _slots(scene: Placed) -> Iterator[str]:
    """Yield the written names of a scene and of its shots and sounds."""
    yield Slot(scene.id).shot_name
    for shot in scene.shots:
        yield Slot(scene.id, shot.id).shot_name
    for key, name in _SOUND_SHOTS.items():
        if key in scene.group:
            yield Slot(scene.id, name).shot_name


# --- what another shot makes ---------------------------------------------------------------------------


def shot_output(
    text: str, slots: Mapping[str, str], scene: SceneId | None = None
) -> dict[str, int | str] | None:
    """Return `{shot, take, ...}` for `2a take 2`, `2a last frame`, `Scene 2, Shot b`; None for a path or name.

    `slots` gives the written names of the file's shots by their casefolded form; `scene` is where the text is.
    """
    text = text.strip()
    if _is_address(text, slots):
        return None
    rest, details = _cut_details(text)
    rest = _without_words(" ".join(rest.replace(",", " ").split()))
    if " " in rest or "/" in rest or not rest:
        return None
    name = _slot_of(rest, slots, scene)
    if name or details or _LIKE_A_SHOT.fullmatch(rest):
        return {"shot": name or rest, **details}
    return None


def _is_address(text: str, slots: Mapping[str, str]) -> bool:
    if _SCHEME.match(text):
        return True
    return bool(_MEDIA_ENDING.search(text)) and text.casefold() not in slots


def _cut_details(text: str) -> tuple[str, dict[str, int | str]]:
    """Return a text without what it says about take, output, model, frame and task, and these."""
    details: dict[str, int | str] = {}
    for key, pattern in (
        ("model", r"\s+model\s+(.+)$|@(\S+)"),
        ("frame", r"\b(last|first)\s+frame\b(?:\s+of\b)?"),
        ("as", r"\bas\s+(task)\b"),
        ("take", r"(?:#\s*|\btake\s+)(\d+)\b"),
        ("output", r"\boutput\s+(\d+)\b"),
    ):
        match = re.search(pattern, text, re.I)
        if not match:
            continue
        text = (text[: match.start()] + " " + text[match.end() :]).strip()
        said = next(group for group in match.groups() if group is not None)
        details[key] = _detail(key, said)
    return text, {key: details[key] for key in ("take", "output", "model", "frame", "as") if key in details}


def _detail(key: str, said: str) -> int | str:
    if key in ("take", "output"):
        return int(said)
    return said.strip() if key == "model" else said.lower()


def _without_words(text: str) -> str:
    """Return `2b` for `Scene 2 Shot b`, `b` for `Shot b`."""
    if match := re.fullmatch(rf"(?i){_SCENE}\s+(\S+?)(?:\s+{_SHOT}\s+(\S+))?", text):
        number = identity(match.group(1))
        return Slot(number, identity(match.group(2))).shot_name if match.group(2) else str(number)
    if match := re.fullmatch(rf"(?i){_SHOT}\s+(\S+)", text):
        return match.group(1)
    return text


def _slot_of(text: str, slots: Mapping[str, str], scene: SceneId | None) -> str:
    """Return the written name of the shot that a text means, empty where there is none."""
    found = slots.get(text.casefold(), "")
    if not found and scene is not None and not text[0].isdecimal():
        # `b` is the scene's own; `1` is scene 1.
        inner = (Slot(scene, name).shot_name.casefold() for name in (text, identity(text)))
        found = next((slots[name] for name in inner if name in slots), "")
    return found or slots.get(text.lstrip("0").casefold(), "")
