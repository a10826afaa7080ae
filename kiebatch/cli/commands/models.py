"""`kiebatch models`"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml

from kiebatch import catalogue, files, workspace
from kiebatch.catalogue import Catalogue, Model, UnknownModel, generate, manual, reading, refresh, starters
from kiebatch.cli import console, options
from kiebatch.errors import Exit, Invalid, Refused, plain
from kiebatch.model import JSON, ROLES, USD_PER_CREDIT, Request, as_list, as_mapping, under
from kiebatch.project import opening
from kiebatch.provider import CallFailed, Client
from kiebatch.settings import Settings

app = typer.Typer()
TAKES = (
    *ROLES,
    "aspect_ratio",
    "resolution",
    "duration",
    "seed",
    "negative_prompt",
    "count",
    "voice",
    "prompt",
)


@app.command()
def models(
    model: Annotated[
        str | None,
        typer.Argument(
            help="a model's id or name, or words to search for; `refresh` asks the provider",
            show_default=False,
        ),
    ] = None,
    modality: Annotated[str | None, typer.Option("--modality", help="image, video or audio")] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="text-to-image, image-to-video, upscale, ...")
    ] = None,
    family: Annotated[str | None, typer.Option("--family", help="jobs, veo, runway, suno, ...")] = None,
    maker: Annotated[str | None, typer.Option("--maker", help="Google, ByteDance, ...")] = None,
    takes: Annotated[
        list[str] | None,
        typer.Option(
            "--takes", help="what it must take: end_frame, mask, seed, negative_prompt, ...; repeat for more"
        ),
    ] = None,
    shape: Annotated[
        str | None, typer.Option("--shape", help="a shape it makes natively, such as 16:9")
    ] = None,
    below: Annotated[
        float | None,
        typer.Option("--below", min=0, help="credits that its cheapest job (or second) must not exceed"),
    ] = None,
    suggest: Annotated[
        str | None, typer.Option("--suggest", help="what you want: `text in the image`, `cheap clips`, ...")
    ] = None,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="one model's entry, to be edited and put into models/mine.yaml")
    ] = False,
    negative: Annotated[
        bool, typer.Option("--negative", help="lists of what to avoid, to start a negative prompt from")
    ] = False,
    older: Annotated[bool, typer.Option("--all", help="older and withdrawn models, too")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="with `refresh`: only see whether derived files have drifted; exit 3 if so"
        ),
    ] = False,
    output: Annotated[Path, typer.Option("--output", help="with `refresh`: where the candidate goes")] = Path(
        "catalogue-refresh.diff"
    ),
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="with `refresh`: put new models and changed fields into your own models/refreshed.yaml",
        ),
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=0, help="with `refresh`: seconds between two questions")
    ] = 1.0,
    api_key: options.ApiKey = None,
    base_url: options.BaseUrl = None,
    project: options.Project = None,
    draft: options.Draft = False,
    as_json: options.Json = False,
) -> None:
    """List, search and explain the models: inputs, limits, prices, how to prompt them.

    Example: kiebatch models --modality video --takes end_frame
    Example: kiebatch models nano-banana-2
    Example: kiebatch models --suggest "text in the image"
    """
    if negative:
        lists = {name: list(terms) for name, terms in starters.starters().items()}
        console.answer({"starters": lists, "rules": list(starters.RULES)}, _starters, as_json=as_json)
        return
    folder = project or Path.cwd()
    if model == "refresh" and check:
        _check_derived(as_json=as_json)
    elif model == "refresh":
        chosen = options.read_settings(folder, api_key=api_key, base_url=base_url, draft=draft)
        with options.simulator(options.with_key(chosen)) as settings:
            _refresh(settings, output, every, modality, write=write, as_json=as_json)
    elif suggest:
        _suggest(_catalogue(folder), suggest, as_json=as_json)
    else:
        asked = _Filter(modality, task, family, maker, tuple(takes or ()), shape, below)
        _look_up(_catalogue(folder), asked, model, older=older, as_yaml=as_yaml, as_json=as_json)


def _catalogue(folder: Path) -> Catalogue:
    """Return the models that a project knows: the shipped ones and its own."""
    root = folder.resolve()
    return opening.load_catalogue(
        workspace.Workspace(root=root, assets=root / "assets", state=root / ".kiebatch")
    )


def _look_up(
    found: Catalogue, asked: _Filter, model: str | None, *, older: bool, as_yaml: bool, as_json: bool
) -> None:
    """Explain the model of that name, or list all that are as asked for."""
    like_that = [m for m in found.all() if asked.fits(m)]
    wanted = [m for m in like_that if older or m.status == "current"]
    if model:
        _show(found, _one(found, model, wanted), as_yaml=as_yaml, as_json=as_json)
    else:
        _list(found, wanted, hidden=len(like_that) - len(wanted), as_json=as_json)


def _show(found: Catalogue, one: Model | list[Model], *, as_yaml: bool, as_json: bool) -> None:
    """Explain one model, or list those that a word means."""
    if as_yaml:
        print(_entry(one), end="")
    elif isinstance(one, Model):
        console.answer(one.as_json(), lambda: manual.page(one), as_json=as_json)
    else:
        _list(found, one, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Filter:
    """What a listed model must be; None asks for nothing."""

    modality: str | None
    task: str | None
    family: str | None
    maker: str | None
    takes: tuple[str, ...]
    shape: str | None
    below: float | None

    def fits(self, m: Model) -> bool:
        return self._is_of_kind(m) and self._can(m)

    def _is_of_kind(self, m: Model) -> bool:
        of_maker = self.maker is None or self.maker.lower() in m.maker.lower()
        of_task = self.task is None or self.task in m.tasks
        return (
            self.modality in (None, m.modality) and self.family in (None, m.family) and of_maker and of_task
        )

    def _can(self, m: Model) -> bool:
        in_shape = self.shape is None or _makes_shape(m, self.shape)
        cheap = self.below is None or _cheapest(m) <= self.below
        return in_shape and cheap and all(_takes(m, what) for what in self.takes)


def _starters() -> str:
    lists = [f"negative: {name}\n    {', '.join(terms)}" for name, terms in starters.starters().items()]
    return "\n".join([*lists, "", *starters.RULES])


def _entry(one: Model | list[Model]) -> str:
    """Return one model's entry as a file of models, to be edited.  `Invalid` for several."""
    if isinstance(one, list):
        raise Invalid("--yaml prints one model", hint="name one by its id")
    head = f"# put this into models/mine.yaml and keep only `id` and what differs; {one.origin}\n"
    document = {"maker": one.maker, "models": [dict(one.raw)]}
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _one(found: Catalogue, name: str, among: list[Model]) -> Model | list[Model]:
    """Return the model of that name, else all whose names hold the word."""
    try:
        return found.resolve(name)
    except UnknownModel as unknown:
        exact = found.get(name)
        if exact:
            return exact  # a withdrawn one can still be read about
        matching = [
            m for m in among if catalogue.squash(name) in catalogue.squash(f"{m.id}{m.title}{m.maker}")
        ]
        if not matching or not catalogue.squash(name):
            raise unknown from None
        return matching


