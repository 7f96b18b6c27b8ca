"""Anthropic's Messages, for clients and for providers: everything that is put together from this package is CODEC."""

from __future__ import annotations

from typing import Final

from gateway.core.exchange import Call, Headers
from gateway.dialects.anthropic.reply import read_reply, write_reply
from gateway.dialects.anthropic.request_reader import read_request
from gateway.dialects.anthropic.request_writer import write_request
from gateway.dialects.anthropic.stream_reader import MessagesReader
from gateway.dialects.anthropic.stream_writer import MessagesWriter
from gateway.dialects.canonical import Answer, Echo, Encoded, Request, TargetFacts


class AnthropicCodec:
    """The Codec of Anthropic's format."""

    name = "anthropic"

    def read_request(self, body: bytes, call: Call) -> Request:
        return read_request(body, call)

    def write_request(self, request: Request, facts: TargetFacts) -> Encoded:
        return write_request(request, facts)

    def read_reply(self, body: bytes, headers: Headers) -> Answer:
        return read_reply(body)

    def write_reply(self, answer: Answer, echo: Echo) -> bytes:
        return write_reply(answer, echo)

    def stream_reader(self, headers: Headers) -> MessagesReader:
        return MessagesReader()

    def stream_writer(self, echo: Echo) -> MessagesWriter:
        return MessagesWriter(echo)


CODEC: Final = AnthropicCodec()
