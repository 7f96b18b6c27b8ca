"""The request that goes to a provider: what of the client's bytes and headers, and what of the target's own.

Law: it is always made from the client's original, never from an earlier attempt.
"""

from __future__ import annotations

from gateway.core.exchange import Exchange
from gateway.dialects.splice import asking_for_usage, with_model, with_multipart_model
from gateway.pipeline.flight import Flight
from gateway.pipeline.headers import for_foreign_upstream, for_upstream
from gateway.pipeline.settings import Limits
from gateway.upstream.transport import UpstreamRequest

SILENCE_SLACK = 30.0
"""Seconds beyond our own limits, for engines that cannot abort a call and have to be told when to give up."""


def request_for(exchange: Exchange, flight: Flight, streamed: bool, limits: Limits) -> UpstreamRequest:
    """The request of an attempt, all but a signature. streamed: the reply is wanted as it comes."""
    target = flight.target
    translation = flight.translation
    if translation is None:
        call = exchange.call
        method, body = exchange.method, exchange.body
        if target.model != call.model and not call.in_path and body:
            if call.multipart:
                content_type = next((value for name, value in exchange.headers if name == b"content-type"), b"")
                body = with_multipart_model(body, content_type, target.model)
            else:
                body = with_model(body, call.model, target.model)
        if target.ask_usage:
            body = asking_for_usage(body)
        headers = for_upstream(exchange.headers)
        url = f"{target.url}?{exchange.query.decode('latin-1')}" if exchange.query else target.url
    else:
        method, body, url = "POST", translation.body, target.url
        headers = for_foreign_upstream(exchange.headers)
        headers.append(("content-type", "application/json"))
        demanded = translation.way.provider.headers
        if demanded:
            given = dict(target.endpoint.headers)
            headers += [header for header in demanded if header[0] not in given]
    authorization = target.authorization(flight.key.secret)
    if authorization is not None:
        headers.append(authorization)
    if target.endpoint.headers:
        present = {name for name, _ in headers}
        headers.extend(header for header in target.endpoint.headers if header[0] not in present)
    return UpstreamRequest(method, url, headers, body, streamed, limits.connect, silence=limits.total + SILENCE_SLACK)
