"""What models cost, where that is not what the gateway comes with."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Base

Amount = (
    Annotated[
        str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?$", description="An exact amount in US dollars, as text: `'0.075'`.")
    ]
    | Annotated[int, Meta(ge=0)]
    | Annotated[float, Meta(ge=0)]
)
Preference = Literal["cost", "speed"]


class ModelPrice(Base, frozen=True):
    """The price of a model in US dollars for a million tokens, or a discount. What is not said costs what it is a part
    of: cached tokens what fresh ones do."""

    input: Annotated[Amount | None, Meta(description="Tokens of input.")] = None
    cached: Annotated[Amount | None, Meta(description="Tokens read from the provider's cache.")] = None
    cache_write: Annotated[Amount | None, Meta(description="Tokens written to it, for five minutes.")] = None
    cache_write_1h: Annotated[Amount | None, Meta(description="Tokens written to it for an hour.")] = None
    output: Annotated[Amount | None, Meta(description="Tokens of output.")] = None
    reasoning: Annotated[Amount | None, Meta(description="Tokens of output that are thought and not said.")] = None
    audio_input: Annotated[Amount | None, Meta(description="Tokens of input that are heard.")] = None
    audio_cached: Annotated[Amount | None, Meta(description="The same, read from the provider's cache.")] = None
    audio_output: Annotated[Amount | None, Meta(description="Tokens of output that are spoken.")] = None
    image_input: Annotated[Amount | None, Meta(description="Tokens of input that are seen.")] = None
    image_cached: Annotated[Amount | None, Meta(description="The same, read from the provider's cache.")] = None
    image_output: Annotated[Amount | None, Meta(description="Tokens of output that are drawn.")] = None
    request: Annotated[Amount | None, Meta(description="US dollars for each request, whatever its length.")] = None
    factor: Annotated[
        Amount | None,
        Meta(description="Instead of prices: the shipped price times this.", examples=["0.85"]),
    ] = None


class OptimizeFor(Base, frozen=True):
    """Which targets a router prefers, and what a client may ask for."""

    allow: Annotated[
        tuple[Preference, ...],
        Meta(
            description="What a client may ask for, by the header `x-gateway-optimize-for` or the field `optimize_for`: `cost`, `speed`."
        ),
    ] = ("cost", "speed")
    default: Annotated[
        Preference | None,
        Meta(description="What holds for who asks for nothing; absent: the `strategy` of the balance."),
    ] = None
