"""Places media: each role goes to the model's own field for that kind of medium."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from kiebatch.catalogue.inputs.draft import Draft
from kiebatch.catalogue.inputs.values import kind_of
from kiebatch.catalogue.saying import A_KIND, any_of, listing
from kiebatch.catalogue.shapes import Schema
from kiebatch.model import Media, RoleMedia, ShotOutput

# Where a model has one list for all its pictures, this is their order in it.
_ORDER = ("source", "start_frame", "end_frame", "references", "mask")


def place_media(draft: Draft) -> None:
    by_field: dict[str, list[RoleMedia]] = {}
    for role in _ORDER:
        given = [m for m in draft.ask.media if m.role == role]
        for medium in given:
            own = _field_for(draft, medium)
            if own:
                by_field.setdefault(own, []).append(medium)
        if given:
            _set_besides(draft, role)
    for name, given in by_field.items():
        _place(draft, name, given)
    _name_output(draft)


def _set_besides(draft: Draft, role: str) -> None:
    """Set what naming a role sets besides its media."""
    for name, value in draft.model.sets.get(role, {}).items():
        if name not in draft.input:
            draft.input[name] = value
            draft.words[name] = role
            draft.implied.add(name)


def _field_for(draft: Draft, medium: RoleMedia) -> str | None:
    """Return the model's own field for a medium; None, with an error, where it has none."""
    kind = kind_of(medium)
    fields = draft.model.roles.get(medium.role) or {}
    files = {k: f for k, f in fields.items() if k != "task"}
    if kind is not None and kind in fields:
        return fields[kind]
    if kind is None and files and draft.model.known:
        return next(iter(files.values()))
    message, hint, code = _no_field(draft, medium.role, kind, files)
    draft.error(medium.role, message, hint=hint, code=code)
    return None


def _no_field(draft: Draft, role: str, kind: str | None, files: dict[str, str]) -> tuple[str, str, str]:
    """Return why a role or a kind of medium finds no field: message, hint, code."""
    model = draft.model
    if not model.known:
        message = f"the catalogue does not know `{model.id}`, so it cannot tell which field takes `{role}`"
        return message, "give its address in the model's own field under `params:`", "no-role"
    if not model.roles.get(role):
        return f"`{model.id}` takes no `{role}`", _roles_hint(draft), "no-role"
    if kind == "task":
        message = f"`{model.id}` cannot start from another shot's task"
        return message, "leave out `as: task`; its file is used then", "wrong-kind"
    if not files:
        message = f"`{model.id}` starts from another shot's task, not from a file"
        return message, "write `{shot: 2a, as: task}`", "wrong-kind"
    takes = any_of(A_KIND[k] for k in files)
    message = f"`{model.id}` takes {takes} as `{role}`, found {A_KIND[str(kind)]}"
    return message, _roles_hint(draft, kind), "wrong-kind"


def _roles_hint(draft: Draft, kind: str | None = None) -> str:
    roles = [role for role, fields in draft.model.roles.items() if kind is None or kind in fields]
    if roles:
        return "it takes " + listing(roles)
    if kind is None:
        return "it works from words alone"
    noun = {"video": "clips", "audio": "sound"}.get(kind, "pictures")
    return f"it takes no {noun}"


def _place(draft: Draft, name: str, given: Sequence[RoleMedia]) -> None:
    if name in draft.input:
        draft.said_twice(name, given[0].role)
    elif draft.schema(name).get("type") == "array":
        _place_list(draft, name, given)
    else:
        _place_one(draft, name, given)


def _place_one(draft: Draft, name: str, given: Sequence[RoleMedia]) -> None:
    first = given[0]
    if len(given) > 1:
        noun = A_KIND[kind_of(first) or "image"].split()[-1]
        message = f"`{draft.model.id}` takes one {noun} there, found {len(given)}"
        draft.error(given[1].role, message, code="too-many")
    draft.words[name] = first.role
    draft.input[name] = str(first.ref)
    draft.media.append(Media(role=first.role, field=name, index=None, ref=first.ref, where=first.where))


def _place_list(draft: Draft, name: str, given: Sequence[RoleMedia]) -> None:
    _check_together(draft, {medium.role for medium in given})
    inside = draft.schema(name).get("items", Schema()).get("properties", {})
    key = next((k for k, p in inside.items() if "media" in p), None)
    refs = [str(medium.ref) for medium in given]
    draft.words[name] = given[0].role
    draft.input[name] = [{key: ref} for ref in refs] if key else refs
    for i, m in enumerate(given):
        draft.media.append(Media(role=m.role, field=name, index=i, key=key, ref=m.ref, where=m.where))


def _check_together(draft: Draft, roles: Set[str]) -> None:
    """Refuse roles that cannot share one list."""
    model = draft.model
    if "end_frame" in roles and "start_frame" not in roles:
        draft.error(
            "end_frame",
            f"`{model.id}` needs a `start_frame` beside the `end_frame`",
            hint="it takes one list, and its first picture opens the clip",
            code="needs-start-frame",
        )
    if model.sets.get("references") and "references" in roles and {"start_frame", "end_frame"} & roles:
        draft.error(
            "references",
            f"`{model.id}` takes either frames or references",
            hint="leave one of them out",
            code="exclusive",
        )


def _name_output(draft: Draft) -> None:
    """Name the very output beside its task, where the model asks for the provider's id of it."""
    own = draft.model.output_id
    for n, medium in enumerate(draft.media):
        if not own or not isinstance(medium.ref, ShotOutput) or not medium.ref.as_task:
            continue
        ref = replace(medium.ref, as_id=True)
        if medium.field == own:  # it takes the id alone
            draft.media[n] = replace(medium, ref=ref)
        elif own in draft.input:
            return
        else:
            draft.media.append(replace(medium, field=own, ref=ref))
            draft.words[own] = medium.role
        draft.input[own] = str(ref)
        return
