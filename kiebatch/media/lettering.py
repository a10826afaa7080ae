"""Sets text into pictures, in any script that an installed font covers; never an empty box.

A character that no font covers is written in Latin letters where Unicode knows its parts, and left out with the mark
`MISSING` where it does not.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ImageDraw, ImageFont

MISSING = "·"
# Tried before all others: plain sans faces with many scripts, then one per system.
_LIKED = (
    "DejaVuSans.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "Helvetica.ttc",
    "segoeui.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "ArialUni.ttf",
    "PingFang.ttc",
    "msyh.ttc",
    "YuGothR.ttc",
    "malgun.ttf",
)
_ENDINGS = (".ttf", ".otf", ".ttc")
_PACKAGES = (
    "manimgx_fonts",
    "weblate_fonts",
)  # the extra `fonts`: most scripts and emoji; Chinese, Japanese, Korean
_MOST_FONTS = 600  # files that are looked at for a rare character
_PROBE = 32  # pixels at which a glyph is compared with the empty box
# The second one is Pillow's own, where no font file is installed.
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Piece(NamedTuple):
    """A run of text in one face; `face` None is Pillow's own."""

    face: str | None
    text: str


def folders() -> list[Path]:
    """Return where fonts are kept: by this system, and by the extra `kiebatch[fonts]` where it is installed."""
    return [*_system_folders(), *_packaged_folders()]


def _system_folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    if sys.platform == "win32":
        windows = Path(os.environ.get("WINDIR", "C:/Windows"))
        return [windows / "Fonts", home / "AppData/Local/Microsoft/Windows/Fonts"]
    return [
        home / ".fonts",
        home / ".local/share/fonts",
        Path("/usr/local/share/fonts"),
        Path("/usr/share/fonts"),
    ]


def _packaged_folders() -> list[Path]:
    # Found, not imported: these packages hold font files, and one of them belongs to a web framework.
    found = [importlib.util.find_spec(name) for name in _PACKAGES]
    return [Path(folder) for spec in found if spec for folder in spec.submodule_search_locations or ()]


@cache
def faces() -> tuple[str, ...]:
    """Return the font files of this system, those to be tried first in front."""
    every = (path for folder in folders() if folder.is_dir() for path in sorted(folder.rglob("*")))
    usable = [
        path for path in every if path.suffix.lower() in _ENDINGS and "lastresort" not in path.stem.lower()
    ]
    return tuple(str(path) for path in sorted(usable, key=_rank)[:_MOST_FONTS])


def _rank(path: Path) -> tuple[int, bool, bool, str]:
    """Return what faces are sorted by: those that are liked, then plain ones that draw letters."""
    name = path.stem.lower()
    # Faces that map letters to pictures come last: they would claim to cover everything.
    picture = any(word in name for word in ("symbol", "dings", "emoji", "icon", "music"))
    styled = any(word in name for word in ("bold", "italic", "oblique", "mono", "serif", "light"))
    liked = _LIKED.index(path.name) if path.name in _LIKED else len(_LIKED)
    return liked, picture, styled, path.name


def pieces(text: str, only: Sequence[str] | None = None) -> list[Piece]:
    """Return `text` as runs, each with a face that covers it; what no face covers is put into other words.

    `only` names the faces that may be used, instead of all.
    """
    found: list[Piece] = []
    for character in _visible(text):
        for drawn, face in _covered(character, tuple(only) if only is not None else None):
            last = found[-1] if found else None
            if last and (last.face == face or drawn == " "):
                found[-1] = Piece(last.face, last.text + drawn)
            else:
                found.append(Piece(face, drawn))
    return found


