"""What is told of all that happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.events import SEVERITIES, Event, EventKind
from gateway.policy.alerting import Repetition

WINDOW = 600.0


def event(kind: EventKind, at: float, key: str = "a/m") -> Event:
    return Event(kind, key, at, SEVERITIES[kind], {})


class Teller:
    """What was told, as kind, time and repeats."""

    def __init__(self, topics: int = 100) -> None:
        self.repetition = Repetition(WINDOW, topics)
        self.told: list[tuple[str, float, int]] = []

    def happen(self, kind: EventKind, at: float, key: str = "a/m") -> None:
        told = self.repetition.take(event(kind, at, key))
        if told is not None:
            self.told.append((told.event.kind, at, told.repeats))

    def pass_by(self, now: float) -> None:
        self.told += [(told.event.kind, now, told.repeats) for told in self.repetition.due(now)]


def test_the_same_is_told_once_in_a_window_and_then_with_how_often_it_was() -> None:
    teller = Teller()
    for at in (0, 1, 300, 599, 600, 601):
        teller.happen("key-quarantined", at)
    assert teller.told == [("key-quarantined", 0, 0), ("key-quarantined", 600, 3)]


def test_another_key_and_another_kind_are_told() -> None:
    teller = Teller()
    teller.happen("key-quarantined", 0)
    teller.happen("key-quarantined", 0, key="b/m")
    teller.happen("keys-exhausted", 0)
    assert len(teller.told) == 3


def test_an_end_is_told_at_once_and_only_of_what_was_told() -> None:
    teller = Teller()
    teller.happen("provider-recovered", 0)
    teller.happen("provider-outage", 10)
    teller.happen("provider-recovered", 12)
    teller.happen("provider-recovered", 13)
    assert teller.told == [("provider-outage", 10, 0), ("provider-recovered", 12, 0)]


def test_what_comes_and_goes_is_told_once_and_at_last_as_it_is() -> None:
    teller = Teller()
    for at in range(0, 300, 20):
        teller.happen("provider-outage", at)
        teller.happen("provider-recovered", at + 10)
    teller.happen("provider-outage", 310)
    assert [kind for kind, _, _ in teller.told] == ["provider-outage", "provider-recovered"]
    teller.pass_by(599)
    assert len(teller.told) == 2
    teller.pass_by(600)
    assert teller.told[2][:2] == ("provider-outage", 600)
    teller.happen("provider-recovered", 601)
    assert teller.told[3][:2] == ("provider-recovered", 601)


def test_an_outage_that_was_held_and_is_over_is_never_told() -> None:
    teller = Teller()
    for kind, at in (("provider-outage", 0), ("provider-recovered", 5), ("provider-outage", 10)):
        teller.happen(kind, at)  # type: ignore[arg-type]
    teller.happen("provider-recovered", 20)
    teller.pass_by(700)
    assert [kind for kind, _, _ in teller.told] == ["provider-outage", "provider-recovered"]


def test_an_outage_that_goes_on_is_told_again_when_it_is_heard_of_again() -> None:
    teller = Teller()
    for at in (0, 100, 590, 610):
        teller.happen("provider-outage", at)
    assert teller.told == [("provider-outage", 0, 0), ("provider-outage", 610, 2)]


def test_the_end_of_an_outage_longer_than_the_window_is_told() -> None:
    teller = Teller()
    teller.happen("store-outage", 0)
    teller.pass_by(50_000)
    teller.happen("store-recovered", 60_000)
    assert [kind for kind, _, _ in teller.told] == ["store-outage", "store-recovered"]


def test_what_is_over_is_forgotten_and_what_is_remembered_is_bounded() -> None:
    teller = Teller(topics=10)
    for number in range(50):
        teller.happen("limit-near", float(number), key=str(number))
    assert len(teller.repetition) == 10
    teller.pass_by(50 + WINDOW)
    assert len(teller.repetition) == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 400)), max_size=60))
def test_what_was_told_last_is_true_a_window_after_the_last_change(changes: list[tuple[bool, float]]) -> None:
    teller = Teller()
    now = 0.0
    down = False
    for goes_down, wait in changes:
        now += wait
        teller.pass_by(now)
        teller.happen("provider-outage" if goes_down else "provider-recovered", now)
        down = goes_down
    teller.pass_by(now + WINDOW)
    last = teller.told[-1][0] if teller.told else "provider-recovered"
    assert last == ("provider-outage" if down else "provider-recovered")
    kinds = [kind for kind, _, _ in teller.told]
    assert all(
        kinds[place - 1] == "provider-outage" for place, kind in enumerate(kinds) if kind == "provider-recovered"
    )
    assert kinds.count("provider-recovered") <= kinds.count("provider-outage")
