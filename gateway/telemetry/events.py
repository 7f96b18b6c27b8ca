"""What happened that somebody on call wants to know, told at once to whoever listens.

Lives here: the kinds of such events and how they are passed on. Must not: wait, deliver, or decide what is told twice.
Law: telling never raises and never keeps a request waiting; with nobody listening it costs one test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args

import msgspec

EventKind = Literal[
    "key-quarantined", "keys-exhausted", "provider-outage", "provider-recovered",
    "budget-warning", "budget-exceeded", "quota-low", "limit-near",
    "spend-anomaly", "error-anomaly",
    "config-rejected", "config-restored",
    "store-outage", "store-recovered", "ledger-trouble", "ledger-recovered", "audit-trouble", "audit-recovered",
    "test",
]  # fmt: skip
"""Stable names, documented in docs/alerts.md."""

KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)

ENDS: Final[Mapping[EventKind, EventKind]] = {
    "provider-recovered": "provider-outage",
    "config-restored": "config-rejected",
    "store-recovered": "store-outage",
    "ledger-recovered": "ledger-trouble",
    "audit-recovered": "audit-trouble",
}
"""The good news, and the bad news of the same key that it ends."""

Severity = Literal["info", "warning", "critical"]

SEVERITIES: Final[Mapping[EventKind, Severity]] = {
    "key-quarantined": "critical",
    "keys-exhausted": "critical",
    "provider-outage": "critical",
    "provider-recovered": "info",
    "budget-warning": "warning",
    "budget-exceeded": "critical",
    "quota-low": "warning",
    "limit-near": "warning",
    "spend-anomaly": "warning",
    "error-anomaly": "warning",
    "config-rejected": "critical",
    "config-restored": "info",
    "store-outage": "critical",
    "store-recovered": "info",
    "ledger-trouble": "critical",
    "ledger-recovered": "info",
    "audit-trouble": "critical",
    "audit-recovered": "info",
    "test": "info",
}

Field = str | int | float | bool | None


class Event(msgspec.Struct, frozen=True):
    """key: what it is about, such as `provider/model` or `team:ml`; with the kind it says which events are the same.
    at: Unix seconds. fields: what else is known; no credential and nothing of a request's content."""

    kind: EventKind
    key: str
    at: float
    severity: Severity
    fields: Mapping[str, Field]


Listener = Callable[[Event], None]


class Events:
    """Passes events on. wall: Unix seconds. A listener takes an event at once and waits for nothing; one that raises
    loses what it was told, and nobody else does."""

    __slots__ = ("_listeners", "_wall")

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._listeners: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        """Whether anybody listens: ask before making fields that cost something."""
        return bool(self._listeners)

    def tell(self, kind: EventKind, key: str, fields: Mapping[str, Field] | None = None) -> None:
        """Something has happened now."""
        if not self._listeners:
            return
        event = Event(kind, key, self._wall(), SEVERITIES[kind], fields or {})
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                # Who tells of trouble on the path of a request must not be given more of it.
                continue

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told from now on, until what is returned is called."""
        self._listeners += (listener,)

        def leave() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        return leave
