"""The units that make small pictures, web copies and peaks from stored bytes."""

from __future__ import annotations

from kiebatch.media import Kind, Wanted, derivatives
from kiebatch.units.context import Context
from kiebatch.units.unit import Ended, Failed, Made, Order, Unit


def derive(sha256: str, modality: str, kind: Kind) -> Unit | None:
    """Return the unit that makes one derivative of stored bytes; None where such bytes have none of that kind."""
    if not derivatives.exists(modality, kind):
        return None
    needs = () if modality == "image" else ("ffmpeg",)
    inputs = {"sha256": sha256, "modality": modality}
    return Unit.of(
        kind, inputs, {}, recipe=derivatives.RECIPE, needs=needs, timeout_s=derivatives.TIMEOUT_S + 60
    )


async def derived(order: Order, context: Context) -> Ended:
    """Make the derivative; it is then on the shelf under the name that `Derivatives` looks for."""
    unit = order.unit
    sha256, modality = str(unit.inputs["sha256"]), str(unit.inputs["modality"])
    path = await context.shelf.get(f"sha256/{sha256}")
    if path is None:
        return Failed("no-input", f"the store has no bytes of {sha256}", retryable=True)
    wish = Wanted(path, sha256, modality, unit.kind)  # type: ignore[arg-type]
    target = context.shelf.scratch(unit)
    try:
        await context.offload(derivatives.render, wish, target)
    except derivatives.Unmakeable as error:
        return Failed("unmakeable", str(error), retryable=False)
    await context.shelf.put(f"derived/{wish.name}", target)
    return Made({"name": wish.name})
