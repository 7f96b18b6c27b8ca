"""What the admin API answers and takes, one struct for each: the OpenAPI document is made from these.

Money is US dollars as text, exact to the billionth (`"0.000125"`): a number of JSON is a double in most clients, and
holds neither such a fraction nor a large whole number of billionths. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.store.ledger.grants import AMOUNT
from gateway.store.ledger.protocol import ConsumerKind

Dollars = Annotated[
    str, Meta(pattern=r"^-?[0-9]+\.[0-9]{2,9}$", description="US dollars, exactly.", examples=["12.50"])
]
Instant = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z$",
        description="A moment in UTC.",
        examples=["2026-11-21T14:00:00Z"],
    ),
]
Payer = Literal["key", "team", "project"]
"""Who may have a prepaid balance."""
Cursor = Annotated[str, Meta(description="What `cursor` is to be for the page after this one; empty at the end.")]
Worker = Annotated[str, Meta(description="The process that answers: what it says of live state is its own.")]


class Problem(msgspec.Struct, frozen=True):
    """What is wrong. code: stable, see docs/errors.md. param: the parameter or member at fault."""

    code: str
    message: str
    param: str | None


class Failure(msgspec.Struct, frozen=True):
    """Every answer that is no success."""

    error: Problem


class UsageLine(msgspec.Struct, frozen=True):
    """What one group has used. unpriced: requests of which something has no known price, so that `cost` is without
    it. saved: what cache, cheaper targets and free keys have spared. seconds: all that the requests took, added up."""

    group: dict[str, str]
    requests: int
    failed: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost: Dollars
    unpriced: int
    saved: Dollars
    seconds: float


class UsageAnswer(msgspec.Struct, frozen=True):
    """Usage from `since` on, before `until`."""

    since: Instant
    until: Instant
    by: list[str]
    currency: Literal["USD"]
    rows: list[UsageLine]
    cursor: Cursor


class AttemptLine(msgspec.Struct, frozen=True):
    """One try upstream. key: the name of the provider's key."""

    provider: str
    model: str
    key: str
    status: int
    fault: str
    seconds: float


class RecordLine(msgspec.Struct, frozen=True):
    """One request. asked: the model as the client named it; provider, model: who answered. cost: null where a price
    is not known. first_byte: seconds to the first byte of a stream."""

    id: str
    time: Instant
    request_id: str
    caller: str
    team: str
    project: str
    user: str
    router: str
    config: str
    dialect: str
    operation: str
    stream: bool
    asked: str
    provider: str
    model: str
    key: str
    rule: str
    status: int
    outcome: str
    error_code: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    audio_input_tokens: int
    audio_output_tokens: int
    image_input_tokens: int
    image_output_tokens: int
    metered: bool
    cost: Dollars | None
    price_source: str
    cache: str
    saved: Dollars
    saved_by: str
    seconds: float
    first_byte: float
    attempts: list[AttemptLine]


class RecordsAnswer(msgspec.Struct, frozen=True):
    """Requests from `since` on, before `until`, the oldest first."""

    since: Instant
    until: Instant
    currency: Literal["USD"]
    rows: list[RecordLine]
    cursor: Cursor


class QuotaLine(msgspec.Struct, frozen=True):
    """A prepaid balance. granted: the last `set` and what was added since; spent: since then; left: their difference,
    which may be below zero."""

    kind: ConsumerKind
    name: str
    granted: Dollars
    spent: Dollars
    left: Dollars
    since: Instant


class QuotasAnswer(msgspec.Struct, frozen=True):
    """Every balance that was asked for, by kind and name. Who is not here has no quota."""

    currency: Literal["USD"]
    quotas: list[QuotaLine]


class QuotaChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a prepaid balance: `add` changes it by the amount, `set` makes it the amount."""

    kind: Payer
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    change: Literal["add", "set"]
    amount: Annotated[
        str,
        Meta(
            pattern=f"^{AMOUNT}$",
            description="US dollars; below zero only to take away.",
            examples=["12.50"],
        ),
    ]
    note: Annotated[str, Meta(max_length=500, description="Why, for whoever reads it later.")] = ""


class QuotaChanged(msgspec.Struct, frozen=True):
    """The balance after a change. entry: the id of the change; the same one twice counts once."""

    entry: str
    currency: Literal["USD"]
    quota: QuotaLine


class CallerKey(msgspec.Struct, frozen=True):
    """A caller's key; neither it nor its hash."""

    name: str
    team: str | None
    routers: list[str] | None
    models: list[str] | None
    providers: list[str] | None
    networks: list[str] | None
    created: str | None
    expires: str | None
    signing: str | None
    state: Literal["active", "expired", "rotating"]


class KeysAnswer(msgspec.Struct, frozen=True):
    """The keys of callers."""

    keys: list[CallerKey]


class TargetLine(msgspec.Struct, frozen=True):
    """What this process knows of a target. whole_seconds, stream_seconds: how long a whole reply and the first event
    of a stream take by its estimate; null where there was none. retry_seconds: until an open breaker lets one try."""

    provider: str
    model: str
    address: str
    breaker: Literal["closed", "half-open", "open"]
    retry_seconds: float | None
    in_flight: int
    whole_seconds: float | None
    stream_seconds: float | None


class ProviderKeyLine(msgspec.Struct, frozen=True):
    """A key of a provider, by its name."""

    provider: str
    name: str
    state: Literal["active", "cooling", "limited", "quarantined"]


class TargetsAnswer(msgspec.Struct, frozen=True):
    """The live state of one process."""

    worker: Worker
    targets: list[TargetLine]
    keys: list[ProviderKeyLine]


class Restoring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which provider to try again at once. model: of that one only; absent: all of its targets."""

    provider: Annotated[str, Meta(min_length=1, max_length=64)]
    model: Annotated[str, Meta(max_length=256)] | None = None


class Restored(msgspec.Struct, frozen=True):
    """What this process did: breakers that were not closed and are, keys whose quarantine is over."""

    worker: Worker
    breakers: int
    keys: int


class ConfigAnswer(msgspec.Struct, frozen=True):
    """The config that serves. rejected: why the files as they are now were refused, empty when they serve. config: the
    effective document, references as they are written and credentials masked."""

    worker: Worker
    hash: str
    files: list[str]
    rejected: list[str]
    reload_seconds: float
    config: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class Reloaded(msgspec.Struct, frozen=True):
    """The config was read again and serves."""

    worker: Worker
    hash: str


class SinkLine(msgspec.Struct, frozen=True):
    """A place that records go to: `ledger`, `audit`, `alerts` or `traces`. trouble: null when it is well."""

    name: str
    trouble: str | None


class SinksAnswer(msgspec.Struct, frozen=True):
    """Where this process sends its records."""

    worker: Worker
    sinks: list[SinkLine]
