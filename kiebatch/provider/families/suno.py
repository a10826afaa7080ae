"""Suno, the dedicated API: music, lyrics, conversions, and what answers at once (protocol 5).

Bodies are flat, and `model` among the inputs is an engine (`V5`), not the model of the catalogue.  Jobs are refused
without a callback URL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from kiebatch.model import JSON, Done, Output, Status, TaskFailed, as_list
from kiebatch.provider.families.endpoint import (
    STEMS,
    Endpoint,
    Place,
    Record,
    Words,
    answered_at_once,
    at,
    credits_of,
    existing_task,
    failure,
    first_text,
    identified,
    json_text,
    labelled,
    made_at_once,
    places,
    urls,
    values_of,
    word,
)

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
    """Read a music record; `CALLBACK_EXCEPTION` alone is not a failure: our address answers nothing."""
    status = WORDS.read(endpoint, record, record.get("status"))
    return identified(status, at(record, "response.sunoData"), "audioUrl", "audio_url")


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
        return replace(status, outputs=(Output(number=1, text=json_text(notes)),))
    return status


def _style(endpoint: Endpoint, record: Record) -> Status:
    """Take `result` for success, whatever the flag says: one said so in Chinese (protocol 5.6)."""
    text = first_text(record, "result")
    return (
        Done(outputs=(Output(number=1, text=text + "\n"),), credits=credits_of(record))
        if text
        else failure(record)
    )


def _list(value: JSON) -> list[Mapping[str, JSON]]:
    return [item for item in as_list(value) if isinstance(item, Mapping)]


_VOICE_WORDS = Words(
    running=frozenset({"pending", "processing", "generating", "wait", "waiting", "0"}),
    done=frozenset({"success", "complete", "completed", "1"}),
    failed=frozenset({"fail", "failed", "error", "create_task_failed", "2", "3"}),
)


def _voice(endpoint: Endpoint, record: Record) -> Status:
    """Take the whole record for the result; nobody has written down its shape (protocol 5.5)."""
    state = next(
        (record[key] for key in ("status", "successFlag", "state") if record.get(key) is not None), None
    )
    status = _VOICE_WORDS.read(endpoint, record, state)
    if isinstance(status, Done):
        kept = {key: value for key, value in record.items() if key not in ("param", "paramJson")}
        return replace(status, outputs=(Output(number=1, text=json_text(kept)),))
    return status


def _made(name: str, current: str) -> Endpoint:
    return Endpoint(
        family="suno",
        path=f"/api/v1/generate{name}",
        record_path="/api/v1/generate/record-info",
        current=f"ai-music-api/{current}",
        callback="required",
        parse=_music,
        main=places("response.sunoData.audioUrl", "response.sunoData.audio_url"),
    )


def _derived(
    name: str,
    current: str,
    parse: Callable[[Endpoint, Record], Status],
    main: tuple[Place, ...] = (),
    extra: tuple[Place, ...] = (),
) -> Endpoint:
    return Endpoint(
        family="suno",
        path=f"/api/v1/{name}/generate",
        record_path=f"/api/v1/{name}/record-info",
        current=f"ai-music-api/{current}",
        callback="required",
        parse=parse,
        main=main,
        extra=extra,
        find_task=existing_task,
    )


def _answered(path: str, current: str, parse: Callable[[Endpoint, Record], Status]) -> Endpoint:
    return Endpoint(
        family="suno",
        path=path,
        record_path=None,
        current=f"ai-music-api/{current}",
        callback="none",
        parse=parse,
        find_task=made_at_once,
        judge=answered_at_once,
    )


ENDPOINTS = (
    _made("", "generate"),
    _made("/extend", "extend"),
    _made("/upload-cover", "upload-and-cover-audio"),
    _made("/upload-extend", "upload-and-extend-audio"),
    _made("/add-instrumental", "add-instrumental"),
    _made("/add-vocals", "add-vocals"),
    _made("/replace-section", "replace-section"),
    _made("/mashup", "mashup"),
    _made("/sounds", "sounds"),
    Endpoint(
        family="suno",
        path="/api/v1/lyrics",
        record_path="/api/v1/lyrics/record-info",
        current="ai-music-api/generate-lyrics",
        callback="required",
        parse=_lyrics,
    ),
    _derived("wav", "convert-to-wav-format", _conversion, places("response.audioWavUrl", "audioWavUrl")),
    _derived("vocal-removal", "separate-vocals", _stems, extra=labelled("response", STEMS)),
    _derived("midi", "generate-midi-from-audio", _midi),
    _derived("mp4", "create-music-video", _conversion, places("response.videoUrl", "videoUrl")),
    _derived("suno/cover", "cover-generate", _cover, places("response.images", "images")),
    _answered("/api/v1/generate/generate-persona", "generate-persona", values_of),
    _answered("/api/v1/generate/get-timestamped-lyrics", "timeStamped-lyrics", values_of),
    _answered("/api/v1/style/generate", "boost-music-style", _style),
    *(
        Endpoint(
            family="suno",
            path=f"/api/v1/voice/{name}",
            record_path=f"/api/v1/voice/{record}",
            current=f"ai-music-api/{current}",
            callback="required" if name == "regenerate" else "optional",
            callback_field="calBackUrl"
            if name == "regenerate"
            else "callBackUrl",  # spelled so by the provider
            parse=_voice,
        )
        for name, record, current in (
            ("validate", "validate-info", "validation-phrase"),
            ("regenerate", "validate-info", "regenerate-phrase"),
            ("generate", "record-info", "create-voice"),
        )
    ),
    _answered("/api/v1/voice/check-voice", "check-voice", values_of),
)
