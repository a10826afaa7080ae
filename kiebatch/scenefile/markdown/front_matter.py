"""Reads the YAML between the `---` lines of a Markdown file: defaults, labels, and notes of the writer's own."""

from __future__ import annotations

from collections.abc import Iterator

from kiebatch.errors import Invalid, Where, suggested
from kiebatch.scenefile import comments
from kiebatch.scenefile import document as yaml_document
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import Body
from kiebatch.scenefile.markdown.marks import Marks
from kiebatch.scenefile.markdown.pictures import ratio
from kiebatch.scenefile.markdown.prose import TOP, Block, Placed, flow, tree_of

# A key that is one letter away from one of these is a slip; `tag:` and `var:` are the writer's own.
_OLD_TOP = {labels.canonical(key): key for key in (*TOP, "labels") if key not in ("scenes", "tags", "vars")}
_KNOWN = (*(key for key in TOP if key != "scenes"), "labels")
_FLAT = ("model", "takes", "style", "seed", "fallback", "size")


class FrontMatter:
    """Puts the front matter of one file where it belongs: into `top`, into the labels, or among the notes."""

    def __init__(self, marks: Marks, top: dict[str, Placed], notes: Body) -> None:
        self.marks = marks
        self.problems = marks.problems
        self.top = top
        self.notes = notes

    def read(self, block: Block) -> None:
        file = self.marks.page.file
        try:
            front = yaml_document.read(block.text, file, line_offset=block.first + 1)
        except Invalid as invalid:
            self.problems.found.extend(invalid.problems)
            return
        if not isinstance(front.value, dict):
            return
        for _, where in comments.cut_texts(front):
            self.problems.warning(where, comments.MESSAGE, hint=comments.HINT, code=comments.CODE)
        for name, value in tree_of(front).group.items():
            self._take(name, value)

    def _take(self, name: str, value: Placed) -> None:
        at = value.key or value.where
        key = labels.KEYS.get(labels.canonical(name), "")
        if name == "labels":
            self.marks.keys.take_labels(value)
        elif name == "tags":
            self._tags(value)
        elif name in _KNOWN:
            self.top[name] = value
        elif name == "scenes":
            message = "`scenes` are written below as headings, not in the front matter"
            self.problems.error(at, message, code="unknown-key")
        elif key in _FLAT:
            self._default(key, value, at)
        elif near := labels.misspelt(name, _OLD_TOP):
            self.problems.error(at, f"unknown key `{name}`", hint=suggested(near), code="unknown-key")
        else:
            self._note(name, value, at)

    def _default(self, key: str, value: Placed, at: Where) -> None:
        """Take a flat line that a writer means for the whole film."""
        defaults = self.marks.mapping(self.top, "defaults", at)
        if key == "size":
            params = self.marks.mapping(defaults, "params", at)
            params["aspect_ratio"] = Placed(ratio(str(value.plain)), value.where, at)
        else:
            defaults.setdefault(key, value)

    def _note(self, name: str, value: Placed, at: Where) -> None:
        prompts = list(_prompts_in(value))
        for where in prompts:
            self.problems.warning(
                where,
                "this prompt is in the front matter, so it is not sent",
                hint="put it below a heading such as `## Scene 1: Arrival`, as `> the words`",
                code="near-prompt",
            )
        if not prompts:
            message = f"`{name}` is not a key kiebatch knows; it is kept as a note"
            self.problems.warning(at, message, code="unknown-key")
        self.notes.note(f"{name}: {flow(value.plain)}", at, tight=True)

    def _tags(self, value: Placed) -> None:
        """Take the tags of a notebook's page: a list, or words with commas between."""
        words = [str(one.plain).strip() for one in value.each]
        if not isinstance(value.value, list):
            words = [word.strip() for word in str(value.plain or "").split(",")]
        if any(words):
            tags = [Placed(word, value.where) for word in words if word]
            self.top["tags"] = Placed(tags, value.where, value.key)


def _prompts_in(value: Placed) -> Iterator[Where]:
    """Yield the places of prompts in a list such as `shots: [{prompt: ...}]`."""
    if isinstance(value.value, list):
        for one in value.value:
            yield from _prompts_in(one)
    elif isinstance(value.value, dict):
        for name, one in value.value.items():
            if labels.KEYS.get(labels.canonical(name)) in ("prompt", "image_prompt", "video_prompt"):
                yield one.where
            else:
                yield from _prompts_in(one)
