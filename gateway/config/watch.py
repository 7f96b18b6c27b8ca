"""Noticing that the config has changed on disk.

Folders are watched, not files: an editor replaces a file, and Kubernetes swaps a symbolic link
above it, and a watch on the file itself would die with either. What counts is whether the bytes
are others than before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

from watchfiles import awatch

DEBOUNCE_MS = 100
LOOK_EVERY_MS = 5_000
"""Looked at so often even if the system tells of no change: network folders and bind mounts do not."""

RETRY = 1.0
"""Seconds until folders that cannot be watched are tried again."""


class ConfigWatch:
    """Calls `changed` when one of `files` has other bytes. files: asked anew each time, because a config
    may come to include others."""

    def __init__(self, files: Callable[[], tuple[Path, ...]], changed: Callable[[], Awaitable[object]]) -> None:
        self._files = files
        self._changed = changed
        self._seen = b""

    async def run(self) -> None:
        """Until cancelled."""
        self._seen = self._digest()
        while True:
            try:
                await self._watch(self._folders())
            except OSError:
                # A folder went while it was looked at.
                await asyncio.sleep(RETRY)

    async def look(self) -> None:
        """Compare once, and call `changed` if there is something new. What that raises is reported to the
        loop: one bad reload must not be the last."""
        digest = await asyncio.to_thread(self._digest)
        if digest == self._seen:
            return
        self._seen = digest
        try:
            await self._changed()
        except Exception as bug:
            asyncio.get_running_loop().call_exception_handler({"message": "the reload failed", "exception": bug})

    async def _watch(self, folders: set[Path]) -> None:
        """Until the folders are others."""
        if not folders:
            raise FileNotFoundError
        changes = awatch(
            *folders,
            recursive=False,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=20,
            rust_timeout=LOOK_EVERY_MS,
            yield_on_timeout=True,
        )
        async for _ in changes:
            await self.look()
            if self._folders() != folders:
                return

    def _folders(self) -> set[Path]:
        """Where the names are, and where the links behind them lead."""
        found: set[Path] = set()
        for file in self._files():
            found.add(file.absolute().parent)
            found.add(file.resolve().parent)
        return {folder for folder in found if folder.is_dir()}

    def _digest(self) -> bytes:
        total = sha256()
        files = set(self._files())
        # A new file in the folder of an include is a change too.
        for folder in self._folders():
            files.update(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
        for file in sorted(files):
            total.update(str(file).encode())
            try:
                total.update(sha256(file.read_bytes()).digest())
            except OSError:
                total.update(b"missing")
        return total.digest()
