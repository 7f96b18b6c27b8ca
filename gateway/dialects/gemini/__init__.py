"""Gemini's generateContent, as clients speak it and as providers do."""

from __future__ import annotations

from typing import Final

from gateway.core.exchange import Call, Headers
from gateway.dialects.canonical import Answer, Echo, Encoded, Request, TargetFacts
from gateway.dialects.codec import Codec, StreamReader, StreamWriter
from gateway.dialects.gemini.reply import read_reply, write_reply
from gateway.dialects.gemini.request import read_request
from gateway.dialects.gemini.stream import Reader
from gateway.dialects.gemini.stream_writer import Writer
from gateway.dialects.gemini.target import write_request


class GeminiCodec:
    """The codec (gateway/dialects/codec.py)."""

    __slots__ = ()

    name = "gemini"

    def read_request(self, body: bytes, call: Call) -> Request:
        return read_request(body, call)

    def write_request(self, request: Request, facts: TargetFacts) -> Encoded:
        return write_request(request, facts)

    def read_reply(self, body: bytes, headers: Headers) -> Answer:
        return read_reply(body, headers)

    def write_reply(self, answer: Answer, echo: Echo) -> bytes:
        return write_reply(answer, echo)

    def stream_reader(self, headers: Headers) -> StreamReader:
        return Reader(headers)

    def stream_writer(self, echo: Echo) -> StreamWriter:
        return Writer(echo)


CODEC: Final[Codec] = GeminiCodec()
