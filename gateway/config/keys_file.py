"""The file of `auth.keys-file`: a list of callers' keys that `gateway keys` keeps.

It is read and written whole, under a lock, and put in place by a rename: whoever reads it sees the list before or the
list after. Entries are kept as they are written, references included; comments are not kept, which the file says.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.config.documents import read_list
from gateway.config.tree import Plain

Entry = dict[str, Plain]
"""One key, by the keys of the file."""

_HEAD: Final = "# Kept by `gateway keys`, which keeps no comments. Hashes alone stand here, never a key.\n"


def read_entries(path: Path) -> list[Entry]:
    """The entries; none when there is no file. ConfigError for what is no list of mappings; OSError."""
    return read_list(path) if path.exists() else []


@contextmanager
def editing(path: Path) -> Iterator[list[Entry]]:
    """The entries, to be changed in place; written at the end of the block, unless that raises or changes nothing.
    Another who edits waits. ConfigError, OSError."""
    # The file behind a link is what is replaced, not the link.
    path = path.resolve()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        entries = read_entries(path)
        before = _text(entries)
        yield entries
        if _text(entries) != before or not path.exists():
            _replace(path, _text(entries))
            os.fsync(folder)
    finally:
        os.close(folder)


def entry_line(entry: Entry) -> str:
    """An entry as one line of YAML. JSON strings are YAML."""
    return "{" + ", ".join(f"{name}: {_value(value)}" for name, value in entry.items()) + "}"


def _value(value: Plain) -> str:
    if isinstance(value, dict):
        return entry_line(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)


def _text(entries: Sequence[Entry]) -> str:
    text = _HEAD
    for entry in entries:
        lines = [f"{name}: {_value(value)}\n" for name, value in entry.items()]
        text += f"- {'  '.join(lines)}" if lines else "- {}\n"
    return text if entries else f"{text}[]\n"


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if path.exists():
                os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
