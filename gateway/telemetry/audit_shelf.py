"""The files of an audit log that were put aside: what they are called, compressing and deleting them.

It may be done by any of several processes, and be ended at any moment: a file is there as it was or compressed, or for
a moment both, and then the one that is not compressed counts. Files with other names are nobody's business here.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Final

_PIECE: Final = 256 * 1024
_LEVEL: Final = 6
_MOMENT: Final = "%Y%m%dT%H%M%S.%fZ"


def put_aside(path: Path) -> list[Path]:
    """What was put aside of the audit log at `path`, the oldest first, compressed or not; of what is there both ways,
    the one that is not."""
    stem, suffix = _parts(path)
    pattern = re.compile(re.escape(stem) + r"\.\d{8}T\d{6}\.\d{6}Z" + re.escape(suffix) + r"(\.gz)?")
    try:
        names = sorted(found.name for found in path.parent.iterdir() if pattern.fullmatch(found.name))
    except FileNotFoundError:
        return []
    present = set(names)
    return [path.parent / name for name in names if not (name.endswith(".gz") and name[:-3] in present)]


class Shelf:
    """path: the file that is written to. compress: with gzip. keep: so many files. retention: seconds. wall: Unix
    seconds. complain: told what cannot be done."""

    def __init__(
        self,
        path: Path,
        *,
        compress: bool,
        keep: int,
        retention: float,
        wall: Callable[[], float],
        complain: Callable[[OSError], None],
    ) -> None:
        self._path: Final = path
        self._compress: Final = compress
        self._keep: Final = keep
        self._retention: Final = retention
        self._wall: Final = wall
        self._complain: Final = complain
        self._stopped: Final = Event()
        self._thread: Thread | None = None

    def free_name(self, now: float) -> Path:
        """A name for what is put aside now. Whoever asks holds the lock of the folder."""
        stem, suffix = _parts(self._path)
        moment = datetime.fromtimestamp(now, UTC)
        while True:
            name = self._path.with_name(f"{stem}.{moment.strftime(_MOMENT)}{suffix}")
            if not name.exists() and not _compressed(name).exists():
                return name
            moment += timedelta(microseconds=1)

    def tidy(self) -> None:
        """Begin to compress and to delete, in a thread of its own: that may take a while."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self.tidy_now, name="audit-shelf", daemon=True)
            self._thread.start()

    def tidy_now(self) -> None:
        """A file at a time, until all is done or `close` is called."""
        try:
            for path in put_aside(self._path)[: -self._keep]:
                _remove(path)
            for path in put_aside(self._path):
                if self._stopped.is_set():
                    return
                if path.stat().st_mtime < self._wall() - self._retention:
                    _remove(path)
                elif self._compress and path.suffix != ".gz":
                    self._squeeze(path)
        except FileNotFoundError:
            # Another process was faster.
            return
        except OSError as problem:
            self._complain(problem)

    def close(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _squeeze(self, path: Path) -> None:
        part = path.with_name(path.name + ".gz.part")
        with path.open("rb") as source:
            try:
                fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Another process does it.
                return
            found = os.fstat(source.fileno())
            if not path.exists():
                return
            try:
                with part.open("wb") as target:
                    os.fchmod(target.fileno(), found.st_mode & 0o777)
                    with gzip.GzipFile("", "wb", _LEVEL, target, found.st_mtime) as packed:
                        while piece := source.read(_PIECE):
                            if self._stopped.is_set():
                                part.unlink()
                                return
                            packed.write(piece)
                    target.flush()
                    os.fsync(target.fileno())
                os.utime(part, ns=(found.st_atime_ns, found.st_mtime_ns))
                part.replace(_compressed(path))
            except OSError:
                part.unlink(missing_ok=True)
                raise
            path.unlink()


def _parts(path: Path) -> tuple[str, str]:
    """`audit.jsonl` -> (`audit`, `.jsonl`)."""
    return path.stem, path.suffix


def _compressed(path: Path) -> Path:
    return path.with_name(path.name + ".gz")


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    if path.suffix != ".gz":
        # Left by a process that was killed between compressing it and removing it.
        with contextlib.suppress(FileNotFoundError):
            _compressed(path).unlink()
