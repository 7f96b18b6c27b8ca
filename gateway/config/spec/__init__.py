"""The structure of routers.yaml, one struct for each mapping in it.

Only structure lives here: types, defaults, patterns, and the description that editors and the
reference show. What a file means beyond that is in check.py; what it becomes, in assemble.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.config.spec.admin import AdminKey, AdminSettings
from gateway.config.spec.alerts import Alerts, Anomalies, Webhook
from gateway.config.spec.audit import AuditKey, AuditSettings, Privacy, PrivacyLevel
from gateway.config.spec.auth import (
    AuthSettings,
    GatewayKey,
    JwtClaims,
    JwtIssuer,
    ModelList,
    NetworkList,
    PreviousHash,
    ProviderList,
    RouterList,
    SigningAlgorithm,
)
from gateway.config.spec.ceilings import BudgetCeiling, BudgetCeilings, Ceilings, LimitCeilings, Owner
from gateway.config.spec.ledger import LedgerSettings
from gateway.config.spec.limits import Bucket, RateLimit
from gateway.config.spec.money import Budget, ConsumerKind, Downgrade, Quotas, Spender
from gateway.config.spec.policies import (
    Balance,
    Cache,
    LoadBalance,
    Policies,
    Retries,
    Router,
    Strategy,
    Target,
    Timeouts,
    VirtualRule,
)
from gateway.config.spec.prices import ModelPrice, OptimizeFor
from gateway.config.spec.providers import AwsKey, AzureKey, Breaker, GoogleKey, KeyLimit, KeyPool, Provider, ProviderKey
from gateway.config.spec.server import Logging, Server, Tls
from gateway.config.spec.store import StoreSettings
from gateway.config.spec.terms import (
    KEY_HASH,
    KEY_NAME,
    OWNED_FILES,
    OWNER_NAME,
    Base,
    Confidential,
    Duration,
    KeyHash,
    Moment,
    Probability,
    RouterName,
    Size,
    Url,
    Weight,
)
from gateway.config.spec.traces import Traces
from gateway.config.spec.virtual import RULE_NAME, When

__all__ = [
    "KEY_HASH",
    "KEY_NAME",
    "OWNED_FILES",
    "OWNER_NAME",
    "RULE_NAME",
    "AdminKey",
    "AdminSettings",
    "Alerts",
    "Anomalies",
    "AuditKey",
    "AuditSettings",
    "AuthSettings",
    "AwsKey",
    "AzureKey",
    "Balance",
    "Base",
    "Breaker",
    "Bucket",
    "Budget",
    "BudgetCeiling",
    "BudgetCeilings",
    "Cache",
    "Ceilings",
    "Confidential",
    "ConsumerKind",
    "Downgrade",
    "Duration",
    "GatewayKey",
    "GoogleKey",
    "JwtClaims",
    "JwtIssuer",
    "KeyHash",
    "KeyLimit",
    "KeyPool",
    "LedgerSettings",
    "LimitCeilings",
    "LoadBalance",
    "Logging",
    "ModelList",
    "ModelPrice",
    "Moment",
    "NetworkList",
    "OptimizeFor",
    "Owner",
    "Policies",
    "PreviousHash",
    "Privacy",
    "PrivacyLevel",
    "Probability",
    "Provider",
    "ProviderKey",
    "ProviderList",
    "Quotas",
    "RateLimit",
    "Retries",
    "Router",
    "RouterList",
    "RouterName",
    "Server",
    "SigningAlgorithm",
    "Size",
    "Spec",
    "Spender",
    "StoreSettings",
    "Strategy",
    "Target",
    "Timeouts",
    "Tls",
    "Traces",
    "Url",
    "VirtualRule",
    "Webhook",
    "Weight",
    "When",
]


class Spec(Base, frozen=True):
    """routers.yaml."""

    include: Annotated[
        tuple[str, ...] | str,
        Meta(
            description="Further files, as glob patterns relative to this one. They may hold `providers` and `routers`.",
            examples=["routers.d/*.yaml"],
        ),
    ] = ()
    server: Annotated[Server, Meta(description="Where the gateway listens and what it accepts.")] = Server()
    auth: Annotated[AuthSettings, Meta(description="Who may call.")] = AuthSettings()
    admin: Annotated[
        AdminSettings | None, Meta(description="The admin API: usage, quotas, live state. Absent: off.")
    ] = None
    store: Annotated[StoreSettings, Meta(description="State that replicas share.")] = StoreSettings()
    providers: Annotated[
        dict[str, Provider | None], Meta(description="Known providers that are tuned, and new ones.")
    ] = {}
    prices: Annotated[
        dict[str, ModelPrice] | None,
        Meta(
            description="What models cost, by `provider/model`, where that is not the shipped price; a name may be a pattern. Of a `provider` alone: of all its models. Given, even empty: every request is priced.",
            examples=[{"vllm/*": {"input": "0.10", "output": "0.40"}, "openai": {"factor": "0.85"}}],
        ),
    ] = None
    global_: Annotated[Policies, Meta(description="For every request, before anything of a router's.")] = msgspec.field(
        name="global", default_factory=Policies
    )
    unified_api: Annotated[Router, Meta(description="The policies of `/ai/` and `/v1/`.")] = msgspec.field(
        default_factory=Router
    )
    default_router: Annotated[str | None, Meta(description="The router that serves `/v1/`.")] = None
    routers: Annotated[dict[RouterName, Router], Meta(description="The named routers.")] = {}
    traces: Annotated[
        Traces | None, Meta(description="Spans of requests and attempts, for OpenTelemetry. Absent: none are made.")
    ] = None
    alerts: Annotated[Alerts | None, Meta(description="Who is told when something needs somebody. Absent: nobody.")] = (
        None
    )
    ledger: Annotated[
        LedgerSettings | None, Meta(description="A row for each exchange, in a database. Absent: none is kept.")
    ] = None
    audit: Annotated[
        AuditSettings | None,
        Meta(description="A line for each exchange: who asked for what, and what came of it. Absent: none."),
    ] = None
    quotas: Annotated[
        Quotas | None, Meta(description="Who pays in advance. Absent: balances in the ledger bound nobody.")
    ] = None
    teams: Annotated[dict[str, Spender], Meta(description="What teams may spend.")] = {}
    projects: Annotated[dict[str, Spender], Meta(description="What projects may spend.")] = {}
    ceilings: Annotated[Ceilings | None, Meta(description="What no router may go beyond.")] = None
    owners: Annotated[
        tuple[Owner, ...], Meta(description="Which included file may define which routers, and who approves it.")
    ] = ()
