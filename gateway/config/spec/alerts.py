"""`alerts`: who is told when something needs somebody, and by which webhook."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import KEY_NAME, Base, Confidential, Duration, Url

EVENT_PATTERN = r"^[a-z]+(-[a-z]+)*(-\*)?$|^\*$"


class Webhook(Confidential, frozen=True):
    """An address that is told of events."""

    name: Annotated[str, Meta(pattern=KEY_NAME, description="What it is called in logs, metrics and commands.")]
    url: Annotated[
        Url, Meta(description="Where events are posted. No redirect is followed.", examples=["${env:ALERTS_URL}"])
    ]
    secret: Annotated[
        str | None,
        Meta(
            description="What each request is signed with, HMAC-SHA256 over its time and body. Without it there is no signature.",
            examples=["${env:ALERTS_SECRET}"],
        ),
    ] = None
    events: Annotated[
        tuple[Annotated[str, Meta(pattern=EVENT_PATTERN)], ...],
        Meta(
            description="Kinds of events that it is told of; `budget-*` is every kind that begins so. The end of what it was told of is told too.",
            examples=[["provider-outage", "budget-*"]],
        ),
    ] = ("*",)
    format: Annotated[
        Literal["json", "slack"],
        Meta(description="`json` is the event with all its fields, `slack` a text for Slack's incoming webhooks."),
    ] = "json"


class Anomalies(Base, frozen=True):
    """When the spend or the errors of an hour are taken for unusual, against the same hour of earlier days."""

    days: Annotated[int, Meta(ge=3, le=28, description="So many days are remembered.")] = 14
    deviations: Annotated[
        float, Meta(gt=0, description="How far above the median an hour is unusual, in deviations (MAD, scaled).")
    ] = 6.0
    factor: Annotated[float, Meta(ge=1, description="And so many times the median at least.")] = 2.0
    min_spend: Annotated[float, Meta(ge=0, description="An hour that has cost less USD is never unusual.")] = 1.0
    min_errors: Annotated[int, Meta(ge=1, description="An hour with fewer errors is never unusual.")] = 20


class Alerts(Base, frozen=True):
    """Webhooks for what somebody on call is to know."""

    webhooks: Annotated[tuple[Webhook, ...], Meta(description="Who is told.")] = ()
    dedupe: Annotated[Duration, Meta(description="The same event of the same thing is told once in this time.")] = "10m"
    retry_for: Annotated[
        Duration, Meta(description="How long a delivery that fails is tried again, at growing intervals.")
    ] = "15m"
    timeout: Annotated[Duration, Meta(description="How long one delivery may take.")] = "5s"
    queue: Annotated[
        int,
        Meta(
            ge=1, le=100_000, description="So many events at most wait for each webhook; more are dropped, and counted."
        ),
    ] = 1000
    limits_at: Annotated[float, Meta(gt=0, le=1, description="A rate limit is near when this share of it is used.")] = (
        0.9
    )
    anomalies: Annotated[
        Anomalies | None, Meta(description="What is unusual; `null` looks for nothing of the kind.")
    ] = Anomalies()
