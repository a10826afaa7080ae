"""A timeline that somebody sends back: it may crash the library that reads it, and nothing else."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from kiebatch.errors import Invalid
from kiebatch.exports import otio

pytest.importorskip("opentimelineio")


def timeline(**changes: Any) -> dict[str, Any]:
    clip = {
        "OTIO_SCHEMA": "Clip.1",
        "media_reference": None,
        "name": "1",
        "source_range": {
            "OTIO_SCHEMA": "TimeRange.1",
            "start_time": {"OTIO_SCHEMA": "RationalTime.1", "rate": 24.0, "value": 0.0},
            "duration": {"OTIO_SCHEMA": "RationalTime.1", "rate": 24.0, "value": 48.0},
        },
        "metadata": {},
    }
    track = {"OTIO_SCHEMA": "Track.1", "kind": "Video", "name": "Picture", "children": [clip], "metadata": {}}
    stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [track], "metadata": {}}
    return {"OTIO_SCHEMA": "Timeline.1", "name": "film", "metadata": {}, "tracks": stack, **changes}


CASES: list[tuple[str, bytes]] = [
    (".otio", json.dumps(timeline(tracks=None)).encode()),
    (".otio", json.dumps(timeline(tracks=5)).encode()),
    (".otio", json.dumps(timeline(tracks=[None])).encode()),
    (".otio", json.dumps(timeline(metadata=5)).encode()),
    (".otio", json.dumps({"OTIO_SCHEMA": "Timeline.999"}).encode()),
    (".otio", json.dumps({"OTIO_SCHEMA": "Clip.2"}).encode()),
    (".otio", json.dumps({"OTIO_SCHEMA": 5}).encode()),
    (".otio", json.dumps(timeline()).replace("48.0", "1e400").encode()),
    (".otio", json.dumps(timeline()).replace("24.0", "0").encode()),
    (".otio", json.dumps(timeline()).replace("24.0", "-1").encode()),
    (".otio", json.dumps(timeline()).replace("48.0", "NaN").encode()),
    (".otio", b"[" * 200_000),
    (".otio", b"[]"),
    (".otio", b""),
    (".otio", b"\x00\xff\xfe"),
    (".edl", b"\x00" * 100),
    (".edl", b"TITLE: x\n001 AX V C 99:99:99:99 00:00:00:00 00:00:00:00 00:00:00:00\n"),
    (".xml", b"<xmeml/>"),
    (".xml", b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><xmeml>&a;</xmeml>"),
    (".fcpxml", b"<fcpxml><sequence><spine><clip duration='1/0s'/></spine></sequence></fcpxml>"),
    (".fcpxml", b"<fcpxml><sequence><spine><clip duration='x'/></spine></sequence></fcpxml>"),
    (".fcpxml", b"<fcpxml/>"),
    (
        ".fcpxml",
        b"<!DOCTYPE x [<!ENTITY a0 'aaaaaaaaaa'>"
        + b"".join(b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
        + b"]><fcpxml>&a9;</fcpxml>",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "content"), CASES, ids=range(len(CASES)))
def test_a_broken_timeline_is_a_problem_and_ends_nothing(ending: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"edit{ending}"
    path.write_bytes(content)

    try:
        edited = otio.read(path)
    except Invalid:
        return
    assert all(clip.rate > 0 for clip in edited.clips)


@pytest.mark.slow
def test_an_honest_timeline_is_read(tmp_path: Path) -> None:
    path = tmp_path / "edit.otio"
    path.write_text(json.dumps(timeline()), encoding="utf-8")

    edited = otio.read(path)

    assert [(clip.shot, clip.seconds, clip.rate) for clip in edited.clips] == [("1", 2.0, 24.0)]
    assert edited.fps == Fraction(24)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "edit.otio")

    with pytest.raises(Invalid, match="not a regular file"):
        otio.read(tmp_path / "edit.otio")


def test_a_module_beside_the_timeline_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("open('was-run', 'w').close()", encoding="utf-8")
    (tmp_path / "edit.otio").write_text(json.dumps(timeline()), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    otio.read(tmp_path / "edit.otio")

    assert not (tmp_path / "was-run").exists()
