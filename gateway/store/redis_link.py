"""The way to one Redis or Valkey server: named in the URL, or by sentinels.

Two lanes lead there: one for the script that every request runs, one for all else, so that no large value stands before
it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from gateway.config.store_url import StoreUrl
from gateway.store.calls import Calls
from gateway.store.faults import garbage
from gateway.store.hot_connection import HotConnection
from gateway.store.lane import Ended, Lane
from gateway.store.link import Part, Tell
from gateway.store.protocol import StoreDown


class RedisLink(Calls):
    """A Link to one server."""

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
        super().__init__(url, timeout=timeout, prefix=prefix, chance=chance, tell=tell, count=count)
        self._hot = Lane(self._dial, url.place(), timeout, chance, self._look)
        self._bulk = Lane(self._dial, url.place(), timeout, chance, self._look)

    async def open(self) -> None:
        for lane in (self._hot, self._bulk):
            with contextlib.suppress(StoreDown):
                await lane.ready()

    async def close(self) -> None:
        await super().close()
        await self._hot.close()
        await self._bulk.close()

    def at_hand(self, key: Part, *, hot: bool) -> HotConnection | None:
        return self._hot.connection if hot else self._bulk.connection

    async def found(self, key: Part, *, hot: bool) -> HotConnection:
        return await (self._hot if hot else self._bulk).ready()

    def _look(self) -> None:
        self._watch.see(self._hot.fault or self._bulk.fault)

    async def _dial(self, ended: Ended) -> HotConnection:
        host, port = self._url.nodes[0] if self._url.kind == "redis" else await self._primary()
        return await self._dialler.dial(host, port, f"{self._prefix}probe", ended)

    async def _primary(self) -> tuple[str, int]:
        """Where the sentinels say that the primary is: the first of them that answers."""
        fault = StoreDown("no sentinel is named in store.url", "sentinel")
        for host, port in self._url.nodes:
            try:
                asked = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._url.service)
                reply = await self._dialler.ask(host, port, *asked, introduced=False)
            except StoreDown as failure:
                fault = failure
                continue
            match reply:
                case [bytes() as found, bytes() as found_port] if found_port.isdigit():
                    return found.decode("utf-8", "replace"), int(found_port)
                case None:
                    told = f"the sentinel at {host}:{port} knows no service {self._url.service[:60]!r}: see store.url"
                    fault = StoreDown(told, "sentinel")
                case _:
                    fault = garbage(f"{host}:{port}")
        raise fault
