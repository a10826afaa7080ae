"""Adds to the site what is derived: the start page, the Python reference, files that pages link to, llms.txt.

mkdocs calls these functions by their names (https://www.mkdocs.org/dev-guide/plugins/#events).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import kiebatch

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# When a person, or a test that runs the page, last found it true.
CHECKED: Mapping[str, Any] = yaml.safe_load((DOCS / "site" / "checked.yaml").read_text(encoding="utf-8"))
_LINK = re.compile(r"\]\((\.\./)?([\w./-]+)(#[\w-]+)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    files.append(File.generated(config, "index.md", content=start_page()))
    files.append(File.generated(config, "reference.md", content=python_reference()))
    for name in sorted(linked_sources()):
        files.append(File.generated(config, source(name), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links out of docs/ to the copies that the site has of those files, and date the page."""
    text = _LINK.sub(lambda m: f"]({source(m[2])})" if m[1] else m[0], markdown)
    return f"{text}\n\n---\n\nChecked on {checked(page.file.src_uri)}, version {kiebatch.__version__}.\n"


def on_post_build(config: MkDocsConfig) -> None:
    (Path(config.site_dir) / "llms.txt").write_text(for_language_models(), encoding="utf-8")


def checked(page: str) -> str:
    """Return the date of a page's last check; for a page that was never checked by itself, that of all pages."""
    return str(CHECKED.get(page, CHECKED["all"]))


def source(name: str) -> str:
    """Return where the site keeps a file of the repository: as text, so that nothing renders it."""
    return f"source/{name}.txt" if name.endswith(".md") else f"source/{name}"


def linked_sources() -> set[str]:
    """Return the files outside docs/ that pages link to."""
    texts = [path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")]
    found = {m[2] for text in texts for m in _LINK.finditer(text) if m[1]}
    return found | {m[2] for m in _LINK.finditer(_readme()) if not m[2].startswith("docs/")}


def _readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def start_page() -> str:
    """Return the README with links as they are from docs/."""

    def inside(found: re.Match[str]) -> str:
        target, anchor = found[2], found[3] or ""
        if target.startswith("docs/"):
            return f"]({target.removeprefix('docs/')}{anchor})"
        return f"]({source(target)})"

    return _LINK.sub(inside, _readme())


def python_reference() -> str:
    """Return a page that names everything of the public package; mkdocstrings writes it from the docstrings."""
    names = "\n\n".join(f"::: kiebatch.{name}" for name in kiebatch.__all__)
    return f"# Python, name by name\n\nWhat `from kiebatch import ...` gives. [From Python](python.md) explains it.\n\n{names}\n"


def for_language_models() -> str:
    """Return llms.txt: what the project is, and its pages with their first sentences."""
    pages = []
    for path in sorted(DOCS.glob("*.md")):
        title, _, text = path.read_text(encoding="utf-8").partition("\n")
        prose = [part for part in text.strip().split("\n\n") if part[:1].isalpha() or part[:2] == "`k"]
        first = re.split(r"(?<=[.!?:])\s", " ".join(prose[0].split()), maxsplit=1)[0] if prose else ""
        pages.append(f"- [{title.lstrip('# ')}]({path.stem}.html): {first}")
    about = "> kiebatch turns a scene file into pictures, clips and sound through the kie.ai media API."
    return f"# kiebatch\n\n{about}\n\n## Pages\n\n" + "\n".join(pages) + "\n"
