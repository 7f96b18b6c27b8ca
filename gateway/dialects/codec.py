"""What a dialect offers to translation: to read and to write requests, replies and streams of its format.

A package per format implements this; translate.py puts two of them together. Readers raise GatewayError
(`malformed_body`, `invalid_request`, with the field in `param`) for a client's mistake, and UpstreamFault("malformed")
for a provider's; nothing else leaves a codec, whatever bytes it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Protocol

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Headers
from gateway.dialects.canonical import Answer, Echo, Encoded, Event, Request, TargetFacts
from gateway.dialects.unsaid import Room


class StreamReader(Protocol):
    """Reads a provider's stream. One for each reply."""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are now whole, after Start those of the grammar in canonical.py. One bad event among good
        ones is skipped."""
        ...

    def end(self) -> list[Event]:
        """The provider has closed the connection. End is among all that was returned only if the dialect's terminal
        event was seen: a cut stream is never made to look complete."""
        ...


class StreamWriter(Protocol):
    """Writes a client's stream. One for each reply."""

    def write(self, events: list[Event]) -> bytes:
        """The bytes for these events, whole events of the dialect only; b"" where there is nothing to say yet. For
        Failed nothing is written: the edge renders errors."""
        ...


class Codec(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format of chat, as its functions. name: `openai-chat`, `openai-responses`, `anthropic`, `gemini`,
    `cohere`, `bedrock`, `ollama`. headers: of the reply, lower case. room: what a reply can say in it.

    write_request never raises: what cannot be written is in the losses. write_reply writes every field that the
    dialect's schema demands, null ones included.
    """

    name: str
    read_request: Callable[[bytes, Call], Request]
    write_request: Callable[[Request, TargetFacts], Encoded]
    read_reply: Callable[[bytes, Headers], Answer]
    write_reply: Callable[[Answer, Echo], bytes]
    stream_reader: Callable[[Headers], StreamReader]
    stream_writer: Callable[[Echo], StreamWriter]
    room: Room = Room()


def provider_codec(
    name: str,
    *,
    write_request: Callable[[Request, TargetFacts], Encoded],
    read_reply: Callable[[bytes, Headers], Answer],
    stream_reader: Callable[[Headers], StreamReader],
) -> Codec:
    """A format that is spoken to providers, and that no client is answered in."""

    def refuse(of: object, told: object = None) -> NoReturn:
        raise GatewayError("operation_not_served", f"{name.capitalize()}'s own chat is translated for providers alone.")

    return Codec(
        name=name,
        read_request=refuse,
        write_request=write_request,
        read_reply=read_reply,
        write_reply=refuse,
        stream_reader=stream_reader,
        stream_writer=refuse,
    )
