"""Whole replies of Ollama's `/api/chat`."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.canonical import Answer, Event
from gateway.dialects.faults import is_json_reply
from gateway.dialects.fold import fold
from gateway.dialects.ollama.assembly import CHUNK, Assembly

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_reply(body: bytes, headers: Headers) -> Answer:
    """The answer. Raises UpstreamFault("malformed") for what is no chat reply."""
    if not is_json_reply(headers, body):
        raise UpstreamFault("malformed", "The provider sent something else than a chat reply.")
    try:
        reply = CHUNK.decode(body)
    except _UNREADABLE as error:
        raise UpstreamFault("malformed", f"The provider's reply cannot be read: {error}") from None
    if reply.error is not None or reply.message is None:
        said = reply.error if isinstance(reply.error, str) else "The provider's reply has no message."
        raise UpstreamFault("malformed", said)
    events: list[Event] = []
    Assembly().add(reply, events)
    return fold(events)
