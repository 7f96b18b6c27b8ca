"""Laws of the retry budget, the delays and the key pool."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.secret import Secret
from gateway.policy.key_pool import KeyPool
from gateway.policy.retry import RetryBudget, RetryPolicy, backoff


@given(st.floats(0, 1), st.integers(0, 20), st.lists(st.tuples(st.booleans(), st.integers(0, 4)), max_size=300))
def test_retries_never_exceed_the_floor_or_their_share_of_recent_requests(
    ratio: float, floor: int, steps: list[tuple[bool, int]]
) -> None:
    budget = RetryBudget(ratio, floor, window=10.0)
    requests: list[int] = []
    retries: list[int] = []
    second = 0
    for is_request, elapsed in steps:
        second += elapsed
        recent_requests = sum(then > second - 10 for then in requests)
        recent_retries = sum(then > second - 10 for then in retries)
        if is_request:
            budget.note_request(float(second))
            requests.append(second)
            continue
        allowed = budget.spend(float(second))
        assert allowed == (recent_retries < max(floor, ratio * recent_requests))
        if allowed:
            retries.append(second)


@given(st.floats(0, 1), st.integers(0, 20), st.integers(0, 500), st.integers(0, 1000))
def test_a_storm_is_amplified_by_no_more_than_the_ratio(ratio: float, floor: int, requests: int, wanted: int) -> None:
    budget = RetryBudget(ratio, floor)
    for _ in range(requests):
        budget.note_request(50.0)
    allowed = sum(budget.spend(50.0) for _ in range(wanted))
    # At most the bound, rounded up: the last one that was allowed was still below it.
    assert allowed == 0 or allowed - 1 < max(floor, ratio * requests)


@given(
    st.integers(0, 5000),
    st.floats(0, 60),
    st.floats(0, 60),
    st.floats(1, 10),
    st.floats(0, 1, exclude_max=True),
)
def test_a_delay_is_never_negative_nor_longer_than_the_longest(
    retry: int, min_delay: float, max_delay: float, factor: float, chance: float
) -> None:
    policy = RetryPolicy(min_delay=min_delay, max_delay=max_delay, factor=factor)
    assert 0 <= backoff(retry, policy, lambda: chance) <= max_delay


@given(st.integers(0, 30), st.floats(0.001, 60), st.floats(1, 10))
def test_the_bound_of_a_delay_never_shrinks(retry: int, min_delay: float, factor: float) -> None:
    policy = RetryPolicy(min_delay=min_delay, max_delay=60.0, factor=factor)
    assert backoff(retry, policy, lambda: 1.0) <= backoff(retry + 1, policy, lambda: 1.0)


retry_after = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(st.lists(st.tuples(st.floats(0, 1e5), retry_after, st.booleans()), max_size=30), st.floats(0, 1e4))
def test_neither_a_cool_down_nor_a_quarantine_is_ever_shortened(
    steps: list[tuple[float, float | None, bool]], cooldown: float
) -> None:
    pool = KeyPool([Secret("only", "value")], cooldown, quarantine=600.0)
    key = pool.pick(0.0)
    assert key is not None
    now = 0.0
    for elapsed, asked, refused in steps:
        now += elapsed
        before = key.cooling_until, key.quarantined_until
        if refused:
            pool.quarantine(key, now)
        else:
            pool.cool(key, now, asked)
        assert key.cooling_until >= before[0]
        assert key.quarantined_until >= before[1]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0, 100)), max_size=40),
    st.floats(0, 200),
    st.sets(st.sampled_from("abcde")),
)
def test_a_key_is_picked_exactly_when_one_is_available_and_not_tried(
    cooled: list[tuple[int, float]], now: float, tried: set[str]
) -> None:
    pool = KeyPool([Secret(name, name) for name in "abcde"], 60.0, 600.0)
    keys = [pool.pick(0.0) for _ in range(5)]
    for place, at in cooled:
        key = keys[place]
        assert key is not None
        pool.cool(key, at, None)
    active = {name for name, state in pool.states(now) if state == "active"}
    assert pool.available(now) == bool(active)
    soonest = pool.soonest(now)
    assert soonest is not None
    assert (soonest == 0.0) == bool(active)
    assert pool.available(now + soonest + 1e-6)
    key = pool.pick(now, tried)
    assert (key is not None) == bool(active - tried)
    assert key is None or key.name in active - tried


@given(st.integers(1, 8), st.integers(1, 10))
def test_without_rests_every_key_is_used_equally(count: int, rounds: int) -> None:
    pool = KeyPool([Secret(str(number), "value") for number in range(count)], 60.0, 600.0)
    names = [key.name for _ in range(count * rounds) if (key := pool.pick(0.0)) is not None]
    assert all(names.count(str(number)) == rounds for number in range(count))