def _takes(m: Model, what: str) -> bool:
    word = what.strip().lower().replace("-", "_").replace(" ", "_").removeprefix("an_").removeprefix("a_")
    if word not in TAKES:
        raise Invalid(f"--takes knows no `{what}`", hint=f"it knows {', '.join(TAKES)}")
    return word in m.roles or word in m.fields


def _makes_shape(m: Model, shape: str) -> bool:
    target = m.fields.get("aspect_ratio")
    if target is None:
        return False
    return shape in (target.values or m.properties[target.name].get("enum") or ())


def _cheapest(m: Model) -> float:
    rows = [float(row["credits"]) for row in m.prices if row["per"] != "input" and not row.get("adds")]
    return min(rows, default=float("inf"))


def _list(found: Catalogue, wanted: Sequence[Model], *, hidden: int = 0, as_json: bool) -> None:
    console.answer([m.as_json() for m in wanted], lambda: _table(found, wanted, hidden), as_json=as_json)


def _table(found: Catalogue, wanted: Iterable[Model], hidden: int = 0) -> str:
    rows = [
        [m.id, m.modality, m.task, manual.cost(m), _marks(m), console.short(m.title, 44)]
        for m in sorted(wanted, key=lambda m: (m.modality, m.maker.lower(), m.id))
    ]
    if not rows and hidden:
        return f"all {hidden} models like that are older forms or withdrawn: --all lists them"
    if not rows:
        return "no model is like that"
    table = console.table(rows, ["model", "makes", "for", "price", "", "name"])
    return f"{table}\n\n{len(rows)} models; catalogue {found.version}, newest fact of {found.as_of}, 1 credit is {USD_PER_CREDIT} USD"


