"""The control plane under `/_sim/`: what tests and people ask of a simulator over HTTP.  Not part of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from kiebatch.errors import Invalid
from kiebatch.model import JSON
from kiebatch.simulator.faults import Fault, storm
from kiebatch.simulator.settings import Settings
from kiebatch.simulator.state import Simulator
from kiebatch.simulator.wire import Answer, Call, as_json

PREFIX = "/_sim/"


def answer(sim: Simulator, call: Call, start: Settings) -> Answer:
    """Answer a call below `/_sim/`; `start` holds the settings that a bare reset goes back to."""
    what = call.path.removeprefix(PREFIX)
    try:
        found = _READ[what](sim) if call.method == "GET" else _ACT[what](sim, call.body, call.fields, start)
    except KeyError:
        return as_json({"error": f"nothing is called `{what}` here", "known": sorted({*_READ, *_ACT})}, 404)
    except (Invalid, TypeError, ValueError) as error:
        return as_json({"error": str(error)}, 400)
    return as_json(found)


def _stats(sim: Simulator) -> JSON:
    return {
        "requests": dict(sim.requests),
        "refusals": {str(code): count for code, count in sim.refusals.items()},
        "tasks": len(sim.tasks),
        "charges": len(sim.ledger),
        "charged": sim.charged,
        "balance": sim.balance,
        "elsewhere": sim.elsewhere,
        "uploads": len(sim.uploads),
        "key_leaks": sim.key_leaks,
        "bugs": sim.bugs,
        "unknown_fields": dict(sim.unknown_fields),
        "struck": [[path, fault.kind] for path, fault in sim.faults.struck],
    }


def _ledger(sim: Simulator) -> JSON:
    sim.balance  # noqa: B018  (settles the refunds that are due)
    return [charge.as_json() for charge in sim.ledger]


def _tasks(sim: Simulator) -> JSON:
    now = sim.clock()
    return [
        {
            "task_id": t.id,
            "family": t.family,
            "operation": t.operation,
            "model": t.model,
            "phase": t.phase(now),
            "made_at": t.made_at,
            "ends_at": t.ends_at if t.ends_at < 1e18 else None,
            "outputs": len(t.outputs),
            "callback": t.callback,
        }
        for t in sim.tasks.values()
    ]


def _add_faults(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    for one in sent if isinstance(sent, list) else [sent]:
        sim.faults.add(_fault(one))
    return _active(sim)


def _fault(sent: JSON) -> Fault:
    if isinstance(sent, str):
        return Fault.parse(sent)
    if isinstance(sent, Mapping):
        return Fault.from_json(sent)
    raise ValueError("a fault is a text or an object")


def _active(sim: Simulator) -> JSON:
    return [fault.as_json() for fault in sim.faults.active]


def _clear_faults(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    sim.faults.clear()
    return []


def _storm(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    for fault in storm(_number(body, "strength", 1.0)):
        sim.faults.add(fault)
    return _active(sim)


def _balance(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    sim.balance = _number(body, "balance")
    return {"balance": sim.balance}


def _elsewhere(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    sim.spend_elsewhere(_number(body, "credits"))
    return {"balance": sim.balance, "elsewhere": sim.elsewhere}


def _settings(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    sim.settings = sim.settings.changed(body)
    return asdict(sim.settings)


def _reset(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    sim.reset(start.changed(body))
    return asdict(sim.settings)


def _captions(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    sim.caption(body)
    return {"captions": len(sim.captions)}


def _expire(sim: Simulator, sent: JSON, body: Mapping[str, JSON], start: Settings) -> JSON:
    """End the links of results now (`{"uploads": true}`: of uploads too)."""
    now, ended = sim.clock(), 0
    for path, medium in sim.media.items():
        upload = path.startswith("/media/kieai/")
        if medium.available_at <= now and (not upload or body.get("uploads")):
            medium.expires_at, ended = now, ended + 1
    return {"expired": ended}


def _number(body: Mapping[str, JSON], name: str, default: float | None = None) -> float:
    """Return a number that a request sends, or the text of one; ValueError where it is neither, or missing."""
    value = body.get(name, default)
    if isinstance(value, int | float | str):
        return float(value)
    raise ValueError(f"`{name}` must be a number")


_READ: Mapping[str, Callable[[Simulator], JSON]] = {
    "stats": _stats,
    "ledger": _ledger,
    "tasks": _tasks,
    "faults": _active,
    "balance": lambda sim: {"balance": sim.balance},
    "settings": lambda sim: asdict(sim.settings),
    "uploads": lambda sim: sim.uploads,
    "calls": lambda sim: list(sim.calls),
}
_ACT: Mapping[str, Callable[[Simulator, JSON, Mapping[str, JSON], Settings], JSON]] = {
    "faults": _add_faults,
    "faults/clear": _clear_faults,
    "storm": _storm,
    "balance": _balance,
    "elsewhere": _elsewhere,
    "settings": _settings,
    "reset": _reset,
    "captions": _captions,
    "expire": _expire,
}
