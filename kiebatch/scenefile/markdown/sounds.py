"""Builds the sounds of a scene: voice-over, music, sound effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kiebatch.errors import Where
from kiebatch.scenefile.markdown.drafts import PROMPTS, SOUND_KEYS, SOUNDS, Body, SceneDraft
from kiebatch.scenefile.markdown.keys import is_take_prompt
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.prose import Placed, flow
from kiebatch.scenefile.markdown.values import put, take_prompts


@dataclass(slots=True)
class _Gathered:
    """What one kind of sound of a scene has: its words, its own keys, and where it is named first."""

    words: list[Placed] = field(default_factory=list)
    own: dict[str, Placed] = field(default_factory=dict)
    at: Where | None = None

    def named(self, where: Where) -> None:
        self.at = self.at or where

    def value(self, scene: Where) -> Placed | None:
        """Return the sound as the YAML form has it: its words alone, or a mapping; None where there is none."""
        said = self._said()
        at = self.at or scene
        if said is None:
            return Placed(self.own, at, at) if self.own else None
        inner = {"text": said, **self.own} if self.own else said.value
        return Placed(inner, said.where, at)

    def _said(self) -> Placed | None:
        """Several shots of a scene may each have a line: together they are the scene's."""
        if not self.words:
            return None
        texts = list(dict.fromkeys(str(w.value) for w in self.words))
        return Placed("\n".join(texts), self.words[0].where, self.words[0].key)


class Sounds:
    """Builds the sounds of the scenes of one file."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks

    def of(self, scene: SceneDraft) -> dict[str, Placed]:
        gathered = {name: _Gathered() for name in SOUNDS}
        for body in (scene.body, *(shot.body for shot in scene.shots)):
            self._gather(body, gathered)
        values = {name: sound.value(scene.where) for name, sound in gathered.items()}
        return {name: value for name, value in values.items() if value is not None}

    def _gather(self, body: Body, gathered: Mapping[str, _Gathered]) -> None:
        """Take the sounds out of the body of a scene or shot."""
        audio = body.parts.get("audio")
        found = [
            *self._fields(body, gathered),
            *(self._fields(audio, gathered) if audio is not None else ()),
            *self._parts(body, gathered),
        ]
        if audio is not None:
            # A part that says only "audio" is about the sound that the body names, else about the voice.
            meant = next((name for name in SOUNDS if name in found), "voiceover")
            gathered[meant].named(audio.where)
            notes, audio.notes = audio.notes, []
            self._sound_part(meant, audio, gathered[meant])
            audio.notes = notes + audio.notes
        speaks = "voiceover" in found or gathered["voiceover"].words
        if speaks and "voice" in body.fields:
            put(self.marks, gathered["voiceover"].own, "voice", body.fields.pop("voice"))

    def _fields(self, holder: Body, gathered: Mapping[str, _Gathered]) -> Iterator[str]:
        for name in SOUNDS:
            said = holder.fields.pop(name, None)
            if said is not None:
                gathered[name].named(said.key or said.where)
                gathered[name].words.append(said)
                yield name

    def _parts(self, body: Body, gathered: Mapping[str, _Gathered]) -> Iterator[str]:
        for name in SOUNDS:
            part = body.parts.get(name)
            if part is None:
                continue
            said = part.fields.pop(name, None)
            self._sound_part(name, part, gathered[name])
            if said is not None:
                gathered[name].words.append(said)
            gathered[name].named(part.where)
            yield name

    def _sound_part(self, name: str, part: Body, sound: _Gathered) -> None:
        text = next((part.fields.pop(p) for p in PROMPTS if p in part.fields), None)
        if text is not None:
            sound.words.append(text)
        self._own_keys(part, sound.own)
        self._own_params(part, sound.own)
        if part.notes and not sound.words:
            self.marks.unmarked(f"`{name.replace('_', ' ')}`", part.where)
        if part.notes and not part.parts:
            put(self.marks, sound.own, "notes", Placed(part.notes_text, part.noted or part.where))
            part.notes = []

    def _own_params(self, part: Body, own: dict[str, Placed]) -> None:
        for key, value in part.params.items():
            whole = own.setdefault("params", Placed({}, value.where, part.where))
            put(self.marks, whole.group, key, value)

    def _own_keys(self, part: Body, own: dict[str, Placed]) -> None:
        """Take the keys that a sound has; the others are notes, but its type, which is known."""
        fields, part.fields = part.fields, {}
        for key, value in fields.items():
            if key in (*SOUND_KEYS, "duration", "skip"):
                put(self.marks, own, key, value)
            elif key != "type" and not is_take_prompt(key):
                label = key.replace("_", " ").capitalize()
                part.note(f"{label}: {flow(value.plain)}", value.where, tight=True)
        take_prompts(fields, own)
