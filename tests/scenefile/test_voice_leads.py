"""Sound leads the picture: `duration: voice`, how long a text probably takes, and what follows from it."""

from __future__ import annotations

import pytest

from bench import voice
from bench.narration import TEXTS
from kiebatch.errors import Exit
from kiebatch.scenefile import speech
from kiebatch.scenefile.speech import Rates, Spoken
from kiebatch.simulator.asked import reading_s
from support.film import Film

FILM = """
    kiebatch: 1
    defaults: {model: z-image, audio: {model: elevenlabs/text-to-speech-multilingual-v2}}
    scenes:
      - id: 1
        duration: voice
        head: 0.5
        tail: 1
        voiceover: {text: "He lit the lamp, every evening, at the same hour, and nobody came.", voice: Rachel}
        shots:
          - {id: a, prompt: The lamp}
          - {id: b, model: kling-3.0/video, prompt: He climbs the stairs}
      - id: 2
        duration: voice
        model: kling-3.0/video
        prompt: Waves
        voiceover: {text: "The storm came at last.", voice: Rachel}
"""


@pytest.mark.parametrize("language", TEXTS)
def test_the_language_of_a_narrator_is_known_by_its_short_words(language: str) -> None:
    known = [speech.language_of(text) for text in TEXTS[language]]

    assert known.count(language) >= len(known) - 1


@pytest.mark.parametrize("language", TEXTS)
def test_after_four_texts_of_a_voice_the_next_are_estimated_within_eight_percent(language: str) -> None:
    first, then = TEXTS[language][:4], TEXTS[language][4:]
    rates = speech.learned(Spoken("a model", "Rachel", text, reading_s(text, "Rachel")) for text in first)

    wrong = [rates.seconds(text, "a model", "Rachel") / reading_s(text, "Rachel") - 1 for text in then]

    assert max(map(abs, wrong)) < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("language", TEXTS)
def test_another_synthesiser_is_estimated_within_eight_percent_too(language: str) -> None:
    assert max(map(abs, voice.errors(language, voice.by_espeak))) < 0.08


@pytest.mark.slow
def test_the_cut_of_a_film_holds_every_voice_to_the_frame(film: Film) -> None:
    film.write(voice.film_text({"en": 2, "fr": 2}))
    film.run()

    found = voice.fit(film.scene_file, film.assets)

    assert (found.shots, found.voices, found.cut) == (12, 4, 0)
    assert found.worst_frames <= 1


def test_a_voice_that_has_said_nothing_is_taken_for_its_models_usual_one() -> None:
    slow = speech.learned([Spoken("a model", "Rachel", "He lit the lamp.", 4.0)])

    assert slow.seconds("He came back.", "a model", "Adam") > 2 * Rates().seconds("He came back.")


@pytest.mark.slow
def test_the_voice_is_made_first_and_clips_are_as_long_as_it_is(film: Film) -> None:
    film.write(FILM)
    plan = film.command("plan", "scenes.yaml", "--json").json
    rows = {job["slot"]: job for job in plan["jobs"]}

    assert film.run().exit_code == Exit.OK

    made = {(a["scene_id"], a.get("shot")): a for a in film.manifest}
    spoken, clip = made[1, "vo"], made[1, "b"]
    half = (0.5 + spoken["duration"] + 1) / 2
    assert rows["1b"]["fingerprint"] is None
    assert rows["1b"]["needs"] == ["1.vo"]
    assert rows["1b"]["follows"]["about_s"] == pytest.approx(half, rel=0.1)
    assert rows["1b"]["credits"]["kind"] == "bound"
    assert half <= int(clip["parameters"]["input"]["duration"]) < half + 1
    assert clip["made_from"] == [spoken["id"]]
    assert film.command("plan", "scenes.yaml", "--check").code == Exit.OK


@pytest.mark.slow
def test_an_edited_line_makes_exactly_its_own_clip_stale(film: Film) -> None:
    film.write(FILM)
    film.run()
    film.edit(
        "The storm came at last.", "The storm came at last, and it took the stairs, one after the other."
    )

    reasons = film.reasons()
    film.run()

    assert reasons["2.vo"] == "generate: prompt"
    assert reasons["2"] == "generate: upstream 2.vo"
    assert {slot for slot, why in reasons.items() if not why.startswith("keep")} == {"2", "2.vo"}
    assert film.command("plan", "scenes.yaml", "--check").code == Exit.OK


@pytest.mark.slow
def test_another_line_of_the_same_length_buys_no_other_clip(film: Film) -> None:
    film.write(FILM)
    film.run()
    film.edit("The storm came at last.", "The storm came at once.")
    film.run()

    assert [a["version"] for a in film.manifest if (a["scene_id"], a.get("shot")) == (2, None)] == [1]


def test_a_text_that_cannot_fit_is_refused_before_anything_is_paid(film: Film) -> None:
    film.write(FILM.replace("The storm came at last.", "The storm came at last. " * 12))

    said = film.command("run", "scenes.yaml", "--yes")

    assert said.code == Exit.INVALID
    assert "`kling-3.0/video` makes at most 15 s, and the voice takes about" in said.err
    assert film.sim.charges() == []


def test_a_text_that_does_not_fit_the_length_that_was_chosen_is_refused(film: Film) -> None:
    long = "He lit the lamp, every evening, at the same hour, and nobody came. " * 2
    film.write(
        FILM.replace("prompt: Waves", "prompt: Waves\n        params: {duration: 3}").replace(
            "The storm came at last.", long
        )
    )

    said = film.command("validate", "scenes.yaml")

    assert said.code == Exit.INVALID
    assert "makes at most 3 s, and the voice takes about" in said.err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('        voiceover: {text: "The storm came at last.", voice: Rachel}\n', "", "has no `voiceover`"),
        ("id: 2\n        duration: voice", "id: 2\n        head: 2", "`head` goes with `duration: voice`"),
    ],
)
def test_what_leads_nothing_is_an_error_at_its_place(film: Film, old: str, new: str, told: str) -> None:
    film.write(FILM.replace(old, new).replace("    " + old, new))

    said = film.command("validate", "scenes.yaml")

    assert said.code == Exit.INVALID
    assert told in said.err


@pytest.mark.slow
def test_an_approved_film_goes_on_when_its_voices_are_made(film: Film) -> None:
    film.write(FILM)
    digest = film.command("plan", "scenes.yaml", "--json").json["effects"]["digest"]
    film.sim.fault("submit~kling-3.0/video@1=fail:500 Internal error")
    quick = ("--rate", "500/1s", "--poll-interval", "0.01", "--no-canary")

    first = film.command("run", "scenes.yaml", "--approved", digest, *quick)
    second = film.command("run", "scenes.yaml", "--approved", digest, *quick)

    assert (first.code, second.code) == (Exit.FAILED, Exit.OK), second.err


@pytest.mark.parametrize(
    "scenes", ["3", "{a: 1}", "[{id: 1, shots: 4}]", "[{id: 1, duration: voice, shots: [3]}]"]
)
def test_a_file_that_is_wrong_in_another_way_is_told_so(film: Film, scenes: str) -> None:
    film.write(f"kiebatch: 1\nscenes: {scenes}\n")

    said = film.command("validate", "scenes.yaml")

    assert said.code == Exit.INVALID
    assert "scenes.yaml:2:" in said.err
