"""Files of a project: manifest, journal, timelines, media."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from fractions import Fraction
from functools import cache
from pathlib import Path

from PIL import Image

from bench.fuzzing.kind import HOSTILE, JSON, Kind, Verdict, changed, few, spoilt
from bench.fuzzing.texts import planned
from kiebatch import media
from kiebatch.errors import Invalid, KieBatchError
from kiebatch.exports import apart, otio
from kiebatch.media import Derivatives, Undecodable, Wanted
from kiebatch.model import Slot
from kiebatch.record import manifest, open_journal
from kiebatch.record.ledger import Claimed, Intent, Key

_WHOLE_WAY = 0.1  # of the timelines are read by a process that is started for it, as they are for a user
SCENES = "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n- {id: 1, prompt: a boat}\n- {id: 2, prompt: a stair, takes: 2}\n"
CLIPS = Path(__file__).parents[2] / "kiebatch" / "simulator" / "drawing" / "media"


def _record() -> dict[str, JSON]:
    def entry(number: int, scene: int, **more: JSON) -> dict[str, JSON]:
        name = f"assets/images/scene-{scene:02d}.png"
        return {
            "id": f"img-{number:03d}", "type": "image", "filename": name, "prompt": "a boat", "model": "nano-banana-2",
            "parameters": {"endpoint": "/api/v1/jobs/createTask", "input": {"prompt": "a boat"}}, "created_at": "2026-03-01T10:00:00.000Z",
            "scene_id": scene, "version": 1, "task_id": f"t{number}", "fingerprint": "sha256:" + f"{number:064x}",
            "sha256": f"{number:064x}", "bytes": 100, "media_type": "image/png", "width": 64, "height": 36, "credits": 4, **more,
        }  # fmt: skip

    entries = [entry(1, 1), entry(2, 1, version=2, superseded_by=None), entry(3, 2, take=2, shot=None)]
    return {"kiebatch": 1, "source": "scenes.yaml", "assets": entries}


def _manifest(rng: random.Random, folder: Path) -> Verdict:
    text = json.dumps(changed(_record(), rng, few(rng)), ensure_ascii=False)
    (folder / "assets").mkdir()
    (folder / "scenes.yaml").write_text(SCENES, encoding="utf-8")
    (folder / "assets" / "manifest.json").write_text(text, encoding="utf-8", errors="backslashreplace")
    try:
        found = manifest.parse(text, "manifest.json")
    except Invalid:
        return Verdict.REFUSED
    again = manifest.parse(manifest.dump(found), "manifest.json")
    assert len(again.assets) == len(found.assets), "an entry was lost"
    assert len({asset.id for asset in again.assets}) == len(again.assets), "two entries have one id"
    return planned(folder / "scenes.yaml")


def _journal(rng: random.Random, folder: Path) -> Verdict:
    (folder / "scenes.yaml").write_text(SCENES, encoding="utf-8")
    path = folder / ".kiebatch" / "journal.sqlite"
    with open_journal(path, now=time.time) as journal:
        for number in range(1, 4):
            intent = Intent(
                run_id="r", slot=Slot(number), key=Key(f"sha256:{number:064x}"), model="nano-banana-2", family="jobs", job={}, credits=4.0
            )  # fmt: skip
            claimed = journal.claim(intent)
            assert isinstance(claimed, Claimed)
            if number > 1:
                journal.submitted(claimed.attempt, f"t{number}")
    if rng.random() < 0.7:
        _change_row(path, rng)
    else:
        path.write_bytes(spoilt(path.read_bytes(), rng))
    seen = planned(folder / "scenes.yaml")
    try:
        with open_journal(path, now=time.time) as journal:  # as a run does, which mends what a look leaves
            journal.hold_unfinished("the program ended")
            journal.attempts()
    except KieBatchError:
        return Verdict.REFUSED
    return seen


def _change_row(path: Path, rng: random.Random) -> None:
    with sqlite3.connect(path) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = rng.choice([name for name in tables if not name.startswith("sqlite_")])
        columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
        value = rng.choice(HOSTILE)
        value = json.dumps(value) if isinstance(value, list | dict) or rng.random() < 0.3 else value
        if isinstance(value, int) and abs(value) >= 2**63:
            value = str(value)
        try:
            db.execute(f'UPDATE "{table}" SET "{rng.choice(columns)}" = ?', (value,))
        except sqlite3.Error:
            db.rollback()  # a column that takes no such value is as it was
    db.close()


def _timeline(rng: random.Random, folder: Path) -> Verdict:
    path = folder / "edit.otio"
    text = json.dumps(changed(_cut(), rng, few(rng)))
    path.write_bytes(spoilt(text.encode(), rng) if rng.random() < 0.1 else text.encode())
    if rng.random() < _WHOLE_WAY:
        try:
            edited = otio.read(path, Fraction(24))
        except Invalid:
            return Verdict.REFUSED
        rates = [clip.rate for clip in edited.clips]
    else:
        found = _read_in_a_fork(path)
        if "problem" in found:
            return Verdict.REFUSED
        rates = [rate for *_, rate in found["clips"]]
    assert all(rate > 0 for rate in rates)
    return Verdict.ACCEPTED


def _read_in_a_fork(path: Path) -> dict[str, JSON]:
    """Return what the process of `exports.apart` prints about a timeline.

    The process is a fork of this one: to start it and to import the library takes a hundred times as long as to read.
    """
    importlib.import_module("opentimelineio")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with contextlib.redirect_stdout(said):
                    sys.argv[1:] = ["", str(path), "24"]
                    apart.main()
                said.flush()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        if ended < 0:
            return {"problem": f"the library was ended by signal {-ended}"}
        assert ended == 0, "the reader of timelines failed"
        said.seek(0)
        found: dict[str, JSON] = json.loads(said.read())
    return found


def _cut() -> dict[str, JSON]:
    def moment(value: float) -> dict[str, JSON]:
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": 24.0, "value": value}

    def clip(name: str) -> dict[str, JSON]:
        span = {"OTIO_SCHEMA": "TimeRange.1", "start_time": moment(0), "duration": moment(48)}
        return {
            "OTIO_SCHEMA": "Clip.1",
            "name": name,
            "source_range": span,
            "metadata": {"kiebatch": {"shot": name}},
            "media_reference": None,
        }

    track = {
        "OTIO_SCHEMA": "Track.1",
        "kind": "Video",
        "name": "Picture",
        "children": [clip("1"), clip("2")],
        "metadata": {},
    }
    stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [track], "metadata": {}}
    return {"OTIO_SCHEMA": "Timeline.1", "name": "film", "metadata": {}, "tracks": stack}


@cache
def _media_files() -> tuple[bytes, ...]:
    found = [path.read_bytes() for path in sorted(CLIPS.iterdir()) if path.suffix in (".mp4", ".mp3")]
    for name in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
        out = io.BytesIO()
        Image.effect_noise((64, 36), 50).convert("RGB").save(out, name)
        found.append(out.getvalue())
    return tuple(found)


def _media(rng: random.Random, folder: Path) -> Verdict:
    path = folder / "x.bin"
    data = rng.choice(_media_files())
    path.write_bytes(spoilt(data, rng) if rng.random() < 0.6 else data)
    try:
        facts = media.facts(path)
    except Undecodable:
        return Verdict.REFUSED
    assert facts.duration_s is None or 0 <= facts.duration_s < 1e6, f"a length of {facts.duration_s} s"
    assert facts.width is None or facts.height is None or 0 < facts.width * facts.height <= media.MOST_PIXELS
    if facts.kind == "image":
        Derivatives(folder / "state").get(Wanted(path, f"{rng.getrandbits(256):064x}", facts.kind, "thumb"))
    return Verdict.ACCEPTED


KINDS = (
    Kind("manifest", _manifest),
    Kind("journal", _journal),
    Kind("timeline", _timeline),
    Kind("media", _media),
)
