"""Knows every model: inputs, roles, limits, prices, names; reads the package's data files.

The facts are YAML, one file per maker under `data/models/<modality>/`.  `data/index.json` is generated from them
(`python -m kiebatch.catalogue.generate`) and says in which file a name is found, so that a command which needs one model
reads one file.  A project's own `models/*.yaml` go through the same schema and can never make a shipped model cheaper.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from kiebatch.catalogue.models import JOBS_ENDPOINT, Model
from kiebatch.catalogue.patches import NEEDED, is_whole, patched
from kiebatch.catalogue.reading import index, model, own_models, shipped_models, spellings, squash
from kiebatch.catalogue.saying import around
from kiebatch.catalogue.shapes import Entry, Measured
from kiebatch.errors import Invalid, Problem, Where, did_you_mean


class UnknownModel(Invalid):
    """No model goes by that name, or several do.  `hint` says what is right today, or lists the choices."""

    def __init__(self, message: str, *, hint: str = "", choices: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.choices = tuple(choices)


class Catalogue:
    """Every model there is, with the user's own entries over the shipped ones.  Files are read when asked for."""

    def __init__(self, own: Sequence[Model] = (), measured: Sequence[Measured] = ()) -> None:
        self._index = index()
        self._own = {(m.id, str(m.modality)): m for m in own}
        self._measured: dict[str, list[Measured]] = {}
        for one in measured:
            self._measured.setdefault(one.model, []).append(one)
        self._billed: dict[tuple[str, str], Model] = {}  # models with what their jobs were billed
        self._files: dict[tuple[str, str], str] = {
            (i, modality): file for i, modality, file, *_ in self._index["models"]
        }
        self._keys: dict[str, list[tuple[str, str]]] = {}
        for key in (*self._own, *self._files):
            self._keys.setdefault(key[0], []).append(key)

    @property
    def version(self) -> str:
        return str(self._index["version"])

    @property
    def as_of(self) -> str:
        """The date of the newest fact that ships with this version."""
        return str(self._index["as_of"])

    def get(self, model_id: str, modality: str | None = None) -> Model | None:
        """Return the model of exactly that id, or None."""
        for key in self._keys.get(model_id, ()):
            if modality in (None, key[1]):
                found = self._own.get(key) or shipped_models(self._files[key])[model_id]
                return self._with_bills(key, found)
        return None

    def _with_bills(self, key: tuple[str, str], found: Model) -> Model:
        measured = self._measured.get(found.id)
        if measured is None:
            return found
        if key not in self._billed:
            self._billed[key] = replace(found, measured=tuple(measured))
        return self._billed[key]

    def all(self) -> tuple[Model, ...]:
        """Return every model, the shipped ones in the order of their files, then the user's new ones."""
        keys = dict.fromkeys((*self._files, *self._own))
        return tuple(m for m in (self.get(*key) for key in keys) if m is not None)

    def named(self, name: str) -> list[Model]:
        """Return the models that go by `name` in any spelling; an id in another spelling shuts out aliases."""
        wanted = squash(name)
        if not wanted:
            return []
        found = (self.get(*key) for key in dict.fromkeys(self._with_id(wanted) or self._with_name(wanted)))
        return [m for m in found if m is not None]

    def _with_id(self, wanted: str) -> list[tuple[str, str]]:
        own = [key for key in self._own if squash(key[0]) == wanted]
        return [*self._shipped_keys("ids", wanted), *own]

    def _with_name(self, wanted: str) -> list[tuple[str, str]]:
        own = [key for key, one in self._own.items() if wanted in spellings(one.title, one.aliases)]
        return [*self._shipped_keys("names", wanted), *own]

    def _shipped_keys(self, table: Literal["ids", "names"], wanted: str) -> list[tuple[str, str]]:
        rows = (self._index["models"][number] for number in self._index[table].get(wanted, ()))
        return [(model_id, modality) for model_id, modality, *_ in rows]

    def resolve(
        self,
        name: str,
        *,
        modality: str | None = None,
        keep: str | None = None,
        pictures: bool | None = None,
        mask: bool = False,
    ) -> Model:
        """Return the model that a person means by `name`.

        An exact id wins over an alias.  Among the models that share an alias or display name, `keep` (the id that
        the manifest names) stays; else the current one wins, of several current ones that which starts from a picture
        or that which does not, by `pictures` and `mask`: whether such are given.  `UnknownModel` where none or several are left, where
        the only one was withdrawn, and where it makes something else than `modality`.
        """
        name = name.strip()
        exact = self.get(name)
        found = [exact] if exact else self.named(name)
        if not found:
            raise self._unknown(name)
        fitting = [m for m in found if modality in (None, m.modality)]
        if not fitting:
            raise self._makes_something_else(name, found[0], str(modality))
        kept = next((m for m in fitting if m.id == keep), None)
        chosen = kept or _newest(name, fitting, pictures, mask)
        if chosen:
            return chosen
        raise self._withdrawn(fitting[0].id, fitting[0])

    def is_chat(self, name: str) -> bool:
        """Whether a name is that of a chat model, in any spelling: it answers in text and makes no file."""
        return squash(name) in {squash(one) for one in self._index["chat"]}

    def spelling_note(self, asked: str, found: Model) -> str:
        """Return what to write today where `asked` is an old or wrong spelling of a full id, else nothing."""
        return f"`{asked}` is called `{found.id}` today" if "/" in asked and asked != found.id else ""

    def _withdrawn(self, name: str, gone: Model) -> UnknownModel:
        instead = self._instead(gone)
        hint = around("today there is ", ", ".join(f"`{m.id}`" for m in instead))
        if gone.superseded_by and instead:
            lacks = around(", without ", _lacks(gone, instead[0]))
            hint = f"`{instead[0].id}` takes its place{lacks}; `kiebatch migrate FILE` writes the change"
        closed = around(" on ", gone.last_day)
        return UnknownModel(
            f"`{name}` is withdrawn: the service has closed it{closed}",
            hint=hint,
            choices=[m.id for m in instead],
        )

    def _makes_something_else(self, name: str, found: Model, wanted: str) -> UnknownModel:
        return UnknownModel(
            f"`{found.id}` makes {_NOUN[found.modality]}, and this wants {_NOUN[wanted]}",
            hint=_choices(m for m in self._near(name) if m.modality == wanted),
        )

    def _unknown(self, name: str) -> UnknownModel:
        other = self._no_model(name, re.sub(r"^(?:POST|GET)\s+", "", name).strip())
        if other:
            return other
        like = self._like(name)
        if like and all(m.status == "withdrawn" for m in like):
            return self._withdrawn(name, next((m for m in like if m.superseded_by), like[0]))
        near = self._near(name)
        return UnknownModel(
            f"unknown model `{name}`",
            hint=_choices(near) or "`kiebatch models` lists them; `--allow-unknown-model` sends it as it is",
            choices=[m.id for m in near],
        )

    def _no_model(self, name: str, bare: str) -> UnknownModel | None:
        """Return what a name of something else means: a chat model, a service, an address of the API."""
        if self.is_chat(bare):
            return UnknownModel(
                f"`{name}` is a chat model: it answers in text and makes no file",
                hint="kiebatch makes pictures, clips and sound; `kiebatch models` lists what it can use",
            )
        for path, say in self._index["not_models"].items():
            if bare.rstrip("/").endswith(path):
                return UnknownModel(f"`{name}` is not a model", hint=say)
        path = "/" + re.sub(r"^https?://[^/]+", "", bare).lstrip("/")
        if not path.startswith("/api/"):
            return None
        today = self._behind(path)
        return UnknownModel(
            f"`{name}` is an address of the API, not a model",
            hint=around("name the model: ", ", ".join(f"`{i}`" for i in today[:6])),
            choices=today,
        )

    def _behind(self, path: str) -> list[str]:
        """Return the ids of today's models that an address of the API makes jobs for, by its end where it is old."""
        ids = self._index["endpoints"].get(path)
        if not ids:
            tail = re.sub(r"^/api/v\d+/", "", path).removesuffix("/generate")
            ids = [m.id for m in self.named(tail) if m.status != "withdrawn"]
        return list(dict.fromkeys(self._today(i) for i in ids))

    def _today(self, model_id: str) -> str:
        found = self.get(model_id)
        return (found and found.superseded_by) or model_id

    def _like(self, name: str) -> list[Model]:
        """Return the models whose id or display name reads like `name`: what begins so, holds it, or looks like it."""
        wanted = squash(name)
        if len(wanted) < 3:
            return []
        keys = [*self._index["ids"], *self._index["names"], *(squash(i) for i, _ in self._own)]
        like = [key for key in keys if _begins_alike(key, wanted)]
        like += [key for key in keys if wanted in key]
        if len(wanted) > 5:
            like += get_close_matches(wanted, keys, n=8, cutoff=0.75)
        return list(dict.fromkeys(model for key in like for model in self.named(key)))

    def _near(self, name: str) -> list[Model]:
        """Return up to five current models that `name` may mean."""
        today = (m if m.status == "current" else self.get(m.superseded_by or "") for m in self._like(name))
        return list(dict.fromkeys(m for m in today if m is not None and m.status == "current"))[:5]

    def _instead(self, gone: Model) -> list[Model]:
        """Return current models that do what a withdrawn one did, the best known first."""
        like = (gone.modality, "current", gone.task)
        ids = [
            i for i, modality, _, status, task in self._index["models"] if (modality, status, task) == like
        ]
        if gone.superseded_by:
            ids = [gone.superseded_by]
        return [m for m in (self.get(i) for i in ids[:4]) if m is not None]


