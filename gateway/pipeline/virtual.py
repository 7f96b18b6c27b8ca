"""Virtual models: a layer that lets rules decide which targets a request is for, and the handler that goes there.

The layer stands in front of the cache, so that what is kept is kept for the targets that were chosen. What the rules
say decides policy/rules.py; here a request is read for them, and told what they said. A route without virtual models
has neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from gateway.core.errors import GatewayError
from gateway.core.exchange import GROUP_OF, Exchange, Handler, Layer, Reply
from gateway.core.usage import Usage
from gateway.dialects.prompts import prompt_of
from gateway.pipeline.identity import end_user, identity_of
from gateway.policy.estimate import USUAL_OUTPUT, tokens_of
from gateway.policy.rules import Chosen, Facts, Models, Targets, decide

Coster = Callable[[str, str, Usage, float], int | None]
"""What usage costs at a provider's model at a time (Unix seconds), in nano-USD; None where that is not known."""
BudgetLeft = Callable[[Exchange], float | None]
"""The share that is left of the tightest budget that counts a request; None where none does."""
Counter = Callable[[str, str, str], None]
"""Told of each decision: route, virtual model, and the rule, `` where none matched."""

_SHOWN: Final = 10


def choose(
    models: Models, cost: Coster, count: Counter, *, images: bool, budget_left: BudgetLeft | None = None
) -> Layer:
    """The layer of a route with virtual models. images: some rule asks for them."""
    return lambda inner: partial(Chooser(models, cost, count, images, budget_left).choose, inner)


class Chooser:
    """The rules of a route."""

    __slots__ = ("_budget_left", "_cost", "_count", "_images", "_models")

    def __init__(
        self, models: Models, cost: Coster, count: Counter, images: bool, budget_left: BudgetLeft | None
    ) -> None:
        self._models = models
        self._cost = cost
        self._count = count
        self._images = images
        self._budget_left = budget_left

    async def choose(self, inner: Handler, exchange: Exchange) -> Reply:
        """Let the rules decide, where a virtual model is asked for."""
        name = exchange.call.model
        if name not in self._models:
            return await inner(exchange)
        if GROUP_OF[exchange.call.operation] != "chat":
            raise GatewayError(
                "operation_not_served",
                f"{name!r} is a virtual model, which chats; ask for a model by its own name for "
                f"{exchange.call.operation!r}.",
                param="model",
            )
        trace = exchange.trace
        decision = decide(self._models, name, self._facts(exchange), None if trace is None else trace.rules)
        exchange.rule = decision.rule
        self._count(exchange.router, name, decision.rule if decision.chosen is not None else "")
        told = (b"x-gateway-rule", decision.rule.encode("ascii", "replace"))
        if decision.chosen is None:
            raise self._unmatched(name, decision.rule, decision.unmatched)
        self._take(exchange, decision.chosen)
        try:
            reply = await inner(exchange)
        except GatewayError as error:
            error.headers += (told,)
            raise
        reply.headers.append(told)
        return reply

    def _take(self, exchange: Exchange, chosen: Chosen) -> None:
        exchange.chosen = chosen.key
        exchange.likely = chosen.first
        if exchange.trace is not None:
            exchange.trace.chosen = chosen.path

    def _facts(self, exchange: Exchange) -> Facts:
        user = end_user(exchange)
        budget_left = self._budget_left
        return Facts(
            read=partial(prompt_of, exchange.call, exchange.body, images=self._images),
            tokens=partial(tokens_of, exchange.body),
            headers=partial(_named, exchange),
            caller=exchange.caller,
            team=exchange.team,
            user=user,
            sticky=user or identity_of(exchange),
            wish=exchange.optimize_for,
            wall=exchange.wall,
            price=partial(self._price, exchange),
            budget_left=None if budget_left is None else partial(budget_left, exchange),
        )

    def _price(self, exchange: Exchange, targets: Targets, tokens: int) -> int | None:
        """At the dearest of them; None where the price of any is not known."""
        usage = Usage(tokens, exchange.call.max_tokens or USUAL_OUTPUT)
        dearest = 0
        for provider, model in targets:
            cost = self._cost(provider, model, usage, exchange.wall)
            if cost is None:
                return None
            dearest = max(dearest, cost)
        return dearest

    def _unmatched(self, asked: str, rule: str, model: str) -> GatewayError:
        names = [rule.name for rule in self._models[model]]
        listed = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        led = f" (where {rule} led)" if rule else ""
        error = GatewayError(
            "no_rule_matched",
            f"No rule of the virtual model {model!r}{led} matches this request; its rules: {listed}. Ask for a model "
            "by its own name, or have a rule without conditions added.",
            param="model",
        )
        if rule:
            error.headers = ((b"x-gateway-rule", rule.encode("ascii", "replace")),)
        return error


def going_there(chosen: Mapping[str, Handler], route: Handler) -> Handler:
    """The handler of each chosen list of targets, by its key, and for what no rule was asked about, the route's own."""

    async def handle(exchange: Exchange) -> Reply:
        return await chosen.get(exchange.chosen, route)(exchange)

    return handle


def _named(exchange: Exchange) -> Mapping[str, str]:
    """The headers by name; of one that is there more than once, the first."""
    headers: Sequence[tuple[bytes, bytes]] = exchange.headers
    return {name.decode("latin-1"): value.decode("latin-1").strip() for name, value in reversed(headers)}
