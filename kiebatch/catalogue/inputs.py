"""Turns what a shot asks for into one model's own input fields, and says what is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

from jsonschema.exceptions import ValidationError

from kiebatch.catalogue import models, prices, reading
from kiebatch.catalogue.conditions import applies, concerned, validator
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.naming import names_of
from kiebatch.catalogue.rules import broken
from kiebatch.catalogue.saying import A_KIND, any_of, as_number, bare, listing, options_hint, quoted, say
from kiebatch.errors import Finding
from kiebatch.model import JSON, Ask, LocalFile, Media, RoleMedia, ShotOutput, WebURL, canonical_url

LARGEST = 2**53  # beyond it JSON readers round, and another number would be sent than was written
_KINDS = {
    "image": "jpg jpeg jfif pjpeg pjp png webp gif bmp tif tiff avif heic",
    "video": "mp4 mov webm mkv m4v avi",
    "audio": "mp3 wav m4a aac ogg flac opus",
}
DEAR = 3  # times the price without an option, from which on it is worth a warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A job's input.

    `input` is what would be sent, with each medium as the text of its ref; `media` says where those stand.
    `authored` is what the author asked for, in one spelling whatever the words were, for the fingerprint: without
    media and without what the catalogue filled in.  `defaulted` names what was filled in.
    """

    input: Mapping[str, JSON]
    media: tuple[Media, ...] = ()
    authored: Mapping[str, JSON] = field(default_factory=dict)
    defaulted: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not any(f.severity == "error" for f in self.findings)


def build(model: Model, ask: Ask) -> Built:
    """Return the model's own input for what a shot asks, with every finding.  Reads no file."""
    return _Builder(model, ask).build()


def _newer(model: Model) -> str:
    if not model.superseded_by:
        return ""
    return f"`{model.superseded_by}` takes its place" + (
        f", {model.superseded_note}" if model.superseded_note else ""
    )


