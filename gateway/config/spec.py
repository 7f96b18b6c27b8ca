"""The structure of routers.yaml, one struct for each mapping in it.

Only structure lives here: types, defaults, patterns, and the description that editors and the
reference show. What a file means beyond that is in check.py; what it becomes, in assemble.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.core.exchange import Operation
from gateway.core.moments import MOMENT
from gateway.core.units import DURATION, SIZE
from gateway.providers.row import Auth

Duration = Annotated[
    str, Meta(pattern=DURATION, description="A duration: `250ms`, `1s`, `5m`, `1h`, `30d`.", examples=["30s"])
]
Size = Annotated[str, Meta(pattern=SIZE, description="A size: `64KiB`, `32MiB`.", examples=["32MiB"])]
Weight = (
    Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?$", description="An exact decimal, as a string: `'0.7'`.")]
    | Annotated[int, Meta(ge=0)]
    | Annotated[float, Meta(ge=0)]
)
Url = Annotated[str, Meta(pattern=r"^https?://", examples=["http://vllm.internal:8000/v1"])]
RouterName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,12}$")]
Probability = Annotated[float, Meta(ge=0, le=1)]
Moment = Annotated[
    str, Meta(pattern=MOMENT, description="A day, or a moment with its offset.", examples=["2027-01-31"])
]
KEY_NAME = r"^[A-Za-z0-9_.-]{1,64}$"
KEY_HASH = r"^(?:hmac-)?sha256:[0-9a-f]{64}$"
OWNED_FILES = r"^[^/\s#!\[\]\\][^\s#!\[\]\\]*$"
OWNER_NAME = r"^(?:@[A-Za-z0-9-]+(?:/[A-Za-z0-9._-]+)?|[^@\s]+@[^@\s]+)$"
KeyHash = Annotated[str, Meta(pattern=KEY_HASH, examples=["sha256:..."])]
RouterList = Annotated[
    tuple[str, ...] | None, Meta(description="The routers it may use; absent: all, and the direct routes too.")
]
ModelList = Annotated[
    tuple[str, ...] | None,
    Meta(
        description="The models it may ask for, by the name that the client writes, or patterns; absent: all.",
        examples=[["gpt-4o*", "claude-*"]],
    ),
]
ProviderList = Annotated[tuple[str, ...] | None, Meta(description="The providers that may serve it; absent: all.")]
NetworkList = Annotated[
    tuple[str, ...] | None,
    Meta(
        description="The networks and addresses it may call from (see `server.trusted-proxies`); absent: anywhere.",
        examples=[["10.0.0.0/8", "2001:db8::/32"]],
    ),
]
SigningAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Kebab-case keys, unknown keys refused."""


class Confidential(Base, frozen=True):
    """What holds a credential prints as its kind alone, wherever it is nested."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Logging(Base, frozen=True):
    """What the process writes to standard output."""

    format: Annotated[
        Literal["auto", "json", "text"],
        Meta(description="`auto` is text on a terminal and JSON elsewhere."),
    ] = "auto"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least severe line that is written.")
    ] = "info"
    requests: Annotated[
        Literal["all", "failures", "none"],
        Meta(description="Which requests get a line of their own. Bodies and credentials are never in it."),
    ] = "failures"


class Tls(Base, frozen=True):
    """The certificate of the gateway's own port. Without it the port speaks plain HTTP, for a proxy in front."""

    certificate: Annotated[str, Meta(description="The file with the certificate and its chain, as PEM.")]
    key: Annotated[str, Meta(description="The file with its private key, as PEM.")]


class Server(Base, frozen=True):
    """Where the gateway listens and what it accepts."""

    host: Annotated[
        str, Meta(description="The address to listen on. Another than loopback needs `auth.mode` said aloud.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The TCP port.")] = 8080
    engine: Annotated[
        Literal["granian", "hypercorn"],
        Meta(
            description="The ASGI server: `granian` is the fast one, `hypercorn` also speaks HTTP/3 (with `tls` and the `http3` extra)."
        ),
    ] = "granian"
    tls: Annotated[
        Tls | None,
        Meta(description="Serve HTTPS. With `hypercorn` and the `http3` extra, HTTP/3 on the same port too."),
    ] = None
    workers: Annotated[int, Meta(ge=1, le=256, description="Processes; one for each core is a good number.")] = 1
    max_body_size: Annotated[Size, Meta(description="A larger request body is refused with 413.")] = "32MiB"
    max_header_size: Annotated[
        Size, Meta(description="Larger request headers, all together, are refused with 431.")
    ] = "64KiB"
    body_timeout: Annotated[Duration, Meta(description="How long a client may take to send its request body.")] = "60s"
    drain_timeout: Annotated[Duration, Meta(description="How long requests in flight may go on after SIGTERM.")] = "30s"
    upstream_engine: Annotated[
        Literal["http1", "pyreqwest", "httpx"],
        Meta(
            description="The HTTP client towards providers: `http1` is the fast one (with a proxy in the environment, `pyreqwest` takes its place)."
        ),
    ] = "http1"
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks of the proxies in front, whose `x-forwarded-for` says where a client is.",
            examples=[["10.0.0.0/8"]],
        ),
    ] = ()
    logging: Annotated[Logging, Meta(description="What is written to standard output.")] = Logging()


