"""`providers`: known ones that are tuned, and new ones."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Base, Confidential, Duration, Probability, Url
from gateway.core.exchange import Operation
from gateway.providers.row import Auth


class KeyLimit(Base, frozen=True):
    """What a provider lets a key do. It is kept to before the provider says 429, and evenly over replicas that share a
    store."""

    requests_per_minute: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Attempts a minute.")] = None
    tokens_per_minute: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Input and output tokens a minute.")
    ] = None


class GoogleKey(Confidential, frozen=True):
    """A service account of Google Cloud's, whose signed word is good for tokens."""

    service_account: Annotated[
        str,
        Meta(
            description="The JSON of its key, or what `gcloud auth application-default login` has written.",
            examples=["${file:/run/secrets/sa.json}"],
        ),
    ]


class AzureKey(Confidential, frozen=True):
    """An application of Entra ID's, by its secret or by the token of a workload."""

    tenant: Annotated[str, Meta(description="The directory: its id or its domain.")]
    client: Annotated[str, Meta(description="The application's id.")]
    secret: Annotated[str | None, Meta(description="Its secret.", examples=["${env:AZURE_CLIENT_SECRET}"])] = None
    token_file: Annotated[
        str | None,
        Meta(description="Instead of a secret: the file of a federated token. Read anew for each question."),
    ] = None
    authority: Annotated[
        Url | None, Meta(description="Of another cloud; absent: `https://login.microsoftonline.com`.")
    ] = None


class AwsKey(Confidential, frozen=True):
    """A key pair of AWS's, or a role that is assumed with a web identity."""

    access_key_id: Annotated[str | None, Meta(description="The id of the pair.")] = None
    secret_access_key: Annotated[str | None, Meta(description="Its secret.")] = None
    session_token: Annotated[str | None, Meta(description="What a temporary pair has besides.")] = None
    role: Annotated[str | None, Meta(description="Instead of a pair: the ARN of a role,")] = None
    token_file: Annotated[
        str | None, Meta(description="and the file of the token it is assumed with. Read anew for each question.")
    ] = None


class ProviderKey(Confidential, frozen=True):
    """A credential of a provider: one of `value`, `google`, `azure` and `aws`."""

    value: Annotated[
        str | None,
        Meta(description="The credential, as `${env:NAME}` or `${file:/path}`.", examples=["${env:OPENAI_API_KEY}"]),
    ] = None
    google: Annotated[
        GoogleKey | Literal["metadata"] | None,
        Meta(description="Tokens of Google Cloud's; `metadata`: of the machine or pod that this runs on."),
    ] = None
    azure: Annotated[AzureKey | None, Meta(description="Tokens of Entra ID's.")] = None
    aws: Annotated[
        AwsKey | Literal["container"] | None,
        Meta(description="Signatures of AWS's; `container`: with what ECS or EKS lends to this container."),
    ] = None
    name: Annotated[str | None, Meta(description="How logs and metrics name it; absent: `key-1`, `key-2`, ...")] = None
    limit: Annotated[
        KeyLimit | None, Meta(description="What the provider lets this key do.", examples=[{"requests-per-minute": 15}])
    ] = None
    free: Annotated[
        bool,
        Meta(
            description="A key of a free tier: what is asked with it costs nothing, and what it would have cost is counted as saved."
        ),
    ] = False


class KeyPool(Base, frozen=True):
    """How a provider's keys are used."""

    strategy: Annotated[Literal["round-robin"], Meta(description="Which key is next.")] = "round-robin"
    cooldown: Annotated[
        Duration, Meta(description="How long a key rests after a 429 that names no time of its own.")
    ] = "60s"
    quarantine: Annotated[
        Duration, Meta(description="How long a key rests after a 401 or 403 before it is tried once more.")
    ] = "10m"


class Breaker(Base, frozen=True):
    """When a target is left alone for a while."""

    consecutive_failures: Annotated[int, Meta(ge=1, description="It opens after so many failures in a row,")] = 5
    error_ratio: Annotated[Probability, Meta(description="or over this share of failures")] = 0.5
    min_requests: Annotated[int, Meta(ge=1, description="of at least so many requests")] = 20
    window: Annotated[Duration, Meta(description="in this time.")] = "30s"
    open_for: Annotated[
        Duration, Meta(description="How long it stays open at first; doubled each time a probe fails.")
    ] = "10s"
    max_open: Annotated[Duration, Meta(description="How long it stays open at most.")] = "2m"


class Provider(Confidential, frozen=True):
    """A provider: a known one that is tuned, or a new one."""

    dialect: Annotated[
        Literal["openai", "anthropic", "gemini", "cohere", "bedrock", "ollama"] | None,
        Meta(description="The wire format it speaks. Needed for a provider that the catalog does not know."),
    ] = None
    base_url: Annotated[
        Url | None, Meta(description="Where its API is, version segment included: `http://vllm.internal:8000/v1`.")
    ] = None
    auth: Annotated[Auth | None, Meta(description="How its credential is sent.")] = None
    project: Annotated[
        str | None, Meta(description="Of Google Cloud; absent: `GOOGLE_CLOUD_PROJECT`, or the service account's own.")
    ] = None
    region: Annotated[
        str | None,
        Meta(description="Of Bedrock or Vertex AI; absent: `AWS_REGION`, `GOOGLE_CLOUD_LOCATION` or `global`."),
    ] = None
    api_version: Annotated[
        str | None,
        Meta(
            description="Of Azure OpenAI: its API of dated versions, a path for each deployment; absent: its v1 API.",
            examples=["2024-10-21"],
        ),
    ] = None
    deployments: Annotated[
        dict[str, str],
        Meta(
            description="What models are called in the account; absent: as their vendor calls them.",
            examples=[{"gpt-4o": "my-gpt4o"}],
        ),
    ] = {}
    keys: Annotated[
        tuple[ProviderKey | str, ...],
        Meta(description="Its credentials: a pool.", examples=[["${env:OPENAI_API_KEY}"]]),
    ] = ()
    key_pool: Annotated[KeyPool, Meta(description="How its keys are used.")] = KeyPool()
    models: Annotated[
        tuple[str, ...], Meta(description="Model names, or patterns such as `llama-*` or `*`, that it serves.")
    ] = ()
    models_closed: Annotated[bool, Meta(description="Refuse models that are neither known nor listed.")] = False
    headers: Annotated[dict[str, str], Meta(description="Sent with every request to it.")] = {}
    operations: Annotated[
        tuple[Operation, ...] | None,
        Meta(description="The operations it has; absent: the catalog's, or all of its dialect."),
    ] = None
    stream_usage: Annotated[
        Literal["always", "ask", "never"] | None,
        Meta(description="Whether usage in a stream comes by itself, when asked for, or not at all."),
    ] = None
    breaker: Annotated[Breaker, Meta(description="When its targets are left alone for a while.")] = Breaker()
    enabled: Annotated[bool, Meta(description="`false` takes it out of every router.")] = True
