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
            folders = self._folders()
            async for _ in awatch(*folders, recursive=False, watch_filter=None, debounce=DEBOUNCE_MS, step=20):
                await self.look()
                if self._folders() != folders:
                    break

    async def look(self) -> None:
        """Compare once, and call `changed` if there is something new."""
        digest = await asyncio.to_thread(self._digest)
        if digest != self._seen:
            self._seen = digest
            await self._changed()

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
