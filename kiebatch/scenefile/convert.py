"""Writes a document as YAML or as Markdown, so that both give the same jobs.

Markdown says a thing in the plainest form that reads back as exactly that thing: words in a quote where they
survive one, else in a fence.  What no heading or bullet can hold goes into the front matter.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from kiebatch import formats
from kiebatch.catalogue import validator
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Document, Path, as_list, as_mapping, as_text, under
from kiebatch.scenefile import document as yaml_document
from kiebatch.scenefile import markdown
from kiebatch.scenefile.markdown.drafts import ROLES, SOUNDS
from kiebatch.scenefile.markdown.headings import Headings
from kiebatch.scenefile.markdown.labels import NOT_IDS
from kiebatch.scenefile.markdown.prose import SCENE, TOP, Block, escaped, is_nothing, scalar, unquoted
from kiebatch.scenefile.negatives import written_out

_TEXTS = (
    *("camera", "text_overlay", "transition", "action", "location", "time_of_day", "shot_size", "lens"),
    *("preset", "enhance", "voice", "output", "endpoint", "fallback", "group"),
)
_SOUND_TITLES = {"voiceover": "Voiceover", "music": "Music", "sound_effects": "Sound effects"}


# --- YAML ----------------------------------------------------------------------------------------------


class _Flow(dict[str, JSON]):
    """A mapping short enough for one line."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text_node(dumper: _Dumper, text: str) -> yaml.Node:
    style = None
    if "\n" in text and not re.search(r"[ \t]\n|[^\S\n]$|^\s", text):
        style = "|"
    elif re.fullmatch(r"[A-Za-z0-9+._~-]+", text) and not _reads_as_text(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _reads_as_text(text: str) -> bool:
    """Whether a word without quotes is a text to YAML: `16:9` is one, `5` and `true` are not."""
    try:
        return bool(yaml_document.read(text, "").value == text)
    except Invalid:  # a number that is too large to be one
        return False


def _list_node(dumper: _Dumper, items: list[JSON]) -> yaml.Node:
    short = all(not isinstance(i, (dict, list)) or isinstance(i, _Flow) for i in items)
    plain = sum(len(str(i)) for i in items) < 80 and not any(isinstance(i, str) and "\n" in i for i in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short and plain)


_Dumper.add_representer(str, _text_node)
_Dumper.add_representer(list, _list_node)
_Dumper.add_representer(
    _Flow,
    lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True),
)


def to_yaml(document: Document) -> str:
    """Return a document as a YAML scene file."""
    return _yaml(_ordered(document.value))


def fragment(value: JSON) -> str:
    """Return a piece of a scene file as YAML, from the left margin on."""
    return _yaml(_compact(value))


def entry(scene: JSON, column: int) -> str:
    """Return a scene as an entry of a list whose dashes are at `column`, counted from 0."""
    text = _yaml([_scene_in_order(scene)])
    inner = len(text) - len(text.lstrip(" "))
    lines = (line[inner:] if line.strip() else line for line in text.splitlines(keepends=True))
    return textwrap.indent("".join(lines), " " * column)


def _yaml(value: JSON) -> str:
    return yaml.dump(
        value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=False, width=110
    )


def _ordered(value: JSON) -> JSON:
    """Return a scene file's values with their keys in the order of the documentation."""
    if not isinstance(value, dict):
        return value
    found = {key: _compact(value[key]) for key in (*TOP, *sorted(set(value) - set(TOP))) if key in value}
    if isinstance(value.get("scenes"), list):
        found["scenes"] = [_scene_in_order(scene) for scene in value["scenes"]]
    return found


def _scene_in_order(scene: JSON) -> JSON:
    if not isinstance(scene, dict):
        return scene
    found = {key: _compact(scene[key]) for key in (*SCENE, *sorted(set(scene) - set(SCENE))) if key in scene}
    if isinstance(scene.get("shots"), list):
        found["shots"] = [_scene_in_order(shot) for shot in scene["shots"]]
    return found


