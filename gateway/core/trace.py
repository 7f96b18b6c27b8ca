"""What was decided about one request, and why: noted by each layer as it decides.

Pure data. An exchange has a Trace only where somebody asked for one; whoever notes anything asks first whether there
is. Law: no credential and nothing of a request's content is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from gateway.core.usage import Estimate

ConfigPath = tuple[str | int, ...]
"""Where in the config something was said; empty where it was not."""


class LimitNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A bucket that was asked. capacity, takes, left: in requests, tokens, or millionths of a dollar. period: seconds.
    retry_after: seconds until it would have had room, 0 where it had, None where it never has."""

    scope: str
    unit: str
    capacity: int
    period: float
    bucket: str
    takes: int
    left: int
    retry_after: float | None = 0.0
    shadow: bool = False
    path: ConfigPath = ()


class ConditionNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A condition of a rule. wanted: as the config says it. found: what the request has, never its text."""

    name: str
    wanted: str
    found: str
    held: bool


class RuleNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule of a virtual model that was tried. rule: `auto:code`. Every condition is noted, also behind one that did
    not hold."""

    rule: str
    matched: bool
    conditions: tuple[ConditionNote, ...] = ()
    path: ConfigPath = ()


class CacheNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cache that was asked. key: as clients are shown it. bypass: why it was not looked in, or ``."""

    directive: str
    scope: str
    key: str = ""
    bypass: str = ""


class LossNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field that translation cannot carry. effect: `hint`, `changed` or `meaning`."""

    field: str
    effect: str
    note: str = ""


class TargetNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A target that may be asked. index: its place in the router's list. model: what the provider is asked for.
    dialect: what is spoken to it. share: of the requests, where weights say so. cost: estimated, in nano-USD; None
    where there is no price. keys: how many it has. in_flight: requests that it has now."""

    provider: str
    model: str
    dialect: str
    index: int = 0
    priority: int = 0
    share: float | None = None
    translated: bool = False
    losses: tuple[LossNote, ...] = ()
    cost: int | None = None
    keys: int = 0
    in_flight: int = 0


class RefusalNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A target that was passed over. why: the reason in words. retry_in: seconds until it may be otherwise."""

    provider: str
    model: str
    reason: str
    why: str
    retry_in: float | None = None


class Waits(msgspec.Struct, frozen=True):
    """How long is waited for what, in seconds."""

    connect: float
    first_token: float
    idle: float
    total: float


class Retries(msgspec.Struct, frozen=True):
    """What is tried again. Delays in seconds. budget: as a share of the requests."""

    most: int
    min_delay: float
    max_delay: float
    budget: float


class Trace(msgspec.Struct, eq=False):
    """Filled in while the request is served. granted: the caller may have it. rules: of virtual models, in the order
    in which they were tried. chosen: where the list of targets that they chose stands. strategy: how targets are
    chosen. missing: how to give a key to the providers without one. targets: in the order of the list; in which order
    they were asked, the attempts of the exchange say."""

    estimate: Estimate
    granted: bool = False
    limits: list[LimitNote] = []
    rules: list[RuleNote] = []
    chosen: ConfigPath = ()
    cache: CacheNote | None = None
    strategy: str = ""
    targets: tuple[TargetNote, ...] = ()
    refused: tuple[RefusalNote, ...] = ()
    missing: tuple[str, ...] = ()
    waits: Waits | None = None
    retries: Retries | None = None
