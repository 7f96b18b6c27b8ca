"""One call upstream, and everybody who waits for what it brings.

The first of several identical requests leads: its own reply is read as ever, and each piece is noted on the way. The
others follow: one that wants the same form gets the pieces as they come, another waits for the end. Nothing is copied
to a task of its own, so a leader without followers pays for a list of what has passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Exchange, Headers
from gateway.dialects.replay.forms import Form
from gateway.store.cache_entry import Entry

HELD_LIMIT = 16 * 1024 * 1024
"""Bytes of a reply that are held for followers at most."""


class Flight:
    """A call under way.

    form: what it brings, once there is a head. kept: headers worth keeping. entry: the whole of it, when it has ended
    well. ended: its last piece has come. failed: it will never end well; error: what the leader was told, None when
    the leader itself went away. overflowed: it is larger than is kept.
    """

    __slots__ = (
        "_bound", "_waiters", "chunks", "ended", "entry", "error", "failed", "followers", "form", "kept", "leader",
        "overflowed", "size",
    )  # fmt: skip

    def __init__(self, leader: Exchange, bound: int) -> None:
        self.leader = leader
        self.form: Form | None = None
        self.kept: Headers = []
        self.chunks: list[bytes] = []
        self.size = 0
        self.entry: Entry | None = None
        self.ended = False
        self.failed = False
        self.error: GatewayError | None = None
        self.overflowed = False
        self.followers = 0
        self._bound = bound
        self._waiters: list[asyncio.Future[None]] = []

    def begin(self, form: Form, kept: Headers, first: bytes) -> None:
        """The head is there, and the first bytes."""
        self.form = form
        self.kept = kept
        self._note(first)
        self._wake()

    def finish(self, entry: Entry) -> None:
        """All of it is there."""
        self.entry = entry
        self.ended = True
        self._wake()

    def fail(self, error: GatewayError | None = None) -> None:
        """Nothing more will come. Not after `finish`."""
        if self.entry is None:
            self.failed = True
            self.error = error
            self._wake()

    async def tee(self, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The leader's rest, each piece noted as it passes."""
        try:
            async for chunk in rest:
                self._note(chunk)
                if self._waiters:
                    self._wake()
                yield chunk
        except BaseException:
            self.fail()
            raise
        self.ended = True
        self._wake()

    async def follow(self) -> AsyncGenerator[bytes, None]:
        """Every piece from the first one on, as they come. UpstreamFault("cut") when the end does not."""
        self.followers += 1
        at = 0
        try:
            while True:
                if at < len(self.chunks):
                    piece = b"".join(self.chunks[at:])
                    at = len(self.chunks)
                    yield piece
                elif self.failed or self.overflowed:
                    raise UpstreamFault("cut", "The reply that this request shared with another broke off.")
                elif self.ended:
                    return
                else:
                    await self.changed()
        finally:
            self.followers -= 1

    async def changed(self) -> None:
        """Until there is something new."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _note(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._bound and (self.overflowed or not self.followers or self.size > HELD_LIMIT):
            if not self.overflowed:
                self.overflowed = True
                self.chunks.clear()
                self._wake()
        else:
            self.chunks.append(chunk)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
