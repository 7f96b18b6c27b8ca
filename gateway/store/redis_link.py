"""The way to one Redis or Valkey server: named in the URL, or by sentinels.

Lives here: dialling (TLS, AUTH, SELECT), finding the primary, scripts by their hash, and the two lanes: one for the
script that every request runs, one for all else, so that no large value stands before it. Must not: know what
is stored. A connection is taken in use when it has done what the stores need: run a script that writes. So a read-only
replica, a full memory or a wrong password is a store that is away, told once, and tried again until it is mended.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from typing import Final, cast

from hiredis import ReplyError, pack_command

from gateway.config.store_url import StoreUrl
from gateway.store.faults import ends_the_connection, garbage, refusal, unreachable
from gateway.store.hot_connection import HotConnection
from gateway.store.lane import Dial, Lane
from gateway.store.link import Part, Script, Tell, Watch
from gateway.store.protocol import StoreDown

_pack: Final = cast("Callable[[tuple[Part, ...]], bytes]", pack_command)
"""hiredis' own annotation means a tuple of one."""

_PROBE: Final = b"return redis.call('SET', KEYS[1], '1', 'PX', '1000')"


class RedisLink:
    """A Link to one server. timeout: seconds for each call. prefix: what every key begins with; the probe's does too.
    chance: uniform in [0, 1), so that replicas do not all dial at one moment."""

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
        self._probe_key = f"{prefix}probe"
        self._tls: ssl.SSLContext | None = None
        self._watch = Watch(url.place(), tell, count)
        dial: Dial = self._dial
        self._hot = Lane(dial, url.place(), timeout, chance, self._look)
        self._bulk = Lane(dial, url.place(), timeout, chance, self._look)

    async def open(self) -> None:
        for lane in (self._hot, self._bulk):
            with contextlib.suppress(StoreDown):
                await lane.ready()

    async def close(self) -> None:
        await self._hot.close()
        await self._bulk.close()

    def trouble(self) -> str | None:
        return self._watch.trouble

    async def command(self, *parts: Part) -> object:
        lane = self._bulk
        try:
            connection = lane.connection or await lane.ready()
            reply = await connection.call(_pack(parts))
        except StoreDown as fault:
            raise self._watch.failed(fault) from None
        if isinstance(reply, ReplyError):
            raise self._refused(connection, reply)
        return reply

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> object:
        lane = self._hot if script.hot else self._bulk
        try:
            connection = lane.connection or await lane.ready()
            reply = await connection.call(_pack(("EVALSHA", script.sha, len(keys), *keys, *args)))
            if isinstance(reply, ReplyError) and str(reply).startswith("NOSCRIPT"):
                reply = await connection.call(_pack(("EVAL", script.source, len(keys), *keys, *args)))
        except StoreDown as fault:
            raise self._watch.failed(fault) from None
        if isinstance(reply, ReplyError):
            raise self._refused(connection, reply)
        return reply

    def cast(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> None:
        connection = (self._hot if script.hot else self._bulk).connection
        if connection is None:
            return
        rest = (len(keys), *keys, *args)

        def finish(future: asyncio.Future[object]) -> None:
            if (fault := future.exception()) is not None:
                if isinstance(fault, StoreDown):
                    self._watch.failed(fault)
                return
            reply = future.result()
            if isinstance(reply, ReplyError):
                self._refused(connection, reply)

        def resend(future: asyncio.Future[object]) -> None:
            if future.exception() is None and str(future.result()).startswith("NOSCRIPT"):
                connection.call(_pack(("EVAL", script.source, *rest))).add_done_callback(finish)
            else:
                finish(future)

        connection.call(_pack(("EVALSHA", script.sha, *rest))).add_done_callback(resend)

    def misread(self, script: Script) -> StoreDown:
        """The fault of a reply that is not what the script returns: something else answers there."""
        connection = (self._hot if script.hot else self._bulk).connection
        fault = garbage(self._url.place())
        if connection is not None:
            connection.end(fault)
        return self._watch.failed(fault)

    def _refused(self, connection: HotConnection, reply: ReplyError) -> StoreDown:
        fault = refusal(str(reply))
        if ends_the_connection(fault):
            connection.end(fault)
        return self._watch.failed(fault)

    def _look(self) -> None:
        self._watch.see(self._hot.fault or self._bulk.fault)

    async def _dial(self, ended: Callable[[HotConnection, StoreDown], None]) -> HotConnection:
        url = self._url
        host, port = url.nodes[0] if url.kind == "redis" else await self._primary()
        connection = await self._connect(host, port, ended)
        calls: list[tuple[Part, ...]] = []
        if url.password is not None:
            user = (url.username,) if url.username else ()
            calls.append(("AUTH", *user, url.password.reveal()))
        if url.database:
            calls.append(("SELECT", url.database))
        calls.append(("EVAL", _PROBE, 1, self._probe_key))
        replies = [connection.call(_pack(call)) for call in calls]
        try:
            for reply in await asyncio.gather(*replies):
                if isinstance(reply, ReplyError):
                    raise refusal(str(reply))
        except BaseException:
            connection.end(StoreDown("the store was not fit for use"))
            raise
        return connection

    async def _connect(self, host: str, port: int, ended: Callable[[HotConnection, StoreDown], None]) -> HotConnection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: HotConnection(loop, f"{host}:{port}", self._timeout, ended),
                host,
                port,
                ssl=self._tls_context(),
            )
        except OSError as failure:
            raise unreachable(f"{host}:{port}", failure) from None
        return connection

    def _tls_context(self) -> ssl.SSLContext | None:
        if self._url.tls and self._tls is None:
            try:
                self._tls = ssl.create_default_context(cafile=self._url.ca_certs or None)
            except OSError as failure:
                reason = failure.strerror or type(failure).__name__
                raise StoreDown(f"`ssl_ca_certs` of store.url cannot be read: {reason}", "tls") from None
        return self._tls

    async def _primary(self) -> tuple[str, int]:
        """Where the sentinels say that the primary is: the first of them that answers."""
        fault = StoreDown("no sentinel is named in store.url", "unreachable")
        for host, port in self._url.nodes:
            try:
                connection = await self._connect(host, port, _take_no_notice)
                try:
                    asked = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._url.service)
                    reply = await connection.call(_pack(asked))
                finally:
                    connection.end(StoreDown("the sentinel was asked"))
            except StoreDown as failure:
                fault = failure
                continue
            match reply:
                case [bytes() as found, bytes() as found_port] if found_port.isdigit():
                    return found.decode("utf-8", "replace"), int(found_port)
                case None:
                    fault = StoreDown(f"the sentinel at {host}:{port} knows no service of store.url's name", "sentinel")
                case ReplyError():
                    fault = refusal(str(reply))
                case _:
                    fault = garbage(f"{host}:{port}")
        raise fault


def _take_no_notice(connection: HotConnection, fault: StoreDown) -> None:
    """A sentinel is asked once, and its connection closed."""
