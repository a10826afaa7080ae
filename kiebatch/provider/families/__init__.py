"""One file per API family, each a few translations: job -> request, reply -> task, reply -> status.

`get("suno", "/api/v1/wav/generate")` returns the `Endpoint` that speaks for one paid call.  Nothing here opens a
connection; tests are pairs of values.  Families import neither httpx nor the client.
"""

from __future__ import annotations

from kiebatch.errors import Invalid
from kiebatch.provider.families import aleph, flux_kontext, gpt4o_image, jobs, omni, runway, suno, veo
from kiebatch.provider.families.endpoint import PLACEHOLDER_CALLBACK, Endpoint

__all__ = ["PLACEHOLDER_CALLBACK", "Endpoint", "all_endpoints", "get"]

_FAMILIES: dict[str, tuple[Endpoint, ...]] = {
    "jobs": jobs.ENDPOINTS,
    "gpt4o-image": gpt4o_image.ENDPOINTS,
    "flux-kontext": flux_kontext.ENDPOINTS,
    "veo": veo.ENDPOINTS,
    "runway": runway.ENDPOINTS,
    "aleph": aleph.ENDPOINTS,
    "suno": suno.ENDPOINTS,
    "omni": omni.ENDPOINTS,
}


def get(family: str, path: str = "") -> Endpoint:
    """Return the endpoint of `family` at `path`, or its main one.  `Invalid` where there is none such."""
    endpoints = _FAMILIES.get(family)
    if endpoints is None:
        raise Invalid(f"unknown API family `{family}`; known: {', '.join(_FAMILIES)}")
    path = path.removeprefix("POST ").removeprefix("GET ").strip()
    for endpoint in endpoints:
        if path in ("", endpoint.path):
            return endpoint
    raise Invalid(f"the API family `{family}` has no endpoint `{path}`")


def all_endpoints() -> tuple[Endpoint, ...]:
    """Return every endpoint of every family, the main one of each family first."""
    return tuple(endpoint for endpoints in _FAMILIES.values() for endpoint in endpoints)
