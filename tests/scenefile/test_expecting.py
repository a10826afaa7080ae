"""`expect` in a scene file: which words count, what they become, and where a mistake is shown."""

from __future__ import annotations

import pytest

from kiebatch.model import Alike, LocalFile, Passes, ShotOutput, Sized, Slot, Within, fingerprint
from kiebatch.scenefile import convert, document
from support.scenes import HEAD, built, built_markdown, jobs, of_code

CLIP = "type: video, model: kling-3.0/video, prompt: He waits, duration: 5"


def texts(text: str) -> dict[str, dict[str, str]]:
    """Return what is expected of each slot, in the author's words, without what nobody wrote."""
    return {
        slot: {one.check: one.text for one in job.expect if not one.by_default}
        for slot, job in jobs(text).items()
    }


def test_the_nearest_word_for_a_check_counts() -> None:
    found = texts(
        """\
        kiebatch: 1
        defaults:
          model: nano-banana-2
          expect: {bars: none, blank: none, freeze: < 2s}
          video: {model: kling-3.0/video, expect: {freeze: < 1s}}
        scenes:
          - id: 1
            expect: {cuts: 0, bars: < 4px}
            shots:
              - {id: a, prompt: He waits}
              - {id: b, type: video, prompt: He waits, expect: {cuts: 1}}
              - {id: c, type: video, prompt: He waits, expect: {freeze: off}}
              - {id: d, prompt: He waits, expect: off}
        """
    )

    assert found["1a"] == {"bars": "< 4px", "blank": "none"}
    assert found["1b"] == {"bars": "< 4px", "cuts": "1", "freeze": "< 1s"}
    assert found["1c"] == {"bars": "< 4px", "cuts": "0"}
    assert found["1d"] == {}


def test_what_is_off_is_not_expected_by_default_either() -> None:
    found = jobs(
        HEAD
        + "scenes: [{id: 1, prompt: a, expect: off}, {id: 2, prompt: a, expect: {bars: off}}, {id: 3, prompt: a}]"
    )

    assert [{one.check for one in job.expect} for job in found.values()] == [
        set(),
        {"blank"},
        {"bars", "blank"},
    ]


def test_words_become_values() -> None:
    job = jobs(
        HEAD
        + f"scenes: [{{id: 2, shots: [{{id: a, prompt: x}}, {{id: b, {CLIP}, expect: {{size: 1280x720, length: ±0.1s,"
        " cuts: 0, silence: < 1s, loudness: -23 ±2 LUFS, first_frame: like 2a, last_frame: refs/end.png,"
        " command: './check.sh {file}'}}]}]"
    )["2b"]

    assert {one.check: one.want for one in job.expect if not one.by_default} == {
        "size": Sized(width=1280, height=720),
        "length": Within(low=4.9, high=5.1),
        "cuts": Within(low=0, high=0),
        "silence": Within(high=1, below=True),
        "loudness": Within(low=-25, high=-21),
        "first_frame": Alike(ref=ShotOutput(Slot(2, "a")), within=12),
        "last_frame": Alike(ref=LocalFile("refs/end.png"), within=12),
        "command": Passes(("./check.sh", "{file}")),
    }


def test_a_clip_is_compared_by_the_frame_at_which_the_two_meet() -> None:
    found = jobs(
        HEAD
        + f"scenes: [{{id: 1, shots: [{{id: a, {CLIP}}}, {{id: b, {CLIP}, expect: {{first_frame: like 1a}}}},"
        f" {{id: c, {CLIP}, expect: {{last_frame: like 1a}}}}]}}]"
    )

    refs = {e.check: e.want.ref for job in found.values() for e in job.expect if isinstance(e.want, Alike)}
    assert refs == {
        "first_frame": ShotOutput(Slot(1, "a"), frame="last"),
        "last_frame": ShotOutput(Slot(1, "a"), frame="first"),
    }


def test_what_is_expected_is_no_part_of_the_fingerprint_and_starts_from_nothing() -> None:
    plain = jobs(HEAD + "scenes: [{id: 1, prompt: a}, {id: 2, prompt: b}]")
    checked = jobs(HEAD + "scenes: [{id: 1, prompt: a, expect: {like: '2', size: 1x1}}, {id: 2, prompt: b}]")

    assert [fingerprint(job, str) for job in checked.values()] == [
        fingerprint(job, str) for job in plain.values()
    ]
    assert checked["1"].needs == ()
    assert checked["1"].input == plain["1"].input


