"""What stands behind each mount: the sub-application of a route, and the tables that find one.

Each is an ASGI class, because Starlette passes those through at a tenth of the cost of a function
endpoint. A table is a dictionary behind one mount, so a thousand routers cost what one does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Final

from gateway.core.errors import GatewayError
from gateway.core.exchange import Handler
from gateway.ingress.body import Receive, Scope, Send
from gateway.ingress.edge import Edge
from gateway.ingress.paths import checked_path

_ROUTER_NAME: Final = re.compile(rb"[A-Za-z0-9_-]{1,12}")
_TWICE: Final = (b"v1/v1/", b"v1/v1beta/")
"""Of an SDK that puts a version before its paths, by a base URL that ends in one."""

_OWN: Final = {
    b"router": "A router's name is due here: /router/<name>/chat/completions, for example.",
    b"admin": "The admin API is not on this port: `admin` in routers.yaml turns it on, and `admin.port` moves it.",
}
"""What to say of paths that are the gateway's own and are not served as they were asked for."""


class RouteApp:
    """The sub-application of one route. skip: how much of the raw path is the mount's."""

    __slots__ = ("_edge", "_finish", "_handler", "_router", "_skip")

    def __init__(self, edge: Edge, router: str, handler: Handler, skip: int, *, finish: bool = False) -> None:
        self._edge = edge
        self._router = router
        self._handler = handler
        self._skip = skip
        self._finish = finish

    @property
    def handler(self) -> Handler:
        """What answers on this route, without the edge."""
        return self._handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"][self._skip :]
        await self._edge.serve(scope, receive, send, path, self._router, self._handler, self._finish)


class Table:
    """What one config serves. Replaced whole by a reload, never changed."""

    __slots__ = ("at_root", "direct", "edge", "routers", "unified")

    def __init__(
        self,
        edge: Edge,
        routers: Mapping[bytes, RouteApp],
        direct: Mapping[bytes, RouteApp],
        unified: RouteApp,
        at_root: RouteApp,
    ) -> None:
        self.edge = edge
        self.routers = routers
        self.direct = direct
        self.unified = unified
        self.at_root = at_root


class RouterMount:
    """`/router/<name>/...`: a dictionary look-up. current: the table of this moment."""

    def __init__(self, current: Callable[[], Table]) -> None:
        self._current = current

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        table = self._current()
        parts = scope["raw_path"].split(b"/", 3)
        name = parts[2] if len(parts) > 2 else b""
        app = table.routers.get(name)
        # The mount was found by the decoded path; what is passed on is cut out of the raw one.
        if parts[1:2] != [b"router"]:
            await table.edge.refuse(scope, send, GatewayError("path_invalid", "Write /router without escapes."))
        elif app is None:
            await table.edge.refuse(scope, send, _no_router(name, table.routers))
        else:
            if parts[3:] and parts[3].startswith(_TWICE):
                scope = {**scope, "raw_path": b"/router/%s/%s" % (name, parts[3][len("v1/") :])}
            await app(scope, receive, send)


class RootMount:
    """`/<provider>/...`, and every path that nothing else has."""

    def __init__(self, current: Callable[[], Table]) -> None:
        self._current = current

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        table = self._current()
        name = scope["raw_path"].partition(b"/")[2].partition(b"/")[0]
        app = table.direct.get(name)
        if app is None:
            await table.edge.refuse(scope, send, _no_route(scope["raw_path"], name, table.direct))
        else:
            await app(scope, receive, send)


class UnifiedMount:
    """`/ai/...`, or `/v1/...` and `/v1beta/...` when `at_root`."""

    def __init__(self, current: Callable[[], Table], *, at_root: bool) -> None:
        self._current = current
        self._at_root = at_root
        self._front = b"/" if at_root else b"/ai/"
        self._twice = tuple(self._front + twice for twice in _TWICE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        table = self._current()
        path = scope["raw_path"]
        if path.startswith(self._twice):
            scope = {**scope, "raw_path": self._front + path[len(self._front) + len("v1/") :]}
        await (table.at_root if self._at_root else table.unified)(scope, receive, send)


def _no_router(name: bytes, routers: Mapping[bytes, RouteApp]) -> GatewayError:
    text = _shown(name)
    if not _ROUTER_NAME.fullmatch(name):
        return GatewayError(
            "router_name_invalid",
            f"{text!r} ({len(name)} characters) is not a router name: 1 to 12 of A-Z, a-z, 0-9, `_` and `-`.",
        )
    return GatewayError("router_not_found", f"There is no router {text!r}.{_closest(text, routers)}")


def _no_route(raw_path: bytes, name: bytes, direct: Mapping[bytes, RouteApp]) -> GatewayError:
    """What is wrong with the path itself counts first: it may be why no mount took it."""
    try:
        checked_path(raw_path)
    except GatewayError as error:
        return error
    return _no_provider(name, direct)


def _no_provider(name: bytes, direct: Mapping[bytes, RouteApp]) -> GatewayError:
    if name in _OWN:
        return GatewayError("not_found", _OWN[name])
    text = _shown(name)
    return GatewayError(
        "provider_not_found",
        (f"There is no provider {text!r}.{_closest(text, direct)}" if name else "Nothing is served at this path.")
        + " Paths are /router/<name>/..., /<provider>/..., /ai/... and /v1/...",
    )


def _closest(text: str, names: Mapping[bytes, RouteApp]) -> str:
    plain = {name.decode().lower(): name.decode() for name in names}
    close = get_close_matches(text.lower(), plain, n=1, cutoff=0.7)
    return f" Did you mean {plain[close[0]]!r}?" if close else ""


def _shown(name: bytes) -> str:
    return name[:64].decode("ascii", "replace")
