"""The structure of a `*.test.yaml`, one struct for each mapping in it.

Only structure lives here, with the descriptions that editors show; what a case means beyond that is in reading.py, and
how it is played in stage.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.config.spec import Base, Duration
from gateway.policy.health import State
from gateway.policy.key_pool import KeyState
from gateway.rehearsal.bounds import COUNT, SHARE, SPAN

Count = (
    Annotated[int, Meta(ge=0)]
    | Annotated[float, Meta(ge=0)]
    | Annotated[str, Meta(pattern=COUNT, description="A number, `'>= 95'`, `'< 5'` or `'4..6'`.")]
)
Share = (
    Annotated[int, Meta(ge=0)]
    | Annotated[float, Meta(ge=0)]
    | Annotated[str, Meta(pattern=SHARE, description="A share: `0.7`, `'70%'`, `'>= 30%'` or `'69%..71%'`.")]
)
Span = Annotated[str, Meta(pattern=SPAN, description="A duration, or bounds of one: `'<= 300ms'`, `'1s..2s'`.")]
Rate = Annotated[
    str,
    Meta(pattern=r"^[1-9][0-9]{0,5}/(?:s|m|h)$", description="So many a second, minute or hour.", examples=["10/s"]),
]
Consumer = Annotated[
    str, Meta(pattern=r"^(?:key|team|project):.+", description="`key:NAME`, `team:NAME` or `project:NAME`.")
]
Dollars = (
    Annotated[str, Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,9})?$", description="Dollars, exact: `'12.50'`.")]
    | Annotated[int, Meta(ge=0, lt=1_000_000)]
    | Annotated[float, Meta(ge=0, lt=1_000_000)]
)
Positive = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Many = Annotated[int, Meta(ge=1, le=1_000_000)]
ApiPath = Annotated[str, Meta(pattern=r"^/", description="A path, with its `/` in front.")]
Scalar = str | int | float | bool | None


class Spread(Base, frozen=True, kw_only=True):
    """A distribution of latencies: log-normal, by its median and its 99th percentile."""

    p50: Annotated[Duration, Meta(description="Half are faster.")]
    p99: Annotated[Duration, Meta(description="One in a hundred is slower.")]


class Tokens(Base, frozen=True, kw_only=True):
    """The usage that a provider tells."""

    input: Annotated[int, Meta(ge=0, description="Tokens of the request.")] = 9
    output: Annotated[int, Meta(ge=0, description="Tokens of the reply.")] = 3


class Phase(Base, frozen=True, kw_only=True):
    """What a provider does from a moment on. Of the phases that apply to a call, the last one counts; where none does,
    the provider answers well after 100 ms."""

    at: Annotated[Duration, Meta(description="From when on.")] = "0s"
    for_: Annotated[Duration | None, Meta(description="For how long; absent: to the end.")] = msgspec.field(
        default=None, name="for"
    )
    key: Annotated[str | None, Meta(description="Applies to calls with this key of the provider's pool.")] = None
    model: Annotated[str | None, Meta(description="Applies to calls for this model, by the provider's name.")] = None
    times: Annotated[Positive | None, Meta(description="Applies to so many calls, then no more.")] = None
    status: Annotated[int, Meta(ge=200, le=599, description="The status of the reply.")] = 200
    latency: Annotated[Duration | Spread, Meta(description="Until the head of the reply.")] = "100ms"
    retry_after: Annotated[Duration | None, Meta(description="The `retry-after` header.")] = None
    fault: Annotated[
        Literal["refused", "reset", "hang"] | None,
        Meta(description="No reply at all: nobody listens, the connection is cut, or nothing ever comes."),
    ] = None
    cut_after: Annotated[Natural | None, Meta(description="Cut the body after so many pieces.")] = None
    hang_after: Annotated[Natural | None, Meta(description="Send no more after so many pieces.")] = None
    gap: Annotated[Duration, Meta(description="Between the pieces of a stream.")] = "0s"
    tokens: Annotated[Tokens, Meta(description="The usage that it tells.")] = Tokens()
    text: Annotated[str, Meta(description="What the model says.")] = "Hello"
    headers: Annotated[dict[str, str], Meta(description="More headers of the reply.")] = {}
    body: Annotated[dict[str, Any] | None, Meta(description="A body of one's own, in the provider's words.")] = None


class Traffic(Base, frozen=True, kw_only=True):
    """Requests of one kind: at a rate, at moments, or all at once."""

    router: Annotated[str | None, Meta(description="The router that is asked; absent: `path` is the whole path.")] = (
        None
    )
    path: Annotated[
        ApiPath | None,
        Meta(
            description="The path below the router, or the whole; absent: a chat request of OpenAI's dialect.",
            examples=["/messages", "/v1/responses"],
        ),
    ] = None
    model: Annotated[str | None, Meta(description="The model that is asked for.")] = None
    key: Annotated[str | None, Meta(description="The name of the gateway key that is sent.")] = None
    rate: Annotated[Rate | None, Meta(description="So many at equal distances, for `for` or until `count`.")] = None
    for_: Annotated[Duration | None, Meta(description="How long they come, with `rate`.")] = msgspec.field(
        default=None, name="for"
    )
    at: Annotated[tuple[Duration, ...] | None, Meta(description="The moments at which they come.")] = None
    count: Annotated[Many | None, Meta(description="How many: in all with `rate`, else at each moment.")] = None
    start: Annotated[Duration, Meta(description="When the first comes, without `at`.")] = "0s"
    stream: Annotated[bool, Meta(description="Ask for a stream.")] = False
    user: Annotated[str | None, Meta(description="The end user, as the body's `user`.")] = None
    text: Annotated[str, Meta(description="What the user says.")] = "Hi"
    distinct: Annotated[int, Meta(ge=1, description="So many different texts in turn, for a cache to tell apart.")] = 1
    address: Annotated[str, Meta(description="The address that they seem to come from.")] = "127.0.0.1"
    headers: Annotated[dict[str, str], Meta(description="More headers.")] = {}
    body: Annotated[dict[str, Any], Meta(description="More members of the body, before all others.")] = {}


class Attempts(Base, frozen=True, kw_only=True):
    """Attempts upstream for each request."""

    max: Annotated[Count | None, Meta(description="Of the request that took most.")] = None
    mean: Annotated[Count | None, Meta(description="On average.")] = None
    total: Annotated[Count | None, Meta(description="Of all requests.")] = None


class Latency(Base, frozen=True, kw_only=True):
    """Virtual time from a request to the end of its reply, over all requests."""

    p50: Annotated[Span | None, Meta(description="The median.")] = None
    p90: Annotated[Span | None, Meta(description="The 90th percentile.")] = None
    p99: Annotated[Span | None, Meta(description="The 99th percentile.")] = None
    max: Annotated[Span | None, Meta(description="The slowest.")] = None


class Limited(Base, frozen=True, kw_only=True):
    """Replies of status 429."""

    count: Annotated[Count | None, Meta(description="How many.")] = None
    retry_after: Annotated[Span | None, Meta(description="The `retry-after` of each.")] = None


class BreakerAt(Base, frozen=True, kw_only=True):
    """The circuit breaker of a target at a moment, after all that happens at it."""

    at: Annotated[Duration, Meta(description="When.")]
    target: Annotated[str, Meta(description="A provider, or `provider/model`.", examples=["openai"])]
    state: Annotated[State, Meta(description="Its state.")]


class KeyAt(Base, frozen=True, kw_only=True):
    """A provider's key at a moment, after all that happens at it."""

    at: Annotated[Duration, Meta(description="When.")]
    provider: Annotated[str, Meta(description="Whose key.")]
    key: Annotated[str | None, Meta(description="Its name; absent: every key of the provider.")] = None
    state: Annotated[KeyState, Meta(description="Its state.")]


