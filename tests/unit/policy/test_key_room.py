from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.secret import Secret
from gateway.policy.key_room import KeyRoom, request_rate

SECRET = Secret("a", "sk-0000000000000000")


@given(st.integers(1, 100_000))
def test_no_minute_has_more_requests_than_the_limit(limit: int) -> None:
    rate = request_rate(limit)
    # The worst minute begins with the burst; its last microsecond still counts.
    refilled = (60_000_000 - 1) * rate.capacity // rate.period
    assert rate.capacity + refilled <= limit


@given(st.integers(1, 100_000))
def test_four_fifths_of_a_limit_are_used_in_the_long_run(limit: int) -> None:
    rate = request_rate(limit)
    assert 60_000_000 * rate.capacity >= 0.79 * limit * rate.period


@pytest.mark.parametrize(("limit", "burst"), [(1, 1), (5, 1), (6, 2), (15, 3), (60, 12), (500, 100)])
def test_a_fifth_may_come_at_once(limit: int, burst: int) -> None:
    assert request_rate(limit).capacity == burst


def test_a_key_nobody_has_heard_of_has_all_its_room() -> None:
    room = KeyRoom(SECRET, 15, 1000)
    assert room.share(0.0) == 1.0
    assert room.opens_in(0.0) == 0.0


def test_the_bucket_with_the_least_says_how_much_is_left() -> None:
    room = KeyRoom(SECRET, 15, 1000)
    requests, tokens = room.buckets
    requests.see(2, 5.0, 10.0)
    tokens.see(250, 45.0, 10.0)
    assert room.share(10.0) == 0.25
    assert room.share(25.0) == 0.5
    assert room.share(1000.0) == 1.0


def test_a_debt_is_waited_for() -> None:
    room = KeyRoom(SECRET, None, 600)
    room.buckets[0].see(0, 90.0, 0.0)
    # 300 in debt at 10 a second, and one token beyond.
    assert room.opens_in(0.0) == pytest.approx(30.1)
    assert room.opens_in(31.0) == 0.0


def test_what_comes_back_is_there_at_once() -> None:
    room = KeyRoom(SECRET, None, 600)
    room.buckets[0].see(0, 60.0, 0.0)
    room.buckets[0].give_back(300)
    assert room.share(0.0) == 0.5


def test_a_credential_has_the_same_buckets_in_every_pool_and_is_in_no_name() -> None:
    one, other = KeyRoom(SECRET, 15, 1), KeyRoom(Secret("b", SECRET.reveal()), 15, 1)
    names = [bucket.name for bucket in one.buckets]
    assert names == [bucket.name for bucket in other.buckets]
    assert len(set(names)) == 2
    assert SECRET.reveal() not in "".join(names)
