"""What a small command imports: every library that it does not need is time before the first word."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.film import Film

# By what brings them: the network, servers, pictures, Markdown, the wording of a schema's findings, Typer's colours.
_HEAVY = {"aiohttp", "asyncio", "httpx", "starlette", "uvicorn", "PIL", "markdown_it", "jsonschema", "rich"}
# What only a watched run, a broken file, a review or a chosen pace of speech needs.
_SELDOM = {"kiebatch.running.events", "kiebatch.scenefile.slips", "kiebatch.record.notes", "statistics"}
_PROGRAM = (
    "import sys; from kiebatch.cli import app; code = app.exit_code(sys.argv[1:]);"
    " print(*sys.modules, sep='\\n', file=sys.stderr); sys.exit(code)"
)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (["--help"], {"kiebatch.model", "kiebatch.files", "yaml", "tempfile"}),
        (
            ["status", "scenes.yaml"],
            _SELDOM | {"concurrent", "kiebatch.running.holding", "kiebatch.record.store.results"},
        ),
        (["plan", "scenes.yaml"], _SELDOM | {"concurrent", "kiebatch.running.session"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_small_command_imports_no_library_that_it_does_not_use(
    film: Film, command: list[str], more: set[str]
) -> None:
    film.write(
        "kiebatch: 1\ndefaults: {model: z-image}\nscenes:\n  - {id: 1, prompt: Waves break on rocks}\n"
    )
    film.command("run", "--yes", "--poll-interval", "0.05")

    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *command], capture_output=True, text=True, check=True
    )

    assert (_HEAVY | more) & set(done.stderr.split()) == set()
