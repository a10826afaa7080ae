"""Uploads that the provider could not fetch are forgotten: the next try uploads again."""

from __future__ import annotations

import pytest
from PIL import Image

from kiebatch.provider import lifetimes
from support.film import Film

UNFETCHED = "500 Image fetch failed. Check access settings or use our File Upload API instead."


def edit_of_a_picture(film: Film) -> None:
    Image.new("RGB", (640, 480), (90, 60, 30)).save(film.folder / "ref.png")
    film.write(
        """\
        kiebatch: 1
        scenes:
          - {id: 1, model: nano-banana-2, prompt: A boat, references: [ref.png]}
        """
    )


def uploads(film: Film) -> int:
    return int(film.sim.stats()["requests"].get("upload", 0))


@pytest.mark.slow
def test_a_failure_about_fetching_a_file_makes_the_next_run_upload_it_again(film: Film) -> None:
    edit_of_a_picture(film)
    film.sim.fault(f"submit@1=fail:{UNFETCHED}")

    first = film.run()
    second = film.run()

    assert [(f.code, f.retryable) for f in first.failures] == [("500", True)]
    assert second.succeeded == 1
    assert uploads(film) == 2


@pytest.mark.slow
def test_another_failure_keeps_the_upload(film: Film) -> None:
    edit_of_a_picture(film)
    film.sim.fault("submit@1=fail:500 Internal error, please try again later.")

    film.run()
    film.run()

    assert uploads(film) == 1


@pytest.mark.slow
def test_a_refusal_about_fetching_a_file_uploads_it_again_at_once(film: Film) -> None:
    edit_of_a_picture(film)
    film.sim.fault("submit@1=code:451")

    outcome = film.run()

    assert outcome.succeeded == 1
    assert uploads(film) == 2


@pytest.mark.slow
def test_a_refusal_about_a_results_link_uploads_its_file_at_once_and_for_the_next_shot(film: Film) -> None:
    film.write(
        """\
        kiebatch: 1
        defaults: {model: nano-banana-2}
        scenes:
          - {id: 1, prompt: A boat}
          - {id: 2, prompt: Closer, references: [{shot: 1}]}
          - {id: 3, prompt: From above, references: [{shot: 1}]}
        """
    )
    film.sim.fault("submit@2=code:451")

    outcome = film.run(in_flight=1)

    links = [charge["input"]["image_input"][0] for charge in film.sim.charges()[1:]]
    assert (outcome.succeeded, uploads(film)) == (3, 1)
    assert links[0] == links[1]


@pytest.mark.slow
def test_two_tasks_that_end_apart_and_could_not_fetch_one_results_link_are_made_by_the_next_run(
    film: Film,
) -> None:
    film.write(
        """\
        kiebatch: 1
        defaults: {model: nano-banana-2}
        scenes:
          - {id: 1, prompt: A boat}
          - {id: 2, prompt: Closer, references: [{shot: 1}]}
          - {id: 3, model: kling-3.0/video, prompt: It sails, start_frame: {shot: 1}, duration: 5}
        """
    )
    film.run(only=("1",))
    film.sim.expire_links()

    first = film.run()
    second = film.run()

    assert [f.code for f in first.failures] == ["451", "451"]
    assert (second.succeeded, second.failures) == (2, [])


@pytest.mark.slow
def test_a_task_that_could_not_fetch_a_results_link_is_made_by_the_next_run(film: Film) -> None:
    film.write(
        """\
        kiebatch: 1
        defaults: {model: nano-banana-2}
        scenes: [{id: 1, prompt: A boat}, {id: 2, prompt: Closer, references: [{shot: 1}]}]
        """
    )
    film.run(only=("1",))
    film.sim.expire_links()

    first = film.run()
    second = film.run()

    assert [f.code for f in first.failures] == ["451"]
    assert (second.succeeded, uploads(film)) == (1, 1)


def test_nothing_is_relied_on_for_longer_than_it_is_kept() -> None:
    assert all(one.relied_on_s <= one.kept_s for one in lifetimes.TABLE)
    assert lifetimes.UPLOAD.relied_on_s <= 20 * lifetimes.HOUR_S
    assert all(one.source and one.as_of for one in lifetimes.TABLE)


@pytest.mark.slow
def test_a_refused_value_is_refused_and_a_corrected_prompt_is_a_new_job(film: Film) -> None:
    film.write(
        """\
        kiebatch: 1
        scenes:
          - {id: 1, model: z-image, prompt: A boat, params: {aspect_ratio: "1:1"}}
        """
    )
    film.sim.fault(
        on="submit", kind="code", value="500 The text length cannot exceed the maximum limit", nth=1
    )

    first = film.run()
    film.edit("A boat", "A ship")
    second = film.run()

    assert [f.message for f in first.failures] == ["The text length cannot exceed the maximum limit"]
    assert (list(first.held), second.succeeded) == ([], 1)


def test_a_refusal_that_names_a_task_is_held_with_the_task(film: Film) -> None:
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: z-image, prompt: A boat}\n")
    film.sim.fault("submit@1x9=names-task:429 Your call frequency is too high.+after")

    outcome = film.run()
    (charge,) = film.sim.charges()

    assert outcome.status == "held"
    assert f"named task {charge['task_id']}" in outcome.held[0].reason
