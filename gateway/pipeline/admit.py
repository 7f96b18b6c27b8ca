"""Rate limits of a route: buckets are asked for room before anything is done, and told what was used when all is over.

Lives here: one layer, put on a route twice at most: for what holds everywhere, and for what is the router's own. Which
buckets there are for whom is looked up; how a bucket counts, the store knows. What is left the layers note on the
exchange, and the edge tells it, once. Law: whatever happens to an exchange, a reservation is settled once, and an
exchange that any limit or budget refuses costs nothing of the others.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange, Handler, Headers, Layer, Reply
from gateway.core.money import micro_of
from gateway.core.usage import Room
from gateway.pipeline.identity import end_user, identity_of
from gateway.pipeline.trace import note_limits
from gateway.policy.estimate import Estimator, used_by
from gateway.policy.limits import (
    Pricer,
    Rule,
    Scope,
    name_of_caller,
    name_of_user,
    price_wanted,
    tokens_wanted,
)
from gateway.store.protocol import UNCOUNTED, Grant, Held, LimitStore, StoreDown, Take
from gateway.telemetry.metrics import Metrics

REMEMBERED: Final = 4096
"""So many callers' bucket names are kept at hand. All are forgotten when there are more: making one costs little."""

Who = object
"""For whom is counted: the caller, or caller, team and end user, `` where it does not matter."""


class Buckets(msgspec.Struct, frozen=True):
    """The buckets of one caller: rules and names, in one order. takes: ready made, where each takes one."""

    rules: tuple[Rule, ...]
    names: tuple[str, ...]
    takes: tuple[Take, ...] | None


class Counting(msgspec.Struct, frozen=True):
    """What the layers of all routes share. store: where buckets are."""

    store: LimitStore
    estimator: Estimator
    price: Pricer
    metrics: Metrics
    price_of: Callable[[Exchange], Pricer] | None = None


def admit(rules: Sequence[Rule], counting: Counting, *, of_keys: Mapping[str, Sequence[Rule]] | None = None) -> Layer:
    """The layer for a set of rules. of_keys: further rules of a caller, by its name."""
    gate = Gate(rules, of_keys or {}, counting)
    return gate.quickly if gate.counts_requests and counting.store.hold is not None else gate.surely


