from __future__ import annotations

import pytest

from gateway.core.errors import FaultKind
from gateway.core.exchange import Attempt, Call, Exchange, Outcome
from gateway.core.usage import Usage
from gateway.telemetry.families import FAMILIES, SECONDS
from gateway.telemetry.metrics import Histogram, Metrics

ROUTE = ("prod", "openai", "gpt-4o")


def settled(
    *,
    router: str = "prod",
    provider: str = "openai",
    label: str = "gpt-4o",
    stream: bool = False,
    status: int = 200,
    outcome: Outcome = "ok",
    usage: Usage | None = None,
    first_byte: float = 0.0,
    seconds: float = 1.0,
    code: str = "",
    attempts: tuple[Attempt, ...] = (),
    cost: int | None = None,
) -> Exchange:
    exchange = Exchange(
        "1", "POST", "/chat/completions", b"", [], b"", Call("openai", "chat", "", stream=stream), router, 100.0, 0.0
    )
    exchange.provider, exchange.label, exchange.status, exchange.outcome = provider, label, status, outcome
    exchange.usage, exchange.first_byte, exchange.ended, exchange.error_code = usage, first_byte, 100.0 + seconds, code
    exchange.attempts.extend(attempts)
    exchange.cost = cost
    return exchange


def table(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    samples = list(metrics.samples())
    found = {(name, labels): value for name, labels, value in samples}
    assert len(found) == len(samples), "the same sample twice"
    return found


def attempt(provider: str, label: str, fault: FaultKind | None = None) -> Attempt:
    return Attempt(provider, "whatever-the-client-wrote", label, "main", 0.0, fault=fault)


def test_a_request_is_counted_by_its_end() -> None:
    metrics = Metrics()
    metrics.settle(settled())
    metrics.settle(settled())
    metrics.settle(settled(status=429, outcome="error", code="upstream_rate_limited"))
    found = table(metrics)
    assert found["gateway_requests_total", (*ROUTE, "chat", "200", "ok")] == 2
    assert found["gateway_requests_total", (*ROUTE, "chat", "429", "error")] == 1
    assert found["gateway_errors_total", ("prod", "upstream_rate_limited")] == 1
    assert metrics.total_requests == 3


def test_buckets_are_cumulative_and_end_with_all() -> None:
    histogram = Histogram()
    for value in (0.005, 0.006, 0.3, 1000.0):
        histogram.observe(value)
    samples = list(histogram.samples("h", ("a",)))
    buckets = [(labels[-1], value) for name, labels, value in samples if name == "h_bucket"]
    assert [bound for bound, _ in buckets] == [*map(str, SECONDS), "+Inf"]
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    by_bound = dict(buckets)
    assert (by_bound["0.005"], by_bound["0.01"], by_bound["0.5"], by_bound["600.0"]) == (1, 2, 3, 3)
    assert by_bound["+Inf"] == 4
    assert ("h_count", ("a",), 4) in samples
    assert ("h_sum", ("a",), 1000.311) in samples


def test_a_value_on_a_bound_is_within_it() -> None:
    for place, bound in enumerate(SECONDS):
        histogram = Histogram()
        histogram.observe(bound)
        assert histogram.counts.index(1) == place


def test_duration_is_from_head_to_end() -> None:
    metrics = Metrics()
    metrics.settle(settled(seconds=2.0))
    assert table(metrics)["gateway_request_duration_seconds_sum", ROUTE] == 2.0


def test_the_first_token_is_that_of_a_stream() -> None:
    metrics = Metrics()
    metrics.settle(settled(stream=True, first_byte=100.25))
    assert table(metrics)["gateway_time_to_first_token_seconds_sum", ROUTE] == 0.25


@pytest.mark.parametrize(("stream", "first_byte"), [(False, 100.25), (True, 0.0)])
def test_what_is_no_stream_or_never_began_has_no_first_token(stream: bool, first_byte: float) -> None:
    metrics = Metrics()
    metrics.settle(settled(stream=stream, first_byte=first_byte))
    assert not any(name.startswith("gateway_time_to_first_token") for name, _ in table(metrics))


def test_tokens_are_counted_by_kind_and_zeroes_not_at_all() -> None:
    metrics = Metrics()
    usage = Usage(input=10, output=4, cached=6, cache_write_5m=1, cache_write_1h=2, reasoning=3)
    metrics.settle(settled(usage=usage))
    metrics.settle(settled(usage=Usage(input=1, audio_output=5)))
    tokens = {labels[-1]: value for (name, labels), value in table(metrics).items() if name == "gateway_tokens_total"}
    assert tokens == {"input": 11, "output": 4, "cached": 6, "cache_write": 3, "reasoning": 3, "audio_output": 5}


@pytest.mark.parametrize(
    ("provider", "outcome", "usage", "counted"),
    [
        ("openai", "ok", None, True),
        ("openai", "ok", Usage(), False),
        ("openai", "error", None, False),
        ("openai", "disconnected", None, False),
        ("", "ok", None, False),
    ],
)
def test_a_good_reply_without_usage_is_visible(
    provider: str, outcome: Outcome, usage: Usage | None, counted: bool
) -> None:
    metrics = Metrics()
    metrics.settle(settled(provider=provider, outcome=outcome, usage=usage))
    found = table(metrics)
    assert (("gateway_requests_without_usage_total", ("prod", provider, "gpt-4o")) in found) is counted


def test_attempts_and_faults_count_where_they_were_made() -> None:
    metrics = Metrics()
    metrics.settle(
        settled(attempts=(attempt("anthropic", "claude", "connect"), attempt("openai", "gpt-4o"))),
    )
    found = table(metrics)
    assert found["gateway_attempts_total", ("anthropic", "claude")] == 1
    assert found["gateway_attempts_total", ("openai", "gpt-4o")] == 1
    assert found["gateway_faults_total", ("anthropic", "claude", "connect")] == 1
    assert not any(name == "gateway_faults_total" and labels[0] == "openai" for name, labels in found)


def test_no_label_is_what_a_client_wrote() -> None:
    metrics = Metrics()
    metrics.settle(settled(attempts=(attempt("openai", "other"),), label="other"))
    assert "whatever-the-client-wrote" not in repr(list(metrics.samples()))


def test_reloads_are_there_from_the_start() -> None:
    metrics = Metrics()
    metrics.count_reload("rejected")
    found = table(metrics)
    assert found["gateway_config_reloads_total", ("ok",)] == 0
    assert found["gateway_config_reloads_total", ("rejected",)] == 1


def test_denials_are_counted_by_limit_and_by_whether_they_count() -> None:
    metrics = Metrics()
    for enforced in (True, True, False):
        metrics.count_denial("prod", "per-team", "tokens", enforced=enforced)
    metrics.count_unpriced("prod", "alpha", "other")
    found = table(metrics)
    assert found["gateway_limit_denials_total", ("prod", "per-team", "tokens", "true")] == 2
    assert found["gateway_limit_denials_total", ("prod", "per-team", "tokens", "false")] == 1
    assert found["gateway_unpriced_requests_total", ("prod", "alpha", "other")] == 1


def test_money_adds_up_to_the_nano_dollar() -> None:
    metrics = Metrics()
    for status in (200, 200, 499):
        metrics.settle(settled(status=status, cost=500_000_001))
        metrics.count_saved("prod", "cache", 1_000_000_001)
    metrics.count_saved("prod", "free-key", 7)
    found = table(metrics)
    assert found["gateway_cost_usd_total", ("prod", "openai", "gpt-4o")] == 1.500000003
    assert found["gateway_saved_usd_total", ("prod", "cache")] == 3.000000003
    assert metrics.total_cost == 1_500_000_003
    assert metrics.total_saved == 3_000_000_010


def test_what_costs_nothing_or_nobody_knows_is_no_cost() -> None:
    metrics = Metrics()
    metrics.settle(settled(cost=0))
    metrics.settle(settled())
    assert "gateway_cost_usd_total" not in {name for name, _ in table(metrics)}
    assert metrics.total_cost == 0


def test_what_is_counted_by_model_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.telemetry.metrics.CELLS", 2)
    metrics = Metrics()
    for number in range(5):
        metrics.count_unpriced(f"r{number}", "openai", "gpt-4o")
        metrics.count_rule(f"r{number}", "auto", "auto:code")
    found = table(metrics)
    assert found["gateway_unpriced_requests_total", ("other", "other", "other")] == 3
    assert found["gateway_rule_decisions_total", ("other", "other", "other")] == 3


def test_label_sets_are_bounded_and_no_request_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.telemetry.metrics.CELLS", 3)
    metrics = Metrics()
    for number in range(10):
        metrics.settle(settled(router=f"r{number}", cost=10**9))
    metrics.settle(settled(router="r0"))
    assert table(metrics)["gateway_cost_usd_total", ("other", "other", "other")] == 7
    requests = {labels[:3]: v for (name, labels), v in table(metrics).items() if name == "gateway_requests_total"}
    assert requests == {
        ("r0", "openai", "gpt-4o"): 2,
        ("r1", "openai", "gpt-4o"): 1,
        ("r2", "openai", "gpt-4o"): 1,
        ("other", "other", "other"): 7,
    }


def test_every_sample_has_the_labels_of_its_family() -> None:
    metrics = Metrics()
    metrics.settle(
        settled(
            stream=True, first_byte=100.1, usage=Usage(input=1), code="draining", attempts=(attempt("a", "b", "cut"),)
        )
    )
    metrics.settle(settled(cost=1))
    lossy = settled()
    lossy.losses = ("seed",)
    metrics.settle(lossy)
    metrics.count_denial("prod", "total", "requests", enforced=True)
    metrics.count_unpriced("prod", "alpha", "other")
    metrics.count_rule("prod", "auto", "auto:code")
    metrics.count_saved("prod", "cache", 1)
    metrics.count_store_error("timeout")
    metrics.count_spans("exported", 2)
    metrics.count_alert("key-quarantined", "delivered")
    metrics.expect_audit()
    metrics.count_audit("written", 2)
    metrics.count_ledger("written", 2)
    metrics.count_short_of_money("prod", "team", "quota", "refused")
    metrics.count_cache("prod", "hit")
    seen = set()
    for name, labels, _ in metrics.samples():
        base = name
        for suffix in ("_total", "_bucket", "_sum", "_count"):
            base = base.removesuffix(suffix)
        seen.add(base)
        assert len(labels) == len(FAMILIES[base].labels) + name.endswith("_bucket")
    # What the ops pages read where it is counted is not counted here again.
    elsewhere = {"gateway_cache_evictions"}
    assert seen == {n for n, f in FAMILIES.items() if f.kind != "gauge"} - elsewhere


def test_what_may_be_lost_is_shown_before_anything_is() -> None:
    metrics = Metrics()
    before = {name for name, _, _ in metrics.samples()}
    assert before.isdisjoint({"gateway_ledger_rows_total", "gateway_audit_lines_total"})
    metrics.expect_ledger()
    metrics.expect_audit()
    shown = {(name, *labels): value for name, labels, value in metrics.samples()}
    for result in ("dropped", "refused", "damaged"):
        assert shown["gateway_ledger_rows_total", result] == 0
    for result in ("dropped", "failed"):
        assert shown["gateway_audit_lines_total", result] == 0
