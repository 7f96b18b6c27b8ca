"""Reading an audit log: over files that were put aside, compressed or not, in the memory of one line.

Law: what cannot be read is told with its place, and reading goes on behind it.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol

import msgspec

from gateway.telemetry.audit_line import AuditLine, BrokenLine, ForeignLine, decode
from gateway.telemetry.audit_shelf import put_aside

LONGEST: Final = 64 * 1024 * 1024
"""Bytes. What goes on for longer without a line break is no line."""
_SKIPPED: Final = 1 << 20


class Readable(Protocol):
    """A stream of bytes."""

    def readline(self, size: int, /) -> bytes: ...


class Found(NamedTuple):
    """A line, and its text without the line break."""

    line: AuditLine
    text: bytes


class Missed(NamedTuple):
    """What is no line. broken: it may have been one of ours. place: `file:line`."""

    place: str
    why: str
    broken: bool


class Wanted(msgspec.Struct, frozen=True):
    """What lines are asked for; None for any. since, until: Unix seconds, of when a request began. status: `200`, or
    `5xx`. user: as lines may have it, plain and hashed. request: an id that the client was told, or the line's own."""

    since: float | None = None
    until: float | None = None
    router: str | None = None
    team: str | None = None
    caller: str | None = None
    user: frozenset[str] | None = None
    model: str | None = None
    provider: str | None = None
    status: str | None = None
    outcome: str | None = None
    request: str | None = None

    def has(self, line: AuditLine) -> bool:
        """Whether a line is asked for."""
        response = line.response
        for wanted, has in (
            (self.router, line.router),
            (self.team, line.team),
            (self.caller, line.caller),
            (self.provider, response.provider),
            (self.outcome, response.outcome),
        ):
            if wanted is not None and wanted != has:
                return False
        if self.model is not None and self.model not in (line.request.model, response.model):
            return False
        if self.request is not None and self.request not in (line.id, line.request_id):
            return False
        if self.user is not None and line.user_id not in self.user:
            return False
        if self.status is not None and not _is_status(self.status, response.status):
            return False
        return (self.since is None or line.time >= self.since) and (self.until is None or line.time < self.until)


def files_of(path: Path, since: float | None = None) -> list[Path]:
    """The files of the audit log at `path`, the oldest first. since: those that were put aside before are left out:
    their last line is older. Unix seconds."""
    aside = [found for found in put_aside(path) if since is None or found.stat().st_mtime >= since]
    return [*aside, path] if path.exists() else aside


def read_files(paths: Iterable[Path]) -> Iterator[Found | Missed]:
    """Everything in files, one after the other. One that is compressed and broken ends early."""
    for path in paths:
        try:
            with path.open("rb") as plain:
                yield from read(gzip.GzipFile(fileobj=plain) if path.suffix == ".gz" else plain, path.name)
        except FileNotFoundError:
            # Compressed or deleted since it was listed.
            packed = path.with_name(path.name + ".gz")
            if path.suffix != ".gz" and packed.exists():
                yield from read_files([packed])
        except (OSError, EOFError, zlib.error) as problem:
            yield Missed(path.name, f"the rest cannot be read: {problem}", broken=True)


def read(source: Readable, name: str) -> Iterator[Found | Missed]:
    """Every line of one stream. name: for places."""
    number = 0
    while text := source.readline(LONGEST):
        number += 1
        if len(text) == LONGEST and not text.endswith(b"\n"):
            while (more := source.readline(_SKIPPED)) and not more.endswith(b"\n"):
                pass
            yield Missed(f"{name}:{number}", "longer than any line", broken=True)
            continue
        text = text.rstrip(b"\r\n")
        if text:
            yield read_line(text, f"{name}:{number}")


def read_line(text: bytes, place: str) -> Found | Missed:
    """One line."""
    try:
        return Found(decode(text), text)
    except BrokenLine as problem:
        return Missed(place, str(problem), broken=True)
    except ForeignLine as problem:
        return Missed(place, str(problem), broken=False)


def _is_status(wanted: str, status: int) -> bool:
    return str(status // 100) == wanted[0] if wanted.endswith("xx") else str(status) == wanted


class Follower:
    """Reads what is added to a file, and goes over to the next when it is put aside."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._source: IO[bytes] | None = None
        self._begun = b""
        self._number = 0

    def skip(self) -> None:
        """What is there already is not asked for."""
        if self._opened():
            assert self._source is not None, "it was just opened"
            self._source.seek(0, 2)

    def read(self) -> Iterator[Found | Missed]:
        """What was added since, whole lines alone."""
        while self._opened():
            assert self._source is not None, "it was just opened"
            while piece := self._source.readline(LONGEST):
                self._begun += piece
                if not piece.endswith(b"\n"):
                    break
                text, self._begun = self._begun.strip(), b""
                self._number += 1
                if text:
                    yield read_line(text, f"{self._path.name}:{self._number}")
            if self._is_current():
                return
            if not self._at_end():
                # It was added to between the last look at it and its being put aside.
                continue
            self.close()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None
        self._begun, self._number = b"", 0

    def _opened(self) -> bool:
        if self._source is None and self._path.exists():
            self._source = self._path.open("rb")
        return self._source is not None

    def _at_end(self) -> bool:
        assert self._source is not None, "only asked while it is open"
        return self._source.tell() >= os.fstat(self._source.fileno()).st_size

    def _is_current(self) -> bool:
        assert self._source is not None, "only asked while it is open"
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return True
        held = os.fstat(self._source.fileno())
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino) and found.st_size >= self._source.tell()
