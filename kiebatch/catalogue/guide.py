"""Writes `docs/models.md` from the data: what a person compares when choosing a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from kiebatch.catalogue import names, prices, suggesting
from kiebatch.catalogue.models import Field, Model
from kiebatch.catalogue.saying import around
from kiebatch.catalogue.shapes import Schema
from kiebatch.model import JSON, USD_PER_CREDIT, Modality

_HEAD = """# Models

Generated from the files under `kiebatch/catalogue/data/models/`; edit those and run `python -m kiebatch.catalogue.generate`.
Catalogue {version}, newest fact of {as_of}, {count} models. Prices are in credits (1 credit is {usd} USD) and move often:
`kiebatch plan` shows the price of each job with its date, `kiebatch models MODEL` everything about one model.

A model is named by its id, or by any of its display names and older spellings (`Veo 3.1 Fast`, `flux2/pro-text-to-image`);
an ambiguous name lists the choices. How to add a model of your own is in [catalogue.md](catalogue.md).
"""


def page() -> str:
    """Return the page as Markdown."""
    found = names.load()
    current = [m for m in found.all() if m.status == "current"]
    older = [m for m in found.all() if m.status != "current"]
    head = _HEAD.format(version=found.version, as_of=found.as_of, count=len(found.all()), usd=USD_PER_CREDIT)
    parts = [
        head.rstrip(),
        _intents(found),
        _section("Pictures", "image", current, _PICTURES),
        _section("Clips", "video", current, _CLIPS),
        _section("Sound", "audio", current, _SOUND),
        _older(older),
        _notes(current),
    ]
    return "\n\n".join(parts) + "\n"


def _intents(found: names.Catalogue) -> str:
    lines = ["## Which model for what", ""]
    for intent in suggesting.intents():
        lines += [f"**{intent.name[:1].upper()}{intent.name[1:]}**", ""]
        for model_id, why in intent.models.items():
            model = found.get(model_id)
            cost = prices.cheapest(model) if model else ""
            lines.append(f"- `{model_id}`: {why}{around(' (', cost, ')')}")
        lines.append("")
    return "\n".join(lines).rstrip()


_Column = tuple[str, Callable[[Model], str]]


def _section(title: str, modality: Modality, models: Sequence[Model], columns: Sequence[_Column]) -> str:
    lines = [
        f"## {title}",
        "",
        "| " + " | ".join(name for name, _ in columns) + " |",
        "| --- " * len(columns) + "|",
    ]
    made = [model for model in models if model.modality == modality]
    for model in sorted(made, key=lambda m: (m.maker.lower(), m.id)):
        lines.append("| " + " | ".join(show(model) for _, show in columns) + " |")
    return "\n".join(lines)


def _price(m: Model) -> str:
    return prices.cheapest(m).replace(" credits", "").replace(" credit", "") or "not known"


def _shapes(m: Model) -> str:
    target = m.fields.get("aspect_ratio")
    if not target:
        return ""
    options = _options(m, target)
    wide = "16:9" if "16:9" in options else "no 16:9"
    return f"{len(options)}, {wide}"


def _options(m: Model, target: Field) -> list[JSON]:
    """Return the options of a field as an author writes them."""
    return list(target.values or m.properties.get(target.name, Schema()).get("enum", ()))


def _sizes(m: Model) -> str:
    target = m.fields.get("resolution")
    if not target:
        return ""
    options = [str(o) for o in _options(m, target) if str(o).lower() != "auto"]
    if len(options) < 2:
        return "".join(options)
    return f"{options[0]} to {options[-1]}"


def _pictures_in(m: Model) -> str:
    fields = {fields["image"] for role, fields in m.roles.items() if "image" in fields and role != "mask"}
    most = sum(_most_media(m.properties[name]) for name in fields)
    return {0: "", math.inf: "any"}.get(most, f"{most:g}")


def _most_media(schema: Schema) -> float:
    """Return how many media a field takes; infinity where it has no limit."""
    if schema.get("type") != "array":
        return 1
    return schema.get("maxItems", math.inf)


def _yes(word: str) -> Callable[[Model], str]:
    return lambda m: "yes" if word in m.fields or word in m.roles else ""


def _prompt_length(m: Model) -> str:
    target = m.fields.get("prompt")
    if not target:
        return "none"
    return str(m.properties.get(target.name, Schema()).get("maxLength", ""))


def _lengths(m: Model) -> str:
    target = m.fields.get("duration")
    if not target:
        return ""
    schema = m.properties[target.name]
    numbers = [str(o) for o in schema.get("enum", ())]
    if len(numbers) > 4:
        return f"{numbers[0]} to {numbers[-1]}"
    if numbers:
        return "/".join(numbers)
    for part in (schema, *schema.get("anyOf", ())):
        if "maximum" in part:
            return f"{part.get('minimum', 1):g} to {part['maximum']:g}"
    return "6 to 30" if "pattern" in schema else "yes"


def _frames(m: Model) -> str:
    roles = [word for role, word in (("start_frame", "start"), ("end_frame", "end")) if role in m.roles]
    return " and ".join(roles)


def _kinds_in(role: str) -> Callable[[Model], str]:
    words = {"image": "pictures", "video": "clips", "audio": "sound", "task": "a task"}
    return lambda m: ", ".join(words[k] for k in m.roles.get(role, {}))


def _sound(m: Model) -> str:
    for name in ("sound", "generate_audio", "audio", "generate_audio_switch"):
        schema = m.properties.get(name)
        if schema and schema.get("type") == "boolean":
            return "on" if schema.get("default") else "option"
    if m.id.startswith("veo") and "prompt" in m.fields:
        return "always"
    return ""


def _outputs(m: Model) -> str:
    said = m.outputs.get("count", 1)
    if isinstance(said, dict):
        return str(said["default"])
    return str(said or "?")


def _name(m: Model) -> str:
    return f"`{m.id}`"


_PICTURES: Sequence[_Column] = (
    ("model", _name),
    ("for", lambda m: m.task),
    ("credits", _price),
    ("shapes", _shapes),
    ("size", _sizes),
    ("pictures in", _pictures_in),
    ("mask", _yes("mask")),
    ("negative", _yes("negative_prompt")),
    ("seed", _yes("seed")),
    ("makes", _outputs),
    ("prompt", _prompt_length),
    ("as of", lambda m: m.as_of),
)
_CLIPS: Sequence[_Column] = (
    ("model", _name),
    ("for", lambda m: ", ".join(m.tasks)),
    ("credits", _price),
    ("seconds", _lengths),
    ("size", _sizes),
    ("frames", _frames),
    ("references", _kinds_in("references")),
    ("source", _kinds_in("source")),
    ("sound", _sound),
    ("seed", _yes("seed")),
    ("prompt", _prompt_length),
    ("as of", lambda m: m.as_of),
)
_SOUND: Sequence[_Column] = (
    ("model", _name),
    ("for", lambda m: m.task),
    ("credits", _price),
    ("voices", lambda m: str(len(m.voices) or _yes("voice")(m))),
    ("seconds", _lengths),
    ("source", _kinds_in("source")),
    ("references", _kinds_in("references")),
    ("makes", _outputs),
    ("prompt", _prompt_length),
    ("as of", lambda m: m.as_of),
)


def _older(models: Sequence[Model]) -> str:
    lines = [
        "## Older and withdrawn",
        "",
        "Older forms still work, with a warning; withdrawn models are refused before anything is sent.",
        "",
        "| model | state | today |",
        "| --- | --- | --- |",
    ]
    for m in sorted(models, key=lambda m: (m.status, m.modality, m.id)):
        lines.append(f"| `{m.id}` | {m.status} | {around('`', m.superseded_by, '`')} |")
    return "\n".join(lines)


def _notes(models: Sequence[Model]) -> str:
    """Prompting notes, said once for all models that share them."""
    shared: dict[tuple[str, ...], list[Model]] = {}
    for m in models:
        if m.prompting:
            shared.setdefault(m.prompting, []).append(m)
    lines = ["## How to prompt them", ""]
    for notes, group in sorted(shared.items(), key=lambda pair: (pair[1][0].maker.lower(), pair[1][0].id)):
        lines.append(", ".join(f"`{m.id}`" for m in group))
        lines += ["", *(f"- {note}" for note in notes), ""]
    return "\n".join(lines).rstrip()
