"""Writes what is derived from the model files: `python -m kiebatch.data.generate`, `--check` to compare alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from kiebatch import catalogue

ROOT = Path(__file__).parent.parent.parent


def index() -> str:
    """Return `data/index.json`: which file holds which model, and every name by which it is known."""
    head = catalogue.read_yaml(catalogue.DATA / "catalogue.yaml")
    models: list[list[Any]] = []
    ids: dict[str, list[int]] = {}
    names: dict[str, list[int]] = {}
    endpoints: dict[str, list[str]] = {}
    folder = catalogue.DATA / "models"
    for path in sorted(folder.glob("*/*.yaml")):
        for entry in catalogue.read_yaml(path)["models"]:
            number = len(models)
            models.append(
                [
                    entry["id"],
                    entry["modality"],
                    path.relative_to(folder).as_posix(),
                    entry["status"],
                    entry["task"],
                ]
            )
            ids.setdefault(catalogue.squash(entry["id"]), []).append(number)
            for name in dict.fromkeys(catalogue.spellings(entry)):
                names.setdefault(name, []).append(number)
            if entry["endpoint"] != catalogue.JOBS_ENDPOINT:
                endpoints.setdefault(entry["endpoint"], []).append(entry["id"])
    parts = {
        "version": head["version"],
        "as_of": head["as_of"],
        "models": models,
        "ids": ids,
        "names": names,
        "endpoints": endpoints,
        "chat": head["chat"],
        "not_models": head["not_models"],
        "fields": head["fields"],
    }
    # One line per model, so that a diff shows what came and what went.
    lines = []
    for key, value in parts.items():
        if isinstance(value, list | dict) and value:
            rows = (
                [json.dumps(v) for v in value]
                if isinstance(value, list)
                else [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(value.items())]
            )
            opening, closing = "[]" if isinstance(value, list) else "{}"
            lines.append(f"{json.dumps(key)}: {opening}\n" + ",\n".join(rows) + f"\n{closing}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def derived() -> dict[Path, str]:
    """Return every derived file with the text it should have."""
    return {catalogue.DATA / "index.json": index()}


def drifted() -> list[Path]:
    """Return the derived files that do not say what the data say."""
    return [p for p, text in derived().items() if not p.is_file() or p.read_text(encoding="utf-8") != text]


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m kiebatch.data.generate [--check]", file=sys.stderr)
        return 2
    if arguments:
        stale = drifted()
        for path in stale:
            print(f"{path} has drifted; run python -m kiebatch.data.generate", file=sys.stderr)
        return 3 if stale else 0
    for path, text in derived().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
