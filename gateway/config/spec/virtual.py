"""What a rule of a virtual model may ask of a request."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Base, Probability, Weight

Names = tuple[str, ...] | str
RULE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
RuleName = Annotated[str, Meta(pattern=RULE_NAME)]


class When(Base, frozen=True):
    """All that is said must hold. docs/virtual-models.md explains each."""

    text: Annotated[
        Annotated[str, Meta(max_length=2000)] | None,
        Meta(
            description="A regular expression of RE2, searched for in the last user text: no back-references and no look-around, so that none can be slow.",
            examples=["(?i)\\b(code|function|regex)\\b"],
        ),
    ] = None
    min_tokens: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="Of the prompt, estimated: a quarter of the body's bytes.")
    ] = None
    max_tokens: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="The same, at most.")] = None
    tools: Annotated[bool | None, Meta(description="The model may call tools, or may not.")] = None
    images: Annotated[
        bool | None, Meta(description="There is a picture anywhere in the conversation, or there is none.")
    ] = None
    json: Annotated[bool | None, Meta(description="The answer is to be JSON (structured output), or is not.")] = None
    language: Annotated[
        Names | None, Meta(description="Of the last user text, as ISO 639-1 has it: `de`, or a list.", examples=["de"])
    ] = None
    header: Annotated[
        dict[str, Names] | None,
        Meta(
            description="Headers by name, each with a value or a list of them; `*` for any.",
            examples=[{"x-app": "web"}],
        ),
    ] = None
    key: Annotated[Names | None, Meta(description="The caller, by the name of its gateway key.")] = None
    team: Annotated[Names | None, Meta(description="The caller's team.")] = None
    user: Annotated[Names | None, Meta(description="The end user: the request's `user`, or `x-end-user`.")] = None
    optimize_for: Annotated[
        Literal["cost", "speed"] | None,
        Meta(description="What the client asks for, where the router's `optimize-for` lets it."),
    ] = None
    hour: Annotated[
        Names | None,
        Meta(
            description="Times of day, past midnight too. The end is not in it.",
            examples=["09:00-17:30", "22:00-06:00"],
        ),
    ] = None
    time_zone: Annotated[
        str | None, Meta(description="Of `hour`; UTC where it is not said.", examples=["Europe/Berlin"])
    ] = None
    min_cost: Annotated[
        Weight | None,
        Meta(description="In dollars: what the request would cost at the dearest target of this rule, estimated."),
    ] = None
    max_cost: Annotated[
        Weight | None, Meta(description="The same, at most. An unknown price is not at most anything.")
    ] = None
    min_budget_left: Annotated[
        Probability | None, Meta(description="The share that is left of the tightest budget that counts the request.")
    ] = None
    max_budget_left: Annotated[Probability | None, Meta(description="The same, at most.")] = None
    min_complexity: Annotated[Probability | None, Meta(description="How demanding the request looks, from 0 to 1.")] = (
        None
    )
    max_complexity: Annotated[Probability | None, Meta(description="The same, at most.")] = None
