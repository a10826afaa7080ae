"""Finds the models and the number of takes that a shot asks for, by itself or by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from kiebatch import catalogue as models
from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Model
from kiebatch.model import ROLES, Modality, Path, Role
from kiebatch.scenefile import validation
from kiebatch.scenefile.shots import ShotSpec
from kiebatch.scenefile.source import PICTURED, Source, listed

_Models = tuple[tuple[str, Model], ...]
_LookUp = tuple[str, Modality | None, tuple[str, ...], bool, bool]


@dataclass(slots=True)
class ModelChoice:
    """Looks each name up once, so that one wrong name in `defaults` is one problem."""

    source: Source
    _found: dict[_LookUp, Model | None] = field(default_factory=dict)
    _chosen: dict[_Models, _Models] = field(
        default_factory=dict
    )  # shots with the same models share one tuple

    def resolved(self, spec: ShotSpec) -> ShotSpec:
        """Return a shot with its models and its number of takes."""
        names, path = self._names(spec)
        a_list = isinstance(validation.value_at(self.source.plain, path), list)
        found: list[tuple[str, Model]] = []
        for i, name in enumerate(names):
            place = (*path, i) if a_list else path
            model = self.model(name, spec, place)
            if model is None:
                continue
            if any(model.id == other.id for _, other in found):
                self.source.error(place, f"shot `{spec.name}` names the model `{model.id}` twice")
                continue
            found.append((name, model))
        chosen = tuple(found)
        return spec.made_by(self._chosen.setdefault(chosen, chosen), self._takes(spec, found))

    def names_one(self, spec: ShotSpec) -> bool:
        """Whether any model is named for a shot, known or not: an unknown name is reported where it is written."""
        return bool(self._names(spec)[0])

    def model(self, name: str, spec: ShotSpec, path: Path) -> Model | None:
        """Return the model that a name means; None, with an error at `path`, when there is none."""
        modality: Modality | None = spec.raw.get("type")
        if modality is None and spec.kind != "shot":
            modality = "audio"
        kept = tuple(self.source.options.kept(spec.scene, spec.shot))
        key = (name, modality, kept, self._shows_pictures(spec), self._given(spec, "mask"))
        if key not in self._found:
            self._found[key] = self._look_up(key, path)
        return self._found[key]

    def _shows_pictures(self, spec: ShotSpec) -> bool:
        """Whether a shot is given pictures, itself or by a character that it names."""
        if any(values.get(role) for values in (spec.raw, spec.inherited) if values for role in ROLES):
            return True
        if not any(character.get("references") for character in self.source.characters.values()):
            return False
        named = {*listed(spec.raw.get("characters")), *listed(spec.inherited.get("characters"))}
        text = str(spec.raw.get("prompt") or "")
        return any(
            bool(character.get("references")) and (name in named or f"{{{name}}}" in text)
            for name, character in self.source.characters.items()
        )

    def _given(self, spec: ShotSpec, role: Role) -> bool:
        return bool(spec.raw.get(role) or spec.inherited.get(role))

    def _look_up(self, asked: _LookUp, path: Path) -> Model | None:
        name, modality, kept, pictures, mask = asked
        source = self.source
        for keep in (*kept, None):
            try:
                model = source.catalogue.resolve(name, keep=keep, pictures=pictures, mask=mask)
            except models.UnknownModel as unknown:
                if source.options.allow_unknown_model:
                    return models.unknown(name, modality or "image")
                source.error(path, unknown.message, hint=unknown.hint, code="unknown-model")
                return None
            if keep is None or model.id == keep:
                note = source.catalogue.spelling_note(name, model)
                if note:
                    source.warning(None, path, note, code="old-name")
                return model
        return None

    # -- names

    def _names(self, spec: ShotSpec) -> tuple[list[str], Path]:
        """Return the models that a shot names, itself or by default, and where that was written."""
        for values, path in ((spec.raw, spec.path), (spec.inherited, spec.inherited_path)):
            if "model" in values:
                return listed(values["model"]), (*path, "model")
        if spec.kind != "shot":
            return self._names_of_sound(spec)
        kind = spec.raw.get("type") or spec.inherited.get("type")
        return self._by_default(kind) or self._by_option(kind) or ([], ())

    def _names_of_sound(self, spec: ShotSpec) -> tuple[list[str], Path]:
        names = listed(self.source.defaults_for("audio").get("model"))
        path: Path = ("defaults", "audio", "model")
        if not names:
            names, path = listed(self.source.options.models.get("audio")), ()
        if spec.kind in ("music", "sfx"):
            task = "music" if spec.kind == "music" else "sound"
            names = [name for name in names if task in self._known(name, "task")]
        if not names:
            return [], ()
        return names, path

    def _by_default(self, kind: Modality | None) -> tuple[list[str], Path] | None:
        by_kind = self.source.defaults_for(kind).get("model")
        if by_kind:
            return listed(by_kind), ("defaults", str(kind), "model")
        general = self.source.defaults.get("model")
        if general and (kind is None or kind in self._modalities(listed(general))):
            return listed(general), ("defaults", "model")
        if kind is not None or general:
            return None
        for modality in PICTURED:
            by_kind = self.source.defaults_for(modality).get("model")
            if by_kind:
                return listed(by_kind), ("defaults", modality, "model")
        return None

    def _by_option(self, kind: Modality | None) -> tuple[list[str], Path] | None:
        """Return what `--model` and its like name, for shots for which the file names no model."""
        options = self.source.options
        by_kind = options.models
        if kind is None:
            named = [options.model, by_kind.get("image"), by_kind.get("video")]
        else:
            named = [by_kind.get(kind)]
            if options.model and kind in self._modalities([options.model]):
                named.append(options.model)
        first = next((name for name in named if name), None)
        return ([first], ()) if first else None

    def _known(self, name: str, what: str) -> str:
        try:
            return str(getattr(self.source.catalogue.resolve(name), what))
        except models.UnknownModel:
            return ""

    def _modalities(self, names: Sequence[str]) -> set[str]:
        return {self._known(name, "modality") for name in names} - {""}

    # -- takes

    def _takes(self, spec: ShotSpec, found: Sequence[tuple[str, Model]]) -> int:
        for values in (spec.raw, spec.inherited):
            takes = values.get("takes")
            if takes is not None:
                return len(takes) if isinstance(takes, list) else int(takes)
        by_kind = self.source.defaults_for(found[0][1].modality).get("takes") if found else None
        if by_kind is not None:
            return int(by_kind)
        if spec.kind != "shot":
            return 1  # three takes of every still do not mean three readings of every line
        return int(self.source.defaults.get("takes", 1))