class Gate:
    """A set of rules, and what is remembered of those whom they count: shared by all routes that they hold on."""

    __slots__ = (
        "_by_caller", "_by_team", "_by_user", "_counting", "_held", "_known", "_of_keys", "_rules", "_store",
        "counts_requests",
    )  # fmt: skip

    def __init__(self, rules: Sequence[Rule], of_keys: Mapping[str, Sequence[Rule]], counting: Counting) -> None:
        scopes = {rule.scope for rule in rules}
        self._rules = tuple(rules)
        self._of_keys = of_keys
        self._counting = counting
        self._store = counting.store
        self._by_caller = "per-api-key" in scopes or bool(of_keys)
        self._by_team = "per-team" in scopes
        self._by_user = "per-end-user" in scopes
        self._known: dict[Who, Buckets] = {}
        self._held: dict[Who, Held] = {}
        everyones = (*rules, *(rule for own in of_keys.values() for rule in own))
        self.counts_requests = all(rule.unit == "requests" and not rule.shadow for rule in everyones)

    def surely(self, inner: Handler) -> Handler:
        """The layer that can wait for the store."""
        return partial(self.admit, inner)

    def quickly(self, inner: Handler) -> Handler:
        """The layer where requests alone are counted and the store need not be waited for. Where there is room, it is
        no coroutine of its own: nothing is left to be done on the way back."""
        held_of = self._held.get
        by_caller_alone = self._by_caller and not (self._by_team or self._by_user)

        def handle(exchange: Exchange) -> Awaitable[Reply]:
            # What `_who` says, without the call.
            who = (
                (exchange.caller or exchange.credential or (exchange.client,))
                if by_caller_alone
                else self._who(exchange)
            )
            held = held_of(who)
            room = held() if held is not None and exchange.trace is None else None
            if held is None or room is None:
                return self._admit_and_hold(inner, exchange, who)
            before = exchange.requests_left
            if before is None or room.remaining < before.remaining:
                exchange.requests_left = room
            exchange.on_refusal += held.undoing
            return inner(exchange)

        return handle

    async def _admit_and_hold(self, inner: Handler, exchange: Exchange, who: Who) -> Reply:
        """The longer way, after which the shorter one may be open."""
        try:
            return await self.admit(inner, exchange)
        finally:
            buckets = self._known.get(who)
            held = self._store.hold(buckets.takes) if self._store.hold and buckets and buckets.takes else None
            if held is not None:
                self._held[who] = held

    def _who(self, exchange: Exchange) -> Who:
        # Two kinds of one text must not be taken for one another: a credential is bytes, an address stands alone.
        caller = (exchange.caller or exchange.credential or (exchange.client,)) if self._by_caller else ""
        if not (self._by_team or self._by_user):
            return caller
        return caller, exchange.team if self._by_team else "", end_user(exchange) if self._by_user else ""

    async def admit(self, inner: Handler, exchange: Exchange) -> Reply:
        """Ask the buckets, then the handler."""
        who = self._who(exchange)
        buckets = self._known.get(who)
        if buckets is None:
            buckets = self._find(exchange)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
                self._held.clear()
            self._known[who] = buckets
        takes = buckets.takes
        weighed = takes is None
        if takes is None:
            takes = self._weigh(exchange, buckets)
        elif not takes:
            return await inner(exchange)
        try:
            grant = await self._store.take(takes)
        except StoreDown:
            raise GatewayError("store_unavailable", UNCOUNTED, retry_after=1.0) from None
        if exchange.trace is not None:
            note_limits(exchange.trace, buckets.rules, takes, grant)
        shadowed = False
        for rule, standing in zip(buckets.rules, grant.standings, strict=True):
            unit = rule.unit
            if rule.shadow:
                # What does not count is no news for a client that paces itself.
                if standing.retry_after:
                    shadowed = True
            elif unit == "requests":
                room = exchange.requests_left
                if room is None or standing.remaining < room.remaining:
                    exchange.requests_left = Room(rule.rate.capacity, standing.remaining, standing.reset)
            elif unit == "tokens":
                room = exchange.tokens_left
                if room is None or standing.remaining < room.remaining:
                    exchange.tokens_left = Room(rule.rate.capacity, standing.remaining, standing.reset)
        if not grant.granted:
            raise self._refuse(exchange, buckets, grant)
        if grant.by != "open":
            if weighed:
                exchange.on_settle.append(partial(self._settle, buckets, takes, grant))
            exchange.on_refusal += (partial(self._return_requests, buckets, takes, grant),)
        if not shadowed:
            return await inner(exchange)
        try:
            reply = await inner(exchange)
        except GatewayError as error:
            error.headers += (self._shadow(exchange, buckets, grant),)
            raise
        reply.headers.append(self._shadow(exchange, buckets, grant))
        return reply

    def _find(self, exchange: Exchange) -> Buckets:
        """The buckets of whoever asks. Who has no team and who names no end user is not counted there."""
        user = end_user(exchange) if self._by_user else ""
        rules: list[Rule] = []
        names: list[str] = []
        whose: dict[Scope, str] = {
            "per-api-key": identity_of(exchange),
            "gateway-key": identity_of(exchange),
            "per-team": name_of_caller(exchange.team) if exchange.team else "",
            "per-end-user": name_of_user(user) if user else "",
            "total": "all",
        }
        for rule in (*self._rules, *self._of_keys.get(exchange.caller, ())):
            who = whose[rule.scope]
            if who:
                rules.append(rule)
                names.append(rule.prefix + who)
        counted = all(rule.unit == "requests" for rule in rules)
        takes = tuple(Take(name, rule.rate, 1, rule.shadow) for rule, name in zip(rules, names, strict=True))
        return Buckets(tuple(rules), tuple(names), takes if counted else None)

    def _weigh(self, exchange: Exchange, buckets: Buckets) -> tuple[Take, ...]:
        """What this request takes of each bucket."""
        estimate = self._counting.estimator.of(exchange)
        takes: list[Take] = []
        for rule, name in zip(buckets.rules, buckets.names, strict=True):
            amount = 1
            if rule.unit == "tokens":
                amount = tokens_wanted(rule.rate, estimate)
            elif rule.unit == "usd":
                price_of = self._counting.price_of
                price = self._counting.price if price_of is None else price_of(exchange)
                amount = price_wanted(rule.rate, estimate, exchange.likely or exchange.call.model, price)
            takes.append(Take(name, rule.rate, amount, rule.shadow))
        return tuple(takes)

    def _settle(self, buckets: Buckets, takes: Sequence[Take], grant: Grant, exchange: Exchange) -> None:
        usage = used_by(exchange)
        changes: list[tuple[Take, int]] = []
        for rule, take, standing in zip(buckets.rules, takes, grant.standings, strict=True):
            # Of a shadow bucket without room nothing was taken.
            if rule.unit != "requests" and not standing.retry_after:
                # What has no price is not charged.
                used = usage.total if rule.unit == "tokens" else micro_of(exchange.cost or 0)
                if used != take.amount:
                    changes.append((take, take.amount - used))
        if changes:
            self._store.settle(changes, grant.by)

    def _return_requests(self, buckets: Buckets, takes: Sequence[Take], grant: Grant) -> None:
        """A limit or a budget further in has refused: what was counted here was not served. The rest is settled."""
        changes = [
            (take, 1)
            for rule, take, standing in zip(buckets.rules, takes, grant.standings, strict=True)
            if rule.unit == "requests" and not standing.retry_after
        ]
        if changes:
            self._store.settle(changes, grant.by)

    def _refuse(self, exchange: Exchange, buckets: Buckets, grant: Grant) -> GatewayError:
        full = [
            (standing.retry_after, rule)
            for rule, standing in zip(buckets.rules, grant.standings, strict=True)
            if standing.retry_after and not rule.shadow
        ]
        for _, rule in full:
            self._count(exchange, rule)
        wait, rule = max(full, key=lambda one: one[0])
        headers: Headers = [(b"x-gateway-limit", rule.scope.encode())]
        if math.isinf(wait):
            error = GatewayError(
                "request_exceeds_limit",
                f"This request wants more than a limit of this gateway ever allows at once: {rule.said}. Waiting does "
                "not help; send a shorter prompt or a smaller maximum of output tokens. The limit is the gateway's "
                "own, not the provider's.",
            )
        else:
            error = GatewayError(
                "rate_limited",
                f"A limit of this gateway is reached: {rule.said}. Ask again in {_seconds(wait)} s. The limit is the "
                "gateway's own, not the provider's.",
                retry_after=wait,
            )
            headers.append((b"retry-after-ms", b"%d" % math.ceil(round(wait * 1000, 3))))
        shadow = self._shadow(exchange, buckets, grant)
        if shadow[1]:
            headers.append(shadow)
        error.headers = tuple(headers)
        return error

    def _shadow(self, exchange: Exchange, buckets: Buckets, grant: Grant) -> tuple[bytes, bytes]:
        """Count and tell of the limits that would have refused."""
        scopes: dict[str, None] = {}
        for rule, standing in zip(buckets.rules, grant.standings, strict=True):
            if standing.retry_after and rule.shadow:
                self._count(exchange, rule)
                scopes[rule.scope] = None
        return b"x-gateway-limit-shadow", ", ".join(scopes).encode()

    def _count(self, exchange: Exchange, rule: Rule) -> None:
        self._counting.metrics.count_denial(exchange.router, rule.scope, rule.unit, enforced=not rule.shadow)


def _seconds(wait: float) -> int:
    return math.ceil(round(wait, 3))