def _begins_alike(key: str, wanted: str) -> bool:
    return key.startswith(wanted) or (len(key) >= 5 and wanted.startswith(key))


def _newest(name: str, models: Sequence[Model], pictures: bool | None, mask: bool) -> Model | None:
    """Return the only current model, else the only older one; `UnknownModel` where several are left."""
    by_status = ([m for m in models if m.status == status] for status in ("current", "superseded"))
    left = next(filter(None, by_status), [])
    if len(left) > 1 and pictures is not None:
        left = _by_pictures(left, pictures, mask) or left
    if len(left) > 1:
        raise UnknownModel(
            f"`{name}` can mean {len(left)} models",
            hint="say which: " + ", ".join(f"`{m.id}`" for m in left),
            choices=[m.id for m in left],
        )
    return next(iter(left), None)


def _by_pictures(models: Sequence[Model], given: bool, mask: bool) -> list[Model]:
    """Return those of several models that start from a picture, or from words alone; with a mask those that take one."""
    fitting = [m for m in models if _starts_from_picture(m) is given]
    masked = [m for m in fitting if ("mask" in m.roles) is mask]
    return masked if len(fitting) > 1 and masked else fitting


def _starts_from_picture(model: Model) -> bool:
    from_words = model.task in ("text-to-image", "text-to-video")
    return not from_words and any("image" in fields for fields in model.roles.values())


