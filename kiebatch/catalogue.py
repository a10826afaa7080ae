"""Knows every model: inputs, roles, limits, prices, names; reads the package's data files.

The facts are YAML, one file per maker under `data/models/<modality>/`.  `data/index.json` is generated from them
(`python -m kiebatch.data.generate`) and says in which file a name is found, so that a command which needs one model
reads one file.  A project's own `models/*.yaml` go through the same schema and can never make a shipped model cheaper.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from kiebatch import schemas
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, USD_PER_CREDIT, MediaFacts, Modality, Price
from kiebatch.rules import as_number, values_at

DATA = Path(__file__).parent / "data"
FRIENDLY = ("prompt", "aspect_ratio", "resolution", "duration", "seed", "negative_prompt", "count", "voice")
JOBS_ENDPOINT = "/api/v1/jobs/createTask"
LARGEST_FILE = 200_000  # values in a user's file of models; all shipped files together hold 50,000


class UnknownModel(Invalid):
    """No model goes by that name, or several do.  `hint` says what is right today, or lists the choices."""

    def __init__(self, message: str, *, hint: str = "", choices: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.choices = tuple(choices)


@dataclass(frozen=True, slots=True)
class Field:
    """Where a friendly name goes: the model's own field, and its spelling of each value where that differs.

    `wrap` is a template for fields that hold lists of objects; `{prompt}` and `{voice}` stand for the values.
    """

    name: str
    values: Mapping[str, JSON] | None = None
    wrap: JSON = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """One model as the catalogue knows it.

    `input` is the JSON Schema of what is sent; a property that takes media has a `media` note with its limits.
    `roles` maps a role and a kind of medium (`image`, `video`, `audio`, `task`) to the field that takes it, `sets`
    what naming a role sets besides, `fill` what is sent unless the author says otherwise.  Prices are rows in
    credits; the first rule of `price` says how they are read.
    """

    id: str
    title: str
    modality: Modality
    task: str
    tasks: tuple[str, ...] = ()
    family: str = "jobs"
    maker: str = ""
    status: str = "current"  # current, superseded, withdrawn
    superseded_by: str | None = None
    superseded_note: str = ""  # what the newer one lacks
    aliases: tuple[str, ...] = ()
    endpoint: str = JOBS_ENDPOINT
    input: Mapping[str, JSON] = field(default_factory=dict)
    roles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    follows: tuple[str, ...] = ()  # models whose tasks it starts from
    output_id: str = ""  # the field that takes the id of the very output of such a task
    sets: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)
    fill: Mapping[str, JSON] = field(default_factory=dict)
    constraints: tuple[Mapping[str, JSON], ...] = ()
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    prices: tuple[Mapping[str, JSON], ...] = ()
    prompting: tuple[str, ...] = ()
    lint: Mapping[str, JSON] = field(default_factory=dict)
    expected_s: float = 60.0
    voices: Mapping[str, str] = field(default_factory=dict)
    default_voice: str | None = None
    accepts_asset_ids: bool = False
    sources: tuple[str, ...] = ()
    as_of: str = ""
    confidence: str = ""
    notes: str = ""
    origin: str = "shipped"  # or the file of a user
    floors: tuple[Model, ...] = ()  # shipped models that this one stands in for: their price is the least

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """The model's own input fields with the schema of each."""
        return self.input.get("properties") or {}

    @cached_property
    def defaults(self) -> Mapping[str, JSON]:
        """What the service assumes where a field is not sent."""
        return {name: p["default"] for name, p in self.properties.items() if "default" in p}

    @cached_property
    def validator(self) -> Draft202012Validator:
        return Draft202012Validator(self.input)

    @property
    def known(self) -> bool:
        """Whether the catalogue has this model; False for one that only `--allow-unknown-model` lets through."""
        return bool(self.sources) or self.origin != "unknown"

    def as_json(self) -> dict[str, JSON]:
        """Return the keys of contract section 8, `models`."""
        return {
            "model": self.id,
            "title": self.title,
            "modality": self.modality,
            "task": self.task,
            "tasks": list(self.tasks),
            "family": self.family,
            "maker": self.maker,
            "endpoint": self.endpoint,
            "status": self.status,
            "superseded_by": self.superseded_by,
            "aliases": list(self.aliases),
            "input": self.input,
            "roles": self.roles,
            "fields": {name: f.name for name, f in self.fields.items()},
            "constraints": list(self.constraints),
            "outputs": self.outputs,
            "credits": list(self.prices),
            "prompting": list(self.prompting),
            "expected_s": self.expected_s,
            "voices": self.voices,
            "as_of": self.as_of,
            "source": list(self.sources),
            "confidence": self.confidence,
            "notes": self.notes,
            "origin": self.origin,
        }