def _marks(m: Model) -> str:
    if m.origin != "shipped":
        return "yours"
    return "" if m.status == "current" else m.status


def _suggest(found: Catalogue, wanted: str, *, as_json: bool) -> None:
    fitting = catalogue.suggest(wanted)
    if not fitting:
        known = ", ".join(f"`{i.name}`" for i in catalogue.intents())
        raise Invalid(f"nothing to suggest for `{wanted}`", hint=f"try one of {known}")
    value: list[JSON] = []
    lines: list[str] = []
    for intent in fitting:
        known_models = ((found.get(model_id), why) for model_id, why in intent.models.items())
        entries: list[dict[str, str]] = [
            {"model": model.id, "why": why, "price": manual.cost(model)}
            for model, why in known_models
            if model
        ]
        value.append({"intent": intent.name, "models": entries})
        lines += [f"{intent.name}:", *(f"  {e['model']}: {e['why']} ({e['price']})" for e in entries)]
    console.answer(value, "\n".join(lines), as_json=as_json)


def _check_derived(*, as_json: bool) -> None:
    stale = [files.shown(path) for path in generate.drifted()]
    text = "\n".join(f"{path} has drifted; run python -m kiebatch.catalogue.generate" for path in stale)
    status, code = ("drifted", Exit.DIFFERS) if stale else ("ok", Exit.OK)
    console.answer(
        {"status": status, "files": stale}, text or "nothing has drifted", as_json=as_json, code=code
    )
    console.leave(code)


# --- refresh -------------------------------------------------------------------------------------------


def _refresh(
    settings: Settings, output: Path, every_s: float, modality: str | None, *, write: bool, as_json: bool
) -> None:
    candidate = asyncio.run(_ask(settings, every_s, modality))
    ending = f"{candidate.asked} models asked, nothing differs"
    if candidate.changes:
        files.replace(output, candidate.text)
        ending = (
            f"{len(candidate.changes)} differences in {candidate.asked} models; the candidate is in {output}"
        )
    value: dict[str, JSON] = {
        **as_mapping(candidate.as_json()),
        "file": str(output) if candidate.changes else None,
    }
    changed = as_list(candidate.as_file()["models"])
    if write and changed:
        own = _write_own(changed)
        value["written"] = str(own)
        ending += f"; new models and changed fields are in {files.shown(own)}, prices are left to you"
    lines = [f"{c.model}: {c.kind}: {'; '.join(c.words)}" for c in candidate.changes]
    console.answer(value, "\n".join([*lines, ending]), as_json=as_json)


