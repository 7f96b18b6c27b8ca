"""The end of an exchange: limits are corrected, the record is written, everything is counted. Once for each."""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.exchange import Exchange
from gateway.telemetry.metrics import Metrics


class Settlement:
    """now: clock seconds. record: takes what has settled, None where nothing is kept."""

    __slots__ = ("_count", "_now", "_record")

    def __init__(
        self, now: Callable[[], float], metrics: Metrics, record: Callable[[Exchange], None] | None = None
    ) -> None:
        self._now = now
        self._count = metrics.settle
        self._record = record

    def __call__(self, exchange: Exchange) -> None:
        """Settle an exchange. The order counts: what settles says what it has cost."""
        exchange.ended = self._now()
        for settle in exchange.on_settle:
            settle(exchange)
        if self._record is not None:
            self._record(exchange)
        self._count(exchange)
