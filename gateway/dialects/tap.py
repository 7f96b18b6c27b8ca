"""A tap sits on a stream between provider and client of the same dialect: bytes go through as they
came, and what the gateway must know (did it start, did it end, what did it cost) is read on the way.

One small file for each grammar; what they share is in tap_events.py. usage_of is the same for a
whole reply.
"""

from __future__ import annotations

from typing import Protocol

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.tap_anthropic import MessagesTap
from gateway.dialects.tap_cohere import CohereTap
from gateway.dialects.tap_gemini import ArrayTap, GenerateTap
from gateway.dialects.tap_openai import ChatTap, MediaTap, ResponsesTap
from gateway.dialects.tokens import usage_of

__all__ = ["Tap", "tap_for", "usage_of"]


class Tap(Protocol):
    """Fed with every chunk, in order, then ended.

    complete: the dialect's terminal event was seen. started: a data event was seen that is neither a
    ping nor an error. fault: an error event was seen; with `complete` it was itself the dialect's
    terminal event (response.failed). usage: the best that is known. model: as the provider says.
    """

    complete: bool
    started: bool
    fault: UpstreamFault | None
    usage: Usage | None
    model: str

    def feed(self, chunk: bytes) -> bytes:
        """The whole events that are now at hand, as they came; b"" while one is incomplete. Raises
        UpstreamFault("malformed") when what is held back passes 16 MiB."""
        ...

    def end(self) -> bytes:
        """The provider has closed the stream: what may still be sent."""
        ...


def tap_for(call: Call, strip_usage: bool) -> Tap | None:
    """The tap for the reply to this call, None where the reply is not a stream that is understood.

    strip_usage: the gateway asked for usage and the client did not.
    """
    if not call.stream:
        return None
    match call.dialect, call.operation:
        case "openai" | "other", "chat" | "completions":
            return ChatTap(strip_usage)
        case "openai" | "other", "responses":
            return ResponsesTap()
        case "openai" | "other", "images" | "audio":
            return MediaTap()
        case "anthropic", "messages":
            return MessagesTap()
        case "gemini", "generate":
            return GenerateTap() if call.framing == "sse" else ArrayTap()
        case "cohere", "chat":
            return CohereTap()
        case _:
            return None
