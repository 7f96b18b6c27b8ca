"""A link to a real server, with what it tells and counts kept for the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextvars import ContextVar
from typing import Final, Literal, TypeVar

from gateway.config.store_url import read_store_url
from gateway.store.library_link import LibraryLink
from gateway.store.redis_link import RedisLink

T = TypeVar("T")

AMPLE: Final = 5.0
"""Seconds for a call where the deadline is not what is tested: the machine may be busy."""


class Told:
    """lines: level, event and fields, in order. errors: kinds of failed calls, in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Mapping[str, str]]] = []
        self.errors: list[str] = []
        self._changed = asyncio.Event()
        self._seen = 0

    def tell(self, level: Literal["info", "warning"], event: str, fields: Mapping[str, str]) -> None:
        self.lines.append((level, event, fields))
        self._changed.set()

    def events(self) -> list[str]:
        return [event for _, event, _ in self.lines]

    async def wait_for(self, event: str) -> None:
        """Until this is told, after what was waited for before. Bounded by the test's own bound."""
        while event not in self.events()[self._seen :]:
            self._changed.clear()
            await self._changed.wait()
        self._seen += self.events()[self._seen :].index(event) + 1

    async def wait_for_reason(self, words: str) -> None:
        """Until a line has given this reason."""
        while not any(words in fields.get("reason", "") for _, _, fields in self.lines):
            self._changed.clear()
            await self._changed.wait()


def at_once(coroutine: Coroutine[object, object, T]) -> T:
    """What a coroutine returns or raises without having waited for anything."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise AssertionError("it waits")


CLIENT: ContextVar[type[RedisLink | LibraryLink]] = ContextVar("CLIENT", default=RedisLink)
"""What `linked` makes."""


@contextlib.asynccontextmanager
async def linked(url: str, told: Told | None = None, timeout: float = AMPLE) -> AsyncIterator[RedisLink | LibraryLink]:
    """An open link."""
    told = told or Told()
    link = CLIENT.get()(
        read_store_url(url), timeout=timeout, prefix="t:", chance=lambda: 0.5, tell=told.tell, count=told.errors.append
    )
    await link.open()
    try:
        yield link
    finally:
        await link.close()
