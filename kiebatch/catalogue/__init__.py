"""What each model takes, what it costs, and whether a job fits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.catalogue.models import FRIENDLY as FRIENDLY
    from kiebatch.catalogue.models import JOBS_ENDPOINT as JOBS_ENDPOINT
    from kiebatch.catalogue.models import Field as Field
    from kiebatch.catalogue.models import Model as Model
    from kiebatch.catalogue.models import unknown as unknown
    from kiebatch.catalogue.names import Catalogue as Catalogue
    from kiebatch.catalogue.names import UnknownModel as UnknownModel
    from kiebatch.catalogue.names import load as load
    from kiebatch.catalogue.prices import cheapest as cheapest
    from kiebatch.catalogue.prices import count as count
    from kiebatch.catalogue.prices import price as price
    from kiebatch.catalogue.prices import seconds as seconds
    from kiebatch.catalogue.reading import DATA as DATA
    from kiebatch.catalogue.reading import index as index
    from kiebatch.catalogue.reading import model as model
    from kiebatch.catalogue.reading import read_yaml as read_yaml
    from kiebatch.catalogue.reading import spellings as spellings
    from kiebatch.catalogue.reading import squash as squash
    from kiebatch.catalogue.shapes import Measured as Measured
    from kiebatch.catalogue.shapes import Schema as Schema
    from kiebatch.catalogue.suggesting import Intent as Intent
    from kiebatch.catalogue.suggesting import intents as intents
    from kiebatch.catalogue.suggesting import suggest as suggest
    from kiebatch.catalogue.validators import validator as validator

__getattr__, __dir__ = face(
    __name__,
    {
        "Catalogue": "names",
        "DATA": "reading",
        "FRIENDLY": "models",
        "Field": "models",
        "Intent": "suggesting",
        "JOBS_ENDPOINT": "models",
        "Measured": "shapes",
        "Model": "models",
        "Schema": "shapes",
        "UnknownModel": "names",
        "cheapest": "prices",
        "count": "prices",
        "index": "reading",
        "intents": "suggesting",
        "load": "names",
        "model": "reading",
        "price": "prices",
        "read_yaml": "reading",
        "seconds": "prices",
        "spellings": "reading",
        "squash": "reading",
        "suggest": "suggesting",
        "unknown": "models",
        "validator": "validators",
    },
)
