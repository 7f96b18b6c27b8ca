"""What a dialect offers to translation: to read and to write requests, replies and streams of its format.

A package per format implements this; translate.py puts two of them together. Readers raise GatewayError
(`malformed_body`, `invalid_request`, with the field in `param`) for a client's mistake, and UpstreamFault("malformed")
for a provider's; nothing else leaves a codec, whatever bytes it was given.
"""

from __future__ import annotations

from typing import Protocol

from gateway.core.exchange import Call, Headers
from gateway.dialects.canonical import Answer, Echo, Encoded, Event, Request, TargetFacts


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


class Codec(Protocol):
    """One wire format of chat. headers: of the reply, lower case."""

    name: str
    """`openai-chat`, `openai-responses`, `anthropic`, `gemini`, `cohere`, `bedrock`, `ollama`."""

    def read_request(self, body: bytes, call: Call) -> Request: ...

    def write_request(self, request: Request, facts: TargetFacts) -> Encoded:
        """Never raises: what cannot be written is in the losses."""
        ...

    def read_reply(self, body: bytes, headers: Headers) -> Answer: ...

    def write_reply(self, answer: Answer, echo: Echo) -> bytes:
        """A reply with every field that the dialect's schema demands, null ones included."""
        ...

    def stream_reader(self, headers: Headers) -> StreamReader: ...

    def stream_writer(self, echo: Echo) -> StreamWriter: ...
