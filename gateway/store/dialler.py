"""Making connections to Redis servers that are fit for use.

Lives here: TLS, AUTH, SELECT, and the probe. A connection is taken in use when it has done what the stores need: run a
script that writes. So a read-only replica, a full memory or a wrong password is a store that is away.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from hiredis import ReplyError, pack_command

from gateway.config.store_url import StoreUrl
from gateway.store.faults import refusal, unreachable
from gateway.store.hot_connection import HotConnection
from gateway.store.lane import Ended
from gateway.store.link import Part
from gateway.store.protocol import StoreDown

pack: Final = cast("Callable[[tuple[Part, ...]], bytes]", pack_command)
"""A command as it goes on the wire. (hiredis' own annotation means a tuple of one.)"""

CONNECT_AT_LEAST: Final = 1.0
"""Seconds: names are looked up and TLS is negotiated, which a call's deadline does not foresee. No call waits longer
than its own."""

PROBE: Final = b"return redis.call('SET', KEYS[1], '1', 'PX', '1000')"


class Dialler:
    """timeout: seconds for each call on its connections."""

    def __init__(self, url: StoreUrl, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._tls: ssl.SSLContext | None = None

    async def dial(self, host: str, port: int, probe_key: str, ended: Ended) -> HotConnection:
        """A connection that has proved fit. probe_key: may be written to; `` when no such key is known. StoreDown."""
        connection = await self._connect(host, port, ended)
        calls = self._introduction()
        if self._url.database:
            calls.append(("SELECT", self._url.database))
        calls.append(("EVAL", PROBE, 1, probe_key) if probe_key else ("PING",))
        try:
            await _all_accepted(connection, calls)
        except BaseException:
            connection.end(StoreDown("the store was not fit for use"))
            raise
        return connection

    async def ask(self, host: str, port: int, *parts: Part, introduced: bool) -> object:
        """One question on a connection of its own, to a sentinel (which has not the store's password) or a node.
        StoreDown."""
        connection = await self._connect(host, port, _take_no_notice)
        try:
            return (await _all_accepted(connection, [*(self._introduction() if introduced else ()), parts]))[-1]
        finally:
            connection.end(StoreDown("it was asked"))

    def _introduction(self) -> list[tuple[Part, ...]]:
        url = self._url
        if url.password is None:
            return []
        user = (url.username,) if url.username else ()
        return [("AUTH", *user, url.password.reveal())]

    async def _connect(self, host: str, port: int, ended: Ended) -> HotConnection:
        loop = asyncio.get_running_loop()
        place = f"{host}:{port}"
        try:
            async with asyncio.timeout(max(self._timeout, CONNECT_AT_LEAST)):
                _, connection = await loop.create_connection(
                    lambda: HotConnection(loop, place, self._timeout, ended), host, port, ssl=self._tls_context()
                )
        except OSError as failure:
            raise unreachable(place, failure) from None
        return connection

    def _tls_context(self) -> ssl.SSLContext | None:
        if self._url.tls and self._tls is None:
            self._tls = tls_context(self._url)
        return self._tls


def tls_context(url: StoreUrl) -> ssl.SSLContext:
    """Whom to believe. StoreDown when the authority's file cannot be read."""
    try:
        return ssl.create_default_context(cafile=url.ca_certs or None)
    except OSError as failure:
        reason = failure.strerror or type(failure).__name__
        raise StoreDown(f"`ssl_ca_certs` of store.url cannot be read: {reason}", "tls") from None


async def _all_accepted(connection: HotConnection, calls: list[tuple[Part, ...]]) -> list[object]:
    """The replies to calls that are sent in one go. The first refusal is raised."""
    replies = await asyncio.gather(*(connection.call(pack(call)) for call in calls))
    for reply in replies:
        if isinstance(reply, ReplyError):
            raise refusal(str(reply))
    return replies


def _take_no_notice(connection: HotConnection, fault: StoreDown) -> None:
    """Who asked is told by the call."""
