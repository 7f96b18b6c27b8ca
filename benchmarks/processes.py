"""Processes of the benchmark: started on a core of their own, read while they run, ended by their id.

Nothing here ends a process that it did not start.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import psutil

ROOT: Final = Path(__file__).resolve().parents[1]
CORES: Final = sorted(os.sched_getaffinity(0))
GATEWAY_CORES: Final = {CORES[0]}
"""The gateway runs on one core, load and upstreams on the others (on the same, where there is only one)."""
LOAD_CORES: Final = set(CORES[1:]) or GATEWAY_CORES


class Unready(Exception):
    """A process ended, or did not answer in time. The text holds the end of what it wrote."""


class Server:
    """A server process with its children. Ready once it accepts a connection on its port."""

    def __init__(
        self, name: str, command: list[str], port: int, log: Path, env: Mapping[str, str], cores: set[int]
    ) -> None:
        self.name, self.port, self.log = name, port, log
        self.started = time.perf_counter()
        with log.open("ab") as sink:
            self.popen = spawn(command, cores, env, stdout=sink)
        self.process = psutil.Process(self.popen.pid)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until(self, answers: Callable[[], bool], seconds: float = 20.0) -> float:
        """Seconds from the start until `answers`. Raises Unready."""
        while not answers():
            if self.popen.poll() is not None or time.perf_counter() - self.started > seconds:
                written = self.log.read_text("utf-8", "replace")[-2000:]
                raise Unready(f"{self.name} does not answer on port {self.port} (exit {self.popen.poll()}):\n{written}")
            time.sleep(0.005)
        return time.perf_counter() - self.started

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu(self) -> float:
        """Seconds of user and system time of the whole tree so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.tree())

    def resident(self) -> list[float]:
        """MB of each process of the tree, the largest first."""
        return sorted((process.memory_info().rss / 1e6 for process in self.tree()), reverse=True)

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        tree = self.tree() if self.popen.poll() is None else []
        self.popen.terminate()
        _, alive = psutil.wait_procs(tree, timeout=5)
        for process in alive:
            process.kill()
        self.popen.wait(5)


@contextmanager
def running(
    name: str,
    command: list[str],
    port: int,
    directory: Path,
    env: Mapping[str, str] | None = None,
    cores: set[int] = LOAD_CORES,
) -> Iterator[Server]:
    """Start a server, and stop it in the end."""
    server = Server(name, command, port, directory / f"{name}.log", env or {}, cores)
    try:
        yield server
    finally:
        server.stop()


def spawn(
    command: list[str],
    cores: set[int],
    env: Mapping[str, str],
    stdout: int | IO[bytes],
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    # taskset becomes the command, under the same id, and every thread and child inherits the cores.
    pinned = ["taskset", "--cpu-list", ",".join(map(str, sorted(cores))), *command]
    return subprocess.Popen(
        pinned, cwd=ROOT, env={**os.environ, **env}, stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
