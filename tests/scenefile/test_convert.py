"""Markdown becomes YAML and YAML Markdown, and the jobs stay the same to the byte."""

from __future__ import annotations

import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiebatch import catalogue
from kiebatch.cli import app
from kiebatch.errors import Invalid
from kiebatch.model import JSON, Document, Job
from kiebatch.scenefile import build, convert, document, markdown
from support.places import ROOT, TESTS
from support.scenes import scenes

CATALOGUE = catalogue.load()
FILES = sorted((TESTS / "corpus" / "markdown").glob("*.md"))

MODELS = ("nano-banana-2", "z-image", "4o Image", "kling-3.0/video")
AWKWARD = (
    "Prompt: nothing",
    "- **Prompt**: a boat",
    "> quoted",
    "# Scene 1",
    "## Scene 7: x",
    "```prompt",
    "~~~",
    "~~struck~~ and *starred* and _lined_",
    "a | b",
    "<!-- x -->",
    "<b>x</b> &amp; &",
    "![start](a.png)",
    "[a](b)",
    "“both” and “both”",
    '"wholly quoted"',
    "'the end'",
    "none",
    "TBD",
    "-",
    "1. first",
    "---",
    "16:9",
    "{{braces}}",
    "{storm} at night",
    "**Mood**: calm",
    "2a take 2",
    "line one\nline two",
    "para one\n\npara two",
    "  spaced  out  ",
    "back\\slash \\* `tick`",
    "المنارة",
    "灯塔：黄昏",
    "🤖 robot",
    "[!NOTE]",
    "| # | Prompt |\n| --- | --- |\n| 1 | x |",
    "    indented",
    "Notes:",
    "a, b; c",
    "storm, calm",
)
words = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(
        alphabet=string.ascii_letters + string.digits + " .,:;!?-*_`~#>[]()<>&|\"'\\\n“”é灯",
        min_size=1,
        max_size=40,
    ),
    st.text(alphabet=string.ascii_lowercase + " ", min_size=3, max_size=60),
).filter(lambda t: t.strip())
lines = words.map(lambda t: " ".join(t.split()))
prompts = words.map(
    lambda t: t.replace("{", "(").replace("}", ")") if t not in ("{{braces}}", "{storm} at night") else t
)
paths = st.from_regex(r"[a-z][a-z0-9 _,()-]{0,12}\.(png|mp4)", fullmatch=True).map(str.strip) | st.just(
    "https://example.com/a.png?x=1,2"
)
scalars = st.one_of(
    st.booleans(),
    st.integers(-5, 500),
    st.sampled_from([0.5, 2.25]),
    lines,
    words,
    st.sampled_from(["16:9", "010", "no", "", "true", "1e5", "null", "[x", "~"]),
)


