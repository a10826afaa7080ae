"""Answers one call: faults, key, handler, in the order in which the provider's layers stand."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kiebatch.simulator.drawing.wanted import Wanted
from kiebatch.simulator.families import chat, common, flux, gpt4o, market, runway, suno, uploads, veo, voices
from kiebatch.simulator.faults import DOWNLOAD, TRANSPORT, Fault
from kiebatch.simulator.state import Medium, Simulator
from kiebatch.simulator.wire import TEXTS, Answer, Call, Refusal, as_json, html

Handler = Callable[[Simulator, Call], Answer]
Route = tuple[str, Handler]  # the operation, and who answers

ROUTES: Mapping[tuple[str, str], Route] = {
    **market.ROUTES,
    **common.ROUTES,
    **uploads.ROUTES,
    **gpt4o.ROUTES,
    **flux.ROUTES,
    **veo.ROUTES,
    **runway.ROUTES,
    **suno.ROUTES,
    **voices.ROUTES,
    **chat.ROUTES,
}
PUBLIC: Mapping[tuple[str, str], Route] = common.PUBLIC_ROUTES
_PATHS = {path for _, path in (*ROUTES, *PUBLIC)}
_GARBAGE = {
    "list": b"[]",
    "number": b"12",
    "text": b'"ok"',
    "broken": b'{"code":200,"msg":"succ',
    "null": b"null",
}
_EARLY = {"cut-early": TRANSPORT["cut-early"]}
_CALL = {kind: text for kind, text in TRANSPORT.items() if kind != "cut-early"}


def operation_of(method: str, path: str) -> str:
    """Return what kind of call this is: the word that faults go by."""
    if path.startswith("/media/"):
        return "download"
    route = ROUTES.get((method, path)) or PUBLIC.get((method, path))
    return route[0] if route else "other"


def hangs_up(sim: Simulator, method: str, path: str) -> bool:
    """Whether the connection is to be cut before the body is read."""
    return bool(sim.faults.strike(operation_of(method, path), path, None, _EARLY))


def answer(sim: Simulator, call: Call) -> Answer:
    """Return the answer to a call of the API or of the media host."""
    operation = operation_of(call.method, call.path)
    sim.requests[operation] += 1
    sim.calls.append((sim.clock(), operation, call.path))
    if operation == "download":
        return _download(sim, call)
    struck = sim.faults.strike(operation, call.path, _model_of(sim, call), _CALL)
    reply = _spoilt(sim, call, [fault for fault in struck if fault.kind != "slow"])
    reply.delay_s += sum(float(fault.value or 1) for fault in struck if fault.kind == "slow")
    return reply


def _spoilt(sim: Simulator, call: Call, faults: Sequence[Fault]) -> Answer:
    """Return the answer to a call under faults: the first of those before it keeps it from having any effect."""
    before = next((fault for fault in faults if fault.when == "before"), None)
    reply = _spoil(before, Answer()) if before else _handle(sim, call)
    for fault in faults:
        if fault.when == "after":
            reply = _spoil(fault, reply)
    return reply


def _model_of(sim: Simulator, call: Call) -> str:
    """Return the model that a call is about: the one it names, or its task's; empty where it has none."""
    named = call.fields.get("model")
    if isinstance(named, str):
        return named
    task = sim.tasks.get(call.query.get("taskId", ""))
    return task.model if task else ""


def _handle(sim: Simulator, call: Call) -> Answer:
    try:
        return _route(sim, call)(sim, call)
    except Refusal as refusal:
        sim.refusals[refusal.code] += 1
        return refusal.answer(sim.settings.real_status)


def _route(sim: Simulator, call: Call) -> Handler:
    key = (call.method, call.path)
    if key not in PUBLIC:
        _check_key(sim, call)
    route = ROUTES.get(key) or PUBLIC.get(key)
    if route is None:
        if call.method == "GET" and call.path.startswith(common.MODELS + "/"):
            return common.one_model
        raise Refusal(405 if call.path in _PATHS else 404)
    if call.method == "POST" and (call.malformed or not isinstance(call.body, Mapping)):
        raise Refusal(400, "Malformed request body")
    return route[1]


def _check_key(sim: Simulator, call: Call) -> None:
    if call.headers.get("authorization") == f"Bearer {sim.settings.key}":
        return
    if call.path.startswith("/api/file-"):
        raise uploads.UploadRefusal(401, "Authentication failed: Invalid API Key")
    raise Refusal(401, with_data=False)


def _coded(value: str) -> Refusal:
    code, _, text = value.partition(" ")
    return Refusal(int(code or 500), text)


