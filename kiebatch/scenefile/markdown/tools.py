"""Prompts whose label names a tool: `Kling prompt` is a clip's, `Midjourney prompt` a picture's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kiebatch import catalogue
from kiebatch.errors import Where
from kiebatch.model import JSON
from kiebatch.scenefile.markdown.drafts import PROMPTS, Body
from kiebatch.scenefile.markdown.keys import is_tool_prompt
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.prose import Placed, group_of


class ToolPrompts:
    """Makes prompts of those that name a tool, where a shot has no other prompt."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self._adopted: dict[int, str] = {}  # by the identity of the words

    def adopt(self, body: Body) -> None:
        """Make the prompts of tools the prompts of a shot; beside another prompt they stay notes, as they were."""
        bodies = [body, *body.parts.values()]
        taken = next((b.fields[p] for b in bodies for p in PROMPTS if p in b.fields), None)
        for one in bodies:
            for key in [key for key in one.fields if is_tool_prompt(key)]:
                words = one.fields.pop(key)
                if taken is None:
                    one.fields[key.removeprefix("tool_")] = words
                    self._adopted[id(words)] = key.split("_")[1]
                else:
                    self._leave_out(one, words, taken)

    def _leave_out(self, body: Body, words: Placed, taken: Placed) -> None:
        at = words.key or words.where
        self.marks.problems.warning(
            at,
            f"this shot has a prompt already (line {(taken.key or taken.where).line}), so this one is not sent",
            hint="give each its own `### Shot`, or call the two `Image prompt` and `Video prompt`",
            code="near-prompt",
        )
        body.note(str(words.value), at)

    def settle_types(self, scenes: Sequence[Placed], defaults: Placed | None) -> None:
        """Let the one model of the file serve a shot whose tool makes something else, with a warning.

        A tool's name says what it makes, and not that the shot must have a model of that kind.
        """
        general = group_of(defaults).get("model")
        if not self._adopted or general is None:
            return
        for shot, names_model in _shots(scenes):
            words = shot.get("prompt")
            kind = self._adopted.get(id(words))
            if kind is None or names_model or words is None or _has_model(defaults, kind):
                continue
            if _modality(general.plain) not in ("", kind):
                del shot["type"]
                self._warn(kind, str(general.plain), words.key or words.where)

    def _warn(self, kind: str, model: str, at: Where) -> None:
        what = "a clip" if kind == "video" else "a picture"
        self.marks.problems.warning(
            at,
            f"the label says that this is the prompt of {what}, and `{model}` makes something else",
            hint=f"name a model for it, below `## Defaults` as `- **{kind.capitalize()} model**: ...`",
            code="other-medium",
        )


def _shots(scenes: Sequence[Placed]) -> Iterator[tuple[dict[str, Placed], bool]]:
    """Yield what may be a shot, and whether a model is named for it."""
    for scene in scenes:
        own = "model" in scene.group
        yield scene.group, own
        for shot in scene.shots:
            yield shot.group, own or "model" in shot.group


def _has_model(defaults: Placed | None, kind: str) -> bool:
    return "model" in group_of(group_of(defaults).get(kind))


def _modality(model: JSON) -> str:
    """Return what a model makes, empty where the name means none, or several."""
    name = model[0] if isinstance(model, list) and model else model
    try:
        return str(catalogue.load().resolve(str(name)).modality)
    except catalogue.UnknownModel:
        return ""
