"""The drawing in docs/architecture.md stays true: folders import only where an arrow is drawn, and only faces."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import kiebatch
from support.places import ROOT

PACKAGE = ROOT / "kiebatch"
GROUND = "(root)"
# The nouns are a folder of the root: everybody imports them, and they import the root alone.
NOUNS = "model"
# The public faces reach into the folders; nothing else at the root does.
PUBLIC = {"__init__", "__main__", "api"}
# Modules that belong to the face of their folder: others import these, or a name of the folder's `__init__`.
FACES = {
    "media": {"checks", "clean_art", "derivatives", "framing", "lettering", "subjects"},
    "units": set(),
    "record": {"auditing", "gitdrivers", "line_file", "manifest", "manifest.differences", "manifest.merging", "notes", "picks", "picks_file", "queries", "runs", "store", "store.checking", "verification"},
    "farm": {"parent"},
    "provider": {"booking", "callbacks", "families", "lifetimes", "network", "policy", "polling", "share"},
    "team": {"accounts", "environment", "schema"},
    "catalogue": {"chat_models", "formula", "generate", "inputs", "lint", "manual", "measured", "media_limits", "migrating", "reading", "refresh", "saying", "starters"},
    "scenefile": {"build", "convert", "document", "editor_names", "explaining", "intake", "leading", "lengths", "markdown", "migration", "moved_lines", "negatives", "screenplay", "screenplay_update", "separated", "speech", "yaml_text"},
    "prompts": {"chat", "choosing", "lock"},
    "project": {"billed", "config", "finding", "foreign", "opening", "scripts", "snapshots", "validating"},
    "planning": {"approvals", "expected", "file_warnings", "planner", "planning", "plans", "saved", "statuses", "verdicts"},
    "running": {"cleaning", "decisions", "enhancing", "events", "holding", "previews", "rebuilding", "session", "single", "transfers"},
    "exports": {"bundle", "csv", "cut", "otio", "pdf", "retime"},
    "ci": {"announce", "answers", "facts", "report", "reviewed"},
    "board": {"publish"},
    "simulator": {"drawing.pool", "server.application", "server.background", "server.server"},
    "testing": {"fixtures", "plugin", "running"},
    "mcp": set(),
    "cli": set(),
}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One name that a file of the package imports from the package."""

    file: Path
    folder: str
    module: str  # where from, without `kiebatch.`; "" for the package itself
    name: str

    @property
    def target(self) -> str:
        return folder_of((self.module or self.name).split(".")[0])

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}: from kiebatch.{self.module} import {self.name}"


def folder_of(first: str) -> str:
    """Return the folder that a name below the package belongs to."""
    return first if (PACKAGE / first).is_dir() and first != NOUNS else GROUND


def arrows() -> dict[str, set[str]]:
    """Return which folder may import which, as the table in the architecture page says."""
    found = {}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for line in page.partition("## Where to look")[0].splitlines():
        match = re.match(r"\| `([a-z]+)` \| [^|]+ \|([^|]*)\|$", line)
        if match:
            found[match[1]] = set(re.findall(r"`([a-z]+)`", match[2]))
    return found


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports() -> Iterator[Import]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        folder = folder_of(parts[0])
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                assert not any(a.name.startswith("kiebatch") for a in node.names), f"{path}: import kiebatch…"
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kiebatch":
                assert node.level == 0, f"{path}: a relative import"
                module = (node.module or "").partition(".")[2]
                yield from (Import(path, folder, module, alias.name) for alias in node.names)


DRAWN = arrows()


@functools.cache
def imports() -> tuple[Import, ...]:
    """Return what the whole package imports; reading it takes too long for whoever only collects the tests."""
    return tuple(_imports())


def test_every_folder_is_on_the_drawing_and_nothing_else_is() -> None:
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")} - {NOUNS}

    assert folders == set(DRAWN) == set(FACES)


def test_at_most_twelve_files_lie_at_the_top() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 12


def test_folders_import_only_where_an_arrow_is_drawn() -> None:
    wrong = [
        str(found)
        for found in imports()
        if found.target not in (found.folder, GROUND)
        and found.target not in DRAWN.get(found.folder, ())
        and not (found.folder == GROUND and found.file.stem in PUBLIC)
    ]

    assert wrong == []


def test_the_drawing_has_no_arrow_that_is_not_used_and_no_circle() -> None:
    used = {(found.folder, found.target) for found in imports()}
    unused = [(a, b) for a, targets in DRAWN.items() for b in targets if (a, b) not in used]
    done: set[str] = set()
    while ready := {f for f, targets in DRAWN.items() if f not in done and targets <= done}:
        done |= ready

    assert unused == []
    assert done == set(DRAWN), f"a circle among {set(DRAWN) - done}"


def test_folders_are_entered_by_their_faces() -> None:
    wrong = []
    for found in imports():
        if found.target in (found.folder, GROUND) or found.file.stem in PUBLIC:
            continue
        module = found.module.partition(".")[2]
        face = importlib.import_module(f"kiebatch.{found.target}")
        # A module that something else has loaded is an attribute, too, and not for that a part of the face.
        named = found.name in dir(face) and not isinstance(vars(face).get(found.name), ModuleType)
        on_the_face = not found.module or (not module and named) or module in FACES[found.target]
        is_a_module = ".".join(filter(None, (module, found.name))) in FACES[found.target]
        if not (on_the_face or is_a_module) or found.name.startswith("_"):
            wrong.append(str(found))

    assert wrong == []


def test_private_names_stay_in_their_files() -> None:
    assert [
        str(f)
        for f in imports()
        if f.name.startswith("_") and not f.name.startswith("__") and f.name != "_lazy"
    ] == []


def test_lazy_faces_name_what_type_checkers_see() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        source = path.read_text(encoding="utf-8")
        if "_lazy import face" not in source:
            continue
        block = source.partition("if TYPE_CHECKING:")[2].partition("__getattr__")[0]
        seen = set(re.findall(r"import (\w+) as \1", block)) or {
            name.strip() for line in re.findall(r"import (.+)", block) for name in line.strip("()").split(",")
        }
        table = set(re.findall(r'"(\w+)": "', source.partition("__getattr__")[2]))
        assert seen == table, path


def test_every_module_can_be_imported_and_the_public_functions_stay_functions() -> None:
    for module in pkgutil.walk_packages(kiebatch.__path__, "kiebatch."):
        if module.name != "kiebatch.__main__":
            importlib.import_module(module.name)

    assert [name for name in kiebatch.__all__ if not callable(getattr(kiebatch, name))] == []


def test_the_simulator_shares_nothing_with_the_client_that_could_be_misunderstood_alike() -> None:
    allowed = {
        ("model", "JSON"),
        ("model", "Modality"),
        ("model", "MediaFacts"),
        ("errors", "*"),
        ("addresses", "*"),
        ("_lazy", "face"),
    }
    wrong = [
        str(found)
        for found in imports()
        if found.folder == "simulator"
        and found.target == GROUND
        and (found.module or found.name, found.name) not in allowed
        and (found.module or found.name, "*") not in allowed
    ]

    assert wrong == []


def test_a_run_knows_no_terminal_and_families_open_no_connection() -> None:
    for folder, forbidden in (("running", {"tqdm", "typer"}), ("provider/families", {"httpx"})):
        for path in (PACKAGE / folder).rglob("*.py"):
            nodes = list(ast.walk(tree(path)))
            names = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
            names |= {(n.module or "").split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}
            assert not names & forbidden, path
    assert [
        str(f) for f in imports() if "families" in f.file.parts and f.module.startswith("provider.client")
    ] == []
