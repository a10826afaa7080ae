"""Reads `params` and `extra_params`: friendly names, the model's own fields, and fields that the catalogue does not know."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from kiebatch import addresses
from kiebatch.catalogue import models, prices, reading
from kiebatch.catalogue.inputs.draft import Draft
from kiebatch.catalogue.inputs.values import addresses_in, coerced, files_in, is_web, urls_in
from kiebatch.catalogue.saying import around, bare, listing
from kiebatch.model import JSON, Media, WebURL, one_or_more

THROUGH = "if the service has it nevertheless: `extra_params` sends it as it is"


def read_params(draft: Draft) -> None:
    """Read everything under `params`; None means that a field is left open."""
    for name, value in draft.ask.params.items():
        if value is not None:
            _param(draft, name, value)


def _param(draft: Draft, name: str, value: JSON) -> None:
    word = f"params.{name}"
    model = draft.model
    target = model.fields.get(name)
    if target and name in models.FRIENDLY and target.wrap is None:
        # A raw field may bear a friendly name and hold the model's own spelling: both are understood.
        draft.put(target.name, friendly_value(draft, name, value), word)
    elif name in model.properties or not model.known:
        _raw(draft, name, value, word)
    else:
        _unknown(draft, name, value, word)


def friendly_value(draft: Draft, name: str, value: JSON) -> JSON:
    """Return a friendly value in the model's own unit and spelling."""
    target = draft.model.fields[name]
    if name == "voice":
        return draft.voice or value
    return coerced(draft.schema(target.name), target.spelt(value), True)


def _raw(draft: Draft, name: str, value: JSON, word: str) -> None:
    schema = draft.schema(name)
    refs = _texts(value)
    if "media" in schema and refs is not None:
        _raw_media(draft, name, refs, is_list=isinstance(value, list))
        return
    if not draft.model.known:
        _refuse_files(draft, word, value)
    if "media" in str(schema):
        _refuse_local(draft, name, value, word)
    has_values = any(t.name == name and t.values for t in draft.model.fields.values())
    draft.put(name, coerced(schema, value, name == draft.own("seed") or has_values), word)


def _texts(value: JSON) -> list[str] | None:
    """Return one text or a list of texts as a list; None for what holds anything else."""
    given = one_or_more(value)
    texts = [text for text in given if isinstance(text, str)]
    return texts if len(texts) == len(given) else None


def _refuse_local(draft: Draft, name: str, value: JSON, word: str) -> None:
    """Refuse what is not an address although a key inside the field calls it one."""
    for url in urls_in(value):
        if not _can_be_fetched(draft, url):
            message = f"`{url}` is not an http address"
            draft.error(word, message, hint=_role_hint(draft, name), code="local-path")


def _refuse_files(draft: Draft, word: str, value: JSON) -> None:
    for path in files_in(value):
        message = f"`{path}` is not an http address"
        draft.error(word, message, hint="only addresses can be given here", code="local-path")


def _raw_media(draft: Draft, name: str, refs: list[str], *, is_list: bool) -> None:
    word = f"params.{name}"
    problem = _media_problem(draft, name, refs)
    if problem:
        message, hint, code = problem
        draft.error(word, message, hint=hint, code=code)
        return
    role = draft.model.role_of(name) or "references"
    draft.words[name] = word
    if draft.schema(name).get("type") == "array" or (is_list and len(refs) != 1):
        draft.input[name] = refs
        draft.media += [Media(role=role, field=name, index=i, ref=WebURL(ref)) for i, ref in enumerate(refs)]
    else:
        draft.input[name] = refs[0]
        draft.media.append(Media(role=role, field=name, index=None, ref=WebURL(refs[0])))


def _media_problem(draft: Draft, name: str, refs: list[str]) -> tuple[str, str, str] | None:
    """Return why media cannot be given as a raw field: message, hint, code; None where they can."""
    wrong = next((ref for ref in refs if not _can_be_fetched(draft, ref)), None)
    if wrong is not None:
        hint = _role_hint(draft, name) or "upload it first; only its address can be given here"
        return f"`{wrong}` is not an http address", hint, "local-path"
    before = next((m for m in draft.media if m.field == name), None)
    if before:
        return f"`{before.role}` and `{name}` both set `{name}`", "say it once", "said-twice"
    return None


def _role_hint(draft: Draft, name: str) -> str:
    role = draft.model.role_of(name)
    return around("files of yours go under `", role, ":`; they are uploaded for you")


