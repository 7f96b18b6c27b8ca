"""The key pool: whose turn it is, and who rests how long."""

from __future__ import annotations

import math

import pytest

from gateway.core.secret import LentSecret, Secret
from gateway.policy.key_pool import LONGEST_REST, SHORTEST_REST, KeyPool, PoolKey


def pool(*names: str, cooldown: float = 60.0, quarantine: float = 600.0) -> KeyPool:
    return KeyPool([Secret(name, f"value of {name}") for name in names], cooldown, quarantine)


def picked(keys: KeyPool, now: float, tried: tuple[str, ...] = ()) -> PoolKey:
    key = keys.pick(now, tried)
    assert key is not None
    return key


def test_keys_take_turns() -> None:
    keys = pool("a", "b", "c")
    assert [picked(keys, 0.0).name for _ in range(5)] == ["a", "b", "c", "a", "b"]


def test_an_empty_pool_has_nothing_but_is_a_pool() -> None:
    keys = pool()
    assert keys.pick(0.0) is None
    assert not keys.available(0.0)
    assert keys.soonest(0.0) is None
    assert keys.states(0.0) == []
    assert len(keys) == 0
    assert keys


def test_keys_that_were_tried_are_passed_over() -> None:
    keys = pool("a", "b")
    assert picked(keys, 0.0, ("a",)).name == "b"
    assert keys.pick(0.0, {"a", "b"}) is None


def test_a_cooling_key_is_passed_over_until_its_time() -> None:
    keys = pool("a", "b")
    keys.cool(picked(keys, 100.0), 100.0, None)
    assert [picked(keys, 159.9).name for _ in range(2)] == ["b", "b"]
    assert {picked(keys, 160.0).name for _ in range(2)} == {"a", "b"}


def test_the_provider_s_time_goes_before_the_cool_down() -> None:
    keys = pool("a")
    key = picked(keys, 100.0)
    keys.cool(key, 100.0, 2.5)
    assert key.cooling_until == 102.5


def test_a_second_cool_down_never_shortens_the_first() -> None:
    keys = pool("a")
    key = picked(keys, 100.0)
    keys.cool(key, 100.0, 300.0)
    keys.cool(key, 101.0, 1.0)
    keys.cool(key, 102.0, None)
    assert key.cooling_until == 400.0


@pytest.mark.parametrize("retry_after", [0.0, -1.0, -1e9, math.nan])
def test_a_time_that_is_over_is_a_short_rest(retry_after: float) -> None:
    keys = pool("a")
    key = picked(keys, 100.0)
    keys.cool(key, 100.0, retry_after)
    assert key.cooling_until == 100.0 + SHORTEST_REST


@pytest.mark.parametrize("retry_after", [1e12, math.inf])
def test_an_absurd_time_is_believed_for_a_day(retry_after: float) -> None:
    keys = pool("a")
    key = picked(keys, 100.0)
    keys.cool(key, 100.0, retry_after)
    assert key.cooling_until == 100.0 + LONGEST_REST


def test_a_refused_key_is_quarantined_and_tried_once_the_time_is_over() -> None:
    keys = pool("a")
    key = picked(keys, 100.0)
    keys.quarantine(key, 100.0)
    assert keys.pick(699.9) is None
    assert keys.pick(700.0) is key


def test_a_key_that_works_again_is_restored_but_cools_on() -> None:
    keys = pool("a")
    key = picked(keys, 100.0)
    keys.quarantine(key, 100.0)
    keys.cool(key, 100.0, 30.0)
    keys.restore(key)
    assert not keys.available(129.9)
    assert keys.available(130.0)


def test_the_soonest_is_the_first_key_to_end_all_its_rests() -> None:
    keys = pool("a", "b")
    first, second = picked(keys, 100.0), picked(keys, 100.0)
    keys.cool(first, 100.0, 5.0)
    assert keys.soonest(100.0) == 0.0
    keys.quarantine(first, 100.0)
    keys.cool(second, 100.0, 12.0)
    assert keys.soonest(100.0) == 12.0


def test_states_are_told_by_name() -> None:
    keys = pool("a", "b", "c")
    first, second = picked(keys, 100.0), picked(keys, 100.0)
    keys.cool(first, 100.0, None)
    keys.cool(second, 100.0, None)
    keys.quarantine(second, 100.0)
    assert keys.states(100.0) == [("a", "cooling"), ("b", "quarantined"), ("c", "active")]
    assert keys.states(1000.0) == [("a", "active"), ("b", "active"), ("c", "active")]


def test_a_new_pool_inherits_the_rests_of_the_same_keys() -> None:
    old = pool("a", "b", "gone")
    first, second = picked(old, 100.0), picked(old, 100.0)
    old.cool(first, 100.0, None)
    old.quarantine(second, 100.0)
    new = pool("new", "b", "a")
    new.inherit(old)
    assert new.states(100.0) == [("new", "active"), ("b", "quarantined"), ("a", "cooling")]


def test_a_name_with_another_credential_inherits_nothing() -> None:
    old = pool("a")
    old.quarantine(picked(old, 100.0), 100.0)
    new = KeyPool([Secret("a", "a rotated value")], 60.0, 600.0)
    new.inherit(old)
    assert new.states(100.0) == [("a", "active")]
    assert picked(new, 100.0).secret.reveal() == "a rotated value"


def test_a_shorter_quarantine_after_a_reload_shortens_none_that_is_running() -> None:
    old = pool("a", quarantine=600.0)
    key = picked(old, 100.0)
    old.quarantine(key, 100.0)
    new = pool("a", quarantine=5.0)
    new.inherit(old)
    new.quarantine(key, 101.0)
    assert new.soonest(100.0) == 600.0


def test_what_an_old_request_learns_after_a_reload_is_known_to_the_new_pool() -> None:
    old = pool("a")
    key = picked(old, 100.0)
    new = pool("a")
    new.inherit(old)
    old.cool(key, 101.0, None)
    assert not new.available(101.0)


class Lends:
    async def token(self) -> str:
        return "token"

    def forget(self) -> None:
        pass


def test_a_key_that_stands_for_tokens_is_known_again_by_who_lends_them() -> None:
    one, other = Lends(), Lends()
    old = KeyPool([LentSecret("a", "", one), LentSecret("b", "", one), Secret("c", "")], 60.0, 600.0)
    for key in ("a", "b", "c"):
        old.cool(picked(old, 0.0, tuple({"a", "b", "c"} - {key})), 0.0, 50.0)
    new = KeyPool([LentSecret("a", "", one), LentSecret("b", "", other), LentSecret("c", "", one)], 60.0, 600.0)
    new.inherit(old)
    assert new.states(1.0) == [("a", "cooling"), ("b", "active"), ("c", "active")]


def test_somebody_may_end_every_quarantine_and_no_cool_down() -> None:
    keys = pool("a", "b", "c")
    keys.quarantine(picked(keys, 0.0), 0.0)
    keys.quarantine(picked(keys, 0.0), 0.0)
    keys.cool(picked(keys, 0.0), 0.0, 50.0)
    assert keys.restore_all(1.0) == 2
    assert keys.states(1.0) == [("a", "active"), ("b", "active"), ("c", "cooling")]
    assert keys.restore_all(1.0) == 0
