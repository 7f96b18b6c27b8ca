"""The failure table, the delays and the budget."""

from __future__ import annotations

from typing import get_args

import pytest

from gateway.core.errors import FaultKind
from gateway.policy.retry import VERDICTS, RetryBudget, RetryPolicy, backoff, verdict

KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
POLICY = RetryPolicy()


def kinds_where(flag: str) -> set[str]:
    return {kind for kind, row in VERDICTS.items() if getattr(row, flag)}


def test_every_fault_has_its_row_in_the_order_of_the_table() -> None:
    assert tuple(VERDICTS) == KINDS


def test_what_is_tried_again_and_where() -> None:
    elsewhere = {"connect", "silent", "rate-limited", "unauthorized", "unavailable", "context-length"}
    assert kinds_where("another_target") == kinds_where("retries") == elsewhere
    assert kinds_where("same_target_if_alone") == {"connect", "rate-limited", "unavailable"}
    assert kinds_where("once_if_alone") == {"unavailable"}
    assert kinds_where("next_key") == {"rate-limited", "unauthorized"}
    assert kinds_where("exclude_target") == {"silent", "context-length"}
    assert kinds_where("larger_context") == {"context-length"}


def test_who_is_blamed() -> None:
    blamed = {"connect", "silent", "unavailable", "cut", "stalled", "malformed", "deadline"}
    assert kinds_where("blame_breaker") == blamed
    keys = {kind: row.key for kind, row in VERDICTS.items() if row.key != "none"}
    assert keys == {"rate-limited": "cool", "unauthorized": "quarantine"}


@pytest.mark.parametrize("kind", KINDS)
def test_by_default_the_verdict_is_the_row(kind: FaultKind) -> None:
    assert verdict(kind, POLICY) is VERDICTS[kind]


def test_content_policy_fails_over_only_where_it_is_opted_in() -> None:
    assert not verdict("content-policy", POLICY).retries
    opted = verdict("content-policy", RetryPolicy(content_policy_failover=True))
    assert opted.another_target
    assert opted.exclude_target
    assert not opted.blame_breaker


def test_the_opt_in_changes_no_other_row() -> None:
    opted = RetryPolicy(content_policy_failover=True)
    assert all(verdict(kind, opted) is VERDICTS[kind] for kind in KINDS if kind != "content-policy")


def test_delays_grow_to_the_longest() -> None:
    bounds = [backoff(retry, RetryPolicy(min_delay=0.5), lambda: 1.0) for retry in range(6)]
    assert bounds == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_jitter_is_full() -> None:
    assert backoff(2, RetryPolicy(min_delay=0.5), lambda: 0.0) == 0.0
    assert backoff(2, RetryPolicy(min_delay=0.5), lambda: 0.25) == 0.5


def test_a_factor_of_one_is_a_constant_delay() -> None:
    constant = RetryPolicy(min_delay=0.5, factor=1.0)
    assert {backoff(retry, constant, lambda: 0.3) for retry in range(20)} == {0.5}


def test_a_power_beyond_all_numbers_is_the_longest_delay() -> None:
    assert backoff(5000, POLICY, lambda: 1.0) == POLICY.max_delay


def test_without_requests_the_floor_is_allowed() -> None:
    budget = RetryBudget(0.2)
    assert [budget.spend(100.0) for _ in range(11)] == [True] * 10 + [False]


def test_of_many_requests_the_share_is_allowed() -> None:
    budget = RetryBudget(0.2)
    for _ in range(100):
        budget.note_request(100.0)
    assert sum(budget.spend(100.0) for _ in range(100)) == 20


def test_what_is_refused_is_not_counted_and_the_budget_comes_back() -> None:
    budget = RetryBudget(0.0, floor=1, window=10.0)
    assert budget.spend(100.0)
    assert not budget.spend(109.0)
    assert budget.spend(110.0)


def test_a_share_of_nothing_without_a_floor_allows_nothing() -> None:
    budget = RetryBudget(0.0, floor=0)
    budget.note_request(100.0)
    assert not budget.spend(100.0)
