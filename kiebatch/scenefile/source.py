"""A scene file while a project is built from it: its values, and where each problem is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field, replace
from typing import Literal, overload

from kiebatch import catalogue as models
from kiebatch._dataclass import dataclass
from kiebatch.catalogue.inputs import Builder
from kiebatch.errors import Problems, Where
from kiebatch.model import JSON, Document, Enhance, Modality, Path, RoleMedia, SceneId, ShotId, as_form
from kiebatch.scenefile import validation
from kiebatch.scenefile.negatives import terms_of
from kiebatch.scenefile.shape import (
    CharacterValues,
    Defaults,
    DefaultValues,
    FileValues,
    MediaValue,
    Names,
    ShotValues,
)
from kiebatch.scenefile.shots import ShotSpec
from kiebatch.scenefile.speech import Rates

PICTURED: tuple[Modality, ...] = ("image", "video")

_Setting = Literal["fallback", "seed", "enhance", "preset", "style", "characters"]
_Seed = tuple[int | Literal["stable"] | None, Path]
_Enhance = tuple[Enhance | None, Path]
_Name = tuple[str | None, Path]
_Names = tuple[Names | None, Path]


def _no_models(_scene: SceneId, _shot: ShotId) -> Sequence[str]:
    return ()


def _no_pick(_shot: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPrompt:
    """A prompt after styles, characters and variables, as somebody may have made it better."""

    text: str
    model: models.Model
    media: tuple[RoleMedia, ...]
    preset: str  # the key that the file names, empty for none


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a command may ask of the reading, beside the file itself.

    `trust_prices` takes the prices of the project's own model files as they are.  `kept` gives the models that the manifest names for a shot, so that an alias stays with its model.
    `picked` gives the picked take of a shot by its written name.  `variables` beat the file's `vars`.
    `model` and `models` (by modality) serve shots for which the file names no model.  `enhanced` gives the pinned text
    of a prompt, None where there is none, and raises `Invalid` for a preset that is not there; without it every prompt
    is sent as it is.
    """

    fold_negative: bool = False
    allow_unknown_model: bool = False
    trust_prices: bool = False
    lint: bool = False
    kept: Callable[[SceneId, ShotId], Sequence[str]] = _no_models
    picked: Callable[[str], int | None] = _no_pick
    variables: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    models: Mapping[Modality, str] = field(default_factory=dict)
    enhanced: Callable[[RawPrompt], str | None] | None = None
    speech: Rates = field(default_factory=Rates)  # how fast the voices of this project have spoken


