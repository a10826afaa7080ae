"""Explains one model like a man page, with an example scene that runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import yaml

from kiebatch.catalogue import names, prices, rules, saying
from kiebatch.catalogue.media_limits import limits_of
from kiebatch.catalogue.models import Field, Model
from kiebatch.catalogue.naming import names_of
from kiebatch.catalogue.saying import around
from kiebatch.catalogue.shapes import MediaNote, PriceRow, Rule, Schema
from kiebatch.errors import plain
from kiebatch.model import JSON, USD_PER_CREDIT, one_or_more, tidy

_PROMPTS = {
    "image": "A small boat nears the lighthouse at dusk, storm light, 35 mm film",
    "video": "The keeper climbs the spiral stairs, lantern in hand; the camera follows",
    "audio": "Calm piano, slow, rain on the windows",
    "text": "A storm at sea",
}
_SPEECH = "No one had come for years."
_FILES: Mapping[str, JSON] = {
    "image": "refs/keeper.png",
    "video": "refs/stairs.mp4",
    "audio": "refs/voice.mp3",
    "task": {"shot": 1, "as": "task"},
}
_LISTS = ("references",)
_MOST_OPTIONS = 20  # of a field; more are counted
_AT_THE_TOP = ("prompt", "negative_prompt", "voice", "seed")  # a shot has these keys beside `params`
_TYPES = {"string": "text", "integer": "whole number", "array": "list", "boolean": "true or false"}
# Kinds of media in words: one, and several.
_KINDS = {
    "image": ("a picture", "pictures"),
    "video": ("a clip", "clips"),
    "audio": ("a sound", "sounds"),
    "task": ("a task (`as: task`)", "a task (`as: task`)"),
}
_UNITS = {
    "job": "a job",
    "output": "each output",
    "second": "a second",
    "minute": "a minute",
    "input": "each input",
}


def page(model: Model) -> str:
    """Return everything about one model: names, inputs, rules, prices, prompting, an example, sources."""
    parts = [
        ("NAME", _names(model)),
        ("INPUT", _inputs(model)),
        ("MEDIA", _media(model)),
        ("RULES", [rules.in_words(rule, names_of(model)) for rule in model.constraints]),
        ("PRICES", [price_line(row) for row in model.prices] or ["not known: a job needs --allow-unpriced"]),
        ("PROMPTING", list(model.prompting)),
        ("VOICES", list(filter(None, [", ".join(model.voices)]))),
        ("EXAMPLE", [] if model.status == "withdrawn" else example(model).splitlines()),
        ("SOURCES", _sources(model)),
    ]
    blocks = [
        "\n".join([head, *(f"    {plain(line)}".rstrip() for line in lines)])
        for head, lines in parts
        if lines
    ]
    return "\n\n".join(blocks)


def _names(model: Model) -> list[str]:
    lines = [
        f"{model.id}: {model.title}{around(', by ', model.maker)}",
        f"{model.modality}, {', '.join(model.tasks)}; {model.family} API, {model.endpoint}",
    ]
    if model.status != "current":
        newer = around("; `", model.superseded_by, "` takes its place")
        lines.append(f"{model.status}{newer}{around(', ', model.superseded_note)}")
    if model.aliases:
        lines.append(f"also called {', '.join(model.aliases)}")
    if model.last_day:
        lines.append(f"the service takes jobs for it until {model.last_day}")
    if model.origin != "shipped":
        lines.append(f"from your own file {model.origin}, or corrected there")
    lines.append(f"a job takes about {model.expected_s:g} s")
    return lines


def _sources(model: Model) -> list[str]:
    lines = [
        f"as of {model.as_of}, confidence {model.confidence or 'unknown'}, {model.state}",
        *model.sources,
    ]
    for path, fact in model.provenance.items():
        more = ", ".join(filter(None, (fact.get("as_of"), fact.get("confidence"), fact.get("note"))))
        lines.append(f"{path}: from {fact.get('source')}{around(' (', more, ')')}")
    return lines


def _inputs(model: Model) -> list[str]:
    """One line per field, under the words that a scene file has for it."""
    shown = {name: target for name, target in model.fields.items() if target.name in model.properties}
    media = {field for fields in model.roles.values() for field in fields.values()}
    said = media | {target.name for target in shown.values()}
    return [
        *(_friendly_line(model, name, target) for name, target in shown.items()),
        *(_own_line(model, name) for name in model.properties if name not in said),
    ]


def _friendly_line(model: Model, friendly: str, target: Field) -> str:
    word = friendly if friendly in _AT_THE_TOP else f"params.{friendly}"
    sent = "" if target.name == friendly else f", sent as `{target.name}`"
    return f"{word}: {_described(model, target)}{sent}"


def _own_line(model: Model, name: str) -> str:
    note = model.properties[name].get("description")
    return f"params.{name}: {_described(model, Field(name))}{around(' (', note, ')')}"


def _described(model: Model, field: Field) -> str:
    """Say what a field takes, and whether a job needs it."""
    needed = set(model.input.get("required", ())) - set(model.defaults) - set(model.fill)
    parts = [_takes(model.properties[field.name], field)]
    if field.name in needed:
        parts.append("required")
    return ", ".join(parts)


def _takes(schema: Schema, field: Field) -> str:
    """Say what a field takes: its options or its type, its range, its limits, its default."""
    parts = [_options(schema, field), *_range(schema)]
    if "maxLength" in schema:
        parts.append(f"at most {schema['maxLength']} characters")
    if "maxItems" in schema:
        parts.append(f"at most {schema['maxItems']}")
    if "default" in schema:
        parts.append(f"default {saying.say(field.said(schema['default']))}")
    return ", ".join(parts)


def _options(schema: Schema, field: Field) -> str:
    """Say the options of a field, the first twenty of them; its type where it has none."""
    options = [saying.say(option) for option in field.values or schema.get("enum", ())]
    if not options:
        kind = schema.get("type", "anything")
        return _TYPES.get(kind, kind)
    more = len(options) - _MOST_OPTIONS
    listed = ", ".join(options[:_MOST_OPTIONS])
    return f"{listed} and {more} more" if more > 0 else listed


def _range(schema: Schema) -> list[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    for part in schema.get("anyOf") or ():
        low, high = part.get("minimum", low), part.get("maximum", high)
    if low is None and high is None:
        return []
    first, last = ("..." if limit is None else saying.say(limit) for limit in (low, high))
    return [f"{first} to {last}"]


def _media(model: Model) -> list[str]:
    return [
        _medium(model, role, kind, name)
        for role, fields in model.roles.items()
        for kind, name in fields.items()
    ]


def _medium(model: Model, role: str, kind: str, name: str) -> str:
    """Say what one role takes: how many media of a kind, their limits, and the field they are sent as."""
    schema = model.properties[name]
    single = schema.get("type") != "array" or role in ("start_frame", "end_frame", "mask")
    most = 1 if single else schema.get("maxItems")
    limits = _limits(limits_of(model, name))
    needed = ""
    if name in (model.input.get("required") or ()):
        shared = sum(name in fields.values() for fields in model.roles.values()) > 1
        needed = ", one of these required" if shared else ", required"
    return f"{role}: {', '.join([_count(kind, most), *limits])}{needed}, sent as `{name}`"


def _count(kind: str, most: int | None) -> str:
    one, many = _KINDS[kind]
    if most == 1:
        return one
    return f"{many}, at most {most}" if most else many


def _limits(media: MediaNote) -> Iterable[str]:
    if media.get("formats"):
        yield "/".join(media["formats"])
    if media.get("max_mb"):
        yield f"{saying.say(media['max_mb'])} MB"
    low, high = media.get("min_s"), media.get("max_s")
    if high:
        yield f"{saying.say(low or 0)} to {saying.say(high)} s"
    elif low:
        yield f"from {saying.say(low)} s"
    low, high = media.get("min_side"), media.get("max_side")
    if high:
        yield f"sides {saying.say(low or 1)} to {saying.say(high)} px"
    elif low:
        yield f"sides from {saying.say(low)} px"


def price_line(row: PriceRow) -> str:
    """Return one row of a model's prices in words."""
    when = ", ".join(_condition(name, wanted) for name, wanted in prices.conditions(row).items())
    credits = prices.credits_of(row)
    at_most = "at most " if row.get("bound") else ""
    per = row["per"]
    line = (
        f"{at_most}{credits:g} credits ({credits * USD_PER_CREDIT:.4g} USD) {_UNITS.get(per, f'per {per}')}"
    )
    if row.get("adds") or per == "input":
        line += " on top"
    if row.get("free"):
        line += f", the first {row['free']} free"
    if row.get("plus") and not row.get("adds"):
        line += f", of what comes out and of {', '.join(row['plus'])}"
    known = ", ".join([line, *_known_from(row)])
    return f"{around('', when, ': ')}{known}{around('; ', row.get('note'))}"


