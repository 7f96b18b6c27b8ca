"""A transport for a protocol that is fed by hand: no socket, no time.

What lives here: Wire. It records what the protocol does to it and brings what the other side sends,
as an asyncio transport would: nothing after an end, and an abort is heard of in the loop's next turn.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Wire(asyncio.Transport):
    """writes: what was written, piece by piece. unsent: bytes that the other side has not taken."""

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self.connection = connection
        self.writes: list[bytes] = []
        self.unsent = 0
        self.aborted = False
        self.paused = False
        self._lost = False
        connection.connection_made(self)

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)

    def bring(self, sent: bytes) -> None:
        """One read of the socket. What comes after an abort is not delivered."""
        assert sent
        if not self.aborted:
            self.connection.data_received(sent)

    def end(self, *, lost: bool = True) -> None:
        """The other side has sent its last. lost: nothing is left to be written."""
        if not self.aborted:
            self.connection.eof_received()
            if lost:
                self._lose(None)

    def reset(self) -> None:
        self._lose(ConnectionResetError(104, "Connection reset by peer"))

    def vanish(self) -> None:
        """The connection goes without an end of the stream, as when TLS is cut."""
        self._lose(None)

    def _lose(self, failure: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self.aborted = True
            self.connection.connection_lost(failure)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert isinstance(data, bytes)
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        if not self.aborted:
            self.aborted = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    def pause_reading(self) -> None:
        assert not self.paused
        assert not self.aborted
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        assert not self.aborted
        self.paused = False
