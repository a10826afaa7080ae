from __future__ import annotations

import random
from itertools import pairwise

from kiebatch.model import Rate
from kiebatch.provider import share
from kiebatch.provider.share import Share

RATE = Rate(starts=20, window_s=10.0)


def test_of_an_unknown_account_two_thirds_are_taken_and_the_rest_is_probed() -> None:
    assert share.first(RATE).starts == 13
    assert share.first(Rate(starts=1, window_s=10.0)).starts == 1


def test_a_refusal_says_that_what_we_have_in_the_window_is_all_that_is_ours() -> None:
    assert share.refused(Share(starts=20), 15, RATE, 100.0, 100.2).starts == 15


def test_where_nothing_was_refused_an_accepted_probe_raises_the_share_and_the_next_follows_at_once() -> None:
    raised = share.accepted(share.first(RATE), 14, RATE, 100.0)

    assert (raised.starts, raised.probe_after) == (14, 100.0)
    assert share.accepted(raised, 14, RATE, 101.0) == raised


def test_after_a_refusal_accepted_probes_follow_at_pauses_that_halve_until_the_window_is_full() -> None:
    found = share.refused(Share(starts=17), 16, RATE, 100.0, 100.2)
    now, pauses = found.probe_after, []
    for ours in (17, 18, 19):
        found = share.accepted(found, ours, RATE, now)
        pauses.append(found.probe_after - now)
        now = found.probe_after

    assert pauses[0] < found.probe_after - 100.2
    assert [round(b / a, 6) for a, b in pairwise(pauses)] == [0.5, 0.5]
    assert share.accepted(found, 20, RATE, now).hold_s == 0.0


def test_the_fuller_our_window_was_the_longer_the_next_probe_waits() -> None:
    holds = [
        share.refused(Share(starts=19), ours, RATE, 100.0, 100.2).probe_after for ours in (0, 5, 10, 15, 19)
    ]

    assert holds == sorted(holds)
    assert holds[0] < 101
    assert 110 < holds[-1] < 160.3


def test_a_refusal_of_a_window_that_was_all_ours_is_likely_a_moment_so_the_next_probe_follows_at_once() -> (
    None
):
    found = share.refused(Share(starts=20), 19, RATE, 100.0, 100.2)

    assert (found.starts, found.hold_s) == (19, 0.5)
    assert share.refused(found, 19, RATE, 101.0, 101.2).hold_s > 10


def test_every_probe_that_fails_puts_the_next_one_off_for_longer_up_to_a_minute() -> None:
    found = Share(starts=20)
    now, holds = 100.0, []
    for _ in range(5):
        found = share.refused(found, 14, RATE, now, now + 0.2)
        holds.append(found.hold_s)
        now = found.probe_after + 0.1

    assert holds == sorted(holds)
    assert holds[-1] == 60.0


def test_the_refusals_of_one_burst_count_as_one() -> None:
    one = share.refused(Share(starts=19), 18, RATE, 100.0, 100.2)
    burst = share.refused(one, 15, RATE, 100.1, 100.3)

    assert burst.starts == 15
    assert burst.hold_s < one.hold_s


def test_with_nothing_of_ours_in_the_window_all_starts_pause_but_never_longer_than_the_window() -> None:
    found, now, pauses = Share(starts=20), 100.0, []
    for _ in range(8):
        found = share.refused(found, 0, RATE, now, now + 0.2)
        pauses.append(round(found.paused_until - now, 3))
        now = found.paused_until + 0.1

    assert pauses == sorted(pauses)
    assert pauses[0] < 2
    assert 10 < pauses[-1] < 10.5
    assert share.refused(share.accepted(found, 1, RATE, now), 0, RATE, now, now + 0.2).paused_until - now < 2


def test_what_the_provider_asks_for_is_kept_up_to_two_minutes() -> None:
    rng = random.Random(1)

    assert 130 <= share.paused(Share(starts=20), 30, 100.0, rng).paused_until <= 133
    assert share.paused(Share(starts=20), 9999, 100.0, rng).paused_until <= 232
    assert share.paused(Share(starts=20), None, 100.0, rng).paused_until == 0


def test_refused_reads_are_halved_once_a_burst_and_come_back_one_by_one() -> None:
    rate = Rate(starts=8, window_s=1.0)
    slow = share.slower(share.regained(None, rate, 100.0), rate, 100.0)

    assert slow.starts == 4
    assert share.slower(slow, rate, 100.5) == slow
    assert share.regained(slow, rate, 104.0).starts == 5
    assert share.regained(slow, rate, 1000.0).starts == 8