def unknown(model_id: str, modality: Modality) -> Model:
    """Return a model that takes everything and has no price, for `--allow-unknown-model`."""
    return Model(
        id=model_id,
        title=model_id,
        modality=modality,
        task="unknown",
        input={"type": "object"},
        fields={"prompt": Field("prompt")},
        origin="unknown",
    )


# --- reading -------------------------------------------------------------------------------------------


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with the scalars of YAML 1.2: `16:9` and `no` are text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    (
        "float",
        r"^[-+]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|(?:0|[1-9][0-9]*)(?=[eE]))(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def read_yaml(path: Path) -> JSON:
    """Return the values of a data file."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


def squash(name: str) -> str:
    """Return a name without case, blanks and punctuation: `flux2/pro` and `Flux 2 Pro` are one spelling."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def spellings(entry: Mapping[str, JSON]) -> Iterable[str]:
    """Yield the squashed names by which a model is known besides its id: aliases and display names."""
    title = str(entry["title"])
    bare = re.sub(r"\s*\([^)]*\)", "", title)
    inside = re.findall(r"\(([^)]*)\)", title)
    for name in (*entry.get("aliases", ()), title, bare, *inside):
        if squash(name):
            yield squash(name)


def model(entry: Mapping[str, JSON], maker: str, origin: str = "shipped") -> Model:
    """Return the Model of one entry of a data file."""
    properties = (entry.get("input") or {}).get("properties") or {}
    fields = {name: Field(name) for name in FRIENDLY if name in properties}
    for name, target in (entry.get("fields") or {}).items():
        if isinstance(target, str):
            fields[name] = Field(target)
        else:
            fields[name] = Field(target["field"], target.get("values"), target.get("wrap"))
    return Model(
        id=entry["id"],
        title=entry["title"],
        modality=entry["modality"],
        task=entry["task"],
        tasks=tuple(entry.get("tasks") or (entry["task"],)),
        family=entry.get("family", "jobs"),
        maker=maker,
        status=entry.get("status", "current"),
        superseded_by=entry.get("superseded_by"),
        superseded_note=entry.get("superseded_note") or "",
        aliases=tuple(entry.get("aliases") or ()),
        endpoint=entry.get("endpoint", JOBS_ENDPOINT),
        input=entry["input"],
        roles=entry.get("roles") or {},
        follows=tuple(entry.get("follows") or ()),
        output_id=entry.get("output_id") or "",
        sets=entry.get("sets") or {},
        fields=fields,
        fill=entry.get("fill") or {},
        constraints=tuple(entry.get("constraints") or ()),
        outputs=entry.get("outputs") or {},
        prices=tuple(entry.get("prices") or ()),
        prompting=tuple(entry.get("prompting") or ()),
        lint=entry.get("lint") or {},
        expected_s=float(entry.get("expected_s") or 60),
        voices=entry.get("voices") or {},
        default_voice=entry.get("default_voice"),
        accepts_asset_ids=bool(entry.get("accepts_asset_ids")),
        sources=tuple(entry.get("sources") or ()),
        as_of=str(entry.get("as_of") or ""),
        confidence=entry.get("confidence") or "",
        notes=entry.get("notes") or "",
        origin=origin,
    )


@lru_cache(maxsize=1)
def index() -> Mapping[str, Any]:
    """Return the generated index: version, date, every name, and the file of each model."""
    found: dict[str, Any] = json.loads((DATA / "index.json").read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=64)
def _shipped(file: str) -> Mapping[str, Model]:
    data = read_yaml(DATA / "models" / file)
    return {entry["id"]: model(entry, data["maker"]) for entry in data["models"]}


def _weight(value: JSON, known: dict[int, int] | None = None) -> int:
    """Return how many values a document holds with its aliases written out, without writing them out."""
    known = {} if known is None else known
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = 1  # what holds itself would never end
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_weight(one, known) for one in inner)
    return known[id(value)]


