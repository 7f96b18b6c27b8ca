from __future__ import annotations

import pytest

from gateway.core.events import Event
from gateway.core.money import NANO
from gateway.telemetry import standings
from gateway.telemetry.events import Events
from gateway.telemetry.standings import Standing, Standings

ALERT_AT = (0.5, 1.0)


def kept() -> tuple[Standings, list[Event]]:
    told: list[Event] = []
    events = Events(lambda: 0.0)
    events.listen(told.append)
    return Standings(events), told


def budget(spent: int, begins: int = 0, name: str = "ml") -> Standing:
    return Standing("team", name, "day", begins, spent, 100)


def test_a_threshold_is_told_of_once_in_its_window() -> None:
    seen, told = kept()
    for spent in (49, 50, 60, 99, 100, 130):
        seen.see(budget(spent), ALERT_AT)
    assert [(event.kind, event.fields["percent"]) for event in told] == [
        ("budget-warning", 50),
        ("budget-exceeded", 100),
    ]
    seen.see(budget(70, begins=86400), ALERT_AT)
    assert told[-1].fields["percent"] == 50
    assert len(told) == 3


def test_a_threshold_that_is_leapt_over_is_not_told_of_afterwards() -> None:
    seen, told = kept()
    seen.see(budget(100), ALERT_AT)
    seen.see(budget(60), ALERT_AT)
    assert [event.fields["percent"] for event in told] == [100]


def test_a_refusal_is_the_last_threshold() -> None:
    seen, told = kept()
    seen.see(budget(97), (0.99,), refused=True)
    seen.see(budget(97), (), refused=True)
    assert [event.fields["percent"] for event in told] == [99]


def test_charges_add_up_between_two_looks_at_the_store() -> None:
    seen, _ = kept()
    seen.see(budget(10), ())
    for _ in range(3):
        seen.charge(budget(10), 5, ())
    assert list(seen.samples(0.0)) == [("gateway_budget_spent_ratio", ("team", "ml", "day"), 0.25)]
    seen.charge(budget(0, begins=86400), 5, ())
    assert list(seen.samples(0.0)) == [("gateway_budget_spent_ratio", ("team", "ml", "day"), 0.05)]


def test_a_balance_is_what_is_left_of_it() -> None:
    seen, told = kept()
    seen.see(Standing("key", "ci", "", 7, 15 * NANO, 10 * NANO), (0.9,))
    assert list(seen.samples(0.0)) == [("gateway_quota_remaining_usd", ("key", "ci"), -5.0)]
    assert (told[0].kind, told[0].key, told[0].fields["remaining_usd"]) == ("quota-low", "key:ci quota 90%", "-5.00")


def test_what_is_shown_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "MOST", 3)
    seen, told = kept()
    for number in range(10):
        seen.see(budget(100, name=f"t{number}"), ALERT_AT)
    assert len(list(seen.samples(0.0))) == 3
    assert len(told) == 10
    # What is left of a budget is known of each: rules decide by it.
    assert [seen.left(f"team:t{number}", "day", 0) for number in range(10)] == [0.0] * 10


def test_the_balances_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "MOST", 3)
    seen, _ = kept()
    for number in range(10):
        seen.see(Standing("key", f"k{number}", "", 7, 0, NANO), ())
    seen.forget(frozenset())
    assert [labels[1] for _, labels, _ in seen.samples(0.0)] == ["k0", "k1", "k2"]
    assert seen.left("key:k9", "", 0) == 1.0


def test_budgets_that_are_gone_are_forgotten_and_balances_are_not() -> None:
    seen, _ = kept()
    seen.see(budget(1), ())
    seen.see(budget(1, name="web"), ())
    seen.see(Standing("key", "ci", "", 7, 0, NANO), ())
    seen.forget(frozenset({("team:web", "day")}))
    assert sorted(labels[1] for _, labels, _ in seen.samples(0.0)) == ["ci", "web"]


def test_what_is_left_is_all_where_nothing_was_seen() -> None:
    seen, _ = kept()
    assert seen.left("team:ml", "day", 0) == 1.0
    seen.see(budget(130), ())
    begins = budget(130).begins
    assert seen.left("team:ml", "day", begins) == 0.0
    assert seen.left("team:ml", "day", begins + 1) == 1.0, "that window is over"
