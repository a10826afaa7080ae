"""Builds the sounds of a scene: voice-over, music, sound effects."""

from __future__ import annotations

from collections.abc import Sequence

from kiebatch.errors import Where
from kiebatch.scenefile.markdown.drafts import PROMPTS, SOUND_KEYS, SOUNDS, Body, SceneDraft
from kiebatch.scenefile.markdown.keys import is_take_prompt
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.prose import Placed, flow
from kiebatch.scenefile.markdown.values import put, take_prompts


class Sounds:
    """Builds the sounds of the scenes of one file."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks

    def of(self, scene: SceneDraft) -> dict[str, Placed]:
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
                put(self.marks, own["voiceover"], "voice", body.fields.pop("voice"))
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
        own_takes = {key: part.fields.pop(key) for key in list(part.fields) if is_take_prompt(key)}
        for key in list(part.fields):
            value = part.fields.pop(key)
            if key in (*SOUND_KEYS, "duration", "skip"):
                put(self.marks, target, key, value)
            elif key != "type":
                part.note(
                    f"{key.replace('_', ' ').capitalize()}: {flow(value.plain)}", value.where, tight=True
                )
        take_prompts(own_takes, target)
        if part.params:
            whole = target.setdefault(
                "params", Placed({}, next(iter(part.params.values())).where, part.where)
            )
            for key, value in part.params.items():
                put(self.marks, whole.value, key, value)
        if part.notes and not words[name]:
            self.marks.unmarked(f"`{name.replace('_', ' ')}`", part.where)
        if part.notes and not part.parts:
            put(self.marks, target, "notes", Placed(part.notes_text, part.noted or part.where))
            part.notes = []