def _write_own(changed: Sequence[JSON]) -> Path:
    """Put what a file of models can hold into the person's own folder; entries of earlier refreshes stay."""
    home = workspace.config_home()
    if home is None:
        raise Invalid("there is no folder for your own models", hint="set KIEBATCH_CONFIG_HOME")
    path = home / "models" / "refreshed.yaml"
    before = reading.read_yaml(path) if path.is_file() else None
    entries = {under(entry, "id"): entry for entry in (*as_list(under(before, "models")), *changed)}
    head = "# written by `kiebatch models refresh --write`; edit it, add prices, or delete what you do not want\n"
    text = head + yaml.safe_dump(
        {"models": list(entries.values())}, sort_keys=False, allow_unicode=True, width=110
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.write_text(text, encoding="utf-8")
        catalogue.load([trial])  # `Invalid` before a file is written that no command could read
    files.replace(path, text)
    return path


async def _ask(settings: Settings, every_s: float, modality: str | None) -> refresh.Candidate:
    """Put the questions of protocol 7.3, one every `every_s` seconds: that is their limit per account."""
    shipped = catalogue.load()
    async with Client(settings.api_key, settings.base_url, settings.upload_url, attempts=3) as client:
        try:
            listed = await _listing(client)
            if modality:
                ids = {m.id for m in shipped.all() if m.modality == modality}
                listed = [entry for entry in listed if entry.get("model") in ids]
            schemas, failed = await _schemas(client, listed, every_s)
            prices = await _price_rows(client)
        except CallFailed as failure:
            raise Refused(f"the provider cannot be asked: {failure.message}", hint=failure.hint) from None
    answers = refresh.Answers(
        listed=listed, schemas=schemas, failed=failed, prices=prices, whole=modality is None
    )
    today = datetime.now(UTC).date().isoformat()
    kept = _kept_words()
    _keep_words({**kept, **refresh.price_words(listed)})
    return refresh.compare(shipped, answers, today=today, kept_words=kept)


async def _listing(client: Client) -> list[dict[str, JSON]]:
    answer = await client.read(Request(method="GET", path="/api/v1/models"), operation="models")
    data = answer.data if isinstance(answer.data, dict) else {"models": answer.data}
    return [entry for entry in as_list(data.get("models")) if isinstance(entry, dict)]


async def _schemas(
    client: Client, listed: Sequence[dict[str, JSON]], every_s: float
) -> tuple[dict[str, JSON], dict[str, str]]:
    """Return what is answered about each model by its id, and why a question failed."""
    schemas: dict[str, JSON] = {}
    failed: dict[str, str] = {}
    for number, entry in enumerate(listed, start=1):
        await asyncio.sleep(every_s)
        model_id = str(entry.get("model") or "")
        if not model_id or ".." in model_id:
            continue
        if every_s:
            console.say(f"{number}/{len(listed)} {plain(model_id)}")
        request = Request(method="GET", path=f"/api/v1/models/{model_id}/schema")
        try:
            schemas[model_id] = (await client.read(request, operation="models")).data
        except CallFailed as failure:
            failed[model_id] = failure.message
    return schemas, failed


def _words_file() -> Path | None:
    """Return where the listing's price words are kept between two refreshes: the person's own config folder."""
    home = workspace.config_home()
    return home / "price-words.json" if home else None


def _kept_words() -> dict[str, str]:
    path = _words_file()
    if path is None or not path.is_file():
        return {}
    try:
        found = json.loads(files.read_text(path))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(f"{files.shown(path)} is damaged", hint="delete it; the next refresh writes it again")
    return {str(name): str(words) for name, words in found.items()}


def _keep_words(words: dict[str, str]) -> None:
    path = _words_file()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, json.dumps(words, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


async def _price_rows(client: Client) -> list[dict[str, JSON]]:
    rows: list[dict[str, JSON]] = []
    for page in range(1, 51):
        request = Request(
            method="POST", path="/client/v1/model-pricing/page", body={"pageNum": page, "pageSize": 100}
        )
        try:
            answer = await client.read(request, operation="models")
        except CallFailed:
            return rows  # the public list is not served everywhere; the rest of the refresh does not need it
        data = answer.data if isinstance(answer.data, dict) else {"records": answer.data}
        lists = (data.get(key) for key in ("records", "list", "rows"))
        listed = next((rows for rows in lists if isinstance(rows, list)), [])
        found = [row for row in listed if isinstance(row, dict)]
        rows += found
        if len(found) < 100:
            break
    return rows
