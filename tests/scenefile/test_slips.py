"""Mistakes of YAML, each with its place, its cause and what to type: can it be mended from the message alone?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kiebatch.errors import Invalid, Problem
from kiebatch.scenefile import document
from support.scenes import built

H = "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n"
SLIPS = {
    "no colon": H + "  - id 1\n    prompt: a boat\n",
    "no colon in a shot": H + "  - id: 1\n    prompt a boat\n    takes: 2\n",
    "first line": "kiebatch 1\nscenes:\n  - {id: 1, prompt: a}\n",
    "equals": H + "  - id: 1\n    prompt = a boat\n    takes: 2\n",
    "fullwidth colon": H + "  - id: 1\n    prompt：a boat\n    takes: 2\n",
    "no blank": H + "  - id: 1\n    prompt:a boat\n    takes: 2\n",
    "no blank after dash": H + "  -id: 1\n   prompt: a boat\n",
    "less indent": H + "  - id: 1\n    prompt: a boat\n   takes: 2\n",
    "more indent": H + "  - id: 1\n    prompt: a boat\n      takes: 2\n",
    "list less": H + "    - id: 1\n      prompt: a\n  - id: 2\n    prompt: b\n",
    "list more": H + "  - id: 1\n    prompt: a\n    - id: 2\n      prompt: b\n",
    "key left of dash": H + "  - id: 1\n  prompt: a boat\n",
    "open double": H + '  - id: 1\n    prompt: "a boat\n    takes: 2\n',
    "open double later closed": H + '  - id: 1\n    prompt: "a boat\n  - id: 2\n    prompt: "a quay"\n',
    "open single": H + "  - id: 1\n    prompt: 'a boat\n    takes: 2\n",
    "apostrophe": H + "  - id: 1\n    prompt: 'It's late'\n    takes: 2\n",
    "quotes in quotes": H + '  - id: 1\n    prompt: "He says "no" and goes"\n    takes: 2\n',
    "after quote": H + '  - id: 1\n    prompt: "a boat" at dusk\n    takes: 2\n',
    "colon in text": H + "  - id: 1\n    prompt: Note: he waits\n",
    "title colon": "kiebatch: 1\ntitle: Film: Part 1\nscenes: []\n",
    "colon in second line": H + "  - id: 1\n    prompt: a boat\n      at dusk: slow\n",
    "two pairs": H + "  - id: 1 prompt: a boat\n",
    "typographic": H + "  - id: 1\n    prompt: “Note: he waits”\n",
    "tab": H + "  - id: 1\n\tprompt: a boat\n",
    "tab after spaces": H + "  - id: 1\n  \tprompt: a boat\n",
    "nbsp": H + "  - id: 1\n\u00a0\u00a0\u00a0\u00a0prompt: a boat\n",
    "star": H + "  - id: 1\n    prompt: *slow* push in\n",
    "undefined alias": H + "  - id: 1\n    params: *wide\n    prompt: a\n",
    "merge undefined": H + "  - <<: *base\n    id: 1\n    prompt: a\n",
    "at": H + "  - id: 1\n    prompt: @keeper climbs\n",
    "percent": H + "  - id: 1\n    prompt: %d boats\n",
    "percent line": H + "  - id: 1\n    prompt: a\n%d boats\n",
    "backtick": H + "  - id: 1\n    prompt: `a boat`\n",
    "dash text": H + "  - id: 1\n    prompt: - a boat\n",
    "list on line": "kiebatch: 1\nscenes: - id: 1\n    prompt: a\n",
    "brace text": H + "  - id: 1\n    prompt: {keeper} climbs\n    takes: 2\n",
    "bracket text": H + "  - id: 1\n    prompt: [wide] a boat\n    takes: 2\n",
    "open brace": H + "  - id: 1\n    prompt: a\n    params: {aspect_ratio: 16:9\n    takes: 2\n",
    "open bracket": H + "  - id: 1\n    prompt: a\n    references: [a.png, b.png\n    takes: 2\n",
    "extra brace": H + "  - id: 1\n    prompt: a\n    params: {aspect_ratio: 16:9}}\n",
    "mixed": H + "  - id: 1\n    prompt: a\n    references: [a.png, b.png}\n",
    "block not indented": H + "  - id: 1\n    prompt: |\n    a boat\n    at dusk\n",
    "block text behind": H + "  - id: 1\n    prompt: > a boat at dusk\n    takes: 2\n",
    "pipe text": H + "  - id: 1\n    prompt: | a boat\n",
    "bang": H + "  - id: 1\n    prompt: !wow a boat\n",
    "ampersand": H + "  - id: 1\n    prompt: & a boat\n",
    "question": H + "  - id: 1\n    prompt: ? a boat\n",
    "comment eats brace": H + "  - {id: 1, prompt: neon in #00ffcc, rain}\n",
    "comment in folded": H + "  - id: 1\n    prompt: neon in #00ffcc\n      rain on glass\n    takes: 2\n",
    "two documents": "kiebatch: 1\nscenes: []\n---\nkiebatch: 1\n",
    "escape": H + '  - id: 1\n    references: "C:\\refs\\keeper.png"\n',
    "escape d": H + '  - id: 1\n    prompt: "\\d boats"\n',
    "control": H + "  - id: 1\n    prompt: a\x07boat\n",
    "comma list": H + "  - id: 1,\n    prompt: a\n",
    "json no comma": H + "  - {id: 1 prompt: a boat}\n",
    "colon key empty": H + "  - id: 1\n    : a boat\n",
    "missing close quote flow": H + '  - {id: 1, prompt: "a boat}\n  - {id: 2, prompt: b}\n',
    "text line": H + "  - id: 1\n    prompt: a boat\nJust a note\n",
    "heading md": "# Film\nkiebatch: 1\n## Scene 1\n> a\n  b: c\n",
    "star list": H + "  * id: 1\n    prompt: a\n",
    "numbers list": H + "  1. id: 1\n     prompt: a\n",
    "bullet": H + "  • id: 1\n    prompt: a\n",
    "en dash": H + "  – id: 1\n    prompt: a boat\n",
    "no dash": "kiebatch: 1\ndefaults: {model: z-image}\nscenes:\n  id: 1\n  prompt: a boat\n",
    "json as a mapping": H + '  - id: 1\n    prompt: {"subject": "a boat"}\n',
    "duration with a unit": H + "  - id: 1\n    prompt: a boat\n    duration: 5s\n",
    "duration as a span": H + '  - id: 1\n    prompt: a boat\n    duration: "0:05-0:13"\n',
    "duration after a voice": H + "  - id: 1\n    prompt: a boat\n    duration: Voice\n",
    "number for a text": H + "  - id: 1\n    title: 1984\n    prompt: a boat\n",
    "an id with its word": H + '  - id: "scene 1"\n    prompt: a boat\n',
    "a misspelt key": H + "  - id: 1\n    promt: a boat\n",
    "a key twice": H + "  - id: 1\n    prompt: a boat\n    prompt: a ship\n",
    "a rate": "kiebatch: 1\nrun: {rate: 20}\nscenes: []\n",
    "a threshold": "kiebatch: 1\nrun: {reject_above: five$}\nscenes: []\n",
    "an unknown name": H + '  - id: 1\n    prompt: "{keper} climbs"\n',
}


def first_problem(text: str) -> Problem:
    try:
        document.read(text, "scenes.yaml")
    except Invalid as invalid:
        return invalid.problems[0]
    return built(text)[1][0]


def test_every_slip_says_where_it_is_what_is_wrong_and_what_to_type(
    golden: Callable[[str, str], None],
) -> None:
    told = "\n".join(f"--- {name}\n{text}{first_problem(text)}\n" for name, text in SLIPS.items())

    golden("slips.txt", told)


@pytest.mark.parametrize("name", SLIPS)
def test_no_slip_is_told_in_the_words_of_the_parser(name: str) -> None:
    problem = first_problem(SLIPS[name])

    assert "not valid YAML" not in problem.message
    assert problem.where.line
    assert problem.hint or name in ("a key twice", "an id with its word", "a rate", "a threshold")


def test_there_are_more_than_fifty() -> None:
    assert len(SLIPS) >= 60


def test_the_words_that_are_proposed_mend_the_file() -> None:
    for text in (H + "  - id 1\n    prompt: a boat\n", H + "  - id: 1\n    prompt: Note: he waits\n"):
        problem = first_problem(text)
        proposed = problem.hint.removeprefix("write `").removesuffix("`")
        lines = text.split("\n")
        key = proposed.split(":")[0]
        indent = lines[problem.where.line - 1].index(key)
        lines[problem.where.line - 1] = lines[problem.where.line - 1][:indent] + proposed

        assert [p for p in built("\n".join(lines))[1] if p.severity == "error"] == []
