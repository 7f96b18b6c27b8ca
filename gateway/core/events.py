"""What may happen that somebody on call wants to know: the kinds of events, and one event.

Pure data. Who tells and who listens is in telemetry/events.py.
"""

from __future__ import annotations

from collections.abc import Mapping
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
