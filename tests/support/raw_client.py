"""An HTTP/1.1 client on a bare socket: it shows what came over the wire and when, and how it ended.

What lives here: RawClient. A reply's body is read a chunk at a time; nothing is read ahead of what a
test asks for beyond one small buffer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.support.loopback import BOUND


class Broken(Exception):
    """The connection ended before the reply did."""


class RawClient:
    """One connection. status, headers: of the last reply's head."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}

    async def send(self, method: str, path: str, body: object = None, headers: str = "") -> None:
        """body: sent as JSON. headers: more lines, each ended by CRLF."""
        sent = b"" if body is None else json.dumps(body).encode()
        length = f"content-type: application/json\r\ncontent-length: {len(sent)}\r\n" if body is not None else ""
        self._writer.write(f"{method} {path} HTTP/1.1\r\nhost: gateway\r\n{length}{headers}\r\n".encode() + sent)
        await self._writer.drain()

    async def send_cut(self, path: str, framing: str, part: bytes) -> None:
        """The head and a part of a body, and that nothing comes after it; the answer is waited for. framing: the
        header that says how long the body would be."""
        self._writer.write(f"POST {path} HTTP/1.1\r\nhost: gateway\r\n{framing}\r\n\r\n".encode() + part)
        await self._writer.drain()
        self._writer.write_eof()

    async def read_head(self) -> int:
        """The status."""
        head = (await self._bounded(self._reader.readuntil(b"\r\n\r\n"))).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return self.status

    async def read_chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end. Broken where there is no end."""
        length = int(await self._bounded(self._reader.readuntil(b"\r\n")), 16)
        chunk = await self._bounded(self._reader.readexactly(length + 2))
        return chunk[:-2]

    async def read_body(self) -> bytes:
        """The whole rest of the body."""
        if "transfer-encoding" not in self.headers:
            return await self._bounded(self._reader.readexactly(int(self.headers.get("content-length", "0"))))
        body = b""
        while chunk := await self.read_chunk():
            body += chunk
        return body

    async def read_until_broken(self) -> bytes:
        """The rest of a chunked body that must not have an end."""
        body = b""
        with contextlib.suppress(Broken):
            while chunk := await self.read_chunk():
                body += chunk
            raise AssertionError(f"the body ended as if it were complete: {body!r}")
        return body

    async def ask(self, method: str, path: str, body: object = None, headers: str = "") -> Any:
        """A request and its reply, decoded where it is JSON."""
        await self.send(method, path, body, headers)
        await self.read_head()
        read = await self.read_body()
        return json.loads(read) if read and self.headers.get("content-type") == "application/json" else read

    def leave(self) -> None:
        self._writer.transport.abort()

    async def _bounded(self, reading: Any) -> bytes:
        try:
            async with asyncio.timeout(BOUND):
                read: bytes = await reading
                return read
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Broken from error


@contextlib.asynccontextmanager
async def connect(port: int, buffer: int = 2**16) -> AsyncIterator[RawClient]:
    """A connection to a loopback port, closed at the end. buffer: bytes that are read ahead at most."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=buffer)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
