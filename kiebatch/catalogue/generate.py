"""Writes what is derived from the model files: `python -m kiebatch.catalogue.generate`, `--check` to compare alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from kiebatch import formats
from kiebatch.catalogue import guide, prices, reading
from kiebatch.catalogue import names as catalogue
from kiebatch.catalogue.models import JOBS_ENDPOINT, Model
from kiebatch.model import JSON

ROOT = Path(__file__).parent.parent.parent


def index() -> str:
    """Return `data/index.json`: which file holds which model, and every name by which it is known."""
    head = reading.read_yaml(reading.DATA / "catalogue.yaml")
    models: list[list[Any]] = []
    ids: dict[str, list[int]] = {}
    names: dict[str, list[int]] = {}
    endpoints: dict[str, list[str]] = {}
    folder = reading.DATA / "models"
    for path in sorted(folder.glob("*/*.yaml")):
        for entry in reading.read_yaml(path)["models"]:
            number = len(models)
            models.append(
                [
                    entry["id"],
                    entry["modality"],
                    path.relative_to(folder).as_posix(),
                    entry["status"],
                    entry["task"],
                ]
            )
            ids.setdefault(reading.squash(entry["id"]), []).append(number)
            for name in dict.fromkeys(reading.spellings(entry)):
                names.setdefault(name, []).append(number)
            if entry["endpoint"] != JOBS_ENDPOINT:
                endpoints.setdefault(entry["endpoint"], []).append(entry["id"])
    parts = {
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
    # One line per model, so that a diff shows what came and what went.
    lines = []
    for key, value in parts.items():
        if isinstance(value, list | dict) and value:
            rows = (
                [json.dumps(v) for v in value]
                if isinstance(value, list)
                else [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(value.items())]
            )
            opening, closing = "[]" if isinstance(value, list) else "{}"
            lines.append(f"{json.dumps(key)}: {opening}\n" + ",\n".join(rows) + f"\n{closing}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


# --- the schema for editors ----------------------------------------------------------------------------

_KEPT = (
    "type enum pattern minLength maxLength minItems maxItems minimum maximum exclusiveMinimum multipleOf anyOf default "
    "deprecated format items properties required description"
)


def editor_schema() -> str:
    """Return `schemas/scenes.schema.json`: the run-time schema, completed with every model and its parameters.

    It is for editors alone.  What it refuses a run refuses too, but a run knows more: rules between fields, media.
    """
    schema = json.loads(formats.path("scenes.base").read_text(encoding="utf-8"))
    models = [m for m in catalogue.load().all() if m.status != "withdrawn"]
    schema["description"] += " For editors; generated from the model files."
    _name_models(schema)
    schema["$defs"]["model_id"] = {
        "anyOf": [
            *({"const": m.id, "description": _about(m)} for m in models),
            {"type": "string", "minLength": 1},
        ]
    }
    for m in models:
        schema["$defs"][_definition(m)] = _params(m)
    schema["$defs"]["params_by_model"] = {
        "allOf": [
            {
                # Else an editor offers `model` once for each of them.
                "if": {"properties": {"model": {"const": m.id, "doNotSuggest": True}}, "required": ["model"]},
                "then": {"properties": {"params": {"$ref": f"#/$defs/{_definition(m)}"}}},
            }
            for m in models
        ]
    }
    for owner in ("scene", "shot"):
        schema["$defs"][owner]["allOf"] = [
            *schema["$defs"][owner].get("allOf", ()),
            {"$ref": "#/$defs/params_by_model"},
        ]
    for branch in schema["$defs"]["sound"].get("anyOf", ()):
        if branch.get("type") == "object":
            branch["allOf"] = [{"$ref": "#/$defs/params_by_model"}]
    # One line per definition: a change of one model is one line of a diff.
    definitions = schema.pop("$defs")
    text = json.dumps(schema, ensure_ascii=False, indent=2)
    lines = ",\n".join(
        f"    {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in definitions.items()
    )
    return text.removesuffix("\n}") + f',\n  "$defs": {{\n{lines}\n  }}\n}}\n'


def _definition(m: Model) -> str:
    """Return the name of a model's definition; language servers do not all undo the escapes of JSON Pointers."""
    return f"params of {m.id.replace('/', ':')}".replace(" ", "-")


