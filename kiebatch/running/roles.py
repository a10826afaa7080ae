"""Which role a picture, clip or sound goes to when nobody named one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kiebatch.catalogue import Model
from kiebatch.model import JSON


class Named(Protocol):
    """Media by role, and those that are named by their kind alone."""

    @property
    def images(self) -> Sequence[str]: ...
    @property
    def videos(self) -> Sequence[str]: ...
    @property
    def audio(self) -> Sequence[str]: ...
    @property
    def references(self) -> Sequence[str]: ...
    @property
    def source(self) -> Sequence[str]: ...
    @property
    def start_frame(self) -> str | None: ...
    @property
    def end_frame(self) -> str | None: ...
    @property
    def mask(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Media as a scene file names them: by role, or by the model's own field under `params`."""

    roles: Mapping[str, JSON] = field(default_factory=dict)
    params: Mapping[str, JSON] = field(default_factory=dict)


def place(model: Model | None, media: Named) -> Placed:
    """Return where the media of one prompt go.  A model that the catalogue does not know gets references."""
    taken = _named(media)
    params: dict[str, list[str]] = {}
    for kind, paths in (("image", media.images), ("video", media.videos), ("audio", media.audio)):
        for role, path in zip(roles_for(model, kind, len(paths), tuple(taken)), paths, strict=True):
            own = _field_of_kind(model, role, kind, path)
            if own:
                params.setdefault(own, []).append(path)
            else:
                taken.setdefault(role, []).append(path)
    return Placed(
        roles={role: paths if len(paths) > 1 or role == _MANY else paths[0] for role, paths in taken.items()},
        params=params,
    )


_MANY = "references"  # the role that holds a list


def _named(media: Named) -> dict[str, list[str]]:
    """Return the media whose role was named."""
    lists = {_MANY: media.references, "source": media.source}
    singles = {"start_frame": media.start_frame, "end_frame": media.end_frame, "mask": media.mask}
    return {
        **{role: list(paths) for role, paths in lists.items() if paths},
        **{role: [path] for role, path in singles.items() if path},
    }


def roles_for(model: Model | None, kind: str, count: int, taken: Sequence[str] = ()) -> list[str]:
    """Return the roles of so many media of a kind: those that the model needs, then those that it takes.

    `taken` are roles that are named already.  Where a model only takes frames, the first picture opens the clip and
    the second ends it.
    """
    takes = _roles_of(model, kind)
    if model is None or not takes:
        return [_MANY] * count  # a known model refuses them, in words of its own
    free = [role for role in takes if role not in taken]
    needed = [role for role in free if _needs(model, role, kind)]
    many = next((role for role in (_MANY, "source") if role in takes), "")
    if many and set(needed) <= {many}:
        return [many] * count
    singles = needed if many else list(dict.fromkeys((*needed, *free)))
    first = sorted(singles, key=lambda role: role == "end_frame")[:count]
    rest = many or (first or takes)[-1]
    return [*first, *[rest] * (count - len(first))]


def _roles_of(model: Model | None, kind: str) -> list[str]:
    """Return the roles in which a model takes a kind of media; none where the catalogue does not know the model."""
    if model is None or not model.known:
        return []
    return [role for role, fields in model.roles.items() if kind in fields and role != "mask"]


def _needs(model: Model, role: str, kind: str) -> bool:
    """Whether the model cannot do without this role: its field is required, and no list of references fills it."""
    own = model.roles[role][kind]
    shared = model.roles.get("references", {}).get(kind) == own
    return own in (model.input.get("required") or ()) and not (shared and role != "references")


def _field_of_kind(model: Model | None, role: str, kind: str, path: str) -> str:
    """Return the model's own field for an address whose kind its name does not tell, where the role has several."""
    if model is None or not path.lower().startswith(("http://", "https://")):
        return ""
    fields = {k: own for k, own in model.roles.get(role, {}).items() if k != "task"}
    first = next(iter(fields.values()), "")
    own = fields.get(kind, "")
    array = model.properties.get(own, {}).get("type") == "array"
    return own if own and own != first and array else ""
