from __future__ import annotations

import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange, Handler, Reply
from gateway.ingress.body import Message, Receive, Scope, Send
from gateway.ingress.edge import Edge
from gateway.ingress.mounts import RootMount, RouteApp, RouterMount, Table, UnifiedMount


class NotedEdge(Edge):
    """Notes what it is asked to serve or to refuse."""

    def __init__(self) -> None:
        self.served: list[tuple[bytes, str, bool]] = []
        self.refused: list[GatewayError] = []

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, raw_path: bytes, router: str, handler: Handler, finish: bool
    ) -> None:
        self.served.append((raw_path, router, finish))

    async def refuse(self, scope: Scope, send: Send, error: GatewayError) -> None:
        self.refused.append(error)


async def handler(exchange: Exchange) -> Reply:
    raise AssertionError("the edge was to note this")


def table(edge: Edge) -> Table:
    return Table(
        edge,
        {name: RouteApp(edge, name.decode(), handler, 8 + len(name), finish=name == b"batch") for name in ROUTERS},
        {name: RouteApp(edge, f"/{name.decode()}", handler, 1 + len(name)) for name in (b"openai", b"anthropic")},
        RouteApp(edge, "/ai", handler, 3),
        RouteApp(edge, "/v1", handler, 0),
    )


ROUTERS = (b"production", b"batch")


async def receive() -> Message:
    raise AssertionError("nothing here reads the body")


async def send(message: Message) -> None:
    raise AssertionError("nothing here answers")


async def ask(mount: str, path: bytes) -> NotedEdge:
    edge = NotedEdge()
    current = table(edge)
    mounts: dict[str, RouterMount | RootMount | UnifiedMount] = {
        "router": RouterMount(lambda: current),
        "root": RootMount(lambda: current),
        "ai": UnifiedMount(lambda: current, at_root=False),
        "v1": UnifiedMount(lambda: current, at_root=True),
    }
    await mounts[mount]({"type": "http", "raw_path": path}, receive, send)
    return edge


@pytest.mark.parametrize(
    ("mount", "path", "served"),
    [
        ("router", b"/router/production/v1/chat/completions", (b"/v1/chat/completions", "production", False)),
        ("router", b"/router/production/chat/completions", (b"/chat/completions", "production", False)),
        ("router", b"/router/batch/v1/x", (b"/v1/x", "batch", True)),
        ("router", b"/router/production", (b"", "production", False)),
        ("router", b"/router/production//x", (b"//x", "production", False)),
        ("root", b"/openai/v1/files/a%20b", (b"/v1/files/a%20b", "/openai", False)),
        ("root", b"/openai/https://host.example/x", (b"/https://host.example/x", "/openai", False)),
        ("root", b"/anthropic", (b"", "/anthropic", False)),
        ("ai", b"/ai/v1/chat/completions", (b"/v1/chat/completions", "/ai", False)),
        ("v1", b"/v1/chat/completions", (b"/v1/chat/completions", "/v1", False)),
        ("v1", b"/v1beta/models", (b"/v1beta/models", "/v1", False)),
        ("v1", b"/v1/v1/messages", (b"/v1/messages", "/v1", False)),
        ("ai", b"/ai/v1/v1beta/models", (b"/v1beta/models", "/ai", False)),
        ("router", b"/router/production/v1/v1/messages", (b"/v1/messages", "production", False)),
        ("root", b"/openai/v1/v1/x", (b"/v1/v1/x", "/openai", False)),
    ],
)
async def test_a_route_gets_the_raw_path_below_its_mount(
    mount: str, path: bytes, served: tuple[bytes, str, bool]
) -> None:
    edge = await ask(mount, path)
    assert (edge.served, edge.refused) == ([served], [])


@pytest.mark.parametrize(
    ("mount", "path", "code", "said"),
    [
        ("router", b"/router/productoin/v1/x", "router_not_found", "Did you mean 'production'?"),
        ("router", b"/router/zzz/v1/x", "router_not_found", "There is no router 'zzz'."),
        ("router", b"/router/frontend-team/v1/x", "router_name_invalid", "'frontend-team' (13 characters)"),
        ("router", b"/router/", "router_name_invalid", "(0 characters)"),
        ("router", b"/router/a%20b/x", "router_name_invalid", "'a%20b'"),
        ("router", b"/router/pr%6fduction/x", "router_name_invalid", "'pr%6fduction'"),
        ("router", b"/%72outer/production/x", "path_invalid", "/router"),
        ("router", b"/router", "router_name_invalid", "0 characters"),
        ("root", b"/opnai/v1/x", "provider_not_found", "Did you mean 'openai'?"),
        ("root", b"/%6fpenai/v1/x", "path_invalid", "needs no escape"),
        ("root", b"/", "provider_not_found", "Nothing is served at this path. Paths are /router/<name>/..."),
        ("root", b"/OpnAI/v1/x", "provider_not_found", "Did you mean 'openai'?"),
        ("root", b"/router", "not_found", "/router/<name>/chat/completions"),
        ("root", b"/admin/api/usage", "not_found", "`admin` in routers.yaml turns it on"),
        ("root", b"//openai/v1/x", "path_invalid", "empty segment"),
        ("root", b"*", "path_invalid", "unescaped"),
        ("root", b"/\xff\xfe/x", "path_invalid", "unescaped"),
    ],
)
async def test_what_nobody_serves_is_refused_with_the_closest_name(
    mount: str, path: bytes, code: str, said: str
) -> None:
    edge = await ask(mount, path)
    assert edge.served == []
    assert [error.code for error in edge.refused] == [code]
    assert said in edge.refused[0].message


async def test_a_long_name_is_not_echoed_whole() -> None:
    edge = await ask("root", b"/" + b"a" * 5000)
    assert len(edge.refused[0].message) < 300


async def test_a_mount_serves_the_table_of_the_moment() -> None:
    first, second = NotedEdge(), NotedEdge()
    tables = [table(first), table(second)]
    mount = RouterMount(lambda: tables[0])
    scope: Scope = {"type": "http", "raw_path": b"/router/production/x"}
    await mount(scope, receive, send)
    tables.pop(0)
    await mount(scope, receive, send)
    assert (len(first.served), len(second.served)) == (1, 1)
