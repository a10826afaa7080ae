"""Makes the jobs of a shot: one for each model and take, with its fallback."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Literal

from kiebatch._dataclass import dataclass
from kiebatch.catalogue import Model, formula, lint
from kiebatch.catalogue.inputs import Built
from kiebatch.errors import Finding, Invalid
from kiebatch.model import JSON, Ask, Job, Led, Path, RoleMedia, ShotOutput, Slot
from kiebatch.scenefile.expecting import Expecting
from kiebatch.scenefile.leading import Leading, open_job, possible_s, too_long
from kiebatch.scenefile.model_choice import ModelChoice
from kiebatch.scenefile.output_names import output_stem, reserved_name
from kiebatch.scenefile.prompts import Words, is_json_object, negatives_of, words_of
from kiebatch.scenefile.references import References
from kiebatch.scenefile.shape import Asked
from kiebatch.scenefile.shots import ShotSpec
from kiebatch.scenefile.source import RawPrompt, Source

_MAKES = ("image", "video", "audio", "text")
_LONGEST_STEM = 180  # bytes; of the 255 that a name may have, takes, models and versions need the rest
_NOTHING: Mapping[str, JSON] = {}  # one for all shots
_LARGEST = 2**53  # beyond it JSON readers round
_WHERE_TO_NAME_A_MODEL = {
    "yaml": "here, or for all under `defaults: {model: ...}`",
    "markdown": "here with `- **Model**: ...`, or for all below `## Defaults`",
}


@dataclass(slots=True)
class Jobs:
    """Makes the jobs of every shot of one file."""

    source: Source
    choice: ModelChoice
    references: References
    leading: Leading
    _outputs: dict[str, ShotSpec] = field(default_factory=dict)

    def of(self, spec: ShotSpec) -> tuple[Job, ...]:
        """Return the jobs of a shot in the order of its models and takes; none for a card on the board."""
        if not self._can_make(spec):
            return ()
        output = self._output(spec)
        found: list[Job] = []
        for asked, model in spec.models:
            found += self._of_model(self.source, spec, asked, model, output)
        return tuple(found)

    def _can_make(self, spec: ShotSpec) -> bool:
        self._refuse_two_texts(spec)
        if spec.raw.get("file") or not self._prompts_are_whole(spec):
            return False
        if spec.models:
            return spec.has_words or spec.names_model or spec.makes
        if spec.kind == "shot" and spec.has_words and not spec.skip:
            self._needs_model(spec)
        return False

    def _refuse_two_texts(self, spec: ShotSpec) -> None:
        if spec.kind != "shot" and "text" in spec.raw and "prompt" in spec.raw:
            message = f"`{spec.name}` has both `text` and `prompt`"
            self.source.error((*spec.path, "text"), message, hint="they mean the same")

    def _needs_model(self, spec: ShotSpec) -> None:
        """Report a prompt without a model; a name that means none is reported where it stands."""
        if spec.names_model or self.choice.names_one(spec):
            return
        where = _WHERE_TO_NAME_A_MODEL[self.source.document.form]
        self.source.error(
            spec.path,
            f"shot `{spec.name}` has a prompt and no model",
            hint=f"name one {where}, or with --model; `kiebatch models` lists them",
            code="no-model",
        )

    def _prompts_are_whole(self, spec: ShotSpec) -> bool:
        written = {path: text for text, path in map(spec.words, range(1, spec.takes + 1)) if path}
        empty = [path for path, text in written.items() if not text.strip()]
        for path in empty:
            self.source.error(path, f"shot `{spec.name}`: the prompt is empty", code="empty-prompt")
        return not empty

    # -- one model

    def _of_model(
        self, source: Source, spec: ShotSpec, asked: str, model: Model, output: str | None
    ) -> list[Job]:
        led = self.leading.of(spec)
        maker = _Maker(source, self.references_for(source), spec, asked, model, output, led)
        jobs = maker.jobs()
        spare = self._spare(spec, model) if jobs else None
        if spare is None:
            return jobs
        name, fallback = spare
        # A fallback may never be needed: what only a person could mend is an error, its warnings are left out.
        apart = source.apart()
        spares = {
            job.slot.take: job
            for job in _Maker(apart, self.references_for(apart), spec, name, fallback, output, led).jobs()
        }
        source.problems.found.extend(apart.problems.errors)
        return [_with_fallback(job, spares.get(job.slot.take)) for job in jobs]

    def references_for(self, source: Source) -> References:
        return self.references if source is self.source else replace(self.references, source=source)

    def _spare(self, spec: ShotSpec, model: Model) -> tuple[str, Model] | None:
        name, path = self.source.setting(spec, model.modality, "fallback")
        if not name:
            return None
        spare = self.choice.model(name, spec, path)
        if spare is None or spare.id == model.id:
            return None
        if spare.modality != model.modality:
            message = f"the fallback `{spare.id}` makes {spare.modality}, and `{model.id}` {model.modality}"
            self.source.error(path, message)
            return None
        return name, spare

    # -- names of files

    def _output(self, spec: ShotSpec) -> str | None:
        """Return the author's own name for the files of a shot, as a path in the assets folder without ending."""
        text = spec.raw.get("output")
        if not text:
            return None
        path = (*spec.path, "output")
        stem = output_stem(str(text), str(self.source.value.get("assets") or "assets"))
        if stem is None:
            message = f"`output` must name a file inside the assets folder, found `{text}`"
            self.source.error(path, message)
            return None
        if any(len(part.encode()) > _LONGEST_STEM for part in stem.split("/")):
            self.source.error(path, f"`output` is longer than a file name may be ({_LONGEST_STEM} bytes)")
            return None
        taken = reserved_name(stem)
        if taken:
            message = f"shot `{spec.name}`: Windows cannot store a file called `{taken}`"
            self.source.error(path, message, hint=f"for instance `{taken}-1`", code="reserved-name")
            return None
        other = self._outputs.setdefault(stem.lower(), spec)
        if other is not spec:
            message = f"shots `{other.name}` and `{spec.name}` both write `{text}`"
            self.source.error(path, message, code="duplicate")
        return stem


