"""Rate limits."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Base, Duration


class Bucket(Base, frozen=True):
    """A token bucket: `capacity` at once, refilled continuously at `capacity` per `refill-frequency`."""

    capacity: Annotated[
        Annotated[int, Meta(ge=1)] | Annotated[float, Meta(ge=0.000001)],
        Meta(description="How much may be taken at once: a whole number; of `usd` any amount, to the millionth."),
    ]
    refill_frequency: Annotated[Duration, Meta(description="The time in which an empty bucket fills up.")] = "1s"
    unit: Annotated[
        Literal["requests", "tokens", "usd"],
        Meta(
            description="What is counted. Tokens and dollars are estimated first and corrected by what the provider reports."
        ),
    ] = "requests"


class RateLimit(Base, frozen=True):
    """Token buckets, by what they are counted for. A scope may be a list."""

    per_api_key: Annotated[
        Bucket | tuple[Bucket, ...] | None,
        Meta(
            description="For each caller: the gateway key, or else the credential that the client sent, or its address."
        ),
    ] = None
    per_team: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For each team of `auth.keys`.")] = None
    per_end_user: Annotated[
        Bucket | tuple[Bucket, ...] | None,
        Meta(description="For each end user: the request's `user`, or `x-end-user`."),
    ] = None
    total: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For all together.")] = None
    enforce: Annotated[
        Literal["enforce", "shadow"], Meta(description="`shadow` counts and reports and lets through.")
    ] = "enforce"
