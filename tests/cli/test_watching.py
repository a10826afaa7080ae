"""`status --watch` looks again until nothing is in flight, without the network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kiebatch.cli import watching
from kiebatch.cli.watching import Look
from support.film import Film

FLYING, LANDED = Look("table\n1 in-flight", "1 in-flight", True), Look("1 done", "1 done", False)


def _watch(looks: list[Look], screen: watching.Screen | None = None) -> list[str]:
    said: list[str] = []
    found = iter(looks)
    watching.until_landed(lambda: next(found), screen=screen, say=said.append, sleep=lambda _s: None)
    return said


def test_elsewhere_than_on_a_terminal_it_says_a_line_a_minute_and_the_last() -> None:
    assert _watch([*[FLYING] * 31, LANDED, LANDED]) == ["1 in-flight", "1 in-flight", "1 done"]


def test_a_moment_in_which_nothing_flies_is_not_the_end() -> None:
    assert _watch([FLYING, LANDED, FLYING, LANDED, LANDED]) == ["1 in-flight", "1 done"]


def test_on_a_terminal_a_look_takes_the_place_of_the_one_before() -> None:
    written: list[str] = []

    _watch([FLYING, LANDED, LANDED], watching.Screen(written.append))

    assert written == ["table\n1 in-flight\n", "\x1b[2F\x1b[J1 done\n", "\x1b[1F\x1b[J1 done\n"]


@pytest.mark.slow
def test_it_follows_a_task_until_another_process_has_collected_it(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a boat}\n")
    film.sim.fault("submit=lasts:0.5")
    run = ("run", "scenes.yaml", "--yes", "--poll-interval", "0.01")
    assert film.command(*run, "--timeout", "0").code == 1
    look = _looking(film, and_then=lambda: film.command(*run))

    said: list[str] = []
    watching.until_landed(look, screen=None, say=said.append, sleep=lambda _s: None)

    assert said == ["1 in-flight", "1 done"]


def _looking(film: Film, *, and_then: Callable[[], object]) -> Callable[[], Look]:
    """Look as the command does; after the first look something happens."""
    looks = 0

    def look() -> Look:
        nonlocal looks
        looks += 1
        counts = film.command("status", "--json").json["counts"]
        if looks == 1:
            and_then()
        line = ", ".join(f"{count} {state}" for state, count in counts.items())
        return Look(line, line, "in-flight" in counts)

    return look


def test_with_nothing_in_flight_it_ends_and_gives_the_answer(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a boat}\n")

    said = film.command("status", "scenes.yaml", "--watch", "--json")

    assert said.code == 0
    assert said.json["counts"] == {"queued": 1}