def _known_from(row: PriceRow) -> Iterable[str]:
    """Yield since when, from where and until when a price is known."""
    yield from filter(None, (row.get("as_of"), row.get("source")))
    if row.get("confirmed"):
        yield f"seen billed ({row['confirmed']})"
    if row.get("until"):
        yield f"until {row['until']}"


def _condition(name: str, wanted: JSON) -> str:
    if wanted == "given":
        return f"with {name}"
    if wanted == "absent":
        return f"without {name}"
    return f"{name} {saying.any_of(saying.say(option) for option in one_or_more(wanted))}"


def example(model: Model) -> str:
    """Return a scene file that uses the model, as small as it can be."""
    shot: dict[str, JSON] = {"id": 1, "model": model.id}
    if "prompt" in model.fields:
        shot["prompt"] = _example_prompt(model, model.fields["prompt"].name)
    words = {field.name for name, field in model.fields.items() if name in ("prompt", "voice")}
    params: dict[str, JSON] = {}
    for name in dict.fromkeys(_needed(model)):
        schema, place = model.properties.get(name, Schema()), model.place_of(name)
        if place:
            _add_medium(shot, place, schema.get("minItems") or 1)
        elif name not in words:
            params[name] = _sample(name, schema)
    if "voice" in model.fields and model.voices:
        shot["voice"] = next(iter(model.voices))
    if _makes_wide(model, params):
        params["aspect_ratio"] = "16:9"
    if params:
        shot["params"] = params
    document = {"kiebatch": 1, "scenes": [*_scenes_before(model, shot), shot]}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100).rstrip()


