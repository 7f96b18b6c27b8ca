"""A link to a real server, with what it tells and counts kept for the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final, Literal

from gateway.config.store_url import read_store_url
from gateway.store.redis_link import RedisLink

AMPLE: Final = 5.0
"""Seconds for a call where the deadline is not what is tested: the machine may be busy."""


class Told:
    """lines: level, event and fields, in order. errors: kinds of failed calls, in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Mapping[str, str]]] = []
        self.errors: list[str] = []
        self._changed = asyncio.Event()

    def tell(self, level: Literal["info", "warning"], event: str, fields: Mapping[str, str]) -> None:
        self.lines.append((level, event, fields))
        self._changed.set()

    def events(self) -> list[str]:
        return [event for _, event, _ in self.lines]

    async def wait_for(self, event: str) -> None:
        """Until the newest line is this one. Bounded by the test's own bound."""
        while not self.lines or self.lines[-1][1] != event:
            self._changed.clear()
            await self._changed.wait()

    async def wait_for_reason(self, words: str) -> None:
        """Until the newest line gives this reason."""
        while not self.lines or words not in self.lines[-1][2].get("reason", ""):
            self._changed.clear()
            await self._changed.wait()


@contextlib.asynccontextmanager
async def linked(url: str, told: Told | None = None, timeout: float = AMPLE) -> AsyncIterator[RedisLink]:
    """An open link."""
    told = told or Told()
    link = RedisLink(
        read_store_url(url), timeout=timeout, prefix="t:", chance=lambda: 0.5, tell=told.tell, count=told.errors.append
    )
    await link.open()
    try:
        yield link
    finally:
        await link.close()
