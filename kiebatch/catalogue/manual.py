"""Explains one model like a man page, with an example scene that runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import yaml

from kiebatch.catalogue import names, prices, rules, saying
from kiebatch.catalogue.models import Model
from kiebatch.catalogue.naming import names_of
from kiebatch.catalogue.shapes import PriceRow, Rule, Schema
from kiebatch.errors import plain
from kiebatch.model import JSON, USD_PER_CREDIT

_PROMPTS = {
    "image": "A small boat nears the lighthouse at dusk, storm light, 35 mm film",
    "video": "The keeper climbs the spiral stairs, lantern in hand; the camera follows",
    "audio": "Calm piano, slow, rain on the windows",
    "text": "A storm at sea",
}
_SPEECH = "No one had come for years."
_FILES = {
    "image": "refs/keeper.png",
    "video": "refs/stairs.mp4",
    "audio": "refs/voice.mp3",
    "task": {"shot": 1, "as": "task"},
}
_LISTS = ("references",)


def page(model: Model) -> str:
    """Return everything about one model: names, inputs, rules, prices, prompting, an example, sources."""
    parts = [
        ("NAME", _names(model)),
        ("INPUT", _inputs(model)),
        ("MEDIA", _media(model)),
        ("RULES", [rules.in_words(rule, names_of(model)) for rule in model.constraints]),
        ("PRICES", [price_line(row) for row in model.prices] or ["not known: a job needs --allow-unpriced"]),
        ("PROMPTING", list(model.prompting)),
        ("VOICES", [", ".join(model.voices)] if model.voices else []),
        (
            "EXAMPLE",
            example(model).splitlines() if model.status != "withdrawn" else [],
        ),
        ("SOURCES", _sources(model)),
    ]
    blocks = [
        "\n".join([head, *(f"    {plain(line)}".rstrip() for line in lines)])
        for head, lines in parts
        if lines
    ]
    return "\n\n".join(blocks)


def _names(model: Model) -> list[str]:
    lines = [f"{model.id}: {model.title}" + (f", by {model.maker}" if model.maker else "")]
    lines.append(f"{model.modality}, {', '.join(model.tasks)}; {model.family} API, {model.endpoint}")
    if model.status != "current":
        newer = f"; `{model.superseded_by}` takes its place" if model.superseded_by else ""
        newer += f", {model.superseded_note}" if model.superseded_note else ""
        lines.append(f"{model.status}{newer}")
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
        lines.append(f"{path}: from {fact.get('source')}{f' ({more})' if more else ''}")
    return lines


def _inputs(model: Model) -> list[str]:
    """One line per field, under the words that a scene file has for it."""
    required = set(model.input.get("required") or ()) - set(model.defaults) - set(model.fill)
    media = {f for fields in model.roles.values() for f in fields.values()}
    lines, shown = [], set()
    for friendly, target in model.fields.items():
        schema = model.properties.get(target.name)
        if schema is None or (friendly == "voice" and target.wrap is None and friendly in shown):
            continue
        where = (
            friendly if friendly in ("prompt", "negative_prompt", "voice", "seed") else f"params.{friendly}"
        )
        values = target.values
        sent = f", sent as `{target.name}`" if target.name != friendly else ""
        lines.append(
            f"{where}: {_described(schema, values)}{', required' if target.name in required else ''}{sent}"
        )
        shown.add(target.name)
    for name, schema in model.properties.items():
        if name in shown or name in media:
            continue
        note = f" ({schema['description']})" if schema.get("description") else ""
        lines.append(
            f"params.{name}: {_described(schema, None)}{', required' if name in required else ''}{note}"
        )
    return lines


def _described(schema: Mapping[str, JSON], values: Mapping[str, JSON] | None) -> str:
    options = [*values] if values else schema.get("enum")
    parts = []
    if options:
        shown = [saying.say(o) for o in options]
        parts.append(", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else ""))
    else:
        kind = str(schema.get("type", "anything"))
        parts.append(
            {"string": "text", "integer": "whole number", "array": "list", "boolean": "true or false"}.get(
                kind, kind
            )
        )
    low, high = schema.get("minimum"), schema.get("maximum")
    for part in schema.get("anyOf") or ():
        low, high = part.get("minimum", low), part.get("maximum", high)
    if low is not None or high is not None:
        parts.append(
            f"{saying.say(low) if low is not None else '...'} to {saying.say(high) if high is not None else '...'}"
        )
    if "maxLength" in schema:
        parts.append(f"at most {schema['maxLength']} characters")
    if "maxItems" in schema:
        parts.append(f"at most {schema['maxItems']}")
    if "default" in schema:
        said = next(
            (word for word, own in (values or {}).items() if own == schema["default"]), schema["default"]
        )
        parts.append(f"default {saying.say(said)}")
    return ", ".join(parts)


def _media(model: Model) -> list[str]:
    words = {"image": "pictures", "video": "clips", "audio": "sounds", "task": "a task (`as: task`)"}
    singular = {"image": "a picture", "video": "a clip", "audio": "a sound", "task": words["task"]}
    lines = []
    required = set(model.input.get("required") or ())
    for role, fields in model.roles.items():
        for kind, name in fields.items():
            schema = model.properties[name]
            single = schema.get("type") != "array" or role in ("start_frame", "end_frame", "mask")
            most = 1 if single else schema.get("maxItems")
            limits = list(_limits(schema.get("media") or _nested(schema)))
            count = f"{words[kind]}, at most {most}" if most else words[kind]
            if most == 1:
                count = singular[kind]
            needed = ""
            if name in required:
                shared = sum(name in others.values() for others in model.roles.values()) > 1
                needed = ", one of these required" if shared else ", required"
            lines.append(f"{role}: {', '.join([count, *limits])}{needed}, sent as `{name}`")
    return lines


def _nested(schema: Mapping[str, JSON]) -> Mapping[str, JSON]:
    inner = (schema.get("items") or {}).get("properties") or {}
    return next((p["media"] for p in inner.values() if "media" in p), {})


def _limits(media: Mapping[str, JSON]) -> Iterable[str]:
    if media.get("formats"):
        yield "/".join(media["formats"])
    if media.get("max_mb"):
        yield f"{saying.say(media['max_mb'])} MB"
    low, high = media.get("min_s"), media.get("max_s")
    if low or high:
        yield f"{saying.say(low or 0)} to {saying.say(high)} s" if high else f"from {saying.say(low)} s"
    low, high = media.get("min_side"), media.get("max_side")
    if low or high:
        yield (
            f"sides {saying.say(low or 1)} to {saying.say(high)} px"
            if high
            else f"sides from {saying.say(low)} px"
        )


def price_line(row: PriceRow) -> str:
    """Return one row of a model's prices in words."""
    when = ", ".join(_condition(k, v) for k, v in (row.get("when") or {}).items())
    units = {
        "job": "a job",
        "output": "each output",
        "second": "a second",
        "minute": "a minute",
        "input": "each input",
    }
    unit = units.get(row["per"], f"per {row['per']}")
    credits = max(float(row["credits"]), float(row.get("usd") or 0) / USD_PER_CREDIT)
    extra = " on top" if row.get("adds") or row["per"] == "input" else ""
    free = f", the first {row['free']} free" if row.get("free") else ""
    plus = (
        f", of what comes out and of {', '.join(row['plus'])}"
        if row.get("plus") and not row.get("adds")
        else ""
    )
    at_most = "at most " if row.get("bound") else ""
    facts = [
        row.get("as_of", ""),
        row.get("source", ""),
        f"seen billed ({row['confirmed']})" if row.get("confirmed") else "",
        f"until {row['until']}" if row.get("until") else "",
    ]
    note = f"; {row['note']}" if row.get("note") else ""
    line = f"{at_most}{credits:g} credits ({credits * USD_PER_CREDIT:.4g} USD) {unit}{extra}{free}{plus}"
    said = ", ".join([line, *filter(None, facts)])
    return f"{when + ': ' if when else ''}{said}{note}"