def _compact(value: JSON) -> JSON:
    """Return a value in which each reference to a shot is on one line."""
    if isinstance(value, list):
        return [_compact(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "shot" in value and all(not isinstance(v, (dict, list)) for v in value.values()):
        return _Flow(value)
    return {key: _compact(v) for key, v in value.items()}


# --- Markdown ------------------------------------------------------------------------------------------


def to_markdown(document: Document) -> str:
    """Return a document as a Markdown scene file; reading that gives the same jobs.

    `Invalid` where the document is not a whole scene file: an unknown key, a value of the wrong type.
    """
    return _Writer(document).text()


class _Writer:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.value = as_mapping(written_out(document.value))
        self.headings = Headings({})
        self.out: list[str] = []

    def text(self) -> str:
        self._refuse_mistakes()
        apart = ("kiebatch", "scenes", "title", "notes")
        front = {key: self.value[key] for key in self.value if key in TOP and key not in apart}
        above = [*self._title(front), *self._notes(front)]
        sections = [self._styles(front), self._characters(front)]
        if front:
            self.out.append("---\n" + _yaml(_ordered(front)) + "---")
        self.out += [*above, *filter(None, sections)]
        self._scenes(map(as_mapping, as_list(self.value.get("scenes"))))
        return "\n\n".join(self.out) + "\n"

    def _title(self, front: dict[str, JSON]) -> list[str]:
        """Return the title as a heading; one that no heading can hold goes into the front matter."""
        title = self.value.get("title")
        if isinstance(title, str) and self._heading_fits(title):
            return [f"# {_headline(title)}"]
        if title is not None:
            front["title"] = title
        return []

    def _notes(self, front: dict[str, JSON]) -> list[str]:
        notes = as_text(self.value.get("notes"))
        if not notes:
            return []
        if _note_survives(notes, top=True):
            return [notes]
        front["notes"] = notes
        return []

    def _refuse_mistakes(self) -> None:
        problems = (
            list(self._unknown_keys())
            or [
                Problem(
                    where=self.document.where(tuple(e.absolute_path)), message=e.message, code="wrong-type"
                )
                for e in validator(formats.load("scenes.base")).iter_errors(self.value)
            ]
            or list(self._own_sounds())
        )
        if problems:
            raise Invalid(problems)

    def _unknown_keys(self) -> Iterator[Problem]:
        yield from self._unknown(self.value, TOP, ())
        for i, scene in enumerate(as_list(self.value.get("scenes"))):
            yield from self._unknown(scene, SCENE, ("scenes", i))
            for j, shot in enumerate(as_list(under(scene, "shots"))):
                yield from self._unknown(shot, SCENE, ("scenes", i, "shots", j))

    def _unknown(self, value: JSON, known: Sequence[str], path: Path) -> Iterator[Problem]:
        for key in as_mapping(value):
            if key not in known:
                where = self.document.where((*path, key), key=True)
                yield Problem(where=where, message=f"unknown key `{key}`", code="unknown-key")

    def _own_sounds(self) -> Iterable[Problem]:
        """Yield the sounds that Markdown has no words for: files of one's own, and those of several scenes."""
        for i, scene in enumerate(as_list(self.value.get("scenes"))):
            for key in SOUNDS:
                sound = as_mapping(under(scene, key))
                for name in ("file", "through"):
                    if name in sound:
                        where = self.document.where(("scenes", i, key, name), key=True)
                        message = f"`{name}` of a sound can be written in YAML alone"
                        yield Problem(where=where, message=message, hint="keep this film in YAML")

    def _heading_fits(self, text: str) -> bool:
        plain = self.headings.read(_heading(_headline(text)), "top")
        return plain.kind == "other" and plain.text == text and text == " ".join(text.split()) and bool(text)

    def _styles(self, front: dict[str, JSON]) -> str:
        styles = front.get("styles")
        if not isinstance(styles, dict) or not styles:
            return ""
        parts = ["## Styles"]
        for name, words in styles.items():
            if not (isinstance(words, str) and words.strip() and _name_fits(name)):
                return ""
            parts.append(f"### {escaped(name)}\n{_words(words, 'text')}")
        del front["styles"]
        return "\n\n".join(parts)

    def _characters(self, front: dict[str, JSON]) -> str:
        characters = front.get("characters")
        if not isinstance(characters, dict) or not characters:
            return ""
        parts = ["## Characters"]
        for name, given in characters.items():
            one = {"text": given} if isinstance(given, str) else as_mapping(given)
            written = _character(name, one)
            if not written:
                return ""
            parts += written
        del front["characters"]
        return "\n\n".join(parts)

    # -- scenes

    def _scenes(self, scenes: Iterable[Mapping[str, JSON]]) -> None:
        group = ""  # the one that the last heading opened
        for scene in scenes:
            wanted = as_text(scene.get("group")) or ""
            if not self._opens_group(wanted):
                self._scene(scene, 2, field_group=wanted)
                group = ""
                continue
            if wanted != group:
                self.out.append(f"## {_headline(wanted)}")
                group = wanted
            self._scene(scene, 3)

    def _opens_group(self, name: str) -> bool:
        """Whether a heading with a group's name is read as that group."""
        if not name:
            return False
        read = self.headings.read(_heading(_headline(name)), "top")
        return (read.kind, read.text) == ("group", name)

    def _scene(self, scene: Mapping[str, JSON], level: int, *, field_group: str = "") -> None:
        fields = dict(scene)
        fields.pop("group", None)
        if field_group:
            fields["group"] = field_group
        shots, sounds = fields.pop("shots", None), {k: fields.pop(k) for k in SOUNDS if k in fields}
        spoken = [fields.pop("voice")] if {"voice", "voiceover"} <= {*fields, *sounds} else []
        self._shot("Scene", fields, level, sounds={k: v for k, v in sounds.items() if isinstance(v, str)})
        for voice in spoken:  # above, it would be that of the voice-over
            self.out += [f"{'#' * (level + 1)} Visual", *_bullets([_field("Voice", voice)])]
        for shot in map(as_mapping, as_list(shots)):
            self._shot("Shot", shot, level + 1)
        for key, sound in sounds.items():
            if isinstance(sound, dict):
                self._sound(key, sound, level + 1)

    def _shot(
        self, word: str, shot: Mapping[str, JSON], level: int, *, sounds: Mapping[str, str] | None = None
    ) -> None:
        title = shot.get("title")
        visual, notes = _visual_and_notes(shot)
        heading, titled = self._heading(word, shot["id"], title)
        self.out.append(f"{'#' * level} {heading}")
        as_they_are = _note_survives(notes)
        if as_they_are:
            self.out.append(notes)
        if shot.get("prompt"):
            self.out.append(_words(str(shot["prompt"]), "prompt"))
        items: list[str] = []
        if title and not titled:
            items.append(_field("Title", title))
        items += _skip(shot)
        if visual:
            items.append(_field("Visual", visual))
        items += _shot_fields(shot)
        items += [_field(_title(key), text) for key, text in (sounds or {}).items() if text.strip()]
        if notes and not as_they_are:
            items.append(_fenced_notes(notes))
        self.out += _bullets(items)

    def _heading(self, word: str, ident: JSON, title: JSON) -> tuple[str, bool]:
        """Return the heading of a scene or shot, and whether it holds the title."""
        text = str(ident)
        name = f"{word} {text}" if _stands_bare(word, ident) else f'{word} "{text}"'
        if isinstance(title, str) and title:
            whole = f"{name}: {_headline(title)}"
            read = self.headings.read(_heading(whole), "top")
            if read.title == title and read.duration is None and str(read.id) == text:
                return whole, True
        return name, False

    def _sound(self, key: str, sound: Mapping[str, JSON], level: int) -> None:
        self.out.append(f"{'#' * level} {_SOUND_TITLES[key]}")
        words = sound.get("text") or sound.get("prompt")
        if words:
            self.out.append(_words(str(words), "prompt"))
        items = [
            *(
                f"- **{_title(name)}**: {_plain_number(sound[name])}"
                for name in _said(sound, "duration", "seed")
            ),
            *_takes(sound.get("takes")),
            *(_names(_title(name), sound[name]) for name in _said(sound, "model", "tags", "ignore_warnings")),
            *_styles_and_negatives(sound),
            *_texts(sound, ("voice", "output", "endpoint", "fallback")),
            *_all_media(sound, ("references", "source")),
            *_skip(sound),
            *_params(sound),
            *_in_yaml(sound),
        ]
        if sound.get("notes"):
            items.append(_fenced_notes(sound["notes"]))
        self.out += _bullets(items)


def _visual_and_notes(shot: Mapping[str, JSON]) -> tuple[str, str]:
    """Return a shot's Visual and its notes; alone, a Visual would be sent, and becomes a note."""
    visual, notes = as_text(shot.get("visual")) or "", as_text(shot.get("notes")) or ""
    if not visual or shot.get("prompt"):
        return visual, notes
    return "", "\n\n".join(filter(None, (notes, f"Visual: {visual}")))


def _stands_bare(word: str, ident: JSON) -> bool:
    """Whether an id is read back as itself without quotes."""
    text = str(ident)
    if isinstance(ident, int) or re.fullmatch(r"[A-Za-z]", text):
        return True
    is_id = re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?", text) and not text.isdecimal()
    return word == "Scene" and bool(is_id) and text.casefold() not in NOT_IDS


def _character(name: str, one: Mapping[str, JSON]) -> list[str]:
    """Return a character as a heading with what belongs to it; nothing where Markdown cannot hold it."""
    words, notes = as_text(one.get("text")) or "", as_text(one.get("notes"))
    pictures = _one_or_several(one.get("references"))
    if not _name_fits(name) or not words.strip() or not all(map(_is_plain_address, pictures)):
        return []
    parts = [f"### {escaped(name)}\n{_words(words, 'text')}"]
    if notes:
        if not _note_survives(notes):
            return []
        parts.append(notes)
    if pictures:
        parts.append("\n".join(f"![reference]({picture})" for picture in pictures))
    return parts


def _one_or_several(value: JSON) -> Sequence[JSON]:
    if value is None or isinstance(value, list):
        return value or ()
    return [value]


def _is_plain_address(value: JSON) -> bool:
    return isinstance(value, str) and "%" not in value and bool(re.fullmatch(r"[\w./:?&=%+@~-]+", value))


# --- fields --------------------------------------------------------------------------------------------


def _shot_fields(shot: Mapping[str, JSON]) -> list[str]:
    """Return the fields of a shot that mean the same wherever they are written."""
    numbers = _said(shot, "duration", "head", "tail", "type")
    items = [f"- **{_title(key)}**: {_plain_number(shot[key])}" for key in numbers]
    items += _takes(shot.get("takes"))
    items += [f"- **Seed**: {shot[key]}" for key in _said(shot, "seed")]
    if shot.get("dialogue"):
        items.append(_field("Dialogue", _dialogue_text(shot["dialogue"])))
    names = _said(shot, "model", "characters", "tags", "ignore_warnings")
    items += [_names(_title(key), shot[key]) for key in names]
    return [
        *items,
        *_styles_and_negatives(shot),
        *_texts(shot, _TEXTS),
        *_all_media(shot, ROLES),
        *_params(shot),
        *_in_yaml(shot),
    ]


def _said(values: Mapping[str, JSON], *keys: str) -> list[str]:
    """Return those keys that have a value; 0 and an empty text are values."""
    return [key for key in keys if values.get(key) is not None]


def _styles_and_negatives(values: Mapping[str, JSON]) -> list[str]:
    return [_style_or_negative(_title(k), values[k]) for k in ("style", "negative_prompt") if values.get(k)]


def _texts(values: Mapping[str, JSON], keys: Iterable[str]) -> list[str]:
    return [_field(_title(key), values[key]) for key in keys if values.get(key)]


def _all_media(values: Mapping[str, JSON], roles: Iterable[str]) -> list[str]:
    return [_media(role, values[role]) for role in roles if values.get(role)]


def _params(values: Mapping[str, JSON]) -> list[str]:
    return [_param(name, value) for name, value in as_mapping(values.get("params")).items()]


def _skip(values: Mapping[str, JSON]) -> list[str]:
    skip = values.get("skip")
    if not skip:
        return []
    return [_field("Skip", "yes" if skip is True else skip)]


def _fenced_notes(notes: JSON) -> str:
    return f"**Notes**:\n\n{_fence(str(notes), 'text')}"


def _takes(value: JSON) -> list[str]:
    """Return `takes` as items: the number, and the words of each take that has its own."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [f"- **Takes**: {value}"]
    own = [(n, one["prompt"]) for n, one in enumerate(value, 1) if isinstance(one, dict)]
    return [f"- **Takes**: {len(value)}", *(_field(f"Take {n} prompt", words) for n, words in own)]


def _dialogue_text(value: JSON) -> str:
    if not isinstance(value, list):
        return str(value)
    return "\n".join(_spoken_line(as_mapping(one)) for one in value)


def _spoken_line(said: Mapping[str, JSON]) -> str:
    speaker = said.get("speaker")
    return f"{speaker}: {said['line']}" if speaker else str(said["line"])


def _in_yaml(shot: Mapping[str, JSON]) -> list[str]:
    """Return the keys whose values Markdown has no words for: each with a fence of YAML."""
    found = []
    for key in ("extra_params", "expect"):
        value = shot.get(key)
        if isinstance(value, str):
            found.append(f"- **{_title(key)}**: {value}")
        elif value:
            found.append(f"**{_title(key)}**:\n\n{_fence(_yaml(value).rstrip(), 'yaml')}")
    return found


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _plain_number(value: JSON) -> str:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(value)


def _heading(text: str) -> Block:
    return Block("heading", 0, 1, text=text)


def _bullets(items: Sequence[str]) -> list[str]:
    """Return bullets as one list, and what is not a bullet as blocks of its own behind it."""
    found: list[str] = []
    together: list[str] = []
    blocks: list[str] = []
    for item in items:
        (together if item.startswith("- ") and "\n\n" not in item else blocks).append(item)
    if together:
        found.append("\n".join(together))
    return found + blocks


def _headline(text: str) -> str:
    """Return text as a heading holds it, whose closing `#` would be no letters."""
    return escaped(text).replace("#", r"\#")


def _on_a_line(text: str) -> str | None:
    """Return text as it is written behind `- **Key**: `, or None when only a fence holds it."""
    if text != " ".join(text.split()) or not text.isprintable() or not text:
        return None
    plain = escaped(text)
    if unquoted(text) == text and not is_nothing(text):
        return plain
    for opening, closing in (('"', '"'), ("“", "”"), ("«", "»")):
        if opening not in text and closing not in text and unquoted(f"{opening}{text}{closing}") == text:
            return f"{opening}{plain}{closing}"
    return None


def _field(label: str, value: JSON) -> str:
    return _labelled(label, _on_a_line(str(value)), value)


def _labelled(label: str, line: str | None, value: JSON) -> str:
    """Return a field on one line; with a fence below its key where no line can hold the value."""
    if line is None:
        return f"**{label}**:\n\n{_fence(str(value), 'text')}"
    return f"- **{label}**: {line}"


def _fence(text: str, info: str) -> str:
    ticks = "`" * max(3, max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    return f"{ticks}{info}\n{text}\n{ticks}"


def _words(text: str, info: str) -> str:
    """Return a prompt as a quote where it reads back the same, else as a fence."""
    paragraphs = text.split("\n\n")
    if all(p and p == " ".join(p.split()) and p.isprintable() for p in paragraphs):
        quote = "\n>\n".join(f"> {escaped(p)}" for p in paragraphs)
        value, problems = markdown.read(f"## Scene 1\n\n{quote}\n", "")
        if not problems and under(value.value, "scenes") == [{"id": 1, "prompt": text}]:
            return quote
    return _fence(text, info)


def _note_survives(text: str, *, top: bool = False) -> bool:
    """Whether prose can be written as it is: it reads back as a note and as nothing else."""
    if not text.strip() or text != text.strip() or "\t" in text or "\r" in text or not _printable(text):
        return False
    scene = {"id": 1, "prompt": "x"}
    if top:
        found, problems = markdown.read(f"# T\n\n{text}\n\n## Scene 1\n\n> x\n", "")
        return not problems and found.value == {"kiebatch": 1, "title": "T", "notes": text, "scenes": [scene]}
    found, problems = markdown.read(f"## Scene 1\n\n{text}\n\n> x\n\n- **Takes**: 2\n", "")
    return not problems and under(found.value, "scenes") == [{**scene, "notes": text, "takes": 2}]


def _printable(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


def _name_fits(name: str) -> bool:
    return bool(re.fullmatch(r"\w[\w.-]*", name))


def _item(text: str) -> str | None:
    """Return text as the item of a list below a key, or None when only a YAML fence holds it."""
    line = _on_a_line(text)
    if line is None or not re.match(r"[-+*#>\\=|:]|\d+[.)]", line):
        return line  # nothing that opens a block of its own
    return f'"{line}"' if unquoted(f'"{text}"') == text else None


def _items(values: Sequence[JSON]) -> list[str | None]:
    """Return texts as the items of a list; None for one alone, which would be read as the value itself."""
    if len(values) == 1:
        return [None]
    return [_item(str(value)) for value in values]


def _listed(label: str, values: Sequence[JSON], items: Sequence[str | None]) -> str:
    if values and all(item is not None for item in items):
        return f"- **{label}**:\n" + "\n".join(f"  - {item}" for item in items)
    return f"**{label}**:\n\n{_fence(_yaml(_compact(list(values))).rstrip(), 'yaml')}"


def _names(label: str, value: JSON) -> str:
    names = list(map(str, _one_or_several(value)))
    if all(_on_a_line(n) == n and not re.search(r"[,，、;]", n) for n in names):
        return f"- **{label}**: {', '.join(names)}"
    return _listed(label, names, _items(names))


def _style_or_negative(label: str, value: JSON) -> str:
    if isinstance(value, list):
        return _listed(label, value, _items(value))
    text = str(value)
    if label == "Style" and "," in text:  # words, and no list of names
        return f"**{label}**:\n\n{_fence(text, 'text')}"
    return _field(label, text)


def _media(role: str, value: JSON) -> str:
    label = _title(role)
    if isinstance(value, list):
        return _listed(label, value, [_medium(v) for v in value])
    return _labelled(label, _medium(value), value)


def _medium(value: JSON) -> str | None:
    """Return a medium as it is written on a line: a path in back-ticks is not a shot."""
    if not isinstance(value, dict):
        text = str(value)
        whole = text == text.strip() and text.isprintable() and "`" not in text and "  " not in text
        return f"`{text}`" if whole else None
    details = (form.format(value[key]) for key, form in _DETAILS if value.get(key))
    return " ".join([str(value["shot"]), *details])


_DETAILS = (
    ("take", "take {}"),
    ("output", "output {}"),
    ("frame", "{} frame"),
    ("as", "as task"),
    ("model", "model {}"),
)


def _param(name: str, value: JSON) -> str:
    for text in _as_lines(value):
        if _reads_back(text, value):
            return f"- `{name}`: {text}"
    return f"- `{name}`:\n\n" + _indented(_fence(_yaml(value).rstrip("\n"), "yaml"))


def _as_lines(value: JSON) -> Sequence[str]:
    """Return how a value may be written behind its key, without quotes and with; nothing where no line holds it."""
    if isinstance(value, (dict, list)):
        return ()
    line = value if isinstance(value, str) else _yaml(value).strip().removesuffix("...").strip()
    if not line.isprintable() or line != line.strip() or "`" in line:
        return ()
    return (line, f'"{line}"')


def _reads_back(text: str, value: JSON) -> bool:
    """Whether a text behind a key is read as exactly this value."""
    try:
        read = scalar(text, Where("", 1, 1)).plain
    except Invalid:
        return False
    return bool(text) and (type(read), read) == (type(value), value)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.split("\n"))


# --- for who edits a Markdown file ---------------------------------------------------------------------


def field_text(text: str) -> str | None:
    """Return text as it can be behind `- **Key**: ` or in a table's cell; None when only a fence holds it."""
    return _on_a_line(text)


def prompt_block(text: str) -> str:
    """Return a prompt as a quote where that reads back the same, else as a fence."""
    return _words(text, "prompt")


def prompt_fence(text: str) -> str:
    return _fence(text, "prompt")
