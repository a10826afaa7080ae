"""Gathers what is marked under each heading of one file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from kiebatch.errors import Invalid, Problems, Where
from kiebatch.scenefile import document as yaml_document
from kiebatch.scenefile.durations import seconds, seconds_in_a_time_column
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.headings import ID, Heading, Headings
from kiebatch.scenefile.markdown.prose import (
    TOP,
    Block,
    Literal,
    Placed,
    block_parser,
    blocks_of,
    code_span,
    flow,
    identity,
    inline,
    is_nothing,
    one_line,
    scalar,
    tidy,
    tree_of,
    unquoted,
    without_marks,
)

ROLES = ("references", "start_frame", "end_frame", "mask", "source")
PROMPTS = ("prompt", "image_prompt", "video_prompt", "visual")
SOUNDS = ("voiceover", "music", "sound_effects")
_NAMES = ("model", "image_model", "video_model", "audio_model", "characters", "ignore_warnings", "tags")
# Several lines of one of these are one text; they are for people, and a scene may well have two.
_ADD_UP = ("dialogue", "action", "location", "time_of_day", "shot_size", "lens")
_LISTS = (*_NAMES, "references", "source", "negative_prompt", "style")
_FENCES = ("prompt", "image_prompt", "video_prompt", "negative_prompt")
SOUND_KEYS = (
    "model",
    "voice",
    "takes",
    "seed",
    "style",
    "negative_prompt",
    "fallback",
    "output",
    "references",
    "source",
    "endpoint",
    "tags",
    "extra_params",
)


# --- what is marked under a heading --------------------------------------------------------------------


@dataclass(slots=True)
class Body:
    """What stands under one heading: fields by their key, the model's own fields, and the rest as notes."""

    where: Where
    fields: dict[str, Placed] = field(default_factory=dict)
    params: dict[str, Placed] = field(default_factory=dict)
    parts: dict[str, Body] = field(default_factory=dict)
    notes: list[tuple[str, bool]] = field(
        default_factory=list
    )  # text, and whether it goes on from the one before
    noted: Where | None = None

    def note(self, text: str, where: Where, *, tight: bool = False) -> None:
        if text.strip():
            self.noted = self.noted or where
            self.notes.append((text, tight))

    @property
    def notes_text(self) -> str:
        parts: list[str] = []
        for i, (text, tight) in enumerate(self.notes):
            parts.append(("\n" if tight and self.notes[i - 1][1] else "\n\n") if i else "")
            parts.append(text)
        return "".join(parts)


@dataclass(slots=True)
class ShotDraft:
    id: int | str
    body: Body
    where: Where
    title: str = ""
    duration: float | int | None = None
    skip: bool = False
    table_row: bool = False
    exact: bool = False  # the id is meant to the letter


@dataclass(slots=True)
class SceneDraft(ShotDraft):
    group: str = ""
    level: int = 2
    of_shots: bool = False  # its heading says Shot: a shot list without scenes
    of_frames: bool = False  # its heading says Frame or Beat
    shots: list[ShotDraft] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """`Key: value` as found: the value's lines with their places, before anything is made of it."""

    style: str  # bold, plain, code
    label: str
    key: str
    at: Where
    lines: list[tuple[str, Where]]
    first: int
    last: int

    @property
    def raw(self) -> str:
        return one_line(text for text, _ in self.lines)

    @property
    def where(self) -> Where:
        return next((where for text, where in self.lines if text.strip()), self.at)


# A key that is one letter away from one of these is a slip; `tag:` and `var:` are the writer's own.
_OLD_TOP = {labels.canonical(key): key for key in (*TOP, "labels") if key not in ("scenes", "tags", "vars")}
_COLON = r"\s*[:：]"
_BOLD = re.compile(
    rf"^(\*\*|__)(?P<label>[^*\n]{{1,80}}?)(?P<c1>{_COLON})?\s*\1(?P<c2>{_COLON})?(?P<rest>.*)$", re.S
)
_ITALIC = re.compile(
    rf"^([*_])(?![*_])(?P<label>[^*_\n]{{1,60}}?)(?P<c1>{_COLON})?\1(?!\1)(?P<c2>{_COLON})?(?P<rest>.*)$"
)
_CODE = re.compile(rf"^`(?P<label>[^`\n]{{1,80}})`{_COLON}(?P<rest>.*)$")
_PLAIN = re.compile(r"^(?P<label>[^:：*`\[\]!<>{}\"“”„|\n]{1,40}?)\s*(?::(?=\s|$)|：)(?P<rest>.*)$")
_TAKE_PROMPT = re.compile(r"take#?0*([1-9]\d?)prompt")
_TASK = re.compile(r"^\[[ xX]\]\s+")


