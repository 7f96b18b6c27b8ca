"""What layers note of their decisions, for who asked to have them explained.

Lives here: how a decision becomes a note. Must not: decide anything; every note is made of the values that the layer
itself goes by, so that decision and explanation cannot drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gateway.core.exchange import Exchange
from gateway.core.trace import LimitNote, LossNote, RefusalNote, Retries, TargetNote, Trace, Waits
from gateway.core.usage import Usage
from gateway.pipeline.original import Original
from gateway.pipeline.settings import Carriage, Limits
from gateway.pipeline.target import Target
from gateway.policy.balance import Balancer, shares
from gateway.policy.limits import Rule
from gateway.policy.retry import RetryPolicy
from gateway.policy.selection import Refusal, in_words
from gateway.providers.prices import PriceBook
from gateway.store.protocol import Grant, Take

_MICRO = 1_000_000


def note_limits(trace: Trace, rules: Sequence[Rule], takes: Sequence[Take], grant: Grant) -> None:
    """The buckets of one layer, as they stood after it asked them."""
    for rule, take, standing in zip(rules, takes, grant.standings, strict=True):
        trace.limits.append(
            LimitNote(
                scope=rule.scope,
                unit=rule.unit,
                capacity=rule.rate.capacity,
                period=rule.rate.period / _MICRO,
                bucket=take.key,
                takes=take.amount,
                left=standing.remaining,
                retry_after=None if math.isinf(standing.retry_after) else standing.retry_after,
                shadow=rule.shadow,
                path=rule.path,
            )
        )


def note_route(trace: Trace, strategy: str, limits: Limits, retry: RetryPolicy, missing: tuple[str, ...]) -> None:
    """The policies in force. missing: of a plan, how to give keys to those who have none."""
    trace.strategy = strategy
    trace.missing = missing
    trace.waits = Waits(limits.connect, limits.first_token, limits.idle, limits.total)
    trace.retries = Retries(retry.max_retries, retry.min_delay, retry.max_delay, retry.budget)


def note_targets(
    trace: Trace,
    exchange: Exchange,
    usable: Sequence[Target],
    refusals: Sequence[Refusal],
    balancer: Balancer,
    carriage: Carriage,
    prices: PriceBook,
) -> None:
    """The targets that may be asked, each with what is lost on the way to it, and those that may not."""
    # Another one than that of the request itself, which writes no more than it needs.
    original = Original(exchange, carriage)
    fitting = [target for target in usable if original.fits(target)]
    parts = shares(balancer, fitting)
    trace.targets = tuple(
        _target_note(trace, target, original, part, prices) for target, part in zip(fitting, parts, strict=True)
    )
    trace.refused = tuple(
        RefusalNote(refusal.provider, refusal.model, refusal.reason, in_words(refusal), refusal.retry_in)
        for refusal in (*refusals, *original.refusals)
    )


def _target_note(
    trace: Trace, target: Target, original: Original, share: float | None, prices: PriceBook
) -> TargetNote:
    translation = original.translation(target)
    losses = () if translation is None else translation.losses
    estimate = trace.estimate
    return TargetNote(
        provider=target.endpoint.name,
        model=target.model,
        dialect=target.site.dialect,
        index=target.index,
        priority=target.priority,
        share=share,
        translated=target.way is not None,
        losses=tuple(LossNote(loss.field, loss.effect, loss.note) for loss in losses),
        cost=(
            prices.cost(target.endpoint.name, target.model, Usage(estimate.input, estimate.output))
            if estimate.raw
            else None
        ),
        keys=len(target.endpoint.pool),
        in_flight=target.load.in_flight,
    )
