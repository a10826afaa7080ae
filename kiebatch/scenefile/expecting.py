"""What the author expects of a job's results: `expect` of the shot, its scene and the defaults, as typed values."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Model
from kiebatch.errors import Where
from kiebatch.media import checks
from kiebatch.model import JSON, Alike, Expectation, Passes, Path, Sized, Within
from kiebatch.scenefile.durations import seconds
from kiebatch.scenefile.references import References
from kiebatch.scenefile.shape import Asked
from kiebatch.scenefile.shots import ShotSpec
from kiebatch.scenefile.source import Source

OFF = "off"
_SIZES = ("aspect_ratio", "image_size", "size")
_SOUNDS = ("generate_audio", "sound", "audio", "enable_audio")
_KINDS = ("image", "video", "audio")


@dataclass(frozen=True, slots=True)
class _Said:
    """The words for one check, and where they stand; `own` where that is the shot or its scene."""

    value: JSON
    path: Path
    own: bool = False
    by_default: bool = False


@dataclass(frozen=True, slots=True)
class Expecting:
    """Reads what is expected of the results of one shot on one model."""

    source: Source
    references: References
    spec: ShotSpec
    model: Model

    def of(self, values: Mapping[str, JSON]) -> tuple[Expectation, ...]:
        """Return what is expected of a job that sends these values; what is wrong is reported at its place."""
        kind = self.model.modality
        if kind not in _KINDS:
            return ()
        asked = self._asked(values)
        levels = (self.spec.raw, self.spec.inherited, self.source.defaults, self.source.defaults_for(kind))
        if not any("expect" in values for values in levels):
            return _unwritten(kind, asked, self.source.where(()))
        found = []
        for name, said in self._said(checks.by_default(kind, asked)).items():
            if said.value == OFF:
                continue
            if kind not in checks.CHECKS[name].kinds:
                self._does_not_apply(name, said)
                continue
            one = self._read(name, said, asked)
            if one is not None:
                found.append(one)
        return _in_order(found)

    def _said(self, defaults: Mapping[str, str]) -> dict[str, _Said]:
        """Return the words for each check, the nearest first: shot, scene, defaults of the modality, defaults."""
        found = {name: _Said(text, (), by_default=True) for name, text in defaults.items()}
        for values, path, own in self._levels():
            given = values.get("expect")
            if given == OFF:
                found.clear()
            for name, value in given.items() if isinstance(given, Mapping) else ():
                if value is not None:
                    found[name] = _Said(value, (*path, "expect", name), own)
        return found

    def _levels(self) -> Iterator[tuple[Asked, Path, bool]]:
        source, spec, kind = self.source, self.spec, self.model.modality
        yield source.defaults, ("defaults",), False
        yield source.defaults_for(kind), ("defaults", kind), False
        yield spec.inherited, spec.inherited_path, True
        yield spec.raw, spec.path, True

    def _does_not_apply(self, name: str, said: _Said) -> None:
        """Say that a check is left out, unless the defaults name it, which are for all kinds."""
        if not said.own or said.path[: len(self.spec.path)] != self.spec.path:
            return
        kinds = {"image": "stills", "video": "clips", "audio": "sound"}
        meant = " and ".join(kinds[kind] for kind in checks.CHECKS[name].kinds)
        message = f"shot `{self.spec.name}`: `{name}` is a check of {meant}, so it is left out here"
        self.source.warning(self.spec, said.path, message, code="expect")

    def _read(self, name: str, said: _Said, asked: checks.Asked) -> Expectation | None:
        try:
            want = self._want(name, said, asked)
        except checks.Unreadable as wrong:
            if said.own or asked.length_s is not None or not str(said.value).strip().startswith(("±", "+")):
                self._wrong(said.path, str(wrong), wrong.hint)
            return None
        if want is None:
            return None
        text = str(said.value).strip()
        place = self.source.where(said.path)
        return Expectation(check=name, text=text, want=want, by_default=said.by_default, where=place)

    def _want(self, name: str, said: _Said, asked: checks.Asked) -> Within | Sized | Alike | Passes | None:
        if name == "command":
            return Passes(checks.read_command(said.value))
        if name in checks.LIKENESSES:
            return self._alike(name, said)
        return checks.read(name, said.value, asked)

    def _alike(self, name: str, said: _Said) -> Alike | None:
        target, within = checks.read_alike(name, said.value)
        ref = self.references.compared(self.spec, name, target, said.path)
        return Alike(ref=ref, within=within) if ref else None

    def _wrong(self, path: Path, message: str, hint: str) -> None:
        self.source.error(path, f"shot `{self.spec.name}`: {message}", hint=hint, code="expect")

    # -- what was asked of the model

    def _asked(self, values: Mapping[str, JSON]) -> checks.Asked:
        size = next((str(values[key]) for key in _SIZES if isinstance(values.get(key), str)), "")
        return checks.Asked(
            size=size,
            length_s=self._length(values),
            sound=self.model.family == "veo" or any(values.get(key) is True for key in _SOUNDS),
        )

    def _length(self, values: Mapping[str, JSON]) -> float | None:
        """Return the seconds that are asked of the model, else those on the timeline."""
        field = self.model.fields.get("duration")
        sent = field and values.get(field.name)
        if isinstance(sent, str | int | float):
            asked = seconds(str(sent))
            if asked is not None:
                return float(asked)
        return self.spec.seconds


@functools.lru_cache(maxsize=1024)
def _unwritten(kind: str, asked: checks.Asked, where: Where) -> tuple[Expectation, ...]:
    """Return what is expected of a result although nobody wrote it: for most shots of a film the same."""
    texts = checks.by_default(kind, asked)
    return _in_order(
        Expectation(check=name, text=text, want=checks.read(name, text, asked), by_default=True, where=where)
        for name, text in texts.items()
    )


def _in_order(found: Iterable[Expectation]) -> tuple[Expectation, ...]:
    order = list(checks.CHECKS)
    return tuple(sorted(found, key=lambda e: order.index(e.check)))