def _spoil(fault: Fault, reply: Answer) -> Answer:
    value = fault.value
    match fault.kind:
        case "code":
            return _coded(value).answer(real_status=False)
        case "http":
            return _coded(value).answer(real_status=True)
        case "names-task":
            made = json.loads(reply.body or b"{}").get("data")
            return replace(_coded(value), data=made).answer(real_status=False)
        case "html":
            return html(int(value or 502))
        case "empty":
            return Answer()
        case "garbage":
            return Answer(body=_GARBAGE.get(value, _GARBAGE["broken"]))
        case "no-data":
            return as_json({"code": 200, "msg": TEXTS[200], "data": None})
        case "retry-after":
            refused = Refusal(429).answer(real_status=True)
            return replace(refused, headers=(("retry-after", value or "1"),))
        case "cut-middle":
            return replace(reply, cut_share=0.5)
        case _:
            return replace(reply, cut_share=0.0)


# --- the media host ------------------------------------------------------------------------------------


def _download(sim: Simulator, call: Call) -> Answer:
    refused = _refused(sim, call)
    if refused is not None:
        return refused
    struck = {f.kind: f.value for f in sim.faults.strike("download", call.path, "", {**DOWNLOAD, **_CALL})}
    stored = sim.media.get(call.path)
    if "gone" in struck or stored is None or sim.clock() < stored.available_at:
        return _xml(404, "NoSuchKey", "The specified key does not exist")
    if "expired" in struck or sim.clock() >= stored.expires_at:
        return _xml(403, "AccessDenied", "Request has expired")
    return _instead(struck) or _damaged(_whole(sim, stored), stored, struck)


def _refused(sim: Simulator, call: Call) -> Answer | None:
    """Return the answer to a download that carries a key, which is written down, or another method; else None."""
    if "authorization" in call.headers:
        sim.key_leaks.append(call.path)
        if sim.settings.refuse_keys:
            return _xml(400, "InvalidArgument", "Only one auth mechanism allowed")
    if call.method not in ("GET", "HEAD"):
        return _xml(405, "MethodNotAllowed", "The specified method is not allowed")
    return None


def _instead(struck: Mapping[str, str]) -> Answer | None:
    """Return the answer that a fault gives in place of the medium."""
    if "redirect" in struck:
        return Answer(status=302, headers=(("location", struck["redirect"]),), media_type="text/plain")
    page = struck.get("html", struck.get("http"))
    return None if page is None else html(int(page or 503))


def _whole(sim: Simulator, stored: Medium) -> Answer:
    return Answer(
        media_type=stored.media_type,
        body=stored.data or b"",
        wanted=stored.wanted,
        headers=(("accept-ranges", "bytes"),) if sim.settings.ranges else (),
    )


def _damaged(reply: Answer, stored: Medium, struck: Mapping[str, str]) -> Answer:
    """Return an answer with the faults of a media host that struck it; `struck` maps their kinds to their values."""
    if "page" in struck:
        reply = replace(html(404), status=200)
    if "empty" in struck:
        reply = Answer(media_type=stored.media_type)
    if "wrong-type" in struck:
        reply.media_type = struck["wrong-type"] or "application/octet-stream"
    if "wrong-medium" in struck and stored.wanted is not None:
        reply.wanted = _other_medium(stored.wanted)
    if "no-length" in struck:
        reply.headers += (("transfer-encoding", "chunked"),)
    if "slow" in struck:
        reply.delay_s = float(struck["slow"] or 1)
    _cut_short(reply, struck)
    return reply


def _cut_short(reply: Answer, struck: Mapping[str, str]) -> None:
    """Let the faults that end a download early act on its answer."""
    if "truncate" in struck or "cut-middle" in struck:
        reply.cut_share = 0.5
    if "cut" in struck:
        reply.cut_share = 0.0
    if "stall" in struck:
        reply.stall_share = 0.5


def part(reply: Answer, wished: str | None, only_if: str | None = None) -> Answer:
    """Return the part of a whole answer that a Range header asks for (one range of bytes; others are ignored).

    The whole where If-Range, `only_if`, names another content than there is now.
    """
    if reply.status != 200 or ("accept-ranges", "bytes") not in reply.headers:
        return reply
    mark = f'"{hashlib.sha256(reply.body).hexdigest()[:32]}"'
    reply = replace(reply, headers=(*reply.headers, ("etag", mark)))
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wished or "")
    if only_if not in (None, mark) or not found or found[0] == "bytes=-":
        return reply
    size = len(reply.body)
    if found[1]:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
    else:
        first, last = max(0, size - int(found[2])), size - 1
    if first > last:
        return replace(
            _xml(416, "InvalidRange", "The requested range is not satisfiable"),
            headers=(("content-range", f"bytes */{size}"),),
        )
    headers = (*reply.headers, ("content-range", f"bytes {first}-{last}/{size}"))
    return replace(reply, status=206, body=reply.body[first : last + 1], headers=headers)


def _other_medium(wanted: Wanted) -> Wanted:
    if wanted.kind == "image":
        return replace(wanted, kind="video", format="mp4")
    return replace(wanted, kind="image", format="png")


def _xml(status: int, code: str, message: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status=status, body=text.encode(), media_type="application/xml")
