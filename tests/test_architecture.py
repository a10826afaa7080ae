"""The drawing in docs/architecture.md stays true: every module is on it, and imports point downwards."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kiebatch"


def rows() -> dict[str, int]:
    """Return module -> row; `families/*` and `board/` stand for all modules of a folder."""
    found = {}
    for line in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines():
        match = re.match(r"\| (\d+) \| `([a-z_]+)(?:/\*?)?` \|", line)
        if match:
            found[match[2]] = int(match[1])
    return found


def files_of(name: str) -> list[Path]:
    folder = PACKAGE / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{name}.py"]


def imported(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            base = node.module or ""
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "kiebatch" else [base]
        else:
            continue
        found |= {n.split(".")[1] for n in names if n.startswith("kiebatch.")}
    return found - {"__version__"}


DRAWN = rows()
NAMES = sorted(
    {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in PACKAGE.rglob("*.py")}
    - {"__init__", "__main__"}
)


def test_every_module_is_on_the_drawing_and_nothing_else_is() -> None:
    assert set(NAMES) == set(DRAWN)


def test_imports_point_downwards() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} (row {DRAWN[name]}) imports {other} (row {DRAWN[other]})"
        for name in NAMES
        for path in files_of(name)
        for other in imported(path)
        if other != name and DRAWN[other] >= DRAWN[name]
    ]
    assert wrong == []


def test_the_simulator_shares_nothing_with_the_client_that_could_be_misunderstood_alike() -> None:
    allowed = {
        "simulator",
        "errors",
        "media",
        "catalogue",
        "model",
        "schemas",
        "rules",
        "addresses",
        "framing",
        "lettering",
    }
    found = {other for path in files_of("simulator") for other in imported(path)}
    assert found <= allowed, found - allowed


def test_the_engine_knows_no_terminal_and_families_open_no_connection() -> None:
    engine = (PACKAGE / "engine.py").read_text(encoding="utf-8")
    assert "console" not in imported(PACKAGE / "engine.py")
    assert "tqdm" not in engine
    for path in files_of("families"):
        assert "client" not in imported(path)
        assert "import httpx" not in path.read_text(encoding="utf-8")
