"""The policies of a route, as the pipeline has them: seconds, bytes and flags."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway.policy.cache_control import Directive


class Carriage(msgspec.Struct, frozen=True):
    """What translation may leave out and add. reject_losses: a target that would lose anything is not eligible.
    cache_marks: long stable prefixes are marked for a provider that caches only what is marked."""

    reject_losses: bool = False
    cache_marks: bool = False


CARRIAGE: Final = Carriage()
"""What is usual: hints may be left out, and nothing is added."""


class Limits(msgspec.Struct, frozen=True):
    """How long is waited, in seconds."""

    connect: float = 5.0
    first_token: float = 30.0
    idle: float = 30.0
    total: float = 600.0


class CachePolicy(msgspec.Struct, frozen=True):
    """What a route says of its cache. router: its name in keys and metrics. largest: bytes of an answer that is kept.
    leases: other replicas share the store."""

    router: str
    directive: Directive
    scope: Literal["caller", "team", "router"]
    seed: str = ""
    buckets: int = 1
    largest: int = 4 * 1024 * 1024
    tool_calls: bool = False
    leases: bool = False
