"""The one function that carries out a unit, on whatever machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from kiebatch.units import deriving, downloading, segments, uploading
from kiebatch.units.context import Context
from kiebatch.units.unit import Ended, Failed, Kind, Order

_WORK: Mapping[Kind, Callable[[Order, Context], Awaitable[Ended]]] = {
    "download": downloading.fetched,
    "upload": uploading.sent,
    "thumb": deriving.derived,
    "poster": deriving.derived,
    "web": deriving.derived,
    "peaks": deriving.derived,
    "segment": segments.encoded,
}


async def execute(order: Order, context: Context) -> Ended:
    """Carry out a unit and write down how it ended.

    What is done already is not done again.  What a unit's own input causes is a value; a full disk, a store that takes
    nothing and a bug of ours are raised, for the next unit would meet them too.
    """
    known = await context.rows.begin(order)
    return known if known is not None else await carry_out(order, context)


async def carry_out(order: Order, context: Context) -> Ended:
    """The same for a unit of which is written down already that it is at work."""
    try:
        async with asyncio.timeout(order.unit.timeout_s):
            ended = await _WORK[order.unit.kind](order, context)
    except TimeoutError:
        ended = Failed("timeout", f"it took over {order.unit.timeout_s:g} s", retryable=True)
    await context.rows.end(order, ended)
    return ended
