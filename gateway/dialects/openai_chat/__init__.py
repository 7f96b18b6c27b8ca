"""OpenAI's chat completions, which half of the industry speaks: requests, replies and streams, both ways."""

from __future__ import annotations

from gateway.core.exchange import Call, Headers
from gateway.dialects.canonical import Answer, Echo, Encoded, Request, TargetFacts
from gateway.dialects.codec import Codec
from gateway.dialects.openai_chat.reply_reader import read_reply
from gateway.dialects.openai_chat.reply_writer import write_reply
from gateway.dialects.openai_chat.request_reader import read_request
from gateway.dialects.openai_chat.request_writer import write_request
from gateway.dialects.openai_chat.stream_reader import ChatReader
from gateway.dialects.openai_chat.stream_writer import ChatWriter


class _ChatCodec:
    """The Codec of this format (codec.py)."""

    name = "openai-chat"

    def read_request(self, body: bytes, call: Call) -> Request:
        return read_request(body, call)

    def write_request(self, request: Request, facts: TargetFacts) -> Encoded:
        return write_request(request, facts)

    def read_reply(self, body: bytes, headers: Headers) -> Answer:
        return read_reply(body, headers)

    def write_reply(self, answer: Answer, echo: Echo) -> bytes:
        return write_reply(answer, echo)

    def stream_reader(self, headers: Headers) -> ChatReader:
        return ChatReader(headers)

    def stream_writer(self, echo: Echo) -> ChatWriter:
        return ChatWriter(echo)


CODEC: Codec = _ChatCodec()