def fonts(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the font files in which these texts are set; another machine may have others."""
    found = {face for text in texts for face, _ in pieces(text)}
    return tuple(sorted(Path(face).name if face else "" for face in found))


def width(text: str, size: float) -> float:
    """Return how many pixels a line takes at this size of font."""
    return float(sum(_font(face, _step(size)).getlength(run) for face, run in pieces(text)))


def draw(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: float, fill: Any, *, anchor: str = "l"
) -> float:
    """Draw one line with its baseline at `at`, and return its width; `anchor` is `l`, `m` or `r`."""
    runs = pieces(text)
    if _right_to_left(text):
        runs.reverse()
    fonts = [_font(face, _step(size)) for face, _ in runs]
    lengths = [font.getlength(run) for font, (_, run) in zip(fonts, runs, strict=True)]
    total = float(sum(lengths))
    x = at[0] - {"l": 0.0, "m": total / 2, "r": total}[anchor]
    for font, (_, run), length in zip(fonts, runs, lengths, strict=True):
        pen.text((x, at[1]), run, font=font, fill=fill, anchor="ls")
        x += length
    return total


def wrap(text: str, size: float, room: float, most: int = 100) -> list[str]:
    """Return `text` as lines no wider than `room` pixels, at most `most`; the last ends in `...` when more was said.

    Breaks at spaces, and between the characters of scripts that are written without.
    """
    step = _step(size)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += _wrapped(paragraph, step, room, most - len(lines))
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and _length(last + "…", step) > room:
        last = last[:-1]
    return [*lines[: most - 1], last.rstrip(" ,;:") + "…"]


def _wrapped(paragraph: str, step: int, room: float, most: int) -> list[str]:
    """Return the lines of a paragraph; of one that takes more than `most`, one more at least."""
    lines: list[str] = []
    line, taken = "", 0.0
    for word in words(paragraph):
        length = _length(word, step)
        if line and taken + _length(word.rstrip(), step) > room:
            lines.append(line.rstrip())
            line, taken = "", 0.0
            if len(lines) > most:
                break
        while length > room and len(word) > 1:  # one word that is wider than the room
            cut = max(1, int(len(word) * room / length))
            lines.append(line + word[:cut])
            line, taken, word = "", 0.0, word[cut:]
            length = _length(word, step)
        line += word
        taken += length
    return [*lines, line.rstrip()] if line.strip() else lines


def words(text: str) -> Iterator[str]:
    """Yield the pieces of a text between which a line may break, each with the space behind it."""
    word = ""
    for character in text:
        wide = unicodedata.east_asian_width(character) in "WF"
        if wide and word and not word.endswith(" ") and unicodedata.category(character)[0] != "P":
            yield word
            word = ""
        word += character
        if character.isspace():
            yield word
            word = ""
    if word:
        yield word


@lru_cache(maxsize=8192)
def _length(word: str, size: int) -> float:
    return float(sum(_font(face, size).getlength(run) for face, run in pieces(word)))


def _step(size: float) -> int:
    return max(6, round(size))


@lru_cache(maxsize=64)
def _font(face: str | None, size: int) -> Font:
    if face is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(face, size)


def _visible(text: str) -> str:
    """Leave out what has no shape of its own: controls, joiners and the marks that turn the direction."""
    spaced = "".join(" " if c in "\t\n\r\u00a0" else c for c in unicodedata.normalize("NFC", text))
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))


@lru_cache(maxsize=16384)
def _covered(character: str, only: tuple[str, ...] | None) -> tuple[tuple[str, str | None], ...]:
    """Return what is drawn for a character, each part with its face: itself, its Latin letters, the mark, or nothing."""
    names: tuple[str | None, ...] = (*(faces() if only is None else only), None)
    first = names[0]
    if character == " ":
        return ((" ", first),)
    for face in names:
        if covers(face, character):
            return ((character, face),)
    plain = _latin(character)
    if plain and plain != character:
        return tuple((letter, first) for letter in plain)
    if unicodedata.combining(character) or unicodedata.category(character) == "Mn":
        return ()
    return ((MISSING, first),)


def _latin(character: str) -> str:
    """Return the Latin letters and signs that Unicode takes a character apart into."""
    parts = unicodedata.normalize("NFKD", character)
    return "".join(part for part in parts if part.isascii() and part.isprintable())


@lru_cache(maxsize=65536)
def covers(face: str | None, character: str) -> bool:
    """Whether a font file (None: Pillow's own) has a glyph for a character: one that differs from its empty box."""
    box = _box(face)
    if box is None:
        return False
    try:
        return _shape(face, character) != box
    except (OSError, ValueError):
        return False


@cache
def _box(face: str | None) -> tuple[object, ...] | None:
    """Return what a font draws for a character that it lacks; None for a font that cannot be used."""
    try:
        shape = _shape(face, "\U0010fffe")
        return shape if _shape(face, "n") != () else None
    except (OSError, ValueError):
        return None


def _shape(face: str | None, character: str) -> tuple[object, ...]:
    probe = _probe(face)
    if not isinstance(probe, ImageFont.FreeTypeFont):
        raise ValueError("Pillow's own font without FreeType has the letters of English alone")
    mask, offset = probe.getmask2(character, mode="L")
    return (mask.size, offset, bytes(mask))


@lru_cache(maxsize=16)
def _probe(face: str | None) -> Font:
    if face is None:
        return ImageFont.load_default(_PROBE)
    return ImageFont.truetype(face, _PROBE, layout_engine=ImageFont.Layout.BASIC)


def _right_to_left(text: str) -> bool:
    strong = next((d for d in map(unicodedata.bidirectional, text) if d in ("L", "R", "AL")), "L")
    return strong != "L"
