"""What changed as Markdown with a before-and-after picture, for a pull request."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from kiebatch.ci import answers, documents
from kiebatch.ci.answers import Totals
from kiebatch.errors import counted, plain
from kiebatch.media import Derivatives, Wanted
from kiebatch.model import JSON, USD_PER_CREDIT, Asset
from kiebatch.project import Snapshot
from kiebatch.project.snapshots import Read
from kiebatch.record.manifest.differences import SlotChange, number, totals

MAX_BYTES = 60_000  # a comment on GitHub takes 65,536 characters
MAX_PICTURE_BYTES = 2_000_000
MAX_PANELS = 60
_CHANGES = 100
_CELL = (320, 180)
_GAP, _LINE = 12, 22
_PAPER, _INK, _FAINT, _EMPTY = (250, 250, 248), (30, 30, 30), (130, 130, 130), (233, 233, 229)
_HEADINGS = {
    "new-version": "New versions",
    "added": "New",
    "changed": "Changed in the record",
    "picked": "Picks",
    "orphaned": "No longer in the scene file",
    "removed": "Removed",
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One changed slot on the contact sheet: the bytes of a picture before and after, None where there is none."""

    caption: str
    before: bytes | None
    after: bytes | None


# --- words ---------------------------------------------------------------------------------------------


def markdown(
    changes: Sequence[SlotChange],
    old: str,
    new: str,
    *,
    picture: str | None = None,
    plan: Mapping[str, JSON] | None = None,
    failed: Sequence[Mapping[str, JSON]] = (),
    held: Sequence[Mapping[str, JSON]] = (),
) -> str:
    """Return the report on what changed from `old` to `new` (labels), at most `MAX_BYTES` long.

    `picture` is how the text names the contact sheet; `plan` is the plan's document of contract section 8, `failed`
    and `held` are slots with their `message`, as `status` gives them.
    """
    counts = totals(changes)
    parts = [
        f"## kiebatch: {documents.code(old)} → {documents.code(new)}",
        f"{_counted(counts)}; {_money('spent', counts['credits'])}{_planned(plan)}",
    ]
    parts += documents.digest_line(plan or {})
    if picture and changes:
        parts.append(f"![before and after]({picture})")
    if held:
        parts += ["### Held: perhaps charged, decide with `kiebatch resolve`", _problems(held)]
    if failed:
        parts += ["### Failed", _problems(failed)]
    return documents.bounded(parts + _listed(changes), MAX_BYTES)


def _listed(changes: Sequence[SlotChange]) -> list[str]:
    """Return the changes under a heading for each kind, and how many were left out."""
    parts = []
    shown = 0
    for kind, heading in _HEADINGS.items():
        found = [change for change in changes if change.change == kind]
        if not found:
            continue
        parts.append(f"### {heading}")
        parts += map(_change, found[: _CHANGES - shown])
        shown += min(len(found), _CHANGES - shown)
    if shown < len(changes):
        parts.append(f"… and {len(changes) - shown} more: `kiebatch diff` shows them all.")
    return parts


def _counted(counts: Mapping[str, float]) -> str:
    names = {
        "new-version": "with a new version",
        "added": "new",
        "changed": "changed in the record",
        "picked": "with another decision",
        "orphaned": "no longer in the scene file",
        "removed": "removed",
    }
    found = [f"{counts[key]} {name}" for key, name in names.items() if counts[key]]
    if not found:
        return "Nothing changed"
    return f"**{counted(int(counts['slots']), 'slot')}**: " + ", ".join(found)


def _money(what: str, credits: float) -> str:
    return f"**{number(credits):g} credits** (about {credits * USD_PER_CREDIT:.2f} USD) {what}"


def _planned(plan: Mapping[str, JSON] | None) -> str:
    if plan is None:
        return ""
    work = answers.of_plan(plan).get("totals") or Totals()
    if not work.get("jobs"):
        return "; nothing more to do"
    unpriced = f", {work['unpriced']} of them without a known price" if work.get("unpriced") else ""
    return f"; {_money('planned', work.get('credits') or 0)} for {work['jobs']} jobs{unpriced}"


def _problems(rows: Sequence[Mapping[str, JSON]]) -> str:
    return "\n".join(
        f"- {documents.code(row.get('slot'))}: {documents.markdown(row.get('message') or '')}"
        for row in rows[:50]
    )


