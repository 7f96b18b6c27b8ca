"""Calls of a Redis, whichever connection is the right one: commands, scripts by their hash, and sending again what was
refused for a reason that can be met."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

from hiredis import ReplyError

from gateway.config.store_url import StoreUrl
from gateway.store.dialler import Dialler, pack
from gateway.store.faults import ends_the_connection, garbage, refusal
from gateway.store.hot_connection import HotConnection
from gateway.store.link import Part, Script, Tell, Watch
from gateway.store.protocol import StoreDown

_HOPS: Final = 5
"""So often a call is sent again at most: with its script, or to another node of a cluster."""

_ASKING: Final = pack(("ASKING",))


class Calls(ABC):
    """What the links to one server and to a cluster have in common. timeout: seconds for each call. prefix: what every
    key begins with; the probe's does too. chance: uniform in [0, 1), so that replicas do not all dial at one moment."""

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
        self._dialler = Dialler(url, timeout)
        self._resending: set[asyncio.Task[None]] = set()

    @abstractmethod
    def at_hand(self, key: Part, *, hot: bool) -> HotConnection | None:
        """The connection for a key, when there is one."""

    @abstractmethod
    async def found(self, key: Part, *, hot: bool) -> HotConnection:
        """The connection for a key, made first when there is none. StoreDown."""

    async def redirected(self, answer: str, *, hot: bool) -> HotConnection | None:
        """The connection to the node that a refusal names as the right one; None when it names none."""
        return None

    def trouble(self) -> str | None:
        return self._watch.trouble

    async def command(self, *parts: Part) -> object:
        packed = pack(parts)
        key = parts[1] if len(parts) > 1 else ""
        try:
            connection = self.at_hand(key, hot=False) or await self.found(key, hot=False)
            reply = await connection.call(packed)
            if isinstance(reply, ReplyError):
                return await self._recover(connection, reply, packed)
        except StoreDown as fault:
            raise self._watch.failed(fault) from None
        return reply

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> object:
        hot = script.hot
        packed = pack(("EVALSHA", script.sha, len(keys), *keys, *args))
        try:
            connection = self.at_hand(keys[0], hot=hot) or await self.found(keys[0], hot=hot)
            reply = await connection.call(packed)
            if isinstance(reply, ReplyError):
                whole = pack(("EVAL", script.source, len(keys), *keys, *args))
                return await self._recover(connection, reply, packed, whole, hot=hot)
        except StoreDown as fault:
            raise self._watch.failed(fault) from None
        return reply

    def cast(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> None:
        connection = self.at_hand(keys[0], hot=script.hot)
        if connection is None:
            self._watch.failed(StoreDown("the store is away", "lost"))
            return
        packed = pack(("EVALSHA", script.sha, len(keys), *keys, *args))

        def finish(future: asyncio.Future[object]) -> None:
            fault = future.exception()
            if isinstance(fault, StoreDown):
                self._watch.failed(fault)
            elif fault is None and isinstance(reply := future.result(), ReplyError):
                whole = pack(("EVAL", script.source, len(keys), *keys, *args))
                task = asyncio.ensure_future(self._recover_unseen(connection, reply, packed, whole, hot=script.hot))
                self._resending.add(task)
                task.add_done_callback(self._resending.discard)

        connection.call(packed).add_done_callback(finish)

    def misread(self, script: Script, key: str) -> StoreDown:
        connection = self.at_hand(key, hot=script.hot)
        fault = garbage(self._url.place())
        if connection is not None:
            connection.end(fault)
        return self._watch.failed(fault)

    async def close(self) -> None:
        for task in list(self._resending):
            task.cancel()

    async def _recover(
        self, connection: HotConnection, reply: ReplyError, packed: bytes, whole: bytes = b"", *, hot: bool = False
    ) -> object:
        """whole: the call with its script, where there is one."""
        for _ in range(_HOPS):
            answer = str(reply)
            if whole and answer.startswith("NOSCRIPT"):
                packed = whole
            elif (other := await self.redirected(answer, hot=hot)) is not None:
                connection = other
            else:
                break
            if answer.startswith("ASK "):
                # Holds for the one call behind it. That the node lacks the script must not be what it is for.
                packed = whole or packed
                connection.call(_ASKING).add_done_callback(_take_no_notice)
            again = await connection.call(packed)
            if not isinstance(again, ReplyError):
                return again
            reply = again
        fault = refusal(str(reply))
        if ends_the_connection(fault):
            connection.end(fault)
        raise fault

    async def _recover_unseen(
        self, connection: HotConnection, reply: ReplyError, packed: bytes, whole: bytes, *, hot: bool
    ) -> None:
        try:
            await self._recover(connection, reply, packed, whole, hot=hot)
        except StoreDown as fault:
            self._watch.failed(fault)


def _take_no_notice(asking: asyncio.Future[object]) -> None:
    """Whatever became of it, the call behind it says so."""
    asking.exception()
