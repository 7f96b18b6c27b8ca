"""The way to a Redis by the library redis-py, for who would rather trust that (`store.client: redis-py`).

Connections, AUTH, TLS, sentinels and clusters are the library's. Ours are the deadline, the names of faults, and the
circuit: a store that is away costs a call at most one deadline; while that is known calls fail at once, and one probe
at a time finds out whether it is back. A call costs more CPU than on the lean connection (ADR 10), and a cluster of
which one primary is away is away as a whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from redis.exceptions import NoScriptError

from gateway.config.store_url import StoreUrl
from gateway.store.dialler import CONNECT_AT_LEAST
from gateway.store.faults import ends_the_connection, garbage
from gateway.store.lane import FIRST_REST, LONGEST_REST
from gateway.store.library_client import CONNECTIONS, Call, ClusterClient, ServerClient, library_client
from gateway.store.library_faults import RAISED, named
from gateway.store.link import Part, Script, Tell, Watch
from gateway.store.protocol import StoreDown

LOOK_AFTER: Final = 0.5
"""Seconds of silence after which a store is asked whether it is there. The library sees the end of a connection only
when it wants to use it."""


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
        self._client: ServerClient | ClusterClient | None = None
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._fault: StoreDown | None = None
        self._recoveries = 0
        self._under_way = 0
        self._heard = False
        self._doubt = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._cast: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self) -> None:
        await self._look()
        self._keep_looking()

    async def close(self) -> None:
        self._closed = True
        for task in (self._looking, *self._cast):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self._client is not None:
            await self._client.close()

    def trouble(self) -> str | None:
        return self._watch.trouble

    async def command(self, *parts: Part) -> object:
        return await self._bounded(self._connected().call, parts)

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> object:
        call = self._connected().call
        try:
            return await self._bounded(call, ("EVALSHA", script.sha, len(keys), *keys, *args))
        except _UnknownScript:
            return await self._bounded(call, ("EVAL", script.source, len(keys), *keys, *args))

    def misread(self, script: Script, key: str) -> StoreDown:
        fault = garbage(self._url.place())
        self._lose(fault)
        return self._watch.failed(fault)

    def cast(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> None:
        task = asyncio.get_running_loop().create_task(self._run_unseen(script, keys, args))
        self._cast.add(task)
        task.add_done_callback(self._cast.discard)

    async def delete_matching(self, pattern: str, step: int) -> int:
        """Delete the keys that match, on every primary of a cluster. step: keys that a node looks at in one step. How
        many they were. StoreDown."""
        client = self._connected()
        assert isinstance(client, ClusterClient), "one server is asked by commands"
        gone = 0
        for ask in client.calls_of_primaries():
            cursor: Part = b"0"
            while True:
                reply = await self._bounded(ask, ("SCAN", cursor, "MATCH", pattern, "COUNT", step))
                match reply:
                    case [bytes() as cursor, list() as keys]:
                        # One by one: a call's keys must be in one slot, and these are in many.
                        removed = await asyncio.gather(*(self.command("UNLINK", key) for key in keys))
                        gone += sum(number for number in removed if isinstance(number, int))
                    case _:
                        raise self._watch.failed(garbage(self._url.place()))
                if cursor == b"0":
                    break
        return gone

    async def _run_unseen(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> None:
        with contextlib.suppress(StoreDown):
            await self.script(script, keys, args)

    def _connected(self) -> ServerClient | ClusterClient:
        """StoreDown while the store is known to be away."""
        if self._closed:
            raise StoreDown("the store is closed", "closed")
        if self._fault is not None:
            raise self._watch.failed(StoreDown(str(self._fault), self._fault.kind))
        try:
            client = self._made()
        except StoreDown as fault:
            self._lose(fault)
            raise self._watch.failed(fault) from None
        self._keep_looking()
        return client

    def _made(self) -> ServerClient | ClusterClient:
        if self._client is None:
            self._client = library_client(self._url, self._timeout, self._prefix)
        return self._client

    async def _bounded(self, call: Call, parts: Sequence[Part]) -> object:
        recoveries = self._recoveries
        self._under_way += 1
        try:
            async with asyncio.timeout(self._timeout), self._turns:
                reply = await call(parts)
        except NoScriptError:
            raise _UnknownScript from None
        except RAISED as failure:
            fault = named(failure, self._url)
            # What began before the store was back says nothing of now.
            if recoveries == self._recoveries:
                self._suspect(fault)
            raise self._watch.failed(fault) from None
        finally:
            self._under_way -= 1
        self._heard = True
        return reply

    def _suspect(self, fault: StoreDown) -> None:
        if fault.kind == "lost":
            # Perhaps no more than one connection.
            self._doubt.set()
        elif ends_the_connection(fault):
            self._lose(fault)

    def _lose(self, fault: StoreDown) -> None:
        self._fault = fault
        self._watch.see(fault)
        self._doubt.set()
        self._keep_looking()

    def _keep_looking(self) -> None:
        if self._looking is None and not self._closed:
            self._looking = asyncio.get_running_loop().create_task(self._look_again_and_again())

    async def _look_again_and_again(self) -> None:
        rest = FIRST_REST
        while True:
            if self._fault is not None:
                await asyncio.sleep(rest * (0.5 + self._chance() / 2))
                rest = min(rest * 2, LONGEST_REST)
                await self._look()
                continue
            rest = FIRST_REST
            if await self._wait_for_silence_or_doubt():
                await self._look()

    async def _wait_for_silence_or_doubt(self) -> bool:
        """Whether there is either. There is not, when a call has found out meanwhile."""
        self._heard = False
        self._doubt.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AFTER):
                await self._doubt.wait()
        silent = not self._heard and not self._under_way
        return self._fault is None and (silent or self._doubt.is_set())

    async def _look(self) -> None:
        """Whether the store is there, and fit for use."""
        try:
            await self._probe()
        except StoreDown as fault:
            self._fault = fault
            self._watch.see(fault)
        else:
            if self._fault is not None:
                self._recoveries += 1
                self._fault = None
            self._watch.see(None)

    async def _probe(self) -> None:
        """StoreDown."""
        client = self._made()
        for last in (False, True):
            try:
                async with asyncio.timeout(max(self._timeout, CONNECT_AT_LEAST)):
                    await client.probe()
                return
            except RAISED as failure:
                fault = named(failure, self._url)
                if last or fault.kind != "lost":
                    raise fault from None


class _UnknownScript(Exception):
    """The server does not have it."""
