"""A count of tokens that no provider makes: the gateway's own, and marked as what it is."""

from __future__ import annotations

from gateway.core.exchange import Exchange, Reply
from gateway.core.usage import Usage
from gateway.dialects.canonical import Answer, Echo
from gateway.dialects.formats import Format
from gateway.policy.estimate import tokens_of


def estimate(exchange: Exchange, asked_in: Format) -> Reply:
    """The reply in the client's dialect, with `x-gateway-estimate: true`. Raises GatewayError where the request cannot
    be read."""
    asked_in.codec.read_request(exchange.body, exchange.call)
    answer = Answer(usage=Usage(input=tokens_of(exchange.body)))
    echo = Echo(id=exchange.id, model=exchange.call.model, created=int(exchange.wall))
    headers = [(b"content-type", b"application/json"), (b"x-gateway-estimate", b"true")]
    return Reply(200, headers, asked_in.codec.write_reply(answer, echo))