def _is_asset(draft: Draft, ref: str) -> bool:
    return draft.model.accepts_asset_ids and ref.startswith("asset://")


def _can_be_fetched(draft: Draft, ref: str) -> bool:
    """Whether the service can fetch what a text names."""
    return is_web(ref) or _is_asset(draft, ref)


# --- fields that the catalogue does not know -----------------------------------------------------------


def _unknown(draft: Draft, name: str, value: JSON, word: str) -> None:
    model = draft.model
    if name in models.FRIENDLY:
        draft.error(
            word, f"`{model.id}` has no `{name}`", hint=no_friendly(draft, name), code="no-such-field"
        )
        return
    old = reading.index()["fields"].get(name)
    closed = model.input.get("additionalProperties", True) is False
    if closed or old:
        hint = "; ".join(filter(None, (_instead(draft, name), "" if old else THROUGH)))
        draft.error(word, f"`{model.id}` has no field `{name}`", hint=hint, code="no-such-field")
        return
    draft.warn(
        word,
        f"`{model.id}` is not known to have a field `{name}`; it is sent as it is",
        hint=_instead(draft, name),
        code="unsure-field",
    )
    draft.put(name, value, word)


def _instead(draft: Draft, name: str) -> str:
    """Return what to write instead of a field that the model does not have."""
    model = draft.model
    old = reading.index()["fields"].get(name)
    if old and "say" in old:
        return str(old["say"])
    if old and _can(draft, str(old["use"])):
        return f"write `{bare(str(old['use']))}`"
    if old and old["use"] == "params.count":
        return no_friendly(draft, "count")
    near = get_close_matches(name, [*model.properties, *model.fields], n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return "it takes " + listing(n for n in model.properties if "media" not in model.properties[n])


def _can(draft: Draft, use: str) -> bool:
    name = use.removeprefix("params.")
    return name in draft.model.fields or name in draft.model.roles or name in draft.model.properties


def no_friendly(draft: Draft, name: str) -> str:
    """Return what to do instead of a friendly name that the model has no field for."""
    said = {
        "count": "write `takes: N` for several, each as a job of its own",
        "duration": "the length of its clips cannot be chosen",
        "negative_prompt": "say in the prompt what should be there instead",
    }
    if name in said:
        return said[name]
    takes = listing(n for n, p in draft.model.properties.items() if "media" not in p)
    return around("it takes ", takes)


def read_extra(draft: Draft) -> set[str]:
    """Read `extra_params`, sent as written; return the fields that were taken.

    A known field and a callback address are refused there; paths and addresses in it pass the rules for media.
    """
    taken: set[str] = set()
    for name, value in draft.ask.extra_params.items():
        if value is None:
            continue
        word = f"params.{name}"
        problem = _extra_problem(draft, name, value)
        if problem:
            draft.error(word, problem[0], hint=problem[1], code="extra-params")
            continue
        draft.warn(
            word,
            f"`{draft.model.id}` is not known to have a field `{name}`; it is sent as it is"
            + ("" if _is_priced(draft, name) else ", and the price is unknown"),
            code="extra-params",
        )
        draft.put(name, value, word)
        taken.add(name)
    return taken


def _is_priced(draft: Draft, name: str) -> bool:
    return any(name in prices.conditions(row) for row in draft.model.prices)


def _extra_problem(draft: Draft, name: str, value: JSON) -> tuple[str, str] | None:
    """Return why an extra field cannot be sent, and a hint; None where it can."""
    model = draft.model
    if any(_calls_back(key) for key in (name, *_keys_in(value))):
        return f"`{name}` is set by kiebatch and cannot be an extra field", ""
    if name in {*model.properties, *model.fields, *(target.name for target in model.fields.values())}:
        return f"`{model.id}` knows the field `{name}`", "write it under `params`"
    path = next(iter(files_in(value)), None)
    if path is not None:
        return f"`{path}` is not an http address", "only addresses can be given here"
    for url in addresses_in(value):
        problem = "" if _is_asset(draft, url) else addresses.url_problem(url)
        if problem:
            return problem, "the rules are those for `references`"
    return None


def _calls_back(key: str) -> bool:
    return key.replace("_", "").replace("-", "").casefold() in {
        "callback",
        "callbackurl",
        "calbackurl",
        "webhook",
        "webhookurl",
    }


def _keys_in(value: JSON) -> Iterable[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield str(key)
            yield from _keys_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _keys_in(one)
