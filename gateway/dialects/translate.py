"""Two codecs put together: a client's request for a provider of another format, and the reply's way back.

Lives here: the pairing, and what belongs to no single codec (structured output that a tool was forced for, an error
event as a fault). Pure. Must not: know a wire format. Law: a request is written from the client's original for each
target, and a stream translation gives the pipeline the facts that a tap gives.
"""

from __future__ import annotations

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call, Dialect, Headers
from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Answer,
    Cited,
    Delta,
    Echo,
    Encoded,
    End,
    Event,
    Failed,
    Loss,
    PartStart,
    Ping,
    Request,
    Start,
    TargetFacts,
)
from gateway.dialects.codec import Codec, StreamReader, StreamWriter
from gateway.dialects.faults import fault_of_words
from gateway.dialects.format_tool import FormatTool, without_tool
from gateway.dialects.formats import Format
from gateway.dialects.losses import merged, shortfalls
from gateway.dialects.unfold import events_of
from gateway.dialects.unsaid import unsaid, unsaid_event


class Way(msgspec.Struct, frozen=True):
    """From a client's format to a provider's, for one model. ask_usage: usage in a stream has to be asked for."""

    client: Format
    provider: Format
    facts: TargetFacts
    ask_usage: bool = False


class Translation:
    """One request as it was written for one target, and the way back of its reply. body and losses: what goes
    upstream, and what does not. unsaid: what of the whole reply does not come back. model: that answered, as the
    provider says in its whole reply, or ``."""

    __slots__ = ("_echo", "_format_tool", "body", "losses", "model", "unsaid", "way")

    further: tuple[bytes, ...] = ()

    def __init__(self, way: Way, encoded: Encoded, echo: Echo) -> None:
        self.way = way
        self.body = encoded.body
        self.losses = encoded.losses
        self.unsaid: tuple[Loss, ...] = ()
        self.model = ""
        self._format_tool = encoded.format_tool
        self._echo = echo

    def reply(self, body: bytes, headers: Headers) -> tuple[bytes, Usage | None]:
        """A provider's whole reply for the client, and its usage. Raises UpstreamFault("malformed")."""
        client = self.way.client
        answer = self._answer(body, headers)
        told = client.codec.write_reply(answer, named(self._echo, answer.model))
        return told, None if client.counts else answer.usage

    def unfolded(self, body: bytes, headers: Headers) -> tuple[bytes, Usage | None]:
        """The same as the client's whole stream. Raises UpstreamFault("malformed")."""
        answer = self._answer(body, headers)
        writer = self.way.client.codec.stream_writer(named(self._echo, answer.model))
        return writer.write(events_of(answer)), answer.usage

    def _answer(self, body: bytes, headers: Headers) -> Answer:
        way = self.way
        answer = way.provider.codec.read_reply(body, headers)
        self.model = answer.model
        if self._format_tool:
            answer = without_tool(answer, self._format_tool)
        self.unsaid = unsaid(answer, way.client.codec.room)
        return answer

    def stream(self, headers: Headers) -> StreamTranslation:
        """The translation of a provider's stream."""
        way = self.way
        return StreamTranslation(
            way.provider.dialect,
            way.provider.codec.stream_reader(headers),
            way.client.codec,
            self._echo,
            self._format_tool,
        )

    @property
    def stream_type(self) -> bytes:
        """The content type of the client's stream."""
        return b"application/json" if self._echo.framing == "json-array" else b"text/event-stream; charset=utf-8"


def read(way: Way, body: bytes, call: Call) -> Request:
    """The client's request. Raises GatewayError for a client's mistake."""
    return way.client.codec.read_request(body, call)


def write(way: Way, request: Request) -> Encoded:
    """The request for the way's target, with all its losses. Never raises."""
    if request.wants_usage != way.ask_usage:
        request = msgspec.structs.replace(request, wants_usage=way.ask_usage)
    encoded = way.provider.codec.write_request(request, way.facts)
    losses = merged((*shortfalls(request, way.facts), *request.lost, *encoded.losses))
    return Encoded(encoded.body, losses, encoded.format_tool)


def named(echo: Echo, model: str) -> Echo:
    """The reply reports the model that answered, by the provider's own word where it says one."""
    return msgspec.structs.replace(echo, model=model) if model and model != echo.model else echo


class StreamTranslation:
    """A provider's stream becomes a client's: fed with every chunk, then ended, with the facts of a Tap.

    started: an event was seen that is neither a ping nor an error (and, for Gemini's JSON array, something was
    written: an error can only be told behind an element). unsaid: what the client's format has no room for, so far.
    Nothing is written for what follows an error.
    """

    __slots__ = (
        "_client", "_dialect", "_echo", "_filter", "_reader", "_writer", "complete", "fault", "model", "started",
        "unsaid", "usage",
    )  # fmt: skip

    def __init__(
        self,
        dialect: Dialect,
        reader: StreamReader,
        client: Codec,
        echo: Echo,
        format_tool: str = "",
    ) -> None:
        self.complete = False
        self.started = False
        self.fault: UpstreamFault | None = None
        self.usage: Usage | None = None
        self.unsaid: tuple[Loss, ...] = ()
        self.model = ""
        self._dialect: Dialect = dialect
        self._reader = reader
        self._client = client
        self._writer: StreamWriter | None = None
        self._echo = echo
        self._filter = FormatTool(format_tool) if format_tool else None

    def feed(self, chunk: bytes) -> bytes:
        """The client's bytes for this chunk, whole events only. Raises UpstreamFault("malformed")."""
        events = self._reader.feed(chunk)
        return self._pass(events) if events else b""

    def end(self) -> bytes:
        """The provider has closed the stream: what may still be sent."""
        events = self._reader.end()
        return self._pass(events) if events else b""

    def _pass(self, events: list[Event]) -> bytes:
        if self.fault is not None:
            return b""
        begun = self.started
        for at, event in enumerate(events):
            kind = type(event)
            if kind is Delta:
                begun = True
            elif kind is Failed:
                assert isinstance(event, Failed)
                self.fault = fault_of_words(self._dialect, event.status, event.message, event.kind_hint)
                events = events[:at]
                break
            elif kind is not Ping:
                begun = True
                self._note(event)
        if self._filter is not None:
            events = self._filter.sift(events)
        if not events:
            self.started = begun
            return b""
        writer = self._writer
        if writer is None:
            if not begun:
                # A sign of life before there is anything to say: nothing is sent yet, and nobody's model is known.
                return b""
            # Only now it is known what the provider calls the model.
            writer = self._writer = self._client.stream_writer(named(self._echo, self.model))
        out = writer.write(events)
        if not self.started:
            self.started = begun and (bool(out) or self._echo.framing == "sse")
        return out

    def _note(self, event: Event) -> None:
        match event:
            case Start():
                self.model = event.model or self.model
                self.usage = event.usage or self.usage
            case End():
                self.complete = True
                self.usage = event.usage or self.usage
            case PartStart() | Cited():
                for loss in unsaid_event(event, self._client.room):
                    if loss not in self.unsaid:
                        self.unsaid = (*self.unsaid, loss)
            case _:
                pass
