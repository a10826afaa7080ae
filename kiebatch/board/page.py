"""The storyboard page: one HTML text with its style and script inside, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from kiebatch.board.film import STATE_WORDS, BoardScene, Film, Panel
from kiebatch.board.panel_data import NOTHING, Shown, own_key, panel_data
from kiebatch.board.wording import clock, credits, label, seconds
from kiebatch.errors import counted
from kiebatch.model import JSON
from kiebatch.record.notes import Status
from kiebatch.scenefile import negatives

KINDS: Mapping[str, str] = {"vo": "Voice", "music": "Music", "sfx": "Effects", "shot": "Sound"}
FILTERS = (
    ("all", "All"),
    ("unpicked", "To pick"),
    ("picked", "Picked"),
    ("starred", "Starred"),
    ("noted", "Notes"),
    ("gaps", "To make"),
    ("changed", "Changed"),
    ("problems", "Problems"),
    ("unmet", "Not as expected"),
    ("in-review", "In review"),
    ("changes-asked", "Changes asked"),
    ("approved", "Approved"),
)
_FILTERS_OF_OWNERS = ("unpicked", "gaps", "changed", "problems", "unmet")
STATUSES: Mapping[Status, str] = {
    Status.OPEN: "Open",
    Status.IN_REVIEW: "In review",
    Status.APPROVED: "Approved",
    Status.CHANGES: "Changes asked",
}
_SCRIPTS = (
    *("base", "shots", "memory", "decisions", "filter", "sheets", "viewer", "side", "threads"),
    *("compare", "player", "keys", "sound"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a served page needs beyond a written one.

    `may_write` lets it change the scene file.  A `guest` sees no prices and writes notes alone.
    """

    author: str = ""
    may_write: bool = False
    may_run: bool = True
    guest: bool = False


def page(film: Film, shown: Mapping[str, Shown], *, review: Review | None = None) -> str:
    """Return the whole page.  `shown` is keyed by asset id; an asset that is not in it has no picture."""
    return _environment().get_template("page.html").render(_values(film, shown, review))


def panels(
    film: Film, names: Collection[str], shown: Mapping[str, Shown], *, review: Review | None = None
) -> dict[str, str]:
    """Return some shots of the page as HTML, by name, and under the empty name the sums of the film."""
    module: Any = _environment().get_template("panel.html").make_module(_values(film, shown, review))
    found = {p.name: str(module.panel(p)) for p in film.panels if p.name in names}
    return {"": str(module.sums()), **found}


def policy(film: Film, *, served: bool) -> str:
    """Return the content security policy: the page's own style and script by their digests, and no others."""
    media, connect = "'self' file: data: blob:", "'none'"
    if served:
        media = connect = "'self'"
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(script(served=served))}'",
            f"style-src '{_digest(style(film))}'",
            f"img-src {media} data:",
            f"media-src {media}",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


@cache
def script(*, served: bool) -> str:
    """Return the page's script.  Only a served page has the part that speaks to the server."""
    names = [*_SCRIPTS, "review", "start"] if served else [*_SCRIPTS, "start"]
    return '(() => {\n"use strict";\n' + "".join(_source(f"{name}.js") for name in names) + "})();\n"


def style(film: Film) -> str:
    """Return the page's style: ours, and what depends on the film, since a strict page has no style attributes."""
    width, height = film.shape
    column, solo = ("13rem", "17rem") if height > width else ("21rem", "36rem")
    own = [f":root{{--mat:{width}/{height};--column:{column};--solo:{solo}}}"]
    lengths = {_grow(p) for s in film.scenes for p in s.panels if p.kind == "shot"}
    lengths |= {_reach(s) for s in film.scenes}
    own += [f".g{grow}{{flex-grow:{grow}}}" for grow in sorted(lengths)]
    return _source("page.css") + "\n".join(own) + "\n"