class _Builder:
    """Collects the fields of one job; `words` remembers under which word the author gave each."""

    def __init__(self, model: Model, ask: Ask) -> None:
        self.model = model
        self.ask = ask
        self.input: dict[str, JSON] = {}
        self.words: dict[str, str] = {}
        self.names = names_of(model, self.words)
        self.media: list[Media] = []
        self.defaulted: list[str] = []
        self.filled: set[str] = set()  # fields that the shot's duration or the catalogue filled in
        self.implied: set[str] = set()  # fields that a role sets, which say nothing that it does not
        self.wrapped: dict[str, JSON] = {}  # what the author said that stands inside a nested field
        self.findings: list[Finding] = []

    def build(self) -> Built:
        self._status()
        self._params()
        self._prompt()
        self._negative()
        self._seed()
        self._voice()
        self._media()
        self._default_params()
        authored = set(self.input) - {m.field for m in self.media} - self.implied
        self._duration()
        self._fill()
        self._check()
        authored |= {name for name in self.input if self.words.get(name) == "duration"}
        self._warn()
        return Built(
            input=dict(self.input),
            media=tuple(self.media),
            authored=self.wrapped
            | {name: _lasting(self.input[name]) for name in sorted(authored) if name in self.input},
            defaulted=tuple(self.defaulted),
            findings=tuple(dict.fromkeys(self.findings)),
        )

    # -- saying

    def error(self, field: str, message: str, *, hint: str = "", code: str = "invalid-input") -> None:
        self.findings.append(Finding(field=field, message=message, hint=hint, code=code))

    def warn(self, field: str, message: str, *, hint: str = "", code: str) -> None:
        self.findings.append(Finding(field=field, message=message, hint=hint, severity="warning", code=code))

    def word(self, name: str) -> str:
        return self.names.word(name)

    def set(self, name: str, value: JSON, word: str) -> None:
        if name in self.input and self.words.get(name) != word:
            first = self.words.get(name, name)
            shown = (first, word) if bare(first) == bare(word) else (bare(first), bare(word))
            self.error(
                word,
                f"`{shown[0]}` and `{shown[1]}` both set `{name}`",
                hint="say it once",
                code="said-twice",
            )
            return
        self.input[name] = value
        self.words[name] = word

    # -- what the author wrote

    def _status(self) -> None:
        if self.model.status == "superseded":
            self.warn(
                "model",
                f"`{self.model.id}` is an older form and may stop any day",
                hint=_newer(self.model),
                code="superseded",
            )
        elif self.model.status == "withdrawn":
            self.error(
                "model", f"`{self.model.id}` is withdrawn: the service has closed it", code="withdrawn"
            )

    def _params(self) -> None:
        for name, value in self.ask.params.items():
            if value is not None:
                self._param(name, value)

    def _param(self, name: str, value: JSON) -> None:
        word = f"params.{name}"
        target = self.model.fields.get(name)
        if target and name in models.FRIENDLY and target.wrap is None:
            # A raw field may bear a friendly name and hold the model's own spelling: both are understood.
            self.set(target.name, self._friendly(name, value), word)
        elif name in self.model.properties or not self.model.known:
            self._raw(name, value, word)
        else:
            self._unknown_param(name, value, word)

    def _raw(self, name: str, value: JSON, word: str) -> None:
        schema = self.model.properties.get(name, {})
        if "media" in schema:
            refs = value if isinstance(value, list) else [value]
            if all(isinstance(r, str) for r in refs):
                self._raw_media(name, [str(r) for r in refs], isinstance(value, list), word)
                return
        if not self.model.known:
            for path in _files_in(value):
                self.error(
                    word,
                    f"`{path}` is no http address",
                    hint="only addresses can stand here",
                    code="local-path",
                )
        for url in _urls_in(value):
            if not _is_web(url) and not self._asset(url) and "media" in str(schema):
                self.error(word, f"`{url}` is no http address", hint=self._role_hint(name), code="local-path")
        friendly = next((f for f, t in self.model.fields.items() if t.name == name and t.values), None)
        self.set(name, _coerced(schema, value, name == self._own("seed") or friendly is not None), word)

    def _raw_media(self, name: str, refs: list[str], is_list: bool, word: str) -> None:
        role = next((r for r, fields in self.model.roles.items() if name in fields.values()), "references")
        for ref in refs:
            if not _is_web(ref) and not self._asset(ref):
                self.error(
                    word,
                    f"`{ref}` is no http address",
                    hint=self._role_hint(name) or "upload it first; only its address can stand here",
                    code="local-path",
                )
                return
        before = [m for m in self.media if m.field == name]
        if before:
            self.error(
                word,
                f"`{before[0].role}` and `{bare(word)}` both set `{name}`",
                hint="say it once",
                code="said-twice",
            )
            return
        self.words[name] = word
        array = self.model.properties[name].get("type") == "array"
        if not is_list and array:
            is_list = True
        if is_list and not array and len(refs) == 1:
            is_list = False
        self.input[name] = refs if is_list else refs[0] if refs else ""
        for i, ref in enumerate(refs):
            self.media.append(Media(role=role, field=name, index=i if is_list else None, ref=WebURL(ref)))

    def _role_hint(self, name: str) -> str:
        for role, fields in self.model.roles.items():
            if name in fields.values():
                return f"files of yours go under `{role}:`; they are uploaded for you"
        return ""

    def _asset(self, ref: str) -> bool:
        return self.model.accepts_asset_ids and ref.startswith("asset://")

    def _unknown_param(self, name: str, value: JSON, word: str) -> None:
        model = self.model
        old = reading.index()["fields"].get(name)
        hint = ""
        if name in models.FRIENDLY:
            self.error(
                word, f"`{model.id}` has no `{name}`", hint=self._no_friendly(name), code="no-such-field"
            )
            return
        if old and "say" in old:
            hint = str(old["say"])
        elif old and self._can(str(old["use"])):
            hint = f"write `{bare(str(old['use']))}`"
        elif old and old["use"] == "params.count":
            hint = self._no_friendly("count")
        else:
            choices = [*model.properties, *model.fields]
            near = get_close_matches(name, choices, n=1, cutoff=0.6)
            hint = (
                f"did you mean `{near[0]}`?"
                if near
                else "it takes " + listing(n for n in model.properties if "media" not in model.properties[n])
            )
        if model.input.get("additionalProperties", True) is False or old:
            self.error(word, f"`{model.id}` has no field `{name}`", hint=hint, code="no-such-field")
            return
        self.warn(
            word,
            f"`{model.id}` is not known to have a field `{name}`; it is sent as it is",
            hint=hint,
            code="unsure-field",
        )
        self.set(name, value, word)

    def _can(self, use: str) -> bool:
        name = use.removeprefix("params.")
        return name in self.model.fields or name in self.model.roles or name in self.model.properties

    def _no_friendly(self, name: str) -> str:
        if name == "count":
            return "`takes: N` makes several, each as a job of its own"
        if name == "duration":
            return "the length of its clips cannot be chosen"
        if name == "negative_prompt":
            return "say in the prompt what should be there instead"
        takes = listing(n for n, p in self.model.properties.items() if "media" not in p)
        return f"it takes {takes}" if takes else ""

    def _own(self, friendly: str) -> str | None:
        target = self.model.fields.get(friendly)
        return target.name if target else None

    def _friendly(self, name: str, value: JSON) -> JSON:
        """Return a friendly value in the model's own unit and spelling."""
        target = self.model.fields[name]
        schema = self.model.properties.get(target.name, {})
        if target.values:
            for said, own in target.values.items():
                if str(said).lower() == str(value).lower():
                    return own
        return _coerced(schema, value, True)

    def _prompt(self) -> None:
        text = self.ask.prompt.strip()
        target = self.model.fields.get("prompt")
        if not text:
            return
        if target is None:
            self.error(
                "prompt",
                f"`{self.model.id}` takes no prompt",
                hint="leave the prompt out; give it its media instead",
                code="no-prompt",
            )
            return
        if target.wrap is None:
            self.set(target.name, text, "prompt")
        elif target.name not in self.input:
            self.set(target.name, self._wrapped(target.wrap, prompt=text), "prompt")
            self.implied.add(target.name)
            self.wrapped["prompt"] = text
            if self.ask.voice and self._prompt_wraps_voice():
                self.wrapped["voice"] = self._voice_id()
        else:
            self.error(
                "prompt",
                f"`prompt` and `params.{target.name}` say the same",
                hint="say it once",
                code="said-twice",
            )

    def _wrapped(self, template: JSON, *, prompt: str = "") -> JSON:
        """Fill `{prompt}` and `{voice}` into a template of a nested field."""
        if isinstance(template, list):
            return [self._wrapped(one, prompt=prompt) for one in template]
        if isinstance(template, dict):
            return {key: self._wrapped(one, prompt=prompt) for key, one in template.items()}
        if template == "{prompt}":
            return prompt
        if template == "{voice}":
            return self._voice_id() or self.model.default_voice or ""
        return template

    def _negative(self) -> None:
        unwanted = [text.strip() for text in self.ask.negative if text.strip()]
        if not unwanted:
            return
        own = self._own("negative_prompt")
        if own:
            if own in self.input:
                self.set(own, "", "negative_prompt")  # says that it was said twice
            else:
                self.set(own, ", ".join(unwanted), "negative_prompt")
            return
        target = self.model.fields.get("prompt")
        if (
            self.ask.fold_negative
            and target
            and target.wrap is None
            and isinstance(self.input.get(target.name), str)
        ):
            said = self.input[target.name].rstrip()
            end = "" if said.endswith(tuple(".!?:;…。！？")) else "."
            self.input[target.name] = f"{said}{end} Avoid: {', '.join(unwanted)}."
            return
        self.warn(
            "negative_prompt",
            f"`{self.model.id}` has no negative prompt; it is not sent",
            hint="`--fold-negative` puts it into the prompt as words to avoid",
            code="no-negative-prompt",
        )

    def _seed(self) -> None:
        if self.ask.seed is None:
            return
        own = self._own("seed")
        if own is None:
            self.warn("seed", f"`{self.model.id}` has no seed; it is not sent", code="no-seed")
            return
        self.set(own, _coerced(self.model.properties.get(own, {}), self.ask.seed, True), "seed")

    def _voice_id(self) -> str:
        voice = (self.ask.voice or "").strip()
        by_name = {name.lower(): id for name, id in self.model.voices.items()}
        return by_name.get(voice.lower(), voice)

    def _voice(self) -> None:
        target = self.model.fields.get("voice")
        raw = self.ask.params.get("voice")
        if isinstance(raw, str) and target and target.wrap is None and not self.ask.voice:
            self.ask = replace(self.ask, voice=raw)
            self.input[target.name] = self._voice_id()
            self._check_voice("params.voice")
            return
        if not self.ask.voice:
            if (
                target
                and target.wrap is not None
                and target.name not in self.input
                and self.model.default_voice
            ):
                self.input[target.name] = self._wrapped(target.wrap)
                self.implied.add(target.name)
                self.defaulted.append("voice")
            elif target and target.wrap is None and self._prompt_wraps_voice() and self.model.default_voice:
                self.defaulted.append("voice")
            return
        if target is None:
            self.error("voice", f"`{self.model.id}` has no voices to choose from", code="no-voice")
            return
        self._check_voice("voice")
        if target.wrap is not None:
            self.set(target.name, self._wrapped(target.wrap), "voice")
            self.implied.add(target.name)
            self.wrapped["voice"] = self._voice_id()
        elif not self._prompt_wraps_voice():
            self.set(target.name, self._voice_id(), "voice")

    def _prompt_wraps_voice(self) -> bool:
        prompt = self.model.fields.get("prompt")
        return prompt is not None and "{voice}" in str(prompt.wrap)

    def _check_voice(self, word: str) -> None:
        voice = str(self.ask.voice).strip()
        names = self.model.voices
        if not names or voice in names.values() or voice.lower() in (n.lower() for n in names):
            return
        near = get_close_matches(voice, list(names), n=1, cutoff=0.6)
        self.warn(
            word,
            f"`{voice}` is no voice that the catalogue knows; it is sent as written",
            hint=f"did you mean `{near[0]}`?"
            if near
            else f"`kiebatch models {self.model.id}` lists the voices",
            code="unknown-voice",
        )

    # -- media

    def _media(self) -> None:
        by_field: dict[str, list[RoleMedia]] = {}
        for role in ("source", "start_frame", "end_frame", "references", "mask"):
            for medium in (m for m in self.ask.media if m.role == role):
                own = self._field_for(medium)
                if own:
                    by_field.setdefault(own, []).append(medium)
            if any(m.role == role for m in self.ask.media):
                for name, value in self.model.sets.get(role, {}).items():
                    if name not in self.input:
                        self.input[name] = value
                        self.words[name] = role
                        self.implied.add(name)
        for name, given in by_field.items():
            self._place(name, given)
        self._name_output()

    def _name_output(self) -> None:
        """Name the very output beside its task, where the model asks for the provider's id of it."""
        own = self.model.output_id
        for n, medium in enumerate(self.media):
            if not own or not isinstance(medium.ref, ShotOutput) or not medium.ref.as_task:
                continue
            ref = replace(medium.ref, as_id=True)
            if medium.field == own:  # it takes the id alone
                self.media[n] = replace(medium, ref=ref)
            elif own in self.input:
                return
            else:
                self.media.append(replace(medium, field=own, ref=ref))
                self.words[own] = medium.role
            self.input[own] = str(ref)
            return

    def _field_for(self, medium: RoleMedia) -> str | None:
        fields = self.model.roles.get(medium.role)
        if not self.model.known:
            self.error(
                medium.role,
                f"the catalogue does not know `{self.model.id}`, so it cannot tell which field takes `{medium.role}`",
                hint="give its address in the model's own field under `params:`",
                code="no-role",
            )
            return None
        if not fields:
            self.error(
                medium.role,
                f"`{self.model.id}` takes no `{medium.role}`",
                hint=self._roles_hint(),
                code="no-role",
            )
            return None
        kind = _kind(medium)
        if kind == "task" and "task" not in fields:
            self.error(
                medium.role,
                f"`{self.model.id}` cannot start from another shot's task",
                hint="leave out `as: task`; its file is used then",
                code="wrong-kind",
            )
            return None
        if kind is not None and kind in fields:
            return fields[kind]
        files = {k: f for k, f in fields.items() if k != "task"}
        if kind is None and files:
            return next(iter(files.values()))
        if not files:
            self.error(
                medium.role,
                f"`{self.model.id}` starts from another shot's task, not from a file",
                hint="write `{shot: 2a, as: task}`",
                code="wrong-kind",
            )
            return None
        self.error(
            medium.role,
            f"`{self.model.id}` takes {any_of(A_KIND[k] for k in files)} as `{medium.role}`, found {A_KIND[str(kind)]}",
            hint=self._roles_hint(kind),
            code="wrong-kind",
        )
        return None

    def _roles_hint(self, kind: str | None = None) -> str:
        roles = [role for role, fields in self.model.roles.items() if kind is None or kind in fields]
        if not roles:
            noun = {"video": "clips", "audio": "sound"}.get(str(kind), "pictures")
            return f"it takes no {noun}" if kind else "it works from words alone"
        return "it takes " + listing(roles)

    def _place(self, name: str, given: list[RoleMedia]) -> None:
        schema = self.model.properties.get(name, {})
        if name in self.input:
            self.set(name, "", given[0].role)
            return
        roles = [m.role for m in given]
        if schema.get("type") != "array":
            if len(given) > 1:
                self.error(
                    given[1].role,
                    f"`{self.model.id}` takes one {A_KIND[str(_kind(given[0]) or 'image')].split()[-1]} there, found {len(given)}",
                    code="too-many",
                )
            self.words[name] = roles[0]
            self.input[name] = str(given[0].ref)
            self.media.append(
                Media(role=roles[0], field=name, index=None, ref=given[0].ref, where=given[0].where)
            )
            return
        if "end_frame" in roles and "start_frame" not in roles:
            self.error(
                "end_frame",
                f"`{self.model.id}` needs a `start_frame` beside the `end_frame`",
                hint="it takes one list, and its first picture opens the clip",
                code="needs-start-frame",
            )
        if (
            self.model.sets.get("references")
            and "references" in roles
            and {"start_frame", "end_frame"} & set(roles)
        ):
            self.error(
                "references",
                f"`{self.model.id}` takes either frames or references",
                hint="leave one of them out",
                code="exclusive",
            )
        key = next(
            (k for k, p in (schema.get("items", {}).get("properties") or {}).items() if "media" in p), None
        )
        self.words[name] = roles[0]
        self.input[name] = [{key: str(m.ref)} if key else str(m.ref) for m in given]
        for i, m in enumerate(given):
            self.media.append(Media(role=m.role, field=name, index=i, key=key, ref=m.ref, where=m.where))

    # -- what is filled in

    def _default_params(self) -> None:
        """Put the file's defaults where the model has the field, takes the value, and nothing else filled it.

        Defaults are meant for many models: what one of them cannot do is said, not refused.
        """
        taken: dict[str, tuple[str, JSON]] = {}
        for name, value in self.ask.default_params.items():
            target = self.model.fields.get(name)
            if target and target.wrap is not None:
                target = None
            own = target.name if target else name
            schema = self.model.properties.get(own)
            if value is None or own in self.input or schema is None or "media" in schema:
                continue
            made = _coerced(schema, self._friendly(name, value) if target else value, True)
            if validator(schema).is_valid(made):
                taken[own] = (name, value)
                self.input[own] = made
                self.words[own] = f"params.{name}"
            else:
                self._not_taken(name, value, _allowed_hint(schema, target.values if target else None))
        for rule in self.model.constraints if taken else ():
            sent = self._sent_anyway() | self.input
            if not any(f.severity == "error" for f in broken(rule, sent, self.names)):
                continue
            for own in sorted(concerned(rule) & taken.keys() & self.input.keys()):
                without = self._sent_anyway() | {k: v for k, v in self.input.items() if k != own}
                if not broken(rule, without, self.names):
                    del self.input[own], self.words[own]
                    self._not_taken(*taken[own], "")
                    break

    def _sent_anyway(self) -> dict[str, JSON]:
        """Return what the catalogue would fill in."""
        required = self.model.input.get("required") or ()
        return {n: v for n, v in self.model.defaults.items() if n in required} | dict(self.model.fill)

    def _not_taken(self, name: str, value: JSON, hint: str) -> None:
        self.warn(
            f"params.{name}",
            f"`{self.model.id}` does not take `{name}: {say(value)}` from the defaults here; it is not sent",
            hint=hint,
            code="default-not-taken",
        )

    def _duration(self) -> None:
        own = self._own("duration")
        if own is None or own in self.input or self.ask.duration_s is None:
            return
        schema = self.model.properties.get(own, {})
        wanted = self.ask.duration_s
        fits = [n for n in _lengths(schema) if n >= wanted - 1e-9]
        if not fits:
            longest = max(_lengths(schema), default=None)
            if longest is None:
                return
            self.error(
                "duration",
                f"`{self.model.id}` makes at most {say(longest)} s, and the shot lasts {say(wanted)} s",
                hint=f"shorten the shot, or say `params: {{duration: {say(longest)}}}` for the longest it makes",
                code="too-long",
            )
            return
        length = min(fits)
        self.input[own] = _coerced(schema, int(length) if length == int(length) else length, True)
        self.words[own] = "duration"
        self.filled.add(own)
        self.defaulted.append(own)

    def _fill(self) -> None:
        required = self.model.input.get("required") or ()
        for name, value in self.model.fill.items():
            if name not in self.input:
                self.input[name] = value
                self.filled.add(name)
                self.defaulted.append(name)
        for name in required:
            if name not in self.input and name in self.model.defaults:
                self.input[name] = self.model.defaults[name]
                self.defaulted.append(name)
        for rule in self.model.constraints:
            then = rule.get("then") or {}
            if not then.get("required") or not applies(rule, self.input):
                continue
            for name in then["required"]:
                own = (then.get("properties") or {}).get(name) or {}
                value = own.get("const", self.model.defaults.get(name))
                if name not in self.input and value is not None:
                    self.input[name] = value
                    self.filled.add(name)
                    self.defaulted.append(name)

    # -- what is wrong

    def _check(self) -> None:
        for name, value in self.input.items():
            if any(abs(n) > LARGEST for n in _integers(value)):
                self.error(
                    self.word(name),
                    f"`{bare(self.word(name))}` is larger than 2^53",
                    hint="programs on the way would round it",
                    code="too-large",
                )
        wrong = {f.field for f in self.findings if f.severity == "error"}  # once is enough
        for problem in self.model.validator.iter_errors(self.input):
            found = self._said(problem)
            if found and found.field not in wrong:
                self.findings.append(found)
        required = set(self.model.input.get("required") or ())
        for rule in self.model.constraints:
            wrongs = broken(rule, self.input, self.names)
            # What the catalogue filled in may not be said here: then it is left to the service.
            filled = (concerned(rule) & self.filled & set(self.input)) - required if wrongs else set()
            if filled:
                trimmed = {k: v for k, v in self.input.items() if k not in filled}
                if not broken(rule, trimmed, self.names):
                    for name in filled:
                        del self.input[name]
                        self.defaulted.remove(name)
                    continue
            self.findings += [f for f in wrongs if f.field not in wrong]

    def _said(self, problem: ValidationError) -> Finding | None:
        """Put one finding of the schema into words."""
        path = list(problem.absolute_path)
        model = self.model
        if not path and problem.validator == "required":
            name = quoted(problem.message)
            word = self.word(name)
            return Finding(
                field=word if not word.startswith("params.") else "params",
                message=f"`{model.id}` needs {self._thing(name, word)}",
                hint=self._need_hint(name, word),
                code="needs-input",
            )
        if not path and problem.validator == "additionalProperties":
            return None  # said when the field was read
        if not path:
            return Finding(field="params", message=problem.message[:200])
        top = str(path[0])
        word = self.word(top)
        name = (
            bare(word)
            if len(path) == 1
            else bare(word) + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path[1:])
        )
        schema = model.properties.get(top, {})
        is_media = any(m.field == top for m in self.media)
        target = next((t for t in model.fields.values() if t.name == top and t.values), None)
        values = target.values if target and len(path) == 1 else None
        value: JSON = problem.instance
        limit: JSON = problem.validator_value
        messages = {
            "enum": f"`{name}` cannot be `{say(value)}` on `{model.id}`",
            "const": f"`{name}` must be `{say(limit)}`, found `{say(value)}`",
            "type": f"`{name}` must be {_type(limit)}, found `{say(value)}`",
            "minimum": f"`{name}` must be at least {say(limit)}, found {say(value)}",
            "exclusiveMinimum": f"`{name}` must be above {say(limit)}, found {say(value)}",
            "maximum": f"`{name}` must be at most {say(limit)}, found {say(value)}",
            "multipleOf": f"`{name}` must be a multiple of {say(limit)}, found {say(value)}",
            "pattern": f"`{name}` cannot be `{say(value)}` on `{model.id}`",
            "anyOf": f"`{name}` cannot be `{say(value)}` on `{model.id}`",
        }
        key = str(problem.validator)
        if key == "maxLength":
            over = f"`{name}` has {len(value)} characters; `{model.id}` takes {limit}"
            return Finding(field=word, message=over, hint=f"{len(value) - limit} too many", code="too-long")
        if key == "minLength":
            return Finding(
                field=word,
                message=f"`{name}` is too short: `{model.id}` wants at least {limit} characters",
                code="too-short",
            )
        if key in ("maxItems", "minItems"):
            noun = _noun(schema, is_media)
            many = "at most" if key == "maxItems" else "at least"
            return Finding(
                field=word,
                message=f"`{model.id}` takes {many} {limit} {noun if limit != 1 else noun.removesuffix('s')} as `{name}`, found {len(value)}",
                code="too-many" if key == "maxItems" else "too-few",
            )
        if key == "required":
            return Finding(
                field=word, message=f"`{name}` needs `{quoted(problem.message)}`", code="needs-input"
            )
        hint = ""
        if key in ("enum", "pattern", "anyOf", "minimum", "maximum", "type", "multipleOf"):
            leaf = schema if len(path) == 1 else problem.schema
            hint = _allowed_hint(leaf if isinstance(leaf, Mapping) else {}, values, value)
        return Finding(
            field=word,
            message=messages.get(key, f"`{name}`: {problem.message[:200]}"),
            hint=hint,
            code="not-allowed",
        )

    def _thing(self, name: str, word: str) -> str:
        roles = [r for r, fields in self.model.roles.items() if name in fields.values()]
        if roles:
            kind = next(k for k, own in self.model.roles[roles[0]].items() if own == name)
            return f"{A_KIND[kind]} as {any_of(f'`{r}`' for r in roles)}"
        if word in ("prompt", "voice", "seed"):
            return f"a {word}"
        return f"`{bare(word)}`"

    def _need_hint(self, name: str, word: str) -> str:
        schema = self.model.properties.get(name, {})
        if word.startswith("params.") and "enum" in schema:
            target = next((t for t in self.model.fields.values() if t.name == name), None)
            return _allowed_hint(schema, target.values if target else None)
        if any(
            f == "task" for fields in self.model.roles.values() for f, own in fields.items() if own == name
        ):
            return "write `{shot: 2a, as: task}`"
        return ""

    def _warn(self) -> None:
        model = self.model
        own_seed = self._own("seed")
        fixed = model.defaults.get(own_seed or "")
        if self.ask.takes > 1 and own_seed not in self.input and fixed not in (None, -1, "-1"):
            self.warn(
                "takes",
                f"`{model.id}` uses seed {say(fixed)} unless told otherwise, so takes may come out alike",
                hint="`seed: stable` gives each take a seed of its own",
                code="same-seed",
            )
        for name, value in self.input.items():
            schema = model.properties.get(name, {})
            if schema.get("deprecated") and name in self.words:
                self.warn(
                    self.word(name),
                    f"`{name}` is going away on `{model.id}`",
                    hint=str(schema.get("description") or ""),
                    code="deprecated-field",
                )
            if value in (schema.get("discontinued") or ()):
                self.warn(
                    self.word(name),
                    f"`{name}: {say(value)}` is marked as discontinued",
                    hint=_allowed_hint(
                        {"enum": [v for v in schema["enum"] if v not in schema["discontinued"]]}, None
                    ),
                    code="discontinued-value",
                )
        self._warn_costs()

    def _warn_costs(self) -> None:
        model = self.model
        count = prices.count(model, {**model.defaults, **self.input}).value
        said = model.outputs.get("count")
        field = said.get("field") if isinstance(said, Mapping) else None
        per_output = any(row["per"] == "output" for row in model.prices)
        if field and field not in self.input and count and count > 1 and per_output:
            word = next((f for f, t in model.fields.items() if t.name == field), field)
            self.warn(
                "model",
                f"`{model.id}` makes and bills {say(count)} pictures unless told otherwise",
                hint=f"say `params: {{{word}: 1}}` for one",
                code="many-outputs",
            )
        self._warn_dear_options()
        if said is None and per_output:
            self.warn(
                "model",
                f"how many pictures `{model.id}` makes, and so its price, is known only afterwards",
                code="unknown-count",
            )

    def _warn_dear_options(self) -> None:
        """Warn about an option that multiplies the price; a longer clip costs more as everybody expects."""
        model, length = self.model, self._own("duration")
        told = {name for row in model.prices for name in row.get("when") or {}} - {length}
        for name in sorted(told & set(self.input)):
            word = self.words.get(name, "")
            if not word.startswith("params.") or any(m.field == name for m in self.media):
                continue
            with_it = prices.price(model, self.input)
            without = prices.price(model, {k: v for k, v in self.input.items() if k != name})
            if with_it.kind == without.kind == "exact" and (with_it.amount or 0) >= DEAR * (
                without.amount or math.inf
            ):
                self.warn(
                    word,
                    f"`{bare(word)}: {say(self.ask.params.get(bare(word), self.input[name]))}` makes this job "
                    f"{say(with_it.amount)} credits instead of {say(without.amount)}",
                    code="dear-option",
                )


