"""The routes of the admin API, and what all of them have in common: who may, what goes wrong, what is logged.

Not on the path of any request to a provider. Law: an answer is whole or visibly cut, an error has one shape, and
whoever changes something is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from math import ceil
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from gateway.core.errors import Disconnected, GatewayError
from gateway.ingress.admin.answers import Failure, Problem
from gateway.ingress.admin.asking import Asked, Table
from gateway.ingress.admin.csv_text import CONTENT_TYPE, csv_pieces
from gateway.ingress.admin.ledger_pages import LedgerPages
from gateway.ingress.admin.live_pages import LivePages
from gateway.ingress.admin.login import Bearer, Failures, Login, Role
from gateway.ingress.admin.openapi import openapi_text
from gateway.ingress.admin.operations import OPERATIONS
from gateway.ingress.admin.process import Process
from gateway.ingress.admin.trail import Trail
from gateway.ingress.body import Receive, Scope, Send, cut_short, read_body
from gateway.store.ledger.protocol import LedgerDown

LARGEST_BODY: Final = 64 * 1024
LONGEST_QUERY: Final = 8192
MOST_PARAMETERS: Final = 64
BODY_SECONDS: Final = 10.0

_JSON: Final = "application/json"
_PLAIN_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

Answer = msgspec.Struct | Table | Response
Page = Callable[[Asked], Awaitable[Answer]]


class AdminApi:
    """The API of one process, as an ASGI application for `/admin`. It is served where the config that serves says:
    see app.py."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._trail = Trail(process)
        self._failures = Failures(process.runtime.clock.monotonic)
        self._login: Login | None = None
        self._made_from: object = None
        ledger, live = LedgerPages(process), LivePages(process)
        pages: dict[str, Page] = {
            "usage": ledger.usage,
            "records": ledger.records,
            "quotas": ledger.quotas,
            "change_quota": ledger.change_quota,
            "keys": live.keys,
            "targets": live.targets,
            "restore": live.restore,
            "config": live.config,
            "reload": live.reload,
            "sinks": live.sinks,
        }
        paths: dict[str, dict[str, tuple[Role, Page]]] = {"/openapi.json": {"GET": ("read", _document)}}
        for operation in OPERATIONS:
            paths.setdefault(operation.path, {})[operation.method] = operation.role, pages[operation.name]
        routes = [Route(f"/api{path}", _Endpoint(self, methods)) for path, methods in paths.items()]
        self._router = Router(routes, redirect_slashes=False, default=_Endpoint(self, None))
        self.alone: Final = Router(
            [Mount("/admin", self._router)], redirect_slashes=False, default=_Endpoint(self, None)
        )
        """The same, for a port where there is nothing else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router(scope, receive, send)

    def login(self) -> Login:
        """Of the config that serves. GatewayError when there is no admin API in it."""
        spec = self._process.spec
        if spec.admin is None:
            raise GatewayError("not_found", "There is no admin API: `admin` is not in the config.")
        made_from = (spec.admin, spec.auth.pepper)
        if self._login is None or made_from != self._made_from:
            self._login = Login(spec.admin, spec.auth.pepper, self._process.runtime.clock.wall, self._failures)
            self._made_from = made_from
        return self._login

    async def answer(self, scope: Scope, receive: Receive, methods: Mapping[str, tuple[Role, Page]] | None) -> Answer:
        """What is to be sent. GatewayError, LedgerDown, Disconnected."""
        runtime = self._process.runtime
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        bearer = self._bearer(scope, headers)
        if methods is None:
            raise GatewayError("not_found", "There is nothing at this path; /admin/api/openapi.json has what there is.")
        method = scope["method"]
        found = methods.get("GET" if method == "HEAD" else method)
        if found is None:
            allowed = ", ".join(methods)
            raise GatewayError(
                "method_not_allowed", f"Here there is: {allowed}.", headers=((b"allow", allowed.encode()),)
            )
        role, page = found
        now = runtime.clock.wall()
        if role == "read":
            return await page(Asked(bearer, now, _pairs(scope["query_string"]), headers, b""))
        began = runtime.clock.monotonic()
        asked = Asked(bearer, now, (), headers, b"")
        problem: BaseException | None = None
        try:
            if bearer.role != "write":
                raise GatewayError("access_denied", f"The admin key {bearer.name!r} may read, not write.")
            asked.content = await _body(receive, headers)
            asked.pairs = _pairs(scope["query_string"])
            return await page(asked)
        except BaseException as error:
            # One that was broken off is not known to be done.
            problem = error
            raise
        finally:
            self._trail.tell(asked, scope["path"], began, problem)

    def _bearer(self, scope: Scope, headers: Mapping[str, str]) -> Bearer:
        client = scope.get("client")
        address = client[0] if client else ""
        try:
            return self.login().bearer(headers, address)
        except GatewayError as error:
            # As often as it is answered so: then an address is slowed, and fills no log.
            if error.code == "invalid_api_key":
                self._process.runtime.log.write("warning", "admin login refused", {"address": address})
            raise

    def log_failure(self, path: str, error: BaseException) -> None:
        self._process.runtime.log.write("error", "admin request failed", {"path": path, "error": repr(error)})


class _Endpoint:
    """One path. An ASGI class, which Starlette passes every method."""

    def __init__(self, api: AdminApi, methods: Mapping[str, tuple[Role, Page]] | None) -> None:
        self._api = api
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._api.answer(scope, receive, self._methods)
            if isinstance(answer, Table):
                pieces = csv_pieces(answer.head, answer.rows)
                # What fails at once is told with its status; later there is none to tell it with.
                first = await anext(pieces, b"")
                await self._send_table(answer.name, first, pieces, scope, receive, send)
                return
        except Disconnected:
            response = _failure(cut_short())
        except GatewayError as error:
            response = _failure(error)
        except LedgerDown as down:
            self._api.log_failure(scope["path"], down)
            response = _failure(
                GatewayError("ledger_unavailable", "The ledger cannot be asked now; the log has the cause.")
            )
        except Exception as error:
            self._api.log_failure(scope["path"], error)
            response = _failure(GatewayError("internal_error", "The gateway failed; its log has the cause."))
        else:
            response = answer if isinstance(answer, Response) else _json(msgspec.json.encode(answer))
        if scope["method"] == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    async def _send_table(
        self, name: str, first: bytes, pieces: AsyncIterator[bytes], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Without its end where that fails, or where nobody reads: a server then cuts the connection, so that no half
        of a table is taken for all of it."""
        headers = {
            **_PLAIN_HEADERS,
            "content-type": CONTENT_TYPE,
            "content-disposition": f'attachment; filename="{name}.csv"',
        }
        raw = [(key.encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        gone = asyncio.create_task(_left(receive))
        try:
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in pieces:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                # A server may take it without waiting; requests are to have their turn between two pieces.
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b""})
        except LedgerDown as down:
            self._api.log_failure(scope["path"], down)
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _document(asked: Asked) -> Response:
    return _json(openapi_text().encode())


async def _body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    declared = headers.get("content-length")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await read_body(receive, None if declared is None else declared.encode("latin-1"), LARGEST_BODY)
    except TimeoutError:
        raise GatewayError("request_timeout", "The body did not arrive in time.") from None


def _pairs(query: bytes) -> list[tuple[str, str]]:
    if len(query) > LONGEST_QUERY:
        raise GatewayError("invalid_request", f"The query is longer than {LONGEST_QUERY} bytes.")
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise GatewayError("invalid_request", "The query is no UTF-8, or has too many parameters.") from None


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, _PLAIN_HEADERS, _JSON)


def _failure(error: GatewayError) -> Response:
    problem = Failure(Problem(error.code, error.message, error.param))
    response = _json(msgspec.json.encode(problem), error.status)
    response.headers["x-gateway-error"] = error.code
    for name, value in error.headers:
        response.headers[name.decode()] = value.decode()
    if error.retry_after is not None:
        response.headers["retry-after"] = str(max(1, ceil(error.retry_after)))
    return response
