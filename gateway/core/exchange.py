"""One request, one object.

An Exchange is the client's side of a request and gathers what happened to it; an Attempt is one
try upstream; a Reply is a head and bytes. Nothing else travels between the layers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from gateway.core.access import Access
    from gateway.core.errors import FaultKind
    from gateway.core.span import Span
    from gateway.core.trace import Trace
    from gateway.core.usage import Estimate, Room, Usage

Dialect = Literal["openai", "anthropic", "gemini", "cohere", "bedrock", "ollama", "vertex", "other"]
"""A family of wire formats: it decides how errors look and how a stream ends. Bedrock's, Ollama's and what Vertex AI
has of its own (`:predict`) are spoken to providers alone."""

Operation = Literal[
    "chat", "completions", "responses", "messages", "count-tokens", "generate", "embeddings",
    "images", "audio", "moderations", "rerank", "models", "other",
]  # fmt: skip
"""What is asked. Dialect and operation together name one wire format."""

Group = Literal["chat", "embeddings", "images", "audio", "moderations", "rerank", "default"]
"""The keys under `load-balance`."""

GROUP_OF: Final[dict[Operation, Group]] = {
    "chat": "chat", "completions": "chat", "responses": "chat", "messages": "chat", "count-tokens": "chat",
    "generate": "chat", "embeddings": "embeddings", "images": "images", "audio": "audio",
    "moderations": "moderations", "rerank": "rerank", "models": "default", "other": "default",
}  # fmt: skip

Headers = list[tuple[bytes, bytes]]
"""As ASGI has them: names in lower case, order and repetition kept."""

Outcome = Literal["ok", "error", "disconnected", "broken"]
"""ok: a complete reply. error: the client was told an error before commit. disconnected: the
client left. broken: the stream broke after commit."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """What a path and a body ask for, read off the wire.

    suffix: the api path below the version segment, such as `/chat/completions`; where the model
    stands in the path it is `{model}`. version: the version segment that the client wrote (`v1`,
    `v1beta`), or ``. model: as the client wrote it, or `` where the operation names none.
    wants_usage: the client asked for usage in the stream itself. max_tokens: 0 when not said.
    in_path: the model stands in the path (Gemini), else in the body. framing: how a stream is cut
    into events (`json-array` is Gemini's without `alt=sse`).
    """

    dialect: Dialect
    operation: Operation
    suffix: str
    version: str = ""
    model: str = ""
    stream: bool = False
    wants_usage: bool = False
    in_path: bool = False
    multipart: bool = False
    max_tokens: int = 0
    user: str = ""
    framing: Literal["sse", "json-array"] = "sse"


class Attempt(msgspec.Struct, gc=False):
    """One try upstream. Times are clock seconds; first_byte is 0 until there was one. model is what
    was asked for, label the same for metrics: a known name or `other`. free: the key is one that nothing is paid for.
    origin: where it went. answered: the model that answered, as the provider says, or ``."""

    provider: str
    model: str
    label: str
    key: str
    started: float
    first_byte: float = 0.0
    ended: float = 0.0
    status: int = 0
    fault: FaultKind | None = None
    origin: str = ""
    free: bool = False
    answered: str = ""


class Spared(msgspec.Struct, frozen=True, gc=False):
    """What was not used because an answer was kept: at whom, and how much."""

    provider: str
    model: str
    usage: Usage | None


class Captured(msgspec.Struct, eq=False):
    """The beginning of a reply, as the client was told it. most: bytes."""

    most: int
    body: bytearray = msgspec.field(default_factory=bytearray)

    def add(self, piece: bytes) -> None:
        room = self.most - len(self.body)
        if room > 0:
            self.body += piece[:room] if len(piece) > room else piece


class Exchange(msgspec.Struct, eq=False):
    """The client's side of one request and what became of it.

    path is the api path after the mount, raw and undecoded, with its leading slash. started is
    clock time, wall is Unix time, both in seconds. caller is the name of the gateway key, or ``. rule: what chose the
    model where a rule did; chosen: the list of targets that it chose, as text, and likely: the first of them, which
    estimates go by. optimize_for: what the client would rather have, `cost` or `speed`, where it may say so.
    cost is in nano-USD, once somebody has asked for it; price_source: where the price is from.
    cache: what the cache did, as the client is told. spared: what its answer has used when it was fetched; or the
    exchange that fetches it now. saved: nano-USD that were not spent, thanks to saved_by.
    charged: its cost is taken from a prepaid balance or a budget, so its row must outlive the process.
    client is its address. target is the path and query as on the wire, kept where a caller is asked for. access
    is what the caller may use, None for everything. losses: the fields that translation could not carry to the last
    target, those without a known name as `other`.
    captured: what the client is told, where it is kept.
    followed: others wait for what this one brings, so that its client's leaving does not end it. trace: where layers
    note why they decide as they do, None where nobody asked. span: its place in a distributed trace, None where there
    are none. on_refusal: what gives back what was counted before a limit or a budget refused it.
    """

    id: str
    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes
    call: Call
    router: str
    started: float
    wall: float
    credential: bytes = b""
    target: bytes = b""
    client: str = ""
    caller: str = ""
    team: str = ""
    project: str = ""
    access: Access | None = None
    rule: str = ""
    chosen: str = ""
    likely: str = ""
    optimize_for: str = ""
    attempts: list[Attempt] = []
    provider: str = ""
    model: str = ""
    label: str = ""
    status: int = 0
    usage: Usage | None = None
    cost: int | None = None
    price_source: str = ""
    cache: str = ""
    spared: Spared | Exchange | None = None
    saved: int = 0
    saved_by: str = ""
    charged: bool = False
    estimate: Estimate | None = None
    requests_left: Room | None = None
    tokens_left: Room | None = None
    first_byte: float = 0.0
    ended: float = 0.0
    outcome: Outcome = "ok"
    error_code: str = ""
    committed: bool = False
    gone: bool = False
    losses: tuple[str, ...] = ()
    followed: bool = False
    trace: Trace | None = None
    span: Span | None = None
    captured: Captured | None = None
    on_settle: list[Callable[[Exchange], None]] = []
    on_refusal: tuple[Callable[[], None], ...] = ()


class Reply(msgspec.Struct, eq=False):
    """A head, the first bytes, and where there is more, the rest.

    Dispatch has always waited for the first good bytes before there is a Reply, so the first
    bytes are at hand, and a whole reply is the case `rest is None`: one path for both. A rest that
    raises UpstreamFault has broken after commit. `close` must be awaited when rest is not read to
    its end; it is idempotent. It raises UpstreamFault when the deadline passed while the client was
    written to.
    """

    status: int
    headers: Headers
    first: bytes
    rest: AsyncIterator[bytes] | None = None
    close: Callable[[], Awaitable[None]] | None = None


Handler = Callable[[Exchange], Awaitable[Reply]]
Layer = Callable[[Handler], Handler]


def stack(layers: list[Layer], innermost: Handler) -> Handler:
    """Wrap `innermost` so that the first of `layers` is the outermost."""
    for layer in reversed(layers):
        innermost = layer(innermost)
    return innermost