def _condition(name: str, wanted: JSON) -> str:
    if wanted in ("given", "absent"):
        return f"{'with' if wanted == 'given' else 'without'} {name}"
    return (
        f"{name} {saying.any_of(saying.say(v) for v in (wanted if isinstance(wanted, list) else [wanted]))}"
    )


def example(model: Model) -> str:
    """Return a scene file that uses the model, as small as it can be."""
    shot: dict[str, JSON] = {"id": 1, "model": model.id}
    target = model.fields.get("prompt")
    if target is not None:
        shot["prompt"] = _example_prompt(model, target.name)
    params: dict[str, JSON] = {}
    for name in dict.fromkeys(_needed(model)):
        role = next(((r, k) for r, own in model.roles.items() for k, f in own.items() if f == name), None)
        if target is not None and name == target.name:
            continue
        if role:
            _add_medium(shot, role, int(model.properties[name].get("minItems") or 1))
        elif not any(f == "voice" and t.name == name for f, t in model.fields.items()):
            params[name] = _sample(name, model.properties[name])
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
    takes_task = _FILES["task"] in (source if isinstance(source, list) else [source])
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
    kind = schema.get("type")
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        return _sample_number(name, schema)
    if kind == "array":
        least = max(1, int(schema.get("minItems") or 1))
        return [_sample(name, schema.get("items") or Schema()) for _ in range(least)]
    if kind == "object":
        required = schema.get("required") or ()
        return {
            key: _sample(key, p) for key, p in (schema.get("properties") or {}).items() if key in required
        }
    return _sample_text(name, schema)


def _sample_number(name: str, schema: Schema) -> float:
    above = "exclusiveMinimum" in schema
    value = max(float(schema.get("minimum", schema.get("exclusiveMinimum", 0))), 0)
    value += (1 if above else 0) + _SECONDS.get(name, 0)
    return int(value) if value == int(value) else value


def _sample_text(name: str, schema: Schema) -> str:
    if "url" in name.lower() or schema.get("format") == "uri":
        return "https://example.com/medium"
    if "Speaker" in schema.get("pattern", ""):
        return "Speaker 1"
    return "from an earlier task" if name.endswith("id") else "The lighthouse"


def cost(model: Model) -> str:
    """Return the lowest price in words, or that none is known."""
    return prices.cheapest(model) or "price not known"
