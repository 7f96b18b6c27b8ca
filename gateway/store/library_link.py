"""The way to a Redis by the library redis-py, for who would rather trust that (`store.client: redis-py`).

Everything is the library's: pools, AUTH, TLS, sentinels, clusters. Ours are the deadline, the names of faults, and the
circuit: a store that is away costs a call at most one deadline; while that is known calls fail at once, and one probe
at a time finds out whether it is back. A call costs more CPU than on the lean connection (ADR 10).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from redis import exceptions
from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.sentinel import MasterNotFoundError

from gateway.config.store_url import StoreUrl
from gateway.store.dialler import CONNECT_AT_LEAST, PROBE
from gateway.store.faults import ends_the_connection, garbage, refusal, too_late, unreachable
from gateway.store.lane import FIRST_REST, LONGEST_REST
from gateway.store.link import Part, Script, Tell, Watch
from gateway.store.protocol import StoreDown

_CONNECTIONS: Final = 64
_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (exceptions.AuthenticationError, "WRONGPASS"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.OutOfMemoryError, "OOM"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.ClusterDownError, "CLUSTERDOWN"),
    (exceptions.MasterDownError, "MASTERDOWN"),
)
"""The library takes the word off that an answer began with, and tells it by the class."""


class LibraryLink:
    """A Link, whatever kind of store the URL names."""

    def __init__(
        self,
        url: StoreUrl,
        *,
        timeout: float,
        prefix: str,
        chance: Callable[[], float],
        tell: Tell,
        count: Callable[[str], None],
    ) -> None:
        self._url = url
        self._timeout = timeout
        self._prefix = prefix
        self._chance = chance
        self._watch = Watch(url.place(), tell, count)
        self._client: Any = None
        self._sentinels: Any = None
        self._fault: StoreDown | None = None
        self._probing: asyncio.Task[None] | None = None
        self._cast: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self) -> None:
        try:
            await self._probe()
        except StoreDown as fault:
            self._lose(fault)

    async def close(self) -> None:
        self._closed = True
        for task in (self._probing, *self._cast):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        for client in (self._client, *(self._sentinels.sentinels if self._sentinels is not None else ())):
            if client is not None:
                # A server that is gone cannot be taken leave of.
                with contextlib.suppress(exceptions.RedisError, OSError):
                    await client.aclose()

    def trouble(self) -> str | None:
        return self._watch.trouble

    async def command(self, *parts: Part) -> object:
        return await self._call(self._connected().execute_command(*parts))

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> object:
        client = self._connected()
        try:
            return await self._call(client.execute_command("EVALSHA", script.sha, len(keys), *keys, *args))
        except _Unknown:
            return await self._call(client.execute_command("EVAL", script.source, len(keys), *keys, *args))

    def misread(self, script: Script, key: str) -> StoreDown:
        fault = garbage(self._url.place())
        self._lose(fault)
        return self._watch.failed(fault)

    def cast(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> None:
        task = asyncio.get_running_loop().create_task(self._run_unseen(self.script(script, keys, args)))
        self._cast.add(task)
        task.add_done_callback(self._cast.discard)

    async def delete_matching(self, pattern: str, step: int) -> int:
        """Delete the keys that match, on every node. step: keys that a node looks at in one step. How many they were.
        StoreDown."""
        gone = 0
        client = self._connected()
        found = [key async for key in client.scan_iter(match=pattern, count=step)]
        for key in found:
            # One by one: a call's keys must be in one slot, and these may be in many.
            removed = await self.command("UNLINK", key)
            gone += removed if isinstance(removed, int) else 0
        return gone

    async def _run_unseen(self, call: Coroutine[object, object, object]) -> None:
        with contextlib.suppress(StoreDown):
            await call

    def _connected(self) -> Any:
        """The library's client. StoreDown while the store is known to be away."""
        fault = self._fault
        if self._closed:
            raise StoreDown("the store is closed", "closed")
        if fault is not None:
            raise self._watch.failed(StoreDown(str(fault), fault.kind))
        if self._client is None:
            self._client = self._make()
        return self._client

    async def _call(self, awaited: Any) -> object:
        try:
            async with asyncio.timeout(self._timeout):
                reply: object = await awaited
        except exceptions.NoScriptError:
            raise _Unknown from None
        except (exceptions.RedisError, OSError, TimeoutError) as failure:
            fault = self._named(failure)
            if ends_the_connection(fault):
                self._lose(fault)
            raise self._watch.failed(fault) from None
        return reply

    def _named(self, failure: Exception) -> StoreDown:
        """What went wrong, in the words of every link."""
        place = self._url.place()
        text = str(failure)
        for kind, word in _WORDS:
            if isinstance(failure, kind):
                known = text.startswith("NOAUTH") or "without any password" in text or "Authentication required" in text
                return refusal("NOAUTH" if "required" in text else text if known else word)
        match failure:
            case exceptions.MaxConnectionsError() | exceptions.TimeoutError() | TimeoutError():
                return too_late(place)
            case exceptions.InvalidResponse():
                return garbage(place)
            case MasterNotFoundError() if self._url.kind == "sentinel":
                return StoreDown(f"no sentinel knows where {self._url.service[:60]!r} is: see store.url", "sentinel")
            case exceptions.ResponseError():
                return refusal(text)
            case exceptions.ConnectionError() if isinstance(failure.__cause__ or failure.__context__, OSError):
                cause = failure.__cause__ or failure.__context__
                assert isinstance(cause, OSError)
                return unreachable(place, cause)
            case _:
                return unreachable(place, failure)

    def _lose(self, fault: StoreDown) -> None:
        self._fault = fault
        self._watch.see(fault)
        if self._probing is None and not self._closed:
            self._probing = asyncio.get_running_loop().create_task(self._probe_until_it_is_back())

    async def _probe_until_it_is_back(self) -> None:
        rest = FIRST_REST
        try:
            while True:
                await asyncio.sleep(rest * (0.5 + self._chance() / 2))
                rest = min(rest * 2, LONGEST_REST)
                try:
                    await self._probe()
                except StoreDown as fault:
                    self._fault = fault
                    self._watch.see(fault)
                else:
                    return
        finally:
            self._probing = None

    async def _probe(self) -> None:
        """Fit for use is what can run a script that writes. StoreDown."""
        if self._client is None:
            self._client = self._make()
        try:
            async with asyncio.timeout(max(self._timeout, CONNECT_AT_LEAST)):
                await self._client.execute_command("EVAL", PROBE, 1, f"{self._prefix}probe")
        except (exceptions.RedisError, OSError, TimeoutError) as failure:
            raise self._named(failure) from None
        self._fault = None
        self._watch.see(None)

    def _make(self) -> Any:
        """Nothing is connected yet. StoreDown when the authority's file cannot be read."""
        url = self._url
        given: dict[str, Any] = {
            "username": url.username or None,
            "password": None if url.password is None else url.password.reveal(),
            "socket_timeout": self._timeout,
            "socket_connect_timeout": max(self._timeout, CONNECT_AT_LEAST),
            "max_connections": _CONNECTIONS,
        }
        if url.tls:
            given |= {"ssl": True, "ssl_ca_certs": url.ca_certs or None}
        once = Retry(NoBackoff(), 0)
        if url.kind == "cluster":
            return RedisCluster(startup_nodes=[ClusterNode(*node) for node in url.nodes], **given)
        if url.kind == "sentinel":
            of_sentinels = {name: given[name] for name in ("socket_timeout", "socket_connect_timeout")}
            self._sentinels = Sentinel(list(url.nodes), sentinel_kwargs=of_sentinels)  # type: ignore[no-untyped-call]
            return self._sentinels.master_for(url.service, db=url.database, retry=once, **given)
        host, port = url.nodes[0]
        return Redis(host=host, port=port, db=url.database, retry=once, **given)


class _Unknown(Exception):
    """The server has not the script."""
