"""Amazon Bedrock's Converse, as a provider: nobody speaks it to the gateway."""

from __future__ import annotations

from typing import NoReturn

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Headers
from gateway.dialects.bedrock.reply import read_reply
from gateway.dialects.bedrock.request import write_request
from gateway.dialects.bedrock.stream import ConverseReader
from gateway.dialects.canonical import Answer, Echo, Encoded, Request, TargetFacts
from gateway.dialects.codec import Codec


class _ConverseCodec:
    """The Codec of this format (codec.py). Its client's side raises: there is none."""

    name = "bedrock"

    def read_request(self, body: bytes, call: Call) -> Request:
        raise GatewayError("operation_not_served", "Converse is spoken to Bedrock, not to this gateway.")

    def write_request(self, request: Request, facts: TargetFacts) -> Encoded:
        return write_request(request, facts)

    def read_reply(self, body: bytes, headers: Headers) -> Answer:
        return read_reply(body, headers)

    def write_reply(self, answer: Answer, echo: Echo) -> bytes:
        _no_client()

    def stream_reader(self, headers: Headers) -> ConverseReader:
        return ConverseReader(headers)

    def stream_writer(self, echo: Echo) -> NoReturn:
        _no_client()


def _no_client() -> NoReturn:
    raise TypeError("nobody is answered in Converse's format")


CODEC: Codec = _ConverseCodec()
