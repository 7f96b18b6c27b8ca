"""What is counted, and the one function that counts an exchange.

Counting is on the path of every request, so a label set is looked up once and its numbers are
plain attributes; the exposition makes metrics of them when it is asked (docs/adr/0004).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import add
from typing import Final, TypeVar

from gateway.core.exchange import Exchange
from gateway.core.money import NANO
from gateway.telemetry.families import SECONDS

Sample = tuple[str, tuple[str, ...], float]
"""A family's name (histograms: with `_bucket`, `_sum`, `_count`), its label values, its value."""

Key = TypeVar("Key")

CELLS = 20_000
"""So many label sets at most; what comes later is counted under `other`."""


class Histogram:
    """Counts by upper bound; not cumulative until it is read."""

    __slots__ = ("counts", "total")

    def __init__(self, counts: Iterable[float] = (0,) * (len(SECONDS) + 1), total: float = 0.0) -> None:
        self.counts = list(counts)
        self.total = total

    def observe(self, value: float) -> None:
        self.counts[bisect_left(SECONDS, value)] += 1
        self.total += value

    def samples(self, name: str, labels: tuple[str, ...]) -> Iterator[Sample]:
        running = 0.0
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self.counts, strict=True):
            running += count
            yield f"{name}_bucket", (*labels, bound), running
        yield f"{name}_count", labels, running
        yield f"{name}_sum", labels, self.total


(
    _COUNT, _INPUT, _OUTPUT, _SECONDS, _COST, _CACHED, _CACHE_WRITE, _REASONING, _AUDIO_INPUT, _AUDIO_OUTPUT,
    _UNMETERED,
) = range(11)  # fmt: skip
_FIRST_SECONDS: Final = 11
_DURATION: Final = 12
_FIRST: Final = _DURATION + len(SECONDS) + 1
_EMPTY: Final = array("d", [0.0] * (_FIRST + len(SECONDS) + 1))
"""The numbers of a cell, by place: what each request adds to stands first, then the buckets of the two histograms."""
_TOKENS: Final = {
    "input": _INPUT, "output": _OUTPUT, "cached": _CACHED, "cache_write": _CACHE_WRITE, "reasoning": _REASONING,
    "audio_input": _AUDIO_INPUT, "audio_output": _AUDIO_OUTPUT,
}  # fmt: skip

Labels = tuple[str, str, str, str, int, str]
"""Router, provider, model, operation, status, outcome."""


