"""Compares the provider's own listing with the catalogue, and returns a candidate to review.

The provider's answers (protocol 7.3) name models, their input schemas and their prices in words.  Nothing of that
goes into the catalogue by itself: prices move, schemas slip, and what a person should know (roles, limits of media,
how to prompt) is not in them.  So a refresh is a text to read: what came, what went, and for each model that changed
a unified diff of its entry.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from kiebatch.catalogue.models import JOBS_ENDPOINT, Model
from kiebatch.catalogue.names import Catalogue
from kiebatch.catalogue.shapes import LIMITS
from kiebatch.errors import plain
from kiebatch.model import JSON, Modality, as_json, as_list, as_mapping, as_text, under

_COMPARED = (*LIMITS, "default", "items", "properties", "required")
_ID = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
_MODALITY: tuple[tuple[Modality, str], ...] = (
    ("video", r"video|avatar|lip"),
    ("audio", r"speech|audio|music|sound|voice|song"),
    ("image", r""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the provider answered to the questions of one refresh."""

    listed: Sequence[Mapping[str, JSON]]  # the entries of the model listing
    schemas: Mapping[str, JSON] = field(default_factory=dict)  # the answers about single models, by id
    failed: Mapping[str, str] = field(default_factory=dict)  # why there is none about a model, by id
    prices: Sequence[Mapping[str, JSON]] = ()  # the rows of the price list
    whole: bool = True  # whether `listed` is all there is, so that what is missing in it is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One model that the provider shows otherwise than the catalogue: what changed in words, and the diff."""

    model: str
    kind: str  # new, chat, gone, input, price, price-words, not-compared
    words: tuple[str, ...]
    diff: str = ""
    entry: Mapping[str, JSON] | None = None  # what a file of models would say: a new model, or what differs
    maker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Everything that a refresh found, in the order of the model ids."""

    changes: tuple[Change, ...]
    asked: int

    @property
    def text(self) -> str:
        """The candidate as one text: a unified diff with the findings as lines before each part."""
        parts = []
        for change in self.changes:
            lines = [f"# {change.model}: {change.kind}", *(f"#   {word}" for word in change.words)]
            parts.append(
                "\n".join(lines) + "\n" + (_as_file(change) if change.kind == "new" else change.diff)
            )
        return "\n".join(parts)

    def as_json(self) -> dict[str, JSON]:
        return {
            "asked": self.asked,
            "changes": [
                {"model": c.model, "kind": c.kind, "what": list(c.words), "diff": c.diff}
                for c in self.changes
            ],
        }

    def as_file(self) -> dict[str, list[dict[str, JSON]]]:
        """Return every change that a file of models can hold: new models, and fields that differ."""
        entries = (change.entry for change in self.changes if change.entry)
        return {"models": [dict(entry) for entry in entries if re.fullmatch(_ID, str(entry["id"]))]}


def _as_file(change: Change) -> str:
    """Return a draft as a file of models, to be pasted as it is."""
    if change.entry is None:
        return ""
    head = {"maker": change.maker} if change.maker else {}
    return yaml.safe_dump(
        {**head, "models": [dict(change.entry)]}, sort_keys=False, allow_unicode=True, width=100
    )


def compare(
    catalogue: Catalogue, answers: Answers, *, today: str, kept_words: Mapping[str, str] | None = None
) -> Candidate:
    """Return what the provider says otherwise than the catalogue.

    `kept_words` are the listing's price words of the last time, by model id.
    """
    kept_words = kept_words or {}
    credits = _credits_by_model(answers.prices)
    changes: list[Change] = []
    ids = [_id_of(entry) for entry in answers.listed]
    for model_id, entry in zip(ids, answers.listed, strict=True):
        changes += _price_words(model_id, entry, kept_words.get(model_id))
        known = _known(catalogue, model_id)
        if known is None:
            changes += _unknown(catalogue, model_id, entry, answers.schemas.get(model_id), today)
            continue
        changes += _of_known(known, answers.schemas.get(model_id), answers.failed.get(model_id))
        changes += _price_changes(known, credits.get(model_id, set()))
    if answers.whole:
        changes += _gone(catalogue, ids)
    return Candidate(changes=tuple(sorted(changes, key=lambda c: (c.model, c.kind))), asked=len(ids))


def _id_of(entry: Mapping[str, JSON]) -> str:
    return str(entry.get("model") or "")


def _known(catalogue: Catalogue, model_id: str) -> Model | None:
    """Return the model that the catalogue has under an id of the listing, be it an alias."""
    exact = catalogue.get(model_id)
    return exact or next((m for m in catalogue.named(model_id) if model_id in m.aliases), None)


def price_words(listed: Sequence[Mapping[str, JSON]]) -> dict[str, str]:
    """Return the price words of a listing by model, to be kept for the next comparison."""
    words = {_id_of(entry): plain(entry.get("pricingDesc") or "", 500) for entry in listed}
    return {model_id: said for model_id, said in words.items() if model_id and said}


def _price_words(model_id: str, entry: Mapping[str, JSON], kept: str | None) -> list[Change]:
    """Return a change where the listing's price words are not those of the last time: they say when a price ends."""
    said = plain(entry.get("pricingDesc") or "", 500)
    if not kept or not said or said == kept:
        return []
    return [Change(model=model_id, kind="price-words", words=(f"were: {kept}", f"are: {said}"))]


