"""Suno, the dedicated API: music, lyrics, conversions, and what answers at once (protocol 5).

Bodies are flat, and `model` among the inputs is an engine (`V5`), not the model of the catalogue.  Jobs are refused
without a callback URL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from kiebatch.families.endpoint import (
    STEMS,
    Endpoint,
    Place,
    Record,
    Words,
    as_text,
    at,
    credits_of,
    existing_task,
    failure,
    first_text,
    labelled,
    made_at_once,
    places,
    urls,
    word,
)
from kiebatch.model import Absent, Done, Output, Reply, Status, TaskFailed

# The stages before `success` name tracks that are not all there yet.
WORDS = Words(
    running=frozenset({"pending", "text_success", "first_success"}),
    done=frozenset({"success"}),
    failed=frozenset(
        {
            "create_task_failed",
            "generate_audio_failed",
            "generate_lyrics_failed",
            "generate_wav_failed",
            "generate_mp4_failed",
            "sensitive_word_error",
        }
    ),
)
_COVER_FLAGS = Words(running=frozenset({"0", "2"}), done=frozenset({"1"}), failed=frozenset({"3"}))
_MIDI_FLAGS = Words(
    running=frozenset({"0"}), done=frozenset({"1"}), failed=frozenset({"2", "3"}), proof=False
)


def _music(endpoint: Endpoint, record: Record) -> Status:
    """Read a music record; `CALLBACK_EXCEPTION` alone is no failure, our address answers to nobody."""
    status = WORDS.read(endpoint, record, record.get("status"))
    if not isinstance(status, Done):
        return status
    tracks = at(record, "response.sunoData")
    ids = {
        url: first_text(track, "id") or "" for track in _list(tracks) for url in urls(at(track, "audioUrl"))
    }
    return replace(status, outputs=tuple(replace(o, id=ids.get(o.url or "", "")) for o in status.outputs))


def _lyrics(endpoint: Endpoint, record: Record) -> Status:
    status = WORDS.read(endpoint, record, record.get("status"))
    state = word(record.get("status"))
    texts = []
    for item in _list(at(record, "response.data")):
        text = first_text(item, "text")
        if text and word(item.get("status")) != "failed":
            title = first_text(item, "title")
            texts.append((f"# {title}\n\n" if title else "") + text.rstrip() + "\n")
    if isinstance(status, TaskFailed) or (state in WORDS.running) or not (texts or isinstance(status, Done)):
        return status
    return Done(
        outputs=tuple(Output(number=n, text=text) for n, text in enumerate(texts, 1)),
        credits=credits_of(record),
    )


def _conversion(endpoint: Endpoint, record: Record) -> Status:
    return WORDS.read(endpoint, record, record.get("successFlag"), record.get("status"))


def _stems(endpoint: Endpoint, record: Record) -> Status:
    status = _conversion(endpoint, record)
    if not isinstance(status, Done) or status.outputs:
        return status
    found = [
        (url, first_text(stem, "stem_type_group_name") or "")
        for stem in _list(at(record, "response.originData"))
        for url in urls(at(stem, "audio_url"))
    ]
    return replace(
        status,
        outputs=tuple(Output(number=n, url=url, label=label) for n, (url, label) in enumerate(found, 1)),
    )


def _cover(endpoint: Endpoint, record: Record) -> Status:
    return _COVER_FLAGS.read(endpoint, record, record.get("successFlag"))


def _midi(endpoint: Endpoint, record: Record) -> Status:
    status = _MIDI_FLAGS.read(endpoint, record, record.get("successFlag"))
    notes = record.get("midiData")
    if isinstance(status, Done) and isinstance(notes, Mapping) and notes.get("instruments"):
        return replace(status, outputs=(Output(number=1, text=as_text(notes)),))
    return status


def _values(endpoint: Endpoint, record: Record) -> Status:
    """Take the whole answer for the result: a persona, the times of words."""
    return Done(outputs=(Output(number=1, text=as_text(dict(record))),), credits=credits_of(record))


def _style(endpoint: Endpoint, record: Record) -> Status:
    """Take `result` for success, whatever the flag says: one said so in Chinese (protocol 5.6)."""
    text = first_text(record, "result")
    return (
        Done(outputs=(Output(number=1, text=text + "\n"),), credits=credits_of(record))
        if text
        else failure(record)
    )


def _at_once(endpoint: Endpoint, reply: Reply) -> Status:
    if reply.code == 200 and isinstance(reply.data, Mapping) and reply.data:
        return endpoint.parse(endpoint, reply.data)
    return Absent(message=reply.message)


def _list(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _made(name: str) -> Endpoint:
    return Endpoint(
        family="suno",
        path=f"/api/v1/generate{name}",
        record_path="/api/v1/generate/record-info",
        callback="required",
        parse=_music,
        main=places("response.sunoData.audioUrl", "response.sunoData.audio_url"),
    )


def _derived(
    name: str,
    parse: Callable[[Endpoint, Record], Status],
    main: tuple[Place, ...] = (),
    extra: tuple[Place, ...] = (),
) -> Endpoint:
    return Endpoint(
        family="suno",
        path=f"/api/v1/{name}/generate",
        record_path=f"/api/v1/{name}/record-info",
        callback="required",
        parse=parse,
        main=main,
        extra=extra,
        find_task=existing_task,
    )


def _answered(path: str, parse: Callable[[Endpoint, Record], Status]) -> Endpoint:
    return Endpoint(
        family="suno",
        path=path,
        record_path=None,
        callback="none",
        parse=parse,
        find_task=made_at_once,
        judge=_at_once,
    )


ENDPOINTS = (
    *(
        _made(name)
        for name in (
            "",
            "/extend",
            "/upload-cover",
            "/upload-extend",
            "/add-instrumental",
            "/add-vocals",
            "/replace-section",
            "/mashup",
            "/sounds",
        )
    ),
    Endpoint(
        family="suno",
        path="/api/v1/lyrics",
        record_path="/api/v1/lyrics/record-info",
        callback="required",
        parse=_lyrics,
    ),
    _derived("wav", _conversion, places("response.audioWavUrl", "audioWavUrl")),
    _derived("vocal-removal", _stems, extra=labelled("response", STEMS)),
    _derived("midi", _midi),
    _derived("mp4", _conversion, places("response.videoUrl", "videoUrl")),
    _derived("suno/cover", _cover, places("response.images", "images")),
    _answered("/api/v1/generate/generate-persona", _values),
    _answered("/api/v1/generate/get-timestamped-lyrics", _values),
    _answered("/api/v1/style/generate", _style),
)
