"""From a Reply to the client: the head, the first bytes, and the rest as it comes."""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.errors import UpstreamFault, untraced
from gateway.core.exchange import Exchange, Reply
from gateway.dialects.errors import render_event
from gateway.ingress.body import Send
from gateway.pipeline.outcome import error_of

_BODILESS = frozenset((204, 205, 304))


async def relay(reply: Reply, exchange: Exchange, send: Send, ends: Callable[[], None] = lambda: None) -> None:
    """Send a reply to its end. ends: called just before the message that ends a stream.

    A stream that breaks ends with an error event and without the protocol's end, so that no client
    can take it for complete. A client that has left (`exchange.gone`) is read for but not written to, and
    one that does not read is not told why its time is over.
    """
    first = reply.first
    rest = reply.rest
    headers = reply.headers
    if rest is None:
        if exchange.gone:
            return
        if first or (exchange.method != "HEAD" and reply.status not in _BODILESS):
            headers.append((b"content-length", str(len(first)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        exchange.committed = True
        await send({"type": "http.response.body", "body": first, "more_body": False})
        return
    writing = True
    try:
        try:
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            exchange.committed = True
            await send({"type": "http.response.body", "body": first, "more_body": True})
            writing = False
            async for chunk in rest:
                if not exchange.gone:
                    writing = True
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    writing = False
        finally:
            if reply.close is not None:
                await reply.close()
    except UpstreamFault as fault:
        exchange.outcome = "broken"
        error = error_of(untraced(fault), exchange.provider)
        exchange.error_code = error.code
        if exchange.call.stream and not (writing or fault.told or exchange.gone):
            event = render_event(exchange.call.dialect, exchange.call, error, exchange.id)
            await send({"type": "http.response.body", "body": event, "more_body": True})
        return
    ends()
    if not exchange.gone:
        await send({"type": "http.response.body", "body": b"", "more_body": False})
