"""The one loop that owns target, key and back-off.

    plan -> eligible -> balancer -> key -> dispatch -> (fault -> verdict -> again) -> reply or error

Retries live here and nowhere below, so that a retry can go somewhere else. What to do after a
fault is a row of policy.retry's table; this file only carries it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import Final

import msgspec

from gateway.core.clock import Clock
from gateway.core.errors import Disconnected, UpstreamFault, untraced
from gateway.core.exchange import Attempt, Exchange, Reply
from gateway.core.trace import Trace
from gateway.dialects.losses import labels, shown
from gateway.pipeline.candidates import Candidates, Plan
from gateway.pipeline.count import estimate
from gateway.pipeline.dispatch import Dispatch
from gateway.pipeline.flight import Flight
from gateway.pipeline.key_limits import KeyLimits
from gateway.pipeline.original import Original
from gateway.pipeline.outcome import (
    error_after,
    error_not_allowed,
    error_unknown_model,
    error_unsupported,
    error_without_target,
)
from gateway.pipeline.settings import CARRIAGE, Carriage, Limits
from gateway.pipeline.target import Target
from gateway.pipeline.trace import note_route, note_targets
from gateway.policy.balance import Balancer, Strategy, cheapest
from gateway.policy.key_pool import KeyPool, PoolKey
from gateway.policy.retry import RetryBudget, RetryPolicy, Verdict, backoff, verdict
from gateway.policy.selection import Reason, Refusal
from gateway.providers.prices import SHIPPED_BOOK, PriceBook
from gateway.timers import TimerLines

Weigh = Callable[[Exchange, Sequence[Target]], list[int | None]]
"""What a request is thought to cost at each of these targets, in nano-USD; None where that is not known."""

_COUNTS = tuple(str(n).encode() for n in range(64))
NO_WAITS: Final[Mapping[KeyPool, float]] = MappingProxyType({})
_ASK_AGAIN_UNLESS_SENT = frozenset(("unavailable", "silent"))


class Failover:
    """The innermost handler of a route, for one group of operations."""

    __slots__ = (
        "_balancer", "_budget", "_candidates", "_carriage", "_chance", "_dispatch", "_key_limits", "_limits", "_now",
        "_prices", "_retry", "_strategy", "_weigh",
    )  # fmt: skip

    def __init__(
        self,
        *,
        clock: Clock,
        timers: TimerLines,
        candidates: Candidates,
        balancer: Balancer,
        limits: Limits,
        retry: RetryPolicy,
        budget: RetryBudget,
        carriage: Carriage = CARRIAGE,
        key_limits: KeyLimits | None = None,
        strategy: Strategy = "priority",
        prices: PriceBook = SHIPPED_BOOK,
        weigh: Weigh | None = None,
    ) -> None:
        self._now = clock.monotonic
        self._chance = clock.chance
        self._candidates = candidates
        self._balancer = balancer
        self._limits = limits
        self._retry = retry
        self._budget = budget
        self._carriage = carriage
        self._key_limits = key_limits
        self._strategy: Strategy = strategy
        self._prices = prices
        self._weigh = weigh
        self._dispatch = Dispatch(clock, timers, limits, retry, carriage)

    async def __call__(self, exchange: Exchange) -> Reply:
        now = self._now()
        deadline = exchange.started + self._limits.total
        access = exchange.access
        plan = self._candidates.plan(exchange.call, None if access is None else access.providers)
        self._budget.note_request(now)
        usable = [t for t in plan.targets if t.load.breaker.allows(now) and t.endpoint.pool.available(now)]
        if exchange.trace is not None:
            self._note(exchange.trace, exchange, plan, usable, now)
        if not usable:
            if plan.estimates is not None:
                return estimate(exchange, plan.estimates)
            if plan.unknown_model:
                raise error_unknown_model(exchange.call.model)
            if not plan.targets and access is not None and any(r.reason == "not-allowed" for r in plan.refusals):
                raise error_not_allowed(exchange.caller, access)
            raise error_without_target(exchange.call, self._refusals(plan, now), plan.key_hints)
        original: Original | None = None
        if plan.translates:
            original = Original(exchange, self._carriage)
            target = self._first_that_fits(exchange, plan, usable, original, now)
        elif self._weigh is None:
            target = self._balancer.pick(usable, exchange.call.stream, now, self._chance)
        else:
            target = self._choose(exchange, usable, now)
        key = target.endpoint.pool.pick(now)
        assert key is not None
        if key.room is not None:
            waits: dict[KeyPool, float] = {}
            secured = await self._secure(exchange, usable, target, key, original, waits)
            if secured is None:
                raise error_without_target(exchange.call, self._refusals(plan, self._now(), waits), plan.key_hints)
            target, key = secured
        try:
            return await self._attempt(exchange, target, key, deadline, original)
        except UpstreamFault as fault:
            return await self._again(exchange, plan, target, key, untraced(fault), deadline, original)

    def _note(self, trace: Trace, exchange: Exchange, plan: Plan, usable: list[Target], now: float) -> None:
        note_route(trace, self._strategy, self._limits, self._retry, plan.key_hints)
        note_targets(trace, exchange, usable, self._refusals(plan, now), self._balancer, self._carriage, self._prices)

    async def _attempt(
        self, exchange: Exchange, target: Target, key: PoolKey, deadline: float, original: Original | None
    ) -> Reply:
        attempt = Attempt(
            target.endpoint.name,
            target.model,
            target.label,
            key.name,
            self._now(),
            origin=target.endpoint.origin,
            free=key.free,
        )
        exchange.attempts.append(attempt)
        exchange.provider = attempt.provider
        exchange.model = attempt.model
        exchange.label = attempt.label
        translation = None if original is None else original.translation(target)
        exchange.losses = () if translation is None else labels(translation.losses)
        flight = Flight(target, key, attempt, exchange.call.stream, translation)
        try:
            reply = await self._dispatch(exchange, flight, deadline)
        except UpstreamFault as fault:
            flight.fail(fault, self._verdict(exchange, fault), self._now())
            raise
        except BaseException:
            flight.abandon(self._now())
            raise
        reply.headers += target.reply_headers
        if translation is not None and (losses := translation.losses + translation.unsaid):
            reply.headers.append((b"x-gateway-dropped", shown(losses)))
        reply.headers.append((b"x-gateway-attempts", _COUNTS[min(len(exchange.attempts), 63)]))
        return reply

    async def _again(
        self,
        exchange: Exchange,
        plan: Plan,
        target: Target,
        key: PoolKey,
        fault: UpstreamFault,
        deadline: float,
        original: Original | None,
    ) -> Reply:
        """Everything after a first fault. Slow is fine here; wrong is not."""
        tried: list[Target] = []
        excluded: list[Target] = []
        keys_tried: dict[str, set[str]] = {}
        smallest_context = 0
        for retry in range(self._retry.max_retries):
            judged = self._verdict(exchange, fault)
            keys_tried.setdefault(target.endpoint.name, set()).add(key.name)
            if exchange.gone:
                raise Disconnected
            if judged.larger_context:
                smallest_context = max(smallest_context, target.context)
                excluded.extend(t for t in plan.targets if t.model == target.model or t.context <= smallest_context)
            if judged.exclude_target:
                excluded.append(target)
            if target not in tried:
                tried.append(target)
            now = self._now()
            chosen = self._next(plan, target, judged, tried, excluded, keys_tried, now, exchange, original)
            wait = 0.0
            if chosen is None:
                if not self._may_repeat(target, judged, tried, excluded, exchange):
                    break
                wait = backoff(retry, self._retry, self._chance)
                if judged.key == "cool":
                    wait = max(wait, target.endpoint.pool.soonest(now) or 0.0)
                if now + wait >= deadline:
                    break
                chosen = target, None
            if not self._budget.spend(now):
                break
            if wait:
                await asyncio.sleep(wait)
                now = self._now()
            target, next_key = chosen
            key_or_none = next_key or target.endpoint.pool.pick(now)
            if key_or_none is None or not target.load.breaker.allows(now):
                break
            key = key_or_none
            if key.room is not None:
                others = self._usable(plan, [*tried, target], excluded, now)
                secured = await self._secure(exchange, [target, *others], target, key, original, {})
                if secured is None:
                    break
                target, key = secured
            try:
                return await self._attempt(exchange, target, key, deadline, original)
            except UpstreamFault as another:
                fault = untraced(another)
        if exchange.gone:
            raise Disconnected
        raise error_after(exchange, fault, self._refusals(plan, self._now()))

    def _verdict(self, exchange: Exchange, fault: UpstreamFault) -> Verdict:
        """The failure table's row; a call that may have had its effect is not sent twice."""
        judged = verdict(fault.kind, self._retry)
        if (
            fault.kind in _ASK_AGAIN_UNLESS_SENT
            and exchange.call.operation == "other"
            and exchange.method not in ("GET", "HEAD", "OPTIONS")
        ):
            return msgspec.structs.replace(
                judged, another_target=False, same_target_if_alone=False, next_key=False, larger_context=False
            )
        return judged

    def _next(
        self,
        plan: Plan,
        target: Target,
        judged: Verdict,
        tried: Sequence[Target],
        excluded: Sequence[Target],
        keys_tried: dict[str, set[str]],
        now: float,
        exchange: Exchange,
        original: Original | None,
    ) -> tuple[Target, PoolKey | None] | None:
        """The same target with its next key, or another target, or None."""
        if judged.next_key and target not in excluded and target.load.breaker.allows(now):
            key = target.endpoint.pool.pick(now, keys_tried[target.endpoint.name])
            if key is not None:
                return target, key
        if not (judged.another_target or judged.larger_context):
            return None
        chosen = self._pick(self._usable(plan, tried, excluded, now), exchange, now, original)
        return None if chosen is None else (chosen, None)

    def _usable(self, plan: Plan, tried: Sequence[Target], excluded: Sequence[Target], now: float) -> list[Target]:
        return [
            t
            for t in plan.targets
            if t not in tried and t not in excluded and t.load.breaker.allows(now) and t.endpoint.pool.available(now)
        ]

    async def _secure(
        self,
        exchange: Exchange,
        usable: list[Target],
        target: Target,
        picked: PoolKey,
        original: Original | None,
        waits: dict[KeyPool, float],
    ) -> tuple[Target, PoolKey] | None:
        """A target and a key of it with room for this request: those picked, else the next of `usable`; None when
        there is none. waits: filled with the seconds until there is, for each pool without."""
        key: PoolKey | None = picked
        limits = self._key_limits
        while True:
            pool = target.endpoint.pool
            full: set[str] = set()
            while key is not None:
                room = key.room
                if room is None or limits is None:
                    return target, key
                wait = await limits.reserve(exchange, pool, key, room)
                if not wait:
                    return target, key
                waits[pool] = min(wait, waits.get(pool, wait))
                full.add(key.name)
                key = pool.pick(self._now(), full)
            now = self._now()
            usable = [t for t in usable if t.endpoint.pool is not pool and t.endpoint.pool.available(now)]
            chosen = self._pick(usable, exchange, now, original)
            if chosen is None:
                return None
            target = chosen
            key = target.endpoint.pool.pick(now)

    def _first_that_fits(
        self, exchange: Exchange, plan: Plan, usable: list[Target], original: Original, now: float
    ) -> Target:
        target = self._pick(usable, exchange, now, original)
        if target is not None:
            return target
        if original.unreadable is not None:
            raise original.unreadable
        if len(usable) == len(plan.targets):
            raise error_unsupported(exchange.call, original.refusals, rejecting=self._carriage.reject_losses)
        refusals = [*self._refusals(plan, now), *original.refusals]
        raise error_without_target(exchange.call, refusals, plan.key_hints)

    def _choose(self, exchange: Exchange, usable: Sequence[Target], now: float) -> Target:
        """The balancer's choice; by cost, that among the cheapest for this request."""
        if self._weigh is not None:
            usable = cheapest(usable, self._weigh(exchange, usable))
        return self._balancer.pick(usable, exchange.call.stream, now, self._chance)

    def _pick(self, usable: list[Target], exchange: Exchange, now: float, original: Original | None) -> Target | None:
        """The balancer's choice among those that can carry the request. Only what is chosen is written, so that a
        list of many targets costs one translation."""
        while usable:
            target = self._choose(exchange, usable, now)
            if original is None or original.fits(target):
                return target
            usable = [other for other in usable if other is not target]
        return None

    def _may_repeat(
        self, target: Target, judged: Verdict, tried: Sequence[Target], excluded: Sequence[Target], exchange: Exchange
    ) -> bool:
        """Whether the same target may be asked once more, there being no other."""
        if not judged.same_target_if_alone or target in excluded or len(tried) > 1:
            return False
        kinds = [attempt.fault for attempt in exchange.attempts]
        return not judged.once_if_alone or kinds.count(kinds[-1]) <= 1

    def _refusals(self, plan: Plan, now: float, waits: Mapping[KeyPool, float] = NO_WAITS) -> list[Refusal]:
        """Why nothing more could be tried: the plan's own reasons and those of this moment. waits: of the pools that
        had no room for this request, seconds."""
        found = list(plan.refusals)
        for target in plan.targets:
            name, model = target.endpoint.name, target.model
            pool = target.endpoint.pool
            soonest = pool.soonest(now)
            if soonest is None:
                found.append(Refusal(provider=name, model=model, reason="no-key", retry_in=None))
            elif pool in waits:
                retry_in = waits[pool] if isfinite(waits[pool]) else None
                found.append(
                    Refusal(provider=name, model=model, reason="keys-limited", retry_in=retry_in, keys=len(pool))
                )
            elif not pool.available(now):
                limited = any(state == "limited" for _, state in pool.states(now))
                reason: Reason = "keys-limited" if limited else "keys-cooling"
                found.append(Refusal(provider=name, model=model, reason=reason, retry_in=soonest, keys=len(pool)))
            elif not target.load.breaker.allows(now):
                retry_in = max(0.0, target.load.breaker.retry_at - now)
                found.append(Refusal(provider=name, model=model, reason="breaker-open", retry_in=retry_in))
        return found