# --- small words ---------------------------------------------------------------------------------------


def _kind(medium: RoleMedia) -> Literal["image", "video", "audio", "task"] | None:
    """Return what a medium is, as far as can be told without its bytes."""
    ref = medium.ref
    if isinstance(ref, ShotOutput):
        if ref.as_task:
            return "task"
        if ref.frame:
            return "image"
    if medium.kind in ("image", "video", "audio"):
        return medium.kind
    if medium.role == "mask":
        return "image"
    name = (
        ref.path
        if isinstance(ref, LocalFile)
        else ref.url.split("?")[0].split("#")[0]
        if isinstance(ref, WebURL)
        else ""
    )
    ending = name.rsplit(".", 1)[-1].lower() if "." in name.rsplit("/", 1)[-1] else ""
    for kind, endings in _KINDS.items():
        if ending in endings.split():
            return kind  # type: ignore[return-value]
    return None


def _is_web(text: str) -> bool:
    return bool(re.match(r"(?i)^https?://[^/\s]+", text))


def _lasting(value: JSON) -> JSON:
    """Return a value with its addresses without signatures, so that a renewed link is the same wish."""
    if isinstance(value, Mapping):
        return {key: _lasting(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_lasting(one) for one in value]
    return canonical_url(value) if isinstance(value, str) and _is_web(value) else value


def _files_in(value: JSON) -> Iterable[str]:
    """Yield the texts in a value that name a file of the user's, by their ending."""
    if isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _files_in(one)
    elif isinstance(value, str) and not _is_web(value) and re.fullmatch(r"\S+\.(\w+)", value.strip()):
        ending = value.strip().rsplit(".", 1)[-1].lower()
        if any(ending in endings.split() for endings in _KINDS.values()):
            yield value


def _urls_in(value: JSON) -> Iterable[str]:
    """Yield the texts in a nested value that stand under a key that names an address."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if re.search(r"(?i)url", str(key)):
                yield from (str(v) for v in (one if isinstance(one, list) else [one]))
            else:
                yield from _urls_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _urls_in(one)


def _coerced(schema: Mapping[str, JSON], value: JSON, friendly: bool) -> JSON:
    """Return a value in the type and spelling that the schema has, where there is no doubt about it.

    `5` becomes `"5"` for a field whose numbers are text, `4k` becomes `4K`; anything else is left for the check.
    """
    wanted = schema.get("type")
    options = schema.get("enum")
    if isinstance(value, bool):
        return value
    if wanted == "string" and isinstance(value, int | float):
        text = say(value)
        if friendly or options or "pattern" in schema:
            value = text
    elif wanted in ("integer", "number") and isinstance(value, str):
        number = as_number(value.strip().removesuffix("s") if friendly else value)
        if number is not None:
            value = int(number) if number == int(number) else number
    elif wanted in ("integer", "number") and isinstance(value, float) and value == int(value):
        value = int(value)
    if wanted == "string" and isinstance(value, str) and options and friendly and value not in options:
        bare = value.strip().removesuffix("s") if re.fullmatch(r"\d+s", value.strip()) else value.strip()
        for option in options:
            if isinstance(option, str) and option.lower() in (value.strip().lower(), bare.lower()):
                return option
    return value


def _lengths(schema: Mapping[str, JSON]) -> list[float]:
    """Return the lengths in seconds that a duration field takes, ascending."""
    if "enum" in schema:
        numbers = [as_number(v) for v in schema["enum"]]
        return sorted(n for n in numbers if n is not None and n > 0)
    found: list[float] = []
    for part in (schema, *(schema.get("anyOf") or ())):
        if "maximum" in part:
            low = float(part.get("minimum", part.get("exclusiveMinimum", 0)))
            step = float(schema.get("multipleOf") or (1 if schema.get("type") != "number" else 0.5))
            count = round((float(part["maximum"]) - low) / step)
            found += [low + i * step for i in range(count + 1) if low + i * step > 0]
    if not found and "pattern" in schema:
        found = [float(n) for n in range(1, 61) if re.search(str(schema["pattern"]), str(n))]
    return sorted(found)


def _allowed_hint(schema: Mapping[str, JSON], values: Mapping[str, JSON] | None, found: JSON = None) -> str:
    if values:
        return options_hint([*values], found)
    if "enum" in schema:
        return options_hint(list(schema["enum"]), found)
    if "const" in schema:
        return f"it takes `{say(schema['const'])}`"
    lengths = _lengths(schema) if "anyOf" in schema or "pattern" in schema else []
    if lengths:
        also = [v for part in schema.get("anyOf") or () for v in part.get("enum") or ()]
        return f"{say(lengths[0])} to {say(lengths[-1])}" + (
            f", or {any_of(say(v) for v in also)}" if also else ""
        )
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{say(low)} to {say(high)}"
    return ""


def _integers(value: JSON) -> Iterable[int]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _integers(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _integers(one)


def _type(wanted: JSON) -> str:
    return {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
    }.get(str(wanted), str(wanted))


def _noun(schema: Mapping[str, JSON], is_media: bool) -> str:
    kind = (schema.get("media") or {}).get("kind")
    return (
        {"image": "pictures", "video": "clips", "audio": "sounds"}.get(str(kind), "items")
        if is_media
        else "items"
    )
