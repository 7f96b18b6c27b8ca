"""`ceilings` and `owners`: what no router may go beyond, and who may define what."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.limits import Bucket
from gateway.config.spec.money import BudgetWindow, BudgetZone, Dollars
from gateway.config.spec.terms import OWNED_FILES, OWNER_NAME, Base


class LimitCeilings(Base, frozen=True):
    """The most that may pass, by what it is counted for. Every router is to have a limit within each, of its own or of
    `global`."""

    per_api_key: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For each caller.")] = None
    per_team: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For each team.")] = None
    per_end_user: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For each end user.")] = None
    total: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For all together.")] = None


class BudgetCeiling(Base, frozen=True):
    """The most that may be spent in a time."""

    amount: Annotated[Dollars, Meta(description="US dollars.")]
    window: BudgetWindow = "month"
    time_zone: BudgetZone = "UTC"


class BudgetCeilings(Base, frozen=True):
    """The most that may be spent, by who spends it. Each of them is to have a budget within it that refuses what goes
    beyond."""

    per_api_key: Annotated[BudgetCeiling | None, Meta(description="By each key of `auth.keys`.")] = None
    per_team: Annotated[BudgetCeiling | None, Meta(description="By each team that the config names.")] = None
    per_project: Annotated[BudgetCeiling | None, Meta(description="By each project that the config names.")] = None
    per_router: Annotated[BudgetCeiling | None, Meta(description="Through each router.")] = None


class Ceilings(Base, frozen=True):
    """What no router may go beyond, whoever writes it. `gateway check` refuses a config that does."""

    rate_limit: Annotated[LimitCeilings | None, Meta(description="The most that may pass through a router.")] = None
    budget: Annotated[BudgetCeilings | None, Meta(description="The most that may be spent.")] = None
    providers: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="The providers that routers may list, as patterns; absent: all.",
            examples=[["openai", "azure*"]],
        ),
    ] = None
    models: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="The models that targets and mappings may name, as patterns of `model` or `provider/model`; absent: all.",
            examples=[["gpt-4o*", "anthropic/*"]],
        ),
    ] = None
    cache_scope: Annotated[
        Literal["caller", "team"] | None,
        Meta(description="The widest `scope` of a cache: `team` lets `caller` and `team` be; absent: any."),
    ] = None
    privacy: Annotated[
        Literal["none", "metadata"] | None,
        Meta(
            description="The most that `privacy.log` may let be written down: `metadata` forbids bodies, `none` any line; absent: all."
        ),
    ] = None
    auth_mode: Annotated[Literal["keys"] | None, Meta(description="What `auth.mode` must be at least.")] = None


class Owner(Base, frozen=True):
    """Files that teams own, and what these may define. With any entry, an included file defines what one allows, and
    nothing else; the main file defines what it likes."""

    files: Annotated[
        Annotated[str, Meta(pattern=OWNED_FILES)],
        Meta(
            description="A glob pattern, relative to the main file; `**` is any number of folders.",
            examples=["routers.d/ml-*.yaml"],
        ),
    ]
    routers: Annotated[
        tuple[str, ...], Meta(description="The routers that they may define, as patterns.", examples=[["ml-*"]])
    ] = ()
    providers: Annotated[tuple[str, ...], Meta(description="The providers that they may define, as patterns.")] = ()
    names: Annotated[
        tuple[Annotated[str, Meta(pattern=OWNER_NAME)], ...],
        Meta(
            description="Who approves a change, for `gateway owners --codeowners`: `@user`, `@organisation/team` or an address.",
            examples=[["@acme/ml"]],
        ),
    ] = ()
