"""Puts what breaks a model's schema into words: the author's field, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kiebatch._dataclass import dataclass
from kiebatch.catalogue.inputs.draft import Draft
from kiebatch.catalogue.inputs.values import lengths
from kiebatch.catalogue.saying import A_KIND, any_of, around, bare, options_hint, quoted, say, size_of
from kiebatch.catalogue.shapes import MediaNote, Schema
from kiebatch.errors import Finding
from kiebatch.model import JSON, as_form, json_of

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


@dataclass(frozen=True, slots=True)
class _Broken:
    """One finding of the schema: the field in the author's words, with its value, the limit and the model."""

    draft: Draft
    problem: ValidationError
    top: str  # the model's own field
    word: str  # where it is written
    name: str  # the same with the way down to the value

    @property
    def model(self) -> str:
        return self.draft.model.id

    @property
    def value(self) -> JSON:
        return json_of(self.problem.instance)

    @property
    def limit(self) -> JSON:
        return json_of(self.problem.validator_value)

    @property
    def is_field(self) -> bool:
        return len(self.problem.absolute_path) == 1

    def finding(self, message: str, *, hint: str = "", code: str) -> Finding:
        return Finding(field=self.word, message=message, hint=hint, code=code)


def in_words(draft: Draft, problem: ValidationError) -> Finding | None:
    """Return one finding of the schema in words; None where it was said when the field was read."""
    path = list(problem.absolute_path)
    if not path:
        return _of_the_whole(draft, problem)
    top = str(path[0])
    word = draft.word(top)
    deeper = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path[1:])
    broken = _Broken(draft, problem, top, word, bare(word) + deeper)
    return _SAYS.get(str(problem.validator), _not_allowed)(broken)


def _of_the_whole(draft: Draft, problem: ValidationError) -> Finding | None:
    if problem.validator == "additionalProperties":
        return None
    if problem.validator != "required":
        return Finding(field="params", message=problem.message[:200])
    name = quoted(problem.message)
    word = draft.word(name)
    return Finding(
        field=word if not word.startswith("params.") else "params",
        message=f"`{draft.model.id}` needs {_thing(draft, name, word)}",
        hint=_need_hint(draft, name, word),
        code="needs-input",
    )


def _thing(draft: Draft, name: str, word: str) -> str:
    roles = [r for r, fields in draft.model.roles.items() if name in fields.values()]
    if roles:
        kind = next(k for k, own in draft.model.roles[roles[0]].items() if own == name)
        return f"{A_KIND[kind]} as {any_of(f'`{r}`' for r in roles)}"
    if word in ("prompt", "voice", "seed"):
        return f"a {word}"
    return f"`{bare(word)}`"


def _spellings(draft: Draft, name: str) -> Mapping[str, JSON] | None:
    """Return the friendly spellings of a field's values; None where it has none."""
    return next((t.values for t in draft.model.fields.values() if t.name == name and t.values), None)


def _need_hint(draft: Draft, name: str, word: str) -> str:
    schema = draft.schema(name)
    if word.startswith("params.") and "enum" in schema:
        return allowed_hint(schema, _spellings(draft, name))
    if any(fields.get("task") == name for fields in draft.model.roles.values()):
        return "write `{shot: 2a, as: task}`"
    return ""


# --- one keyword each ----------------------------------------------------------------------------------


def _too_long(broken: _Broken) -> Finding:
    found, limit = size_of(broken.value), broken.limit
    return broken.finding(
        f"`{broken.name}` has {found} characters; `{broken.model}` takes {limit}",
        hint=f"{found - limit} too many" if isinstance(limit, int | float) else "",
        code="too-long",
    )


def _too_short(broken: _Broken) -> Finding:
    return broken.finding(
        f"`{broken.name}` is too short: `{broken.model}` wants at least {broken.limit} characters",
        code="too-short",
    )


def _wrong_count(broken: _Broken) -> Finding:
    is_media = any(m.field == broken.top for m in broken.draft.media)
    noun = _noun(broken.draft.schema(broken.top), is_media)
    if broken.limit == 1:
        noun = noun.removesuffix("s")
    takes, code = _COUNTS[str(broken.problem.validator)]
    return broken.finding(
        f"`{broken.model}` takes {takes} {broken.limit} {noun} as `{broken.name}`, found {size_of(broken.value)}",
        code=code,
    )


_COUNTS = {"maxItems": ("at most", "too-many"), "minItems": ("at least", "too-few")}


def _lacks(broken: _Broken) -> Finding:
    return broken.finding(f"`{broken.name}` needs `{quoted(broken.problem.message)}`", code="needs-input")


def _not_allowed(broken: _Broken) -> Finding:
    found, limit = say(broken.value), broken.limit
    messages = {
        "const": f"`{broken.name}` must be `{say(limit)}`, found `{found}`",
        "type": f"`{broken.name}` must be {_type(limit)}, found `{found}`",
        "minimum": f"`{broken.name}` must be at least {say(limit)}, found {found}",
        "exclusiveMinimum": f"`{broken.name}` must be above {say(limit)}, found {found}",
        "maximum": f"`{broken.name}` must be at most {say(limit)}, found {found}",
        "multipleOf": f"`{broken.name}` must be a multiple of {say(limit)}, found {found}",
    }
    message = messages.get(str(broken.problem.validator))
    return broken.finding(
        message or f"`{broken.name}` cannot be `{found}` on `{broken.model}`",
        hint=_hint_about(broken),
        code="not-allowed",
    )


def _hint_about(broken: _Broken) -> str:
    if not broken.is_field:
        leaf = broken.problem.schema
        return allowed_hint(as_form(Schema, leaf), None, broken.value) if isinstance(leaf, Mapping) else ""
    spellings = _spellings(broken.draft, broken.top)
    return allowed_hint(broken.draft.schema(broken.top), spellings, broken.value)


_SAYS: Mapping[str, Callable[[_Broken], Finding]] = {
    "maxLength": _too_long,
    "minLength": _too_short,
    "maxItems": _wrong_count,
    "minItems": _wrong_count,
    "required": _lacks,
}


def allowed_hint(schema: Schema, values: Mapping[str, JSON] | None, found: JSON = None) -> str:
    """Say what a field takes: its options, else its range."""
    options = values or schema.get("enum")
    if options is not None:
        return options_hint(list(options), found)
    if "const" in schema:
        return f"it takes `{say(schema['const'])}`"
    possible = lengths(schema) if "anyOf" in schema or "pattern" in schema else []
    if possible:
        return f"{say(possible[0])} to {say(possible[-1])}{_or_one_of(schema)}"
    if "minimum" in schema and "maximum" in schema:
        return f"{say(schema['minimum'])} to {say(schema['maximum'])}"
    return ""


def _or_one_of(schema: Schema) -> str:
    """Say which options a field has beside its range: `, or -1`."""
    also = [say(option) for part in schema.get("anyOf", ()) for option in part.get("enum", ())]
    return around(", or ", any_of(also))


def _type(wanted: JSON) -> str:
    return {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
    }.get(str(wanted), str(wanted))


def _noun(schema: Schema, is_media: bool) -> str:
    if not is_media:
        return "items"
    kind = str(schema.get("media", MediaNote()).get("kind"))
    return {"image": "pictures", "video": "clips", "audio": "sounds"}.get(kind, "items")
