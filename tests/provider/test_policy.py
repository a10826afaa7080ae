from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.model import Reply
from kiebatch.provider import policy
from kiebatch.provider.policy import NoReply


def reply(code: int, message: str = "", *, has_code: bool = True, http_status: int = 200) -> Reply:
    return Reply(http_status=http_status, code=code, message=message, has_code=has_code)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(429, "Your call frequency is too high. Please try again later."), "later"),
        (reply(429, http_status=429), "later"),
        (reply(430), "later"),
        (reply(455), "later"),
        (reply(550), "later"),
        (reply(405, "Rate limit reached"), "later"),
        (NoReply(sent=False, reason="connection refused"), "later"),
        (reply(401), "stop"),
        (reply(402), "stop"),
        (reply(403), "stop"),
        (reply(433), "stop"),
        (reply(500, "Credits insufficient"), "stop"),
        (reply(500, "Insufficient account balance, please top up"), "stop"),
        (reply(429, "Insufficient credits"), "stop"),
        (reply(400), "refused"),
        (reply(404), "refused"),
        (reply(405, "Request method not supported"), "refused"),
        (reply(409), "refused"),
        (reply(413), "refused"),
        (reply(422, "The model name you specified is not supported"), "refused"),
        (reply(451), "refused"),
        (reply(505), "refused"),
        (reply(500, "prompt is required"), "refused"),
        (reply(500, "This field is required"), "refused"),
        (reply(500, "This interface is temporarily paused"), "refused"),
        (reply(500, "image_size is not within the range of allowed options: it exceeds 10"), "refused"),
        (reply(500, "Server exception, please try again later or contact customer service"), "unknown"),
        (reply(500), "unknown"),
        (reply(500, "file is required", has_code=False, http_status=500), "unknown"),
        (reply(408), "unknown"),
        (reply(501), "unknown"),
        (reply(502, has_code=False, http_status=502), "unknown"),
        (reply(520, "a web page", has_code=False, http_status=520), "unknown"),
        (reply(200, "success"), "unknown"),
        (reply(200, has_code=False), "unknown"),
        (reply(301, has_code=False, http_status=301), "unknown"),
        (NoReply(sent=True, reason="cut"), "unknown"),
    ],
)
def test_a_submission_is_sent_again_only_where_it_certainly_cost_nothing(
    answer: policy.Answer, kind: str
) -> None:
    assert policy.submit(answer).kind == kind


def test_a_task_id_beats_every_code() -> None:
    verdict = policy.submit(reply(422, "4k is processing"), "abc/4k/0")

    assert (verdict.kind, verdict.task_id) == ("accepted", "abc/4k/0")


def test_only_what_says_too_fast_pauses_every_submission() -> None:
    assert policy.submit(reply(429)).too_fast
    assert policy.submit(reply(430)).too_fast
    assert not policy.submit(reply(455)).too_fast
    assert not policy.submit(NoReply(sent=False, reason="dns")).too_fast


@pytest.mark.parametrize(
    ("operation", "answer", "kind"),
    [
        ("poll", reply(200), "ok"),
        ("poll", reply(422, "recordInfo is null"), "ok"),
        ("poll", reply(404, has_code=False, http_status=404), "ok"),
        ("poll", reply(501), "ok"),
        ("poll", reply(408), "ok"),
        ("poll", reply(531), "ok"),
        ("poll", reply(429), "retry"),
        ("poll", reply(455), "retry"),
        ("poll", reply(500), "retry"),
        ("poll", reply(502, has_code=False, http_status=502), "retry"),
        ("poll", reply(200, "a web page", has_code=False), "retry"),
        ("poll", reply(401), "fail"),
        ("poll", reply(403), "fail"),
        ("poll", reply(403, "a web page", has_code=False, http_status=403), "retry"),
        ("balance", reply(403, "a web page", has_code=False, http_status=403), "retry"),
        ("balance", reply(401, has_code=False, http_status=401), "fail"),
        ("poll", NoReply(sent=True, reason="cut"), "retry"),
        ("upload", reply(200), "ok"),
        ("upload", reply(400, "Missing required parameter: uploadPath"), "fail"),
        ("upload", reply(500), "retry"),
        ("upload", NoReply(sent=True, reason="cut"), "retry"),
        ("balance", reply(401), "fail"),
        ("balance", reply(500), "retry"),
        ("download-url", reply(422, "url is wrong"), "fail"),
        ("download", reply(206, has_code=False, http_status=206), "ok"),
        ("download", reply(403, has_code=False, http_status=403), "fail"),
        ("download", reply(404, has_code=False, http_status=404), "fail"),
        ("download", reply(503, has_code=False, http_status=503), "retry"),
        ("download", reply(429, has_code=False, http_status=429), "retry"),
    ],
)
def test_what_costs_nothing_is_repeated_until_the_answer_cannot_change(
    operation: policy.Operation, answer: policy.Answer, kind: str
) -> None:
    assert policy.read(operation, answer).kind == kind


def test_a_read_that_came_too_fast_slows_the_others_down() -> None:
    assert policy.read("poll", reply(429)).too_fast
    assert policy.read("poll", reply(429, has_code=False, http_status=429)).too_fast
    assert not policy.read("poll", reply(455)).too_fast
    assert not policy.read("poll", reply(500)).too_fast


def test_waits_grow_and_vary_by_a_quarter() -> None:
    rng = random.Random(1)

    waits = [[policy.wait_s(attempt, rng) for _ in range(50)] for attempt in range(1, 8)]

    for low, high, usual in zip(map(min, waits), map(max, waits), (2, 5, 12, 30, 60, 60, 60), strict=True):
        assert usual * 0.75 <= low < high <= usual * 1.25


@given(st.floats(0, 1e6), st.integers(1, 9))
def test_what_the_server_asks_for_is_never_undercut_up_to_two_minutes(asked_s: float, attempt: int) -> None:
    wait = policy.wait_s(attempt, random.Random(0), asked_s)

    assert min(asked_s, 120.0) <= wait <= 132.0


@pytest.mark.parametrize(
    ("headers", "asked_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], asked_s: float | None) -> None:
    assert policy.retry_after_s(headers) == asked_s