def _own(path: Path) -> list[tuple[Mapping[str, JSON], str]]:
    """Return the entries of a user's file and its maker, checked by the schema of all such files."""
    try:
        data = read_yaml(path)
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid([Problem(where=Where(str(path)), message=f"cannot be read: {error}")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = Where(str(path), mark.line + 1, mark.column + 1) if mark else Where(str(path))
        raise Invalid([Problem(where=where, message=str(getattr(error, "problem", error)))]) from error
    if _weight(data) > LARGEST_FILE:
        raise Invalid([Problem(where=Where(str(path)), message="is too large for a file of models")])
    errors = sorted(
        Draft202012Validator(schemas.load("model")).iter_errors(data),
        key=lambda e: [str(p) for p in e.absolute_path],
    )
    if errors:
        raise Invalid(
            [
                Problem(
                    where=Where(str(path)),
                    message=f"`{'.'.join(map(str, e.absolute_path)) or 'the file'}`: {e.message[:200]}",
                    hint="`kiebatch schema model` prints the form of an entry; docs/catalogue.md explains it",
                    code="model-file",
                )
                for e in errors[:20]
            ]
        )
    return [(entry, data.get("maker", "")) for entry in data["models"]]


class Catalogue:
    """Every model there is, with the user's own entries over the shipped ones.  Files are read when asked for."""

    def __init__(self, own: Sequence[Model] = ()) -> None:
        self._index = index()
        self._own = {(m.id, str(m.modality)): m for m in own}
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
                return self._own.get(key) or _shipped(self._files[key])[model_id]
        return None

    def all(self) -> tuple[Model, ...]:
        """Return every model, the shipped ones in the order of their files, then the user's new ones."""
        keys = dict.fromkeys((*self._files, *self._own))
        return tuple(m for m in (self.get(*key) for key in keys) if m is not None)

    def named(self, name: str) -> list[Model]:
        """Return the models that go by `name` in any spelling; an id in another spelling shuts out aliases."""
        wanted = squash(name)
        if not wanted:
            return []
        keys = [tuple(self._index["models"][i][:2]) for i in self._index["ids"].get(wanted, ())]
        keys += [key for key in self._own if squash(key[0]) == wanted]
        if not keys:
            keys = [tuple(self._index["models"][i][:2]) for i in self._index["names"].get(wanted, ())]
            keys += [
                key
                for key, own in self._own.items()
                if wanted in spellings({"title": own.title, "aliases": own.aliases})
            ]
        found = (self.get(*key) for key in dict.fromkeys(keys))
        return [m for m in found if m is not None]

    def resolve(self, name: str, *, modality: str | None = None, keep: str | None = None) -> Model:
        """Return the model that a person means by `name`.

        An exact id wins over an alias.  Among the models that share an alias or display name, `keep` (the id that
        the manifest names) stays; else the current one wins.  `UnknownModel` where none or several are left, where
        the only one was withdrawn, and where it makes something else than `modality`.
        """
        name = name.strip()
        exact = self.get(name)
        found = [exact] if exact else self.named(name)
        if not found:
            raise self._unknown(name)
        fitting = [m for m in found if modality in (None, m.modality)]
        if not fitting:
            raise UnknownModel(
                f"`{found[0].id}` makes {_NOUN[found[0].modality]}, and this wants {_NOUN[str(modality)]}",
                hint=_choices(m for m in self._near(name) if m.modality == modality),
            )
        for m in fitting:
            if m.id == keep:
                return m
        for status in ("current", "superseded"):
            left = [m for m in fitting if m.status == status]
            if len(left) == 1:
                return left[0]
            if left:
                raise UnknownModel(
                    f"`{name}` can mean {len(left)} models",
                    hint="say which: " + ", ".join(f"`{m.id}`" for m in left),
                    choices=[m.id for m in left],
                )
        raise self._withdrawn(fitting[0].id, fitting[0])

    def spelling_note(self, asked: str, found: Model) -> str:
        """Return what to write today where `asked` is an old or wrong spelling of a full id, else nothing."""
        return f"`{asked}` is called `{found.id}` today" if "/" in asked and asked != found.id else ""

    def _withdrawn(self, name: str, gone: Model) -> UnknownModel:
        instead = self._instead(gone)
        return UnknownModel(
            f"`{name}` is withdrawn: the service has closed it",
            hint=f"today there is {', '.join(f'`{m.id}`' for m in instead)}" if instead else "",
            choices=[m.id for m in instead],
        )

    def _unknown(self, name: str) -> UnknownModel:
        bare = re.sub(r"^(?:POST|GET)\s+", "", name).strip()
        if bare in self._index["chat"]:
            return UnknownModel(
                f"`{name}` is a chat model: it answers in text and makes no file",
                hint="kiebatch makes pictures, clips and sound; `kiebatch models` lists what it can use",
            )
        for path, say in self._index["not_models"].items():
            if bare.rstrip("/").endswith(path):
                return UnknownModel(f"`{name}` is no model", hint=say)
        path = "/" + re.sub(r"^https?://[^/]+", "", bare).lstrip("/")
        if path.startswith("/api/"):
            ids = self._index["endpoints"].get(path) or []
            if not ids:
                tail = re.sub(r"^/api/v\d+/", "", path).removesuffix("/generate")
                ids = [m.id for m in self.named(tail) if m.status != "withdrawn"]
            today = list(dict.fromkeys(self._today(i) for i in ids))
            return UnknownModel(
                f"`{name}` is an address of the API, no model",
                hint="name the model: " + ", ".join(f"`{i}`" for i in today[:6]) if today else "",
                choices=today,
            )
        like = self._like(name)
        if like and all(m.status == "withdrawn" for m in like):
            return self._withdrawn(name, next((m for m in like if m.superseded_by), like[0]))
        near = self._near(name)
        return UnknownModel(
            f"unknown model `{name}`",
            hint=_choices(near) or "`kiebatch models` lists them; `--allow-unknown-model` sends it as it is",
            choices=[m.id for m in near],
        )

    def _today(self, model_id: str) -> str:
        found = self.get(model_id)
        return found.superseded_by if found and found.superseded_by else model_id

    def _like(self, name: str) -> list[Model]:
        """Return the models whose id or display name reads like `name`: what begins so, holds it, or looks like it."""
        wanted = squash(name)
        if len(wanted) < 3:
            return []
        keys = [*self._index["ids"], *self._index["names"], *(squash(i) for i, _ in self._own)]
        begins = [key for key in keys if key.startswith(wanted) or (len(key) >= 5 and wanted.startswith(key))]
        holds = [key for key in keys if wanted in key]
        close = get_close_matches(wanted, keys, n=8, cutoff=0.75) if len(wanted) > 5 else []
        return list(dict.fromkeys(m for key in (*begins, *holds, *close) for m in self.named(key)))

    def _near(self, name: str) -> list[Model]:
        """Return up to five current models that `name` may mean."""
        today = (m if m.status == "current" else self.get(m.superseded_by or "") for m in self._like(name))
        return list(dict.fromkeys(m for m in today if m is not None and m.status == "current"))[:5]

    def _instead(self, gone: Model) -> list[Model]:
        """Return current models that do what a withdrawn one did, the best known first."""
        if gone.superseded_by:
            found = self.get(gone.superseded_by)
            return [found] if found else []
        ids = [
            m[0]
            for m in self._index["models"]
            if m[1] == gone.modality and m[3] == "current" and m[4] == gone.task
        ]
        return [m for m in (self.get(i) for i in ids[:4]) if m is not None]


_NOUN = {"image": "pictures", "video": "clips", "audio": "sound", "text": "text"}


def _choices(found: Iterable[Model]) -> str:
    ids = [f"`{m.id}`" for m in found]
    return f"did you mean {ids[0]}?" if len(ids) == 1 else f"there is {', '.join(ids)}" if ids else ""


def load(extra: Sequence[Path] = ()) -> Catalogue:
    """Return the catalogue, with the entries of the user's own files over it.

    Each of `extra` is a file or a folder of `*.yaml`; a later one wins, and what does not exist is passed over.
    `Invalid` names what is wrong with such a file.
    """
    shipped = Catalogue()
    own: dict[tuple[str, str], Model] = {}
    for path in extra:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path] if path.is_file() else []:
            for entry, maker in _own(file):
                mine = model(entry, maker, origin=str(file))
                own[mine.id, str(mine.modality)] = replace(mine, floors=_floors(mine, shipped))
    return Catalogue(tuple(own.values())) if own else shipped


def _floors(mine: Model, shipped: Catalogue) -> tuple[Model, ...]:
    """Return the shipped models that a user's entry may come to call: that of its id, those of its own endpoint."""
    same = [shipped.get(mine.id)]
    if mine.endpoint != JOBS_ENDPOINT:
        same += [shipped.get(model_id) for model_id in index()["endpoints"].get(mine.endpoint, ())]
    return tuple(dict.fromkeys(m for m in same if m is not None))


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that people want, in their words, with the models to look at first and why."""

    name: str
    words: tuple[str, ...]
    models: Mapping[str, str]


def intents() -> tuple[Intent, ...]:
    """Return what the catalogue can suggest models for."""
    head = read_yaml(DATA / "catalogue.yaml")
    return tuple(Intent(i["name"], tuple(map(str, i["words"])), i["models"]) for i in head["intents"])


def suggest(wish: str) -> tuple[Intent, ...]:
    """Return the intents that a wish in words speaks of, the best match first; none where nothing fits."""
    said = set(re.findall(r"[a-z0-9:]+", wish.lower()))
    scored = []
    for number, intent in enumerate(intents()):
        ways = [set(re.findall(r"[a-z0-9:]+", words.lower())) for words in (intent.name, *intent.words)]
        # A whole phrase counts for each of its words; a single word of the name for little.
        score = sum(len(way) for way in ways if way <= said) + 0.1 * len(ways[0] & said)
        if score >= 1:
            scored.append((-score, number, intent))
    return tuple(intent for _, _, intent in sorted(scored, key=lambda s: s[:2])[:3])


# --- prices --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number that is known, or the most it can be, or not known at all."""

    value: float | None
    exact: bool = True


_UNKNOWN = _Amount(None, False)


def price(model: Model, input: Mapping[str, JSON], *, media: Mapping[str, MediaFacts] | None = None) -> Price:
    """Return what one job costs in credits, by the rows of the catalogue.

    `input` is what is sent, with each medium as the text of its ref, and `media` what is known of those.  Of the rows
    whose conditions hold, the one with the most conditions sets the price; rows that add (`input` pictures, seconds of
    given clips) come on top.  Where credits and dollars disagree the higher counts.  A price is a bound when it rests
    on the most a thing can be, and unknown when a row is missing or a length has no limit.  A user's entry is never
    cheaper than the shipped one.
    """
    own = _price(model, input, media or {})
    for floor in model.floors:
        least = _price(floor, input, media or {})
        if least.amount is not None and (own.amount is None or own.amount < least.amount):
            own = least
    return own


def _price(model: Model, input: Mapping[str, JSON], media: Mapping[str, MediaFacts]) -> Price:
    sent = {**model.defaults, **input}
    base = [row for row in model.prices if not _adds(row)]
    states = [(row, _holds(row.get("when") or {}, sent, input)) for row in base]
    sure = [row for row, state in states if state is True]
    open_ = [row for row, state in states if state is None]
    chosen: list[tuple[Mapping[str, JSON], _Amount]] = []
    if sure:
        most = max(len(row.get("when") or {}) for row in sure)
        chosen = [(row, _cost(model, row, sent, media)) for row in sure if len(row.get("when") or {}) == most]
    # A condition on something that is not said leaves several rows possible: the dearest is the bound.
    chosen += [(row, replace(_cost(model, row, sent, media), exact=False)) for row in open_]
    if not chosen or any(amount.value is None for _, amount in chosen):
        return Price(amount=None, kind="unknown", as_of=_oldest(row for row, _ in chosen))
    dearest = max(chosen, key=lambda pair: pair[1].value or 0)
    rows, total, exact = [dearest[0]], dearest[1].value or 0.0, dearest[1].exact and not open_
    for row in model.prices:
        state = _holds(row.get("when") or {}, sent, input) if _adds(row) else False
        if state is False:
            continue
        more = _cost(model, row, sent, media)
        if more.value is None:
            return Price(amount=None, kind="unknown", as_of=_oldest(rows))
        if more.value:
            rows.append(row)
        total += more.value
        exact = exact and more.exact and state is True
    tidy = round(total, 4)
    return Price(
        amount=int(tidy) if tidy == int(tidy) else tidy,
        kind="exact" if exact else "bound",
        as_of=_oldest(rows),
    )


def _adds(row: Mapping[str, JSON]) -> bool:
    return row["per"] == "input" or bool(row.get("adds"))


def _oldest(rows: Iterable[Mapping[str, JSON]]) -> str | None:
    return min((str(row["as_of"]) for row in rows if row.get("as_of")), default=None)


def _holds(when: Mapping[str, JSON], sent: Mapping[str, JSON], input: Mapping[str, JSON]) -> bool | None:
    """Whether all conditions hold; None where one is about a field that is neither sent nor has a default."""
    open_ = False
    for name, wanted in when.items():
        if wanted in ("given", "absent"):
            given = input.get(name) not in (None, "", [], {})
            if given is not (wanted == "given"):
                return False
        elif name not in sent:
            open_ = True
        elif not any(_alike(sent[name], one) for one in (wanted if isinstance(wanted, list) else [wanted])):
            return False
    return None if open_ else True


def _alike(a: JSON, b: JSON) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return str(a).lower() == str(b).lower()


def _cost(
    model: Model, row: Mapping[str, JSON], sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]
) -> _Amount:
    credits = max(float(row["credits"]), float(row.get("usd") or 0) / USD_PER_CREDIT)
    times = _times(model, row, sent, media)
    if times.value is None:
        return _UNKNOWN
    return _Amount(credits * times.value, times.exact and not row.get("bound"))