@dataclass(slots=True)
class _Maker:
    """Makes the jobs of one shot on one model.  What a shot asks is resolved once; a take differs in words and seed."""

    source: Source
    references: References
    spec: ShotSpec
    asked: str
    model: Model
    output: str | None
    led: Led | None = None
    said: dict[str, Words] = field(default_factory=dict)  # by the text of the prompt

    def jobs(self) -> list[Job]:
        if self.model.modality not in _MAKES:
            message = f"`{self.model.id}` does not make pictures, clips or sound"
            self.source.error((*self.spec.path, "model"), message)
            return []
        found: list[Job] = []
        asks: dict[Path, Ask | None] = {}
        alike: dict[Path, Job] = {}  # without a seed the takes of the same words differ in their slot alone
        seeded = self.source.setting(self.spec, self.model.modality, "seed")[0] is not None
        for take in range(1, self.spec.takes + 1):
            path = self.spec.words(take)[1]
            if path in alike and not seeded:
                found.append(replace(alike[path], slot=self.spec.slot(self.model, take)))
                continue
            if path not in asks:
                asks[path] = self._ask(take)
                self._check_ask(asks[path])
            ask = asks[path]
            job = self._led_job(ask, take) if ask else None
            if job is None:
                return []
            alike[path] = job
            found.append(job)
        return found

    def _ask(self, take: int) -> Ask | None:
        """Return what a take asks for, but for its seed; None, with errors, where a name in it means nothing."""
        source, spec, model = self.source, self.spec, self.model
        words = words_of(source, spec, model, take)
        if words is None:
            return None
        text = words.text
        self.said[text] = words
        defaults = source.defaults_for(model.modality)
        folds = source.options.fold_negative
        unwanted = negatives_of(source, spec, model)
        if words.is_json and folds and "negative_prompt" not in model.fields:
            unwanted = ()
        media = tuple(self.references.media(spec, model, words.characters))
        return Ask(
            prompt=text if words.is_json else self._sent(text, media),
            prompt_raw=text,
            negative=unwanted,
            params=spec.raw.get("params", {}),
            default_params=_over("params", source.defaults, defaults, spec.inherited),
            media=media,
            duration_s=spec.seconds,
            whole_scene=spec.shot is None,
            voice=spec.raw.get("voice"),
            takes=spec.takes,
            fold_negative=folds and not words.is_json,
            extra_params=_over("extra_params", defaults, spec.inherited, spec.raw),
        )

    def _sent(self, raw: str, media: tuple[RoleMedia, ...]) -> str:
        """Return the words that are sent for a prompt: its pinned text where the shot asks for one, else itself."""
        source, spec, model = self.source, self.spec, self.model
        mode = source.setting(spec, model.modality, "enhance")[0] or "off"
        preset, place = source.setting(spec, model.modality, "preset")
        if not raw or (mode == "off" and not preset):
            return raw
        text = self._enhanced(RawPrompt(text=raw, model=model, media=media, preset=preset or ""), place)
        if mode == "off":
            return raw
        if text is None:
            self._not_enhanced(required=mode == "required")
        return text or raw

    def _enhanced(self, asked: RawPrompt, place: Path) -> str | None:
        """Return the pinned text of a prompt, None for none; itself, with an error, where its preset is not there."""
        source, enhanced = self.source, self.source.options.enhanced
        if enhanced is None:
            return asked.text
        try:
            return enhanced(asked)
        except Invalid as unknown:
            message = f"shot `{self.spec.name}`: {unknown.message}"
            source.error(place, message, hint=unknown.hint, code="preset")
            return asked.text

    def _not_enhanced(self, *, required: bool) -> None:
        source, spec = self.source, self.spec
        place = spec.prompt_path or spec.path
        file = (shlex.quote(source.document.file),) if source.document.file else ()
        hint = f"`{' '.join(('kiebatch enhance', *file, '--only', spec.name))}` makes one"
        if required:
            message = (
                f"shot `{spec.name}`: there is no enhanced prompt for `{self.model.id}`, and it is required"
            )
            source.error(place, message, hint=hint, code="not-enhanced")
            return
        message = f"shot `{spec.name}`: there is no enhanced prompt for `{self.model.id}`; the prompt is sent as it is"
        source.warning(spec, place, message, hint=hint, code="not-enhanced")

    def _check_ask(self, ask: Ask | None) -> None:
        if ask is None:
            return
        if self.source.options.lint and not is_json_object(ask.prompt):
            for finding in lint.check(self.model, ask, self.spec.seconds):
                self._warn(finding)
            lacking = formula.finding(self.model, ask)
            if lacking:
                self._warn(lacking)
        self._check_endpoint()
        self._check_follows(ask)

    def _led_job(self, ask: Ask, take: int) -> Job | None:
        """Return the job of a take; at every length that it can have where that follows a voice."""
        led = self.led
        possible = possible_s(self.model, ask) if led else ()
        if led is None or not possible:
            return self._job(ask, take)
        if not self._fits(led, max(possible)):
            return None
        probable = min(length for length in possible if length >= led.seconds())
        job = self._job(replace(ask, duration_s=probable), take)
        if job is None or (led.slot is None and not self._own_sound()):
            return job
        return open_job(job, led, self._at_lengths(ask, take, possible))

    def _at_lengths(self, ask: Ask, take: int, possible: Sequence[float]) -> list[tuple[float, Job]]:
        """Return the job of a take at each length, without a word about what is wrong with it there."""
        quiet = replace(self, source=self.source.apart())
        made = ((length, quiet._job(replace(ask, duration_s=length), take)) for length in possible)
        return [(length, job) for length, job in made if job]

    def _own_sound(self) -> bool:
        voice = self.references.shots.get(Slot(self.spec.scene, "vo").shot_name)
        return voice is not None and bool(voice.raw.get("file"))

    def _fits(self, led: Led, longest: float) -> bool:
        """Report a text that takes longer to say than the model can show."""
        verdict = too_long(led, longest)
        if not verdict:
            return True
        path = self.source.origin(self.spec, self.model.modality, "duration")
        said = f"shot `{self.spec.name}`: `{self.model.id}` makes at most {longest:g} s, and the voice takes about {led.seconds():.1f} s"
        hint = "shorten the text, or divide it among several scenes"
        if verdict == "error":
            self.source.error(path, said, hint=hint, code="too-long")
            return False
        self.source.warning(self.spec, path, f"{said}: that may be too long", hint=hint, code="voice-tight")
        return True

    def _job(self, ask: Ask, take: int) -> Job | None:
        source, spec, model = self.source, self.spec, self.model
        slot = spec.slot(model, take)
        wanted_seed = source.setting(spec, model.modality, "seed")[0]
        if wanted_seed is not None:
            ask = replace(ask, seed=_seed(wanted_seed, slot))
        priced = source.inputs.build(model, ask)
        built = priced.built
        warnings = self._report(built)
        words = self.said.get(ask.prompt_raw, Words())
        if not built.ok or any(_too_large(v) for v in built.input.values()):
            return None
        return Job(
            slot=slot,
            model=model.id,
            asked=self.asked,
            family=model.family,
            endpoint=model.endpoint,
            modality=model.modality,
            prompt=ask.prompt,
            prompt_raw=ask.prompt_raw,
            style=words.style,
            characters=words.characters,
            input=built.input,
            authored=built.authored,
            authored_before=built.authored_before,
            words=source.alike(_words(model, ask, built)),
            stable_seed=_stable_seed(model, built) if wanted_seed == "stable" else "",
            media=built.media,
            output=self.output,
            price=priced.price,
            expected_s=model.expected_s,
            defaulted=built.defaulted,
            warnings=warnings,
            unpicked=self.references.unpicked(spec),
            extra_params=ask.extra_params,
            preset=source.setting(spec, model.modality, "preset")[0] or "",
            enhance=source.setting(spec, model.modality, "enhance")[0] or "off",
            tags=source.tags(spec),
            expect=Expecting(source, self.references, spec, model).of(built.input),
            where=source.where(spec.path),
        )

    # -- problems

    def _report(self, built: Built) -> tuple[str, ...]:
        """Report what is wrong with a job's input; return its warnings.  Takes that say the same are told once."""
        warnings: list[str] = []
        ignored = self.source.ignored(self.spec)
        for finding in built.findings:
            if finding.severity == "error":
                path = self.source.origin(self.spec, self.model.modality, finding.field)
                message = f"shot `{self.spec.name}`: {finding.message}"
                self.source.error(path, message, hint=finding.hint, code=finding.code)
            elif finding.code not in ignored:
                warnings.append(finding.message)
                self._warn(finding)
        return tuple(warnings)

    def _warn(self, finding: Finding) -> None:
        path = self.source.origin(self.spec, self.model.modality, finding.field)
        message = f"shot `{self.spec.name}`: {finding.message}"
        if finding.code == "default-not-taken" and path[0] == "defaults":
            message = finding.message  # the same for every shot of this model: one warning
        self.source.warning(self.spec, path, message, hint=finding.hint, code=finding.code)

    def _check_endpoint(self) -> None:
        said, model = self.spec.raw.get("endpoint"), self.model
        if said and model.endpoint not in str(said):
            self.source.warning(
                self.spec,
                (*self.spec.path, "endpoint"),
                f"shot `{self.spec.name}`: `{model.id}` is called at {model.endpoint}, not at what `endpoint` says",
                hint="the line is not needed; the model decides",
                code="endpoint",
            )

    def _check_follows(self, ask: Ask) -> None:
        """Say where a task is passed on to a model that does not go on from such tasks."""
        model = self.model
        for medium in ask.media:
            ref = medium.ref
            if not isinstance(ref, ShotOutput) or not ref.as_task or not model.follows:
                continue
            other = self.references.shots[ref.slot.shot_name]
            made_by = next((m for _, m in other.models if ref.slot.model in (None, m.id)), None)
            if made_by and made_by.id not in model.follows:
                self.source.problems.error(
                    medium.where,
                    f"shot `{self.spec.name}`: `{model.id}` does not go on from a task of `{made_by.id}`",
                    hint=f"it takes tasks of {', '.join(f'`{m}`' for m in model.follows)}",
                    code="bad-shot",
                )


