"""Resolves the media of a shot: paths, addresses, names under `references`, and what other shots make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from kiebatch import addresses
from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Model
from kiebatch.errors import counted, did_you_mean
from kiebatch.model import ROLES, LocalFile, Modality, Path, Ref, Role, RoleMedia, ShotOutput, WebURL
from kiebatch.scenefile.shape import MediaValue, Medium, ShotRef, media_of
from kiebatch.scenefile.shots import ShotSpec
from kiebatch.scenefile.source import Source

_SCHEME = re.compile(r"(?i)^[a-z][a-z0-9+.-]*://")
# Which frame of a clip is meant where a role takes a picture, or a check compares with one.
_FRAMES: Mapping[str, Literal["first", "last"]] = {
    "start_frame": "last",
    "end_frame": "last",
    "first_frame": "last",
    "last_frame": "first",
    "like": "last",
}
_Found = tuple[Ref, Modality | None]


class _Refused(Exception):
    """A `{shot: ...}` that names nothing usable; `key` is the part of it that is wrong."""

    def __init__(self, key: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.hint = hint


@dataclass(frozen=True, slots=True)
class References:
    """Resolves media against the shots of the file, by their written names."""

    source: Source
    shots: Mapping[str, ShotSpec]

    def media(self, spec: ShotSpec, model: Model, characters: tuple[str, ...]) -> list[RoleMedia]:
        """Return the media of a shot's roles, then the pictures of the characters that it names."""
        found: list[RoleMedia] = []
        for role in ROLES:
            if role in spec.raw:
                found += self._of_role(spec, role, spec.raw[role], (*spec.path, role))
        for name in characters:
            pictures = self.source.characters[name].get("references")
            if pictures is None:
                continue
            if "references" in model.roles:
                found += self._of_role(spec, "references", pictures, ("characters", name, "references"))
                continue
            message = f"shot `{spec.name}`: `{model.id}` takes no pictures, so those of `{name}` are not sent"
            self.source.warning(spec, spec.path, message, code="character-pictures")
        return found

    def compared(self, spec: ShotSpec, check: str, name: str, path: Path) -> LocalFile | ShotOutput | None:
        """Return what a `check` compares a result with: a shot by its written name, a name under `references`, or a path.

        None, with an error at `path`, where it names nothing that can be seen.
        """
        text = self.source.references.get(name, name)
        if name.partition("#")[0].partition("@")[0] in self.shots:
            found = self._of_shot(spec, check, {"shot": name}, path)
            return found[0] if found and isinstance(found[0], ShotOutput) else None
        if isinstance(text, str) and not _SCHEME.match(text) and re.search(r"[./\\]", text):
            return LocalFile(text)
        message = f"shot `{spec.name}`: `{name}` is neither a shot nor a picture in the project"
        hint = did_you_mean(name, [*self.shots, *self.source.references])
        self.source.error(path, message, hint=hint, code="bad-shot")
        return None

    def unpicked(self, spec: ShotSpec) -> tuple[str, ...]:
        """Return the shots that a shot starts from without naming a take, and that nobody has picked."""
        found = []
        for role in ROLES:
            for one in media_of(spec.raw.get(role)):
                if one is None or isinstance(one, str) or one.get("take") or "#" in str(one.get("shot", "")):
                    continue
                base = str(one["shot"]).partition("@")[0]
                if self.source.options.picked(base) is None:
                    found.append(base)
        return tuple(dict.fromkeys(found))

    def _of_role(self, spec: ShotSpec, role: Role, value: MediaValue, path: Path) -> list[RoleMedia]:
        found: list[RoleMedia] = []
        for i, one in enumerate(media_of(value)):
            if one is None:
                continue
            place = (*path, i) if isinstance(value, list) else path
            if isinstance(one, str) and one in self.source.references:
                found += self._of_role(spec, role, self.source.references[one], ("references", one))
                continue
            resolved = self._resolved(spec, role, one, place)
            if resolved is not None:
                ref, kind = resolved
                found.append(RoleMedia(role=role, ref=ref, where=self.source.where(place), kind=kind))
        return found

    def _resolved(self, spec: ShotSpec, role: Role, value: Medium, path: Path) -> _Found | None:
        if not isinstance(value, str):
            return self._of_shot(spec, role, value, path)
        text = value.strip()
        if _SCHEME.match(text):
            problem = addresses.url_problem(text)
            if problem:
                self.source.error(path, f"shot `{spec.name}`: {problem}", code="bad-url")
                return None
            return WebURL(text), None
        if text.lower().startswith("data:"):
            self.source.error(path, "a `data:` URL cannot be sent; save it as a file")
            return None
        return LocalFile(text), None

    # -- what other shots make

    def _of_shot(self, spec: ShotSpec, role: str, value: ShotRef, path: Path) -> _Found | None:
        try:
            return self._shot_output(spec, role, value, path)
        except _Refused as refused:
            place = (*path, refused.key) if refused.key in value else path
            message = f"shot `{spec.name}`: {refused}"
            self.source.error(place, message, hint=refused.hint, code="bad-shot")
            return None

    def _shot_output(self, spec: ShotSpec, role: str, value: ShotRef, path: Path) -> _Found:
        base, _, take_text = str(value["shot"]).partition("#")
        base, _, model_text = base.partition("@")
        other = self._other(spec, base)
        model = _model_of(other, str(value.get("model") or model_text))
        written = _written_take(value, take_text)
        take = self._picked_take(spec, other, path) if written is None else written
        if not 1 <= take <= other.takes:
            have = f"`{base}` has {counted(other.takes, 'take')}, and take {take} is asked for"
            raise _Refused("take", have)
        as_task = value.get("as") == "task"
        frame = value.get("frame")
        if model.modality == "video" and not as_task and frame is None:
            frame = _FRAMES.get(role)
        _check_kind(base, model.modality, role, frame)
        ref = ShotOutput(
            slot=other.slot(model, take),
            output=int(value.get("output") or 1),
            frame=frame,
            as_task=as_task,
        )
        if as_task:
            return ref, None
        return ref, "image" if frame else model.modality

    def _other(self, spec: ShotSpec, name: str) -> ShotSpec:
        other = self.shots.get(name)
        if other is None:
            raise _Refused("shot", f"there is no shot `{name}`", did_you_mean(name, self.shots))
        if other.path == spec.path:
            raise _Refused("shot", "a shot cannot start from itself, or be compared with itself")
        if not other.makes:
            raise _Refused("shot", f"`{name}` makes nothing: it is a card without a prompt or a model")
        if other.skip:
            raise _Refused("shot", f"`{name}` is skipped, so it makes nothing")
        return other

    def _picked_take(self, spec: ShotSpec, other: ShotSpec, path: Path) -> int:
        picked = self.source.options.picked(other.name)
        if picked is not None and picked <= other.takes:
            return picked
        if other.takes > 1:
            message = f"shot `{spec.name}`: nobody has picked a take of `{other.name}`, so take 1 is used"
            hint = f"kiebatch pick {other.name}#N"
            self.source.warning(spec, path, message, hint=hint, code="no-pick")
        return 1


