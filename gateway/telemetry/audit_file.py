"""The audit log as a file that several processes write to and put aside.

Laws: a line is whole, and on a line of its own, whoever else writes, rotates or is killed: all is done under a lock of
the folder, and a batch that does not fit on the disk is taken back. A process that is killed while it writes leaves one
half line at most, which the next one ends. What was put aside is written to no more.

    audit.jsonl                             written to
    audit.20261121T115959.123456Z.jsonl     put aside
    audit.20261121T000000.000123Z.jsonl.gz  and compressed (audit_shelf.py)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.telemetry.audit_place import Line
from gateway.telemetry.audit_shelf import Shelf

_FILE_MODE: Final = 0o640
_FOLDER_MODE: Final = 0o750


class AuditFile:
    """size: bytes, and every: seconds, after which the file is put aside. shelf: where to. wall: Unix seconds."""

    def __init__(self, path: Path, *, size: int, every: float, shelf: Shelf, wall: Callable[[], float]) -> None:
        self._path: Final = path
        self._size: Final = size
        self._every: Final = every
        self._shelf: Final = shelf
        self._wall: Final = wall
        self._folder = -1
        self._file = -1
        self._window = 0

    def write(self, lines: Sequence[Line]) -> None:
        payload = b"".join([part for line in lines for part in (line.text, b"\n")])
        with self._alone():
            self._take_in_hand(len(payload))
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                payload = b"\n" + payload
            try:
                left = memoryview(payload)
                while left:
                    left = left[os.write(self._file, left) :]
            except OSError:
                # Half a batch must not stay: it is offered again.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, size)
                raise

    def tend(self) -> None:
        """Put aside what is old, even if nothing is written any more, and look after what was put aside."""
        if self._path.exists():
            with self._alone():
                self._take_in_hand(0)
        self._shelf.tidy()

    def close(self) -> None:
        self._drop_file()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1
        self._shelf.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process writes or rotates. The lock ends with the process that holds it."""
        folder = self._folder
        if folder < 0 or not _is_at(folder, self._path.parent):
            if folder >= 0:
                self._folder = -1
                os.close(folder)
            self._path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
            folder = self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(folder, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(folder, fcntl.LOCK_UN)

    def _take_in_hand(self, coming: int) -> None:
        """Have the file open that stands there now, after it was put aside if that is due."""
        if self._file < 0 or not _is_at(self._file, self._path):
            # Somebody else has rotated it.
            self._open()
        size = os.fstat(self._file).st_size
        if size and (size + coming > self._size or self._window_now() > self._window):
            self._path.rename(self._shelf.free_name(self._wall()))
            self._open()
            self._shelf.tidy()

    def _open(self) -> None:
        self._drop_file()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(self._path, flags, _FILE_MODE)
        found = os.fstat(self._file)
        # What stands in it already is as old as its last line.
        self._window = int(found.st_mtime // self._every) if found.st_size else self._window_now()

    def _window_now(self) -> int:
        return int(self._wall() // self._every)

    def _drop_file(self) -> None:
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)