_Level = tuple[ShotValues | DefaultValues, Path]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a file says for all shots of a kind: where settings are looked for, and what to avoid."""

    levels: tuple[_Level, ...]
    negatives: tuple[tuple[JSON, Path], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A scene file that passed the schema, without the parts that it refused, and the book of its problems."""

    document: Document
    catalogue: models.Catalogue
    options: Options
    plain: JSON  # for who goes along a path
    value: FileValues
    characters: Mapping[str, CharacterValues]
    problems: Problems
    variables: Mapping[str, str]  # the file's `vars` and those of the command line, which beat them, as text
    names: Set[str]  # of styles, characters and variables
    inputs: Builder = field(default_factory=Builder)  # of all jobs of the file
    _shared: dict[Modality, _Shared] = field(default_factory=dict)
    _alike: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Document, catalogue: models.Catalogue, options: Options) -> Source:
        """Check a document by the schema; what the schema refuses is reported and left out."""
        problems = Problems()
        plain = validation.check_scenes(document, problems)
        value = as_form(FileValues, plain)
        characters = {name: _character(given) for name, given in value.get("characters", {}).items()}
        variables = {**_as_text(value.get("vars", {})), **options.variables}
        return cls(
            document=document,
            catalogue=catalogue,
            options=options,
            plain=plain,
            value=value,
            characters=characters,
            problems=problems,
            variables=variables,
            names={*value.get("styles", {}), *characters, *variables},
        )

    @property
    def styles(self) -> Mapping[str, str]:
        return self.value.get("styles", {})

    @property
    def references(self) -> Mapping[str, MediaValue]:
        return self.value.get("references", {})

    @property
    def defaults(self) -> Defaults:
        return self.value.get("defaults", {})

    def defaults_for(self, modality: Modality | None) -> DefaultValues:
        if modality is None or modality == "text":
            return {}
        return self.defaults.get(modality, {})

    def apart(self) -> Source:
        """Return the same file with an empty book, for problems that the caller may leave out.

        What is sent from it is the author's own prompt: nobody makes one better that may never be needed.
        """
        return replace(self, problems=Problems(), options=replace(self.options, enhanced=None))

    def alike(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return names, each once; shots that have the same share one tuple."""
        found = tuple(dict.fromkeys(names))
        return self._alike.setdefault(found, found)

    # -- places and problems

    def where(self, path: Sequence[str | int]) -> Where:
        return self.document.where(path)

    def error(self, path: Path, message: str, *, hint: str = "", code: str = "invalid") -> None:
        self.problems.error(self.where(path), message, hint=hint, code=code)

    def warning(self, spec: ShotSpec | None, path: Path, message: str, *, hint: str = "", code: str) -> None:
        """Report a warning, unless the file or the shot leaves out warnings of this code."""
        if code not in self.ignored(spec):
            self.problems.warning(self.where(path), message, hint=hint, code=code)

    def ignored(self, spec: ShotSpec | None) -> set[str]:
        levels = [self.value.get("ignore_warnings")]
        if spec is not None:
            levels += [spec.raw.get("ignore_warnings"), spec.inherited.get("ignore_warnings")]
        return {code for codes in levels for code in listed(codes)}

    # -- precedence

    @overload
    def setting(self, spec: ShotSpec, modality: Modality, key: Literal["seed"]) -> _Seed: ...
    @overload
    def setting(self, spec: ShotSpec, modality: Modality, key: Literal["enhance"]) -> _Enhance: ...
    @overload
    def setting(self, spec: ShotSpec, modality: Modality, key: Literal["preset", "fallback"]) -> _Name: ...
    @overload
    def setting(self, spec: ShotSpec, modality: Modality, key: Literal["style", "characters"]) -> _Names: ...

    def setting(self, spec: ShotSpec, modality: Modality, key: _Setting) -> tuple[JSON, Path]:
        """Return a value and its place by precedence: shot, scene, defaults of the modality, defaults."""
        for values, path in self._levels(spec, modality, key):
            value = values.get(key)
            if value is not None:
                return value, (*path, key)
        return None, spec.path

    def _levels(self, spec: ShotSpec, modality: Modality, key: str) -> Sequence[_Level]:
        """Return what may give a shot the value of a key, the nearest first."""
        own = ((spec.raw, spec.path), (spec.inherited, spec.inherited_path))
        if key == "params" and modality not in PICTURED:
            return (*own, *self._for_all(modality).levels, (self.defaults, ("defaults",)))
        return (*own, *self._for_all(modality).levels)

    def _for_all(self, modality: Modality) -> _Shared:
        """Return what the file says for all shots of a kind, which is gathered once."""
        found = self._shared.get(modality)
        if found is None:
            found = self._shared[modality] = self._said_for_all(modality)
        return found

    def _said_for_all(self, modality: Modality) -> _Shared:
        levels: list[_Level] = [(self.defaults_for(modality), ("defaults", modality))]
        whole: list[tuple[FileValues, Path]] = []
        # Words and seeds for pictures are not meant for voices.
        if modality in PICTURED:
            levels.append((self.defaults, ("defaults",)))
            whole.append((self.value, ()))
        negatives = [one for values, path in (*levels, *whole) for one in _negatives_in(values, path)]
        return _Shared(tuple(levels), tuple(negatives))

    def origin(self, spec: ShotSpec, modality: Modality, name: str) -> Path:
        """Return where the person wrote what a finding is about: `prompt`, `params.seed`, `references`."""
        if name == "prompt" and spec.prompt_path:
            return spec.prompt_path
        head, _, rest = name.partition(".")
        found: Path | None = None
        if name == "negative_prompt":
            found = next((path for _, path in self.negatives(spec, modality)), None)
        elif head == "params" and rest:
            found = self._place_of_param(spec, modality, rest)
        return found or self._place(spec, modality, head)

    def _place(self, spec: ShotSpec, modality: Modality, key: str) -> Path:
        given = (path for values, path in self._levels(spec, modality, key) if values.get(key) is not None)
        return next(((*path, key) for path in given), spec.path)

    def _place_of_param(self, spec: ShotSpec, modality: Modality, name: str) -> Path | None:
        written = ((*base, name) for base in self._params_paths(spec, modality))
        return next((path for path in written if path in self.document.places), None)

    def _params_paths(self, spec: ShotSpec, modality: Modality) -> tuple[Path, ...]:
        return (
            (*spec.path, "params"),
            (*spec.path, "extra_params"),
            (*spec.inherited_path, "params"),
            (*spec.inherited_path, "extra_params"),
            ("defaults", modality, "params"),
            ("defaults", modality, "extra_params"),
            ("defaults", "params"),
        )

    def negatives(self, spec: ShotSpec, modality: Modality) -> list[tuple[JSON, Path]]:
        """Return every negative prompt that adds up for a shot, with its place, the nearest first."""
        return [
            *_negatives_in(spec.raw, spec.path),
            *_negatives_in(spec.inherited, spec.inherited_path),
            *self._for_all(modality).negatives,
        ]

    def tags(self, spec: ShotSpec) -> tuple[str, ...]:
        found = [values.get("tags") for values in (self.value, spec.inherited, spec.raw)]
        return self.alike(tag for value in found for tag in listed(value))


def _negatives_in(values: ShotValues | DefaultValues | FileValues, path: Path) -> Iterator[tuple[JSON, Path]]:
    if values.get("negative_prompt"):
        yield values["negative_prompt"], (*path, "negative_prompt")
    if values.get("negative"):
        terms = terms_of(values["negative"])
        if terms:
            yield terms, (*path, "negative")


def _character(given: str | CharacterValues) -> CharacterValues:
    return {"text": given} if isinstance(given, str) else given


def listed(value: JSON) -> list[str]:
    """Return one text or a list of texts as a list; None holds none."""
    if value is None:
        return []
    return [str(v) for v in value if v is not None] if isinstance(value, list) else [str(value)]


def placed_names(value: JSON, path: Path) -> list[tuple[str, Path]]:
    """Return the one name that a value is, or each of its list, with its place."""
    if isinstance(value, list):
        return [(name, (*path, i)) for i, name in enumerate(listed(value))]
    return [(name, path) for name in listed(value)]


def _as_text(variables: Mapping[str, JSON]) -> dict[str, str]:
    """Return variables as they are sent: `true` and `5` as they were written."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in variables.items()
    }
