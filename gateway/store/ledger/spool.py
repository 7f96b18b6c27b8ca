"""Rows on disk that are not in the database yet: a folder of segments.

A segment is a file of framed lines, held locked (flock) by the process that appends to it. The lock ends with the
process, however that ends, so a segment that can be locked has no owner any more and whoever finds it may bring its
rows to the database and delete it. A line says how long it is and what its checksum is; one that is cut short or
damaged is counted, set aside, and keeps no other from being read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.core.record import Record

LARGEST: Final = 8 * 1024 * 1024
_SUFFIX: Final = ".rows"
_ASIDE: Final = ".bad"
_FRAME: Final = 18
"""Eight hexadecimal digits of a checksum, eight of a length, a space behind each."""
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Record).decode


class SpoolFull(Exception):
    """There is no room, or the folder or a file of it cannot be used. The message is for operators."""


class Segment:
    """A file that this process appends to. size: bytes in it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = 0
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def append(self, records: Iterable[Record]) -> int:
        """Write rows through to the system, which is what outlives the process; how many bytes they take. SpoolFull
        when that failed; nothing of them is in the file then."""
        lines = b"".join(framed(record) for record in records)
        with self._lock:
            if self._descriptor < 0:
                raise SpoolFull(f"{self.path.parent}: the segment has ended")
            with _as_full(self.path.parent):
                written = os.write(self._descriptor, lines)
                if written < len(lines):
                    os.ftruncate(self._descriptor, self.size)
                    raise SpoolFull(f"{self.path.parent}: no space is left")
            self.size += written
        return written

    def sync(self) -> None:
        """Write through to the disk, which is what outlives the machine. SpoolFull when that failed."""
        with _as_full(self.path.parent):
            # Of a copy, so that nobody who appends waits for the disk.
            with self._lock:
                if self._descriptor < 0:
                    return
                copy = os.dup(self._descriptor)
            try:
                os.fsync(copy)
            finally:
                os.close(copy)

    def seal(self) -> None:
        """Leave it to whoever replays."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)

    def discard(self) -> None:
        """Its rows are in the database. SpoolFull when the file cannot be removed: then whoever replays finds it."""
        try:
            with _as_full(self.path.parent):
                self.path.unlink(missing_ok=True)
        finally:
            self.seal()


class Spool:
    """folder: made when it is first needed. most: bytes that it may hold, about: each process looks when it begins a
    segment. owner: of this process and no other. largest: bytes of a segment; what comes after goes to another."""

    def __init__(self, folder: Path, most: int, owner: str) -> None:
        self._folder = folder
        self._most = most
        self._owner = owner
        self._serial = 0
        self.largest = min(LARGEST, max(most // 8, 1))

    def begin(self) -> Segment:
        """A segment that nobody else touches. SpoolFull when there is no room."""
        if self.size() >= self._most:
            raise SpoolFull(f"{self._folder} holds {self._most} bytes, which is `ledger.max-spool`")
        with _as_full(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                self._serial += 1
                path = self._folder / f"{self._owner}-{self._serial:08d}{_SUFFIX}"
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                # Between these two lines another may have found it, empty and without an owner.
                if _lock(descriptor):
                    return Segment(path, descriptor)
                os.close(descriptor)

    def size(self) -> int:
        """Bytes, of all processes."""
        return sum(size for _, size in self._files())

    def set_aside(self) -> int:
        """How many files hold lines that could not be read, or rows that the database would not have."""
        return sum(path.suffix == _ASIDE for path, _ in self._files())

    def orphans(self) -> Generator[Orphan, None, None]:
        """The segments without an owner, each locked while it is looked at, oldest first. Some may be another's by the
        time they are reached: those are passed over."""
        for path in sorted(path for path, _ in self._files() if path.suffix == _SUFFIX):
            try:
                descriptor = os.open(path, os.O_RDWR)
            except OSError:
                continue
            try:
                if _lock(descriptor):
                    yield Orphan(path, descriptor)
            finally:
                os.close(descriptor)

    def put_aside(self, name: str, lines: Sequence[bytes]) -> None:
        """Keep what cannot be used for people to look at. Raises nothing: it is lost already where this fails."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._folder / f"{name}{_ASIDE}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, b"".join(line.rstrip(b"\n") + b"\n" for line in lines))
            finally:
                os.close(descriptor)
        except OSError:
            return

    def _files(self) -> list[tuple[Path, int]]:
        try:
            names = [name for name in os.listdir(self._folder) if name.endswith((_SUFFIX, _ASIDE))]  # noqa: PTH208
        except OSError:
            return []
        found = []
        for path in (self._folder / name for name in names):
            # It may just have been replayed by another.
            with contextlib.suppress(OSError):
                found.append((path, path.stat().st_size))
        return found


class Orphan:
    """A segment that nobody owns, locked for us."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def batches(self, size: int) -> Iterator[tuple[list[Record], list[bytes]]]:
        """So many rows at a time, and the lines among them that are damaged. SpoolFull when the file cannot be read."""
        records: list[Record] = []
        damaged: list[bytes] = []
        with _as_full(self.path), open(self._descriptor, "rb", closefd=False) as lines:
            for line in lines:
                record = unframed(line)
                if record is not None:
                    records.append(record)
                elif line.strip():
                    damaged.append(line)
                if len(records) >= size:
                    yield records, damaged
                    records, damaged = [], []
        if records or damaged:
            yield records, damaged

    def delete(self) -> None:
        """All of it is in the database. SpoolFull when the file cannot be removed: it will be found again."""
        with _as_full(self.path):
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _as_full(place: Path) -> Iterator[None]:
    """What the system will not do, in words for operators."""
    try:
        yield
    except OSError as error:
        raise SpoolFull(f"{place}: {error.strerror}") from error


def framed(record: Record) -> bytes:
    """A line. JSON has no line break in it."""
    payload = _encode(record)
    return b"%08x %08x %s\n" % (zlib.crc32(payload), len(payload), payload)


def unframed(line: bytes) -> Record | None:
    """None for what is no whole line, or does not add up."""
    payload = line[_FRAME:-1]
    if line[-1:] != b"\n" or line[:_FRAME] != b"%08x %08x " % (zlib.crc32(payload), len(payload)):
        return None
    try:
        return _decode(payload)
    except (msgspec.DecodeError, UnicodeError):
        # The checksum is right: another version's row.
        return None


def _lock(descriptor: int) -> bool:
    """Whether it is ours, and still there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return os.fstat(descriptor).st_nlink > 0