@pytest.mark.parametrize(
    ("expect", "where", "message", "hint"),
    [
        ("{siz: 16:9}", "3:38", "unknown key `siz`", "did you mean `size`?"),
        ("{bars: nope}", "3:44", "`bars` cannot be `nope`", "for example `bars: none`"),
        ("{bars: [none]}", "3:44", "must be text or a number", ""),
        ("{like: 2x}", "3:44", "`2x` is neither a shot nor a picture in the project", ""),
        ("{like: 1}", "3:44", "a shot cannot start from itself, or be compared with itself", ""),
        ("{like: https://example.com/a.png}", "3:44", "is neither a shot nor a picture", ""),
        ("{command: ./check.sh}", "3:47", "does not say where the result goes", "{file}"),
        ('{command: "./check.sh \'x {file}"}', "3:47", "cannot be split into words", ""),
        ("none", "3:37", "must be", ""),
    ],
)
def test_a_mistake_is_an_error_at_its_place(expect: str, where: str, message: str, hint: str) -> None:
    text = HEAD + f"scenes: [{{id: 1, prompt: a, expect: {expect}}}, {{id: 2b, prompt: b}}]"

    problems = [problem for problem in built(text)[1] if problem.severity == "error"]

    assert len(problems) == 1
    assert message in problems[0].message
    assert hint in problems[0].hint
    assert str(problems[0].where) == f"s.yaml:{where}"


def test_a_check_of_clips_on_a_still_is_a_warning_and_in_the_defaults_it_is_not() -> None:
    _, on_the_shot = built(HEAD + "scenes: [{id: 1, prompt: a, expect: {cuts: 0}}]")
    _, in_defaults = built(
        "kiebatch: 1\ndefaults: {model: nano-banana-2, expect: {cuts: 0}}\nscenes: [{id: 1, prompt: a}]"
    )

    assert ["is a check of clips" in p.message for p in of_code(on_the_shot, "expect")] == [True]
    assert in_defaults == []


def test_a_length_around_what_was_asked_needs_a_length() -> None:
    _, problems = built(
        HEAD + "scenes: [{id: 1, music: {prompt: a, model: suno/generate, expect: {length: ±1s}}}]"
    )

    assert ["none is" in p.message for p in of_code(problems, "expect")] == [True]


def test_the_size_that_the_model_was_asked_for_is_expected_by_default() -> None:
    job = jobs(HEAD + "scenes: [{id: 1, prompt: a, params: {aspect_ratio: '16:9'}}]")["1"]

    assert [(e.check, e.text, e.by_default) for e in job.expect if e.check == "size"] == [
        ("size", "16:9", True)
    ]


WRITTEN = """\
kiebatch: 1
defaults: {model: nano-banana-2, expect: {bars: none}}
scenes:
  - id: 1
    prompt: He waits
    expect: {size: 16:9, like: refs/keeper.png within 8}
  - {id: 2, prompt: He waits, expect: off}
  - id: 3
    shots:
      - {id: a, type: video, model: kling-3.0/video, prompt: He runs, expect: {cuts: 0}}
    music: {prompt: a quiet bed, model: ai-music-api/generate, expect: {silence: < 1s}}
"""


def test_markdown_says_it_in_yaml_below_the_key_and_both_forms_mean_the_same() -> None:
    read = document.read(WRITTEN, "s.yaml")
    before, _ = built(WRITTEN)

    text = convert.to_markdown(read)
    after, problems = built_markdown(text)

    assert problems == []
    assert [job.expect for job in after.jobs] == [job.expect for job in before.jobs]
    assert "**Expect**: off" in text


def test_a_sentence_in_markdown_that_begins_with_the_word_stays_a_sentence() -> None:
    project, problems = built_markdown(
        """\
        ## Scene 1
        > He waits

        - **Model**: nano-banana-2
        - **Expect**: rain, and a long wait
        """
    )

    assert [p for p in problems if p.severity == "error"] == []
    assert all(one.by_default for one in project.jobs[0].expect)
