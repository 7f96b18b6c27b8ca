"""From `ledger:`, `audit:`, `alerts:` and `traces:` to the places that records go to. Nothing is opened here."""

from __future__ import annotations

from gateway.assemble.alerts import alerts_for
from gateway.assemble.audit import audit_for, levels_of
from gateway.assemble.ledger import ledger_for, ledger_secrets
from gateway.assemble.traces import traces_for
from gateway.config import spec as sp
from gateway.runtime import Runtime
from gateway.telemetry.sink import Sink
from gateway.telemetry.sinks import Settings, Sinks


def sinks_for(spec: sp.Spec, runtime: Runtime) -> Sinks:
    """The sinks that a spec asks for. Those in use with the same settings stay the same."""
    made: dict[str, tuple[Settings, Sink]] = {}
    ledger = spec.ledger
    if ledger is not None:
        made["ledger"] = runtime.sinks.kept_or_made("ledger", ledger, lambda: ledger_for(ledger, runtime))
    audit = spec.audit
    if audit is not None:
        levels = levels_of(spec)
        made["audit"] = runtime.sinks.kept_or_made("audit", (audit, levels), lambda: audit_for(audit, levels, runtime))
    traces = spec.traces
    if traces is not None:
        made["traces"] = runtime.sinks.kept_or_made("traces", traces, lambda: traces_for(traces, runtime))
    alerts = spec.alerts
    if alerts is not None:
        made["alerts"] = runtime.sinks.kept_or_made(
            "alerts", (alerts, ledger), lambda: alerts_for(alerts, ledger, runtime)
        )
    return Sinks(made)


def sink_secrets(spec: sp.Spec) -> list[str]:
    """What no log may show of `alerts:`, `audit:`, `ledger:` and `traces:`."""
    webhooks = spec.alerts.webhooks if spec.alerts is not None else ()
    found = [webhook.url for webhook in webhooks] + ledger_secrets(spec)
    found += [webhook.secret for webhook in webhooks if webhook.secret]
    found += list(spec.audit.headers.values()) if spec.audit is not None else []
    return found + (list(spec.traces.headers.values()) if spec.traces is not None else [])
