"""Builds a Project: schema, defaults, styles, characters, shot references; reports all problems of a file at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal, cast

from kiebatch import addresses
from kiebatch import catalogue as models
from kiebatch.catalogue import Model, inputs, lint
from kiebatch.errors import Invalid, Problem, Problems, Where, nearest
from kiebatch.model import (
    JSON,
    ROLES,
    Ask,
    Document,
    Job,
    LocalFile,
    Modality,
    Path,
    Project,
    Ref,
    RoleMedia,
    Scene,
    SceneId,
    Shot,
    ShotId,
    ShotOutput,
    Slot,
    WebURL,
)
from kiebatch.scenefile import validation

FORMAT = 1
_WHERE_TO_NAME_A_MODEL = {
    "yaml": "here, or for all under `defaults: {model: ...}`",
    "markdown": "here with `- **Model**: ...`, or for all below `## Defaults`",
}
EXAMPLE = """kiebatch: 1
scenes:
  - {id: 1, model: nano-banana-2, prompt: A small boat nears the lighthouse at dusk}"""

_SOUNDS: tuple[tuple[str, Literal["vo", "music", "sfx"]], ...] = (
    ("voiceover", "vo"),
    ("music", "music"),
    ("sound_effects", "sfx"),
)
_INHERITED = (
    "model",
    "params",
    "takes",
    "seed",
    "style",
    "characters",
    "negative_prompt",
    "fallback",
    "type",
)
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a command may ask of the reading, beside the file itself.

    `kept` gives the models that the manifest names for a shot, so that an alias stays with its model.
    `picks` gives the picked take of a shot by its written name.
    """

    fold_negative: bool = False
    allow_unknown_model: bool = False
    lint: bool = False
    kept: Callable[[SceneId, ShotId], Sequence[str]] = lambda _scene, _shot: ()
    picked: Callable[[str], int | None] = lambda _shot: None


def build(
    document: Document, catalogue: models.Catalogue, options: Options | None = None
) -> tuple[Project, list[Problem]]:
    """Return the project that a document describes, with every problem found, in file order.

    The project holds only what is whole when there are errors among the problems.  Raises `Invalid` alone
    where the document is no scene file at all.
    """
    value = document.value
    if not isinstance(value, dict) or "kiebatch" not in value:
        raise Invalid(
            [
                Problem(
                    where=Where(document.file),
                    message="this is not a kiebatch scene file: it has no line `kiebatch: 1`",
                    hint=f"the smallest one is\n{EXAMPLE}",
                    code="not-ours",
                )
            ]
        )
    version = value["kiebatch"]
    if isinstance(version, int) and version > FORMAT:
        raise Invalid(
            [
                Problem(
                    where=document.where(("kiebatch",)),
                    message=f"the file has format {version}, this kiebatch knows {FORMAT}",
                    hint="update kiebatch",
                )
            ]
        )
    builder = _Builder(document, catalogue, options or Options())
    project = builder.project()
    found = sorted(
        dict.fromkeys(builder.problems.found), key=lambda p: (p.where.file, p.where.line, p.where.column)
    )
    return project, found


