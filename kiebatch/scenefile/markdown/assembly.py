"""Builds the scenes and shots of the YAML form from what a reader gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kiebatch.errors import Where
from kiebatch.scenefile.markdown.drafts import PROMPTS, Body, SceneDraft, ShotDraft
from kiebatch.scenefile.markdown.prose import SCENE, TOP, Placed, identity
from kiebatch.scenefile.markdown.reader import Reader
from kiebatch.scenefile.markdown.sections import Sections
from kiebatch.scenefile.markdown.sounds import Sounds
from kiebatch.scenefile.markdown.tools import ToolPrompts
from kiebatch.scenefile.markdown.values import in_order, params_of, put, take_prompts

_BOARD = (
    *("title", "skip", "camera", "text_overlay", "transition", "dialogue", "action", "location"),
    *("time_of_day", "shot_size", "lens", "tags", "visual"),
)
_SHARED = ("preset", "enhance", "takes", "seed", "style", "characters", "negative_prompt", "fallback", "size")
_ONE_OR_OTHER = (
    "extra_params",
    "expect",
    "model",
    "output",
    "references",
    "source",
    "mask",
    "endpoint",
    "voice",
)


_OF_PICTURE = ("prompt", "image_prompt", "image_model")
_OF_CLIP = ("video_prompt", "video_model", "start_frame", "end_frame")
_LENGTHS = ("duration", "head", "tail")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a body asks for: the values of one shot, or those that a picture and a clip share, and of each its own."""

    values: dict[str, Placed]
    image: dict[str, Placed] | None = None
    clip: dict[str, Placed] | None = None


def _asks_for_two(body: Body) -> bool:
    """Whether a body has a prompt for a picture and one for a clip."""
    visual, video = body.parts.get("visual"), body.parts.get("video")
    pictured = "prompt" in body.fields or "image_prompt" in body.fields or _has_prompt(visual)
    moving = "video_prompt" in body.fields or _has_prompt(video)
    type_ = body.fields.get("type")
    if type_ is not None and type_.value == "video" and visual is None and "image_prompt" not in body.fields:
        return False  # its Prompt is the clip's, too
    return pictured and moving


def _only(fields: Mapping[str, Placed], keys: Sequence[str]) -> dict[str, Placed]:
    """Return some fields in the order in which they were written."""
    return {key: value for key, value in fields.items() if key in keys}


def _has_prompt(part: Body | None) -> bool:
    return part is not None and any(prompt in part.fields for prompt in PROMPTS)


def _all_notes(body: Body) -> Placed | None:
    parts = (part for name, part in body.parts.items() if name in ("visual", "video", "audio"))
    found = [one for one in (body, *parts) if one.notes]
    if not found:
        return None
    return Placed("\n\n".join(one.notes_text for one in found), found[0].noted or body.where)


def _placed(values: dict[str, Placed]) -> Placed:
    """Return the values of a shot at the place of its prompt."""
    return Placed(in_order(values, SCENE), values["prompt"].where)


