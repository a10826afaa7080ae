"""Tells which key a label means, in the languages that ship and in the words of the file itself."""

from __future__ import annotations

import re
from typing import NamedTuple

from kiebatch.errors import Problems, suggested
from kiebatch.scenefile.markdown import labels
from kiebatch.scenefile.markdown.prose import Placed, without_marks

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
_REMARK = re.compile(r"\s*[(（][^()（）]*[)）]\s*$")
_TASK = re.compile(r"^\[[ xX]\]\s+")


class Found(NamedTuple):
    """A label that begins a line, and what follows it.  `key` is the known key that it means, or nothing."""

    style: str  # bold, plain, code
    label: str
    key: str
    rest: str


def _has_colon(match: re.Match[str]) -> bool:
    return bool(match["c1"] or match["c2"])


class Keys:
    """The keys of one file: those that ship, and those of its `labels:`."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.keys: dict[str, str] = dict(labels.KEYS)
        self.near: dict[str, str] = dict(labels.ENGLISH_KEYS)
        self.own: dict[str, str] = {}  # words for headings

    def entry(self, text: str, plain: bool) -> Found | None:
        """Return the key that a line begins with, else None.  `plain`: a label without any marks is one, too."""
        text = without_marks(_TASK.sub("", text))
        if match := _CODE.match(text):
            return Found("code", match["label"].strip(), "", match["rest"])
        if match := _BOLD.match(text):
            return self._bold(match)
        if match := _ITALIC.match(text):
            key = self.key(match["label"]) if _has_colon(match) else ""
            return Found("plain", match["label"].strip(), key, match["rest"]) if key else None
        if plain and (match := _PLAIN.match(text)):
            return Found("plain", match["label"].strip(), self.key(match["label"]), match["rest"])
        return None

    def _bold(self, match: re.Match[str]) -> Found | None:
        """Return a bold label with a colon, or a known key with a dash behind it."""
        label, rest = match["label"].strip(), match["rest"]
        if _has_colon(match):
            if label.startswith("`"):
                return Found("code", label.strip("`"), "", rest)
            return Found("bold", label, self.key(label), rest)
        key, dash = self.key(label), re.match(r"\s*[—–-]\s", rest)
        return Found("bold", label, key, rest[dash.end() :]) if key and dash else None

    def key(self, label: str) -> str:
        """Return the known key that a label means, or nothing.

        `Take 3 prompt` is the key `take_3_prompt`, `Kling prompt` the key `tool_video_prompt`.
        """
        for text in (label, _REMARK.sub("", label)):
            name = labels.canonical(text)
            if name in self.keys:
                return self.keys[name]
            if take := _TAKE_PROMPT.fullmatch(name):
                return f"take_{int(take.group(1))}_prompt"
            for kind, pattern in labels.TOOL_PROMPTS.items():
                if pattern.fullmatch(name):
                    return f"tool_{kind}_prompt"
        return ""

    def misspelt(self, label: str, shortest: int = 0) -> str:
        if len(labels.canonical(label)) < shortest:
            return ""
        return labels.misspelt(label, self.near)

    def take_labels(self, value: Placed) -> None:
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
                    f"`labels` names `{target.value}`, which is not a key",
                    hint=suggested(near),
                    code="unknown-key",
                )


def is_take_prompt(key: str) -> bool:
    return bool(re.fullmatch(r"take_\d+_prompt", key))


def is_tool_prompt(key: str) -> bool:
    """Whether a key is the prompt of a tool, such as `Kling prompt`."""
    return key in ("tool_image_prompt", "tool_video_prompt")