@st.composite
def shots(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    optional = {
        "title": lines,
        "notes": words,
        "camera": words,
        "text_overlay": lines,
        "transition": lines,
        "duration": st.sampled_from([5, 2.5, 120, 0.04]),
        "type": st.sampled_from(["image", "video", "audio"]),
        "prompt": prompts,
        "model": st.sampled_from(MODELS)
        | st.lists(st.sampled_from(MODELS), min_size=1, max_size=3, unique=True),
        "takes": st.integers(1, 3),
        "seed": st.integers(1, 9999) | st.just("stable"),
        "style": st.sampled_from(["storm", "storm, calm", "heavy grain, dusk"])
        | st.just(["storm", "more words here"]),
        "negative_prompt": lines | st.lists(words, min_size=1, max_size=3),
        "characters": st.sampled_from([["keeper"], ["keeper", "boat"], "keeper"]),
        "params": st.dictionaries(
            st.sampled_from(["aspect_ratio", "sound", "x-y", "deep"]), scalars, max_size=3
        )
        | st.just({"deep": [{"a": [1, "two", None]}, "x"]}),
        "references": paths | st.lists(paths, min_size=1, max_size=3) | st.just(["named", "2a"]),
        "start_frame": paths
        | st.sampled_from(
            [
                {"shot": "1"},
                {"shot": "2a", "take": 2},
                {"shot": "2a", "frame": "last", "model": "z-image"},
                "1",
            ]
        ),
        "end_frame": paths,
        "output": st.sampled_from(["first", "images/x y.png"]),
        "skip": st.sampled_from([True, "because", "yes"]),
        "visual": words,
        "fallback": st.just("z-image"),
        "ignore_warnings": st.just(["long-prompt", "no-pick"]),
    }
    for key in draw(st.lists(st.sampled_from(sorted(optional)), max_size=7, unique=True)):
        found[key] = draw(optional[key])
    return found


@st.composite
def films(draw: st.DrawFn) -> dict[str, Any]:
    value: dict[str, Any] = {
        "kiebatch": 1,
        "defaults": {"model": "nano-banana-2", "params": {"aspect_ratio": "16:9"}},
        "styles": {"storm": draw(prompts), "calm": "flat light"},
        "characters": {
            "keeper": draw(st.one_of(lines, st.just({"text": "a keeper", "references": ["refs/k.png"]}))),
            "boat": "a small boat",
        },
        "references": {"named": "refs/n.png"},
    }
    if draw(st.booleans()):
        value["title"] = draw(lines)
    if draw(st.booleans()):
        value["notes"] = draw(words)
    if draw(st.booleans()):
        value["negative_prompt"] = draw(lines | st.lists(lines, min_size=1))
    found = []
    for ident in draw(
        st.lists(
            st.sampled_from([1, 2, "12A", "intro", "1.1", "v2-s001", "01", "list", "x."]),
            min_size=1,
            max_size=4,
            unique=True,
        )
    ):
        scene = {"id": ident, **draw(shots())}
        if draw(st.booleans()):
            for key in ("prompt", "output", "references", "start_frame", "end_frame", "visual"):
                scene.pop(key, None)
            ids = draw(
                st.lists(
                    st.sampled_from(["a", "b", 1, 12, "wide", "intro.b", "a.b"]),
                    min_size=1,
                    max_size=3,
                    unique=True,
                )
            )
            scene["shots"] = [{"id": i, **draw(shots())} for i in ids]
        if draw(st.booleans()):
            scene["group"] = draw(
                st.sampled_from(["Act I: The bank", "ACT II", "Opening", "Sequence 3 — *x*"])
            )
        for key in draw(st.lists(st.sampled_from(["voiceover", "music", "sound_effects"]), unique=True)):
            scene[key] = draw(
                lines
                | st.fixed_dictionaries(
                    {"text": prompts, "model": st.just("elevenlabs/text-to-speech-multilingual-v2")},
                    optional={
                        "voice": st.just("Rachel"),
                        "duration": st.just(4),
                        "params": st.just({"speed": 1.1}),
                        "notes": words,
                        "takes": st.just(2),
                    },
                )
            )
        found.append(scene)
    value["scenes"] = found
    return value


def jobs(read: Document) -> list[Job]:
    return list(build.build(read, CATALOGUE)[0].jobs)


def seen(value: Any) -> Any:
    """Return what a document says, without the different spellings of one thing."""
    found = []
    for scene in value["scenes"]:
        found.append(_seen(scene))
    return {"scenes": found, **{k: v for k, v in value.items() if k in ("title", "notes")}}


def _seen(one: Any) -> Any:
    found = {}
    for key, value in one.items():
        if key in ("notes", "visual"):
            continue
        if key == "shots":
            value = [_seen(s) for s in value]
        elif key in ("voiceover", "music", "sound_effects"):
            value = value if isinstance(value, dict) else {"text": value}
            value = {k: v for k, v in value.items() if k != "notes"}
        elif key in ("model", "characters", "references", "style", "negative_prompt", "ignore_warnings"):
            value = value if isinstance(value, list) else [value]
        elif key == "skip" and value == "yes":
            value = True
        elif key == "params" and not value:
            continue
        found[key] = value
    notes = "\n\n".join(
        t for t in (one.get("notes"), f"Visual: {one['visual']}" if one.get("visual") else "") if t
    )
    return {**found, "board": notes}


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(films())
def test_yaml_to_markdown_keeps_everything_and_gives_equal_jobs(value: dict[str, Any]) -> None:
    given_ = document.read(convert.to_yaml(Document(value, {}, "x")), "film.yaml")
    assert given_.value == value

    text = convert.to_markdown(given_)
    read, problems = markdown.read(text, "FILM.md")

    assert [str(p) for p in problems if p.severity == "error" and p.code != "no-prompt"] == []
    assert seen(read.value) == seen(value), text
    assert jobs(read) == jobs(given_), text


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(films())
def test_markdown_to_yaml_loses_nothing(value: dict[str, Any]) -> None:
    read, _ = markdown.read(convert.to_markdown(Document(value, {}, "x")), "FILM.md")

    again = document.read(convert.to_yaml(read), "film.yaml")

    assert again.value == read.value


@pytest.mark.parametrize("path", FILES, ids=[p.name for p in FILES])
def test_a_real_file_survives_the_way_there_and_back(path: Path) -> None:
    read, _ = markdown.read(path.read_bytes().decode(), path.name)

    as_yaml = document.read(convert.to_yaml(read), "film.yaml")
    back, _ = markdown.read(convert.to_markdown(as_yaml), "FILM.md")

    assert as_yaml.value == read.value
    assert back.value == read.value


def test_words_that_markdown_would_swallow_stand_in_a_fence() -> None:
    value: JSON = {"kiebatch": 1, "scenes": [{"id": 1, "prompt": "one\ntwo `x` ```"}]}

    text = convert.to_markdown(Document(value, {}, "x"))

    assert "````prompt\none\ntwo `x` ```\n````" in text


def test_a_visual_that_yaml_never_sends_does_not_become_a_prompt() -> None:
    value: JSON = {"kiebatch": 1, "scenes": [{"id": 1, "visual": "for the board"}, {"id": 2, "prompt": "x"}]}

    read, _ = markdown.read(convert.to_markdown(Document(value, {}, "x")), "f.md")

    assert scenes(read)[0] == {"id": 1, "notes": "Visual: for the board"}


def test_a_key_that_no_scene_file_has_is_not_dropped_in_silence() -> None:
    read = document.read("kiebatch: 1\nscenes:\n  - id: 1\n    promt: a boat\n", "x.yaml")

    with pytest.raises(Invalid, match="unknown key `promt`") as caught:
        convert.to_markdown(read)

    assert str(caught.value.problems[0].where) == "x.yaml:4:5"


def test_a_list_in_the_place_of_a_scene_file_is_refused() -> None:
    with pytest.raises(Invalid, match=r"list\.yaml:1:1: 'kiebatch' is a required property"):
        convert.to_markdown(document.read("- a boat\n- a quay\n", "list.yaml"))


def kiebatch(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kiebatch", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_writes_the_other_form_and_never_over_a_file(tmp_path: Path) -> None:
    harbour = ROOT / "examples" / "harbour" / "SCENES.md"

    made = kiebatch("convert", str(harbour), "--to", "yaml", "--output", "scenes.yaml", folder=tmp_path)
    again = kiebatch("convert", str(harbour), "--to", "yaml", "--output", "scenes.yaml", folder=tmp_path)
    back = kiebatch("convert", "scenes.yaml", "--to", "md", folder=tmp_path)

    assert (made.returncode, again.returncode, back.returncode) == (0, 2, 0)
    read, _ = markdown.read(harbour.read_text(encoding="utf-8"), "SCENES.md")
    assert document.read((tmp_path / "scenes.yaml").read_text(encoding="utf-8"), "x").value == read.value
    assert markdown.read(back.stdout, "x")[0].value == read.value


def test_the_harbour_gives_its_twelve_jobs() -> None:
    harbour = ROOT / "examples" / "harbour" / "SCENES.md"
    read, problems = markdown.read(harbour.read_text(encoding="utf-8"), "SCENES.md")

    assert problems == []
    assert [str(job.slot) for job in jobs(read)] == [
        "1",
        "1.vo",
        "2a",
        "2a#2",
        "2b",
        "2c",
        "3",
        "4a",
        "4b",
        "5",
        "5.sfx",
        "7",
    ]


def test_a_folder_stands_for_the_files_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "SCENES.md").write_text("## Scene 1: A\nA card.\n", encoding="utf-8")
    (tmp_path / "ASSET-PLAN.md").write_text("## Scene 1\n- **Prompt**: A boat\n", encoding="utf-8")

    assert app.exit_code(["convert", str(tmp_path), "--to", "yaml"]) == 0
    assert "prompt: A boat" in capsys.readouterr().out
    assert app.exit_code(["init", str(tmp_path / "film"), "--from", str(tmp_path)]) == 0
    assert "prompt: A boat" in (tmp_path / "film" / "scenes.yaml").read_text(encoding="utf-8")


def test_a_sound_that_markdown_has_no_words_for_is_refused_and_not_dropped() -> None:
    text = "kiebatch: 1\nscenes:\n  - id: 1\n    music: {file: score.wav, through: 1}\n"

    with pytest.raises(Invalid, match=r"scenes\.yaml:4:13: `file` of a sound can be written in YAML alone"):
        convert.to_markdown(document.read(text, "scenes.yaml"))