def _times(
    model: Model, row: Mapping[str, JSON], sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]
) -> _Amount:
    """Return how often a row's credits are charged."""
    per = row["per"]
    if per == "job":
        return _Amount(1)
    if per == "output":
        return count(model, sent)
    if per == "second":
        total = _Amount(0) if row.get("adds") else seconds(model, sent, media)
        for name in row.get("plus") or ():
            total = _sum(total, _media_seconds(model, name, sent, media))
        return total
    if per == "minute":
        length = _sum(*(_media_seconds(model, name, sent, media) for name in row["of"]))
        return _UNKNOWN if length.value is None else _Amount(math.ceil(length.value / 60), length.exact)
    if per == "1000 characters":
        characters = sum(len(str(text)) for path in row["of"] for text in values_at(sent, path))
        return _Amount(math.ceil(characters / 1000), exact=False)
    if per == "input":
        given = sum(len(_listed(sent.get(name))) for name in row["of"])
        return _Amount(max(0, given - int(row.get("free") or 0)))
    if per == "megapixel":
        return _megapixels(model, sent, media)
    if per == "output side":
        return _by_side(row, sent, media)
    return _UNKNOWN  # tokens: nobody knows before the job has run


def count(model: Model, sent: Mapping[str, JSON]) -> _Amount:
    """Return how many outputs a job makes; unknown where only the service knows."""
    said = model.outputs.get("count", 1)
    if said is None:
        return _UNKNOWN
    if not isinstance(said, Mapping):
        return _Amount(float(said))
    value = sent.get(said.get("field", ""))
    if value is None:
        value = said.get("default", 1)
        for case in said.get("when") or ():
            if _holds(case["if"], sent, sent):
                value = case["default"]
    number = as_number(value)
    return _UNKNOWN if number is None else _Amount(number, exact=not said.get("at_most") or number == 1)


