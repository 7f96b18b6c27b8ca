"""What a route's own policies and those of `global` come to, as settings of the pipeline. A part of assembly.

Only policies that hold for every attempt of a request live here: each limit, cache and budget has a module of its own.
Law: equal policies are one object, whichever routes have them: see pipeline/target.py.
"""

from __future__ import annotations

from functools import lru_cache

from gateway.config import spec as sp
from gateway.core.units import seconds
from gateway.pipeline.settings import Carriage, Limits
from gateway.policy.retry import RetryPolicy


def limits_of(spec: sp.Spec, route: sp.Policies) -> Limits:
    """How long a request and its parts may take."""
    return _limits(route.timeouts or spec.global_.timeouts or sp.Timeouts())


def retries_of(spec: sp.Spec, route: sp.Policies) -> RetryPolicy:
    """How often, and after what pauses, a request is tried again."""
    return _retries(route.retries or spec.global_.retries or sp.Retries())


def carriage_of(spec: sp.Spec, route: sp.Policies) -> Carriage:
    """What may become of a request on its way into another dialect."""
    given = spec.global_
    return _carriage(route.on_loss or given.on_loss, route.prompt_cache or given.prompt_cache)


def finishes(spec: sp.Spec, route: sp.Policies) -> bool:
    """Whether a request goes on to its end when its client has gone."""
    return (route.on_disconnect or spec.global_.on_disconnect) == "finish"


@lru_cache(1024)
def _limits(timeouts: sp.Timeouts) -> Limits:
    return Limits(
        connect=seconds(timeouts.connect),
        first_token=seconds(timeouts.first_token),
        idle=seconds(timeouts.idle),
        total=seconds(timeouts.total),
    )


@lru_cache(16)
def _carriage(on_loss: str | None, prompt_cache: str | None) -> Carriage:
    return Carriage(reject_losses=on_loss == "reject", cache_marks=prompt_cache == "auto")


@lru_cache(1024)
def _retries(retries: sp.Retries) -> RetryPolicy:
    return RetryPolicy(
        max_retries=retries.max_retries,
        min_delay=seconds(retries.min_delay),
        max_delay=seconds(retries.max_delay),
        factor=retries.factor if retries.strategy == "exponential" else 1.0,
        budget=retries.budget,
        content_policy_failover=retries.on_content_policy == "failover",
    )
