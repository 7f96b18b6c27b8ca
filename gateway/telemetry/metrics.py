"""What is counted, and the one function that counts an exchange.

Counting is on the path of every request, so a label set is looked up once and its numbers are
plain attributes; the exposition makes metrics of them when it is asked (docs/adr/0004).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TypeVar

from gateway.core.exchange import Exchange
from gateway.telemetry.families import SECONDS

Sample = tuple[str, tuple[str, ...], float]
"""A family's name (histograms: with `_bucket`, `_sum`, `_count`), its label values, its value."""

Key = TypeVar("Key")

CELLS = 20_000
"""So many label sets at most; what comes later is counted under `other`."""


class Histogram:
    """Counts by upper bound; not cumulative until it is read."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(SECONDS, value)] += 1
        self.total += value

    def samples(self, name: str, labels: tuple[str, ...]) -> Iterator[Sample]:
        running = 0
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self.counts, strict=True):
            running += count
            yield f"{name}_bucket", (*labels, bound), running
        yield f"{name}_count", labels, running
        yield f"{name}_sum", labels, self.total


class Cell:
    """The numbers of one (router, provider, model)."""

    __slots__ = (
        "audio_input", "audio_output", "cache_write", "cached", "duration", "first_token", "input", "output",
        "reasoning", "requests", "without_usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int, str], int] = {}
        self.duration = Histogram()
        self.first_token = Histogram()
        self.input = 0
        self.output = 0
        self.cached = 0
        self.cache_write = 0
        self.reasoning = 0
        self.audio_input = 0
        self.audio_output = 0
        self.without_usage = 0


class Metrics:
    """The process's counters."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], Cell] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._faults: dict[tuple[str, str, str], int] = {}
        self._errors: dict[tuple[str, str], int] = {}
        self._reloads = {"ok": 0, "rejected": 0}
        self.total_requests = 0

    def settle(self, exchange: Exchange) -> None:
        """Count one exchange, when everything about it is known."""
        self.total_requests += 1
        key = (exchange.router, exchange.provider, exchange.label)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._new_cell(key)
        sort = (exchange.call.operation, exchange.status, exchange.outcome)
        requests = cell.requests
        requests[sort] = requests.get(sort, 0) + 1
        cell.duration.observe(exchange.ended - exchange.started)
        if exchange.first_byte and exchange.call.stream:
            cell.first_token.observe(exchange.first_byte - exchange.started)
        usage = exchange.usage
        if usage is not None:
            cell.input += usage.input
            cell.output += usage.output
            if usage.cached:
                cell.cached += usage.cached
            if usage.cache_write_5m or usage.cache_write_1h:
                cell.cache_write += usage.cache_write_5m + usage.cache_write_1h
            if usage.reasoning:
                cell.reasoning += usage.reasoning
            if usage.audio_input or usage.audio_output:
                cell.audio_input += usage.audio_input
                cell.audio_output += usage.audio_output
        elif exchange.outcome == "ok" and exchange.provider:
            cell.without_usage += 1
        attempts = self._attempts
        for attempt in exchange.attempts:
            target = (attempt.provider, attempt.label)
            attempts[target] = attempts.get(target, 0) + 1
            if attempt.fault is not None:
                self._add(self._faults, (*target, attempt.fault))
        if exchange.error_code:
            self._add(self._errors, (exchange.router, exchange.error_code))

    def count_reload(self, result: str) -> None:
        """result: `ok` or `rejected`."""
        self._reloads[result] += 1

    def samples(self) -> Iterator[Sample]:
        """Everything that adds up over workers."""
        for labels, cell in self._cells.items():
            for (operation, status, outcome), count in cell.requests.items():
                yield "gateway_requests_total", (*labels, operation, str(status), outcome), count
            yield from cell.duration.samples("gateway_request_duration_seconds", labels)
            if any(cell.first_token.counts):
                yield from cell.first_token.samples("gateway_time_to_first_token_seconds", labels)
            for kind in ("input", "output", "cached", "cache_write", "reasoning", "audio_input", "audio_output"):
                count = getattr(cell, kind)
                if count:
                    yield "gateway_tokens_total", (*labels, kind), count
            if cell.without_usage:
                yield "gateway_requests_without_usage_total", labels, cell.without_usage
        for target, count in self._attempts.items():
            yield "gateway_attempts_total", target, count
        for fault, count in self._faults.items():
            yield "gateway_faults_total", fault, count
        for error, count in self._errors.items():
            yield "gateway_errors_total", error, count
        for result, count in self._reloads.items():
            yield "gateway_config_reloads_total", (result,), count

    def _new_cell(self, key: tuple[str, str, str]) -> Cell:
        if len(self._cells) >= CELLS:
            key = ("other", "other", "other")
        return self._cells.setdefault(key, Cell())

    @staticmethod
    def _add(counts: dict[Key, int], key: Key) -> None:
        counts[key] = counts.get(key, 0) + 1