def seconds(model: Model, sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]) -> _Amount:
    """Return how long a clip or sound will be, by its own length field or by the media it follows."""
    rule = model.outputs.get("seconds") or {}
    if "frames" in rule:
        frames, rate = as_number(sent.get(rule["frames"])), as_number(sent.get(rule["rate"]))
        return _Amount(frames / rate) if frames and rate else _UNKNOWN
    found = _UNKNOWN
    value = as_number(sent.get(rule.get("field", "")))
    if value is not None and value > 0:
        found = _Amount(value)
    else:
        lengths = [
            _media_seconds(model, name, sent, media) for name in rule.get("media") or () if sent.get(name)
        ]
        if lengths and all(one.value is not None for one in lengths):
            longest = max(one.value or 0 for one in lengths)
            found = _Amount(longest, len(lengths) == 1 and lengths[0].exact)
        elif not lengths and rule.get("field"):
            most = _most(model.properties.get(rule["field"], {}))
            found = _Amount(most, exact=False) if most else _UNKNOWN
    limit = rule.get("max")
    if limit and (found.value is None or found.value > limit):
        return _Amount(float(limit), exact=False)
    return found


def _most(schema: Mapping[str, JSON]) -> float | None:
    numbers = [n for n in map(as_number, schema.get("enum") or ()) if n is not None]
    for part in (schema, *(schema.get("anyOf") or ())):
        if "maximum" in part:
            numbers.append(float(part["maximum"]))
    return max(numbers, default=None)


