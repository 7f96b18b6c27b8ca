"""Where `gateway keys` finds keys and puts them: a config, the keys file that it names, or a keys file alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.config.check import examine
from gateway.config.keys_file import Entry, editing, read_entries
from gateway.config.load import Loaded, read
from gateway.config.problem import ConfigError
from gateway.config.spec import GatewayKey


class Refused(Exception):
    """Why nothing was done, for people."""


class Written(msgspec.Struct, frozen=True):
    """A key that stands in the config itself. place: file, line and column."""

    plain: Entry
    place: str


class KeyStore:
    """The keys of one gateway. config, file: where they are; without a file they are only read."""

    def __init__(self, config: Path | None, file: Path | None) -> None:
        self._config = config
        self._loaded = self._load(config)
        named = None if self._loaded is None else self._loaded.spec.auth.keys_file
        self._file = file or (None if named is None or config is None else config.parent / named)

    @classmethod
    def find(cls, config: Path | None, file: Path | None) -> KeyStore:
        """What the options name, or routers.yaml here."""
        if config is None and file is None:
            config = Path("routers.yaml")
        return cls(config, file)

    @property
    def keeps(self) -> bool:
        """Whether there is a file to put keys into."""
        return self._file is not None

    @property
    def pepper(self) -> str | None:
        return None if self._loaded is None else self._loaded.spec.auth.pepper

    def known(self) -> Sequence[GatewayKey]:
        """Every key there is, in the config and in the file."""
        found = {key.name: key for key in (() if self._loaded is None else self._loaded.spec.auth.keys)}
        if self._file is not None:
            for entry in self._entries(self._file):
                key = msgspec.convert(entry, GatewayKey)
                found.setdefault(key.name, key)
        return list(found.values())

    def names(self) -> set[str]:
        return {key.name for key in self.known()}

    def written(self, name: str) -> Written | None:
        """The entry of a key that stands in the config itself; None for one of the keys file. Refused when there is
        no such key."""
        if name not in self.names():
            raise Refused(f"There is no key {name!r}; `gateway keys list` shows those there are.")
        in_file = self._file is not None and any(entry.get("name") == name for entry in self._entries(self._file))
        if in_file or self._loaded is None:
            return None
        names = [key.name for key in self._loaded.spec.auth.keys]
        path = ("auth", "keys", names.index(name))
        node = self._loaded.origins.node(path)
        assert node is not None, "a key of the config stands in it"
        plain = node.plain()
        assert isinstance(plain, dict)
        return Written(plain, self._loaded.origins.place(path))

    @contextmanager
    def editing(self) -> Iterator[list[Entry]]:
        """The entries of the keys file, written back at the end of the block when they are sound."""
        assert self._file is not None, "only asked where there is a file"
        try:
            with editing(self._file) as entries:
                yield entries
                _check(entries)
        except ConfigError as error:
            raise Refused(str(error)) from None
        except OSError as error:
            raise Refused(f"{self._file} cannot be changed: {error.strerror or error}.") from None

    def index(self, entries: Sequence[Entry], name: str) -> int:
        for index, entry in enumerate(entries):
            if entry.get("name") == name:
                return index
        raise Refused(f"{name!r} is not in {self._file} any more.")

    def kept(self) -> str:
        """What has been done to the file, and when it counts."""
        told = f"{self._file} is changed; a running gateway takes it up by itself.\n"
        if self._config is None:
            return f"{told}It is read where routers.yaml says `auth: {{mode: keys, keys-file: {self._file}}}`.\n"
        loaded, problems = examine(self._config)
        errors = sum(problem.level == "error" for problem in problems)
        if errors:
            told += f"But {self._config} has {errors} error{'s' if errors > 1 else ''}, and until `gateway check` "
            told += "finds none, a running gateway goes on with the keys of before.\n"
        elif loaded is not None and self._file not in loaded.files:
            told += f"But {self._config} does not name it: say `auth: {{keys-file: ...}}` there.\n"
        return told

    def _load(self, config: Path | None) -> Loaded | None:
        if config is None:
            return None
        try:
            reading = read(config)
        except ConfigError as error:
            raise Refused(str(error)) from None
        # An error elsewhere does not matter; but where a part of `auth` is left out, a pepper or a key may be missing.
        if reading.loaded is None or any(path[:1] in ((), ("auth",)) for path in reading.broken):
            raise Refused("\n".join(str(problem) for problem in reading.problems if problem.level == "error"))
        return reading.loaded

    def _entries(self, file: Path) -> list[Entry]:
        try:
            entries = read_entries(file)
        except ConfigError as error:
            raise Refused(str(error)) from None
        except OSError as error:
            raise Refused(f"{file} cannot be read: {error.strerror or error}.") from None
        _check(entries)
        return entries


def _check(entries: Sequence[Entry]) -> None:
    try:
        msgspec.convert(entries, list[GatewayKey])
    except msgspec.ValidationError as error:
        raise Refused(f"The keys file has an entry that is none: {error}. `gateway check` says where.") from None