def _needed(model: Model) -> list[str]:
    """Return the fields that a job cannot do without: required ones, and one way through each rule."""
    given = {*model.defaults, *model.fill}
    needed = [name for name in model.input.get("required") or () if name not in given]
    for rule in model.constraints:
        kind = rule.get("kind") if "if" not in rule else None
        if kind == "at_least_one" and not set(rule["fields"]) & set(needed):
            needed.append(rule["fields"][0])
        if kind == "exactly_one":
            needed += rule["groups"][-1]
        if "then" in rule:
            needed += _needed_without(rule, needed, given)
    return needed


def _needed_without(rule: Rule, needed: Collection[str], given: Collection[str]) -> list[str]:
    """Return what a rule calls for where another field is left out, and it is."""
    nothing = rule["if"].get("not") or Schema()
    absent = nothing.get("required") or []
    if not absent or set(absent) & set(needed):
        return []
    said = rule["then"].get("properties") or {}
    return [name for name in rule["then"].get("required") or () if name not in given and name not in said]


def _example_prompt(model: Model, field: str) -> str:
    most = model.properties.get(field, Schema()).get("maxLength") or 1000
    speech = model.task in ("text-to-speech", "avatar")
    return (_SPEECH if speech else _PROMPTS[model.modality])[:most]


def _add_medium(shot: dict[str, JSON], role: tuple[str, str], least: int) -> None:
    name, kind = role
    value, given = _FILES[kind], shot.get(name)
    if given:
        shot[name] = [given, value]
    else:
        shot[name] = [value] * least if name in _LISTS else value


def _makes_wide(model: Model, params: Mapping[str, JSON]) -> bool:
    """Whether the example of a picture should ask for 16:9."""
    own = model.fields.get("aspect_ratio")
    if model.modality != "image" or own is None or {"aspect_ratio", own.name} & set(params):
        return False
    return "16:9" in (own.values or model.properties[own.name].get("enum") or ())


def _scenes_before(model: Model, shot: dict[str, JSON]) -> list[JSON]:
    """Return the scene whose task the shot starts from, where its model takes one; the shot comes after it."""
    source = shot.get("source")
    takes_task = _FILES["task"] in one_or_more(source)
    before = names.load().get(model.follows[0]) if takes_task and model.follows else None
    if before is None:
        return []
    shot["id"] = 2
    found: list[JSON] = yaml.safe_load(example(before))["scenes"]
    return found


_SECONDS = {
    "infill_end_s": 20,
    "vocal_end_s": 20,
    "infillEndS": 20,
    "vocalEndS": 20,
}  # ends lie after their begins


def _sample(name: str, schema: Schema) -> JSON:
    """Return a value that a field takes."""
    if "enum" in schema:
        return next(v for v in schema["enum"] if v not in (schema.get("discontinued") or ()))
    sample = _SAMPLES.get(schema.get("type", ""), _sample_text)
    return sample(name, schema)


def _sample_list(name: str, schema: Schema) -> list[JSON]:
    least = max(1, int(schema.get("minItems") or 1))
    return [_sample(name, schema.get("items") or Schema())] * least


def _sample_mapping(_name: str, schema: Schema) -> dict[str, JSON]:
    required = schema.get("required") or ()
    properties = schema.get("properties") or {}
    return {name: _sample(name, own) for name, own in properties.items() if name in required}


def _sample_number(name: str, schema: Schema) -> float:
    above = "exclusiveMinimum" in schema
    value = max(float(schema.get("minimum", schema.get("exclusiveMinimum", 0))), 0)
    return tidy(value + above + _SECONDS.get(name, 0))


def _sample_text(name: str, schema: Schema) -> str:
    if "url" in name.lower() or schema.get("format") == "uri":
        return "https://example.com/medium"
    if "Speaker" in schema.get("pattern", ""):
        return "Speaker 1"
    return "from an earlier task" if name.endswith("id") else "The lighthouse"


_SAMPLES: Mapping[str, Callable[[str, Schema], JSON]] = {
    "boolean": lambda _name, _schema: False,
    "integer": _sample_number,
    "number": _sample_number,
    "array": _sample_list,
    "object": _sample_mapping,
}


def cost(model: Model) -> str:
    """Return the lowest price in words, or that none is known."""
    return prices.cheapest(model) or "price not known"