class Assembly:
    """Builds the values of the YAML form from what a reader gathered."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.problems = reader.problems
        self.start = Where(reader.file, 1, 1)
        self.visuals: list[Placed] = []
        self.tools = ToolPrompts(reader.marks)
        self.sections = Sections(reader)
        self.sounds = Sounds(reader.marks)

    def root(self) -> Placed:
        top = {"kiebatch": Placed(1, self.start), **self.reader.top}
        self.sections.read(top)
        if notes := self.reader.notes.notes_text:
            written = f"{top['notes'].value}\n\n{notes}" if "notes" in top else notes
            top["notes"] = Placed(written, self.reader.notes.noted or self.start)
        self.sections.give_file_style(top)
        if self.reader.scenes:
            scenes = [self._scene(scene) for scene in self.reader.scenes]
            self.tools.settle_types(scenes, top.get("defaults"))
            top["scenes"] = Placed(scenes, scenes[0].where)
        else:
            top["scenes"] = Placed([], self.start)
        return Placed(in_order(top, TOP), self.start)

    def _values(self, body: Body) -> dict[str, Placed]:
        """Return the keys of one shot from what its body holds; prompts are settled already."""
        fields = dict(body.fields)
        size_body = Body(
            body.where, fields={k: fields.pop(k) for k in ("size",) if k in fields}, params=body.params
        )
        params = params_of(self.reader.marks, size_body)
        out = {key: value for key, value in fields.items() if key in SCENE}
        if params is not None:
            out["params"] = params
        if "style" in out:
            self.sections.join_style(out)
        take_prompts(fields, out)
        return out

    def _settle_prompts(self, body: Body) -> None:
        """Of what was marked make the one prompt of a shot; a Visual beside it is a note on the board."""
        fields = body.fields
        found = [(p, fields.pop(p)) for p in ("prompt", "image_prompt", "video_prompt") if p in fields]
        if found:
            self._take_first_prompt(fields, found)
        elif "visual" in fields:
            fields["prompt"] = visual = fields.pop("visual")
            self.visuals.append(visual)
        for kind in ("image", "video"):
            self._settle_model(body, kind)

    def _take_first_prompt(self, fields: dict[str, Placed], found: Sequence[tuple[str, Placed]]) -> None:
        """Make the first of the prompts that were marked the shot's own; another is an error."""
        name, prompt = found[0]
        at = prompt.key or prompt.where
        for _, other in found[1:]:
            self.reader.marks.twice("prompt", at, other.key or other.where)
        fields["prompt"] = prompt
        if name != "prompt":
            fields.setdefault("type", Placed(name.removesuffix("_prompt"), at))

    def _settle_model(self, body: Body, kind: str) -> None:
        """Make `Image model` the model of a shot that is, or may be, a picture."""
        named = body.fields.pop(f"{kind}_model", None)
        type_ = body.fields.get("type")
        if named is not None and (type_ is None or type_.value == kind):
            put(self.reader.marks, body.fields, "model", named)
            body.fields.setdefault("type", Placed(kind, named.where))

    def _merged(self, body: Body, *others: Body | None) -> Body:
        whole = Body(body.where, fields=dict(body.fields), params=dict(body.params))
        for other in filter(None, others):
            for key, value in other.fields.items():
                self._merge(whole, key, value)
            for key, value in other.params.items():
                put(self.reader.marks, whole.params, key, value)
        return whole

    def _merge(self, whole: Body, key: str, value: Placed) -> None:
        """Enter a field of a part beside those of the whole."""
        if key in whole.fields and whole.fields[key].plain == value.plain:
            return
        if key == "visual" and "visual" in whole.fields:
            # The scene's own Visual is the idea, the part's the words for the machine.
            whole.fields.setdefault("prompt", value)
            return
        self.reader.marks.enter(whole, key, value, add=key in ("references", "negative_prompt"))

    def _pictures(self, body: Body) -> _Asked:
        """Return what a body asks for: one shot, or a picture and a clip."""
        self.tools.adopt(body)
        if _asks_for_two(body):
            return self._picture_and_clip(body)
        video = body.parts.get("video")
        whole = self._merged(body, body.parts.get("visual"), video)
        if video is not None and (video.fields or video.params) and "type" not in whole.fields:
            whole.fields["type"] = Placed("video", video.where)
        self._settle_prompts(whole)
        return _Asked(self._values(whole))

    def _picture_and_clip(self, body: Body) -> _Asked:
        fields, visual, video = body.fields, body.parts.get("visual"), body.parts.get("video")
        shared = Body(body.where, fields=_only(fields, (*_LENGTHS, *_SHARED, *_BOARD)), params=body.params)
        image = Body((visual or body).where, fields=_only(fields, _OF_PICTURE))
        clip = Body((video or body).where, fields=_only(fields, _OF_CLIP))
        if video is None:
            lengths = _only(fields, _LENGTHS)
            clip.fields |= {key: replace(value) for key, value in lengths.items()}
        for key, value in _only(fields, _ONE_OR_OTHER).items():
            self.problems.error(
                value.key or value.where,
                f"there is a picture and a clip here: which of them has this `{key.replace('_', ' ')}`?",
                hint="put each prompt with what belongs to it below `### Visual` and `### Video`, or in shots",
                code="ambiguous",
            )
        image, clip = self._merged(image, visual), self._merged(clip, video)
        for kind, one in (("image", image), ("video", clip)):
            self._settle_prompts(one)
            one.fields["type"] = Placed(kind, one.fields["prompt"].where)
        return _Asked(self._values(shared), image=self._values(image), clip=self._values(clip))

    def _scene(self, scene: SceneDraft) -> Placed:
        out: dict[str, Placed] = {}
        self._heading_values(scene, out)
        if scene.group:
            out["group"] = Placed(scene.group, scene.where)
        sounds = self.sounds.of(scene)
        asked = self._pictures(scene.body)
        for key, value in asked.values.items():
            self._enter(out, key, value)
        shots = [
            _placed({"id": Placed(kind, values["prompt"].where), **values})
            for kind, values in (("image", asked.image), ("video", asked.clip))
            if values is not None
        ]
        for shot in scene.shots:
            shots += self._shot(scene, shot)
        if shots:
            out["shots"] = Placed(shots, shots[0].where)
        notes = _all_notes(scene.body)
        if notes is not None:
            out["notes"] = notes
        return Placed(in_order(out | sounds, SCENE), scene.where)

    def _enter(self, out: dict[str, Placed], key: str, value: Placed) -> None:
        """A field beside the heading's own title, length or strike: the field is more exact, so it wins."""
        if key == "duration" and key in out and out[key].value != value.value:
            self.problems.warning(
                value.where,
                f"the heading says {out[key].value} s and `duration` says {value.value} s; {value.value} s it is",
                code="conflict",
            )
        out[key] = value

    def _heading_values(self, one: ShotDraft, out: dict[str, Placed]) -> None:
        out["id"] = Placed(one.id, one.where)
        if one.title:
            out["title"] = Placed(one.title, one.where)
        if one.duration is not None and one.duration > 0:
            out["duration"] = Placed(one.duration, one.where)
        if one.skip:
            out["skip"] = Placed(True, one.where)

    def _shot(self, scene: SceneDraft, shot: ShotDraft) -> list[Placed]:
        out: dict[str, Placed] = {}
        shot.id = self._shot_id(scene, shot)
        self._heading_values(shot, out)
        asked = self._pictures(shot.body)
        for key, value in asked.values.items():
            self._enter(out, key, value)
        notes = _all_notes(shot.body)
        noted = out if notes is None else {**out, "notes": notes}
        if asked.image is None or asked.clip is None:
            return [Placed(in_order(noted, SCENE), shot.where)]
        clip = {**out, **asked.clip, "id": Placed(f"video-{shot.id}", asked.clip["prompt"].where)}
        return [Placed(in_order({**noted, **asked.image}, SCENE), shot.where), _placed(clip)]

    def _shot_id(self, scene: SceneDraft, shot: ShotDraft) -> int | str:
        """`2a` in scene 2 is its shot a; `2.1` its shot 1."""
        if shot.exact:
            return shot.id
        text, prefix = str(shot.id), str(scene.id)
        if text.casefold().startswith(prefix.casefold()) and len(text) > len(prefix):
            rest = text[len(prefix) :]
            if rest[0] in ".-_":
                return identity(rest[1:])
            if rest[0].isalpha() and prefix[-1].isdecimal():
                return rest
        if text[:1].isdecimal() and not text.isdecimal():
            self.problems.error(
                shot.where,
                f"shot `{text}` is written in scene {prefix}",
                hint=f"name it {prefix}a, or simply a",
                code="bad-id",
            )
        return shot.id
