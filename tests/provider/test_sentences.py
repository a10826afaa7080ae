"""What the provider says, sentence by sentence: `tests/golden/answers.yaml` is the table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import yaml

from kiebatch import formats
from kiebatch.model import JSON, Reply, Request
from kiebatch.provider import families, policy
from kiebatch.provider.families.endpoint import transient
from support.places import GOLDEN

TABLE = yaml.load(
    (GOLDEN / "answers.yaml").read_text(encoding="utf-8"),
    Loader=formats.yaml_loader(),
)
JOBS = families.get("jobs")
REQUEST = Request(
    method="POST",
    path=JOBS.path,
    body={"model": "x", "input": {"prompt": "a boat", "image_urls": ["https://a.example/1.png"]}},
)


def verdict_on(code: int, text: str, data: JSON = None, request: Request = REQUEST) -> policy.SubmitVerdict:
    body: dict[str, JSON] = {"code": code, "msg": text, "data": data}
    reply = Reply(http_status=200, code=code, message=text, data=data, body=body)
    return policy.submit(reply, JOBS.task(reply), request)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One row of the table: what the provider says, and what it means; the third column is where it was seen."""

    code: int
    text: str
    means: str | bool
    seen: str
    data: JSON = None

    def __str__(self) -> str:
        return f"{self.code} {self.text}"[:60]


def sentences(table: str) -> list[Sentence]:
    return [Sentence(*row) for row in TABLE[table]]


@pytest.mark.parametrize("one", sentences("submissions"), ids=str)
def test_every_answer_to_a_submission_gets_its_verdict(one: Sentence) -> None:
    assert verdict_on(one.code, one.text, one.data).kind == one.means


@pytest.mark.parametrize("one", sentences("failures"), ids=str)
def test_only_a_failure_that_may_pass_is_worth_buying_again(one: Sentence) -> None:
    assert transient(one.code, one.text) is one.means


def test_the_table_has_at_least_sixty_sentences_and_each_once() -> None:
    rows = [repr(row) for row in TABLE["submissions"]]

    assert len(set(rows)) == len(rows) >= 60


def test_a_text_that_names_a_field_of_the_job_is_a_refusal() -> None:
    assert verdict_on(500, "bad things about image_urls").kind == "refused"
    assert verdict_on(500, "bad things about other_urls").kind == "unknown"


def test_a_field_whose_name_is_an_ordinary_word_is_not_evidence() -> None:
    assert verdict_on(500, "prompt went wrong").kind == "unknown"


def test_a_page_in_front_of_the_service_never_judges_the_input() -> None:
    reply = Reply(http_status=500, code=500, message="file is required", has_code=False)

    assert policy.submit(reply).kind == "unknown"


def test_a_task_that_the_job_itself_names_is_not_a_new_one() -> None:
    old = "0123456789abcdef0123456789abcdef"
    extend = Request(method="POST", path="/api/v1/veo/extend", body={"taskId": old, "prompt": "on"})

    assert verdict_on(422, "task not found", {"taskId": old}, extend).kind == "refused"
    assert verdict_on(422, "task not found", {"taskId": "f" * 32}, extend).kind == "unknown"


def test_a_held_job_quotes_the_answer_that_there_was() -> None:
    said = verdict_on(500, "Unknown error").held_because

    assert said == "the provider answered 500: Unknown error; that does not say whether a task was made"
    assert "no answer" not in said


def test_a_held_job_names_the_task_that_the_answer_names() -> None:
    verdict = verdict_on(429, "too fast", {"taskId": "f" * 32})

    assert verdict.named == "f" * 32
    assert f"named task {'f' * 32}" in verdict.held_because


def test_no_answer_is_said_only_where_there_was_none() -> None:
    verdict = policy.submit(policy.NoReply(sent=True, reason="cut"))

    assert verdict.held_because == "the submission got no answer (cut); it may have been charged"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (451, "not found"),
        (500, "Image fetch failed. Check access settings or use our File Upload API instead."),
        (422, "could not fetch the image"),
    ],
)
def test_a_refusal_about_fetching_a_file_may_be_tried_again_with_a_new_upload(code: int, text: str) -> None:
    verdict = verdict_on(code, text)

    assert verdict.kind == "refused"
    assert verdict.could_not_fetch
    assert verdict.retryable


def test_a_refused_value_is_not_worth_another_try() -> None:
    assert not verdict_on(500, "duration is not within the range of allowed options").retryable
