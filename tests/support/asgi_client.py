"""A client of an ASGI application, in the same process and on the same loop.

What lives here: AsgiClient and Connection, one request each. Everything is explicit that a real
client's library would hide: the raw path, the pieces in which a body comes, when the client reads,
when it leaves, and whether the application said that the reply was complete.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.rehearsal.asgi import http_scope

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
Names = Mapping[str, str] | Sequence[tuple[str, str]]


class Headers(dict[str, str]):
    """By lower-case name; a name that came twice has its values joined by `, `."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        super().__init__()
        self.raw = list(raw)
        for name, value in self.raw:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            self[key] = f"{self[key]}, {text}" if key in self else text


@dataclass(frozen=True, slots=True)
class Response:
    """A reply. broken: the application ended without `more_body: False`, so a server cuts the connection.
    chunks: the body as it was sent, empty pieces left out."""

    status: int
    headers: Headers
    chunks: list[bytes]
    broken: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Connection:
    """One request under way. `async for` yields the body's pieces and reads as fast as it is asked to.

    unread: pieces that the application has sent and nobody has taken; `window` of them are accepted,
    then `send` blocks, as a server's does when a client does not read.
    """

    def __init__(
        self, app: App, scope: MutableMapping[str, Any], pieces: Sequence[bytes], gap: float, whole: bool, window: int
    ):
        self._pieces = list(pieces)
        self._gap = gap
        self._whole = whole
        self._left = asyncio.Event()
        self._head = asyncio.Event()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(window)
        self._asked = 0
        self.status = 0
        self.headers = Headers(())
        self.complete = False
        self.crash: BaseException | None = None
        self._task = asyncio.create_task(self._run(app, scope), name="app")

    @property
    def unread(self) -> int:
        return self._queue.qsize()

    @property
    def ended(self) -> bool:
        return self._task.done()

    async def head(self) -> int:
        """The status, as soon as there is one; 0 when the application ended without."""
        await self._head.wait()
        self._raise()
        return self.status

    async def disconnect(self) -> None:
        """The client leaves. Returns when the application has ended."""
        self.leave()
        await self.wait()

    def leave(self) -> None:
        """The client leaves; the application is not waited for."""
        self._left.set()

    async def wait(self) -> None:
        """Until the application has ended."""
        await asyncio.wait([self._task])
        self._raise()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while (chunk := await self._queue.get()) is not None:
            self._room.release()
            if chunk:
                yield chunk
        self._raise()

    def _raise(self) -> None:
        if self.crash is not None:
            raise self.crash

    async def _run(self, app: App, scope: MutableMapping[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        except BaseException as crash:
            self.crash = crash
        finally:
            self._head.set()
            self._queue.put_nowait(None)

    async def _receive(self) -> Message:
        number = self._asked
        if number < len(self._pieces):
            if number and self._gap:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._left.wait(), self._gap)
            if not self._left.is_set():
                self._asked += 1
                more = number + 1 < len(self._pieces) or not self._whole
                return {"type": "http.request", "body": self._pieces[number], "more_body": more}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._left.is_set():
            return
        if message["type"] == "http.response.start":
            assert not self.status, "two heads"
            self.status = message["status"]
            self.headers = Headers(message.get("headers", ()))
            self._head.set()
            return
        assert self.status, "a body before its head"
        assert not self.complete, "a body after its end"
        if not message.get("more_body", False):
            self.complete = True
        if not self._room.locked():
            await self._room.acquire()
        else:
            await self._wait_for_room()
        self._queue.put_nowait(message.get("body", b""))

    async def _wait_for_room(self) -> None:
        waiting = asyncio.create_task(self._room.acquire())
        leaving = asyncio.create_task(self._left.wait())
        try:
            await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            waiting.cancel()


class AsgiClient:
    """Makes requests. headers: sent with each. address: where it seems to be."""

    def __init__(self, app: App, headers: Names = (), address: str = "127.0.0.1") -> None:
        self._app = app
        self._headers = _pairs(headers)
        self._address = address

    async def request(
        self,
        method: str,
        path: str | bytes,
        *,
        headers: Names = (),
        json: object = None,
        body: bytes | Sequence[bytes] = b"",
        gap: float = 0.0,
        length: bool = True,
    ) -> Response:
        """The reply, read to its end. See `connect` for the arguments."""
        connection = self.connect(method, path, headers=headers, json=json, body=body, gap=gap, length=length)
        chunks = [chunk async for chunk in connection]
        await connection.wait()
        return Response(connection.status, connection.headers, chunks, not connection.complete)

    async def get(self, path: str | bytes, headers: Names = ()) -> Response:
        return await self.request("GET", path, headers=headers)

    async def post(self, path: str | bytes, json: object = None, headers: Names = (), body: bytes = b"") -> Response:
        return await self.request("POST", path, headers=headers, json=json, body=body)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str | bytes,
        *,
        headers: Names = (),
        json: object = None,
        body: bytes | Sequence[bytes] = b"",
        window: int = 1_000_000,
    ) -> AsyncIterator[Connection]:
        """A reply from its head on. A client that is still there at the end of the block leaves."""
        connection = self.connect(method, path, headers=headers, json=json, body=body, window=window)
        try:
            await connection.head()
            yield connection
        finally:
            await connection.disconnect()

    def connect(
        self,
        method: str,
        path: str | bytes,
        *,
        headers: Names = (),
        json: object = None,
        body: bytes | Sequence[bytes] = b"",
        gap: float = 0.0,
        length: bool = True,
        whole: bool = True,
        window: int = 1_000_000,
    ) -> Connection:
        """Start a request and return at once.

        path: raw, with its query, exactly as given; bytes where it is no text. json: encoded, with its
        content type. body: bytes or pieces, `gap` seconds apart. length: send content-length. whole:
        false for a client that never sends the end of its body. window: pieces of the reply that are
        taken unread.
        """
        raw = path if isinstance(path, bytes) else path.encode("ascii")
        given = [*self._headers, *_pairs(headers)]
        if json is not None:
            body = msgspec.json.encode(json)
            given.append((b"content-type", b"application/json"))
        pieces = [body] if isinstance(body, bytes) else list(body)
        names = {name for name, _ in given}
        if length and b"content-length" not in names and (method not in ("GET", "HEAD") or any(pieces)):
            given.append((b"content-length", b"%d" % sum(map(len, pieces))))
        if b"host" not in names:
            given.insert(0, (b"host", b"gateway.test"))
        scope = http_scope(method, raw, given, self._address)
        return Connection(self._app, scope, pieces, gap, whole, window)


def _pairs(headers: Names) -> list[tuple[bytes, bytes]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
