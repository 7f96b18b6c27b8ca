"""The balancers, each strategy by the situations that it is chosen for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import get_args

import pytest

from gateway.config import spec
from gateway.policy import balance
from gateway.policy.balance import (
    Balancer,
    LeastBusy,
    PeakEwmaP2C,
    Priority,
    SmoothWeighted,
    balancer_for,
    cheapest,
    integer_weights,
)
from gateway.policy.load import TargetLoad


class Target:
    def __init__(self, index: int, weight: int = 1, priority: int = 0, model: str = "") -> None:
        self.index = index
        self.weight = weight
        self.priority = priority
        self.model = model
        self.load = TargetLoad()


def targets(*weights: int) -> list[Target]:
    return [Target(index, weight) for index, weight in enumerate(weights)]


def known(index: int, latency: float, in_flight: int = 0) -> Target:
    target = Target(index)
    target.load.whole.observe(latency, 0.0)
    target.load.in_flight = in_flight
    return target


def never() -> float:
    raise AssertionError("no chance is needed here")


def always(number: float) -> Callable[[], float]:
    return lambda: number


def picks(balancer: Balancer, eligible: Sequence[Target], times: int) -> list[int]:
    return [balancer.pick(eligible, False, 0.0, never).index for _ in range(times)]


@pytest.mark.parametrize("strategy", get_args(balance.Strategy))
def test_a_single_choice_is_returned_by_every_strategy(strategy: balance.Strategy) -> None:
    only = Target(3, weight=0)
    assert balancer_for(strategy, 5).pick([only], True, 0.0, never) is only


def test_every_strategy_of_the_config_has_a_balancer() -> None:
    assert get_args(balance.Strategy) == get_args(spec.Strategy)
    kinds = {strategy: type(balancer_for(strategy, 1)) for strategy in get_args(balance.Strategy)}
    assert kinds == {
        "weighted": SmoothWeighted,
        "provider-weighted": SmoothWeighted,
        "model-weighted": SmoothWeighted,
        "latency": PeakEwmaP2C,
        "balanced-latency": PeakEwmaP2C,
        "model-latency": PeakEwmaP2C,
        "priority": Priority,
        "least-busy": LeastBusy,
        "cost": PeakEwmaP2C,
        "model-cost": PeakEwmaP2C,
    }


def test_equal_weights_take_turns() -> None:
    assert picks(SmoothWeighted(3), targets(1, 1, 1), 6) == [0, 1, 2, 0, 1, 2]


def test_seven_to_three_is_spread_without_bursts() -> None:
    assert picks(SmoothWeighted(2), targets(7, 3), 10) == [0, 0, 1, 0, 0, 1, 0, 0, 0, 1]


def test_an_entry_that_is_away_leaves_its_share_to_the_others_by_their_weights() -> None:
    first, second, third = targets(6, 3, 1)
    balancer = SmoothWeighted(3)
    assert Counter(picks(balancer, [second, third], 40)) == {1: 30, 2: 10}
    assert Counter(picks(balancer, [first, second, third], 10)) == {0: 6, 1: 3, 2: 1}


def test_an_entry_that_comes_back_makes_up_for_nothing() -> None:
    both = targets(1, 1)
    balancer = SmoothWeighted(2)
    picks(balancer, both[:1], 1000)
    assert Counter(picks(balancer, both, 10)) == {0: 5, 1: 5}


def test_light_entries_do_not_starve_when_a_heavy_one_goes_away() -> None:
    heavy, one, other = targets(98, 1, 1)
    balancer = SmoothWeighted(3)
    while balancer.pick([heavy, one, other], False, 0.0, never) is not one:
        pass
    assert 4 <= Counter(picks(balancer, [one, other], 10))[1] <= 6


def test_a_weight_of_zero_is_passed_over() -> None:
    assert set(picks(SmoothWeighted(3), targets(1, 0, 1), 20)) == {0, 2}


def test_a_weight_of_zero_is_passed_over_even_when_nobody_else_is_owed_anything() -> None:
    *served, fourth, fifth, nothing = targets(1, 1, 1, 1, 1, 0)
    balancer = SmoothWeighted(6)
    assert picks(balancer, [*served, fourth, fifth, nothing], 3) == [0, 1, 2]
    assert set(picks(balancer, [nothing, *served], 30)) == {0, 1, 2}


def test_weights_of_zero_take_turns_when_there_is_nothing_else() -> None:
    nothing, one, other = targets(5, 0, 0)
    balancer = SmoothWeighted(3)
    picks(balancer, [nothing, one, other], 3)
    assert picks(balancer, [one, other], 4) == [1, 2, 1, 2]


def test_choices_of_one_entry_share_its_weight_and_the_first_is_taken() -> None:
    choices = [Target(0, 1, model="preferred"), Target(0, 1, model="spare"), Target(1, 1)]
    balancer = SmoothWeighted(2)
    taken = [balancer.pick(choices, False, 0.0, never) for _ in range(10)]
    assert Counter(choice.index for choice in taken) == {0: 5, 1: 5}
    assert {choice.model for choice in taken if choice.index == 0} == {"preferred"}


def test_two_choices_of_one_entry_alone() -> None:
    choices = [Target(0, 1, model="preferred"), Target(0, 1, model="spare")]
    assert SmoothWeighted(1).pick(choices, False, 0.0, never) is choices[0]


def test_an_untried_idle_target_is_tried_at_once() -> None:
    eligible = [known(0, 0.1), known(1, 0.1), Target(2)]
    assert PeakEwmaP2C().pick(eligible, False, 100.0, never).index == 2


def test_several_untried_targets_are_each_tried_once() -> None:
    eligible = [Target(0), Target(1), Target(2)]
    balancer = PeakEwmaP2C()
    assert [balancer.pick(eligible, False, 100.0, never).index for _ in range(3)] == [0, 1, 2]


def test_whole_and_streamed_are_tried_apart() -> None:
    eligible = [known(0, 0.1), known(1, 9.0)]
    eligible[0].load.streamed.observe(5.0, 0.0)
    eligible[1].load.streamed.observe(0.1, 0.0)
    assert PeakEwmaP2C().pick(eligible, False, 0.0, always(0.0)).index == 0
    assert PeakEwmaP2C().pick(eligible, True, 0.0, always(0.0)).index == 1


@pytest.mark.parametrize("chance", [0.0, 0.49, 0.5, 0.999999])
def test_the_lower_latency_wins_whatever_the_order_of_the_draw(chance: float) -> None:
    assert PeakEwmaP2C().pick([known(0, 0.3), known(1, 0.2)], False, 0.0, always(chance)).index == 1


def test_requests_in_flight_multiply_the_latency() -> None:
    eligible = [known(0, 0.1, in_flight=3), known(1, 0.3)]
    assert PeakEwmaP2C().pick(eligible, False, 0.0, always(0.0)).index == 1


def test_between_equals_chance_decides() -> None:
    eligible = [known(0, 0.1), known(1, 0.1)]
    assert {PeakEwmaP2C().pick(eligible, False, 0.0, always(c)).index for c in (0.0, 0.9)} == {0, 1}


def test_after_estimates_have_faded_to_nothing_the_idle_one_is_taken() -> None:
    eligible = [known(0, 0.1, in_flight=2), known(1, 0.1)]
    assert PeakEwmaP2C().pick(eligible, False, 1e9, always(0.0)).index == 1


def test_each_pair_is_drawn_with_the_same_chance() -> None:
    eligible = [known(index, 1.0 + index) for index in range(4)]
    draws = [PeakEwmaP2C().pick(eligible, False, 0.0, always(number / 12)).index for number in range(12)]
    assert Counter(draws) == {0: 6, 1: 4, 2: 2}


def test_a_target_that_fails_fast_and_has_no_sample_does_not_attract_the_rest() -> None:
    failing = Target(1)
    eligible = [known(0, 0.5), failing]
    balancer = PeakEwmaP2C()
    times = []
    for tick in range(600):
        now = tick / 10
        if balancer.pick(eligible, False, now, always(0.0)) is failing:
            failing.load.whole.penalise(0.001, now)
            times.append(now)
    assert times == [0.0, 30.0]


def test_an_unknown_target_with_requests_in_flight_is_not_stampeded() -> None:
    slow = Target(1)
    eligible = [known(0, 0.5, in_flight=50), slow]
    balancer = PeakEwmaP2C()
    for tick in range(30):
        if balancer.pick(eligible, False, tick / 10, always(0.0)) is slow:
            slow.load.in_flight += 1
    assert slow.load.in_flight == 3, "one a second"


def test_an_unknown_target_is_not_given_more_than_the_known_one_has() -> None:
    slow = Target(1)
    slow.load.in_flight = 2
    assert PeakEwmaP2C().pick([known(0, 0.5, in_flight=2), slow], False, 100.0, always(0.0)).index == 0
    assert PeakEwmaP2C().pick([slow, known(0, 0.5, in_flight=2)], False, 100.0, always(0.0)).index == 0


def test_unknown_targets_share_a_burst_by_requests_in_flight() -> None:
    eligible = [Target(0), Target(1)]
    for _ in range(100):
        PeakEwmaP2C().pick(eligible, False, 0.0, always(0.0)).load.in_flight += 1
    assert [target.load.in_flight for target in eligible] == [50, 50]


def test_priority_takes_the_lowest_then_the_first_in_the_list() -> None:
    eligible = [Target(3, priority=2), Target(2, priority=1), Target(1, priority=1), Target(0, priority=2)]
    assert Priority().pick(eligible, False, 0.0, never).index == 1


def test_priority_takes_the_preferred_choice_of_an_entry() -> None:
    choices = [Target(0, model="preferred"), Target(0, model="spare")]
    assert Priority().pick(choices, False, 0.0, never) is choices[0]


def test_least_busy_takes_the_fewest_in_flight() -> None:
    eligible = [known(0, 1.0, 4), known(1, 1.0, 2), known(2, 1.0, 3)]
    assert picks(LeastBusy(3), eligible, 3) == [1, 1, 1]


def test_least_busy_lets_equals_take_turns() -> None:
    assert picks(LeastBusy(3), targets(1, 1, 1), 6) == [0, 1, 2, 0, 1, 2]


def test_least_busy_takes_turns_over_a_part_of_the_list() -> None:
    _, second, _, fourth = targets(1, 1, 1, 1)
    assert picks(LeastBusy(4), [second, fourth], 4) == [1, 3, 1, 3]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (("0.7", "0.3"), (7, 3)),
        (("0.70", "0.3"), (7, 3)),
        (("0.25", "0.5", "0.25"), (1, 2, 1)),
        (("50", "50"), (1, 1)),
        (("0.333", "0.667"), (333, 667)),
        (("1", "0"), (1, 0)),
        (("0", "0.0"), (0, 0)),
        (("1E+2", "1"), (100, 1)),
        ((), ()),
    ],
)
def test_weights_become_the_smallest_integers(weights: tuple[str, ...], expected: tuple[int, ...]) -> None:
    assert integer_weights([Decimal(weight) for weight in weights]) == expected


@pytest.mark.parametrize("weight", ["-1", "NaN", "Infinity"])
def test_what_is_not_a_weight_is_refused(weight: str) -> None:
    with pytest.raises(ValueError, match="is not a weight"):
        integer_weights([Decimal(1), Decimal(weight)])


def test_shares_are_what_weights_say() -> None:
    one, second, third = Target(0, 3), Target(1, 1), Target(1, 1)
    assert balance.shares(SmoothWeighted(2), [one, second]) == [0.75, 0.25]
    # The second name of an entry has no part of its own.
    assert balance.shares(SmoothWeighted(2), [one, second, third]) == [0.75, 0.25, 0.0]
    assert balance.shares(Priority(), [one, second]) == [None, None]


def test_shares_are_equal_where_all_weights_are_nought() -> None:
    assert balance.shares(SmoothWeighted(2), targets(0, 0)) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("costs", "left"),
    [
        ([3, 1, 2], [1]),
        ([2, 1, 1], [1, 2]),
        ([None, 5, None], [1]),
        ([None, None, None], [0, 1, 2]),
        ([0, None, 0], [0, 2]),
    ],
)
def test_the_cheapest_are_left_and_what_has_no_price_is_dearest(costs: list[int | None], left: list[int]) -> None:
    assert [choice.index for choice in cheapest(targets(1, 1, 1), costs)] == left