class Metrics:
    """The process's counters. total_cost, total_saved: nano-USD."""

    def __init__(self) -> None:
        # A cell is one piece of memory: with a thousand routers asked in turn, every object that is a router's own is a
        # miss of the processor's caches in each of its requests.
        self._cells: dict[Labels, array[float]] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._faults: dict[tuple[str, str, str], int] = {}
        self._errors: dict[tuple[str, str], int] = {}
        self._dropped: dict[tuple[str, str], int] = {}
        self._cache: dict[tuple[str, str], int] = {}
        self._denials: dict[tuple[str, str, str, str], int] = {}
        self._short_of_money: dict[tuple[str, str, str, str], int] = {}
        self._unpriced: dict[tuple[str, str, str], int] = {}
        self._rules: dict[tuple[str, str, str], int] = {}
        self._saved: dict[tuple[str, str], int] = {}
        self._reloads = {"ok": 0, "rejected": 0}
        self._store_errors: dict[str, int] = {}
        self._audit_lines: dict[str, int] = {}
        self._spans: dict[str, int] = {}
        self._ledger_rows: dict[str, int] = {}
        self._alerts: dict[tuple[str, str], int] = {}
        self.total_requests = 0
        self.total_cost = 0
        self.total_saved = 0
        self.total_unpriced = 0

    def copy(self) -> Metrics:
        """What is counted by now, for a thread that reads it while this one goes on counting."""
        twin = Metrics()
        for name, value in vars(self).items():
            setattr(twin, name, dict(value) if isinstance(value, dict) else value)
        twin._cells = {key: cell[:] for key, cell in self._cells.items()}
        return twin

    def settle(self, exchange: Exchange) -> None:
        """Count one exchange, when everything about it is known."""
        self.total_requests += 1
        call = exchange.call
        key = (
            exchange.router, exchange.provider, exchange.label, call.operation, exchange.status, exchange.outcome,
        )  # fmt: skip
        cell = self._cells.get(key)
        if cell is None:
            cell = self._new_cell(key)
        took = exchange.ended - exchange.started
        cell[_COUNT] += 1
        cell[_SECONDS] += took
        cell[_DURATION + bisect_left(SECONDS, took)] += 1
        if exchange.first_byte and call.stream:
            waited = exchange.first_byte - exchange.started
            cell[_FIRST_SECONDS] += waited
            cell[_FIRST + bisect_left(SECONDS, waited)] += 1
        usage = exchange.usage
        if usage is not None:
            cell[_INPUT] += usage.input
            cell[_OUTPUT] += usage.output
            if usage.cached:
                cell[_CACHED] += usage.cached
            if usage.cache_write_5m or usage.cache_write_1h:
                cell[_CACHE_WRITE] += usage.cache_write_5m + usage.cache_write_1h
            if usage.reasoning:
                cell[_REASONING] += usage.reasoning
            if usage.audio_input or usage.audio_output:
                cell[_AUDIO_INPUT] += usage.audio_input
                cell[_AUDIO_OUTPUT] += usage.audio_output
        elif exchange.outcome == "ok" and exchange.provider:
            cell[_UNMETERED] += 1
        if exchange.cost:
            cell[_COST] += exchange.cost
            self.total_cost += exchange.cost
        attempts = self._attempts
        for attempt in exchange.attempts:
            target = (attempt.provider, attempt.label)
            attempts[target] = attempts.get(target, 0) + 1
            if attempt.fault is not None:
                self._add(self._faults, (*target, attempt.fault))
        if exchange.error_code:
            self._add(self._errors, (exchange.router, exchange.error_code))
        if exchange.losses:
            for field in exchange.losses:
                self._add(self._dropped, (exchange.router, field))

    def count_reload(self, result: str) -> None:
        """result: `ok` or `rejected`."""
        self._reloads[result] += 1

    def count_cache(self, router: str, result: str) -> None:
        """result: what the cache did, as docs/metrics.md has it."""
        self._add(self._cache, (router, result))

    def count_denial(self, router: str, scope: str, unit: str, *, enforced: bool) -> None:
        """A limit without room for a request. enforced: the request was refused for it."""
        self._add(self._denials, (router, scope, unit, "true" if enforced else "false"))

    def count_short_of_money(self, router: str, kind: str, account: str, action: str) -> None:
        """A request that did not fit. kind: of who pays. account: `quota` or `budget`. action:
        `refused` or `downgraded`."""
        self._add(self._short_of_money, (router, kind, account, action))

    def count_rule(self, router: str, model: str, rule: str) -> None:
        """What a virtual model has decided: a rule of the config, `` where none matched."""
        self._add(self._rules, self._bounded(self._rules, (router, model, rule)))

    def count_unpriced(self, router: str, provider: str, model: str) -> None:
        """A request that used something whose price is not known."""
        self.total_unpriced += 1
        self._add(self._unpriced, self._bounded(self._unpriced, (router, provider, model)))

    def count_saved(self, router: str, by: str, nano: int) -> None:
        """What was not spent for a request, and why: `cache`, `target` or `free-key`."""
        self._saved[router, by] = self._saved.get((router, by), 0) + nano
        self.total_saved += nano

    def count_store_error(self, kind: str) -> None:
        """A call of the shared store that failed."""
        self._add(self._store_errors, kind)

    def count_spans(self, result: str, spans: int) -> None:
        """result: `exported`, `failed` or `dropped`."""
        self._spans[result] = self._spans.get(result, 0) + spans

    def count_alert(self, kind: str, result: str) -> None:
        """result: `delivered`, `failed`, `dropped` or `repeated`."""
        self._add(self._alerts, (kind, result))

    def expect_ledger(self) -> None:
        """Show from the start what may be lost of a ledger: Prometheus sees no increase in what begins above 0."""
        for result in ("dropped", "refused", "damaged"):
            self._ledger_rows.setdefault(result, 0)

    def count_ledger(self, result: str, rows: int) -> None:
        """Rows of the ledger, and what became of them."""
        if rows:
            self._ledger_rows[result] = self._ledger_rows.get(result, 0) + rows

    def expect_audit(self) -> None:
        """Show all results from the start, as of the ledger; before the thread that counts them begins."""
        for result in ("written", "dropped", "failed"):
            self._audit_lines.setdefault(result, 0)

    def count_audit(self, result: str, lines: int) -> None:
        """Lines of the audit log. result: `written`, `dropped` or `failed`. expect_audit() comes first: another thread
        counts here, and adds no key."""
        self._audit_lines[result] += lines

    def samples(self) -> Iterator[Sample]:
        """Everything that adds up over workers."""
        totals: dict[tuple[str, str, str], array[float]] = {}
        for (router, provider, model, operation, status, outcome), cell in self._cells.items():
            labels = (router, provider, model)
            yield "gateway_requests_total", (*labels, operation, str(status), outcome), cell[_COUNT]
            before = totals.get(labels, _EMPTY)
            totals[labels] = array("d", map(add, before, cell))
        for labels, total in totals.items():
            duration = Histogram(total[_DURATION:_FIRST], total[_SECONDS])
            yield from duration.samples("gateway_request_duration_seconds", labels)
            first_token = Histogram(total[_FIRST:], total[_FIRST_SECONDS])
            if any(first_token.counts):
                yield from first_token.samples("gateway_time_to_first_token_seconds", labels)
            for kind, place in _TOKENS.items():
                if total[place]:
                    yield "gateway_tokens_total", (*labels, kind), total[place]
            if total[_UNMETERED]:
                yield "gateway_requests_without_usage_total", labels, total[_UNMETERED]
            if total[_COST]:
                yield "gateway_cost_usd_total", labels, total[_COST] / NANO
        for target, count in self._attempts.items():
            yield "gateway_attempts_total", target, count
        for fault, count in self._faults.items():
            yield "gateway_faults_total", fault, count
        for error, count in self._errors.items():
            yield "gateway_errors_total", error, count
        for dropped, count in self._dropped.items():
            yield "gateway_dropped_total", dropped, count
        for looked_up, count in self._cache.items():
            yield "gateway_cache_requests_total", looked_up, count
        for denial, count in self._denials.items():
            yield "gateway_limit_denials_total", denial, count
        for short, count in self._short_of_money.items():
            yield "gateway_budget_refusals_total", short, count
        for decided, count in self._rules.items():
            yield "gateway_rule_decisions_total", decided, count
        for unpriced, count in self._unpriced.items():
            yield "gateway_unpriced_requests_total", unpriced, count
        for saved, nano in self._saved.items():
            yield "gateway_saved_usd_total", saved, nano / NANO
        for result, count in self._reloads.items():
            yield "gateway_config_reloads_total", (result,), count
        for result, count in self._ledger_rows.items():
            yield "gateway_ledger_rows_total", (result,), count
        for result, count in self._audit_lines.items():
            yield "gateway_audit_lines_total", (result,), count
        for kind, count in self._store_errors.items():
            yield "gateway_store_errors_total", (kind,), count
        # Another thread counts these: it may find a result for the first time meanwhile.
        for result, count in tuple(self._spans.items()):
            yield "gateway_trace_spans_total", (result,), count
        for alert, count in self._alerts.items():
            yield "gateway_alerts_total", alert, count

    def _new_cell(self, key: Labels) -> array[float]:
        if len(self._cells) >= CELLS:
            key = ("other", "other", "other", *key[3:])
        return self._cells.setdefault(key, array("d", _EMPTY))

    @staticmethod
    def _bounded(counts: dict[tuple[str, str, str], int], key: tuple[str, str, str]) -> tuple[str, str, str]:
        return key if key in counts or len(counts) < CELLS else ("other", "other", "other")

    @staticmethod
    def _add(counts: dict[Key, int], key: Key, more: int = 1) -> None:
        counts[key] = counts.get(key, 0) + more