def _lacks(old: Model, new: Model) -> str:
    """Return in words what a model takes and its successor does not."""
    friendly = ("seed", "negative_prompt", "voice", "duration", "resolution")
    missing = [role for role in old.roles if role not in new.roles]
    missing += [name for name in friendly if name in old.fields and name not in new.fields]
    return ", ".join(f"`{name}`" for name in missing)


_NOUN = {"image": "pictures", "video": "clips", "audio": "sound", "text": "text"}


def _choices(found: Iterable[Model]) -> str:
    ids = [f"`{m.id}`" for m in found]
    if len(ids) == 1:
        return f"did you mean {ids[0]}?"
    return around("there is ", ", ".join(ids))


def load(
    extra: Sequence[Path] = (), *, trusted: Sequence[Path] = (), measured: Sequence[Measured] = ()
) -> Catalogue:
    """Return the catalogue, with the entries of the user's own files over it.

    Each of `extra` is a file or a folder of `*.yaml`; a later one wins, and what does not exist is passed over.  An
    entry that names a known model and says less than a whole one corrects that model (`patches`).  The prices of
    files in `trusted` are taken as they are; beside those of the others a cap reserves the shipped price where that
    is higher.  `measured` is what jobs were billed on the account that is used.  `Invalid` names what is wrong with
    such a file.
    """
    shipped = Catalogue()
    own: dict[tuple[str, str], Model] = {}
    for path in extra:
        for file in _files(path):
            data = own_models(file)
            for entry in data["models"]:
                mine = _own_model(entry, data.get("maker", ""), file, own, shipped)
                floors = () if path in trusted else _floors(mine, shipped)
                own[mine.id, str(mine.modality)] = replace(mine, floors=floors)
    return Catalogue(tuple(own.values()), measured) if own or measured else shipped


def _files(path: Path) -> Sequence[Path]:
    if path.is_dir():
        return sorted(path.glob("*.yaml"))
    return [path] if path.is_file() else []


def _own_model(
    entry: Entry,
    maker: str,
    file: Path,
    own: Mapping[tuple[str, str], Model],
    shipped: Catalogue,
) -> Model:
    """Return the model of a user's entry, whole or as a correction of a model that is known."""
    if is_whole(entry):
        return model(entry, maker, origin=str(file))
    wanted, modality = entry["id"], entry.get("modality")
    base = next((m for (i, kind), m in own.items() if i == wanted and modality in (None, kind)), None)
    base = base or shipped.get(wanted, modality)
    if base is None:
        raise Invalid([_not_whole(entry, file, shipped)])
    return model(patched(base.raw, entry, str(file)), maker or base.maker, origin=str(file))


def _not_whole(entry: Entry, file: Path, shipped: Catalogue) -> Problem:
    missing = ", ".join(f"`{key}`" for key in NEEDED if key not in entry)
    near = did_you_mean(entry["id"], [m.id for m in shipped.all()])
    return Problem(
        where=Where(str(file)),
        message=f"`{entry['id']}` is not a model that can be corrected, and a new one also needs {missing}",
        hint=near or "`kiebatch models MODEL --yaml` prints a whole entry to start from",
        code="model-file",
    )


def _floors(mine: Model, shipped: Catalogue) -> tuple[Model, ...]:
    """Return the shipped models that a user's entry may come to call: that of its id, those of its own endpoint."""
    same = [shipped.get(mine.id)]
    if mine.endpoint != JOBS_ENDPOINT:
        same += [shipped.get(model_id) for model_id in index()["endpoints"].get(mine.endpoint, ())]
    return tuple(dict.fromkeys(m for m in same if m is not None))
