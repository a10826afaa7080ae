"""Finds placeholders of templates in a prompt: words in brackets that nothing filled in.

`{name}` is not one of them: a name that means nothing is an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from kiebatch._dataclass import dataclass

# A bracket in capitals, or with one of the words that templates use; `[wide shot]` is somebody's own way to write.
_TEMPLATE_WORDS = (
    "insert|your|enter|fill|replace|placeholder|name|subject|character|hero|object|product|brand|place|location"
    "|setting|style|mood|action|topic|theme|adjective|colou?r|prompt|description|describe|tbd|todo"
)
# Texts, which `re` compiles for the first prompt that holds the sign before it: without that nothing of its shape is there.
_SHAPES = (
    ("{{", r"\{\{\s*(?P<inner>[^{}\n]{1,80}?)\s*\}\}"),
    ("${", r"\$\{\s*(?P<inner>[^{}\n]{1,80}?)\s*\}"),
    ("{", r"(?<!\{)\{\s*(?P<inner>[^\W\d][^{}\n\":]{0,60}[\s$.][^{}\n\":]{0,60}?|\$[^{}\n\":]{1,60}?)\s*\}"),
    ("[", r"\[(?P<inner>[A-Z][A-Z0-9]*(?:[ _/-][A-Z0-9]+)*)\](?!\()"),
    ("[", rf"(?i)\[(?P<inner>(?:[\w' -]+ )?(?:{_TEMPLATE_WORDS})(?: [\w' -]+)?|\w+_\w+)\](?!\()"),
    ("<", r"<(?P<inner>[A-Za-z][\w -]{1,40})>"),
    ("%", r"%(?P<inner>[A-Za-z]\w{1,30})%"),
    ("__", r"(?<![\w_])__(?P<inner>[A-Z][A-Z0-9_]{0,30}?)__(?![\w_])"),
)
_KNOWN_IN_BRACKETS = r"\[(?P<inner>[^\[\]\n]{1,60})\]|(?<![\w.])@(?P<at>[^\W\d][\w-]*)"
_MARKUP = frozenset(["b", "i", "u", "em", "strong", "br", "p", "sup", "sub"])


@dataclass(frozen=True, slots=True)
class Unfilled:
    """A placeholder as it was written and as it would be sent; `name` is what could fill it."""

    written: str
    sent: str
    name: str


def unfilled(prompt: str, known: Collection[str], notes: Sequence[str]) -> list[Unfilled]:
    """Return the placeholders of a prompt, each once, in order.

    `known` are the names of styles, characters and variables.  `notes` are the prompting notes of the model: forms
    that they name, such as `[Image 1]`, are not placeholders.
    """
    if not any(c in prompt for c in "{[<%_@"):
        return []
    written = list(_found(prompt, known))
    if not written:
        return []
    said = {
        _form(text) for note in notes for text in re.findall(r"[\[<@][^\s\]>,.;:]*(?:[^\]>@]*[\]>])?", note)
    }
    found = {u.written: u for u in written if not _is_said(u.written, said)}
    return sorted(found.values(), key=lambda u: prompt.index(u.written))


def _found(prompt: str, known: Collection[str]) -> Iterator[Unfilled]:
    taken = ""
    for sign, shape in _SHAPES:
        for match in re.finditer(shape, prompt) if sign in prompt else ():
            inner = match["inner"].strip()
            written = match.group(0)
            if written in taken or inner.lower() in _MARKUP:
                continue
            taken += written
            sent = written.replace("{{", "{").replace("}}", "}")
            yield Unfilled(written, sent, _name(inner))
    if "[" not in prompt and "@" not in prompt:
        return
    for match in re.finditer(_KNOWN_IN_BRACKETS, prompt):
        inner = (match["inner"] or match["at"]).strip()
        if inner in known and match.group(0) not in taken:
            yield Unfilled(match.group(0), match.group(0), inner)


def _is_said(written: str, said: Collection[str]) -> bool:
    """Whether a note names a form: `@image1` covers `@image2`, `@name` every name behind an `@`."""
    return _form(written) in said or (written.startswith("@") and any(form.endswith("name") for form in said))


def _form(text: str) -> str:
    """Return a form without its number, so that a note about `[Image 1]` covers `[Image 2]`."""
    return re.sub(r"\d+", "0", text).strip().casefold()


def _name(inner: str) -> str:
    """Return a name for what is in the brackets: `$json.light` is `light`."""
    last = re.split(r"[.$]", inner)[-1] or inner
    return re.sub(r"[^\w]+", "_", last).strip("_").lower() or "name"