class PreviousHash(Base, frozen=True):
    """The secret that a key had before, for as long as it counts beside the new one."""

    hash: Annotated[KeyHash, Meta(description="As `hash` of the key.")]
    until: Annotated[Moment, Meta(description="When it stops counting; a day counts to its end, in UTC.")]


class GatewayKey(Confidential, frozen=True):
    """A caller's key. Only its hash stands here: `gateway keys new` prints the key once and this entry."""

    name: Annotated[str, Meta(pattern=KEY_NAME, description="How logs and metrics name the caller.")]
    hash: Annotated[
        KeyHash | None,
        Meta(
            description="`sha256:`, or `hmac-sha256:` (keyed with `auth.pepper`), and the hex digest of the key. Absent only where every request is signed."
        ),
    ] = None
    previous: Annotated[
        PreviousHash | None, Meta(description="The secret before this one, during a rotation: `gateway keys rotate`.")
    ] = None
    team: Annotated[str | None, Meta(description="The team the caller belongs to.")] = None
    rate_limit: Annotated[
        Bucket | tuple[Bucket, ...] | None,
        Meta(description="A limit of this key's own, over all routes, beside those of the routes."),
    ] = None
    routers: RouterList = None
    models: ModelList = None
    providers: ProviderList = None
    networks: NetworkList = None
    expires: Annotated[
        Moment | None, Meta(description="The last day on which it is good, to its end in UTC, or a moment.")
    ] = None
    created: Annotated[Moment | None, Meta(description="When it was made, for `gateway keys list`.")] = None
    signing: Annotated[
        Literal["required", "optional"] | None,
        Meta(description="Requests are signed with `signing-secret`: each of them, or those that do not send the key."),
    ] = None
    signing_secret: Annotated[
        str | None,
        Meta(
            description="The secret of the signatures, as `${env:NAME}` or `${file:/path}`; 32 characters or more.",
            examples=["${env:CI_SIGNING_SECRET}"],
        ),
    ] = None
    explain: Annotated[
        bool,
        Meta(description="Whether `x-gateway-explain: 1` tells the caller how the gateway decided its request."),
    ] = False


class JwtClaims(Base, frozen=True):
    """Which claims of a token say what. A claim within another is written with a dot: `realm_access.roles`."""

    name: Annotated[str, Meta(min_length=1, description="Who the bearer is.")] = "sub"
    team: Annotated[str | None, Meta(description="Its team, or its groups: see `teams`.")] = None
    routers: Annotated[
        str | None,
        Meta(description="The routers it may use, as a list or as text with spaces. A token without it may use none."),
    ] = None


class JwtIssuer(Base, frozen=True):
    """An issuer whose tokens (JWT, OpenID Connect) admit their bearers."""

    issuer: Annotated[str, Meta(min_length=1, description="What `iss` must be.", examples=["https://id.example.com"])]
    audience: Annotated[
        tuple[str, ...] | str, Meta(description="What `aud` must be, or hold; of several, one is enough.")
    ]
    name: Annotated[
        str, Meta(pattern=KEY_NAME, description="In front of its bearers' names, so that no two callers share one.")
    ] = "jwt"
    jwks_url: Annotated[
        Url | None,
        Meta(description="Where its public keys are. Absent: as `<issuer>/.well-known/openid-configuration` says."),
    ] = None
    jwks_file: Annotated[
        str | None,
        Meta(description="A file with its public keys instead, relative to this one; read again when it changes."),
    ] = None
    algorithms: Annotated[
        tuple[SigningAlgorithm, ...],
        Meta(min_length=1, description="The algorithms that its tokens may be signed with."),
    ] = ("RS256",)
    claims: Annotated[JwtClaims, Meta(description="Which claims say who the bearer is and what it may use.")] = (
        JwtClaims()
    )
    teams: Annotated[
        dict[str, str],
        Meta(
            description="From a group in the team's claim to a team; the first that fits. A token with none of them is refused, unless there is a `team`.",
            examples=[{"ml-engineers": "ml"}],
        ),
    ] = {}
    required_claims: Annotated[tuple[str, ...], Meta(description="Further claims that a token must have.")] = ()
    leeway: Annotated[Duration, Meta(description="How far the clocks may differ.")] = "30s"
    team: Annotated[str | None, Meta(description="The team of a bearer whose token says nothing of one.")] = None
    routers: RouterList = None
    models: ModelList = None
    providers: ProviderList = None
    networks: NetworkList = None


