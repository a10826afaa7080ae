"""Writes what is derived from the model files: `python -m kiebatch.catalogue.generate`, `--check` to compare alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kiebatch import formats
from kiebatch.catalogue import guide, prices, reading
from kiebatch.catalogue import names as catalogue
from kiebatch.catalogue.models import JOBS_ENDPOINT, Model
from kiebatch.catalogue.saying import around
from kiebatch.catalogue.shapes import LIMITS, Entry, Index, MediaNote, Schema
from kiebatch.model import JSON, as_list, as_mapping, json_of

ROOT = Path(__file__).parent.parent.parent


def index() -> str:
    """Return `data/index.json`: which file holds which model, and every name by which it is known."""
    head = reading.head()
    folder = reading.DATA / "models"
    models: list[tuple[str, str, str, str, str]] = []
    ids: dict[str, list[int]] = {}
    names: dict[str, list[int]] = {}
    endpoints: dict[str, list[str]] = {}
    for file, entry in _entries(folder):
        number = len(models)
        models.append((entry["id"], entry["modality"], file, entry["status"], entry["task"]))
        ids.setdefault(reading.squash(entry["id"]), []).append(number)
        for name in dict.fromkeys(reading.spellings(entry["title"], entry.get("aliases", ()))):
            names.setdefault(name, []).append(number)
        if entry["endpoint"] != JOBS_ENDPOINT:
            endpoints.setdefault(entry["endpoint"], []).append(entry["id"])
    parts: Index = {
        "version": head["version"],
        "as_of": head["as_of"],
        "models": models,
        "ids": ids,
        "names": names,
        "endpoints": endpoints,
        "chat": head["chat"],
        "not_models": head["not_models"],
        "fields": head["fields"],
    }
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_lines(value)}" for key, value in parts.items()) + "\n}\n"


def _entries(folder: Path) -> Iterator[tuple[str, Entry]]:
    """Yield the entry of each model with the file that holds it."""
    for path in sorted(folder.glob("*/*.yaml")):
        for entry in reading.models_in(path)["models"]:
            yield path.relative_to(folder).as_posix(), entry


def _lines(value: object) -> str:
    """Return a list or mapping with one line per item, so that a diff shows what came and what went."""
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
    if isinstance(value, dict) and value:
        rows = (f"{json.dumps(key)}: {json.dumps(item)}" for key, item in sorted(value.items()))
        return "{\n" + ",\n".join(rows) + "\n}"
    return json.dumps(value)


# --- the schema for editors ----------------------------------------------------------------------------

_KEPT = frozenset(
    [
        *LIMITS,
        "multipleOf",
        "anyOf",
        "default",
        "deprecated",
        "format",
        "items",
        "properties",
        "required",
        "description",
    ]
)
_BY_MODEL: JSON = {"$ref": "#/$defs/params_by_model"}


def editor_schema() -> str:
    """Return `schemas/scenes.schema.json`: the run-time schema, completed with every model and its parameters.

    It is for editors alone.  What it refuses a run refuses too, but a run knows more: rules between fields, media.
    """
    base = as_mapping(_with_models(formats.load("scenes.base")))
    schema = {key: value for key, value in base.items() if key != "$defs"}
    schema["description"] = f"{base['description']} For editors; generated from the model files."
    # One line per definition: a change of one model is one line of a diff.
    text = json.dumps(schema, ensure_ascii=False, indent=2)
    lines = ",\n".join(
        f"    {json.dumps(name)}: {json.dumps(own, ensure_ascii=False)}"
        for name, own in _definitions(as_mapping(base["$defs"])).items()
    )
    return text.removesuffix("\n}") + f',\n  "$defs": {{\n{lines}\n  }}\n}}\n'


def _definitions(base: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the definitions of the run-time schema, and those of every model that can be used."""
    models = [m for m in catalogue.load().all() if m.status != "withdrawn"]
    found = dict(base)
    for owner in ("scene", "shot"):
        own = as_mapping(base[owner])
        found[owner] = {**own, "allOf": [*as_list(own.get("allOf")), _BY_MODEL]}
    found["sound"] = _sound(as_mapping(base["sound"]))
    named = [{"const": m.id, "description": _about(m)} for m in models]
    found["model_id"] = {"anyOf": [*named, {"type": "string", "minLength": 1}]}
    found |= {_definition(m): _params(m) for m in models}
    found["params_by_model"] = {"allOf": [_params_if(m) for m in models]}
    return found


def _sound(base: Mapping[str, JSON]) -> JSON:
    """Return the definition of a sound, with parameters by its model where it is more than a text."""
    return {**base, "anyOf": [_sound_form(as_mapping(form)) for form in as_list(base.get("anyOf"))]}


def _sound_form(form: Mapping[str, JSON]) -> JSON:
    if form.get("type") != "object":
        return form
    return {**form, "allOf": [_BY_MODEL]}


def _params_if(m: Model) -> JSON:
    return {
        # Else an editor offers `model` once for each of them.
        "if": {"properties": {"model": {"const": m.id, "doNotSuggest": True}}, "required": ["model"]},
        "then": {"properties": {"params": {"$ref": f"#/$defs/{_definition(m)}"}}},
    }


def _definition(m: Model) -> str:
    """Return the name of a model's definition; language servers do not all undo the escapes of JSON Pointers."""
    return f"params of {m.id.replace('/', ':')}".replace(" ", "-")