def _over(key: Literal["params", "extra_params"], *levels: Asked) -> Mapping[str, JSON]:
    """Return the mapping under a key, the values of a later level over those of an earlier one."""
    given = [level[key] for level in levels if key in level]
    if not given:
        return _NOTHING
    found: dict[str, JSON] = {}
    for values in given:
        found.update(values)
    return found


def _with_fallback(job: Job, spare: Job | None) -> Job:
    if spare is None:
        return job
    # The fallback serves the same slot: the line of versions goes on under it.
    spare = replace(spare, slot=job.slot, fallback_for=job.model)
    spares = [(length, replace(one, fallback_for=job.model)) for length, one in spare.lengths]
    timed = [(n, replace(one, fallback=_lasting(spare, spares, n))) for n, one in job.lengths]
    return replace(job, fallback=replace(spare, led=None, lengths=()), lengths=tuple(timed))


def _lasting(spare: Job, spares: Sequence[tuple[float, Job]], length: float) -> Job | None:
    """Return a fallback that is at least so long; itself where its length is fixed."""
    if not spares:
        return spare
    return next((one for n, one in spares if n >= length), None)


def _too_large(value: JSON) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST


def _seed(value: int | Literal["stable"] | None, slot: Slot) -> int | None:
    """Return the seed of one slot.  Five digits from 10000 on fit the range of every model with a seed."""
    if value is None:
        return None
    if value == "stable":
        # Without the model: a second model beside the first must not change the seed of what is there.
        digest = hashlib.sha256(str(replace(slot, model=None)).encode()).digest()
        return 10_000 + int.from_bytes(digest[:8], "big") % 90_000
    return int(value) + slot.take - 1


def _words(model: Model, ask: Ask, built: Built) -> tuple[str, ...]:
    """Return the authored fields whose texts are sent as words; what `params` gives is hashed as it is written."""
    named = [model.fields[word].name for word in ("prompt", "negative_prompt") if word in model.fields]
    as_written = {*ask.params, *ask.default_params, *ask.extra_params}
    return tuple(name for name in named if name in built.authored and name not in as_written)


def _stable_seed(model: Model, built: Built) -> str:
    field = model.fields.get("seed")
    if field is None or field.name not in built.authored:
        return ""
    return field.name