def _media_seconds(
    model: Model, name: str, sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]
) -> _Amount:
    """Return the seconds of all media in a field; the limit of the field where a length is not known."""
    limits = model.properties.get(name, {}).get("media") or {}
    total, exact = 0.0, True
    for ref in _listed(sent.get(name)):
        facts = media.get(str(ref))
        if facts and facts.duration_s is not None:
            total += facts.duration_s
        elif limits.get("max_s"):
            total, exact = total + float(limits["max_s"]), False
        else:
            return _UNKNOWN
    if not exact and limits.get("total_max_s"):
        total = min(total, float(limits["total_max_s"]))
    return _Amount(total, exact)


def _megapixels(model: Model, sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]) -> _Amount:
    rule = model.outputs.get("megapixels") or {}
    if "values" in rule:
        value = rule["values"].get(sent.get(rule["field"]))
        return _sum(_Amount(float(value), exact=False)) if value else _UNKNOWN
    total = 0.0
    for name in rule.get("media") or ():
        for ref in _listed(sent.get(name)):
            facts = media.get(str(ref))
            if not facts or not facts.width or not facts.height:
                return _UNKNOWN
            total += math.ceil(facts.width * facts.height / 1_000_000)
    return _Amount(total, exact=False) if total else _UNKNOWN


