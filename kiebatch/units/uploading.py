"""The unit that uploads a reference, so that the provider can read it.  It needs the account's key."""

from __future__ import annotations

from kiebatch import media
from kiebatch.errors import CallFailed
from kiebatch.units.context import Context
from kiebatch.units.unit import Ended, Failed, Made, Order, Unit

_RECIPE = 1


def upload(sha256: str, host: str, *, timeout_s: float) -> Unit:
    """Return the unit that brings bytes to an upload host."""
    inputs = {"sha256": sha256, "host": host}
    return Unit.of("upload", inputs, {}, recipe=_RECIPE, needs=("key",), timeout_s=timeout_s)


async def sent(order: Order, context: Context) -> Ended:
    """Upload the file; the value is its address at the upload host."""
    assert context.send is not None
    sha256 = str(order.unit.inputs["sha256"])
    path = await context.shelf.get(f"sha256/{sha256}")
    if path is None:
        return Failed("no-input", "the file to upload is gone", retryable=False)
    facts = await context.offload(media.facts, path)
    try:
        url = await context.send(path, f"{sha256[:32]}{facts.extension}", facts.media_type)
    except CallFailed as failure:
        return Failed(failure.code, failure.message, failure.retryable)
    return Made({"url": url})
