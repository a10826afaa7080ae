"""What a shot says in the author's words, for people: names in place of descriptions, styles apart."""

from __future__ import annotations

import re

from kiebatch._dataclass import dataclass
from kiebatch.model import Character, LocalFile, Modality, Ref, ShotOutput, Slot, WebURL
from kiebatch.scenefile.prompts import is_json_object, with_variables
from kiebatch.scenefile.shape import MediaValue, ShotRef, media_of
from kiebatch.scenefile.shots import ShotSpec
from kiebatch.scenefile.source import PICTURED, Source, listed

_NAMED = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}")
_SCHEME = re.compile(r"(?i)^[a-z][a-z0-9+.-]*://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A shot's words twice, and the names in them.

    `words` is what the author wrote, with the names of characters; `described` says what these look like: what is to be
    seen.  Both leave out the style.
    """

    words: str = ""
    described: str = ""
    characters: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()


def wording(source: Source, spec: ShotSpec) -> Wording:
    """Return the author's words for a shot.  Says nothing of mistakes: the jobs do."""
    written = spec.prompt
    if is_json_object(written):
        return Wording(words=written.strip(), described=written.strip())
    used = [name.strip() for name in _NAMED.findall(written) if name.strip()]
    named, styles = _beside(source, spec)
    characters = [name for name in (*named, *used) if name in source.characters]
    in_front = [_sentence(_looks(source, name)) for name in characters if name not in used]
    seen = " ".join(filter(None, in_front))
    return Wording(
        words=_tidy(_NAMED.sub(lambda m: _spoken(source, m), written)),
        described=_tidy(f"{seen} {_NAMED.sub(lambda m: _seen(source, m), written)}"),
        characters=source.alike(characters),
        styles=source.alike([*(n for n in used if n in source.styles), *styles]),
    )


def _beside(source: Source, spec: ShotSpec) -> tuple[list[str], list[str]]:
    """Return the characters and the styles that a shot of the picture names beside its prompt."""
    modality: Modality = spec.models[0][1].modality if spec.models else "image"
    if spec.kind != "shot" or modality not in PICTURED:
        return [], []
    characters, _ = source.setting(spec, modality, "characters")
    styles, _ = source.setting(spec, modality, "style")
    return listed(characters), listed(styles)


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _spoken(source: Source, match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0][0]
    name = match[1].strip()
    if name in source.variables:
        return source.variables[name]
    if name in source.styles:
        return ""
    return name if name in source.characters else match[0]


def _seen(source: Source, match: re.Match[str]) -> str:
    name = (match[1] or "").strip()
    if name in source.characters:
        return _looks(source, name) or name
    return _spoken(source, match)


def _looks(source: Source, name: str) -> str:
    return with_variables(source, str(source.characters[name].get("text") or "")).strip()


def _tidy(text: str) -> str:
    """Close the gaps that a style left behind, and keep the author's line breaks."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    whole = "\n".join(re.sub(r"(?:\s*,)+\s*(?=,|$)", "", line) if "," in line else line for line in lines)
    return whole.strip().strip(",").strip()


# --- the cast ------------------------------------------------------------------------------------------


def characters(source: Source) -> dict[str, Character]:
    """Return the file's characters, each with its words and pictures, in the file's order."""
    return {
        name: Character(
            text=_looks(source, name), pictures=tuple(_pictures(source, given.get("references", [])))
        )
        for name, given in source.characters.items()
    }


def _pictures(source: Source, value: MediaValue) -> list[Ref]:
    found: list[Ref] = []
    for one in media_of(value):
        if isinstance(one, str) and one in source.references:
            found += _pictures(source, source.references[one])
        elif isinstance(one, str):
            found.append(WebURL(one) if _SCHEME.match(one) else LocalFile(one))
        elif one is not None and one.get("shot"):
            found.append(_output(one))
    return found


def _output(value: ShotRef) -> ShotOutput:
    base, _, take = str(value["shot"]).partition("#")
    said = value.get("take") or (int(take) if take.isdecimal() else 1)
    return ShotOutput(Slot(base.partition("@")[0], take=int(said)), output=int(value.get("output") or 1))
