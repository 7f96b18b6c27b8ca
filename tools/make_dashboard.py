"""Writes helm/files/dashboard.json, the Grafana dashboard: `make schema` runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).resolve().parents[1] / "helm" / "files" / "dashboard.json"

Panel = dict[str, Any]
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_ROUTER: Final = 'router=~"$router"'


def graph(
    title: str, unit: str, said: str, *queries: tuple[str, str], stacked: bool = False, least: int | None = 0
) -> Panel:
    """queries: PromQL, and how a series is named. least: where the axis begins, None for wherever the values do."""
    return {
        "type": "timeseries", "title": title, "description": said, "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {
                "unit": unit, "min": least,
                "custom": {"fillOpacity": 20 if stacked else 0, "stacking": {"mode": "normal" if stacked else "none"}},
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"]}},
        "targets": [
            {"refId": chr(65 + n), "expr": query, "legendFormat": name, "datasource": _SOURCE}
            for n, (query, name) in enumerate(queries)
        ],
    }  # fmt: skip


def rate(metric: str, by: str, where: str = _ROUTER) -> str:
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str) -> str:
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', f'le, {by}')})"


ROWS: Final[dict[str, list[Panel]]] = {
    "Requests": [
        graph(
            "Requests",
            "reqps",
            "Requests that ended, by router.",
            (rate("gateway_requests_total", "router"), "{{router}}"),
            stacked=True,
        ),
        graph(
            "Not ended well",
            "percentunit",
            "Errors and broken streams, without 4xx and clients that left.",
            (
                rate("gateway_requests_total", "router", f'{_ROUTER}, outcome=~"error|broken", status!~"4.."')
                + " / "
                + rate("gateway_requests_total", "router", f'{_ROUTER}, outcome!="disconnected"'),
                "{{router}}",
            ),
        ),
        graph(
            "Duration",
            "s",
            "From the head of a request to the end of its reply.",
            (quantile(0.5, "gateway_request_duration_seconds", "router"), "p50 {{router}}"),
            (quantile(0.95, "gateway_request_duration_seconds", "router"), "p95 {{router}}"),
        ),
        graph(
            "Time to first token",
            "s",
            "Of streams, retries included.",
            (quantile(0.5, "gateway_time_to_first_token_seconds", "provider"), "p50 {{provider}}"),
            (quantile(0.95, "gateway_time_to_first_token_seconds", "provider"), "p95 {{provider}}"),
        ),
        graph(
            "Errors told to clients",
            "reqps",
            "By code: docs/errors.md.",
            (rate("gateway_errors_total", "code"), "{{code}}"),
            stacked=True,
        ),
        graph(
            "Under way",
            "short",
            "Requests in flight, by process.",
            ("sum by (instance) (gateway_requests_in_flight)", "{{instance}}"),
        ),
    ],
    "Providers": [
        graph(
            "Share of each provider",
            "reqps",
            "Does the balancing do as it should?",
            (rate("gateway_requests_total", "provider", f'{_ROUTER}, provider!=""'), "{{provider}}"),
            stacked=True,
        ),
        graph(
            "Faults",
            "reqps",
            "Attempts that failed.",
            (rate("gateway_faults_total", "provider, kind", ""), "{{provider}} {{kind}}"),
            stacked=True,
        ),
        graph(
            "Breakers",
            "short",
            "0 closed, 1 half open, 2 open.",
            ("max by (provider, model) (gateway_breaker_state) > 0", "{{provider}} {{model}}"),
        ),
        graph(
            "Keys that cannot be used",
            "short",
            "Resting after a 429, or refused.",
            ('sum by (provider, state) (gateway_keys{state!="active"}) > 0', "{{provider}} {{state}}"),
        ),
        graph(
            "Attempts under way",
            "short",
            "By target.",
            ("sum by (provider, model) (gateway_target_in_flight)", "{{provider}} {{model}}"),
        ),
        graph("Tokens", "short", "A second, by kind.", (rate("gateway_tokens_total", "kind"), "{{kind}}")),
    ],
    "Money": [
        graph(
            "Cost",
            "currencyUSD",
            "Of an hour, by router.",
            (f"sum by (router) (increase(gateway_cost_usd_total{{{_ROUTER}}}[1h]))", "{{router}}"),
            stacked=True,
        ),
        graph(
            "Saved",
            "currencyUSD",
            "In an hour: by answers that were kept, cheaper targets and free keys.",
            (f"sum by (by) (increase(gateway_saved_usd_total{{{_ROUTER}}}[1h]))", "{{by}}"),
            stacked=True,
        ),
        graph(
            "Budgets",
            "percentunit",
            "What is spent of each, of its window: at 1 requests are refused, or a cheaper model answers.",
            (
                "max by (kind, consumer, window) (gateway_budget_spent_ratio)",
                "{{kind}} {{consumer}} per {{window}}",
            ),
        ),
        graph(
            "Balances",
            "currencyUSD",
            "What is left of what was paid in; below 0 it is overdrawn.",
            ("min by (kind, consumer) (gateway_quota_remaining_usd)", "{{kind}} {{consumer}}"),
            least=None,
        ),
        graph(
            "Refused for money",
            "reqps",
            "Requests that a quota or a budget had no room for.",
            (rate("gateway_budget_refusals_total", "kind, account, action"), "{{kind}} {{account}} {{action}}"),
        ),
        graph(
            "Without a price",
            "reqps",
            "Requests whose cost is not known: their models want a price of yours.",
            (rate("gateway_unpriced_requests_total", "provider, model"), "{{provider}}/{{model}}"),
        ),
    ],
    "Records": [
        graph(
            "Rows of the ledger",
            "short",
            "A second, by what became of them.",
            (rate("gateway_ledger_rows_total", "result", ""), "{{result}}"),
        ),
        graph(
            "Rows that wait",
            "s",
            "Age of the oldest that is not in the database yet, by process.",
            ("max by (instance) (gateway_ledger_lag_seconds)", "{{instance}}"),
        ),
        graph(
            "Spool",
            "bytes",
            "On disk, while the database is away.",
            ("max by (instance) (gateway_ledger_spool_bytes)", "{{instance}}"),
        ),
        graph(
            "Lost",
            "short",
            "In an hour: rows dropped or set aside, audit lines, spans and webhooks that reached nobody.",
            (
                'sum by (result) (increase(gateway_ledger_rows_total{result=~"dropped|refused|damaged"}[1h]))',
                "rows {{result}}",
            ),
            (
                'sum by (result) (increase(gateway_audit_lines_total{result=~"dropped|failed"}[1h]))',
                "audit lines {{result}}",
            ),
            ('sum by (result) (increase(gateway_trace_spans_total{result!="exported"}[1h]))', "spans {{result}}"),
            (
                'sum by (result) (increase(gateway_alerts_total{result=~"dropped|failed"}[1h]))',
                "webhooks {{result}}",
            ),
        ),
    ],
    "Policies": [
        graph(
            "Refused by limits",
            "reqps",
            "The gateway's own limits.",
            (
                rate("gateway_limit_denials_total", "router, scope, enforced"),
                "{{router}} {{scope}} enforced={{enforced}}",
            ),
        ),
        graph("Shared store", "short", "1 when it answers.", ("min by (instance) (gateway_store_up)", "{{instance}}")),
        graph(
            "Reloads",
            "short",
            "Configurations taken in use and refused, in an hour.",
            ("sum by (result) (increase(gateway_config_reloads_total[1h]))", "{{result}}"),
        ),
    ],
}


def dashboard() -> dict[str, Any]:
    panels: list[Panel] = []
    y = 0
    for title, row in ROWS.items():
        panels.append({"type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        for place, panel in enumerate(row):
            panels.append({**panel, "gridPos": {"x": 12 * (place % 2), "y": y + 8 * (place // 2), "w": 12, "h": 8}})
        y += 8 * ((len(row) + 1) // 2)
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    router = {
        "name": "router", "type": "query", "datasource": _SOURCE, "multi": True, "includeAll": True, "allValue": ".*",
        "query": {"query": "label_values(gateway_requests_total, router)", "refId": "router"}, "refresh": 2,
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": "router-gateway", "title": "router-gateway", "tags": ["router-gateway"], "schemaVersion": 39,
        "timezone": "", "refresh": "30s", "time": {"from": "now-6h", "to": "now"}, "editable": True,
        "templating": {"list": [source, router]}, "panels": panels,
    }  # fmt: skip


def made() -> dict[Path, str]:
    """The file, and what is to stand in it."""
    return {FILE: json.dumps(dashboard(), indent=1) + "\n"}


def main() -> int:
    stale = not FILE.exists() or FILE.read_text("utf-8") != made()[FILE]
    if stale and "--check" in sys.argv:
        print("helm/files/dashboard.json is stale: make schema", file=sys.stderr)
        return 1
    FILE.write_text(made()[FILE], "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