# --- building ------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Wanted:
    """A shot after defaults, before its jobs: what it asks, and where each part of that was written."""

    scene: SceneId
    shot: ShotId
    kind: Literal["shot", "vo", "music", "sfx"]
    path: Path
    raw: Mapping[str, JSON]
    inherited: Mapping[str, JSON]  # from a scene with shots
    inherited_path: Path
    models: list[tuple[str, Model]] = field(default_factory=list)
    takes: int = 1
    skip: str = ""
    sources: dict[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return Slot(self.scene, self.shot).shot_name

    def slot(self, model: Model, take: int) -> Slot:
        return Slot(self.scene, self.shot, model.id if len(self.models) > 1 else None, take)


class _Builder:
    def __init__(self, document: Document, catalogue: models.Catalogue, options: Options) -> None:
        self.document = document
        self.catalogue = catalogue
        self.options = options
        self.problems = Problems()
        self.value: dict[str, JSON] = validation.check_scenes(document, self.problems)
        self.styles: dict[str, str] = self.value.get("styles") or {}
        self.characters = {
            name: {"text": v} if isinstance(v, str) else v
            for name, v in (self.value.get("characters") or {}).items()
            if v is not None
        }
        self.references: dict[str, JSON] = self.value.get("references") or {}
        self.defaults: dict[str, JSON] = self.value.get("defaults") or {}
        self.shots: dict[str, _Wanted] = {}  # by written name, in file order
        self.alike: dict[str, _Wanted] = {}
        self.outputs: dict[str, _Wanted] = {}
        self._models: dict[str, Model | None] = {}
        self._names_clash()

    def where(self, path: Sequence[str | int]) -> Where:
        return self.document.where(path)

    def error(self, path: Path, message: str, *, hint: str = "", code: str = "invalid") -> None:
        self.problems.error(self.where(path), message, hint=hint, code=code)

    def warning(self, wanted: _Wanted | None, path: Path, message: str, *, hint: str = "", code: str) -> None:
        if code in self._ignored(wanted):
            return
        self.problems.warning(self.where(path), message, hint=hint, code=code)

    def _ignored(self, wanted: _Wanted | None) -> set[str]:
        found = set(self.value.get("ignore_warnings") or ())
        if wanted:
            found |= set(wanted.raw.get("ignore_warnings") or ())
            found |= set(wanted.inherited.get("ignore_warnings") or ())
        return found

    def _names_clash(self) -> None:
        for name in set(self.styles) & set(self.characters):
            self.error(("characters", name), f"`{name}` is both a style and a character", code="duplicate")

    # -- the project

    def project(self) -> Project:
        drafts: list[tuple[Mapping[str, JSON], Path, list[_Wanted]]] = []
        seen_scenes: dict[str, Path] = {}
        scenes = self.value.get("scenes")
        if not scenes and "scenes" not in (self.document.value or {}):
            self.error((), "the file has no `scenes`", hint=f"for example\n{EXAMPLE}", code="missing")
        for i, scene in enumerate(scenes or ()):
            if not isinstance(scene, dict) or "id" not in scene:
                continue
            path: Path = ("scenes", i)
            key = str(scene["id"]).lower()
            if key in seen_scenes:
                first = self.where((*seen_scenes[key], "id"))
                self.error(
                    (*path, "id"),
                    f"the scene id `{scene['id']}` is used twice; the first is at line {first.line}",
                    code="duplicate-id",
                )
                continue
            seen_scenes[key] = path
            drafts.append((scene, path, self._wanted_of(scene, path)))
        for _, _, wanted in drafts:
            for one in wanted:
                self._resolve_models(one)
        built = tuple(self._scene(scene, path, wanted) for scene, path, wanted in drafts)
        project = Project(
            file=self.document.file,
            title=self.value.get("title") or "",
            notes=self.value.get("notes") or "",
            assets=self._assets(),
            run=self.value.get("run") or {},
            moved=self._moved(),
            scenes=built,
        )
        self._check_slots(project)
        self._check_cycles(project)
        return project

    def _assets(self) -> str:
        text = str(self.value.get("assets") or "assets")
        path = PurePosixPath(text.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or not path.name:
            self.error(("assets",), f"`assets` must be a folder inside the project, found `{text}`")
            return "assets"
        return path.as_posix()

    def _moved(self) -> dict[str, str]:
        moved: dict[str, str] = {}
        for old, new in (self.value.get("moved") or {}).items():
            new = str(new)
            shot = re.split(r"[@#]", new)[0]
            if shot not in self.shots:
                near = nearest(shot, self.shots)
                self.error(
                    ("moved", old),
                    f"`moved` names `{new}`, and there is no such shot",
                    hint=f"did you mean `{near}`?" if near else "",
                )
            elif re.split(r"[@#]", str(old))[0] in self.shots:
                self.error(("moved", old), f"`moved` names `{old}` as an old slot, and the file still has it")
            else:
                moved[str(old)] = new
        return moved

    # -- shots before their jobs

    def _wanted_of(self, scene: Mapping[str, JSON], path: Path) -> list[_Wanted]:
        found: list[_Wanted] = []
        shots = scene.get("shots")
        scene_skip = _reason(scene.get("skip"))
        if shots is not None:
            if "prompt" in scene:
                self.error(
                    (*path, "prompt"), f"scene {scene['id']} has both `prompt` and `shots`", hint="give one"
                )
            for key in ("output", "voice", *ROLES):
                if key in scene:
                    self.error(
                        (*path, key),
                        f"scene {scene['id']}: `{key}` belongs on a shot when the scene has `shots`",
                    )
            inherited = {k: scene[k] for k in (*_INHERITED, "ignore_warnings") if k in scene}
            seen: dict[str, Path] = {}
            for i, shot in enumerate(shots):
                if not isinstance(shot, dict) or "id" not in shot:
                    continue
                shot_path: Path = (*path, "shots", i)
                key = str(shot["id"]).lower()
                if key in seen:
                    self.error(
                        (*shot_path, "id"),
                        f"scene {scene['id']}: the shot id `{shot['id']}` is used twice",
                        code="duplicate-id",
                    )
                    continue
                seen[key] = shot_path
                if key in ("vo", "music", "sfx") and any(k in scene for k, n in _SOUNDS if n == key):
                    self.error((*shot_path, "id"), f"the shot id `{key}` belongs to the scene's own sound")
                    continue
                found.append(
                    _Wanted(
                        scene=scene["id"],
                        shot=shot["id"],
                        kind="shot",
                        path=shot_path,
                        raw=shot,
                        inherited=inherited,
                        inherited_path=path,
                        skip=_reason(shot.get("skip")) or scene_skip,
                    )
                )
        else:
            found.append(
                _Wanted(
                    scene=scene["id"],
                    shot=None,
                    kind="shot",
                    path=path,
                    raw=scene,
                    inherited={},
                    inherited_path=path,
                    skip=scene_skip,
                )
            )
        for key, name in _SOUNDS:
            sound = scene.get(key)
            if sound is None:
                continue
            raw = {"text": sound} if isinstance(sound, str) else sound
            found.append(
                _Wanted(
                    scene=scene["id"],
                    shot=name,
                    kind=name,
                    path=(*path, key),
                    raw=raw,
                    inherited={},
                    inherited_path=path,
                    skip=_reason(raw.get("skip")) or scene_skip,
                )
            )
        for wanted in found:
            other = self.alike.setdefault(wanted.name.lower(), wanted)
            if other is not wanted:
                self.error(
                    (*wanted.path, "id"),
                    f"two slots read alike: `{wanted.name}` and the `{other.name}` of line"
                    f" {self.where(other.path).line}",
                    hint="change one id",
                    code="duplicate-id",
                )
                continue
            self.shots[wanted.name] = wanted
        return found

    def _resolve_models(self, wanted: _Wanted) -> None:
        names, path = self._model_names(wanted)
        seen: set[str] = set()
        for i, name in enumerate(names):
            place = (*path, i) if isinstance(validation.value_at(self.value, path), list) else path
            model = self._model(name, wanted, place)
            if model is None:
                continue
            if model.id in seen:
                self.error(place, f"shot `{wanted.name}` names the model `{model.id}` twice")
                continue
            seen.add(model.id)
            wanted.models.append((name, model))
        wanted.takes = self._takes(wanted)

    def _model_names(self, wanted: _Wanted) -> tuple[list[str], Path]:
        """Return the models that a shot names, itself or by default, and where that was written."""
        if "model" in wanted.raw:
            return _listed(wanted.raw["model"]), (*wanted.path, "model")
        if "model" in wanted.inherited:
            return _listed(wanted.inherited["model"]), (*wanted.inherited_path, "model")
        kind = wanted.raw.get("type") or wanted.inherited.get("type")
        if wanted.kind != "shot":
            kind = "audio"
        by_kind = (self.defaults.get(kind) or {}).get("model") if kind else None
        if by_kind:
            names, path = _listed(by_kind), ("defaults", str(kind), "model")
            if wanted.kind in ("music", "sfx"):
                wanted_task = "music" if wanted.kind == "music" else "sound"
                names = [n for n in names if wanted_task in self._task(n)]
            return names, path
        if wanted.kind != "shot":
            return [], ()
        general = self.defaults.get("model")
        if general and (kind is None or kind in self._kinds(_listed(general))):
            return _listed(general), ("defaults", "model")
        if kind is None and not general:
            for modality in ("image", "video"):
                by_kind = (self.defaults.get(modality) or {}).get("model")
                if by_kind:
                    return _listed(by_kind), ("defaults", modality, "model")
        return [], ()

    def _task(self, name: str) -> str:
        try:
            return str(self.catalogue.resolve(name).task)
        except models.UnknownModel:
            return ""

    def _kinds(self, names: Sequence[str]) -> set[str]:
        found = set()
        for name in names:
            try:
                found.add(str(self.catalogue.resolve(name).modality))
            except models.UnknownModel:
                continue
        return found

    def _model(self, name: str, wanted: _Wanted, path: Path) -> Model | None:
        modality = wanted.raw.get("type") or ("audio" if wanted.kind != "shot" else None)
        kept = tuple(self.options.kept(wanted.scene, wanted.shot))
        key = f"{name}\0{modality}\0{kept}"
        if key not in self._models:
            self._models[key] = self._look_up(name, modality, kept, path)
        return self._models[key]

    def _look_up(self, name: str, modality: str | None, kept: tuple[str, ...], path: Path) -> Model | None:
        for keep in (*kept, None):
            try:
                model = self.catalogue.resolve(name, keep=keep)
            except models.UnknownModel as unknown:
                if self.options.allow_unknown_model:
                    return models.unknown(name, cast(Modality, modality or "image"))
                self.error(path, unknown.message, hint=unknown.hint, code="unknown-model")
                return None
            if keep is None or model.id == keep:
                note = self.catalogue.spelling_note(name, model)
                if note:
                    self.warning(None, path, note, code="old-name")
                return model
        return None

    def _takes(self, wanted: _Wanted) -> int:
        for source in (wanted.raw, wanted.inherited):
            if source.get("takes") is not None:
                return int(source["takes"])
        modality = wanted.models[0][1].modality if wanted.models else None
        by_kind = (self.defaults.get(str(modality)) or {}).get("takes") if modality else None
        if by_kind is not None:
            return int(by_kind)
        # Three takes of every still do not mean three readings of every line.
        return int(self.defaults.get("takes") or 1) if wanted.kind == "shot" else 1

    # -- scenes and shots with their jobs

    def _scene(self, scene: Mapping[str, JSON], path: Path, wanted: Sequence[_Wanted]) -> Scene:
        voice = scene.get("voiceover")
        dialogue = (
            voice
            if isinstance(voice, str)
            else (voice or {}).get("text") or (voice or {}).get("prompt") or ""
        )
        return Scene(
            id=scene["id"],
            title=scene.get("title") or "",
            notes=_notes(scene),
            group=scene.get("group") or "",
            duration_s=scene.get("duration"),
            camera=scene.get("camera") or "",
            text_overlay=scene.get("text_overlay") or "",
            transition=scene.get("transition") or "",
            skip=_reason(scene.get("skip")),
            dialogue=dialogue,
            shots=tuple(self._shot(w) for w in wanted if self.shots.get(w.name) is w),
            where=self.where(path),
        )

    def _shot(self, wanted: _Wanted) -> Shot:
        raw = wanted.raw
        jobs = self._jobs(wanted)
        plain = wanted.shot is None
        return Shot(
            id=wanted.shot,
            kind=wanted.kind,
            title="" if plain else raw.get("title") or "",
            notes="" if plain else _notes(raw),
            prompt=jobs[0].prompt if jobs else str(self._prompt_text(wanted) or ""),
            duration_s=raw.get("duration"),
            camera=raw.get("camera") or "",
            text_overlay=raw.get("text_overlay") or "",
            transition=raw.get("transition") or "",
            skip=wanted.skip,
            takes=wanted.takes,
            models=tuple(m.id for _, m in wanted.models),
            jobs=() if wanted.skip else jobs,
            where=self.where(wanted.path),
        )

    def _prompt_text(self, wanted: _Wanted) -> str | None:
        if wanted.kind != "shot" and "text" in wanted.raw and "prompt" in wanted.raw:
            self.error(
                (*wanted.path, "text"),
                f"`{wanted.name}` has both `text` and `prompt`",
                hint="they mean the same",
            )
        for key in ("prompt", "text"):
            if key in wanted.raw:
                wanted.sources["prompt"] = (*wanted.path, key)
                return cast("str | None", wanted.raw[key])
        return None

    def _makes(self, wanted: _Wanted) -> bool:
        """Whether a shot makes something, and is not a mere card on the board."""
        says = (
            any(key in wanted.raw for key in ("prompt", "text", "model", *ROLES))
            or "model" in wanted.inherited
        )
        return says and bool(wanted.models)

    def _jobs(self, wanted: _Wanted) -> tuple[Job, ...]:
        prompt = self._prompt_text(wanted)
        given = "prompt" in wanted.sources
        if given and not str(prompt or "").strip():
            self.error(
                wanted.sources["prompt"], f"shot `{wanted.name}`: the prompt is empty", code="empty-prompt"
            )
            return ()
        names_model = "model" in wanted.raw or "model" in wanted.inherited
        if not given and not names_model and not self._makes(wanted):
            return ()  # a card on the board
        if not wanted.models:
            if wanted.kind == "shot" and not names_model and given and not wanted.skip:
                self.error(
                    wanted.path,
                    f"shot `{wanted.name}` has a prompt and no model",
                    hint=f"name one {_WHERE_TO_NAME_A_MODEL[self.document.form]}; `kiebatch models` lists them",
                    code="no-model",
                )
            return ()
        jobs: list[Job] = []
        for asked, model in wanted.models:
            for take in range(1, wanted.takes + 1):
                job = self._job(wanted, asked, model, take, str(prompt or ""))
                if job is None:
                    break
                jobs.append(job)
        return tuple(jobs)

    def _job(
        self, wanted: _Wanted, asked: str, model: Model, take: int, prompt: str, *, spare: bool = False
    ) -> Job | None:
        if model.modality not in ("image", "video", "audio", "text"):
            self.error((*wanted.path, "model"), f"`{model.id}` does not make pictures, clips or sound")
            return None
        first = take == 1 and not spare
        slot = wanted.slot(model, take)
        ask = self._ask(wanted, model, slot, prompt, quiet=not first)
        if ask is None:
            return None
        built = inputs.build(model, ask)
        warnings: list[str] = []
        broken = False
        for finding in built.findings:
            path = self._source(wanted, model, finding.field)
            if finding.severity == "error":
                broken = True
                if first or spare:
                    self.error(
                        path, f"shot `{wanted.name}`: {finding.message}", hint=finding.hint, code=finding.code
                    )
            elif finding.code not in self._ignored(wanted):
                warnings.append(finding.message)
                if first:
                    self.problems.warning(
                        self.where(path),
                        f"shot `{wanted.name}`: {finding.message}",
                        hint=finding.hint,
                        code=finding.code,
                    )
        if first and self.options.lint:
            for finding in lint.check(model, ask, wanted.raw.get("duration")):
                self.warning(
                    wanted,
                    self._source(wanted, model, finding.field),
                    f"shot `{wanted.name}`: {finding.message}",
                    hint=finding.hint,
                    code=finding.code,
                )
        if first:
            self._check_endpoint(wanted, model)
            self._check_follows(wanted, model, ask)
        if broken:
            return None
        if any(
            isinstance(v, int) and not isinstance(v, bool) and abs(v) > 2**53 for v in built.input.values()
        ):
            return None
        price = models.price(model, built.input)
        job = Job(
            slot=slot,
            model=model.id,
            asked=asked,
            family=model.family,
            endpoint=model.endpoint,
            modality=model.modality,
            prompt=ask.prompt,
            input=built.input,
            authored=built.authored,
            media=built.media,
            output=self._output(wanted) if first else self._stem(wanted),
            price=price,
            expected_s=model.expected_s,
            defaulted=built.defaulted,
            warnings=tuple(warnings),
            unpicked=self._unpicked(wanted),
            where=self.where(wanted.path),
        )
        fallback = None if spare else self._fallback(wanted, model, take, prompt)
        return replace(job, fallback=fallback) if fallback else job

    def _unpicked(self, wanted: _Wanted) -> tuple[str, ...]:
        """Return the shots that a shot starts from without naming a take, and that nobody has picked."""
        found = []
        for role in ROLES:
            value = wanted.raw.get(role)
            for one in value if isinstance(value, list) else [value]:
                if not isinstance(one, dict) or one.get("take") or "#" in str(one.get("shot", "")):
                    continue
                base = str(one["shot"]).partition("@")[0]
                if self.options.picked(base) is None:
                    found.append(base)
        return tuple(dict.fromkeys(found))

    def _fallback(self, wanted: _Wanted, model: Model, take: int, prompt: str) -> Job | None:
        name, path = self._setting(wanted, model, "fallback")
        if not name:
            return None
        spare = self._model(str(name), wanted, path)
        if spare is None or spare.id == model.id:
            return None
        if spare.modality != model.modality:
            self.error(
                path, f"the fallback `{spare.id}` makes {spare.modality}, and `{model.id}` {model.modality}"
            )
            return None
        job = self._job(wanted, str(name), spare, take, prompt, spare=True)
        # The fallback stands in for the same slot: the line of versions goes on under it.
        return replace(job, slot=wanted.slot(model, take), fallback_for=model.id) if job else None

    def _check_endpoint(self, wanted: _Wanted, model: Model) -> None:
        said = wanted.raw.get("endpoint")
        if said and model.endpoint not in str(said):
            self.warning(
                wanted,
                (*wanted.path, "endpoint"),
                f"shot `{wanted.name}`: `{model.id}` is called at {model.endpoint}, not at what `endpoint` says",
                hint="the line is not needed; the model decides",
                code="endpoint",
            )

    def _check_follows(self, wanted: _Wanted, model: Model, ask: Ask) -> None:
        """Say where a task is passed on to a model that does not go on from such tasks."""
        for medium in ask.media:
            ref = medium.ref
            if not isinstance(ref, ShotOutput) or not ref.as_task or not model.follows:
                continue
            other = self.shots[ref.slot.shot_name]
            made_by = next((m for _, m in other.models if ref.slot.model in (None, m.id)), None)
            if made_by and made_by.id not in model.follows:
                self.problems.error(
                    medium.where,
                    f"shot `{wanted.name}`: `{model.id}` does not go on from a task of `{made_by.id}`",
                    hint=f"it takes tasks of {', '.join(f'`{m}`' for m in model.follows)}",
                    code="bad-shot",
                )

    # -- what a shot asks

    def _setting(self, wanted: _Wanted, model: Model, key: str) -> tuple[JSON, Path]:
        """Return a value by precedence: shot, scene, defaults of the modality, defaults."""
        for source, path in ((wanted.raw, wanted.path), (wanted.inherited, wanted.inherited_path)):
            if key in source and source[key] is not None:
                return source[key], (*path, key)
        by_kind = self.defaults.get(model.modality) or {}
        if by_kind.get(key) is not None:
            return by_kind[key], ("defaults", model.modality, key)
        # Words and seeds for pictures are not meant for voices.
        if self.defaults.get(key) is not None and (model.modality in ("image", "video") or key == "params"):
            return self.defaults[key], ("defaults", key)
        return None, wanted.path

    def _source(self, wanted: _Wanted, model: Model, name: str) -> Path:
        """Return where the person wrote the thing that a finding is about."""
        if name in wanted.sources:
            return wanted.sources[name]
        head, _, rest = name.partition(".")
        if head == "params" and rest:
            for base in (
                (*wanted.path, "params"),
                (*wanted.inherited_path, "params"),
                ("defaults", model.modality, "params"),
                ("defaults", "params"),
            ):
                if (*base, rest) in self.document.places:
                    return (*base, rest)
        _, path = self._setting(wanted, model, head)
        return path

    def _ask(self, wanted: _Wanted, model: Model, slot: Slot, prompt: str, *, quiet: bool) -> Ask | None:
        style, style_path = self._setting(wanted, model, "style")
        names, names_path = self._setting(wanted, model, "characters")
        text, used = self._expand(wanted, prompt, quiet=quiet)
        if text is None:
            return None
        media: list[RoleMedia] = []
        named = [(n, i) for i, n in enumerate(_listed(names))] if model.modality != "audio" else []
        in_front: list[str] = []
        for name, i in named:
            if name not in self.characters:
                if not quiet:
                    near = nearest(name, self.characters)
                    place = (*names_path, i) if isinstance(names, list) else names_path
                    self.error(
                        place,
                        f"shot `{wanted.name}`: there is no character `{name}`",
                        hint=f"did you mean `{near}`?" if near else "",
                        code="unknown-name",
                    )
                return None
            if name not in used:
                words = str(self.characters[name].get("text") or "").strip()
                if words:
                    in_front.append(words if words.endswith((".", "!", "?")) else f"{words}.")
                used.append(name)
        text = " ".join([*in_front, text]).strip()
        for words in self._styles(wanted, style, style_path, quiet=quiet):
            text = f"{text}, {words}" if text else words
        for role in ROLES:
            if role in wanted.raw:
                media += self._media(wanted, role, wanted.raw[role], (*wanted.path, role), model, quiet=quiet)
        for name in used:
            pictures = self.characters.get(name, {}).get("references")
            if pictures is None:
                continue
            path: Path = ("characters", name, "references")
            if "references" in model.roles:
                media += self._media(wanted, "references", pictures, path, model, quiet=quiet)
            elif not quiet:
                self.warning(
                    wanted,
                    wanted.path,
                    f"shot `{wanted.name}`: `{model.id}` takes no pictures, so those of `{name}` are not sent",
                    code="character-pictures",
                )
        seed, _ = self._setting(wanted, model, "seed")
        negative: list[str] = []
        for source, path in self._negatives(wanted, model):
            wanted.sources.setdefault("negative_prompt", path)
            negative += _listed(source)
        if wanted.kind == "shot" and model.modality == "audio":
            style = None
        defaults = {
            **(self.defaults.get("params") or {}),
            **((self.defaults.get(model.modality) or {}).get("params") or {}),
            **(wanted.inherited.get("params") or {}),
        }
        return Ask(
            prompt=text,
            negative=tuple(dict.fromkeys(negative)),
            params=wanted.raw.get("params") or {},
            default_params=defaults,
            media=tuple(media),
            duration_s=wanted.raw.get("duration") if wanted.shot is not None else None,
            seed=_seed(seed, slot),
            voice=wanted.raw.get("voice"),
            takes=wanted.takes,
            fold_negative=self.options.fold_negative,
        )

    def _negatives(self, wanted: _Wanted, model: Model) -> list[tuple[JSON, Path]]:
        pictured = model.modality in ("image", "video")
        found: list[tuple[JSON, Path]] = [
            (wanted.raw.get("negative_prompt"), (*wanted.path, "negative_prompt")),
            (wanted.inherited.get("negative_prompt"), (*wanted.inherited_path, "negative_prompt")),
            (
                (self.defaults.get(model.modality) or {}).get("negative_prompt"),
                ("defaults", model.modality, "negative_prompt"),
            ),
        ]
        if pictured:
            found.append((self.defaults.get("negative_prompt"), ("defaults", "negative_prompt")))
            found.append((self.value.get("negative_prompt"), ("negative_prompt",)))
        return [(value, path) for value, path in found if value]

    def _styles(self, wanted: _Wanted, style: JSON, path: Path, *, quiet: bool) -> list[str]:
        found = []
        for i, name in enumerate(_listed(style)):
            if name in self.styles:
                found.append(self.styles[name].strip())
            elif " " in name.strip() or not self.styles:
                found.append(name.strip())  # the words themselves
            elif not quiet:
                near = nearest(name, self.styles)
                self.error(
                    (*path, i) if isinstance(style, list) else path,
                    f"shot `{wanted.name}`: there is no style `{name}`",
                    hint=f"did you mean `{near}`?" if near else f"known: {', '.join(self.styles)}",
                    code="unknown-name",
                )
        return [words for words in found if words]

    def _expand(self, wanted: _Wanted, prompt: str, *, quiet: bool) -> tuple[str | None, list[str]]:
        """Replace `{name}` by a style's or character's words; return the text and the characters used."""
        used: list[str] = []
        unknown: list[str] = []

        def words(match: re.Match[str]) -> str:
            if match.group(0) in ("{{", "}}"):
                return match.group(0)[0]
            name = match.group(1).strip()
            if name in self.characters:
                used.append(name)
                return str(self.characters[name].get("text") or name).strip()
            if name in self.styles:
                return self.styles[name].strip()
            unknown.append(name)
            return match.group(0)

        text = _PLACEHOLDER.sub(words, prompt).strip()
        if unknown and not quiet:
            known = [*self.styles, *self.characters]
            for name in unknown:
                near = nearest(name, known)
                self.error(
                    wanted.sources.get("prompt", wanted.path),
                    f"shot `{wanted.name}`: `{{{name}}}` is no style and no character",
                    hint=f"did you mean `{{{near}}}`?" if near else "write `{{` for a brace",
                    code="unknown-name",
                )
        return (None, used) if unknown else (text, list(dict.fromkeys(used)))

    # -- media

    def _media(
        self, wanted: _Wanted, role: str, value: JSON, path: Path, model: Model, *, quiet: bool
    ) -> list[RoleMedia]:
        values = value if isinstance(value, list) else [value]
        found: list[RoleMedia] = []
        for i, one in enumerate(values):
            if one is None:
                continue
            place = (*path, i) if isinstance(value, list) else path
            if isinstance(one, str) and one in self.references:
                named = self.references[one]
                if named is not None:
                    found += self._media(wanted, role, named, ("references", one), model, quiet=quiet)
                continue
            ref, kind = self._ref(wanted, role, one, place, quiet=quiet)
            if ref is not None:
                found.append(RoleMedia(role=role, ref=ref, where=self.where(place), kind=kind))
        return found

    def _ref(
        self, wanted: _Wanted, role: str, value: JSON, path: Path, *, quiet: bool
    ) -> tuple[Ref | None, Modality | None]:
        if isinstance(value, dict):
            return self._shot_output(wanted, role, value, path, quiet=quiet)
        text = str(value).strip()
        if re.match(r"(?i)^[a-z][a-z0-9+.-]*://", text):
            problem = addresses.url_problem(text)
            if problem and not quiet:
                self.error(path, f"shot `{wanted.name}`: {problem}", code="bad-url")
            return (None if problem else WebURL(text)), None
        if text.lower().startswith("data:"):
            if not quiet:
                self.error(path, "a `data:` URL cannot be sent; save it as a file")
            return None, None
        return LocalFile(text), None

    def _shot_output(
        self, wanted: _Wanted, role: str, value: Mapping[str, JSON], path: Path, *, quiet: bool
    ) -> tuple[Ref | None, Modality | None]:
        def refuse(key: str, message: str, hint: str = "") -> tuple[None, None]:
            if not quiet:
                self.error(
                    (*path, key) if key in value else path,
                    f"shot `{wanted.name}`: {message}",
                    hint=hint,
                    code="bad-shot",
                )
            return None, None

        text = str(value["shot"])
        base, _, take_text = text.partition("#")
        base, _, model_text = base.partition("@")
        other = self.shots.get(base)
        if other is None:
            near = nearest(base, self.shots)
            return refuse("shot", f"there is no shot `{base}`", f"did you mean `{near}`?" if near else "")
        if other is wanted:
            return refuse("shot", "a shot cannot start from itself")
        if not self._makes(other):
            return refuse("shot", f"`{base}` makes nothing: it is a card without a prompt or a model")
        if other.skip:
            return refuse("shot", f"`{base}` is skipped, so it makes nothing")
        model_name = str(value.get("model") or model_text)
        model = other.models[0][1]
        if model_name:
            chosen = [m for asked, m in other.models if model_name in (m.id, asked)]
            if not chosen:
                have = ", ".join(m.id for _, m in other.models)
                return refuse("model", f"`{base}` is not made by `{model_name}`", f"it is made by {have}")
            model = chosen[0]
        elif len(other.models) > 1:
            have = ", ".join(m.id for _, m in other.models)
            return refuse(
                "shot",
                f"`{base}` is made by several models",
                f"say which: {{shot: {base}, model: ...}} of {have}",
            )
        take = value.get("take") or (int(take_text) if take_text.isdecimal() else None)
        if take is None:
            take = self.options.picked(base)
            if take is None or take > other.takes:
                take = 1
                if other.takes > 1 and not quiet:
                    self.warning(
                        wanted,
                        path,
                        f"shot `{wanted.name}`: nobody has picked a take of `{base}`, so take 1 is used",
                        hint=f"kiebatch pick {base}#N",
                        code="no-pick",
                    )
        if take > other.takes:
            return refuse("take", f"`{base}` has {other.takes} takes, and take {take} is asked for")
        frame = value.get("frame")
        as_task = value.get("as") == "task"
        kind = model.modality
        if kind == "video" and not as_task and frame is None and role in ("start_frame", "end_frame"):
            frame = "last"
        if frame and kind != "video":
            return refuse("frame", f"`{base}` is no clip, so it has no {frame} frame")
        if role in ("start_frame", "end_frame", "mask") and kind not in ("image", "video"):
            return refuse("shot", f"`{base}` makes {kind}, and `{role}` takes a picture")
        if role == "mask" and kind == "video" and not frame:
            return refuse("shot", f"`{base}` makes a clip, and `mask` takes a picture")
        ref = ShotOutput(
            slot=other.slot(model, int(take)),
            output=int(value.get("output") or 1),
            frame=cast("Literal['first', 'last'] | None", frame),
            as_task=as_task,
        )
        return ref, (None if as_task else "image" if frame else kind)

    # -- names of files

    def _stem(self, wanted: _Wanted) -> str | None:
        text = wanted.raw.get("output")
        return None if not text else output_stem(str(text), str(self.value.get("assets") or "assets"))

    def _output(self, wanted: _Wanted) -> str | None:
        text = wanted.raw.get("output")
        if not text:
            return None
        stem = self._stem(wanted)
        path = (*wanted.path, "output")
        if stem is None:
            self.error(path, f"`output` must name a file inside the assets folder, found `{text}`")
            return None
        other = self.outputs.setdefault(stem.lower(), wanted)
        if other is not wanted:
            self.error(
                path, f"shots `{other.name}` and `{wanted.name}` both write `{text}`", code="duplicate"
            )
        return stem

    # -- the whole

    def _check_slots(self, project: Project) -> None:
        seen: dict[str, Slot] = {}
        for job in project.jobs:
            written = str(job.slot).lower()
            other = seen.setdefault(written, job.slot)
            if other != job.slot:
                self.problems.error(
                    job.where, f"two slots read alike: `{job.slot}` and `{other}`", code="duplicate-id"
                )

    def _check_cycles(self, project: Project) -> None:
        by_slot = {job.slot: job for job in project.jobs}
        done: set[Slot] = set()
        for start in by_slot:
            trail: list[Slot] = []
            stack: list[tuple[Slot, int]] = [(start, 0)]
            while stack:
                slot, step = stack.pop()
                job = by_slot.get(slot)
                needs = job.needs if job else ()
                if step == 0:
                    if slot in done:
                        continue
                    trail.append(slot)
                if step < len(needs):
                    stack.append((slot, step + 1))
                    if needs[step] in trail:
                        circle = [*trail[trail.index(needs[step]) :], needs[step]]
                        where = next(
                            (
                                m.where
                                for m in (job.media if job else ())
                                if isinstance(m.ref, ShotOutput) and m.ref.slot == needs[step]
                            ),
                            Where(self.document.file),
                        )
                        self.problems.error(
                            where,
                            "these shots wait for each other: " + " -> ".join(str(s) for s in circle),
                            code="cycle",
                        )
                        return
                    stack.append((needs[step], 0))
                else:
                    done.add(slot)
                    if trail and trail[-1] == slot:
                        trail.pop()


def output_stem(text: str, assets: str) -> str | None:
    """Return an author's file name as a path in the assets folder without ending, or None when it leaves it."""
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        return None
    parts = list(path.parts)
    folder = list(PurePosixPath(assets).parts)
    for start in (folder, folder[1:] if folder[:1] == ["public"] else folder, ["public", *folder]):
        if start and parts[: len(start)] == start:
            parts = parts[len(start) :]
            break
    if not parts:
        return None
    name = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", parts[-1])
    parts[-1] = name
    safe = [re.sub(r"[^\w.-]+", "-", part).strip(".-") for part in parts]
    return "/".join(safe) if all(safe) else None


def _listed(value: JSON) -> list[str]:
    if value is None:
        return []
    return [str(v) for v in value if v is not None] if isinstance(value, list) else [str(value)]


def _reason(value: JSON) -> str:
    if value is True:
        return "skipped"
    return str(value).strip() if value else ""


def _notes(raw: Mapping[str, JSON]) -> str:
    parts = [raw.get("notes") or "", f"Visual: {raw['visual']}" if raw.get("visual") else ""]
    return "\n\n".join(part for part in parts if part)


def _seed(value: JSON, slot: Slot) -> int | None:
    """Return the seed of one slot.  Five digits from 10000 on fit the range of every model with a seed."""
    if value is None:
        return None
    if value == "stable":
        digest = hashlib.sha256(str(slot).encode()).digest()
        return 10_000 + int.from_bytes(digest[:8], "big") % 90_000
    return int(value) + slot.take - 1
