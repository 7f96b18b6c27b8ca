"""Laws of the weighted balancer and of the latency estimate."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.balance import PeakEwmaP2C, SmoothWeighted
from gateway.policy.ewma import PeakEwma
from gateway.policy.load import TargetLoad


class Target:
    def __init__(self, index: int, weight: int) -> None:
        self.index = index
        self.weight = weight
        self.priority = 0
        self.load = TargetLoad()


def never() -> float:
    raise AssertionError("a weighted pick needs no chance")


weights = st.lists(st.one_of(st.just(1), st.integers(1, 50)), min_size=2, max_size=14)


@given(weights, st.integers(1, 3))
def test_shares_are_exact_after_each_round_and_within_one_pick_at_every_moment(
    given_weights: list[int], rounds: int
) -> None:
    targets = [Target(index, weight) for index, weight in enumerate(given_weights)]
    total = sum(given_weights)
    balancer = SmoothWeighted(len(targets))
    counts = [0] * len(targets)
    for number in range(1, rounds * total + 1):
        counts[balancer.pick(targets, False, 0.0, never).index] += 1
        for count, weight in zip(counts, given_weights, strict=True):
            assert abs(count - Fraction(number * weight, total)) < 1
    assert counts == [rounds * weight for weight in given_weights]


@given(weights, st.data())
def test_whoever_is_eligible_before_the_others_share_by_weight(given_weights: list[int], data: st.DataObject) -> None:
    targets = [Target(index, weight) for index, weight in enumerate(given_weights)]
    parts = st.lists(st.sampled_from(targets), min_size=2, unique=True).map(
        lambda part: sorted(part, key=lambda t: t.index)
    )
    balancer = SmoothWeighted(len(targets))
    for part in data.draw(st.lists(parts, max_size=30)):
        assert balancer.pick(part, False, 0.0, never) in part
    part = data.draw(parts)
    total = sum(target.weight for target in part)
    counts = dict.fromkeys((target.index for target in part), 0)
    for _ in range(total):
        counts[balancer.pick(part, False, 0.0, never).index] += 1
    # What was owed before is a few picks at most, however heavy the entries that are away.
    assert all(abs(counts[target.index] - target.weight) <= 3 for target in part)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.one_of(st.none(), st.floats(0, 1e6)), st.booleans()),
        min_size=2,
        max_size=8,
    ),
    st.floats(0, 1, exclude_max=True),
    st.booleans(),
)
def test_the_latency_balancer_picks_one_of_what_it_was_given(
    loads: list[tuple[int, float | None, bool]], chance: float, streamed: bool
) -> None:
    targets = []
    for index, (in_flight, sample, failed) in enumerate(loads):
        target = Target(index, 1)
        target.load.in_flight = in_flight
        latency = target.load.streamed if streamed else target.load.whole
        if sample is not None:
            latency.observe(sample, 0.0)
        if failed:
            latency.penalise(0.0, 0.0)
        targets.append(target)
    assert PeakEwmaP2C().pick(targets, streamed, 1.0, lambda: chance) in targets


samples = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4)), min_size=1, max_size=50)


@given(samples, st.floats(0.1, 1000))
def test_after_each_sample_the_estimate_is_between_the_least_and_the_greatest(
    steps: list[tuple[float, float]], decay: float
) -> None:
    latency = PeakEwma(decay)
    now = 0.0
    seen = []
    for sample, elapsed in steps:
        now += elapsed
        latency.observe(sample, now)
        seen.append(sample)
        assert min(seen) <= latency.value(now) <= max(seen)
        assert latency.value(now) >= sample


@given(samples, st.lists(st.floats(0, 1e4), min_size=2, max_size=10))
def test_in_silence_the_estimate_never_rises(steps: list[tuple[float, float]], later: list[float]) -> None:
    latency = PeakEwma()
    now = 0.0
    for sample, elapsed in steps:
        now += elapsed
        latency.observe(sample, now)
    values = [latency.value(now + silence) for silence in sorted(later)]
    assert values == sorted(values, reverse=True)


@given(samples, st.floats(0, 1e6), st.floats(0, 1e4))
def test_a_failure_never_lowers_the_estimate(steps: list[tuple[float, float]], elapsed: float, silence: float) -> None:
    latency = PeakEwma()
    now = 0.0
    for sample, pause in steps:
        now += pause
        latency.observe(sample, now)
    before = latency.value(now)
    latency.penalise(elapsed, now + silence)
    assert latency.value(now + silence) == max(before, elapsed)
