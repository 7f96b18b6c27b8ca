"""`auth`: who may call."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.limits import Bucket
from gateway.config.spec.money import Budget
from gateway.config.spec.terms import KEY_NAME, Base, Confidential, Duration, KeyHash, Moment, Url

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
    project: Annotated[str | None, Meta(description="The project that its requests are for.")] = None
    rate_limit: Annotated[
        Bucket | tuple[Bucket, ...] | None,
        Meta(description="A limit of this key's own, over all routes, beside those of the routes."),
    ] = None
    budget: Annotated[
        Budget | tuple[Budget, ...] | None, Meta(description="What this key may spend, over all routes.")
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
    project: Annotated[str | None, Meta(description="The project that its requests are for.")] = None
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
    project: Annotated[str | None, Meta(description="The project of a bearer whose token says nothing of one.")] = None
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