def _with_models(node: JSON) -> JSON:
    """Return a part of the run-time schema with the list of models wherever it takes the name of one."""
    if isinstance(node, list):
        return [_with_models(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    found = {key: _with_models(one) for key, one in node.items()}
    properties = found.get("properties")
    if isinstance(properties, Mapping):
        named = {key: own for key, own in properties.items() if key in ("model", "fallback")}
        found["properties"] = {**properties, **{key: _one_of_them(own) for key, own in named.items()}}
    return found


def _one_of_them(schema: JSON) -> JSON:
    """Return the schema of what names a model, with the list of them."""
    if not isinstance(schema, Mapping):
        return schema
    if schema.get("type") == "string":
        return {"$ref": "#/$defs/model_id"} | {k: v for k, v in schema.items() if k == "description"}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_one_of_them(one) for one in as_list(schema["anyOf"])]}
    if schema.get("type") == "array":
        return {**schema, "items": {"$ref": "#/$defs/model_id"}}
    return schema


def _about(m: Model) -> str:
    state = "" if m.status == "current" else ", older form"
    if m.superseded_by:
        state = f", older form of {m.superseded_by}"
    parts = (f"{m.title}: {m.task}{state}", prices.cheapest(m))
    return ", ".join(filter(None, parts))


def _params(m: Model) -> JSON:
    """Return what `params` may hold for one model: its own fields and the friendly names."""
    own = {name: _own_field(m, name, schema) for name, schema in m.properties.items()}
    found: dict[str, JSON] = {
        "type": "object",
        "properties": _friendly(m) | own,
        "description": _about(m),
    }
    if m.input.get("additionalProperties", True) is False:
        found["additionalProperties"] = False
    return found


def _friendly(m: Model) -> dict[str, JSON]:
    """Return the friendly names that `params` takes and that are not the model's own spelling."""
    found: dict[str, JSON] = {}
    for name, target in m.fields.items():
        own = m.properties.get(target.name)
        if name in ("prompt", "negative_prompt", "voice") or target.wrap is not None or own is None:
            continue
        note: dict[str, JSON] = {"description": f"sent as `{target.name}`"}
        if target.values:
            found[name] = {"enum": _cases(list(target.values)), **note}
        elif name != target.name:
            found[name] = {**_clean(own, lenient=True), **note}
    return found


def _own_field(m: Model, name: str, schema: Schema) -> JSON:
    friendly = any(t.name == name for f, t in m.fields.items() if f != "prompt")
    found = _clean(schema, lenient=friendly)
    if schema.get("media", MediaNote()).get("kind") in ("image", "video", "audio"):
        files = around("; files of yours go under `", m.role_of(name), ":`")
        found["description"] = f"http addresses{files}"
    return found


def _clean(schema: Mapping[str, object], *, lenient: bool = False) -> dict[str, JSON]:
    """Return a field's schema without our notes; `lenient` takes numbers for texts that are numbers, as a run does."""
    found = {key: json_of(value) for key, value in schema.items() if key in _KEPT}
    if "items" in found:
        found["items"] = _clean(as_mapping(found["items"]))
    if "properties" in found:
        properties = as_mapping(found["properties"])
        found["properties"] = {name: _clean(as_mapping(own)) for name, own in properties.items()}
    if "type" in found:
        found |= _types(found, lenient=lenient)
    if "enum" in found and found["type"] == "string":
        del found["type"]  # its options may be numbers, too
    return found


def _types(schema: Mapping[str, JSON], *, lenient: bool) -> dict[str, JSON]:
    """Return the type of a field, or its options, as a scene file may write them."""
    kind = schema["type"]
    if kind == "string" and "enum" in schema:
        return {"enum": _spelt(as_list(schema["enum"]), lenient=lenient)}
    if kind == "string" and (lenient or "pattern" in schema):
        return {"type": ["string", "integer"]}
    if kind in ("integer", "number") and lenient:
        return {"type": [kind, "string"]}
    return {}


def _spelt(options: Sequence[JSON], *, lenient: bool) -> list[JSON]:
    """Return the options of a text, and as numbers those that are whole ones."""
    numbers = [int(option) for option in options if isinstance(option, str) and option.isdecimal()]
    return [*(_cases(options) if lenient else options), *numbers]


def _cases(options: Sequence[JSON]) -> list[JSON]:
    """Return options with the spellings in upper and lower case that a run takes too."""
    sized = [option for option in options if isinstance(option, str) and option[:1].isdigit()]
    cases = (case for option in sized for case in (option.lower(), option.upper()))
    return list(dict.fromkeys([*options, *cases]))


def derived() -> dict[Path, str]:
    """Return every derived file with the text it should have; an installed package has no docs."""
    found = {
        reading.DATA / "index.json": index(),
        formats.path("scenes.base").with_name("scenes.schema.json"): editor_schema(),
    }
    docs = ROOT / "docs"
    if (docs / "architecture.md").is_file():
        found[docs / "models.md"] = guide.page()
    return found


def drifted() -> list[Path]:
    """Return the derived files that do not say what the data say."""
    return [p for p, text in derived().items() if not p.is_file() or p.read_text(encoding="utf-8") != text]


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m kiebatch.catalogue.generate [--check]", file=sys.stderr)
        return 2
    if arguments:
        stale = drifted()
        for path in stale:
            print(f"{path} has drifted; run python -m kiebatch.catalogue.generate", file=sys.stderr)
        return 3 if stale else 0
    for path, text in derived().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