class AccountAt(Base, frozen=True, kw_only=True):
    """What is spent of a balance or a budget at a moment, after all that happens at it."""

    of: Annotated[
        str,
        Meta(
            pattern=r"^(?:key|team|project|router):.+",
            description="Whose: `key:NAME`, `team:NAME`, `project:NAME`, `router:NAME`.",
            examples=["team:ml"],
        ),
    ]
    window: Annotated[
        str | None,
        Meta(
            description="Of a budget, with its time zone unless that is UTC. Absent: of the balance.",
            examples=["month", "rolling 24h", "day Europe/Berlin"],
        ),
    ] = None
    at: Annotated[Duration | None, Meta(description="When; absent: at the end.")] = None
    spent: Annotated[Count | None, Meta(description="Dollars that are spent.")] = None
    left: Annotated[
        Count | None, Meta(description="Dollars that are left, less what is reserved for requests under way.")
    ] = None


class Reply(Base, frozen=True, kw_only=True):
    """One request's reply."""

    request: Annotated[int, Meta(ge=1, description="Which, in the order of time, from 1.")]
    status: Annotated[int | None, Meta(description="Its status.")] = None
    attempts: Annotated[Count | None, Meta(description="Attempts upstream.")] = None
    latency: Annotated[Span | None, Meta(description="Until the end of the reply.")] = None
    whole: Annotated[bool | None, Meta(description="Whether the reply came to its end.")] = None
    headers: Annotated[
        dict[str, str | None],
        Meta(description="By name; `*` stands for anything, null for no such header."),
    ] = {}
    body: Annotated[
        dict[str, Scalar],
        Meta(
            description="Members by path; null where there is none.",
            examples=[{"choices[0].index": 0}],
        ),
    ] = {}
    contains: Annotated[str | None, Meta(description="Text that the body has.")] = None


