"""What may be said of a route, and of named routers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.audit import Privacy
from gateway.config.spec.limits import RateLimit
from gateway.config.spec.money import Budget
from gateway.config.spec.prices import OptimizeFor
from gateway.config.spec.providers import ProviderKey
from gateway.config.spec.terms import Base, Confidential, Duration, Probability, Size, Url, Weight
from gateway.config.spec.virtual import RuleName, When


class Cache(Base, frozen=True):
    """The response cache."""

    directive: Annotated[
        str,
        Meta(
            description="As in Cache-Control: `max-age`, `stale-while-revalidate`, `stale-if-error` and `max-stale` in seconds, `no-cache`, or `no-store` for a router that is to have none.",
            examples=["max-age=3600", "max-age=3600, stale-while-revalidate=60, stale-if-error=86400"],
        ),
    ]
    scope: Annotated[
        Literal["caller", "team", "router"],
        Meta(description="Who may see whose answers: each caller its own, a team's among them, or everybody all."),
    ] = "caller"
    buckets: Annotated[
        int,
        Meta(ge=1, le=100, description="How many variants of an answer are kept: filled first, then one by chance."),
    ] = 1
    seed: Annotated[
        str | None,
        Meta(description="Another seed is another cache: change it to forget what is kept."),
    ] = None
    max_size: Annotated[
        Size,
        Meta(description="Bytes that it may hold in the memory of a process. In Redis, `maxmemory` bounds it instead."),
    ] = "256MiB"
    max_entry_size: Annotated[
        Size, Meta(description="A larger answer is not kept. So much of each stream is held while it passes.")
    ] = "4MiB"
    tool_calls: Annotated[
        bool, Meta(description="Keep answers that call tools, too. An agent that gets one twice may go in circles.")
    ] = False


class Retries(Base, frozen=True):
    """What is done after a failed attempt, before the first byte has gone to the client."""

    strategy: Annotated[Literal["exponential", "constant"], Meta(description="How delays grow.")] = "exponential"
    min_delay: Annotated[Duration, Meta(description="The first delay on the same target.")] = "100ms"
    max_delay: Annotated[Duration, Meta(description="The longest delay.")] = "5s"
    max_retries: Annotated[int, Meta(ge=0, le=20, description="Attempts after the first.")] = 2
    factor: Annotated[float, Meta(ge=1, le=10, description="How much longer each delay is than the one before.")] = 2
    budget: Annotated[
        Probability,
        Meta(description="Retries as a share of recent requests of the router; at least 10 are always allowed."),
    ] = 0.2
    on_content_policy: Annotated[
        Literal["fail", "failover"], Meta(description="What a provider's refusal of the content leads to.")
    ] = "fail"


class Timeouts(Base, frozen=True):
    """How long is waited, and for what."""

    connect: Annotated[Duration, Meta(description="For a connection.")] = "5s"
    first_token: Annotated[Duration, Meta(description="For the first event of a stream.")] = "30s"
    idle: Annotated[Duration, Meta(description="Between two chunks of a stream.")] = "30s"
    total: Annotated[Duration, Meta(description="For the whole exchange, retries included.")] = "10m"


class Target(Confidential, frozen=True):
    """A provider in a router's list, with what is particular there."""

    provider: Annotated[str, Meta(description="The provider, or `provider/model`.")]
    weight: Annotated[Weight | None, Meta(description="Its share, relative to the others.")] = None
    model: Annotated[str | None, Meta(description="The model to ask for, whatever the client named.")] = None
    base_url: Annotated[Url | None, Meta(description="Another address of the same provider.")] = None
    keys: Annotated[tuple[ProviderKey | str, ...], Meta(description="Keys for this entry alone.")] = ()
    region: Annotated[str | None, Meta(description="Where it is: a label for readers.")] = None
    priority: Annotated[int, Meta(ge=0, description="Lower is tried first (strategy `priority`).")] = 0


Strategy = Literal[
    "weighted", "provider-weighted", "latency", "balanced-latency", "model-weighted", "model-latency",
    "priority", "least-busy", "cost", "model-cost",
]  # fmt: skip


