"""The metrics, by name: what each says and which labels it has. docs/metrics.md is checked against this."""

from __future__ import annotations

from typing import Final, Literal

import msgspec


class Family(msgspec.Struct, frozen=True):
    """One metric. labels are in the order in which samples give their values."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


_ROUTE = ("router", "provider", "model")

FAMILIES: Final[dict[str, Family]] = {
    family.name: family
    for family in (
        Family(
            "gateway_requests",
            "counter",
            "Requests settled, by their final status.",
            (*_ROUTE, "operation", "status", "outcome"),
        ),
        Family(
            "gateway_request_duration_seconds", "histogram", "From the request's head to the end of its reply.", _ROUTE
        ),
        Family(
            "gateway_time_to_first_token_seconds",
            "histogram",
            "From the request's head to the first event of its stream.",
            _ROUTE,
        ),
        Family("gateway_tokens", "counter", "Tokens as the provider reported them.", (*_ROUTE, "kind")),
        Family(
            "gateway_requests_without_usage",
            "counter",
            "Good replies in which the provider reported no tokens.",
            _ROUTE,
        ),
        Family("gateway_attempts", "counter", "Attempts upstream.", ("provider", "model")),
        Family("gateway_faults", "counter", "Attempts that failed, by what went wrong.", ("provider", "model", "kind")),
        Family("gateway_errors", "counter", "Errors told to clients, by their code.", ("router", "code")),
        Family(
            "gateway_dropped",
            "counter",
            "What translation left out or changed, of requests by field and of replies.",
            ("router", "field"),
        ),
        Family(
            "gateway_limit_denials",
            "counter",
            "Requests that a limit of the gateway had no room for.",
            ("router", "scope", "unit", "enforced"),
        ),
        Family(
            "gateway_unpriced_requests", "counter", "Requests that used something whose price is not known.", _ROUTE
        ),
        Family("gateway_cost_usd", "counter", "What requests have cost, in US dollars.", _ROUTE),
        Family("gateway_saved_usd", "counter", "What was not spent, in US dollars, by why.", ("router", "by")),
        Family(
            "gateway_rule_decisions",
            "counter",
            "Requests that the rules of a virtual model were asked about.",
            ("router", "model", "rule"),
        ),
        Family(
            "gateway_budget_refusals",
            "counter",
            "Requests that a quota or a budget had no room for.",
            ("router", "kind", "account", "action"),
        ),
        Family(
            "gateway_budget_spent_ratio",
            "gauge",
            "What is spent of a budget, as a share of its amount.",
            ("kind", "consumer", "window"),
        ),
        Family("gateway_quota_remaining_usd", "gauge", "What is left of a prepaid balance.", ("kind", "consumer")),
        Family("gateway_requests_in_flight", "gauge", "Requests under way.", ()),
        Family("gateway_target_in_flight", "gauge", "Attempts under way at a target.", ("provider", "model")),
        Family(
            "gateway_breaker_state",
            "gauge",
            "0 closed, 1 half open, 2 open: the worst of all workers.",
            ("provider", "model"),
        ),
        Family("gateway_keys", "gauge", "Provider keys by state.", ("provider", "state")),
        Family("gateway_cache_requests", "counter", "Requests that a cache has seen, by result.", ("router", "result")),
        Family("gateway_cache_entries", "gauge", "Answers kept in memory.", ("router",)),
        Family("gateway_cache_bytes", "gauge", "Bytes of the answers kept in memory.", ("router",)),
        Family("gateway_cache_evictions", "counter", "Answers that had to go for want of room.", ("router",)),
        Family("gateway_config_reloads", "counter", "Reloads of the configuration.", ("result",)),
        Family("gateway_config_reload_seconds", "gauge", "How long the last reload took.", ()),
        Family("gateway_config_last_reload_successful", "gauge", "1 when the file on disk is the one that serves.", ()),
        Family("gateway_config_info", "gauge", "1 for the configuration that serves.", ("hash",)),
        Family("gateway_routers", "gauge", "Named routers that are served.", ()),
        Family("gateway_store_up", "gauge", "1 when the shared store answers, 0 when it is away.", ()),
        Family("gateway_store_errors", "counter", "Calls of the shared store that failed, by why.", ("kind",)),
        Family("gateway_trace_spans", "counter", "Spans of sampled requests, by what became of them.", ("result",)),
        Family("gateway_alerts", "counter", "Alerts to webhooks, by what became of them.", ("kind", "result")),
        Family("gateway_ledger_rows", "counter", "Rows of the ledger, by what became of them.", ("result",)),
        Family("gateway_ledger_up", "gauge", "1 when the ledger's database takes rows, 0 when it is away.", ()),
        Family("gateway_ledger_queue_rows", "gauge", "Rows that wait in memory.", ()),
        Family("gateway_ledger_spool_bytes", "gauge", "Bytes that wait in the spool.", ()),
        Family("gateway_ledger_lag_seconds", "gauge", "Age of the oldest row that is not in the database yet.", ()),
        Family("gateway_audit_lines", "counter", "Lines of the audit log, by what became of them.", ("result",)),
        Family("gateway_resident_bytes", "gauge", "Resident memory of all workers.", ()),
    )
}

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the histograms' buckets."""