def _unknown(
    catalogue: Catalogue, model_id: str, entry: Mapping[str, JSON], answer: JSON, today: str
) -> list[Change]:
    """Return a draft of a new model; a chat model is named, never drafted: it makes no file."""
    tasks = " ".join(str(task) for task in as_list(entry.get("taskType"))).lower()
    if "chat" in tasks or (_paths(answer) and not any("createTask" in path for path in _paths(answer))):
        if catalogue.is_chat(model_id):
            return []
        return [Change(model=plain(model_id, 200), kind="chat", words=("a chat model; it makes no file",))]
    found = find_input(answer)
    changes = [_new(model_id, entry, found.schema, today)]
    if answer is not None and found.why:
        changes.append(Change(model=plain(model_id, 200), kind="not-compared", words=(found.why,)))
    return changes


def _paths(answer: JSON) -> list[str]:
    return list(as_mapping(under(under(answer, "openapi") or answer, "paths")))


def _of_known(known: Model, answer: JSON, failure: str | None) -> list[Change]:
    if failure:
        why = f"its schema could not be read: {plain(failure, 200)}"
        return [Change(model=known.id, kind="not-compared", words=(why,))]
    found = find_input(answer)
    if found.schema:
        return _input_changes(known, found.schema)
    if answer is None:
        return []
    return [Change(model=known.id, kind="not-compared", words=(found.why,))]


def _gone(catalogue: Catalogue, ids: Sequence[str]) -> Iterable[Change]:
    for model in catalogue.all():
        ours = model.family == "jobs" and model.status == "current" and model.origin == "shipped"
        if ours and not {model.id, *model.aliases} & set(ids):
            yield Change(model=model.id, kind="gone", words=("the provider no longer lists it",))


@dataclass(frozen=True, slots=True)
class FoundInput:
    """The schema of a model's input inside an OpenAPI document; without one, why it cannot be compared."""

    schema: Mapping[str, JSON] | None = None
    why: str = ""


def find_input(answer: JSON) -> FoundInput:
    """Return the input schema inside an OpenAPI document, wherever it is, with every `$ref` followed."""
    for node in _inputs(answer):
        whole = as_mapping(_resolved(node, answer, depth=0))
        if isinstance(whole.get("properties"), Mapping):
            return FoundInput(whole)
        for keyword in ("oneOf", "anyOf"):
            if keyword in whole:
                forms = len(as_list(whole[keyword]))
                return FoundInput(why=f"its input is one of {forms} forms (`{keyword}`)")
    return FoundInput(why="its schema has no `input` with properties")


def _inputs(node: JSON, name: str = "") -> Iterable[Mapping[str, JSON]]:
    """Yield every schema that is called `input`, the outermost first."""
    if isinstance(node, list):
        for one in node:
            yield from _inputs(one, name)
    elif isinstance(node, Mapping):
        if name == "input" and {"properties", "$ref", "allOf", "oneOf", "anyOf"} & set(node):
            yield node
            return
        for key, value in node.items():
            yield from _inputs(value, str(key))


def _resolved(node: JSON, document: JSON, depth: int) -> JSON:
    """Return a schema with its references followed and its `allOf` merged; a circle ends after a few rounds."""
    if isinstance(node, list):
        return [_resolved(one, document, depth) for one in node]
    if not isinstance(node, Mapping) or depth > 12:
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        return _resolved(_referred(reference, document), document, depth + 1)
    found = {key: _resolved(value, document, depth + 1) for key, value in node.items()}
    for part in as_list(found.pop("allOf", None)):
        if isinstance(part, Mapping):
            found = _merged(found, part)
    return found


