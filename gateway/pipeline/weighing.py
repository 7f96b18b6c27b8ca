"""What a request is thought to cost at each of its targets, before anybody is asked."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.exchange import Exchange
from gateway.core.usage import Usage
from gateway.pipeline.target import Target
from gateway.providers.prices import PriceBook
from gateway.runtime import Runtime


class Weighing:
    """Weighs by the prices of a config and by what the process has learned of its models."""

    __slots__ = ("_cost", "_estimator")

    def __init__(self, prices: PriceBook, runtime: Runtime) -> None:
        self._cost = prices.cost
        self._estimator = runtime.estimator

    def __call__(self, exchange: Exchange, targets: Sequence[Target]) -> list[int | None]:
        """In nano-USD, None where a price is not known. A request that nothing can be thought of costs what one of a
        thousand tokens each way does: it is the order that counts."""
        estimate = self._estimator.of(exchange)
        usage = Usage(estimate.input, estimate.output) if estimate.raw else Usage(1000, 1000)
        when = exchange.wall
        return [self._cost(target.endpoint.name, target.model, usage, when) for target in targets]
