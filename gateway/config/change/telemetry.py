"""Traces and alerts: where what happens is told."""

from __future__ import annotations

from typing import Final

from gateway.config.change.comparison import At, Comparison, attribute
from gateway.config.spec import Alerts, Webhook

_TRACE_KEYS: Final = {
    "sampling": "traces-share", "follow-clients": "traces-share", "service-name": "traces-words",
    "queue": "telemetry-pace", "timeout": "telemetry-pace",
}  # fmt: skip
_ALERT_KEYS: Final = ("dedupe", "retry-for", "timeout", "queue")


def compare_traces(found: Comparison) -> None:
    """All of `traces`."""
    old, new = found.left.spec.traces, found.right.spec.traces
    path = ("traces",)
    if old is None or new is None:
        if new is not None:
            found.note("traces-on", At("gateway", None, path), "spans are sent")
        elif old is not None:
            found.note("traces-off", At("gateway", path, None), "no spans are sent any more")
        return
    at = At("gateway", path, path)
    found.plain("traces-address", at.at("endpoint"), old.endpoint, new.endpoint)
    found.plain("traces-address", at.at("headers"), old.headers, new.headers, secret=True)
    for key, code in _TRACE_KEYS.items():
        found.plain(code, at.at(key), getattr(old, attribute(key)), getattr(new, attribute(key)))
    found.plain("traces-words", at.at("resource"), old.resource, new.resource, secret=True)
    before, after = set(old.propagate_to), set(new.propagate_to)
    if before != after:
        code = "traces-told-less" if after < before else "traces-told"
        found.plain(code, at.at("propagate-to"), sorted(before), sorted(after))
    found.rest(at, old, new, (*map(attribute, _TRACE_KEYS), "endpoint", "headers", "resource", "propagate_to"))


def compare_alerts(found: Comparison) -> None:
    """All of `alerts`."""
    old, new = found.left.spec.alerts, found.right.spec.alerts
    path = ("alerts",)
    if old is None or new is None:
        if new is not None:
            found.note("alerts-on", At("gateway", None, path), "webhooks are told of trouble")
        elif old is not None:
            found.note("alerts-off", At("gateway", path, None), "nobody is told of trouble any more")
        return
    at = At("gateway", path, path)
    _webhooks(found, at, old, new)
    for key in _ALERT_KEYS:
        found.measured("telemetry-pace", at.at(key), getattr(old, attribute(key)), getattr(new, attribute(key)))
    found.plain("alerts-threshold", at.at("limits-at"), old.limits_at, new.limits_at)
    if old.anomalies != new.anomalies:
        found.note("alerts-threshold", at.at("anomalies"), "what is unusual is another")
    found.rest(at, old, new, (*map(attribute, _ALERT_KEYS), "webhooks", "limits_at", "anomalies"))


def _webhooks(found: Comparison, at: At, old: Alerts, new: Alerts) -> None:
    olds = {webhook.name: (index, webhook) for index, webhook in enumerate(old.webhooks)}
    news = {webhook.name: (index, webhook) for index, webhook in enumerate(new.webhooks)}
    for name in dict.fromkeys((*olds, *news)):
        about = f"webhook {name}"
        if name not in news:
            gone = At(about, ("alerts", "webhooks", olds[name][0]), None)
            found.note("webhook-removed", gone, f"`{name}` is told no more")
        elif name not in olds:
            found.note("webhook-added", At(about, None, ("alerts", "webhooks", news[name][0])), f"`{name}` is told")
        else:
            (before, first), (after, second) = olds[name], news[name]
            _webhook(found, At(about, ("alerts", "webhooks", before), ("alerts", "webhooks", after)), first, second)


def _webhook(found: Comparison, at: At, old: Webhook, new: Webhook) -> None:
    found.plain("webhook-address", at.at("url"), old.url, new.url, secret=True)
    found.plain("webhook-secret", at.at("secret"), old.secret, new.secret, secret=True)
    found.plain("webhook-events", at.at("events"), sorted(old.events), sorted(new.events))
    found.plain("webhook-format", at.at("format"), old.format, new.format)
    found.rest(at, old, new, ("name", "url", "secret", "events", "format"))