class Received(Base, frozen=True, kw_only=True):
    """One call that a provider got."""

    provider: Annotated[str, Meta(description="Which provider.")]
    call: Annotated[int, Meta(ge=1, description="Which of its calls, in the order of time, from 1.")] = 1
    path: Annotated[str | None, Meta(description="The path and query that were asked; `*` stands for anything.")] = None
    key: Annotated[str | None, Meta(description="The name of the key that was sent.")] = None
    headers: Annotated[dict[str, str | None], Meta(description="As in `replies`.")] = {}
    body: Annotated[dict[str, Scalar], Meta(description="As in `replies`.")] = {}


class Expect(Base, frozen=True, kw_only=True):
    """What must have happened. At least one thing is to be said."""

    status: Annotated[
        dict[str, Count],
        Meta(description="Replies by status, or by class such as `5xx`.", examples=[{"200": 95, "5xx": 0}]),
    ] = {}
    errors: Annotated[
        dict[str, Count], Meta(description="Replies by `x-gateway-error`.", examples=[{"rate_limited": ">= 1"}])
    ] = {}
    share: Annotated[
        dict[str, Share],
        Meta(
            description="Of the good replies, those of a provider or of `provider/model`.", examples=[{"openai": "30%"}]
        ),
    ] = {}
    calls: Annotated[
        dict[str, Count], Meta(description="Calls that a provider got.", examples=[{"openai": "<= 5"}])
    ] = {}
    spend: Annotated[
        dict[str, Count],
        Meta(
            description="Dollars for a provider's complete replies, `prices` included; `total` for all.",
            examples=[{"total": "<= 0.05"}],
        ),
    ] = {}
    accounts: Annotated[
        tuple[AccountAt, ...],
        Meta(
            description="Balances and budgets at moments.",
            examples=[[{"of": "team:ml", "left": "< 0.01"}, {"of": "router:fast", "window": "day", "spent": "<= 5"}]],
        ),
    ] = ()
    cache: Annotated[
        dict[str, Count], Meta(description="Replies by `x-gateway-cache`.", examples=[{"hit": 9, "miss": 1}])
    ] = {}
    attempts: Annotated[Attempts | None, Meta(description="Attempts for each request.")] = None
    latency: Annotated[Latency | None, Meta(description="How long requests took.")] = None
    limited: Annotated[Limited | None, Meta(description="Requests that were refused with 429.")] = None
    breakers: Annotated[tuple[BreakerAt, ...], Meta(description="Circuit breakers at moments.")] = ()
    keys: Annotated[tuple[KeyAt, ...], Meta(description="Providers' keys at moments.")] = ()
    replies: Annotated[tuple[Reply, ...], Meta(description="Replies of single requests.")] = ()
    received: Annotated[tuple[Received, ...], Meta(description="Single calls that providers got.")] = ()


class Case(Base, frozen=True, kw_only=True):
    """Providers, traffic, and what must come of it."""

    name: Annotated[str, Meta(min_length=1, description="What is tested, in a sentence.")]
    seed: Annotated[int, Meta(ge=0, description="Of all chance in it.")] = 0
    env: Annotated[dict[str, str], Meta(description="Environment variables of this case alone.")] = {}
    providers: Annotated[
        dict[str, tuple[Phase, ...]], Meta(description="What providers do; others answer well after 100 ms.")
    ] = {}
    quotas: Annotated[
        dict[Consumer, Dollars] | None,
        Meta(
            description="Dollars that were paid in before it begins. Absent: balances are not looked at.",
            examples=[{"team:ml": "5.00"}],
        ),
    ] = None
    traffic: Annotated[tuple[Traffic, ...], Meta(min_length=1, description="Who asks for what, and when.")]
    expect: Annotated[Expect, Meta(description="What must have happened.")]


class CaseFile(Base, frozen=True, kw_only=True):
    """Unit tests of the policies of one routers.yaml."""

    config: Annotated[str, Meta(description="The routers.yaml that is tested, relative to this file.")]
    env: Annotated[
        dict[str, str], Meta(description="Environment variables; credentials that are not given are made up.")
    ] = {}
    cases: Annotated[tuple[Case, ...], Meta(min_length=1, description="The tests.")]
