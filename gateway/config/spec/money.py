"""Budgets, and who pays in advance."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Base

Dollars = (
    Annotated[
        str, Meta(pattern=r"^[0-9]+(\.[0-9]{1,9})?$", description="An exact amount in US dollars, as text: `'12.50'`.")
    ]
    | Annotated[int, Meta(gt=0)]
    | Annotated[float, Meta(gt=0)]
)
BudgetWindow = Annotated[
    str,
    Meta(
        pattern=r"^(day|month|rolling [1-9][0-9]*(h|d))$",
        description="The time in which it may be spent: a `day` or `month` of the calendar, or `rolling 30d`, the last so many hours (to 72) or days (to 90).",
        examples=["month", "rolling 30d"],
    ),
]
BudgetZone = Annotated[str, Meta(description="Whose midnight begins a day or a month.", examples=["Europe/Berlin"])]
ConsumerKind = Literal["key", "team", "project"]
AlertAt = Annotated[
    tuple[Annotated[float, Meta(gt=0, le=1)], ...],
    Meta(description="Shares of the amount at which an alert is told, once each.", examples=[[0.5, 0.8, 1.0]]),
]
USUAL_ALERTS = (0.8, 1.0)


class Downgrade(Base, frozen=True):
    """Another model answers."""

    downgrade: Annotated[
        str,
        Meta(
            min_length=1,
            description="The model that answers in place of the one asked for, as a client would write it: `gpt-4o-mini`, `openai/gpt-4o-mini`.",
        ),
    ]


class Budget(Base, frozen=True):
    """How much may be spent in a time."""

    amount: Annotated[Dollars, Meta(description="US dollars, exact to the billionth.")]
    window: BudgetWindow = "month"
    time_zone: BudgetZone = "UTC"
    on_exceeded: Annotated[
        Literal["reject", "cheapest"] | Downgrade,
        Meta(
            description="When a request does not fit any more: `reject` answers 429 `budget_exceeded`; `cheapest` has the route's cheapest target answer and `{downgrade: MODEL}` another model, which is counted, but not bounded by this budget."
        ),
    ] = "reject"
    alert_at: AlertAt = USUAL_ALERTS


class Spender(Base, frozen=True):
    """A team or a project, and what it may spend."""

    budget: Annotated[Budget | tuple[Budget, ...] | None, Meta(description="A budget over all routes, or several.")] = (
        None
    )


class Quotas(Base, frozen=True):
    """Who pays in advance: a consumer to whom `gateway quota add` has given a balance spends no more than that."""

    consumers: Annotated[
        tuple[ConsumerKind, ...],
        Meta(min_length=1, description="Whose balances are looked at; a request is charged to each of them."),
    ] = ("key", "team", "project")
    required: Annotated[
        bool,
        Meta(description="Refuse who has no balance at all. Otherwise, who was never given one is not bounded."),
    ] = False
    alert_at: AlertAt = USUAL_ALERTS
    on_outage: Annotated[
        Literal["open", "closed"],
        Meta(
            description="When neither store nor ledger can say what is left, of a quota or a budget: `open` lets through, to be charged when the ledger is back; `closed` refuses with 503."
        ),
    ] = "open"
