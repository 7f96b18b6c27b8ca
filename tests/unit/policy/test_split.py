"""Splits: sticky, in their shares, and moving as few as possible."""

from __future__ import annotations

from math import sqrt

import pytest

from gateway.policy.split import side_of

USERS = [f"user-{n}" for n in range(20_000)]


def sides(salt: str, weights: dict[str, float]) -> list[str]:
    names = list(weights)
    return [names[side_of(salt, user, list(weights.items()))] for user in USERS]


def test_the_same_user_is_always_on_the_same_side() -> None:
    assert sides("auto:beta", {"a": 0.9, "b": 0.1}) == sides("auto:beta", {"a": 0.9, "b": 0.1})


def test_where_a_side_stands_in_the_list_does_not_matter() -> None:
    assert sides("s", {"a": 0.9, "b": 0.1}) == sides("s", {"b": 0.1, "a": 0.9})


def test_only_proportions_count() -> None:
    assert sides("s", {"a": 0.9, "b": 0.1}) == sides("s", {"a": 9, "b": 1})


@pytest.mark.parametrize("weights", [{"a": 0.9, "b": 0.1}, {"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.99, "b": 0.01}])
def test_the_shares_are_those_of_the_weights_within_the_binomial(weights: dict[str, float]) -> None:
    found = sides("s", weights)
    for name, weight in weights.items():
        deviation = sqrt(len(USERS) * weight * (1 - weight))
        assert abs(found.count(name) - len(USERS) * weight) < 4 * deviation


def test_two_splits_fall_independently() -> None:
    one, other = (sides(salt, {"a": 0.5, "b": 0.5}) for salt in ("auto:x", "auto:y"))
    both = sum(first == second for first, second in zip(one, other, strict=True))
    assert abs(both - len(USERS) / 2) < 4 * sqrt(len(USERS) / 4)


def test_a_side_that_gains_takes_from_the_others_and_nobody_moves_between_those() -> None:
    before = sides("s", {"a": 0.5, "b": 0.4, "c": 0.1})
    after = sides("s", {"a": 0.5, "b": 0.4, "c": 0.3})
    moved = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert {other for _, other in moved} == {"c"}
    # c had 1/10 and has 1/4: nobody moved who need not.
    assert len(moved) == after.count("c") - before.count("c")


def test_a_side_that_is_removed_moves_only_its_own() -> None:
    before = sides("s", {"a": 0.5, "b": 0.4, "c": 0.1})
    after = sides("s", {"a": 0.5, "b": 0.4})
    assert all(one == other for one, other in zip(before, after, strict=True) if one != "c")


def test_a_side_without_weight_gets_nobody() -> None:
    assert set(sides("s", {"a": 1, "b": 0})) == {"a"}


def test_sides_are_those_of_every_other_version() -> None:
    """Pinned: another hash would move everybody on an upgrade."""
    assert [side_of("auto:beta", f"u{n}", [("a", 0.5), ("b", 0.5)]) for n in range(12)] == [
        0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1,
    ]  # fmt: skip