def _change(change: SlotChange) -> str:
    files = [asset.filename for asset in change.new if change.change in ("added", "new-version")]
    lines = [f"- **{documents.markdown(change.slot)}**: {documents.markdown(change.summary)}"]
    lines += [f"  - {documents.code(filename)}" for filename in files[:4]]
    if change.change != "added":
        lines += [f"  - {documents.markdown(words, limit=1500)}" for words in change.words[:12]]
    return "\n".join(lines)


# --- pictures ------------------------------------------------------------------------------------------


def panels(
    changes: Sequence[SlotChange], old: Snapshot, new: Snapshot, thumbnails: Derivatives
) -> list[Panel]:
    """Return the pictures of the slots whose files changed, those that have any.

    A clip shows its first frame.  What was not in git then, or cannot be read, has no picture.
    """
    found: list[Panel] = []
    for change in changes:
        if len(found) == MAX_PANELS:
            break
        if change.change not in ("added", "new-version", "removed", "picked"):
            continue
        before = _thumbnail(change.old, old.read, thumbnails)
        after = _thumbnail(change.new, new.read, thumbnails)
        if before or after:
            found.append(Panel(change.slot, before, after))
    return found


def _thumbnail(assets: Sequence[Asset], read: Read, thumbnails: Derivatives) -> bytes | None:
    asset = next((a for a in assets if a.type in ("image", "video")), None)
    if asset is None:
        return None
    modality = asset.type
    made = thumbnails.kept(asset, "thumb")
    if made is not None:
        return made.read_bytes()
    content = read(asset.filename)
    if not content:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"panel{Path(asset.filename).suffix}"
        path.write_bytes(content)
        target = thumbnails.get(Wanted(path, hashlib.sha256(content).hexdigest(), modality, "thumb"))
        return target.read_bytes() if target else None


def contact_sheet(found: Sequence[Panel], limit: int = MAX_PICTURE_BYTES) -> bytes:
    """Return the panels as one PNG of at most `limit` bytes: before at the left, after at the right of each pair."""
    columns = 2 if len(found) > 3 else 1
    rows = -(-len(found) // columns)
    pair = 2 * _CELL[0] + _GAP
    sheet = Image.new(
        "RGB", (columns * (pair + 2 * _GAP), rows * (_CELL[1] + _LINE + _GAP) + _GAP + _LINE), _PAPER
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for column in range(columns):
        left = column * (pair + 2 * _GAP) + _GAP
        draw.text((left, 4), "before", _FAINT, font)
        draw.text((left + _CELL[0] + _GAP, 4), "after", _FAINT, font)
    for index, panel in enumerate(found):
        left = (index % columns) * (pair + 2 * _GAP) + _GAP
        top = (index // columns) * (_CELL[1] + _LINE + _GAP) + _LINE + 4
        for side, content in enumerate((panel.before, panel.after)):
            _cell(sheet, content, (left + side * (_CELL[0] + _GAP), top))
        draw.text((left, top + _CELL[1] + 2), plain(panel.caption, limit=70), _INK, font)
    return _png(sheet, limit)


def _cell(sheet: Image.Image, content: bytes | None, at: tuple[int, int]) -> None:
    box = (*at, at[0] + _CELL[0] - 1, at[1] + _CELL[1] - 1)
    ImageDraw.Draw(sheet).rectangle(box, fill=_EMPTY)
    if content is None:
        return
    with Image.open(io.BytesIO(content)) as opened:
        image = ImageOps.contain(opened.convert("RGB"), _CELL, Image.Resampling.LANCZOS)
    offset = ((_CELL[0] - image.width) // 2, (_CELL[1] - image.height) // 2)
    sheet.paste(image, (at[0] + offset[0], at[1] + offset[1]))


def _png(sheet: Image.Image, limit: int) -> bytes:
    """Fewer colours first, then fewer pixels."""
    content = _encoded(sheet)
    scale = 1.0
    while len(content) > limit:
        size = (max(1, round(sheet.width * scale)), max(1, round(sheet.height * scale)))
        content = _encoded(sheet.resize(size, Image.Resampling.LANCZOS).quantize(128))
        scale *= min(0.8, (limit / len(content)) ** 0.5)
    return content


def _encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
