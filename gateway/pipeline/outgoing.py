"""The request that goes to a provider: what of the client's bytes and headers, and what of the target's own.

Law: it is always made from the client's original, never from an earlier attempt.
"""

from __future__ import annotations

from gateway.core.exchange import Exchange
from gateway.dialects.anthropic.cache_marks import marked_body
from gateway.dialects.splice import asking_for_usage, with_model, with_multipart_model, without_model
from gateway.pipeline.flight import Flight
from gateway.pipeline.headers import for_foreign_upstream, for_upstream
from gateway.pipeline.settings import Limits
from gateway.upstream.transport import UpstreamRequest

SILENCE_SLACK = 30.0
"""Seconds beyond our own limits, for engines that cannot abort a call and have to be told when to give up."""


def request_for(
    exchange: Exchange, flight: Flight, streamed: bool, limits: Limits, *, cache_marks: bool = False
) -> UpstreamRequest:
    """The request of an attempt, all but a signature. streamed: the reply is wanted as it comes. cache_marks: are set
    for a provider that keeps only what is marked."""
    target = flight.target
    translation = flight.translation
    if translation is None:
        call = exchange.call
        method, body = exchange.method, exchange.body
        if target.site.body is not None and body:
            body = without_model(body, target.site.body)
        elif target.asked != call.model and not call.in_path and body:
            if call.multipart:
                content_type = next((value for name, value in exchange.headers if name == b"content-type"), b"")
                body = with_multipart_model(body, content_type, target.asked)
            else:
                body = with_model(body, call.model, target.asked)
        if cache_marks and call.operation == "messages":
            body = marked_body(body)
        if target.ask_usage:
            body = asking_for_usage(body)
        headers = for_upstream(exchange.headers)
        url = _with_query(target.url, exchange.query.decode("latin-1")) if exchange.query else target.url
    else:
        method, body, url = "POST", translation.body, target.url
        if target.site.body is not None:
            body = without_model(body, target.site.body)
        elif target.asked != target.model and b'"model"' in body:
            body = with_model(body, target.model, target.asked)
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
    if exchange.span is not None and target.endpoint.traced:
        headers.append(("traceparent", exchange.span.header(len(exchange.attempts))))
        if exchange.span.state:
            headers.append(("tracestate", exchange.span.state))
    return UpstreamRequest(method, url, headers, body, streamed, limits.connect, silence=limits.total + SILENCE_SLACK)


def _with_query(url: str, query: str) -> str:
    """A client's query behind a URL; what the URL says itself counts."""
    _, mark, own = url.partition("?")
    if not mark:
        return f"{url}?{query}"
    said = {pair.partition("=")[0] for pair in own.split("&")}
    return "&".join((url, *(pair for pair in query.split("&") if pair.partition("=")[0] not in said)))
