"""A song and what is made of one of its tracks: the task's id and the track's own id go along."""

from __future__ import annotations

import pytest

from kiebatch.errors import Exit
from support.film import Film

SONG = """\
kiebatch: 1
scenes:
  - id: 1
    shots:
      - id: song
        model: suno/generate
        params: {model: V5}
        prompt: a slow sea shanty with accordion
      - id: wav
        model: suno/wav
        source: {shot: 1.song, as: task, output: 2}
      - id: film
        model: suno/music-video
        source: {shot: 1.song, as: task}
      - id: longer
        model: suno/extend
        params: {defaultParamFlag: false, model: V5}
        source: {shot: 1.song, as: task, output: 2}
"""


def track(film: Film, number: int) -> str:
    """Return the provider's id of one track of the song."""
    return next(
        str(a["output_id"]) for a in film.manifest if (a["shot"], a.get("output", 1)) == ("song", number)
    )


@pytest.mark.slow
def test_a_song_its_wav_its_video_and_its_sequel_come_from_one_file(film: Film) -> None:
    film.write(SONG)

    outcome = film.run()

    assert (outcome.exit_code, outcome.skipped) == (Exit.OK, [])
    made = {(a["shot"], a.get("output", 1)): a for a in film.manifest}
    first, second = made["song", 1], made["song", 2]
    assert first["output_id"] != second["output_id"]
    sent = {c["model"]: c["input"] for c in film.sim.charges()}
    assert sent["suno/wav"]["taskId"] == first["task_id"]
    assert sent["suno/wav"]["audioId"] == second["output_id"]
    assert sent["suno/music-video"]["audioId"] == first["output_id"]
    assert sent["suno/extend"]["audioId"] == second["output_id"]
    assert "taskId" not in sent["suno/extend"]
    assert made["wav", 1]["made_from"] == [second["id"]]
    assert made["wav", 1]["parameters"]["input"] == {"taskId": "task:1.song/2", "audioId": "id:1.song/2"}
    assert made["wav", 1]["media_type"] == "audio/wav"
    assert made["film", 1]["type"] == "video"
    assert set(film.reasons().values()) == {"keep: kept"}


@pytest.mark.slow
def test_another_track_is_another_request(film: Film) -> None:
    film.write(SONG)
    film.run()
    film.edit(
        "model: suno/wav\n        source: {shot: 1.song, as: task, output: 2}",
        "model: suno/wav\n        source: {shot: 1.song, as: task}",
    )

    assert {s: r for s, r in film.reasons().items() if r != "keep: kept"} == {"1.wav": "generate: references"}
    film.run(only=("1.wav",))
    assert film.sim.charges()[-1]["input"]["audioId"] == track(film, 1)


@pytest.mark.slow
def test_an_id_that_the_author_names_is_taken(film: Film) -> None:
    film.write(SONG)
    film.run()
    film.edit(
        "model: suno/music-video",
        f"model: suno/music-video\n        params: {{audioId: {track(film, 2)}}}",
    )

    assert film.run(only=("1.film",)).exit_code == Exit.OK
    assert film.sim.charges()[-1]["input"]["audioId"] == track(film, 2)


MARKET = """\
kiebatch: 1
scenes:
  - id: 1
    shots:
      - id: song
        model: ai-music-api/generate
        prompt: a slow sea shanty with accordion
      - id: wav
        model: ai-music-api/convert-to-wav-format
        source: {shot: 1.song, as: task, output: 2}
"""


def test_the_market_form_takes_the_ids_of_its_tracks(film: Film) -> None:
    film.write(MARKET)
    film.sim.fault("submit@1=tracks")

    outcome = film.run()

    assert outcome.exit_code == Exit.OK
    assert film.sim.charges()[-1]["input"]["audio_id"] == track(film, 2)


def test_without_an_id_nothing_is_sent(film: Film) -> None:
    film.write(MARKET)

    outcome = film.run()

    assert [s.reason for s in outcome.skipped] == ["the provider named no id of 1.song's output 2"]
    assert [c["model"] for c in film.sim.charges()] == ["ai-music-api/generate"]
