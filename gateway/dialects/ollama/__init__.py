"""Ollama's own chat (`/api/chat`), as providers speak it; clients speak its OpenAI-compatible one."""

from __future__ import annotations

from typing import Final, NoReturn

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Headers
from gateway.dialects.canonical import Answer, Echo, Encoded, Request, TargetFacts
from gateway.dialects.codec import Codec, StreamReader, StreamWriter
from gateway.dialects.ollama.reply import read_reply
from gateway.dialects.ollama.request import write_request
from gateway.dialects.ollama.stream import Reader


class OllamaCodec:
    """The codec (gateway/dialects/codec.py), the provider's half of it."""

    __slots__ = ()

    name = "ollama"

    def read_request(self, body: bytes, call: Call) -> Request:
        _refuse()

    def write_request(self, request: Request, facts: TargetFacts) -> Encoded:
        return write_request(request, facts)

    def read_reply(self, body: bytes, headers: Headers) -> Answer:
        return read_reply(body, headers)

    def write_reply(self, answer: Answer, echo: Echo) -> bytes:
        _refuse()

    def stream_reader(self, headers: Headers) -> StreamReader:
        return Reader(headers)

    def stream_writer(self, echo: Echo) -> StreamWriter:
        _refuse()


def _refuse() -> NoReturn:
    raise GatewayError("operation_not_served", "Ollama's own chat is translated for providers alone.")


CODEC: Final[Codec] = OllamaCodec()
