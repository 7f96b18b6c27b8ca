"""From `ledger:`, `audit:`, `alerts:` and `traces:` to the places that records go to. Nothing is opened here."""

from __future__ import annotations

from gateway.assemble.audit import audit_for, levels_of
from gateway.assemble.traces import traces_for
from gateway.config import spec as sp
from gateway.runtime import Runtime
from gateway.telemetry.sink import Sink
from gateway.telemetry.sinks import Settings, Sinks


def sinks_for(spec: sp.Spec, runtime: Runtime) -> Sinks:
    """The sinks that a spec asks for. Those in use with the same settings stay the same."""
    made: dict[str, tuple[Settings, Sink]] = {}
    audit = spec.audit
    if audit is not None:
        levels = levels_of(spec)
        made["audit"] = runtime.sinks.kept_or_made("audit", (audit, levels), lambda: audit_for(audit, levels, runtime))
    traces = spec.traces
    if traces is not None:
        made["traces"] = runtime.sinks.kept_or_made("traces", traces, lambda: traces_for(traces, runtime))
    return Sinks(made)
