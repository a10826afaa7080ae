"""What the page's script knows of a shot: its takes, versions and files, and the notes on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kiebatch.board.film import Panel, Take, Version
from kiebatch.board.wording import credits, label
from kiebatch.model import JSON, Asset
from kiebatch.record.notes import Note, Status, Thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Where a page finds one asset's media: addresses beside the page, on its server, or `data:` texts.

    Empty where there is none: a file that is gone, a clip without ffmpeg.  `poster` is a larger `thumb`, for a player
    or a sharp screen; `text` is how a text begins.  `peaks` are loudness values, 0 to 100.
    A file that is `away` is in the store, and not here.
    """

    thumb: str = ""
    media: str = ""
    text: str = ""
    poster: str = ""
    peaks: tuple[int, ...] = ()
    away: bool = False


NOTHING = Shown()


def own_key(shot_name: str) -> str:
    """Return the key in `shown` of a sound of the author's own; asset ids have no colon."""
    return f"own:{shot_name}"


def panel_data(panel: Panel, shown: Mapping[str, Shown], *, served: bool, priced: bool = True) -> JSON:
    """Return what the viewer knows of a shot, as JSON.

    `shown` is keyed by asset id, and by `own_key` for sounds of the author's own.  A page from the disk (not `served`) has the shown picture in itself, so it is not
    repeated here; without `priced` no credits are named.
    """
    return _PanelData(panel, shown, served=served, priced=priced).value()


class _PanelData:
    def __init__(self, panel: Panel, shown: Mapping[str, Shown], *, served: bool, priced: bool) -> None:
        self._panel = panel
        self._shown = shown
        self._served = served
        self._priced = priced
        self._prompts: dict[str, int] = {}  # named by number, since takes mostly share one

    def value(self) -> JSON:
        panel = self._panel
        takes = [self._take(take) for take in panel.takes]
        found = {
            "sent": self._other(panel.prompt, panel.words),
            "scene": panel.scene,
            "seconds": panel.duration_s,
            "kind": panel.kind if panel.is_sound else "",
            "own": self._shown.get(own_key(panel.name), NOTHING).media,
            "through": panel.through,
            "status": _unless(panel.review.status, Status.OPEN),
            "statusBy": panel.review.author,
            "threads": [_thread(thread) for thread in panel.threads],
        }
        return {
            "name": panel.name,
            "takes": takes,
            "prompts": list(self._prompts),
            **_without_empty(found),
        }

    def _number(self, prompt: str) -> int:
        """Return the number of a prompt, from 1."""
        return self._prompts.setdefault(prompt, len(self._prompts)) + 1

    def _other(self, prompt: str, usual: str = "") -> int | None:
        """Return the number of a prompt that is not the usual one."""
        return None if prompt == usual else self._number(prompt)

    def _take(self, take: Take) -> JSON:
        standing, usual = take.standing, self._panel.prompt
        return _without_empty(
            {
                "slot": take.slot,
                "n": take.number,
                "model": take.model,
                "label": label(take, self._panel),
                "state": take.state,
                "message": take.message,
                "unmet": list(take.unmet),
                "unjudged": list(take.unjudged),
                "choice": _unless(standing.choice, "none"),
                "note": standing.note,
                "star": standing.star,
                "author": standing.author,
                "asked": self._other(take.prompt or usual, usual),
                "raw": self._other(take.raw),
                "versions": [self._version(version) for version in take.versions],
            }
        )

    def _version(self, version: Version) -> JSON:
        first = version.first
        spent = credits(sum(a.credits or 0.0 for a in version.assets)) if self._priced else ""
        return _without_empty(
            {
                "v": version.number,
                "at": first.created_at[:16].replace("T", " "),
                "model": first.model,
                "credits": spent,
                "p": self._number(first.prompt),
                "raw": self._other(str(first.extra.get("prompt_raw") or "")),
                "pieces": [[how[0], words] for how, words in version.pieces],
                "changes": list(version.changes),
                "files": [self._file(asset) for asset in version.assets],
            }
        )

    def _file(self, asset: Asset) -> JSON:
        found = self._shown.get(asset.id, NOTHING)
        shows = self._panel.shown
        in_the_page = bool(shows and shows.asset and asset.id == shows.asset.id)
        return _without_empty(
            {
                "id": asset.id,
                "sha": (asset.sha256 or "")[:16],
                "type": asset.type,
                "name": asset.filename.rpartition("/")[2],
                "src": found.media,
                "away": f"kiebatch pull {self._panel.name}" if found.away else "",
                "thumb": found.thumb if self._served or not in_the_page else "",
                "poster": found.poster if asset.type == "video" else "",
                "w": asset.width,
                "h": asset.height,
                "s": asset.duration,
            }
        )


def _unless(word: str, usual: str) -> str:
    """Return a word; nothing where it is the usual one."""
    return "" if word == usual else word


def _thread(thread: Thread) -> JSON:
    first = thread.first
    place = first.at
    found = {
        **_note(first),
        "slot": first.slot,
        "sha": first.sha256,
        "at": [place.x, place.y, place.width, place.height] if place else None,
        "s": first.seconds,
        "done": first.done,
        "doneBy": first.done_by,
        "replies": [_note(reply) for reply in thread.replies],
    }
    return _without_empty(found)


def _note(note: Note) -> dict[str, JSON]:
    return {
        "id": note.id,
        "text": note.text,
        "author": note.author,
        "time": note.time[:16].replace("T", " "),
        "edited": note.edited,
    }


def _without_empty(found: Mapping[str, JSON]) -> dict[str, JSON]:
    """Leave out what says nothing.  0 stays: it is a time, or a place at the edge."""
    return {key: value for key, value in found.items() if value not in ("", None, []) and value is not False}
