"""The common API: balance, links to results, the listing of models and of prices (protocol 2.3 and 7)."""

from __future__ import annotations

from dataclasses import replace

from kiebatch.catalogue import Model
from kiebatch.model import JSON
from kiebatch.simulator import models
from kiebatch.simulator.state import Simulator
from kiebatch.simulator.wire import UNKNOWN_MODEL, Answer, Call, Refusal, number, ok

LINK_TTL_S = 1200.0
USD_PER_CREDIT = 0.005
MODELS = "/api/v1/models"


def credit(sim: Simulator, call: Call) -> Answer:
    return ok(sim.balance)


def download_url(sim: Simulator, call: Call) -> Answer:
    """Give a 20-minute link to a result, also when its own link is over; foreign URLs are `url is wrong`."""
    return ok(temporary_link(sim, call.origin, str(call.fields.get("url") or "")))


def temporary_link(sim: Simulator, origin: str, url: str) -> str:
    path = sim.own_path(origin, url)
    stored = sim.media.get(path) if path else None
    if stored is None or stored.wanted is None or sim.clock() < stored.available_at:
        raise Refusal(422, "url is wrong")
    now = sim.clock()
    link = f"/media/links/{sim.new_id()}.{stored.wanted.extension}"
    sim.media[link] = replace(stored, available_at=now, expires_at=now + LINK_TTL_S)
    return f"{sim.media_root(origin)}{link}?X-Amz-Expires={int(LINK_TTL_S)}&X-Amz-Signature=0"


def list_models(sim: Simulator, call: Call) -> Answer:
    kinds = {k.strip().lower() for k in call.query.get("taskType", "").split(",") if k.strip()}
    provider, words = call.query.get("provider", "").lower(), call.query.get("q", "").lower()

    def is_asked_for(model: Model) -> bool:
        if words not in f"{model.id} {model.title}".lower() or provider not in ("", model.maker.lower()):
            return False
        return not kinds or not kinds.isdisjoint(task.lower() for task in _task_types(model))

    found = [_entry(model) for model in models.listed(sim.settings.model_files) if is_asked_for(model)]
    return ok({"total": len(found), "models": found})


def one_model(sim: Simulator, call: Call) -> Answer:
    """Answer `/models/{id}/schema|price|success-rate`; the id may hold a slash (protocol 7.3)."""
    model_id, _, what = call.path.removeprefix(MODELS + "/").rpartition("/")
    model = models.find(model_id, sim.settings.model_files)
    if model is None or what not in ("schema", "price", "success-rate"):
        raise Refusal(404, UNKNOWN_MODEL if model is None else "")
    if what == "schema":
        return ok(
            {
                "model": model.id,
                "openapi": {
                    "openapi": "3.0.1",
                    "components": {"schemas": {"input": model.as_json()["input"]}},
                },
            }
        )
    if what == "price":
        return ok({"model": model.id, "pricingDesc": _prices(model)})
    return ok({"model": model.id, "successRate": 0.98})


def price_page(sim: Simulator, call: Call) -> Answer:
    """Answer the public price list, page by page; needs no key."""
    page = max(1, int(number(call.fields.get("pageNum"), 1)))
    size = min(100, max(1, int(number(call.fields.get("pageSize"), 10))))
    rows = [
        {
            "modelDescription": f"{model.title}, {row.get('when') or 'default'}",
            "interfaceType": model.modality,
            "provider": model.maker,
            "creditPrice": str(row.get("credits", "")),
            "creditUnit": f"per {row.get('per', 'request')}",
            "usdPrice": str(round(row.get("credits", 0) * USD_PER_CREDIT, 4)),
            "anchor": f"https://kie.ai/market?model={model.id}",
        }
        for model in models.listed(sim.settings.model_files)
        for row in model.prices
    ]
    found = rows[(page - 1) * size : page * size]
    return ok(
        {"records": found, "total": len(rows), "size": size, "current": page, "pages": -(-len(rows) // size)}
    )


def _entry(model: Model) -> dict[str, JSON]:
    return {
        "model": model.id,
        "slug": model.id.replace("/", "-"),
        "title": model.title,
        "provider": model.maker,
        "taskType": _task_types(model),
        "description": None,
        "pricingDesc": _prices(model),
    }


def _task_types(model: Model) -> list[str]:
    """Return the kinds of tasks of a model, as the listing writes them (`Text to Video`)."""
    tasks = model.tasks or (model.task,)
    return [task.replace("-", " ").title().replace(" To ", " to ") for task in tasks]


def _prices(model: Model) -> str:
    return "; ".join(f"{row.get('credits')} credits per {row.get('per', 'request')}" for row in model.prices)


ROUTES = {
    ("GET", "/api/v1/chat/credit"): ("credit", credit),
    ("GET", "/api/v1/user/credits"): ("credit", credit),
    ("POST", "/api/v1/common/download-url"): ("link", download_url),
    ("GET", MODELS): ("other", list_models),
}
PUBLIC_ROUTES = {("POST", "/client/v1/model-pricing/page"): ("other", price_page)}