class _Outline:
    """Follows the headings of a file: which act, scene, shot, part or section the next block belongs to."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.scene: SceneDraft | None = None
        self.shot: ShotDraft | None = None
        self.shot_level = 0
        self.group, self.group_level, self.group_deeper = "", 0, False
        self.section: list[Block] | None = None
        self.section_level = 0
        self.target = reader.notes  # what the blocks below this heading fill
        self.label = ""  # the key that this heading is
        self.aside = False  # this heading is the writer's own
        self.nearly: Where | None = None
        self.titled = False
        self.pending: list[Block] = []

    def take(self, block: Block) -> None:
        if block.kind != "heading":
            (self.pending if self.section is None else self.section).append(block)
        elif self.section is not None and self._stays_in_section(block):
            self.section.append(block)
        else:
            self._heading(block)

    def flush(self) -> None:
        """Read the blocks below the last heading."""
        if self.pending and self.scene is None:
            self.reader.read_outside(self.pending, self.group, self.nearly)
        elif self.pending:
            scene = self.scene if self.shot is None else None
            self.reader.read_body(self.pending, self.target, scene=scene, aside=self.aside, label=self.label)
        self.pending = []

    def _stays_in_section(self, block: Block) -> bool:
        return block.level > self.section_level and self.reader.headings.read(block, "top").kind != "scene"

    def _heading(self, block: Block) -> None:
        self.flush()
        inside = self.scene is not None and block.level > self.scene.level
        depth = "scene" if inside else "group" if self.group and block.level > self.group_level else "top"
        heading = self.reader.headings.read(block, depth)
        at = self.reader.start(block)
        self.label, self.aside = "", False
        if self.scene is not None and self._opens_shot(self.scene, heading, block.level):
            self.shot = ShotDraft(
                heading.id,
                Body(at),
                at,
                title=heading.title,
                duration=heading.duration,
                skip=heading.struck,
                exact=heading.exact,
            )
            self.scene.shots.append(self.shot)
            self.shot_level, self.target = block.level, self.shot.body
        elif heading.kind in ("scene", "shot"):
            self._open_scene(heading, block.level, at)
        elif inside and self.scene is not None:
            self._open_inner(self.scene, heading, block, at)
        else:
            self._open_other(heading, block, at)

    def _opens_shot(self, scene: SceneDraft, heading: Heading, level: int) -> bool:
        if heading.inner:  # frames in a scene are its shots, unless the scenes themselves are frames
            return level > scene.level and not scene.of_frames
        return heading.kind == "shot" and not scene.of_shots and level >= scene.level

    def _open_scene(self, heading: Heading, level: int, at: Where) -> None:
        if self.group and level <= self.group_level and (self.group_deeper or level < self.group_level):
            self.group = ""
        self.group_deeper = self.group_deeper or level > self.group_level
        self.section, self.shot = None, None
        self.scene = SceneDraft(
            heading.id,
            Body(at),
            at,
            title=heading.title,
            duration=heading.duration,
            skip=heading.struck,
            exact=heading.exact,
            group=self.group,
            level=level,
            of_shots=heading.kind == "shot",
            of_frames=heading.inner,
        )
        self.target = self.scene.body
        self.reader.scenes.append(self.scene)

    def _open_inner(self, scene: SceneDraft, heading: Heading, block: Block, at: Where) -> None:
        """A heading inside a scene that opens neither scene nor shot: a part, a key, or the writer's own."""
        if block.level <= self.shot_level:
            self.shot = None
        self.target = owner = self.shot.body if self.shot is not None else scene.body
        if heading.kind == "part":
            self.target = owner.parts.setdefault(heading.name, Body(at))
        elif heading.kind == "label":
            self.label = heading.name
        else:
            self.aside = True
            owner.note(self.reader.source(block.first, block.last), at)

    def _open_other(self, heading: Heading, block: Block, at: Where) -> None:
        """A heading outside of scenes: an act, a section, the title, or a note."""
        self.scene, self.shot, self.section = None, None, None
        self.target = self.reader.notes
        self.nearly = at if heading.nearly else None
        if heading.kind == "group":
            self.group, self.group_level, self.group_deeper = heading.text, block.level, False
        elif heading.kind == "section":
            self.section, self.section_level = [], block.level
            self.reader.sections.append((heading.name, at, self.section))
        elif block.level == 1 and not self.titled and heading.text:
            self.titled = True
            self.reader.top.setdefault("title", Placed(heading.text, at))
        else:
            if block.level <= self.group_level:
                self.group = ""
            self.reader.notes.note(self.reader.source(block.first, block.last), at)


