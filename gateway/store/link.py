"""One process's way to a Redis, as the stores see it, however many servers are behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from gateway.store.protocol import StoreDown

Part = str | bytes | int
"""What a command is made of."""

Tell = Callable[[Literal["info", "warning"], str, Mapping[str, str]], None]
"""Writes a line of the log: level, event, fields."""


class Script:
    """A Lua script. hot: it is on the path of every request, and goes by a connection of its own, where no large value
    is before it."""

    __slots__ = ("hot", "name", "sha", "source")

    def __init__(self, name: str, source: str, *, hot: bool = False) -> None:
        self.name = name
        self.source = source.encode()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()
        self.hot = hot


class Link(Protocol):
    """Raises StoreDown alone. Every call has the deadline of `store.timeout`; while the store is known to be away, it
    fails at once. Replies are bytes, int, None, or lists of these."""

    async def open(self) -> None:
        """Connect, or go on trying in the background. Raises nothing. Without it, the first call connects."""
        ...

    async def close(self) -> None: ...

    def trouble(self) -> str | None:
        """Why the store is away, None when it is not."""
        ...

    async def command(self, *parts: Part) -> object: ...

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> object:
        """Run it where it is known, and send it where it is not. All keys of a script are in one slot."""
        ...

    def misread(self, script: Script, key: str) -> StoreDown:
        """Tell of a reply that is not what the script returns: something else answers there. What to raise."""
        ...

    def cast(self, script: Script, keys: Sequence[str], args: Sequence[Part]) -> None:
        """Run it and do not wait. Nothing is done, or told but in the count of errors, when the store is away."""
        ...


class Watch:
    """Tells when a store goes and when it is back, and counts what failed. Each once, however many lanes there are."""

    def __init__(self, place: str, tell: Tell, count: Callable[[str], None]) -> None:
        self._place = place
        self._tell = tell
        self._count = count
        self.trouble: str | None = None

    def see(self, fault: StoreDown | None) -> None:
        """The state of the store as a whole."""
        if fault is None:
            if self.trouble is not None:
                self.trouble = None
                self._tell("info", "store is back", {"store": self._place})
        elif self.trouble is None:
            self.trouble = str(fault)
            self._tell("warning", "store is away", {"store": self._place, "kind": fault.kind, "reason": str(fault)})
        elif self.trouble != str(fault):
            # The same outage, better known: a refused connection that has become a wrong password.
            self.trouble = str(fault)
            self._tell("warning", "store is still away", {"store": self._place, "reason": str(fault)})

    def failed(self, fault: StoreDown) -> StoreDown:
        """Count a call that failed."""
        self._count(fault.kind)
        return fault
