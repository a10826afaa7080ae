"""Reads what is marked in blocks: quotes, fences and images, and enters it where it belongs."""

from __future__ import annotations

from collections.abc import Sequence

from kiebatch.errors import Problems, Where
from kiebatch.scenefile import document as yaml_document
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.drafts import PROMPTS, Body
from kiebatch.scenefile.markdown.keys import Keys
from kiebatch.scenefile.markdown.page import Page
from kiebatch.scenefile.markdown.pictures import address_of, role_of
from kiebatch.scenefile.markdown.prose import (
    Block,
    Literal,
    Placed,
    inline,
    one_line,
    tidy,
    tree_of,
    unquoted,
)

# Several lines of one of these are one text; they are for people, and a scene may well have two.
_ADD_UP = ("dialogue", "action", "location", "time_of_day", "shot_size", "lens")
_FENCES = ("prompt", "image_prompt", "video_prompt", "negative_prompt")


class Marks:
    """Reads marked text of one file.  `aside` says that the blocks being read belong to the writer's own heading."""

    def __init__(self, page: Page, keys: Keys, problems: Problems) -> None:
        self.page = page
        self.keys = keys
        self.problems = problems
        self.aside = False
        self.bare_quotes = True  # whether a quote without a label is a prompt

    def quoted(self, block: Block, body: Body | None) -> Placed | None:
        """Return the words of a quote: lines joined by a space, paragraphs by an empty line."""
        if self.is_callout(block):
            return None
        parts = [part for child in block.children if (part := self._words(child, body)).value]
        text = unquoted("\n\n".join(str(part.value) for part in parts))
        return Placed(text, parts[0].where) if text else None

    def _words(self, block: Block, body: Body | None) -> Placed:
        """Return the words of one block of a quote; its pictures go into `body`."""
        if block.kind == "para":
            lines = self.page.content(block)
            text, images = inline(one_line(line for line, _ in lines))
            if body is not None:
                self.add_images(images, block, body)
            return Placed(tidy(text), lines[0][1])
        if block.kind == "fence":
            return Placed(block.text.removesuffix("\n"), self.page.start_of(block.first + 1))
        text = ""
        if block.kind == "list":
            text = "\n".join(inline(" ".join(child.text.split()))[0] for child in block.firsts)
        elif block.kind == "heading":
            text = inline(block.text)[0]
        return Placed(text, self.page.start(block))

    def is_callout(self, block: Block) -> bool:
        """Whether a quote is a remark: `> [!NOTE]`, `> **Note:** ...`, `> Note: ...`."""
        text = block.lead
        found = self.keys.entry(text.split("\n")[0], True)
        return text.startswith("[!") or (found is not None and found.key == "notes")

    def fence_key(self, block: Block) -> str:
        word = next(iter(block.info.split()), "")
        key = self.keys.keys.get(labels.canonical(word.strip("{}.")), "")
        return key if key in _FENCES else ""

    def fenced(self, block: Block) -> Placed:
        text = block.text.removesuffix("\n")
        line = block.first + 1
        return Placed(text, self.page.start_of(line) if text else self.page.start(block))

    def add_images(self, images: Sequence[tuple[str, str]], block: Block, body: Body) -> None:
        at = block.first
        for caption, address in images:
            while at < block.last - 1 and address not in self.page.lines[at]:
                at += 1
            place = self.page.place(at, max(0, self.page.lines[at].find("![")))
            role = role_of(caption)
            self.enter(body, role, self.media([Placed(Literal(address_of(address)), place)], role), add=True)

    def yaml(self, block: Block) -> Placed:
        """Return what a YAML fence says.  Raises `Invalid` at the place of its error."""
        offset = self.page.indent(block.first)
        read = yaml_document.read(
            block.text, self.page.file, line_offset=block.first + 1, column_offset=offset
        )
        return tree_of(read)

    def media(self, media: list[Placed], key: str) -> Placed:
        if key == "references":
            return Placed(media, media[0].where)
        if len(media) > 1 and key != "source":
            self.problems.error(
                media[1].where, f"`{key.replace('_', ' ')}` takes one picture, found {len(media)}"
            )
        return Placed(media, media[0].where) if len(media) > 1 and key == "source" else media[0]

    def enter(self, body: Body, key: str, placed: Placed, *, add: bool = False) -> None:
        """Enter a field; a second value of one kind is an error that shows both places."""
        before = body.fields.get(key)
        if before is None:
            body.fields[key] = placed
            return
        if add and key in ("references", "source", "negative_prompt"):
            if not isinstance(before.value, list):
                before.value = [Placed(before.value, before.where)]
            before.value.extend(placed.each)
            return
        if key in _ADD_UP:
            before.value = f"{before.value}\n{placed.value}"
            return
        if key == "tags":
            before.value = [*before.each, *placed.each]
            return
        self.twice(key, before.key or before.where, placed.key or placed.where)

    def twice(self, key: str, first: Where | None, second: Where) -> None:
        line = f"{first}" if first else "above"
        if key in PROMPTS:
            self.problems.error(
                second,
                f"two prompts in one shot; the first is at {line}",
                hint="give each its own `### Shot`, or make one of them a note",
                code="two-prompts",
            )
        else:
            self.problems.error(
                second,
                f"`{key.replace('_', ' ')}` is given twice; the first is at {line}",
                code="duplicate-key",
            )

    def unmarked(self, what: str, at: Where) -> None:
        """Warn about words that a person may have meant to be sent, and that nothing marks."""
        self.problems.warning(
            at,
            f"{what} has no words: nothing below it is marked",
            hint="put `> ` in front of the words that are meant for the model",
            code="unmarked",
        )

    def mapping(self, values: dict[str, Placed], key: str, at: Where) -> dict[str, Placed]:
        """Return the group of keys under `key`, made when it is not there; an error when it is something else."""
        found = values.setdefault(key, Placed({}, at, at))
        if not isinstance(found.value, dict):
            self.problems.error(found.where, f"`{key}` must be a group of keys", code="wrong-type")
            found.value = {}
        return found.value
