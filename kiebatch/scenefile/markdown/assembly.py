"""Builds the scenes and shots of the YAML form from what a reader gathered."""

from __future__ import annotations

from collections.abc import Iterable

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
    *("time_of_day", "shot_size", "lens", "tags"),
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
        visual = fields.pop("visual", None)
        for _, other in found[1:]:
            first = found[0][1]
            self.reader.marks.twice("prompt", first.key or first.where, other.key or other.where)
        if found:
            name, prompt = found[0]
            fields["prompt"] = prompt
            if name != "prompt" and "type" not in fields:
                fields["type"] = Placed(name.removesuffix("_prompt"), prompt.key or prompt.where)
            if visual is not None:
                fields["visual"] = visual
        elif visual is not None:
            fields["prompt"] = visual
            self.visuals.append(visual)
        for kind in ("image", "video"):
            named = fields.pop(f"{kind}_model", None)
            if named is not None:
                wanted = fields.get("type")
                if wanted is None or wanted.value == kind:
                    put(self.reader.marks, fields, "model", named)
                    fields.setdefault("type", Placed(kind, named.where))

    def _merged(self, body: Body, *others: Body | None) -> Body:
        whole = Body(body.where, fields=dict(body.fields), params=dict(body.params))
        for other in others:
            if other is None:
                continue
            for key, value in other.fields.items():
                if key in whole.fields and whole.fields[key].plain == value.plain:
                    continue
                if key == "visual" and "visual" in whole.fields:
                    # The scene's own Visual is the idea, the part's the words for the machine.
                    whole.fields.setdefault("prompt", value)
                    continue
                self.reader.marks.enter(whole, key, value, add=key in ("references", "negative_prompt"))
            for key, value in other.params.items():
                put(self.reader.marks, whole.params, key, value)
        return whole

    def _pictures(self, body: Body) -> list[tuple[str, dict[str, Placed]]]:
        """Return what a body asks for: one shot (named ``), or a picture and a clip (`image`, `video`).

        With two, the first of the list, named `shared`, holds what belongs to both.
        """
        self.tools.adopt(body)
        visual, video = body.parts.get("visual"), body.parts.get("video")
        fields = body.fields
        pictured = any(p in fields for p in ("prompt", "image_prompt")) or (
            visual is not None and any(p in visual.fields for p in PROMPTS)
        )
        moving = "video_prompt" in fields or (video is not None and any(p in video.fields for p in PROMPTS))
        type_ = fields.get("type")
        same_kind = (
            type_ is not None and type_.value == "video" and "image_prompt" not in fields and visual is None
        )
        if not (pictured and moving) or same_kind:
            whole = self._merged(body, visual, video)
            if video is not None and (video.fields or video.params) and "type" not in whole.fields:
                whole.fields["type"] = Placed("video", video.where)
            self._settle_prompts(whole)
            return [("", self._values(whole))]
        shared = Body(body.where, params=body.params)
        image = Body(visual.where if visual else body.where)
        clip = Body(video.where if video else body.where)
        for key, value in fields.items():
            if key in ("prompt", "image_prompt", "image_model"):
                image.fields[key] = value
            elif key in ("video_prompt", "video_model", "start_frame", "end_frame"):
                clip.fields[key] = value
            elif key in ("duration", "head", "tail"):
                shared.fields[key] = value
                if video is None:
                    clip.fields[key] = Placed(value.value, value.where, value.key)
            elif key in _SHARED or key in _BOARD or key == "visual":
                shared.fields[key] = value
            elif key in _ONE_OR_OTHER:
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
        return [
            ("shared", self._values(shared)),
            ("image", self._values(image)),
            ("video", self._values(clip)),
        ]

    def _scene(self, scene: SceneDraft) -> Placed:
        out: dict[str, Placed] = {}
        body = scene.body
        self._heading_values(scene, out)
        if scene.group:
            out["group"] = Placed(scene.group, scene.where)
        sounds = self.sounds.of(scene)
        shots: list[Placed] = []
        pictures = self._pictures(body)
        if len(pictures) == 1:
            for key, value in pictures[0][1].items():
                self._enter(out, key, value)
        else:
            for key, value in pictures[0][1].items():
                self._enter(out, key, value)
            for kind, values in pictures[1:]:
                ident = Placed(kind, values["prompt"].where)
                shots.append(Placed(in_order({"id": ident, **values}, SCENE), values["prompt"].where))
        for shot in scene.shots:
            shots += self._shot(scene, shot)
        if shots:
            out["shots"] = Placed(shots, shots[0].where)
        notes = self._all_notes(body, [b for n, b in body.parts.items() if n in ("visual", "video", "audio")])
        if notes is not None:
            out["notes"] = notes
        out.update(sounds)
        return Placed(in_order(out, SCENE), scene.where)

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

    def _all_notes(self, body: Body, parts: Iterable[Body]) -> Placed | None:
        found = [b for b in (body, *parts) if b.notes]
        if not found:
            return None
        return Placed("\n\n".join(b.notes_text for b in found), found[0].noted or body.where)

    def _shot(self, scene: SceneDraft, shot: ShotDraft) -> list[Placed]:
        out: dict[str, Placed] = {}
        ident = self._shot_id(scene, shot)
        shot.id = ident
        self._heading_values(shot, out)
        pictures = self._pictures(shot.body)
        notes = self._all_notes(
            shot.body, [b for n, b in shot.body.parts.items() if n in ("visual", "video", "audio")]
        )
        for key, value in pictures[0][1].items():
            self._enter(out, key, value)
        if notes is not None:
            out["notes"] = notes
        if len(pictures) == 1:
            return [Placed(in_order(out, SCENE), shot.where)]
        image = {**out, **pictures[1][1]}
        clip = {**{k: v for k, v in out.items() if k != "notes"}, **pictures[2][1]}
        clip["id"] = Placed(f"video-{ident}", clip["prompt"].where)
        return [
            Placed(in_order(image, SCENE), shot.where),
            Placed(in_order(clip, SCENE), clip["prompt"].where),
        ]

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
