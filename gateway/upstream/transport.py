"""The seam between the pipeline and whatever sends bytes to a provider.

What lives here: the two-method Transport protocol and the values that cross it. An implementation
knows HTTP and nothing of routers, keys or retries; it raises UpstreamFault("connect" | "cut" |
"unavailable", ...) and nothing else, never follows a redirect and never decompresses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec

from gateway.core.exchange import Headers


class UpstreamRequest(msgspec.Struct, eq=False, gc=False):
    """method and url as sent. headers: str pairs, credentials included: never logged.
    streamed: the reply's body is wanted chunk by chunk, as it comes. connect_timeout: seconds.
    silence: seconds without a byte, the wait for the head included, after which the connection is
    closed. A bound on what may outlive a cancelled call, not a policy: above the caller's own timeouts."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    streamed: bool
    connect_timeout: float
    silence: float = 900.0


class UpstreamReply(msgspec.Struct, eq=False):
    """The head of a provider's reply and its body.

    headers are lower-case bytes. body is the whole body of a reply that was not asked for as a
    stream, else None and `chunks` yields it. `close` gives the connection back or cuts it, is
    idempotent, and must be awaited unless chunks was read to its end.
    """

    status: int
    headers: Headers
    body: bytes | None = None
    chunks: AsyncIterator[bytes] | None = None
    close: Callable[[], Awaitable[None]] | None = None


class Transport(Protocol):
    """How a provider is reached."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Send and wait for the head (and, unless streamed, the body).

        Cancelling the task closes the upstream connection: at once, or, where the engine cannot abort
        a call that waits for its head, when the next bytes come or `silence` is over. Chunks raise
        UpstreamFault("cut") when the body breaks off. Raises UpstreamFault("connect") when there was
        no head.
        """
        ...

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        ...
