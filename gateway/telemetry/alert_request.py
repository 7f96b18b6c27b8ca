"""An event as a webhook gets it: the text, the body, and the signature over it.

Pure. What is signed is `<timestamp>.<body>`, so that neither can be changed and an old one is known for what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import digest
from typing import Final, Literal

import msgspec

from gateway.core.events import EventKind, Field
from gateway.core.moments import moment_text
from gateway.core.secret import Secret
from gateway.policy.alerting import Told

Headers = list[tuple[str, str]]

_SUMMARIES: Final[Mapping[EventKind, str]] = {
    "key-quarantined": "A provider refused the key {key}: it is set aside.",
    "keys-exhausted": "No key of {key} can be used now: all rest.",
    "provider-outage": "{key} fails: it is left alone until it answers again.",
    "provider-recovered": "{key} answers again.",
    "budget-warning": "The budget of {key} is nearly used up.",
    "budget-exceeded": "The budget of {key} is used up.",
    "quota-low": "The quota of {key} is low.",
    "limit-near": "A rate limit of {key} is nearly used up.",
    "spend-anomaly": "{key} has cost more this hour than is usual at this time.",
    "error-anomaly": "{key} has failed more often this hour than is usual at this time.",
    "config-rejected": "The configuration on disk is not fit to be served: the one before it goes on.",
    "config-restored": "The configuration on disk is served again.",
    "store-outage": "The shared store is away.",
    "store-recovered": "The shared store is back.",
    "ledger-trouble": "The ledger cannot be written.",
    "ledger-recovered": "The ledger is written again.",
    "audit-trouble": "The audit log cannot be written.",
    "audit-recovered": "The audit log is written again.",
    "test": "This is a test of the gateway's alerts. Nothing is wrong.",
}
_MARKS: Final = {"critical": ":red_circle:", "warning": ":warning:", "info": ":large_green_circle:"}


class Alert(msgspec.Struct, frozen=True):
    """The body of format `json`. id: the same in every try of one delivery. repeats: how often the same has happened
    untold since it was told last. gateway: the name of the process."""

    id: str
    kind: EventKind
    key: str
    severity: str
    time: str
    summary: str
    repeats: int
    gateway: str
    fields: Mapping[str, Field]


def alert_of(told: Told, number: str, gateway: str) -> Alert:
    event = told.event
    return Alert(
        id=number,
        kind=event.kind,
        key=event.key,
        severity=event.severity,
        time=moment_text(event.at),
        summary=_SUMMARIES[event.kind].format(key=event.key),
        repeats=told.repeats,
        gateway=gateway,
        fields=event.fields,
    )


def body_of(alert: Alert, form: Literal["json", "slack"]) -> bytes:
    return msgspec.json.encode(alert if form == "json" else {"text": _slack_text(alert)})


def headers_of(alert: Alert, body: bytes, secret: Secret | None, now: float) -> Headers:
    """now: Unix seconds, of this try."""
    timestamp = str(int(now))
    headers = [
        ("content-type", "application/json"),
        ("user-agent", "router-gateway"),
        ("x-gateway-event", alert.kind),
        ("x-gateway-delivery", alert.id),
        ("x-gateway-timestamp", timestamp),
    ]
    if secret is not None:
        headers.append(("x-gateway-signature", f"v1={signature(secret.reveal(), timestamp, body)}"))
    return headers


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """64 hexadecimal digits."""
    return digest(secret.encode(), timestamp.encode() + b"." + body, "sha256").hex()


def _slack_text(alert: Alert) -> str:
    lines = [f"{_MARKS[alert.severity]} *{alert.kind}* {_escaped(alert.summary)}"]
    said = [f"{name}: {_escaped(str(value))}" for name, value in alert.fields.items() if value not in ("", None)]
    if alert.repeats:
        said.append(f"and {alert.repeats} times more since it was told last")
    if said:
        lines.append(", ".join(said))
    lines.append(f"_{alert.time}, {alert.gateway}_")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Slack's own three characters: a name must not become a link or a mention of everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