def _merged(schema: Mapping[str, JSON], part: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a schema with one part of its `allOf`: the fields and the required names of both."""
    both = (schema, part)
    properties = {name: own for one in both for name, own in as_mapping(one.get("properties")).items()}
    required = [name for one in both for name in as_list(one.get("required"))]
    merged: dict[str, JSON] = {**part, **schema, "properties": properties}
    return merged | {"required": required} if required else merged


def _referred(reference: str, document: JSON) -> JSON:
    """Return what a local reference names.  Names are percent-encoded, as in `#/components/schemas/Nano%20Banana`."""
    for root in (document, under(document, "openapi")):
        steps = reference.removeprefix("#/").split("/")
        node = under(root, *(unquote(step).replace("~1", "/").replace("~0", "~") for step in steps))
        if node is not None:
            return node
    return {}


def _compared(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the parts of a schema that both sides can say, in one order."""
    found = {key: schema[key] for key in _COMPARED if key in schema}
    properties, required = found.get("properties"), found.get("required")
    if isinstance(properties, Mapping):
        found["properties"] = {name: _compared_value(properties[name]) for name in sorted(properties)}
    if "items" in found:
        found["items"] = _compared_value(found["items"])
    if isinstance(required, list):
        found["required"] = sorted(str(name) for name in required)
    return found


def _compared_value(schema: JSON) -> JSON:
    return _compared(schema) if isinstance(schema, Mapping) else schema


def _input_changes(model: Model, schema: Mapping[str, JSON]) -> list[Change]:
    before, after = _compared(as_json(model.input)), _compared(schema)
    old, new = as_mapping(before.get("properties")), as_mapping(after.get("properties"))
    words = [*_property_words(old, new), *_required_words(before, after)]
    if not words:
        return []
    return [
        Change(
            model=model.id,
            kind="input",
            words=tuple(words),
            diff=_diff({"id": model.id, "input": before}, {"id": model.id, "input": after}, model),
            entry=_patch(model, old, new, schema),
        )
    ]


def _property_words(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> Iterable[str]:
    yield from (f"new field `{plain(name, 80)}`" for name in new if name not in old)
    yield from (f"field `{name}` is gone" for name in old if name not in new)
    for name in sorted(set(old) & set(new)):
        yield from _field_words(name, as_mapping(old[name]), as_mapping(new[name]))


def _required_words(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> Iterable[str]:
    needs, needed = _required(after), _required(before)
    yield from (f"`{plain(name, 80)}` is required now" for name in sorted(needs - needed))
    yield from (f"`{name}` is no longer required" for name in sorted(needed - needs))


def _required(schema: Mapping[str, JSON]) -> set[str]:
    return {str(name) for name in as_list(schema.get("required"))}


# What a schema that does not say them takes away; other keys that are missing say nothing.
_LOOSENED = ("enum", "maxLength", "maximum", "minimum", "maxItems")


def _field_words(name: str, old: Mapping[str, JSON], new: Mapping[str, JSON]) -> list[str]:
    return [
        f"`{name}`: {key} was {_shown(old.get(key))}, is {_shown(new.get(key))}"
        for key in _COMPARED
        if old.get(key) != new.get(key) and (new.get(key) is not None or key in _LOOSENED)
    ]


def _patch(
    model: Model, old: Mapping[str, JSON], new: Mapping[str, JSON], schema: Mapping[str, JSON]
) -> dict[str, JSON]:
    """Return the correction of an entry that takes over the provider's fields."""
    said = as_mapping(schema.get("properties"))
    properties: dict[str, JSON] = {
        name: _field(name, said[name]) for name in new if new[name] != old.get(name)
    }
    properties |= {name: None for name in old if name not in new}
    return {"id": model.id, "modality": model.modality, "input": {"properties": properties}}


def _shown(value: JSON) -> str:
    return "not said" if value is None else plain(value, 120)


def _diff(before: JSON, after: JSON, model: Model) -> str:
    texts = [
        yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100) for value in (before, after)
    ]
    lines = difflib.unified_diff(
        texts[0].splitlines(keepends=True),
        texts[1].splitlines(keepends=True),
        fromfile=f"catalogue/{model.modality}/{model.id}",
        tofile=f"provider/{model.modality}/{model.id}",
    )
    return "".join(lines)


def _new(model_id: str, entry: Mapping[str, JSON], schema: Mapping[str, JSON] | None, today: str) -> Change:
    """Return a draft of an entry for a model that the catalogue does not have: a file of models as it is."""
    listed = as_list(entry.get("taskType"))
    tasks = [re.sub(r"[^a-z]+", "-", str(task).lower()).strip("-") for task in listed] or ["unknown"]
    words = " ".join([*tasks, model_id])
    modality = next(kind for kind, pattern in _MODALITY if re.search(pattern, words))
    name, title = plain(model_id, 200), plain(entry.get("title") or model_id, 200)
    input = _draft_input(schema)
    draft: dict[str, JSON] = {
        "id": name,
        "title": title,
        "modality": modality,
        "task": tasks[0],
        "family": "jobs",
        "endpoint": JOBS_ENDPOINT,
        "status": "current",
        "input": input,
        "roles": _roles(as_mapping(input["properties"])),
        "outputs": {"count": 1},
        "sources": [f"the provider's own listing, {today}"],
        "as_of": today,
        "confidence": "medium",
        "notes": plain(f"prices in words: {entry.get('pricingDesc') or 'none'}", 500),
    }
    text = yaml.safe_dump([draft], sort_keys=False, allow_unicode=True, width=100)
    head = f"--- /dev/null\n+++ provider/{modality}/{name}\n"
    return Change(
        model=name,
        kind="new",
        words=(f"{title}, {', '.join(tasks)}", "no price row yet: its jobs need --allow-unpriced"),
        diff=head + "".join(f"+{line}\n" for line in text.splitlines()),
        entry=draft,
        maker=plain(entry.get("provider") or "", 100),
    )


def _draft_input(schema: Mapping[str, JSON] | None) -> dict[str, JSON]:
    """Return the input of a draft; without a schema its fields are not known, and are sent with a warning."""
    if schema is None:
        return {"type": "object", "required": [], "properties": {}}
    return {
        "type": "object",
        "required": sorted(str(name) for name in as_list(schema.get("required"))),
        "properties": _properties(schema),
        "additionalProperties": False,
    }


# What a draft takes over; a pattern and an open limit are left to whoever reads the provider's schema.
_DRAFTED = tuple(key for key in (*LIMITS, "default") if key not in ("pattern", "exclusiveMinimum"))
_KINDS = (
    ("video", r"video"),
    ("audio", r"audio|voice_url|music_url"),
    ("image", r"image|frame|mask|photo|picture"),
)


def _properties(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: _field(name, own) for name, own in as_mapping(schema.get("properties")).items()}


def _field(name: str, schema: JSON) -> dict[str, JSON]:
    """Return one field of a draft, in the keys that a file of models has; media get a note by their name."""
    said = as_mapping(schema)
    found = {key: said[key] for key in _DRAFTED if key in said}
    if isinstance(said.get("items"), Mapping):
        found["items"] = _field("", said["items"])
    if isinstance(said.get("properties"), Mapping):
        found["properties"] = _properties(said)
    if re.search(r"(?i)url|image_input|input_image", name):
        kind = next((kind for kind, words in _KINDS if re.search(words, name.lower())), None)
        if kind:
            found["media"] = {"kind": kind}
    return found


def _roles(properties: Mapping[str, JSON]) -> dict[str, dict[str, str]]:
    """Guess which role each field of media plays, by its name."""
    found: dict[str, dict[str, str]] = {}
    for name, schema in properties.items():
        kind = as_text(under(schema, "media", "kind"))
        if kind:
            found.setdefault(_role(name, kind), {}).setdefault(kind, name)
    return found


def _role(name: str, kind: str) -> str:
    low = name.lower()
    if "mask" in low:
        return "mask"
    if re.search(r"first|start", low):
        return "start_frame"
    if re.search(r"last|end|tail", low):
        return "end_frame"
    return "source" if kind == "video" else "references"


def _credits_by_model(prices: Sequence[Mapping[str, JSON]]) -> dict[str, set[float]]:
    """Return the credits of a price list by the model id that a row's link carries.  Rows without one say nothing."""
    found: dict[str, set[float]] = {}
    for row in prices:
        link = urlsplit(str(row.get("anchor") or ""))
        ids = parse_qs(link.query).get("model") or []
        try:
            credits = float(str(row.get("creditPrice")))
        except ValueError:
            continue
        for model_id in ids:
            found.setdefault(unquote(model_id), set()).add(credits)
    return found


def _price_changes(model: Model, credits: set[float]) -> list[Change]:
    ours = {float(row["credits"]) for row in model.prices}
    if not credits or credits <= ours:
        return []
    words = [f"credits {_numbers(credits - ours)} are new in the price list"]
    if ours - credits:
        words.append(f"credits {_numbers(ours - credits)} are not in it")
    return [Change(model=model.id, kind="price", words=tuple(words))]


def _numbers(values: set[float]) -> str:
    return ", ".join(f"{v:g}" for v in sorted(values))
