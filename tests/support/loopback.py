"""A raw loopback server: a test scripts, byte by byte, what a provider does to one connection.

What lives here: serve() and Connection. A script is called for each connection with the connection's
number; everything that a test waits for is an event with a bound, nothing sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

BOUND: Final = 20.0
"""Real seconds until a wait is called hung."""


class Connection:
    """One connection, from the server's side. head and body: the last request read, as sent."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.head = b""
        self.body = b""
        self._reader = reader
        self._writer = writer

    async def read_request(self) -> bool:
        """False: the client closed instead."""
        try:
            self.head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        length = next(
            (
                int(line.split(b":")[1])
                for line in self.head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            ),
            0,
        )
        self.body = await self._reader.readexactly(length)
        return True

    async def read_some(self) -> bytes:
        """What has come; nothing when the client has closed."""
        try:
            return await self._reader.read(65536)
        except ConnectionError:
            return b""

    async def write(self, sent: bytes) -> None:
        self._writer.write(sent)
        await self._writer.drain()

    async def answer(self, body: bytes = b"ok", status: str = "200 OK", headers: bytes = b"") -> None:
        await self.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n%s\r\n%s" % (status.encode(), len(body), headers, body))

    async def start_chunked(self, headers: bytes = b"") -> None:
        await self.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n%s\r\n" % headers)

    async def write_chunk(self, chunk: bytes) -> None:
        """An empty chunk ends the body."""
        await self.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    async def wait_closed_by_client(self) -> None:
        """Returns when the client has closed its side; what it still sends is dropped."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        raw: socket.socket | None = self._writer.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()

    async def end(self) -> None:
        """Close at once, whatever is still unsent, and return when that has happened."""
        self._writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


Script = Callable[[Connection], Awaitable[None]]


class Loopback:
    """url: `http://127.0.0.1:PORT`. connections: every one, in order."""

    def __init__(self, script: Script) -> None:
        self.url = ""
        self.port = 0
        self.connections: list[Connection] = []
        self.failures: list[BaseException] = []
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(len(self.connections), reader, writer)
        self.connections.append(connection)
        try:
            await self._script(connection)
        except asyncio.CancelledError:
            pass
        except BaseException as failure:
            self.failures.append(failure)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for connection in self.connections:
            await connection.end()


@contextlib.asynccontextmanager
async def serve(script: Script, port: int = 0) -> AsyncIterator[Loopback]:
    """Listen on a loopback port, by default a free one. A connection is closed when its script returns; a script that
    fails fails the test."""
    loopback = Loopback(script)
    server = await asyncio.start_server(loopback.accept, "127.0.0.1", port)
    loopback.port = server.sockets[0].getsockname()[1]
    loopback.url = f"http://127.0.0.1:{loopback.port}"
    try:
        yield loopback
    finally:
        server.close()
        await loopback.stop()
    if loopback.failures:
        raise loopback.failures[0]


async def within_bound(event: Awaitable[object]) -> None:
    """Wait for something that must happen."""
    async with asyncio.timeout(BOUND):
        await event


def unused_port() -> int:
    """A loopback port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