def _name_models(node: JSON) -> None:
    """Put the list of models wherever the run-time schema takes the name of one."""
    if isinstance(node, list):
        for one in node:
            _name_models(one)
    if not isinstance(node, dict):
        return
    properties = node.get("properties")
    if isinstance(properties, dict):
        for key in ("model", "fallback"):
            if isinstance(properties.get(key), dict):
                properties[key] = _with_models(properties[key])
    for one in node.values():
        _name_models(one)


def _with_models(schema: JSON) -> JSON:
    if schema.get("type") == "string":
        return {"$ref": "#/$defs/model_id"} | {k: v for k, v in schema.items() if k == "description"}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_with_models(one) for one in schema["anyOf"]]}
    if schema.get("type") == "array":
        return {**schema, "items": {"$ref": "#/$defs/model_id"}}
    return schema


def _about(m: Model) -> str:
    cost = prices.cheapest(m)
    state = "" if m.status == "current" else ", older form"
    if m.superseded_by:
        state = f", older form of {m.superseded_by}"
    return f"{m.title}: {m.task}{state}" + (f", {cost}" if cost else "")


def _params(m: Model) -> JSON:
    """Return what `params` may hold for one model: its own fields and the friendly names."""
    properties: dict[str, JSON] = {}
    for name, target in m.fields.items():
        own = m.properties.get(target.name)
        if name in ("prompt", "negative_prompt", "voice") or target.wrap is not None or own is None:
            continue
        if target.values:
            properties[name] = {
                "enum": _cases(list(target.values)),
                "description": f"sent as `{target.name}`",
            }
        elif name != target.name:
            properties[name] = {**_clean(own, lenient=True), "description": f"sent as `{target.name}`"}
    for name, own in m.properties.items():
        friendly = any(t.name == name for f, t in m.fields.items() if f != "prompt")
        properties[name] = _clean(own, lenient=friendly)
        if "media" in own and own["media"]["kind"] in ("image", "video", "audio"):
            role = next((r for r, fields in m.roles.items() if name in fields.values()), None)
            properties[name]["description"] = "http addresses" + (
                f"; files of yours go under `{role}:`" if role else ""
            )
    found: dict[str, JSON] = {"type": "object", "properties": properties, "description": _about(m)}
    if m.input.get("additionalProperties", True) is False:
        found["additionalProperties"] = False
    return found


def _clean(schema: JSON, *, lenient: bool = False) -> JSON:
    """Return a field's schema without our notes; `lenient` takes numbers for texts that are numbers, as a run does."""
    found = {k: v for k, v in schema.items() if k in _KEPT.split()}
    if "items" in found:
        found["items"] = _clean(found["items"])
    if "properties" in found:
        found["properties"] = {k: _clean(v) for k, v in found["properties"].items()}
    if found.get("type") == "string" and "enum" in found:
        options = _cases(found["enum"]) if lenient else list(found["enum"])
        found["enum"] = options + [int(v) for v in found["enum"] if v.isdecimal()]
        del found["type"]
    elif found.get("type") == "string" and (lenient or "pattern" in found):
        found["type"] = ["string", "integer"]
    elif found.get("type") in ("integer", "number") and lenient:
        found["type"] = [found["type"], "string"]
    return found


def _cases(options: list[JSON]) -> list[JSON]:
    """Return options with the spellings in upper and lower case that a run takes too."""
    return list(
        dict.fromkeys(
            [*options, *(f(o) for o in options if str(o)[:1].isdigit() for f in (str.lower, str.upper))]
        )
    )


def derived() -> dict[Path, str]:
    """Return every derived file with the text it should have; an installed package has no docs."""
    found = {
        reading.DATA / "index.json": index(),
        formats.path("scenes.base").with_name("scenes.schema.json"): editor_schema(),
    }
    docs = ROOT / "docs"
    return {**found, docs / "models.md": guide.page()} if (docs / "architecture.md").is_file() else found


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
