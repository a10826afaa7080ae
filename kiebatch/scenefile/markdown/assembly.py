"""Builds the values of the YAML form from what a reader gathered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from kiebatch.errors import Where
from kiebatch.model import JSON, Slot
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import PROMPTS, ROLES, SOUND_KEYS, SOUNDS, Body, SceneDraft, ShotDraft
from kiebatch.scenefile.markdown.keys import is_take_prompt
from kiebatch.scenefile.markdown.pictures import ratio
from kiebatch.scenefile.markdown.prose import (
    SCENE,
    TOP,
    Block,
    Literal,
    Placed,
    flow,
    identity,
    inline,
    tidy,
    unquoted,
)
from kiebatch.scenefile.markdown.reader import Reader
from kiebatch.scenefile.markdown.tools import ToolPrompts

_MEDIA_ENDING = re.compile(
    r"(?i)\.(png|jpe?g|jfif|webp|gif|avif|bmp|tiff?|heic|svg|mp4|mov|webm|mkv|avi|m4v|mp3|wav|m4a|ogg|flac|aac)$"
)
_RESOLUTION = re.compile(r"(?i)^(?:[1-8]k|\d{3,4}p|hd|full ?hd|uhd)$")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}")
# --- from bodies to the values of the YAML form --------------------------------------------------------

_BOARD = (
    *("title", "skip", "camera", "text_overlay", "transition", "dialogue", "action", "location"),
    *("time_of_day", "shot_size", "lens", "tags"),
)
_SHARED = ("preset", "enhance", "takes", "seed", "style", "characters", "negative_prompt", "fallback", "size")
_DEFAULTS = (
    *("model", "takes", "style", "negative_prompt", "seed", "fallback", "preset", "enhance"),
    "extra_params",
)
_ONE_OR_OTHER = ("extra_params", "model", "output", "references", "source", "mask", "endpoint", "voice")


# A fence with one of these marks is no character.
_LANGUAGES = frozenset(
    {
        "bash",
        "c",
        "cpp",
        "cs",
        "css",
        "diff",
        "go",
        "html",
        "ini",
        "java",
        "javascript",
        "js",
        "json",
        "jsx",
        "lua",
    }
    | {
        "md",
        "markdown",
        "mermaid",
        "php",
        "python",
        "py",
        "ruby",
        "rust",
        "sh",
        "sql",
        "swift",
        "text",
        "toml",
    }
    | {"ts", "tsx", "txt", "typescript", "xml", "yaml", "yml"}
)


def in_order(values: Mapping[str, Placed], order: Sequence[str]) -> dict[str, Placed]:
    return {key: values[key] for key in order if key in values}


class Assembly:
    """Builds the values of the YAML form from what a reader gathered."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.problems = reader.problems
        self.start = Where(reader.file, 1, 1)
        self.visuals: list[Placed] = []
        self.file_style: Placed | None = None
        self.tools = ToolPrompts(reader.marks)

    def root(self) -> Placed:
        top = {"kiebatch": Placed(1, self.start), **self.reader.top}
        for name, at, blocks in self.reader.sections:
            getattr(self, f"_section_{name}")(top, at, blocks)
        if notes := self.reader.notes.notes_text:
            written = f"{top['notes'].value}\n\n{notes}" if "notes" in top else notes
            top["notes"] = Placed(written, self.reader.notes.noted or self.start)
        if self.file_style:
            self._give_file_style(top)
        if self.reader.scenes:
            scenes = [self._scene(scene) for scene in self.reader.scenes]
            self.tools.settle_types(scenes, top.get("defaults"))
            top["scenes"] = Placed(scenes, scenes[0].where)
        else:
            top["scenes"] = Placed([], self.start)
        return Placed(in_order(top, TOP), self.start)

    # -- sections

    def _split(self, blocks: Sequence[Block]) -> list[tuple[Block | None, list[Block]]]:
        found: list[tuple[Block | None, list[Block]]] = [(None, [])]
        for block in blocks:
            if block.kind == "heading":
                found.append((block, []))
            else:
                found[-1][1].append(block)
        return found

    def _note(self, block: Block) -> None:
        if block.kind != "hr":
            self.reader.notes.note(
                self.reader.page.source(block.first, block.last), self.reader.page.start(block)
            )

    def _gathered(self, blocks: Sequence[Block], at: Where) -> Body:
        body = Body(at)
        if blocks:
            self.reader.bodies.read(blocks, body, scene=None)
        return body

    def _words_of(self, blocks: Sequence[Block], at: Where) -> tuple[Placed | None, Body]:
        """Return the one marked text below a heading: a quote, a fence of any kind, or a Prompt field."""
        plain = [b for b in blocks if not (b.kind == "fence" and not self.reader.marks.fence_key(b))]
        body = self._gathered(plain, at)
        words = next((body.fields[p] for p in PROMPTS if p in body.fields), None)
        for block in blocks:
            if block not in plain:
                if words is None:
                    words = self.reader.marks.fenced(block)
                else:
                    self._note(block)
        return words, body

    def _put(self, target: dict[str, Placed], key: str, placed: Placed) -> None:
        if key in target:
            self.reader.marks.twice(key, target[key].key or target[key].where, placed.key or placed.where)
        else:
            target[key] = placed

    def _mapping(self, top: dict[str, Placed], key: str, at: Where) -> dict[str, Placed]:
        return self.reader.marks.mapping(top, key, at)

    def _section_defaults(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        defaults = self._mapping(top, "defaults", at)
        for heading, below in self._split(blocks):
            modality = ""
            if heading is not None:
                modality = labels.TYPES.get(labels.canonical(inline(heading.text)[0]), "")
                if not modality:
                    for block in (heading, *below):
                        self._note(block)
                    continue
            body = self._gathered(below, at)
            target = defaults
            if modality:
                target = self._mapping(defaults, modality, at)
            for kind in ("image", "video", "audio"):
                if named := body.fields.pop(f"{kind}_model", None):
                    self._put(self._mapping(defaults, kind, named.where), "model", named)
            for key in _DEFAULTS:
                if key in body.fields:
                    self._put(target, key, body.fields.pop(key))
            params = self._params(body)
            if params:
                whole = self._mapping(target, "params", params.where)
                for key, value in params.value.items():
                    self._put(whole, key, value)
            for key, value in body.fields.items():
                self.problems.warning(
                    value.key or value.where,
                    f"`{key.replace('_', ' ')}` is no default; it is kept as a note",
                    code="unknown-key",
                )
                body.note(f"{key}: {flow(value.plain)}", value.where)
            if body.notes:
                self.reader.notes.note(body.notes_text, body.noted or at)

    def _section_style(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        for heading, below in self._split(blocks):
            if heading is not None:
                self._named_style(top, heading, below)
                continue
            words, body = self._words_of(below, at)
            if words is not None:
                if self.file_style is not None:
                    self.reader.marks.twice("style", self.file_style.where, words.where)
                words.key = at
                self.file_style = words
            elif below:
                self.reader.marks.unmarked("the style", at)
            if body.notes:
                self.reader.notes.note(body.notes_text, body.noted or at)

    def _section_styles(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        self._mapping(top, "styles", at)
        for heading, below in self._split(blocks):
            if heading is not None:
                self._named_style(top, heading, below)
                continue
            for block in below:
                self._note(block)

    def _named_style(self, top: dict[str, Placed], heading: Block, below: Sequence[Block]) -> None:
        at = self.reader.page.start(heading)
        words, body = self._words_of(below, at)
        name = inline(heading.text)[0]
        if words is None:
            self.reader.marks.unmarked(f"the style `{name}`", at)
        else:
            self._style(top, name, words, at)
        if body.notes:
            self.reader.notes.note(body.notes_text, body.noted or at)

    def _style(self, top: dict[str, Placed], name: str, words: Placed, where: Where) -> None:
        words.key = where
        self._put(self._mapping(top, "styles", where), name_of(name), words)

    def _section_negative_prompt(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        """Quotes are the words; where there are none a fence is, else the bullets of a list are."""
        inside = [block for block in blocks if block.kind != "heading"]
        kinds = {b.kind for b in inside if not (b.kind == "quote" and self.reader.marks.is_callout(b))}
        found: list[Placed] = []
        for block in inside:
            if block.kind == "quote" and (words := self.reader.marks.quoted(block, None)):
                found.append(words)
            elif (
                block.kind == "fence"
                and ("quote" not in kinds or self.reader.marks.fence_key(block))
                and block.text.strip()
            ):
                found.append(self.reader.marks.fenced(block))
            elif block.kind == "list" and not kinds & {"quote", "fence"}:
                found += [self._bullet(item) for item in block.children if item.children[:1]]
            else:
                self._note(block)
        if not found:
            if blocks:
                self.reader.marks.unmarked("the negative prompt", at)
            return
        old = top.get("negative_prompt")
        if old is not None:
            found = [*(old.value if isinstance(old.value, list) else [old]), *found]
        top["negative_prompt"] = Placed(found, found[0].where) if len(found) > 1 else found[0]
        top["negative_prompt"].key = at

    def _bullet(self, item: Block) -> Placed:
        text = " ".join(item.children[0].text.split())
        entry = self.reader.keys.entry(text, True)
        if entry and entry[2] == "negative_prompt":
            text = entry[3]
        return Placed(unquoted(inline(text)[0]), self.reader.page.start(item))

    def _section_characters(self, top: dict[str, Placed], at: Where, blocks: Sequence[Block]) -> None:
        self._mapping(top, "characters", at)
        for heading, below in self._split(blocks):
            if heading is None:
                self._led_by_names(below, lambda n, w, m, where: self._character(top, n, w, m, where))
                continue
            where = self.reader.page.start(heading)
            words, body = self._words_of(below, where)
            name = inline(heading.text)[0]
            media = body.fields.get("references")
            if words is None and media is None:
                self.reader.marks.unmarked(f"`{name}`", where)
                words = Placed("", where)
            self._character(top, name, words, media, where, notes=body)

    def _character(
        self,
        top: dict[str, Placed],
        name: str,
        words: Placed | None,
        media: Placed | None,
        where: Where,
        notes: Body | None = None,
    ) -> None:
        value: dict[str, Placed] = {}
        if words is not None:
            words.key = None
            value["text"] = words
        if media is not None:
            value["references"] = media
        if notes is not None and notes.notes:
            value["notes"] = Placed(notes.notes_text, notes.noted or where)
        self._put(self._mapping(top, "characters", where), name_of(name), Placed(value, where, where))

    def _led_by_names(
        self, blocks: Sequence[Block], enter: Callable[[str, Placed, Placed | None, Where], None]
    ) -> None:
        """Read `**name** words`, `- **name**: words`, or a fence marked with the name; a quote below has precedence."""
        name, where = "", Where(self.reader.file)
        words: Placed | None = None
        media: list[Placed] = []

        def done() -> None:
            nonlocal name, words, media
            if name:
                enter(
                    name, words or Placed("", where), Placed(media, media[0].where) if media else None, where
                )
            name, words, media = "", None, []

        flat: list[Block] = []
        for block in blocks:
            if block.kind == "list" and all(
                i.children and i.children[0].kind == "para" for i in block.children
            ):
                flat += [item.children[0] for item in block.children]
            else:
                flat.append(block)
        for block in flat:
            lead = re.match(r"(?s)^\*\*([^*\n]{1,60}?)\s*[:：]?\s*\*\*\s*(?:[:：–—-]\s*)?(.*)$", block.text)
            if block.kind == "para" and lead:
                done()
                name, where = lead.group(1).strip(), self.reader.page.start(block)
                text = unquoted(tidy(inline(" ".join(lead.group(2).split()))[0]))
                words = Placed(text, where) if text else None
            elif (
                block.kind == "fence" and re.fullmatch(r"\w[\w.-]*", block.info) and not self._is_code(block)
            ):
                done()
                name, where = block.info.split()[0], self.reader.page.start(block)
                words = self.reader.marks.fenced(block)
                done()
            elif name and block.kind == "quote" and (quoted := self.reader.marks.quoted(block, None)):
                words = quoted
            elif name and block.kind == "fence":
                words = self.reader.marks.fenced(block)
            elif name and block.kind == "para" and "![" in block.text:
                body = Body(where)
                self.reader.marks.aside = False
                self.reader.bodies.take_images(block, body)
                found = body.fields.get("references")
                media += found.value if found is not None else []
            else:
                self._note(block)
        done()

    def _is_code(self, block: Block) -> bool:
        return bool(self.reader.marks.fence_key(block)) or block.info.casefold() in _LANGUAGES

    def _give_file_style(self, top: dict[str, Placed]) -> None:
        """`## Style` stands behind every prompt of the file, also of one that has a style of its own."""
        style = self.file_style
        assert style is not None
        words = str(style.value)
        if " " not in words.strip() and top.get("styles") and words not in top["styles"].value:
            top["styles"].value[words] = Placed(words, style.where, style.key)
        defaults = self._mapping(top, "defaults", style.key or style.where)
        self._join_style(defaults)
        for kind in ("image", "video"):
            if (
                kind in defaults
                and isinstance(defaults[kind].value, dict)
                and "style" in defaults[kind].value
            ):
                self._join_style(defaults[kind].value)

    def _join_style(self, values: dict[str, Placed]) -> None:
        style = self.file_style
        if style is None:
            return
        own = values.get("style")
        if own is None:
            values["style"] = style
            return
        listed = own.value if isinstance(own.value, list) else [Placed(own.value, own.where)]
        values["style"] = Placed([*listed, Placed(style.value, style.where)], own.where, own.key)

    # -- scenes

    def _params(self, body: Body) -> Placed | None:
        found = dict(body.params)
        size = body.fields.pop("size", None)
        if size is not None:
            for part in re.split(r"[,;]\s*|\s+(?=[1-8][kK]\b)|\s+(?=\d{3,4}p\b)", str(size.value)):
                name = "resolution" if _RESOLUTION.match(part.strip()) else "aspect_ratio"
                value = part.strip() if name == "resolution" else ratio(part)
                self._put(found, name, Placed(value, size.where, size.key))
        if not found:
            return None
        first = next(iter(found.values()))
        return Placed(found, first.where, first.key or first.where)

    def _values(self, body: Body) -> dict[str, Placed]:
        """Return the keys of one shot from what stands in its body; prompts are settled already."""
        fields = dict(body.fields)
        size_body = Body(
            body.where, fields={k: fields.pop(k) for k in ("size",) if k in fields}, params=body.params
        )
        params = self._params(size_body)
        out = {key: value for key, value in fields.items() if key in SCENE}
        if params is not None:
            out["params"] = params
        if "style" in out:
            self._join_style(out)
        self._take_prompts(fields, out)
        return out

    def _take_prompts(self, fields: Mapping[str, Placed], out: dict[str, Placed]) -> None:
        """Make of `Take 3 prompt` the third entry of `takes`; the other takes say what the shot says."""
        own = {int(key.split("_")[1]): value for key, value in fields.items() if is_take_prompt(key)}
        if not own:
            return
        first = own[min(own)]
        written = out.get("takes")
        count = int(written.value) if written is not None else 0
        entries = [Placed(None, first.where) for _ in range(max(count, *own))]
        for take, words in own.items():
            entries[take - 1] = Placed({"prompt": words}, words.where)
        out["takes"] = Placed(entries, first.where, first.key)

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
                    self._put(fields, "model", named)
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
                self._put(whole.params, key, value)
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
            elif key == "duration":
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
        sounds = self._sounds(scene)
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
                f"shot `{text}` stands in scene {prefix}",
                hint=f"name it {prefix}a, or simply a",
                code="bad-id",
            )
        return shot.id

    # -- sounds

    def _sounds(self, scene: SceneDraft) -> dict[str, Placed]:
        words: dict[str, list[Placed]] = {name: [] for name in SOUNDS}
        own: dict[str, dict[str, Placed]] = {name: {} for name in SOUNDS}
        keys: dict[str, Where] = {}
        for body in (scene.body, *(shot.body for shot in scene.shots)):
            found = dict.fromkeys(SOUNDS, False)
            parts = [(name, body.parts[name]) for name in SOUNDS if name in body.parts]
            audio = body.parts.get("audio")
            for holder in (body, audio):
                for name in SOUNDS:
                    said = holder.fields.pop(name, None) if holder is not None else None
                    if said is not None:
                        found[name] = True
                        keys.setdefault(name, said.key or said.where)
                        words[name].append(said)
            for name, part in parts:
                said = part.fields.pop(name, None)
                self._sound_part(name, part, words, own)
                if said is not None:
                    words[name].append(said)
                found[name] = True
                keys.setdefault(name, part.where)
            if audio is not None:
                meant = [name for name in SOUNDS if found[name]]
                name = meant[0] if meant else "voiceover"
                keys.setdefault(name, audio.where)
                notes, audio.notes = audio.notes, []
                self._sound_part(name, audio, words, own)
                audio.notes = notes + audio.notes
            if (found["voiceover"] or words["voiceover"]) and "voice" in body.fields:
                self._put(own["voiceover"], "voice", body.fields.pop("voice"))
        out: dict[str, Placed] = {}
        for name in SOUNDS:
            said = self._said(words[name])
            if said is None and not own[name]:
                continue
            at = keys.get(name, scene.where)
            if said is not None and not own[name]:
                out[name] = Placed(said.value, said.where, at)
            else:
                inner = {"text": said, **own[name]} if said is not None else own[name]
                out[name] = Placed(inner, said.where if said is not None else at, at)
        return out

    def _said(self, words: Sequence[Placed]) -> Placed | None:
        """Several shots of a scene may each have a line: together they are the scene's."""
        if not words:
            return None
        texts = list(dict.fromkeys(str(w.value) for w in words))
        return Placed("\n".join(texts), words[0].where, words[0].key)

    def _sound_part(
        self, name: str, part: Body, words: dict[str, list[Placed]], own: dict[str, dict[str, Placed]]
    ) -> None:
        target = own[name]
        text = next((part.fields.pop(p) for p in PROMPTS if p in part.fields), None)
        if text is not None:
            words[name].append(text)
        for key in list(part.fields):
            value = part.fields.pop(key)
            if key in (*SOUND_KEYS, "duration", "skip"):
                self._put(target, key, value)
            elif key != "type":
                part.note(
                    f"{key.replace('_', ' ').capitalize()}: {flow(value.plain)}", value.where, tight=True
                )
        if part.params:
            whole = target.setdefault(
                "params", Placed({}, next(iter(part.params.values())).where, part.where)
            )
            for key, value in part.params.items():
                self._put(whole.value, key, value)
        if part.notes and not words[name]:
            self.reader.marks.unmarked(f"`{name.replace('_', ' ')}`", part.where)
        if part.notes and not part.parts:
            self._put(target, "notes", Placed(part.notes_text, part.noted or part.where))
            part.notes = []


def name_of(text: str) -> str:
    """Return the name of a style or character as prompts can hold it: `Old keeper` is `Old-keeper`."""
    return re.sub(r"\s+", "-", text.strip().strip("{}:").strip())


# --- names that are known only when the whole is read ---------------------------------------------------


def settle(root: Placed) -> None:
    """Turn `2a take 2` into the shot it names, and bring names of characters and styles to one spelling."""
    top = root.value
    names: dict[str, str] = {}
    for key in ("characters", "styles"):
        if key in top and isinstance(top[key].value, dict):
            for name in top[key].value:
                names[labels.canonical(name)] = names[name] = name
    known_media = top["references"].value if "references" in top else {}
    media = set(known_media) if isinstance(known_media, dict) else set()
    scenes = top["scenes"].value if "scenes" in top else []
    slots: dict[str, str] = {}
    for scene in scenes:
        ident = scene.value["id"].value
        slots[Slot(ident).shot_name.casefold()] = Slot(ident).shot_name
        inner = [s.value["id"].value for s in scene.value["shots"].value] if "shots" in scene.value else []
        sounds = [n for k, n in zip(SOUNDS, ("vo", "music", "sfx"), strict=True) if k in scene.value]
        for shot in (*inner, *sounds):
            written = Slot(ident, shot).shot_name
            slots[written.casefold()] = written

    def spelled(text: str) -> str:
        def one(match: re.Match[str]) -> str:
            if match.group(0) in ("{{", "}}"):
                return match.group(0)
            found = names.get(match.group(1).strip()) or names.get(labels.canonical(match.group(1)))
            return f"{{{found}}}" if found else match.group(0)

        return _PLACEHOLDER.sub(one, text) if "{" in text else text

    def visit(one: dict[str, Placed], scene: JSON) -> None:
        for role in ROLES:
            if role not in one:
                continue
            placed = one[role]
            listed = placed.value if isinstance(placed.value, list) else [placed]
            for medium in listed:
                if isinstance(medium.value, str) and not isinstance(medium.value, Literal):
                    if medium.value in media:
                        continue
                    found = shot_output(medium.value, slots, scene)
                    if found:
                        medium.value = {k: Placed(v, medium.where) for k, v in found.items()}
        for key in ("prompt", "text"):
            if key in one and isinstance(one[key].value, str):
                one[key].value = spelled(one[key].value)
        for key in ("characters", "style"):
            if key not in one:
                continue
            placed = one[key]
            if key == "style" and type(placed.value) is str and "," in placed.value:
                parts = [p.strip() for p in placed.value.split(",")]
                if all(labels.canonical(p) in names for p in parts):
                    placed.value = [Placed(p, placed.where) for p in parts]
            for name in placed.value if isinstance(placed.value, list) else [placed]:
                if isinstance(name.value, str) and not isinstance(name.value, Literal):
                    name.value = (
                        names.get(name.value) or names.get(labels.canonical(name.value)) or name.value
                    )

    for scene in scenes:
        ident = scene.value["id"].value
        visit(scene.value, ident)
        for shot in scene.value["shots"].value if "shots" in scene.value else ():
            visit(shot.value, ident)
        for key in SOUNDS:
            if key in scene.value:
                if isinstance(scene.value[key].value, dict):
                    visit(scene.value[key].value, ident)
                else:
                    scene.value[key].value = spelled(str(scene.value[key].value))


def shot_output(text: str, slots: Mapping[str, str], scene: JSON = None) -> dict[str, JSON] | None:
    """Return `{shot, take, ...}` for `2a take 2`, `2a last frame`, `Scene 2, Shot b`; None for a path or name.

    `slots` gives the written names of the file's shots by their casefolded form; `scene` is where the text stands.
    """
    rest = text.strip()
    if re.match(r"(?i)^[a-z][a-z0-9+.-]*:", rest) or (
        _MEDIA_ENDING.search(rest) and rest.casefold() not in slots
    ):
        return None
    found: dict[str, JSON] = {}

    def cut(pattern: str) -> str:
        nonlocal rest
        match = re.search(pattern, rest, re.I)
        if not match:
            return ""
        rest = (rest[: match.start()] + " " + rest[match.end() :]).strip()
        return str(match.group(1))

    model = cut(r"\s+model\s+(.+)$") or cut(r"@(\S+)")
    frame = cut(r"\b(last|first)\s+frame\b(?:\s+of\b)?")
    as_task = cut(r"\bas\s+(task)\b")
    take = cut(r"(?:#\s*|\btake\s+)(\d+)\b")
    output = cut(r"\boutput\s+(\d+)\b")
    rest = " ".join(rest.replace(",", " ").split())
    words = r"(?:scene|szene|scène|escena|cena)"
    shot_words = r"(?:shot|einstellung|plan|plano)"
    if match := re.fullmatch(rf"(?i){words}\s+(\S+?)(?:\s+{shot_words}\s+(\S+))?", rest):
        number = identity(match.group(1))
        rest = Slot(number, identity(match.group(2))).shot_name if match.group(2) else str(number)
    elif match := re.fullmatch(rf"(?i){shot_words}\s+(\S+)", rest):
        rest = match.group(1)
    if " " in rest or "/" in rest or not rest:
        return None
    name = slots.get(rest.casefold())
    if (
        name is None and scene is not None and not rest[0].isdecimal()
    ):  # `b` is the scene's own; `1` is scene 1
        for inner in (rest, identity(rest)):
            name = name or slots.get(Slot(scene, inner).shot_name.casefold())
    stripped = rest.lstrip("0")
    name = name or slots.get(stripped.casefold())
    if name is None:
        if not (
            model or frame or as_task or take or output or re.fullmatch(r"\d+[A-Za-z]?|\d+\.\w{1,20}", rest)
        ):
            return None
        name = rest
    found["shot"] = name
    if take:
        found["take"] = int(take)
    if output:
        found["output"] = int(output)
    if model:
        found["model"] = model.strip()
    if frame:
        found["frame"] = frame.lower()
    if as_task:
        found["as"] = "task"
    return found