class Balance(Base, frozen=True):
    """How one kind of request is spread over providers."""

    strategy: Annotated[Strategy, Meta(description="How the next target is chosen.")] = "latency"
    providers: Annotated[
        tuple[Target | str, ...] | None, Meta(description="The targets: `openai`, `openai/gpt-4o`, or a mapping.")
    ] = None
    models: Annotated[
        tuple[Target | str, ...] | None, Meta(description="The same as `providers`, for the `model-*` strategies.")
    ] = None


class LoadBalance(Base, frozen=True):
    """A balance for each kind of request; `default` serves those without one of their own."""

    chat: Annotated[Balance | None, Meta(description="Chat, completions, responses and messages, streamed or not.")] = (
        None
    )
    embeddings: Annotated[Balance | None, Meta(description="Embeddings.")] = None
    images: Annotated[Balance | None, Meta(description="Images.")] = None
    audio: Annotated[Balance | None, Meta(description="Speech and transcription.")] = None
    moderations: Annotated[Balance | None, Meta(description="Moderations.")] = None
    rerank: Annotated[Balance | None, Meta(description="Reranking.")] = None
    default: Annotated[Balance | None, Meta(description="Every kind without one of its own.")] = None


class VirtualRule(Base, frozen=True):
    """A rule of a virtual model: the first of them that holds decides. One without `when` always does."""

    name: Annotated[RuleName | None, Meta(description="As `x-gateway-rule` shows it; else its place in the list.")] = (
        None
    )
    when: Annotated[When | None, Meta(description="What must hold of the request.")] = None
    to: Annotated[
        Balance | tuple[Target | str, ...] | str | None,
        Meta(
            description="Where it goes: `provider/model`, a list of them in the order of preference, a balance, or another virtual model.",
            examples=["openai/gpt-5.4-mini", ["anthropic/claude-sonnet-5-5", "openai/gpt-5.5"]],
        ),
    ] = None
    split: Annotated[
        dict[str, Weight] | None,
        Meta(
            description="In place of `to`: targets or virtual models with their shares. An end user, or else a caller, stays on one side.",
            examples=[{"openai/gpt-5.5": 0.9, "anthropic/claude-sonnet-5-5": 0.1}],
        ),
    ] = None


class Policies(Base, frozen=True):
    """What may be said of any route."""

    rate_limit: Annotated[RateLimit | None, Meta(description="How much may be asked, and how fast.")] = None
    cache: Annotated[Cache | None, Meta(description="Answers that are given again.")] = None
    retries: Annotated[Retries | None, Meta(description="What is done after a failed attempt.")] = None
    timeouts: Annotated[Timeouts | None, Meta(description="How long is waited.")] = None
    on_disconnect: Annotated[
        Literal["cancel", "finish"] | None,
        Meta(description="A client that leaves: `cancel` the upstream call, or `finish` it for its usage."),
    ] = None
    on_loss: Annotated[
        Literal["allow", "reject"] | None,
        Meta(
            description="What a provider of another dialect cannot be told: `allow` drops hints and shows them in `x-gateway-dropped`, `reject` makes it not eligible."
        ),
    ] = None
    prompt_cache: Annotated[
        Literal["auto", "none"] | None,
        Meta(
            description="`auto` marks long stable prefixes of requests to Anthropic, which caches only what is marked; a request that has marks stays as it is."
        ),
    ] = None
    privacy: Annotated[Privacy | None, Meta(description="What the audit log may say of requests.")] = None
    model_mappings: Annotated[
        dict[str, tuple[str, ...] | str] | None,
        Meta(
            description="What a model name means at another provider, in order of preference.",
            examples=[{"gpt-4o": ["anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"]}],
        ),
    ] = None
    virtual_models: Annotated[
        dict[str, tuple[VirtualRule, ...]] | None,
        Meta(
            description="Names that clients may ask for as a model, each with ordered rules that choose the real one by the request.",
            examples=[
                {"auto": [{"when": {"images": True}, "to": "gemini/gemini-3.8-flash"}, {"to": "openai/gpt-5.4-mini"}]}
            ],
        ),
    ] = None


class Router(Policies, frozen=True):
    """A named router: the policies of `/router/<name>/`."""

    optimize_for: Annotated[
        OptimizeFor | None, Meta(description="Whether cheap or quick targets are preferred, and who may choose.")
    ] = None
    budget: Annotated[
        Budget | tuple[Budget, ...] | None, Meta(description="What all of its callers together may spend.")
    ] = None

    load_balance: Annotated[LoadBalance | None, Meta(description="How requests are spread over providers.")] = None
