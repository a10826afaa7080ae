"""`negative: photorealism` in a scene file: a ready list of what to avoid, by its name."""

from __future__ import annotations

from collections.abc import Sequence

from kiebatch.catalogue.starters import starters as starters
from kiebatch.model import JSON, as_list


def terms_of(value: JSON) -> list[str]:
    """Return what the named lists say to avoid, each once.  `value` is one name or a list of names."""
    return list(dict.fromkeys(term for name in _several(value) for term in starters().get(str(name), ())))


def _several(value: JSON) -> Sequence[JSON]:
    """Return one text, or a list of texts, as a list."""
    return [value] if isinstance(value, str) else as_list(value)


def written_out(value: JSON) -> JSON:
    """Return a scene file's values with each `negative` as the `negative_prompt` that it means."""
    if isinstance(value, list):
        return [written_out(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: written_out(one) for key, one in value.items() if key != "negative"}
    if "negative" in value:
        own = _several(value.get("negative_prompt"))
        found["negative_prompt"] = [*own, *(t for t in terms_of(value["negative"]) if t not in own)]
    return found