def _by_side(row: Mapping[str, JSON], sent: Mapping[str, JSON], media: Mapping[str, MediaFacts]) -> _Amount:
    """Return the share of the dearest step that the size of the result costs."""
    factor = as_number(sent.get(row["factor"])) or 1
    for name in row["of"]:
        for ref in _listed(sent.get(name)):
            facts = media.get(str(ref))
            if facts and facts.width and facts.height:
                side = max(facts.width, facts.height) * factor
                for limit, credits in row["steps"]:
                    if limit is None or side <= limit:
                        return _Amount(float(credits) / float(row["credits"]), exact=False)
    return _Amount(1, exact=False)


def _sum(*amounts: _Amount) -> _Amount:
    if any(a.value is None for a in amounts):
        return _UNKNOWN
    return _Amount(sum(a.value or 0 for a in amounts), all(a.exact for a in amounts))


def _listed(value: JSON) -> list[JSON]:
    if value is None or value == "":
        return []
    return [one for one in value if one] if isinstance(value, list) else [value]


def cheapest(model: Model) -> str:
    """Return the lowest price of a model in words, `from 4 credits a second`; nothing where none is known."""
    rows = [row for row in model.prices if not _adds(row)]
    if not rows:
        return ""
    row = min(rows, key=lambda r: float(r["credits"]))
    least = float(row["steps"][0][1] if "steps" in row else row["credits"])
    units = {"job": "", "output": "", "output side": "", "second": " a second", "minute": " a minute"}
    unit = units.get(row["per"], f" per {row['per']}")
    lowest = "from " if "steps" in row or len({r["credits"] for r in rows}) > 1 else ""
    return f"{lowest}{least:g} credit{'' if least == 1 else 's'}{unit}"
