"""How fast the voices of a project have spoken, as its manifest shows."""

from __future__ import annotations

from kiebatch.catalogue import Catalogue
from kiebatch.model import JSON, Asset, under
from kiebatch.record.manifest import Manifest
from kiebatch.scenefile import speech
from kiebatch.scenefile.leading import leads
from kiebatch.scenefile.speech import Rates, Spoken

_TASKS = ("text-to-speech",)


def rates_of(document: JSON, manifest: Manifest, catalogue: Catalogue) -> Rates:
    """Return the speaking rates of the voices that a manifest has, older versions included.

    The table alone where no length of the scene file follows a voice: then nobody asks.
    """
    if not leads(document):
        return Rates()
    spoken = (_spoken(asset, catalogue) for asset in manifest.assets if asset.type == "audio")
    return speech.learned(one for one in spoken if one is not None)


def _spoken(asset: Asset, catalogue: Catalogue) -> Spoken | None:
    model = catalogue.get(asset.model)
    if model is None or model.task not in _TASKS or not asset.duration or asset.output > 1:
        return None
    field = model.fields.get("voice")
    sent = asset.parameters.get("input")
    voice = under(sent, field.name) if field else None
    return Spoken(model.id, str(voice or ""), asset.prompt, asset.duration)
