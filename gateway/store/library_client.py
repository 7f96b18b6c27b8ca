"""redis-py's clients, as the store uses them: made, probed on every primary, and closed.

Nothing is tried again for one server: a script that ran and whose answer was lost would be run twice. A cluster's
client tries once more, because it does not see that a connection at rest has been closed. RESP2 is spoken, replies are
left as they come, and every deadline but that of connecting is the caller's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypedDict, cast

from redis import exceptions
from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode, PipelineCommand
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.config.store_url import StoreUrl
from gateway.store.dialler import CONNECT_AT_LEAST, PROBE, tls_context
from gateway.store.library_faults import RAISED
from gateway.store.link import Part

CONNECTIONS: Final = 32
"""Calls under way at one time, each on a connection of its own. More wait their turn."""

_SPARE: Final = 2 * CONNECTIONS
"""What the library may open: those, the probe's, and what is on its way out."""

_HOPS: Final = 4
"""So often a call that belongs to a slot that moves is sent to another node."""

_TRIED: Final = 1_000
"""Names for a probe's key, to find one for each primary."""


Call = Callable[[Sequence[Part]], Awaitable[object]]
"""Sends a command, and returns its reply."""


class Commands(Protocol):
    """As much of each of the library's clients as is used."""

    def execute_command(self, *parts: Part) -> Awaitable[object]: ...

    async def aclose(self) -> None: ...


class ServerClient:
    """One server, named in the URL or by sentinels. Its methods raise what is in RAISED."""

    def __init__(self, client: Commands, prefix: str, sentinels: Sequence[Commands] = ()) -> None:
        self._client = client
        self._sentinels = sentinels
        self._probe_key = f"{prefix}probe"

    def call(self, parts: Sequence[Part]) -> Awaitable[object]:
        return self._client.execute_command(*parts)

    async def probe(self) -> None:
        await self.call(("EVAL", PROBE, 1, self._probe_key))

    async def close(self) -> None:
        for client in (self._client, *self._sentinels):
            # A server that is gone cannot be taken leave of.
            with contextlib.suppress(*RAISED):
                await client.aclose()


class ClusterClient:
    """Its methods raise what is in RAISED."""

    def __init__(self, cluster: RedisCluster, prefix: str) -> None:
        self._cluster = cluster
        self._client = cast("Commands", cluster)
        self._prefix = prefix

    async def call(self, parts: Sequence[Part]) -> object:
        try:
            return await self._client.execute_command(*parts)
        except exceptions.ClusterError as failure:
            if type(failure) is not exceptions.ClusterError:
                raise
            # It was sent from node to node in vain: its slot moves, and the library says ASKING on one connection and
            # the call on another.
            return await self._follow(parts)

    async def _follow(self, parts: Sequence[Part]) -> object:
        """Send what belongs to a slot that moves."""
        key = parts[3] if parts[0] in ("EVAL", "EVALSHA") else parts[1]
        node = self._cluster.get_node_from_key(str(key))
        for _ in range(_HOPS):
            if node is None:
                break
            try:
                return await _call_at(node, parts)
            except exceptions.MovedError as moved:
                node = self._cluster.get_node(moved.host, moved.port)
            except exceptions.AskError as asked:
                target = self._cluster.get_node(asked.host, asked.port)
                if target is None:
                    break
                calls = [PipelineCommand(0, "ASKING"), PipelineCommand(1, *parts)]
                await target.execute_pipeline(calls)
                reply = calls[1].result
                if isinstance(reply, Exception):
                    raise reply from None
                return reply
        raise exceptions.ClusterError("the slot moves on")

    async def probe(self) -> None:
        await self._cluster.initialize()
        for key in self._keys_of_primaries():
            await self.call(("EVAL", PROBE, 1, key))

    def calls_of_primaries(self) -> list[Call]:
        """Each asks one of them."""
        return [partial(_call_at, node) for node in self._cluster.get_primaries()]

    async def close(self) -> None:
        nodes = self._cluster.nodes_manager
        # The library leaves its connections open while it means to read the map of slots again.
        for closing in (self._client.aclose, nodes.aclose, lambda: nodes.aclose("startup_nodes")):
            with contextlib.suppress(*RAISED):
                await closing()

    def _keys_of_primaries(self) -> list[str]:
        """One for each primary that has slots, by a few tries for each."""
        found: dict[str, str] = {}
        wanted = len(self._cluster.get_primaries())
        for number in range(_TRIED):
            key = f"{self._prefix}probe:{number}"
            node = self._cluster.get_node_from_key(key)
            if node is not None:
                found.setdefault(node.name, key)
            if len(found) >= wanted:
                break
        return list(found.values())


def library_client(url: StoreUrl, timeout: float, prefix: str) -> ServerClient | ClusterClient:
    """Nothing is connected yet. timeout: seconds for a call. prefix: what the probe's key begins with. StoreDown when
    the authority's file cannot be read."""
    options: _Options = {
        "protocol": 2,
        "driver_info": None,
        "socket_timeout": None,
        "socket_connect_timeout": max(timeout, CONNECT_AT_LEAST),
        "max_connections": _SPARE,
    }
    if url.tls:
        tls_context(url)
        options |= {"ssl": True, "ssl_ca_certs": url.ca_certs or None}
    never = Retry(NoBackoff(), 0)
    of_sentinels = {**options, "socket_timeout": timeout, "retry": never}
    if url.username:
        options["username"] = url.username
    if url.password is not None:
        options["password"] = url.password.reveal()
    if url.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in url.nodes]
        cluster = RedisCluster(startup_nodes=nodes, retry=Retry(NoBackoff(), 1), **options)
        _leave_replies_alone(cluster)
        return ClusterClient(cluster, prefix)
    if url.kind == "sentinel":
        sentinel = Sentinel(url.nodes, sentinel_kwargs=of_sentinels)  # type: ignore[no-untyped-call]
        client = sentinel.master_for(url.service, db=url.database, retry=never, **options)
        sentinels = sentinel.sentinels
    else:
        host, port = url.nodes[0]
        client = Redis(host=host, port=port, db=url.database, retry=never, **options)
        sentinels = []
    _leave_replies_alone(client)
    return ServerClient(client, prefix, sentinels)


def _call_at(node: ClusterNode, parts: Sequence[Part]) -> Awaitable[object]:
    return node.execute_command(*parts)


def _leave_replies_alone(client: Redis | RedisCluster) -> None:
    """Bytes, numbers, None, and lists of these. What the library asks for itself, it must go on reading."""
    callbacks = client.response_callbacks
    for name in [name for name in callbacks if not str(name).startswith(("CLUSTER", "COMMAND"))]:
        del callbacks[name]


class _Options(TypedDict, total=False):
    protocol: int
    driver_info: None
    socket_timeout: float | None
    socket_connect_timeout: float
    max_connections: int
    ssl: bool
    ssl_ca_certs: str | None
    username: str
    password: str