class Reader:
    """Reads one file: front matter, headings, and what is marked below each."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        self.lines = text.split("\n")
        self.problems = Problems()
        self.keys: dict[str, str] = dict(labels.KEYS)
        self.near: dict[str, str] = dict(labels.ENGLISH_KEYS)
        self.top: dict[str, Placed] = {}
        self.own: dict[str, str] = {}  # the file's own labels
        self.notes = Body(Where(file))
        self.sections: list[tuple[str, Where, list[Block]]] = []
        self.scenes: list[SceneDraft] = []
        self.aside = False
        blocks = blocks_of(block_parser().parse(text))
        if blocks and blocks[0].kind == "front":
            self._front_matter(blocks.pop(0))
        self.headings = Headings(self.own)
        outline = _Outline(self)
        for block in self._mended(blocks):
            outline.take(block)
        outline.flush()

    # -- places

    def place(self, line: int, column: int = 0) -> Where:
        return Where(self.file, line + 1, column + 1)

    def start(self, block: Block) -> Where:
        return self._start_of(block.first)

    def _start_of(self, line: int) -> Where:
        text = self.lines[line] if line < len(self.lines) else ""
        return self.place(line, len(text) - len(text.lstrip()))

    def source(self, first: int, last: int) -> str:
        """Return the lines as written, without the indentation that they share."""
        lines = [line.expandtabs(4) for line in self.lines[first:last]]
        while lines and not lines[-1].strip():
            lines.pop()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        return "\n".join(line[indent:].rstrip() for line in lines)

    def content(self, block: Block) -> list[tuple[str, Where]]:
        """Return a paragraph's lines with the place of each."""
        found = []
        for i, text in enumerate(block.text.split("\n")):
            line = min(block.first + i, len(self.lines) - 1)
            text = text.strip()
            found.append((text, self.place(line, max(0, self.lines[line].find(text)))))
        return found

    # -- the file as a whole

    def _front_matter(self, block: Block) -> None:
        try:
            front = yaml_document.read(block.text, self.file, line_offset=block.first + 1)
        except Invalid as invalid:
            self.problems.found.extend(invalid.problems)
            return
        if not isinstance(front.value, dict):
            return
        root = tree_of(front, front.value)
        known: list[str] = [*(key for key in TOP if key != "scenes"), "labels"]
        for name, value in root.value.items():
            at = value.key or value.where
            key = labels.KEYS.get(labels.canonical(name), "")
            if name == "labels":
                self._own_labels(value)
            elif name == "tags":
                self._front_tags(value)
            elif name in known:
                self.top[name] = value
            elif name == "scenes":
                self.problems.error(
                    at, "`scenes` stand below as headings, not in the front matter", code="unknown-key"
                )
            elif key in ("model", "takes", "style", "seed", "fallback", "size"):
                # A flat line that a writer means for the whole film.
                defaults = self.mapping(self.top, "defaults", at)
                if key == "size":
                    params = self.mapping(defaults, "params", at)
                    params["aspect_ratio"] = Placed(ratio(str(value.plain)), value.where, at)
                else:
                    defaults.setdefault(key, value)
            elif near := labels.misspelt(name, _OLD_TOP):
                self.problems.error(
                    at, f"unknown key `{name}`", hint=f"did you mean `{near}`?", code="unknown-key"
                )
            else:
                self.problems.warning(
                    at, f"`{name}` is not a key kiebatch knows; it is kept as a note", code="unknown-key"
                )
                self.notes.note(f"{name}: {flow(value.plain)}", at, tight=True)

    def _front_tags(self, value: Placed) -> None:
        """Take the tags of a notebook's page: a list, or words with commas between."""
        items = value.value if isinstance(value.value, list) else str(value.plain or "").split(",")
        words = [str(item.plain if isinstance(item, Placed) else item).strip() for item in items]
        if any(words):
            tags = [Placed(word, value.where) for word in words if word]
            self.top["tags"] = Placed(tags, value.where, value.key)

    def mapping(self, values: dict[str, Placed], key: str, at: Where) -> dict[str, Placed]:
        """Return the group of keys under `key`, made when it is not there; an error when it is something else."""
        found = values.setdefault(key, Placed({}, at, at))
        if not isinstance(found.value, dict):
            self.problems.error(found.where, f"`{key}` must be a group of keys", code="wrong-type")
            found.value = {}
        return found.value

    def _own_labels(self, value: Placed) -> None:
        if not isinstance(value.value, dict):
            self.problems.error(value.where, "`labels` takes pairs, as in `labels: {Duur: duration}`")
            return
        for word, target in value.value.items():
            wanted = labels.canonical(str(target.value))
            if wanted in ("scene", "shot", "act", "group"):
                self.own[word] = "group" if wanted == "act" else wanted
            elif wanted in labels.KEYS:
                self.keys[labels.canonical(word)] = labels.KEYS[wanted]
                self.near[labels.canonical(word)] = word
            else:
                near = labels.misspelt(str(target.value), labels.ENGLISH_KEYS)
                self.problems.error(
                    target.where,
                    f"`labels` names `{target.value}`, which is no key",
                    hint=f"did you mean `{near}`?" if near else "",
                    code="unknown-key",
                )

    def _mended(self, blocks: list[Block]) -> Iterator[Block]:
        """A `---` right below a line of fields is a rule, not the line that makes a heading of them."""
        for block in blocks:
            if (
                block.kind == "heading"
                and block.setext
                and ("\n" in block.text or self.entry(block.text, True))
            ):
                yield Block("para", block.first, block.last - 1, text=block.text)
            else:
                yield block

    def read_outside(self, blocks: Sequence[Block], group: str, nearly: Where | None) -> None:
        """Blocks that belong to no scene: a table of shots makes scenes, the rest are notes.

        `nearly` is the heading above them when it begins like that of a scene.
        """
        if nearly and any(block.kind == "quote" and not self.is_callout(block) for block in blocks):
            self.problems.warning(
                nearly,
                "this heading opens no scene, so the quote below it is not sent",
                hint="a short id of letters and digits follows the word, as in `## Scene 12A: Arrival`",
                code="outside-scene",
            )
        for block in blocks:
            columns = self._columns(block) if block.kind == "table" else None
            if columns:
                self._table(block, columns, None, group)
                continue
            if block.kind == "fence" and self.fence_key(block):
                self.problems.warning(
                    self.start(block),
                    "this prompt stands in no scene, so it is not sent",
                    hint="put it below a heading such as `## Scene 1: Arrival`",
                    code="outside-scene",
                )
            elif block.kind in ("list", "para"):
                self._warn_outside(block)
            if block.kind != "hr":
                self.notes.note(self.source(block.first, block.last), self.start(block))

    def _warn_outside(self, block: Block) -> None:
        paragraphs = [c for item in block.children for c in item.children[:1] if c.kind == "para"]
        for paragraph in paragraphs or [block]:
            entry = self.entry(paragraph.text.split("\n")[0], False) if paragraph.kind == "para" else None
            if (
                entry
                and entry[0] == "bold"
                and entry[2] in ("prompt", "image_prompt", "video_prompt")
                and entry[3]
            ):
                self.problems.warning(
                    self.start(paragraph),
                    "this prompt stands in no scene, so it is not sent",
                    hint="put it below a heading such as `## Scene 1: Arrival`",
                    code="outside-scene",
                )

    # -- keys

    def entry(self, text: str, plain: bool) -> tuple[str, str, str, str] | None:
        """Return (style, label, known key, rest) of a line that begins with a key, else None."""
        text = without_marks(_TASK.sub("", text))
        if match := _CODE.match(text):
            return "code", match["label"].strip(), "", match["rest"]
        if match := _BOLD.match(text):
            label = match["label"].strip()
            key = self.key(label)
            if label.startswith("`") and (match["c1"] or match["c2"]):
                return "code", label.strip("`"), "", match["rest"]
            if match["c1"] or match["c2"]:
                return "bold", label, key, match["rest"]
            if key and (dash := re.match(r"\s*[—–-]\s", match["rest"])):
                return "bold", label, key, match["rest"][dash.end() :]
            return None
        if match := _ITALIC.match(text):
            if (match["c1"] or match["c2"]) and (key := self.key(match["label"])):
                return "plain", match["label"].strip(), key, match["rest"]
            return None
        if plain and (match := _PLAIN.match(text)):
            return "plain", match["label"].strip(), self.key(match["label"]), match["rest"]
        return None

    def key(self, label: str) -> str:
        """Return the known key that a label means, or nothing.  `Take 3 prompt` is the key `take_3_prompt`."""
        found = self.keys.get(labels.canonical(label))
        if take := _TAKE_PROMPT.fullmatch(labels.canonical(label)):
            return f"take_{int(take.group(1))}_prompt"
        return found or self.keys.get(labels.canonical(re.sub(r"\s*[(（][^()（）]*[)）]\s*$", "", label)), "")

    def _entries(
        self, lines: Sequence[tuple[str, Where]], first: int, *, flat: bool, indent: int | None
    ) -> tuple[list[Entry], list[int]]:
        """Return the entries of a paragraph, and the numbers of its lines that belong to none.

        `flat` takes keys without bold on every line.  `indent` is the column of a list item's bullet: a line that
        is not indented further goes on only by Markdown's laziness, and is a note.
        """
        entries: list[Entry] = []
        loose: list[int] = []
        for i, (text, where) in enumerate(lines):
            found = self.entry(text, flat or (i == 0 and indent is not None))
            if i and found and found[0] == "plain" and not flat:
                found = None
            if found and found[0] == "code" and i and indent is not None:
                found = None
            if found:
                style, label, key, rest = found
                column = where.column + len(text) - len(rest) + len(rest) - len(rest.lstrip())
                value = (rest.strip(), Where(self.file, where.line, column))
                entries.append(Entry(style, label, key, where, [value], first + i, first + i + 1))
                continue
            width = self._indent(first + i)
            unlike = entries[-1].style == "plain" and flat and width == 0 if entries else False
            if entries and not unlike and not (indent is not None and width <= indent):
                entries[-1].lines.append((text, where))
                entries[-1].last = first + i + 1
            elif entries and text.strip():
                loose.append(i)
                self.problems.warning(
                    where,
                    "this line is not indented, so it is a note and not part of the line above",
                    hint="indent it to make it part of the value, or leave an empty line between",
                    code="not-indented",
                )
            else:
                loose.append(i)
        return entries, loose

    def _indent(self, line: int) -> int:
        text = self.lines[line].expandtabs(4) if line < len(self.lines) else ""
        return len(text) - len(text.lstrip())

    # -- bodies

    def read_body(
        self,
        blocks: Sequence[Block],
        body: Body,
        *,
        scene: SceneDraft | None,
        aside: bool = False,
        label: str = "",
    ) -> None:
        """Gather what is marked in the blocks below one heading.

        Under a heading that is not ours (`aside`) a quote is no prompt; under one that is a key (`label`) the quote
        or fence is that key's value.
        """
        flat = not aside
        self.aside = aside
        waiting: Entry | None = None
        if label:
            at = self._start_of(max(0, blocks[0].first - 1))
            waiting = Entry("bold", label, label, at, [], blocks[0].first, blocks[0].first)
            if label == "notes":
                for block in blocks:
                    body.note(self.source(block.first, block.last), self.start(block))
                return
        for block in blocks:
            if waiting is not None and block.kind in ("fence", "quote", "list"):
                done = self._take(waiting, block, body)
                waiting_was, waiting = waiting, None
                if done:
                    flat = flat and not aside
                    continue
                if not label:
                    self._empty(waiting_was, body)
            elif waiting is not None and not label:
                self._empty(waiting, body)
                waiting = None
            if block.kind == "para":
                waiting_new, was_field = self._paragraph(block, body, flat=flat)
                waiting = waiting_new or waiting
                flat = flat and was_field
                continue
            if block.kind == "list":
                waiting = self._list(block, body)
                continue
            if block.kind == "quote":
                self._quote(block, body, aside=aside)
            elif block.kind == "fence":
                self._fence(block, body)
            elif block.kind == "table":
                columns = self._columns(block)
                if columns and scene is not None:
                    self._table(block, columns, scene, scene.group)
                else:
                    body.note(self.source(block.first, block.last), self.start(block))
            elif block.kind != "hr":
                body.note(self.source(block.first, block.last), self.start(block))
            flat = False
        if waiting is not None and not label:
            self._empty(waiting, body)
        elif waiting is not None and label in PROMPTS and not any(p in body.fields for p in PROMPTS):
            self.unmarked(f"`{label}`", waiting.at)

    def unmarked(self, what: str, at: Where) -> None:
        """Say that words stand where a person may have meant them to be sent, and nothing marks them."""
        self.problems.warning(
            at,
            f"{what} has no words: nothing below it is marked",
            hint="put `> ` in front of the words that are meant for the model",
            code="unmarked",
        )

    def _paragraph(self, block: Block, body: Body, *, flat: bool) -> tuple[Entry | None, bool]:
        """Read a paragraph; return the entry that waits for its value below, and whether it held fields."""
        lines = self.content(block)
        plain = flat and self._is_flat(lines)
        entries, loose = self._entries(lines, block.first, flat=plain, indent=None)
        if entries:
            self._loose(block, loose, body)
            for entry in entries[:-1]:
                self._apply(entry, [], body)
            last = entries[-1]
            if not last.raw and (last.key or last.style != "plain"):
                return last, True
            self._apply(last, [], body)
            return None, True
        images = self.take_images(block, body)
        text = lines[-1][0]
        found = self.entry(text, True)
        if found and found[2] and not found[3].strip():  # prose that ends in a line that says `Prompt:`
            body.note(self.source(block.first, block.last - 1), self.start(block))
            where = lines[-1][1]
            return Entry("plain", found[1], found[2], where, [], block.last - 1, block.last), False
        if not images:
            body.note(self.source(block.first, block.last), self.start(block))
        return None, False

    def _loose(self, block: Block, loose: Sequence[int], body: Body) -> None:
        if loose:
            text = "\n".join(self.lines[block.first + i].strip() for i in loose)
            body.note(text, self._start_of(block.first + loose[0]))

    def _is_flat(self, lines: Sequence[tuple[str, Where]]) -> bool:
        """Whether every line of a paragraph below a heading is `key: value`, and one of the keys is ours."""
        known = False
        for i, (text, where) in enumerate(lines):
            found = self.entry(text, True)
            if not found:
                if i == 0 or self._indent(where.line - 1) == 0:
                    return known and i > 0
                continue
            if len(found[1].split()) > 4:
                return known
            known = known or bool(found[2]) or found[0] == "code"
            known = known or (found[0] == "plain" and bool(self._misspelt(found[1], 5)))
        return known

    def _list(self, block: Block, body: Body) -> Entry | None:
        """Read a list of fields; return the last one when its value may stand below the list."""
        waiting: Entry | None = None
        for i, item in enumerate(block.children):
            waiting = None
            children = item.children
            if not children or children[0].kind != "para":
                body.note(self.source(item.first, item.last), self.start(item), tight=True)
                continue
            paragraph = children[0]
            lines = self.content(paragraph)
            entries, loose = self._entries(
                lines, paragraph.first, flat=False, indent=self._indent(item.first)
            )
            if not entries or (entries[0].style == "plain" and not self._is_ours(entries[0])):
                if not (len(children) == 1 and self.take_images(paragraph, body)):
                    body.note(self.source(item.first, item.last), self.start(item), tight=True)
                continue
            self._loose(paragraph, loose, body)
            for entry in entries[:-1]:
                self._apply(entry, [], body)
            last = entries[-1]
            rest = children[1:]
            if not last.raw and not rest and i == len(block.children) - 1:
                waiting = last
            else:
                self._apply(last, rest, body)
        return waiting

    def _is_ours(self, entry: Entry) -> bool:
        return bool(entry.key) or bool(self._misspelt(entry.label, 5))

    def _misspelt(self, label: str, shortest: int = 0) -> str:
        if len(labels.canonical(label)) < shortest:
            return ""
        return labels.misspelt(label, self.near)

    def _quote(self, block: Block, body: Body, *, aside: bool) -> None:
        first = block.children[0] if block.children else None
        text = first.text if first and first.kind == "para" else ""
        found = self.entry(text.split("\n")[0], True)
        if self.is_callout(block):
            body.note(self.source(block.first, block.last), self.start(block))
        elif found and (found[0] == "bold" or found[2] in ("negative_prompt", *PROMPTS)):
            if not found[2] and aside:
                body.note(self.source(block.first, block.last), self.start(block))
            else:
                self.read_body(block.children, body, scene=None)
        elif aside:
            body.note(self.source(block.first, block.last), self.start(block))
        else:
            words = self.quoted(block, body)
            if words is not None:
                self.enter(body, "prompt", words)

    def quoted(self, block: Block, body: Body | None) -> Placed | None:
        """Return the words of a quote: lines joined by a space, paragraphs by an empty line."""
        if self.is_callout(block):
            return None
        parts: list[str] = []
        where: Where | None = None
        for child in block.children:
            if child.kind == "para":
                lines = self.content(child)
                text, images = inline(one_line(line for line, _ in lines))
                if body is not None:
                    self._add_images(images, child, body)
                text = tidy(text)
                at = lines[0][1]
            elif child.kind == "fence":
                text, at = child.text.removesuffix("\n"), self._start_of(child.first + 1)
            elif child.kind == "list":
                items = [
                    inline(" ".join(g.text.split()))[0] for item in child.children for g in item.children[:1]
                ]
                text, at = "\n".join(items), self.start(child)
            elif child.kind == "heading":
                text, at = inline(child.text)[0], self.start(child)
            else:
                continue
            if text:
                parts.append(text)
                where = where or at
        text = unquoted("\n\n".join(parts))
        return Placed(text, where or self.start(block)) if text else None

    def is_callout(self, block: Block) -> bool:
        """Whether a quote is a remark: `> [!NOTE]`, `> **Note:** ...`, `> Note: ...`."""
        first = block.children[0] if block.children else None
        text = first.text if first and first.kind == "para" else ""
        found = self.entry(text.split("\n")[0], True)
        return text.startswith("[!") or (found is not None and found[2] == "notes")

    def fence_key(self, block: Block) -> str:
        word = block.info.split()[0] if block.info.split() else ""
        key = self.keys.get(labels.canonical(word.strip("{}.")), "") if word else ""
        return key if key in _FENCES else ""

    def fenced(self, block: Block) -> Placed:
        text = block.text.removesuffix("\n")
        line = block.first + 1
        return Placed(text, self._start_of(line) if text else self.start(block))

    def _fence(self, block: Block, body: Body) -> None:
        key = self.fence_key(block)
        if not key:
            body.note(self.source(block.first, block.last), self.start(block))
            return
        words = self.fenced(block)
        words.key = self.start(block)
        if str(words.value).strip():
            self.enter(body, key, words, add=key == "negative_prompt")

    def take_images(self, block: Block, body: Body) -> bool:
        """Take the images of a paragraph; return whether it holds nothing else."""
        if "![" not in block.text:
            return False
        text, images = inline(block.text)
        if self.aside:
            return False
        self._add_images(images, block, body)
        return bool(images) and not text.strip()

    def _add_images(self, images: Sequence[tuple[str, str]], block: Block, body: Body) -> None:
        at = block.first
        for caption, address in images:
            while at < block.last - 1 and address not in self.lines[at]:
                at += 1
            place = self.place(at, max(0, self.lines[at].find("![")))
            role = role_of(caption)
            self.enter(body, role, self._media([Placed(Literal(address_of(address)), place)], role), add=True)

    # -- fields

    def _take(self, entry: Entry, block: Block, body: Body) -> bool:
        """Give a `Key:` line the fence, quote or list right below it; False when that is not its value."""
        if block.kind == "list":
            if entry.key not in (*_LISTS, "dialogue") or not entry.label:
                return False
            items = [c.children[0] for c in block.children if c.children and c.children[0].kind == "para"]
            if len(items) < len(block.children) or any(self.entry(i.text, False) for i in items):
                return False
        self._apply(entry, [block], body)
        return True

    def _empty(self, entry: Entry, body: Body) -> None:
        self._apply(entry, [], body)

    def _apply(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        """Make of `Key: value` what it means, and of what does not belong to it a note."""
        if entry.style == "code":
            self._raw_param(entry, children, body)
        elif not entry.key:
            self._unknown(entry, children, body)
        elif entry.key in (*SOUNDS, *PROMPTS, "audio") or is_take_prompt(entry.key):
            self._words(entry, children, body)
        elif entry.key == "dialogue":
            self._dialogue(entry, children, body)
        elif entry.key == "extra_params":
            self._extra_params(entry, children, body)
        else:
            self._plain_field(entry, children, body)

    def _unknown(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        near = self._misspelt(entry.label, 0 if entry.style == "bold" else 5)
        if near and not self.aside and self.key(near) not in labels.NEVER_SENT:
            self.problems.error(
                entry.at, f"unknown key `{entry.label}`", hint=f"did you mean `{near}`?", code="unknown-key"
            )
        elif entry.style == "bold" and (near or not self.aside):
            self.problems.warning(
                entry.at,
                f"`{entry.label}` is not a key kiebatch knows; it is kept as a note and not sent",
                hint=f"did you mean `{near}`?" if near else "",
                code="unknown-key",
            )
        body.note(self._noted(entry, children), self._start_of(entry.first), tight=True)

    def _noted(self, entry: Entry, children: Sequence[Block]) -> str:
        """Return a key that is a note as `Key: text`; with blocks below it, as it was written."""
        if entry.style == "bold" and not children and len(entry.lines) == 1 and entry.raw:
            return f"{entry.label}: {tidy(inline(entry.raw)[0])}"
        last = max([entry.last, *(c.last for c in children)])
        return self.source(entry.first, last)

    def _dialogue(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        """Take lines that are spoken.  `Dialogue (ANN): words` names the speaker in the key."""
        lines = [tidy(inline(text)[0]) for text, _ in entry.lines if text.strip()]
        for child in children:
            lines += self._spoken(child)
        lines = [unquoted(line) for line in lines if not is_nothing(line)]
        speaker = re.search(r"[(（]([^()（）]+)[)）]\s*$", entry.label)
        if speaker and lines:
            lines[0] = f"{speaker.group(1).strip()}: {lines[0]}"
        if lines:
            self.enter(body, "dialogue", Placed("\n".join(lines), entry.where, entry.at))

    def _spoken(self, block: Block) -> list[str]:
        if block.kind == "list":
            paragraphs = [child for item in block.children for child in item.children[:1]]
            return [tidy(inline(" ".join(child.text.split()))[0]) for child in paragraphs]
        if block.kind == "fence":
            return [line.strip() for line in block.text.splitlines() if line.strip()]
        if block.kind == "quote":
            return [line for child in block.children for line in self._spoken(child)]
        return [tidy(inline(line)[0]) for line in block.text.split("\n") if line.strip()]

    def _extra_params(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        """Read the fields that the catalogue does not know, from a YAML fence below the key."""
        fence = next((c for c in children if c.kind == "fence"), None)
        try:
            value = self._yaml(fence) if fence is not None else scalar(code_span(entry.raw), entry.where)
        except Invalid as invalid:
            self.problems.found.extend(invalid.problems)
            return
        value.key = entry.at
        self.enter(body, entry.key, value)

    def _yaml(self, block: Block) -> Placed:
        """Return what a YAML fence says.  Raises `Invalid` at the place of its error."""
        offset = self._indent(block.first)
        read = yaml_document.read(block.text, self.file, line_offset=block.first + 1, column_offset=offset)
        return tree_of(read, read.value)

    def _raw_param(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        value: Placed | None = None
        fences = [c for c in children if c.kind == "fence"]
        lists = [c for c in children if c.kind == "list"]
        try:
            if entry.raw:
                where = entry.where
                value = scalar(code_span(entry.raw), where)
            elif fences:
                value = self._yaml(fences[0])
            elif lists:
                items = [
                    i.children[0] for i in lists[0].children if i.children and i.children[0].kind == "para"
                ]
                where = self.start(lists[0])
                value = Placed([scalar(i.text, self.start(i)) for i in items], where)
        except Invalid as invalid:
            self.problems.found.extend(invalid.problems)
            return
        if value is None:
            self.problems.error(
                entry.at, f"`{entry.label}` has no value", hint="write one behind the colon", code="missing"
            )
            return
        value.key = entry.at
        if entry.label in body.params:
            self.twice(entry.label, body.params[entry.label].key, entry.at)
            return
        body.params[entry.label] = value

    def _words(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        """A prompt or the words of a sound: on the line, or in the quote, fence or list below it."""
        words: Placed | None = None
        raw = entry.raw
        left: list[Block] = []
        if raw:
            text, images = inline(raw)
            self._add_images(images, Block("para", entry.first, entry.last), body)
            text = tidy(text)
            bare = unquoted(text)
            if bare and not (bare == text and is_nothing(text)):
                words = Placed(bare, entry.where)
        for child in children:
            if child.kind == "para" and words is not None:
                more = tidy(inline(one_line(line for line, _ in self.content(child)))[0])
                words.value = f"{words.value}\n\n{more}"
            elif words is None and child.kind == "quote":
                words = self.quoted(child, body)
            elif words is None and child.kind in ("fence", "para"):
                words = (
                    self.fenced(child)
                    if child.kind == "fence"
                    else Placed(
                        tidy(inline(one_line(line for line, _ in self.content(child)))[0]),
                        self.start(child),
                    )
                )
            else:
                left.append(child)
        inner = self._inner(entry, left, body, takes_items=words is None)
        if words is None and inner is not None:
            words = inner
        if words is not None and str(words.value).strip():
            words.key = entry.at
            if entry.key == "audio":
                body.note(f"Audio: {words.value}", entry.at, tight=True)
            else:
                self.enter(body, entry.key, words)
        elif entry.key in ("prompt", "image_prompt", "video_prompt") and entry.key not in body.fields:
            self.problems.warning(
                entry.at,
                f"`{entry.label}` is empty; nothing is sent for it",
                code="empty-prompt",
            )

    def _inner(
        self, entry: Entry, blocks: Sequence[Block], body: Body, *, takes_items: bool
    ) -> Placed | None:
        """Read the bullets below a key: fields of its own for a sound or part, else words, else notes."""
        items: list[str] = []
        where: Where | None = None
        for block in blocks:
            paragraphs = [
                i.children[0] for i in block.children if i.children and i.children[0].kind == "para"
            ]
            fields = [p for p in paragraphs if (e := self.entry(p.text, True)) and (e[2] or e[0] != "plain")]
            if block.kind == "list" and fields:
                name = {"visual": "visual", "video_prompt": "video", "audio": "audio"}.get(
                    entry.key, entry.key
                )
                inside = name in SOUNDS or (name in ("visual", "video", "audio") and not entry.raw)
                target = body.parts.setdefault(name, Body(entry.at)) if inside else body
                waiting = self._list(block, target)
                if waiting:
                    self._empty(waiting, target)
            elif block.kind == "list" and takes_items and paragraphs:
                items += [tidy(inline(" ".join(p.text.split()))[0]) for p in paragraphs]
                where = where or self.start(paragraphs[0])
            else:
                body.note(self.source(block.first, block.last), self.start(block))
        return Placed(", ".join(items), where) if items and where else None

    def _plain_field(self, entry: Entry, children: Sequence[Block], body: Body) -> None:
        key = entry.key
        pieces: list[tuple[str, Where]] = [(entry.raw, entry.where)] if entry.raw else []
        literal = False
        for child in children:
            if child.kind == "list" and key in (*_LISTS, "notes"):
                for item in child.children:
                    if item.children and item.children[0].kind == "para":
                        text, at = (
                            " ".join(item.children[0].text.split()),
                            self.content(item.children[0])[0][1],
                        )
                        pieces.append((text, at))
                    else:
                        body.note(self.source(item.first, item.last), self.start(item), tight=True)
            elif child.kind == "fence" and not pieces and key in _LISTS and child.info in ("yaml", "yml"):
                try:
                    listed = self._yaml(child)
                except Invalid as invalid:
                    self.problems.found.extend(invalid.problems)
                    return
                for one in listed.value if isinstance(listed.value, list) else [listed]:
                    one.value = Literal(one.value) if isinstance(one.value, str) else one.value
                listed.key = entry.at
                self.enter(body, key, listed, add=key in ("references", "source", "negative_prompt"))
                return
            elif child.kind == "fence" and not pieces:
                fenced = self.fenced(child)
                pieces, literal = [(str(fenced.value), fenced.where)], True
            elif child.kind == "quote" and not pieces:
                quoted = self.quoted(child, None)
                if quoted:
                    pieces, literal = [(str(quoted.value), quoted.where)], True
            elif child.kind == "para" and key == "notes" and not literal:
                pieces.append((self.source(child.first, child.last), self.start(child)))
            elif child.kind == "para" and "![" in child.text and key in ROLES:
                pieces.append((child.text, self.start(child)))
            elif child.kind == "list":
                waiting = self._list(child, body)
                if waiting:
                    self._empty(waiting, body)
            else:
                body.note(self.source(child.first, child.last), self.start(child))
        if key == "notes":
            joined = "\n".join(text for text, _ in pieces)
            if joined.strip():
                body.note(joined if literal else tidy(inline(joined)[0]), pieces[0][1])
            return
        if not literal:
            pieces = [(t, w) for t, w in pieces if not is_nothing(t)]
        if not pieces:
            return
        placed = self._value(key, pieces, entry, body, literal=literal)
        if placed is not None:
            placed.key = entry.at
            self.enter(body, key, placed, add=key in ("references", "source") or key == "negative_prompt")

    def _value(
        self, key: str, pieces: list[tuple[str, Where]], entry: Entry, body: Body, *, literal: bool
    ) -> Placed | None:
        raw, where = pieces[0]

        def words(text: str) -> str:
            return text if literal else unquoted(tidy(inline(text)[0]))

        if key in ROLES:
            media = [m for text, at in pieces for m in self._media_of(text, at, key)]
            return self._media(media, key) if media else None
        if key == "duration":
            length = seconds(words(raw))
            if length is None or length <= 0:
                self.problems.error(
                    where,
                    f"`{entry.label}` must be a length, found `{words(raw)}`",
                    hint="write it as 5s, 0:05 or 0:00-0:05",
                    code="wrong-type",
                )
                return None
            return Placed(length, where)
        if key == "takes":
            match = re.fullmatch(r"\s*[x×]?\s*(\d+)\s*(?:[x×]|\w+)?\s*", words(raw))
            if match:
                return Placed(int(match.group(1)), where)
            self.problems.error(
                where, f"`{entry.label}` must be a whole number, found `{words(raw)}`", code="wrong-type"
            )
            return None
        if key == "seed":
            return scalar(words(raw), where)
        if key == "type":
            return self._type(words(raw), where, entry, body)
        if key == "skip":
            text = words(raw)
            if text.casefold() in ("no", "false"):
                return None
            return Placed(True if text.casefold() in ("yes", "true") else text, where)
        if key in _NAMES:
            found: list[Placed] = []
            for text, at in pieces:
                text = words(text)
                whole = literal or (len(pieces) > 1 and at.line != entry.at.line)
                parts = [text] if whole else re.split(r"\s*[,，、;]\s*", text)
                for part in (p.strip() for p in parts):
                    if part:
                        offset = max(0, self.lines[at.line - 1].find(part, at.column - 1) + 1) or at.column
                        found.append(Placed(part, Where(self.file, at.line, offset)))
            if not found:
                return None
            listed = len(found) > 1 or key in ("characters", "ignore_warnings", "tags")
            return Placed(found, where) if listed else found[0]
        if len(pieces) > 1:
            return Placed([Placed(words(text), at) for text, at in pieces], where)
        text = words(raw)
        return Placed(Literal(text) if literal else text, where) if text else None

    def _type(self, text: str, where: Where, entry: Entry, body: Body) -> Placed | None:
        found = labels.TYPES.get(labels.canonical(text))
        if found:
            return Placed(found, where)
        near = labels.misspelt(
            text, {"image": "image", "video": "video", "videoclip": "video_clip", "audio": "audio"}
        )
        if near:
            self.problems.error(where, f"unknown type `{text}`", hint=f"did you mean `{near}`?")
            return None
        self.problems.warning(
            where,
            f"`{text}` is neither image, video nor audio; the line is a note",
            code="unknown-type",
        )
        body.note(f"{entry.label}: {text}", entry.at, tight=True)
        return None

    def _media_of(self, text: str, where: Where, key: str) -> list[Placed]:
        """Return the addresses in a value: images, links, or words with commas between."""
        _, images = inline(text)
        if (span := code_span(text)) != text and "`" not in span:
            return [Placed(Literal(span), where)]
        if images:
            return [Placed(Literal(address_of(address)), where) for _, address in images]
        parts = (
            [text]
            if key not in ("references", "source")
            else re.split(r"\s*[,，、]\s+|\s*[，、]\s*|,(?=[^\s/]*$)", text)
        )
        found = []
        # "Scene 3, Shot b" is one place, not two.
        if re.match(
            r"(?i)^\s*(scene|szene|scène|escena|cena)\s+\S+,\s*(shot|einstellung|plan|plano)\s", text
        ):
            parts = [text]
        for part in parts:
            part = part.strip()
            link = re.fullmatch(r"\[[^\]]*\]\(<?([^)>]+)>?\)", part)
            if link:
                part = address_of(link.group(1))
            part = unquoted(code_span(part))
            if part:
                column = self.lines[where.line - 1].find(part, max(0, where.column - 1))
                found.append(
                    Placed(part, Where(self.file, where.line, column + 1 if column >= 0 else where.column))
                )
        return found

    def _media(self, media: list[Placed], key: str) -> Placed:
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
            before.value.extend(placed.value if isinstance(placed.value, list) else [placed])
            return
        if key in _ADD_UP:
            before.value = f"{before.value}\n{placed.value}"
            return
        if key == "tags":
            before.value = [*before.value, *placed.value]
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

    # -- tables

    def _columns(self, block: Block) -> list[tuple[str, str]] | None:
        """Return (meaning, label) of each column when a table lists shots, else None."""
        if not block.rows:
            return None
        found: list[tuple[str, str]] = []
        for cell in block.rows[0]:
            text = tidy(inline(cell)[0])
            name = labels.canonical(text) if text != "#" else "#"
            if cell.strip().startswith("`") and cell.strip().endswith("`"):
                found.append(("param", text))
            elif name in labels.COLUMNS and labels.COLUMNS[name] not in [m for m, _ in found]:
                found.append((labels.COLUMNS[name], text))
            else:
                found.append((self.key(text), text))
        meanings = [m for m, _ in found]
        named = "id" in meanings or "scene" in meanings
        return found if named and any(m in PROMPTS for m in meanings) else None

    def _table(
        self, block: Block, columns: list[tuple[str, str]], scene: SceneDraft | None, group: str
    ) -> None:
        """One shot per row; in no scene, one scene per row, or the scene that a column names."""
        meanings = [m for m, _ in columns]
        for row, line in zip(block.rows[1:], block.row_lines[1:], strict=False):
            at = self._start_of(line)
            if not any(cell.strip() for cell in row):
                continue
            idents: dict[str, int | str] = {}
            body = Body(at)
            timed: Placed | None = None
            position = 0
            for (meaning, label), cell in zip(columns, row, strict=False):
                cell = cell.strip()
                source = self.lines[line]
                column = source.find(cell, position) if cell else -1
                if column >= 0:
                    position = column + len(cell)
                where = self.place(line, max(0, column))
                if meaning in ("id", "scene") and cell:
                    text = tidy(inline(cell)[0])
                    text = re.sub(r"(?i)^(?:scene|shot|frame)\s*#?\s*", "", text)
                    ident = re.match(rf"^{ID}", text, re.ASCII)
                    if ident:
                        idents[meaning] = identity(ident.group(0))
                elif meaning == "param" and cell:
                    body.params[label] = scalar(code_span(cell), where)
                elif meaning == "time":
                    length = seconds_in_a_time_column(inline(cell)[0])
                    if length is not None:
                        timed = Placed(length, where, where)
                    else:
                        body.note(f"{label}: {cell}" if cell else "", where, tight=True)
                elif cell and not meaning:
                    body.note(f"{label}: {cell}", where, tight=True)
                elif cell:
                    entry = Entry("plain", label, meaning, where, [(cell, where)], line, line + 1)
                    self._apply(entry, [], body)
            if timed:
                body.fields.setdefault("duration", timed)
            if not idents:
                if any(p in body.fields for p in PROMPTS):
                    self.problems.error(
                        at, "this row has a prompt and no id", hint="number it", code="missing"
                    )
                continue
            if scene is not None:
                ident_ = idents.get("id", idents.get("scene", ""))
                scene.shots.append(ShotDraft(ident_, body, at, table_row=True))
                continue
            if "scene" in meanings and "id" in meanings and "id" in idents and "scene" in idents:
                owner = next((s for s in self.scenes if s.id == idents["scene"] and s.table_row), None)
                if owner is None:
                    owner = SceneDraft(idents["scene"], Body(at), at, group=group, table_row=True)
                    self.scenes.append(owner)
                owner.shots.append(ShotDraft(idents["id"], body, at, table_row=True))
                continue
            ident_ = idents.get("id", idents.get("scene", ""))
            self.scenes.append(SceneDraft(ident_, body, at, group=group, of_shots=True))


def is_take_prompt(key: str) -> bool:
    return bool(re.fullmatch(r"take_\d+_prompt", key))


def address_of(text: str) -> str:
    """Return a picture's address; a local path without the `%20` that Markdown needs."""
    text = text.strip()
    return text if re.match(r"(?i)^[a-z][a-z0-9+.-]*:", text) else unquote(text)


def role_of(caption: str) -> str:
    word = caption.partition(":")[0].strip().casefold()
    return {
        "start": "start_frame",
        "start frame": "start_frame",
        "end": "end_frame",
        "end frame": "end_frame",
        "mask": "mask",
        "source": "source",
    }.get(word, "references")


_COMMON_RATIOS = (
    (1, 1),
    (16, 9),
    (9, 16),
    (4, 3),
    (3, 4),
    (3, 2),
    (2, 3),
    (21, 9),
    (9, 21),
    (5, 4),
    (4, 5),
    (2, 1),
    (1, 2),
)


def ratio(text: str) -> str:
    """Return `16:9` for `16:9 (wide)`, `16/9`, `1920x1080`; other text as it is."""
    clean = re.sub(r"\s*\([^()]*\)\s*$", "", unicodedata.normalize("NFKC", text)).strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[:/x×∶]\s*(\d+(?:\.\d+)?)(?:\s*px)?", clean, re.I)
    if not match:
        return clean
    wide, high = float(match.group(1)), float(match.group(2))
    if wide > 100 and high > 100:
        near = [f"{w}:{h}" for w, h in _COMMON_RATIOS if abs(wide / high - w / h) < 0.01]
        return near[0] if near else clean
    return f"{match.group(1)}:{match.group(2)}"
