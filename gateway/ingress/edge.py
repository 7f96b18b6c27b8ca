"""The edge: an ASGI request becomes an Exchange, the Exchange a reply, and everything settles once.

What lives here is the order of things and the client's connection. Paths are read in paths.py,
bodies in body.py, replies sent in relay.py; what the reply is, the pipeline decides.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from itertools import count
from typing import Final

from gateway.core.errors import Disconnected, GatewayError, untraced
from gateway.core.exchange import Call, Dialect, Exchange, Handler, Headers
from gateway.core.trace import Trace
from gateway.dialects.errors import error_headers, render, render_event
from gateway.dialects.sniff import read_call
from gateway.ingress.body import Receive, Scope, Send, cut_short, read_body
from gateway.ingress.paths import checked_path, checked_query, guess_dialect, key_in_query
from gateway.ingress.relay import relay
from gateway.ingress.watch import WATCH_AFTER, Watch
from gateway.pipeline.room_headers import room_headers
from gateway.pipeline.settlement import Settlement
from gateway.pipeline.trace_header import header_of
from gateway.policy.networks import Networks
from gateway.runtime import Runtime

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_ONCE: Final = (
    b"content-type", b"content-length", b"authorization", b"x-api-key", b"x-goog-api-key", b"host",
    b"x-gateway-key", b"x-gateway-timestamp", b"x-gateway-nonce", b"x-gateway-signature",
)  # fmt: skip
_NO_CALL: Final = Call("openai", "other", "")
_OF_A_REQUEST: Final = frozenset((400, 404, 405))
"""What is wrong with a request is not said to one who may make none."""
_SMALL: Final = 4
"""Digits of a content-length up to which a body is read before it is asked who sends it, which then is asked once."""


class Edge:
    """Serves exchanges. One for each config: max_body and max_header in bytes, body_timeout in seconds.
    log_requests: `all`, `failures` or `none`. authenticated: callers have keys. config: the hash that decided.
    stranger: what to tell one who can be no caller, before the body is known; None where anybody may call.
    proxies: those whose word on a client's address counts, None when none are. explains: requests that ask for it are
    explained: with keyed, where the caller's key allows it. settle: ends exchanges; None where
    they are only counted."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        max_body: int,
        max_header: int,
        body_timeout: float,
        log_requests: str,
        authenticated: bool,
        config: str,
        proxies: Networks | None = None,
        stranger: Callable[[Exchange], GatewayError | None] | None = None,
        explains: bool = False,
        keyed: bool = True,
        settle: Settlement | None = None,
    ) -> None:
        self._runtime = runtime
        self._now = runtime.clock.monotonic
        self._wall = runtime.clock.wall
        self._settle = settle or Settlement(self._now, runtime.metrics)
        self._in_flight = runtime.in_flight
        self._max_body = max_body
        self._max_header = max_header
        self._body_timeout = body_timeout
        self._watched = runtime.timers.of("client", WATCH_AFTER)
        self._log_requests = log_requests
        self._authenticated = authenticated
        self._proxies = proxies
        self._stranger = stranger
        self._explains = explains
        self._for_all = not keyed
        self._config_header = (b"x-gateway-config", config.encode())
        # Made here and not at import: workers that are forked must not share it.
        self._prefix = os.urandom(6).hex()
        self._serial = count(1)

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, raw_path: bytes, router: str, handler: Handler, finish: bool
    ) -> None:
        """One request. raw_path: the api path as the client wrote it. finish: a client's leaving
        does not end the upstream call."""
        headers: Headers = scope["headers"]
        once = dict(headers)
        exchange = self._open(scope, headers, once, router)
        watch = Watch(exchange, receive, self._body_timeout, self._watched, finish=finish)
        task = watch.task
        self._in_flight[task] = exchange
        try:
            try:
                if self._runtime.cut:
                    raise GatewayError("draining", "This process is shutting down; ask again.", retry_after=1.0)
                query: bytes = scope["query_string"]
                if self._authenticated:
                    # Before anything can be wrong: who is known is told what is.
                    exchange.credential = _credential(once, query)
                    exchange.target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
                self._check_headers(headers, once)
                if self._proxies is not None:
                    named = [value for name, value in headers if name == b"x-forwarded-for"]
                    exchange.client = self._proxies.client_behind(exchange.client, named)
                exchange.query = checked_query(query)
                exchange.path = checked_path(raw_path)
                declared = once.get(b"content-length")
                if self._stranger is not None and (declared is None or len(declared) > _SMALL):
                    self._turn_away(exchange, self._stranger)
                exchange.body = await read_body(receive, declared, self._max_body)
                exchange.call = read_call(
                    exchange.method,
                    exchange.path,
                    exchange.query,
                    once.get(b"content-type", b""),
                    exchange.body,
                    anthropic=b"anthropic-version" in once,
                    gemini=b"x-goog-api-key" in once or exchange.query is not query,
                )
                watch.body_is_here()
                if self._explains and once.get(b"x-gateway-explain") == b"1":
                    estimate = self._runtime.estimator.estimate(exchange.call, exchange.body)
                    exchange.trace = Trace(estimate, granted=self._for_all)
                reply = await handler(exchange)
            except GatewayError as error:
                untraced(error)
                watch.stop()
                if self._stranger is not None and exchange.call is _NO_CALL and error.status in _OF_A_REQUEST:
                    error = self._stranger(exchange) or error
                await self._refuse(exchange, error, raw_path, send)
                return
            exchange.status = reply.status
            self._sign(reply.headers, exchange, exchange.call.dialect)
            # A server tells of the end of a reply that it has sent as it tells of a client that leaves, so nobody
            # listens when the end is sent.
            if reply.rest is None:
                watch.stop()
            else:
                watch.start()
            await relay(reply, exchange, send, watch.stop)
        except Disconnected:
            exchange.gone = True
            if exchange.call is _NO_CALL:
                await self._tell(exchange, cut_short(), raw_path, send)
        except asyncio.CancelledError:
            if exchange.gone:
                task.uncancel()
            elif watch.timed_out:
                task.uncancel()
                await self._refuse(exchange, _slow_body(self._body_timeout), raw_path, send)
            elif self._runtime.cut:
                task.uncancel()
                await self._cut_for_drain(exchange, send)
            else:
                raise
        except Exception as bug:
            # The last line of defence: the client gets an error, the log its cause.
            exchange.outcome = "error"
            self._log_bug(exchange, bug)
            if not exchange.committed:
                told = GatewayError("internal_error", f"The gateway failed. Its log has the cause under {exchange.id}.")
                await self._refuse(exchange, told, raw_path, send)
        finally:
            if not watch.stopped:
                watch.stop()
            self._in_flight.pop(task, None)
            if exchange.gone:
                exchange.outcome = "disconnected"
                exchange.status = exchange.status or 499
            self._settle(exchange)
            if self._log_requests != "none":
                self._log_request(exchange)

    def _turn_away(self, exchange: Exchange, stranger: Callable[[Exchange], GatewayError | None]) -> None:
        error = stranger(exchange)
        if error is not None:
            error.headers += ((b"connection", b"close"),)
            raise error

    async def refuse(self, scope: Scope, send: Send, error: GatewayError) -> None:
        """A request that found no route: counted, logged and shaped like every other."""

        headers: Headers = scope["headers"]
        exchange = self._open(scope, headers, dict(headers), "")
        await self._refuse(exchange, error, scope["raw_path"], send)
        self._settle(exchange)
        if self._log_requests != "none":
            self._log_request(exchange)

    def _open(self, scope: Scope, headers: Headers, once: dict[bytes, bytes], router: str) -> Exchange:
        return Exchange(
            id=self._request_id(once.get(b"x-request-id")),
            method=scope["method"],
            path="",
            query=b"",
            headers=headers,
            body=b"",
            call=_NO_CALL,
            router=router,
            started=self._now(),
            wall=self._wall(),
            client=scope["client"][0] if scope.get("client") else "",
        )

    def _request_id(self, given: bytes | None) -> str:
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode("ascii")
        return f"{self._prefix}-{next(self._serial):x}"

    def _check_headers(self, headers: Headers, once: dict[bytes, bytes]) -> None:
        if sum(map(len, once)) + sum(map(len, once.values())) > self._max_header:
            raise GatewayError("headers_too_large", f"The request headers are larger than {self._max_header} bytes.")
        if len(once) != len(headers):
            names = [name for name, _ in headers]
            for name in _ONCE:
                if names.count(name) > 1:
                    text = name.decode()
                    raise GatewayError("invalid_request", f"The header {text!r} is there more than once.", param=text)
            if sum(len(name) + len(value) for name, value in headers) > self._max_header:
                raise GatewayError(
                    "headers_too_large", f"The request headers are larger than {self._max_header} bytes."
                )

    async def _refuse(self, exchange: Exchange, error: GatewayError, raw_path: bytes, send: Send) -> None:
        exchange.status = error.status
        exchange.outcome = "error"
        exchange.error_code = error.code
        await self._tell(exchange, error, raw_path, send)

    async def _tell(self, exchange: Exchange, error: GatewayError, raw_path: bytes, send: Send) -> None:
        call = exchange.call
        dialect = call.dialect if call is not _NO_CALL else guess_dialect(raw_path, exchange.headers)
        body = error.provider_body or render(dialect, error, exchange.id)
        headers = [
            *error_headers(error),
            (b"content-length", str(len(body)).encode()),
            (b"x-gateway-error", error.code.encode()),
        ]
        self._sign(headers, exchange, dialect)
        if exchange.attempts:
            headers.append((b"x-gateway-provider", exchange.provider.encode()))
            headers.append((b"x-gateway-attempts", str(len(exchange.attempts)).encode()))
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        exchange.committed = True
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _sign(self, headers: Headers, exchange: Exchange, dialect: Dialect) -> None:
        """What every reply says of itself, errors included."""
        request_id = exchange.id.encode()
        headers.append((b"x-request-id", request_id))
        if dialect == "anthropic":
            headers.append((b"request-id", request_id))
        headers.append(self._config_header)
        if exchange.requests_left is not None or exchange.tokens_left is not None:
            headers += room_headers(exchange)
        router = exchange.router
        # The other routes' names begin with a slash.
        if router and router[0] != "/":
            headers.append((b"x-gateway-router", router.encode()))
        if exchange.trace is not None and exchange.trace.granted:
            headers.append((b"x-gateway-explain", header_of(exchange.trace, exchange)))

    async def _cut_for_drain(self, exchange: Exchange, send: Send) -> None:
        """The drain's time is over: an error before commit, a broken end after it."""
        error = GatewayError("draining", "The gateway was stopped before the reply was complete.", retry_after=1.0)
        if not exchange.committed:
            await self._refuse(exchange, error, exchange.path.encode(), send)
            return
        exchange.outcome = "broken"
        exchange.error_code = error.code
        if exchange.call.stream:
            event = render_event(exchange.call.dialect, exchange.call, error, exchange.id)
            await send({"type": "http.response.body", "body": event, "more_body": True})

    def _log_bug(self, exchange: Exchange, bug: Exception) -> None:
        trace = bug.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
        self._runtime.log.write(
            "error", "request failed in the gateway", {"request_id": exchange.id, "error": repr(bug), "where": where}
        )

    def _log_request(self, exchange: Exchange) -> None:
        good = exchange.outcome == "ok"
        if good and self._log_requests != "all":
            return
        faults = ",".join(f"{attempt.provider}:{attempt.fault}" for attempt in exchange.attempts if attempt.fault)
        traced = {} if exchange.span is None else {"trace_id": exchange.span.trace}
        self._runtime.log.write(
            "info" if good or exchange.status < 500 else "warning",
            "request served" if good else "request failed",
            {
                "request_id": exchange.id,
                **traced,
                "router": exchange.router,
                "caller": exchange.caller,
                "operation": exchange.call.operation,
                "model": exchange.call.model,
                "provider": exchange.provider,
                "status": exchange.status,
                "outcome": exchange.outcome,
                "code": exchange.error_code,
                "attempts": len(exchange.attempts),
                "faults": faults,
                "seconds": round(exchange.ended - exchange.started, 6),
            },
        )


def _slow_body(seconds: float) -> GatewayError:
    return GatewayError(
        "request_timeout",
        f"The request body did not arrive within {seconds:g} s (server.body-timeout).",
        headers=((b"connection", b"close"),),
    )


def _credential(once: dict[bytes, bytes], query: bytes) -> bytes:
    """The gateway key, wherever the client's SDK puts keys. Of several, the first in this order counts, and no other
    is tried: a request is its caller's or nobody's."""
    scheme, _, token = once.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token:
        return token.strip()
    return once.get(b"x-api-key") or once.get(b"x-goog-api-key") or key_in_query(query).encode("latin-1")
