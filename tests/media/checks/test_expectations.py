"""What an author's words for a check mean, and what the verdict on a value is.  No file is read."""

from __future__ import annotations

import pytest

from kiebatch.media import checks
from kiebatch.media.checks import Asked, Measured, State
from kiebatch.model import JSON, Alike, Expectation, LocalFile, Passes, Within


def verdict(check: str, text: JSON, measured: Measured | None, **about: float) -> State:
    """Return the verdict on a value by an author's words."""
    want = checks.read(check, text, Asked(length_s=about.get("asked")))
    expectation = Expectation(check=check, text=str(text), want=want)
    return checks.judge(expectation, measured, length_s=about.get("length_s")).state


def of(value: float | str, **more: float) -> Measured:
    return Measured(value=value, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "text", "met", "unmet"),
    [
        ("size", "1280x720", "1280x720", "1280x704"),
        ("size", "1920 × 1080 ±8", "1920x1088", "1920x1089"),
        ("size", "16:9", "1344x768", "1024x1024"),
        ("size", "9:16", "768x1344", "1344x768"),
        ("length", "5 ±0.1s", 5.1, 5.2),
        ("length", 5, 4.95, 4.8),
        ("length", "3 to 5 s", 3, 2.9),
        ("cuts", 0, 0, 1),
        ("cuts", "none", 0, 1),
        ("cuts", "2", 2, 1),
        ("cuts", "< 3", 2, 3),
        ("bars", "none", 0, 40),
        ("bars", "< 10px", 8, 10),
        ("blank", "none", 97.0, 100.0),
        ("black", "none", 0, 0.2),
        ("freeze", "< 0.5s", 0.4, 0.5),
        ("freeze", "<= 500ms", 0.5, 0.6),
        ("silence", "< 1s", 0.2, 1.4),
        ("loudness", "-23 ±2 LUFS", -24.9, -27.0),
        ("loudness", "-23 LUFS +/- 1", -23.5, -25.0),
        ("loudness", "> -30 LUFS", -23.0, -70.0),
        ("clipping", "none", 0, 25),
        ("text", "none", 0, 2),
    ],
)
def test_a_value_is_met_or_unmet_by_what_the_author_wrote(
    check: str, text: JSON, met: float | str, unmet: float | str
) -> None:
    assert verdict(check, text, of(met)) is State.MET
    assert verdict(check, text, of(unmet)) is State.UNMET


def test_a_length_without_a_number_is_around_the_one_that_was_asked_for() -> None:
    assert verdict("length", "±0.1s", of(8.04), asked=8) is State.MET
    assert verdict("length", "±100ms", of(8.2), asked=8) is State.UNMET


def test_a_percentage_is_of_the_whole_length() -> None:
    parts = of(2.0, total=4.4)

    assert verdict("black", "< 90%", parts, length_s=5.0) is State.MET
    assert verdict("black", "< 80%", parts, length_s=5.0) is State.UNMET
    assert verdict("black", "< 80%", parts) is State.UNJUDGED


def test_what_was_not_measured_is_never_met() -> None:
    assert verdict("text", "none", None) is State.UNJUDGED
    assert verdict("text", "none", Measured(why="needs tesseract")) is State.UNJUDGED
    assert verdict("cuts", 0, of("nonsense")) is State.UNMET


@pytest.mark.parametrize(
    ("check", "text"),
    [
        *[("black", word) for word in ("nope", True, "< 3 LUFS", "-", "< ", "5")],
        *[("size", word) for word in ("big", "0x0", "16:0", 16)],
        *[("length", word) for word in ("none", "±0.1s", "5 to 3", "< 5 px")],
        *[("loudness", word) for word in ("none", "±2")],
        *[("bars", "< -5px"), ("cuts", "-1"), ("blank", "< 200%"), ("black", "< 120%"), ("freeze", "< -3ms")],
    ],
)
def test_words_that_mean_nothing_are_refused(check: str, text: JSON) -> None:
    with pytest.raises(checks.Unreadable):
        checks.read(check, text, Asked())


def test_a_likeness_names_a_picture_and_the_bits_that_may_differ() -> None:
    assert checks.read_alike("like", "refs/my keeper.png") == ("refs/my keeper.png", 12)
    assert checks.read_alike("first_frame", "like 2a within 20") == ("2a", 20)
    with pytest.raises(checks.Unreadable):
        checks.read_alike("like", "2a within 65")


def test_a_likeness_is_judged_only_against_the_picture_that_it_was_compared_with() -> None:
    want = Alike(ref=LocalFile("a.png"), within=12)
    expectation = Expectation(check="like", text="a.png", want=want)
    measured = Measured(value=3, against="one")

    assert checks.judge(expectation, measured, against="one").state is State.MET
    assert checks.judge(expectation, measured, against="two").state is State.UNJUDGED
    assert checks.judge(expectation, measured, against=None).state is State.UNJUDGED


def test_a_command_is_split_into_words_and_must_take_the_result() -> None:
    assert checks.read_command("./check.sh --fast '{file}'") == ("./check.sh", "--fast", "{file}")
    for wrong in ("./check.sh", "", "'./check.sh {file}", 3):
        with pytest.raises(checks.Unreadable):
            checks.read_command(wrong)


def test_a_changed_command_is_not_judged_by_the_old_one() -> None:
    passes = Expectation(check="command", text="./b.sh {file}", want=Passes(("./b.sh", "{file}")))

    assert checks.judge(passes, Measured(value=0, against="./b.sh {file}")).state is State.MET
    assert checks.judge(passes, Measured(value=2, against="./b.sh {file}")).state is State.UNMET
    assert checks.judge(passes, Measured(value=0, against="./a.sh {file}")).state is State.UNJUDGED


def test_what_the_manifest_keeps_comes_back_and_what_it_holds_beside_is_left_out() -> None:
    measured = Measured(value=1.5, total=2.0, at=0.5, said="x", against="y")

    assert checks.kept({"black": {"verdict": "met", **measured.as_json()}}) == {"black": measured}
    assert checks.kept({"black": 3, "nonsense": {}, "cuts": {"value": [1], "at": True, "said": 4}}) == {
        "cuts": Measured()
    }
    assert checks.kept("text") == checks.kept(None) == {}


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e300])
def test_a_number_that_nothing_measures_is_no_value(number: float) -> None:
    kept = checks.kept({"bars": {"verdict": "unmet", "value": number}})

    verdict = checks.judge(Expectation(check="bars", want=Within(high=0.0), text="none"), kept["bars"])

    assert (verdict.state, verdict.found) == (State.UNJUDGED, "it could not be measured")


def test_what_nobody_wrote_is_expected_of_stills_clips_and_paid_sound() -> None:
    assert checks.by_default("image", Asked(size="16:9")) == {"size": "16:9", "bars": "none", "blank": "none"}
    assert checks.by_default("image", Asked(size="auto")) == {"bars": "none", "blank": "none"}
    assert "silence" not in checks.by_default("video", Asked())
    assert "silence" in checks.by_default("video", Asked(sound=True))
    assert checks.by_default("audio", Asked()) == {"silence": "< 90%"}
    for kind in ("image", "video", "audio"):
        for name, text in checks.by_default(kind, Asked(size="1:1", sound=True)).items():
            assert isinstance(checks.read(name, text, Asked()), Within) or name == "size"