def _written_take(value: ShotRef, behind_the_hash: str) -> int | None:
    """Return the take that `take` or the name of the shot says; None where both leave it open."""
    if value.get("take"):
        return int(value["take"])
    if not behind_the_hash:
        return None
    if not behind_the_hash.isdecimal() or len(behind_the_hash) > 9:
        raise _Refused("shot", f"a take is a number, found `{behind_the_hash}`", "such as `2b#3`")
    return int(behind_the_hash)


def _model_of(other: ShotSpec, name: str) -> Model:
    have = ", ".join(m.id for _, m in other.models)
    if name:
        chosen = [m for asked, m in other.models if name in (m.id, asked)]
        if not chosen:
            raise _Refused("model", f"`{other.name}` is not made by `{name}`", f"it is made by {have}")
        return chosen[0]
    if len(other.models) > 1:
        hint = f"say which: {{shot: {other.name}, model: ...}} of {have}"
        raise _Refused("shot", f"`{other.name}` is made by several models", hint)
    return other.models[0][1]


def _check_kind(name: str, kind: Modality, role: str, frame: str | None) -> None:
    if frame and kind != "video":
        raise _Refused("frame", f"`{name}` is not a clip, so it has no {frame} frame")
    if role in (*_FRAMES, "mask") and kind not in ("image", "video"):
        raise _Refused("shot", f"`{name}` makes {kind}, and `{role}` takes a picture")
    if role == "mask" and kind == "video" and not frame:
        raise _Refused("shot", f"`{name}` makes a clip, and `mask` takes a picture")