class AuthSettings(Confidential, frozen=True):
    """Who may call."""

    mode: Annotated[
        Literal["keys", "open"] | None,
        Meta(
            description="`keys`: a gateway key, or a token of `jwt`, is demanded. `open`: anybody may call. Absent: open, on loopback only."
        ),
    ] = None
    keys: Annotated[tuple[GatewayKey, ...], Meta(description="The callers' keys.")] = ()
    keys_file: Annotated[
        str | None,
        Meta(
            description="A file with more of them, relative to this one: a list that `gateway keys` keeps.",
            examples=["keys.yaml"],
        ),
    ] = None
    pepper: Annotated[
        str | None,
        Meta(
            description="The secret of `hmac-sha256:` hashes, as `${env:NAME}` or `${file:/path}`; 16 characters or more.",
            examples=["${env:GATEWAY_PEPPER}"],
        ),
    ] = None
    jwt: Annotated[tuple[JwtIssuer, ...], Meta(description="Issuers whose tokens are accepted beside keys.")] = ()


class StoreSettings(Confidential, frozen=True):
    """State shared by replicas: limits and cache."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(memory|redis|rediss|redis\+sentinel|redis\+cluster)://",
            description="Where it is kept: `memory://` (each process its own), or a Redis or Valkey: `redis://:PASSWORD@host:6379/0`, `rediss://` by TLS, `redis+sentinel://host:26379,host:26379/service`, `redis+cluster://host:6379,host:6379`. `?ssl_ca_certs=FILE` names the authority to trust, `?tls=true` asks for TLS of the last two.",
            examples=["${env:REDIS_URL}", "redis://redis.internal:6379/0"],
        ),
    ] = "memory://"
    on_outage: Annotated[
        Literal["local", "open", "closed"],
        Meta(description="While the store is away: limit per process, let through, or refuse."),
    ] = "local"
    timeout: Annotated[
        Duration, Meta(description="How long one call of the store may take. A later answer is an outage.")
    ] = "250ms"
    client: Annotated[
        Literal["lean", "redis-py"],
        Meta(
            description="How a Redis is spoken to: `lean` is the gateway's own connection, the fast one; `redis-py` is that library."
        ),
    ] = "lean"
    key_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
            description="What every key in a Redis begins with. Gateways with the same prefix share their state.",
        ),
    ] = "gateway:"


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
    "priority", "least-busy",
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
            description="`auto` marks long stable prefixes of requests that are translated for Anthropic, which caches only what is marked."
        ),
    ] = None
    model_mappings: Annotated[
        dict[str, tuple[str, ...] | str] | None,
        Meta(
            description="What a model name means at another provider, in order of preference.",
            examples=[{"gpt-4o": ["anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"]}],
        ),
    ] = None


class Router(Policies, frozen=True):
    """A named router: the policies of `/router/<name>/`."""

    load_balance: Annotated[LoadBalance | None, Meta(description="How requests are spread over providers.")] = None


class LimitCeilings(Base, frozen=True):
    """The most that may pass, by what it is counted for. Every router is to have a limit within each, of its own or of
    `global`."""

    per_api_key: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For each caller.")] = None
    per_team: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For each team.")] = None
    per_end_user: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For each end user.")] = None
    total: Annotated[Bucket | tuple[Bucket, ...] | None, Meta(description="For all together.")] = None


class Ceilings(Base, frozen=True):
    """What no router may go beyond, whoever writes it. `gateway check` refuses a config that does."""

    rate_limit: Annotated[LimitCeilings | None, Meta(description="The most that may pass through a router.")] = None
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
    store: Annotated[StoreSettings, Meta(description="State that replicas share.")] = StoreSettings()
    providers: Annotated[
        dict[str, Provider | None], Meta(description="Known providers that are tuned, and new ones.")
    ] = {}
    global_: Annotated[Policies, Meta(description="For every request, before anything of a router's.")] = msgspec.field(
        name="global", default_factory=Policies
    )
    unified_api: Annotated[Router, Meta(description="The policies of `/ai/` and `/v1/`.")] = msgspec.field(
        default_factory=Router
    )
    default_router: Annotated[str | None, Meta(description="The router that serves `/v1/`.")] = None
    routers: Annotated[dict[RouterName, Router], Meta(description="The named routers.")] = {}
    ceilings: Annotated[Ceilings | None, Meta(description="What no router may go beyond.")] = None
    owners: Annotated[
        tuple[Owner, ...], Meta(description="Which included file may define which routers, and who approves it.")
    ] = ()
