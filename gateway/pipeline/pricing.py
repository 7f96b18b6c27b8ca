"""What an exchange that is over has cost, and what it has saved. Once for each, before anybody is told.

Lives here: which price is whose. A gateway whose config asks for no money has none of this. Law: the cost is that of
the target that answered, failed attempts cost nothing, and what is not known is None, never 0.

    saved by      is what
    cache         the kept answer cost whoever it was fetched for
    free-key      the answer costs at the list's price, with a key that is `free`
    target        the same tokens would have cost at the model that the client named, less what they cost
"""

from __future__ import annotations

from typing import Final

from gateway.core.exchange import Exchange, Operation
from gateway.core.usage import Usage
from gateway.policy.estimate import Estimator, used_by
from gateway.providers.prices import LOCAL, PriceBook
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics

_NOT_BILLED: Final[frozenset[Operation]] = frozenset(("count-tokens", "models", "moderations"))
"""What vendors take no money for."""
_OTHERWISE: Final[frozenset[Operation]] = frozenset(("images", "audio", "rerank", "other"))
"""What is billed by the picture, the minute or the search where a reply says no tokens."""


class Pricing:
    """Prices exchanges under one config."""

    __slots__ = ("_estimator", "_log", "_metrics", "_prices", "_told")

    def __init__(self, prices: PriceBook, estimator: Estimator, metrics: Metrics, log: Log) -> None:
        self._prices = prices.found
        self._estimator = estimator
        self._metrics = metrics
        self._log = log
        self._told: set[tuple[str, str]] = set()

    def __call__(self, exchange: Exchange) -> None:
        """Fill in cost, price_source, saved and saved_by."""
        spared = exchange.spared
        if spared is not None and spared.usage is not None:
            price = self._prices[spared.provider, spared.model]
            if price is not None:
                self._save(exchange, price.cost(spared.usage, exchange.wall), "cache")
        attempts = exchange.attempts
        if not attempts or exchange.outcome == "error":
            exchange.cost = 0
            return
        if exchange.usage is None:
            self._estimator.guess(exchange)
        usage = used_by(exchange)
        used = usage.input or usage.output
        if not used and _is_nothing(exchange):
            exchange.cost = 0
            return
        price = self._prices[exchange.provider, exchange.model]
        unknown = not used or (exchange.usage is None and exchange.call.operation in _OTHERWISE)
        if price is None or (unknown and price.source != LOCAL):
            self._tell_unpriced(exchange)
            return
        cost = price.cost(usage, exchange.wall)
        exchange.price_source = price.source
        if attempts[-1].free:
            self._save(exchange, cost, "free-key")
            cost = 0
        elif not exchange.saved and exchange.model != exchange.call.model:
            self._save(exchange, self._dearer(exchange, usage) - cost, "target")
        exchange.cost = cost

    def _dearer(self, exchange: Exchange, usage: Usage) -> int:
        """What the model that the client named would have cost for the same tokens; 0 where that is not known."""
        price = self._prices["", exchange.call.model]
        return 0 if price is None else price.cost(usage, exchange.wall)

    def _tell_unpriced(self, exchange: Exchange) -> None:
        self._metrics.count_unpriced(exchange.router, exchange.provider, exchange.label)
        target = exchange.provider, exchange.label
        if target not in self._told:
            # Labels are few, whatever names clients make up.
            self._told.add(target)
            self._log.write(
                "warning",
                "price not known",
                {"provider": exchange.provider, "model": exchange.model, "operation": exchange.call.operation},
            )

    def _save(self, exchange: Exchange, amount: int, by: str) -> None:
        if amount > 0:
            exchange.saved += amount
            exchange.saved_by = exchange.saved_by or by
            self._metrics.count_saved(exchange.router, by, amount)


def _is_nothing(exchange: Exchange) -> bool:
    """Whether no tokens means no bill: the provider said so, it never sends one, or nothing came of it."""
    last = exchange.attempts[-1]
    if exchange.usage is not None or (last.fault is not None and not last.first_byte):
        return True
    return exchange.call.operation in _NOT_BILLED or exchange.method in ("GET", "HEAD", "DELETE", "OPTIONS")
