"""The end of an exchange: it is priced, limits are corrected, the record is written, all is counted. Once for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.core.errors import REFUSED
from gateway.core.exchange import Exchange
from gateway.telemetry.metrics import Metrics


class Settlement:
    """now: clock seconds. record: takes what has settled, None where nothing is kept. price: says what it has cost,
    None where nobody asks.

    What went well, corrects no limit and is to be recorded settles at the end of the event loop's turn. Its reply does
    not wait for that, and under load there are ten at once, which are taken through each step together: the second and
    all after it cost half, because the code of the step is in the processor's caches."""

    __slots__ = ("_count", "_now", "_over", "_price", "_record")

    def __init__(
        self,
        now: Callable[[], float],
        metrics: Metrics,
        record: Callable[[Sequence[Exchange]], None] | None = None,
        price: Callable[[Exchange], None] | None = None,
    ) -> None:
        self._now = now
        self._count = metrics.settle
        self._record = record
        self._price = price
        self._over: list[Exchange] = []

    def __call__(self, exchange: Exchange) -> None:
        """Settle an exchange, which nobody changes any more."""
        exchange.ended = self._now()
        record = self._record
        if record is not None:
            if not (exchange.on_settle or exchange.charged or exchange.error_code):
                self._over.append(exchange)
                if len(self._over) == 1:
                    asyncio.get_running_loop().call_soon(self._settle_all)
                return
            # Records are in the order in which exchanges end.
            self._settle_all()
        # The order counts: what settles goes by what it has cost.
        if self._price is not None:
            self._price(exchange)
        for settle in exchange.on_settle:
            settle(exchange)
        # What they hold may hold the exchange: together they would be garbage that waits for the collector.
        exchange.on_settle.clear()
        if exchange.on_refusal and exchange.error_code in REFUSED:
            for give_back in exchange.on_refusal:
                give_back()
        if record is not None:
            record((exchange,))
        self._count(exchange)

    def _settle_all(self) -> None:
        record = self._record
        assert record is not None
        over, self._over = self._over, []
        if not over:
            return
        if self._price is not None:
            over = _each(self._price, over)
        try:
            record(over)
        except Exception:
            # None of them is recorded yet: one by one each says what is wrong with it.
            over = _each(lambda exchange: record((exchange,)), over)
        _each(self._count, over)


def _each(step: Callable[[Exchange], None], exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Take all of them through a step; those that came through. A bug is one's own, no reason to lose the others."""
    done = []
    for exchange in exchanges:
        try:
            step(exchange)
        except Exception as bug:
            told = {"message": f"the request {exchange.id} did not settle", "exception": bug}
            asyncio.get_running_loop().call_exception_handler(told)
        else:
            done.append(exchange)
    return done
