"""The way to a Redis or Valkey cluster: to each of its primaries two lanes, and the map that says whose a key is.

Lives here: slots, and when the map is read again: when a node says that a key has moved, and while a node is away,
until a replica has taken its place. Calls and scripts are those of one server. All keys of a call are in one slot,
which its callers see to by a hash tag.
"""

from __future__ import annotations

import asyncio
import contextlib
from binascii import crc_hqx
from collections.abc import Callable
from itertools import count
from typing import Final

from hiredis import ReplyError

from gateway.config.store_url import StoreUrl
from gateway.store.calls import Calls
from gateway.store.dialler import Dialler, pack
from gateway.store.faults import garbage, refusal, too_late
from gateway.store.hot_connection import HotConnection
from gateway.store.lane import Ended, Lane
from gateway.store.link import Part, Tell
from gateway.store.protocol import StoreDown

SLOTS: Final = 16384
_READ_AGAIN: Final = 0.25
"""Seconds between two readings of the map while something is away."""

Address = tuple[str, int]


class ClusterLink(Calls):
    """A Link to a cluster."""

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
        self._owners: list[_Node | None] = [None] * SLOTS
        self._nodes: dict[Address, _Node] = {}
        self._map_fault: StoreDown | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read = asyncio.Event()
        self._closed = False

    async def open(self) -> None:
        with contextlib.suppress(StoreDown):
            await self._wait_for_map()
        for node in list(self._nodes.values()):
            for lane in (node.hot, node.bulk):
                with contextlib.suppress(StoreDown):
                    await lane.ready()

    async def close(self) -> None:
        await super().close()
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        for node in self._nodes.values():
            await node.close()

    async def delete_matching(self, pattern: str, step: int) -> int:
        """Delete the keys that match, on every node. step: keys that a node looks at in one step. How many they were.
        StoreDown."""
        await self._wait_for_map()
        gone = 0
        for node in list(self._nodes.values()):
            cursor: Part = b"0"
            while True:
                connection = await node.bulk.ready()
                reply = await connection.call(pack(("SCAN", cursor, "MATCH", pattern, "COUNT", step)))
                match reply:
                    case [bytes() as cursor, list() as keys]:
                        # One by one: a call's keys must be in one slot, and these are in many.
                        removed = await asyncio.gather(*(self.command("UNLINK", key) for key in keys))
                        gone += sum(number for number in removed if isinstance(number, int))
                    case ReplyError():
                        raise self._watch.failed(refusal(str(reply)))
                    case _:
                        raise self._watch.failed(garbage(connection.place))
                if cursor == b"0":
                    break
        return gone

    def at_hand(self, key: Part, *, hot: bool) -> HotConnection | None:
        node = self._owners[slot_of(key)]
        if node is None:
            return None
        return node.hot.connection if hot else node.bulk.connection

    async def found(self, key: Part, *, hot: bool) -> HotConnection:
        node = self._owners[slot_of(key)]
        if node is None:
            await self._wait_for_map()
            node = self._owners[slot_of(key)]
            if node is None:
                raise StoreDown("the cluster does not serve all its slots", "cluster")
        return await (node.hot if hot else node.bulk).ready()

    async def redirected(self, answer: str, *, hot: bool) -> HotConnection | None:
        word, _, rest = answer.partition(" ")
        slot, _, place = rest.partition(" ")
        host, _, port = place.rpartition(":")
        if word not in ("MOVED", "ASK") or not slot.isdigit() or not port.isdigit() or not host:
            return None
        node = self._node_at((host, int(port)))
        if word == "MOVED":
            self._owners[int(slot) % SLOTS] = node
            self._read_map_soon()
        return await (node.hot if hot else node.bulk).ready()

    def _node_at(self, address: Address) -> _Node:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = _Node(self._dialler, address, self._timeout, self._chance, self._look)
        return node

    async def _wait_for_map(self) -> None:
        """The map has been read when this returns. StoreDown when it cannot be, at once while that is known."""
        if self._map_fault is None and not self._nodes:
            self._read_map_soon()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._read.wait()
            except TimeoutError:
                self._map_fault = too_late(self._url.place())
                self._look()
        if self._map_fault is not None:
            raise StoreDown(str(self._map_fault), self._map_fault.kind)

    def _read_map_soon(self) -> None:
        if self._reading is None and not self._closed:
            self._reading = asyncio.get_running_loop().create_task(self._read_map_until_all_are_there())

    async def _read_map_until_all_are_there(self) -> None:
        try:
            while True:
                try:
                    await self._read_map()
                except StoreDown as fault:
                    self._map_fault = fault
                else:
                    self._map_fault = None
                self._read.set()
                self._look()
                if self._fault() is None:
                    return
                await asyncio.sleep(_READ_AGAIN * (0.5 + self._chance() / 2))
        finally:
            self._reading = None

    async def _read_map(self) -> None:
        """Of the first node that tells. Nodes that own nothing any more are closed."""
        fault = StoreDown("no node is named in store.url", "unreachable")
        for host, port in dict.fromkeys([*self._nodes, *self._url.nodes]):
            try:
                reply = await self._dialler.ask(host, port, "CLUSTER", "SLOTS", introduced=True)
                owned = _owned(reply, host)
            except StoreDown as failure:
                fault = failure
                continue
            break
        else:
            raise fault
        owners: list[_Node | None] = [None] * SLOTS
        for address, ranges in owned.items():
            node = self._node_at(address)
            for first, last in ranges:
                owners[first : last + 1] = [node] * (last + 1 - first)
            node.probe_key = _key_within(self._prefix, ranges)
        self._owners = owners
        for address in [address for address in self._nodes if address not in owned]:
            await self._nodes.pop(address).close()

    def _fault(self) -> StoreDown | None:
        faults = (lane.fault for node in self._nodes.values() for lane in (node.hot, node.bulk))
        return self._map_fault or next((fault for fault in faults if fault is not None), None)

    def _look(self) -> None:
        fault = self._fault()
        self._watch.see(fault)
        if fault is not None:
            self._read_map_soon()


