"""OpenAI's Responses: requests, replies and streams, both ways."""

from __future__ import annotations

from gateway.core.exchange import Call, Headers
from gateway.dialects.canonical import Answer, Echo, Encoded, Request, TargetFacts
from gateway.dialects.codec import Codec
from gateway.dialects.openai_responses.reply import read_reply, write_reply
from gateway.dialects.openai_responses.request_reader import read_request
from gateway.dialects.openai_responses.request_writer import write_request
from gateway.dialects.openai_responses.stream_reader import ResponsesReader
from gateway.dialects.openai_responses.stream_writer import ResponsesWriter


class _ResponsesCodec:
    """The Codec of this format (codec.py)."""

    name = "openai-responses"

    def read_request(self, body: bytes, call: Call) -> Request:
        return read_request(body, call)

    def write_request(self, request: Request, facts: TargetFacts) -> Encoded:
        return write_request(request, facts)

    def read_reply(self, body: bytes, headers: Headers) -> Answer:
        return read_reply(body, headers)

    def write_reply(self, answer: Answer, echo: Echo) -> bytes:
        return write_reply(answer, echo)

    def stream_reader(self, headers: Headers) -> ResponsesReader:
        return ResponsesReader(headers)

    def stream_writer(self, echo: Echo) -> ResponsesWriter:
        return ResponsesWriter(echo)


CODEC: Codec = _ResponsesCodec()
