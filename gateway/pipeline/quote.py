"""What a request may cost, before anybody is asked.

Law: it is the price at the dearest target that may answer, for the tokens that are expected, so that a failover does
not overspend. What has no price is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.core.exchange import GROUP_OF, Exchange, Group
from gateway.core.usage import Usage
from gateway.pipeline.candidates import Candidates
from gateway.policy.estimate import Estimator
from gateway.providers.prices import PriceBook


class Quotes:
    """groups: the targets of a route, by what is asked for. chosen: the lists beside it, as `Exchange.chosen` names
    them."""

    __slots__ = ("_estimator", "_groups", "_price", "chosen")

    def __init__(
        self,
        groups: Mapping[Group, Candidates],
        chosen: Mapping[str, Candidates],
        estimator: Estimator,
        prices: PriceBook,
    ) -> None:
        self._groups: Final = groups
        self.chosen: Final = chosen
        self._estimator = estimator
        self._price = prices.price

    def of(self, exchange: Exchange, chosen: str) -> int | None:
        """In nano-USD, at the list that was chosen, `` for the route's own."""
        estimate = self._estimator.of(exchange)
        return self.at(exchange, chosen, Usage(estimate.input, estimate.output))

    def at(self, exchange: Exchange, chosen: str, usage: Usage) -> int | None:
        """The same for so many tokens."""
        call = exchange.call
        candidates = (
            self.chosen.get(chosen) or self._groups.get(GROUP_OF[call.operation]) or self._groups.get("default")
        )
        if candidates is None:
            return None
        access = exchange.access
        dearest: int | None = None
        for target in candidates.plan(call, None if access is None else access.providers).targets:
            price = self._price(target.endpoint.name, target.model)
            if price is not None:
                dearest = max(dearest or 0, price.cost(usage, exchange.wall))
        return dearest
