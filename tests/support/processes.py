"""Programs that a test starts for real: the gateway from its command line, and others beside it.

What lives here: Program and start_gateway(). A program gets a clean environment and a port that is
free, is awaited by asking that port, and is ended by its id. All that it writes is kept.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Final

import psutil

from tests.support.loopback import unused_port

BOUND: Final = 20.0
"""Real seconds until something that must happen is called hung."""

LOOK_AGAIN: Final = 0.02
"""Real seconds between two looks at another process."""

ROOT: Final = Path(__file__).parents[2]


class Program:
    """A process. port: where it is to listen. output(): all that it has written to stdout and stderr."""

    def __init__(self, arguments: Sequence[str | Path], port: int, folder: Path, env: Mapping[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._written = folder / f"output-{port}.txt"
        with self._written.open("wb") as sink:
            self._process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "PYTHONUNBUFFERED": "1", **env},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        return self._written.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def children(self, *, recursive: bool = False) -> list[psutil.Process]:
        """Those it has started that live: none that has ended, be it collected or not."""
        living = []
        for child in psutil.Process(self.pid).children(recursive=recursive):
            # Between the list and the look another may end, and be collected.
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    living.append(child)
        return living

    def kill(self) -> None:
        """Kill it and what it has started, all at once, as a machine does that is out of memory: nothing is put in
        order."""
        children = self.children(recursive=True)
        self._process.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self._process.wait(BOUND)
        assert not psutil.wait_procs(children, BOUND)[1], self.output()

    def wait_exit(self, limit: float = BOUND) -> int:
        """The exit status."""
        return self._process.wait(limit)

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        """Look at the outside of the process until `true()`. It must not end before."""
        limit = monotonic() + BOUND
        while not true():
            assert monotonic() < limit, f"not within {BOUND} s: {what}\n{self.output()}"
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(LOOK_AGAIN)
                raise AssertionError(f"ended with {status}, awaited: {what}\n{self.output()}")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, http.client.HTTPMessage, str]:
        """A page, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND)
        try:
            connection.request("GET", path, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read().decode()
        finally:
            connection.close()

    def metric(self, sample: str) -> float:
        """The value of a sample on /metrics, such as `name{label="x"}`; 0 when it is not there."""
        _, _, page = self.get("/metrics")
        return next((float(line.split()[-1]) for line in page.splitlines() if line.startswith(f"{sample} ")), 0.0)

    def wait_listening(self) -> None:
        self.wait_until(lambda: listens(self.port), f"listening on {self.port}")

    def stop(self) -> int:
        """End it as an operator would, or by force when it does not. The exit status."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(BOUND)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._process.returncode


def listens(port: int) -> bool:
    """Whether a loopback port takes connections."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return True
    except OSError:
        return False


def gateway_command(config: Path, port: int, *more: str) -> list[str | Path]:
    return [sys.executable, "-m", "gateway.cli", "serve", config, "--port", str(port), *more]


@contextlib.contextmanager
def start_gateway(folder: Path, text: str, env: Mapping[str, str], *more: str) -> Iterator[Program]:
    """`gateway serve` of a file `routers.yaml` in `folder`, listening. more: arguments. No key of `env`
    may stand in what it wrote."""
    config = folder / "routers.yaml"
    if not config.exists():
        config.write_text(text)
    port = unused_port()
    program = Program(gateway_command(config, port, *more), port, folder, env)
    try:
        program.wait_listening()
        yield program
    finally:
        program.stop()
    check_no_credential(program.output(), env)


def check_no_credential(output: str, env: Mapping[str, str]) -> None:
    """Every value of a variable that is named for keys is a credential, and each part of a list of them."""
    keys = [key for name, value in env.items() if "KEY" in name for key in value.split(",")]
    assert not [key for key in keys if key in output], "a credential was written"