class _Node:
    """One primary. probe_key: of a slot that is its own; `` while none is known."""

    def __init__(
        self,
        dialler: Dialler,
        address: Address,
        timeout: float,
        chance: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._dialler = dialler
        self._address = address
        self.probe_key = ""
        place = f"{address[0]}:{address[1]}"
        self.hot = Lane(self._dial, place, timeout, chance, changed)
        self.bulk = Lane(self._dial, place, timeout, chance, changed)

    async def close(self) -> None:
        await self.hot.close()
        await self.bulk.close()

    async def _dial(self, ended: Ended) -> HotConnection:
        return await self._dialler.dial(*self._address, self.probe_key, ended)


def slot_of(key: Part) -> int:
    """Of 16384: by the first non-empty text in braces, else by the whole key."""
    name = key if isinstance(key, bytes) else str(key).encode()
    _, brace, rest = name.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    return crc_hqx(tag if brace and closed and tag else name, 0) % SLOTS


def _key_within(prefix: str, ranges: list[tuple[int, int]]) -> str:
    """A key in one of these slots, for the probe: a few tries for a node that owns its share."""
    for number in count():
        key = f"{prefix}probe:{number}"
        if any(first <= slot_of(key) <= last for first, last in ranges):
            return key
    raise AssertionError("there are keys in every slot")


def _owned(reply: object, asked: str) -> dict[Address, list[tuple[int, int]]]:
    """The slots of each primary, out of an answer to CLUSTER SLOTS. asked: the host that answers, which may leave its
    own name out. StoreDown."""
    owned: dict[Address, list[tuple[int, int]]] = {}
    for row in reply if isinstance(reply, list) else ():
        match row:
            case [int() as first, int() as last, [bytes() | None as host, int() as port, *_], *_] if (
                0 <= first <= last < SLOTS and 0 < port < 65536
            ):
                name = host.decode("utf-8", "replace") if host else asked
                owned.setdefault((name, port), []).append((first, last))
            case _:
                raise garbage(asked)
    if not owned:
        raise StoreDown(f"the node {asked} knows no slots: is it part of a cluster?", "cluster")
    return owned
