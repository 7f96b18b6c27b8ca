"""The end of an exchange: it is priced, limits are corrected, the record is written, all is counted. Once for each."""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.errors import REFUSED
from gateway.core.exchange import Exchange
from gateway.telemetry.metrics import Metrics


class Settlement:
    """now: clock seconds. record: takes what has settled, None where nothing is kept. price: says what it has cost,
    None where nobody asks."""

    __slots__ = ("_count", "_now", "_price", "_record")

    def __init__(
        self,
        now: Callable[[], float],
        metrics: Metrics,
        record: Callable[[Exchange], None] | None = None,
        price: Callable[[Exchange], None] | None = None,
    ) -> None:
        self._now = now
        self._count = metrics.settle
        self._record = record
        self._price = price

    def __call__(self, exchange: Exchange) -> None:
        """Settle an exchange. The order counts: what settles goes by what it has cost."""
        exchange.ended = self._now()
        if self._price is not None:
            self._price(exchange)
        for settle in exchange.on_settle:
            settle(exchange)
        if exchange.on_refusal and exchange.error_code in REFUSED:
            for give_back in exchange.on_refusal:
                give_back()
        if self._record is not None:
            self._record(exchange)
        self._count(exchange)
