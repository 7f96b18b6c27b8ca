"""Events: told at once to everybody who listens, and to nobody's harm."""

from __future__ import annotations

from gateway.core.events import ENDS, KINDS, SEVERITIES, Event
from gateway.telemetry.events import Events


def test_everybody_who_listens_is_told_what_happened_and_when() -> None:
    events = Events(lambda: 1_800_000_000.0)
    first: list[Event] = []
    second: list[Event] = []
    events.listen(first.append)
    events.listen(second.append)

    events.tell("provider-outage", "openai/gpt-4o", {"seconds": 10.0})

    assert (
        first == second == [Event("provider-outage", "openai/gpt-4o", 1_800_000_000.0, "critical", {"seconds": 10.0})]
    )


def test_nobody_is_told_after_leaving() -> None:
    events = Events(lambda: 0.0)
    heard: list[Event] = []
    leave = events.listen(heard.append)
    assert events

    leave()
    events.tell("quota-low", "team:ml")

    assert not heard
    assert not events


def test_a_listener_that_fails_harms_neither_the_teller_nor_the_next() -> None:
    def fail(event: Event) -> None:
        raise RuntimeError("no")

    events = Events(lambda: 0.0)
    heard: list[Event] = []
    events.listen(fail)
    events.listen(heard.append)

    events.tell("limit-near", "router:prod")

    assert [event.kind for event in heard] == ["limit-near"]


def test_every_kind_says_how_grave_it_is_and_every_end_ends_a_kind() -> None:
    assert set(SEVERITIES) == set(KINDS)
    assert all(SEVERITIES[end] == "info" for end in ENDS)
    assert set(ENDS.values()) <= set(KINDS)
