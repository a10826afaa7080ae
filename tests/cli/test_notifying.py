"""`--notify`: a command of the user's is called at the end of a run, without a shell and without the key."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kiebatch.cli import notifying
from kiebatch.errors import Exit, Invalid
from kiebatch.project import config
from kiebatch.settings import settings
from support.film import Film

ONE = "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a boat}\n"
RUN = ("run", "scenes.yaml", "--poll-interval", "0.01")


@pytest.fixture
def teller(tmp_path: Path) -> Path:
    """A program that writes down what it is told."""
    program = tmp_path / "tell.py"
    program.write_text(
        "import json, os, sys\n"
        "told = {'argv': sys.argv[1:], 'env': dict(os.environ), 'stdin': json.load(sys.stdin)}\n"
        f"json.dump(told, open({str(tmp_path / 'told.json')!r}, 'w'))\n",
        encoding="utf-8",
    )
    return program


def _told(teller: Path) -> dict[str, object]:
    return dict(json.loads((teller.parent / "told.json").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_it_gets_the_result_and_no_key(film: Film, teller: Path) -> None:
    film.write(ONE)

    said = film.command(*RUN, "--yes", "--notify", f"{sys.executable} {teller} '$(id); two words'")

    assert said.code == 0
    told = _told(teller)
    assert told["argv"] == ["$(id); two words"], "no shell reads it"
    assert told["stdin"]["status"] == "success"  # type: ignore[index]
    environment = told["env"]
    assert isinstance(environment, dict)
    assert environment["KIEBATCH_TEXT"] == "success: 1 made, 8 credits"
    assert (environment["KIEBATCH_STATUS"], environment["KIEBATCH_SUCCEEDED"]) == ("success", "1")
    assert film.sim.key not in json.dumps(told)


@pytest.mark.slow
def test_it_is_told_of_a_run_that_was_refused(film: Film, teller: Path) -> None:
    film.write(ONE)

    said = film.command(*RUN, "--max-credits", "1", "--notify", f"{sys.executable} {teller}")

    assert said.code == Exit.REFUSED
    assert _told(teller)["stdin"]["status"] == "refused"  # type: ignore[index]


def test_one_that_fails_changes_nothing(film: Film) -> None:
    film.write(ONE)

    said = film.command(*RUN, "--yes", "--notify", "/no/such/program")

    assert said.code == 0
    assert "--notify: `/no/such/program` could not tell" in said.err


def test_a_command_that_cannot_be_read_is_an_error_before_anything_is_sent(film: Film) -> None:
    film.write(ONE)

    assert film.command(*RUN, "--yes", "--notify", "'half").code == Exit.INVALID
    assert film.sim.charges() == []


def test_a_scene_file_cannot_name_one(film: Film) -> None:
    film.write(ONE + "run: {notify: touch owned}\n")

    assert film.command(*RUN, "--yes").code == Exit.INVALID


def test_the_environment_and_the_users_config_can(tmp_path: Path) -> None:
    mine = config.parse("kiebatch-config: 1\nnotify: say done\n", "config.yaml", tmp_path)

    assert settings({}, {}, {}, config=mine.chosen).notify == "say done"
    assert settings({}, {"KIEBATCH_NOTIFY": "desktop"}, {}, config=mine.chosen).notify == "desktop"
    assert settings({"notify": "beep"}, {"KIEBATCH_NOTIFY": "desktop"}, {}).notify == "beep"
    with pytest.raises(Invalid):
        settings({"notify": "'"}, {}, {})


@pytest.mark.parametrize(
    ("platform", "there", "begins"),
    [
        ("linux", {"notify-send"}, "notify-send"),
        ("darwin", {"osascript"}, "osascript"),
        ("linux", set(), ""),
    ],
)
def test_the_desktop_is_told_by_what_is_there(platform: str, there: set[str], begins: str) -> None:
    words = notifying.desktop(
        platform, '"; do shell script "id', lambda name: name if name in there else None
    )

    assert words[:1] == ((begins,) if begins else ())
    assert not words or words[-1] == '"; do shell script "id', "a text is an argument and no script"