def _source(name: str) -> str:
    return files("kiebatch.board").joinpath("web", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _grow(panel: Panel) -> int:
    """Return a shot's share of the film strip, in tenths of a second."""
    return max(5, min(600, round((panel.duration_s or 3.0) * 10)))


def _reach(scene: BoardScene) -> int:
    """Return a scene's share of the film strip: that of its shots."""
    return sum(_grow(p) for p in scene.panels if p.kind == "shot")


# Signs that a page does not show and that change what lies beside them: control characters, and those that turn a
# line around, so that `exe.png` reads as `gnp.exe`.  Letters that run from right to left need none of them.
_UNSEEN = dict.fromkeys(
    (*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)


def _readable(value: object) -> object:
    """Return what an expression of a template shows, without the signs that are not seen."""
    if isinstance(value, Markup):
        return Markup(str(value).translate(_UNSEEN))
    return value.translate(_UNSEEN) if isinstance(value, str) else value


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kiebatch.board", "web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_readable,
    )
    environment.filters.update(
        seconds=seconds,
        clock=clock,
        credits=credits,
        kind=lambda kind: KINDS[kind],
        grow=_grow,
        reach=_reach,
        label=label,
        sentence=lambda text: text[:1].upper() + text[1:],
        state_words=STATE_WORDS.__getitem__,
    )
    return environment


def entrance(problem: str, *, asks_name: bool, asks_password: bool) -> tuple[str, str]:
    """Return the page that asks who comes in, and its content security policy."""
    own = _source("enter.css")
    text = (
        _environment()
        .get_template("enter.html")
        .render(problem=problem, asks_name=asks_name, asks_password=asks_password, style=Markup(own))
    )
    policy = (
        f"default-src 'none'; style-src '{_digest(own)}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return text, policy


def _values(film: Film, shown: Mapping[str, Shown], review: Review | None) -> dict[str, Any]:
    served = review is not None
    priced = not film.draft and not (review and review.guest)
    return {
        "film": film,
        "own": lambda panel: shown.get(own_key(panel.name), NOTHING),
        "shown": lambda asset: shown.get(asset.id, NOTHING) if asset else NOTHING,
        "review": review,
        "priced": priced,
        "style": Markup(style(film)),
        "script": Markup(script(served=served)),
        "policy": policy(film, served=served),
        "filters": [
            (key, label, film.counts[key])
            for key, label in FILTERS
            if not (review and review.guest and key in _FILTERS_OF_OWNERS)
        ],
        "made": _made(film),
        "data": lambda panel: embedded(panel_data(panel, shown, served=served, priced=priced)),
        "settings": embedded(_settings(film, review)),
        "statuses": STATUSES,
        "wave": wave,
    }


def _made(film: Film) -> str:
    """Return how much of the film is made: `24 shots made`, or `3 of 24 shots made`, and the sounds apart."""
    wanted = [panel for panel in film.panels if panel.takes and not panel.skip]
    shots = _count("shot", [panel for panel in wanted if not panel.is_sound])
    sounds = _count("sound", [panel for panel in wanted if panel.is_sound])
    parts = ", ".join(filter(None, (shots, sounds)))
    return f"{parts} made" if parts else ""


def _count(name: str, panels: Sequence[Panel]) -> str:
    if not panels:
        return ""
    made = sum(bool(panel.shown and panel.shown.versions) for panel in panels)
    whole = counted(len(panels), name)
    return whole if made == len(panels) else f"{made} of {whole}"


def _settings(film: Film, review: Review | None) -> JSON:
    return {
        "title": film.title,
        "film": film.id,
        "folder": film.folder,
        "served": review is not None,
        "author": review.author if review else "",
        "write": bool(review and review.may_write),
        "run": bool(review and review.may_run),
        "guest": bool(review and review.guest),
        "statuses": [[status, words] for status, words in STATUSES.items()],
        "starters": {name: ", ".join(terms) for name, terms in negatives.starters().items()},
        "states": {state: words[:1].upper() + words[1:] for state, words in STATE_WORDS.items()},
    }


def embedded(value: JSON) -> Markup:
    """Return JSON that can be put into a script element whatever its texts are."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def wave(peaks: tuple[int, ...]) -> str:
    """Return the path of a waveform, two units wide for each value, 40 high."""
    return "".join(
        f"M{2 * i + 1} {20 - max(1, p) * 0.19:.0f}v{max(1, p) * 0.38:.0f}" for i, p in enumerate(peaks)
    )
