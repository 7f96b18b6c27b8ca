"""The image, run as a container engine would run it: its own root file system, read-only, as its own user.

`.ci/build-image` builds it and lays it out. There is no engine here: a mount of that tree, chroot and the image's own
configuration (user, environment, command) take its place.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Final

import pytest

from tests.deploy.conftest import ROOT
from tests.support.loopback import unused_port
from tests.support.processes import Program

pytestmark = pytest.mark.real_time

IMAGE: Final = ROOT / ".cache" / "image"
MEGABYTE: Final = 1_000_000
LIMIT: Final = 180 * MEGABYTE
DRAIN: Final = 30.0
"""Seconds: `server.drain-timeout` of the shipped file."""

ENTER: Final = """\
set -eu
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
root=$1; shift
exec chroot --userspec="$(cat "$root/../user")" "$root" "$@"
"""
"""In a mount namespace of its own; what is run keeps the process's id, so that a signal to it arrives."""


class Image:
    """The image. config: what its maker said of it, in Docker's words."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.config: dict[str, Any] = json.loads((folder / "image.json").read_text("utf-8"))["Docker"]["config"]
        (folder / "user").write_text(self.config["User"])

    def command(self, *arguments: str) -> list[str | Path]:
        return ["unshare", "--mount", "sh", "-c", ENTER, "sh", self.root, "env", "-i", *self.config["Env"], *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=60)

    @contextlib.contextmanager
    def serve(self, folder: Path, *more: str) -> Iterator[Program]:
        """The image's own command, on a free port of loopback."""
        port = unused_port()
        given = [*self.config["Entrypoint"], *self.config["Cmd"], "--host", "127.0.0.1", "--port", str(port), *more]
        program = Program(self.command(*given), port, folder, {})
        try:
            program.wait_listening()
            yield program
        finally:
            program.stop()


@pytest.fixture(scope="module")
def image() -> Image:
    if not (IMAGE / "image.json").exists():
        pytest.skip("no image: .ci/build-image builds it, as root, where buildah and a CPython 3.13 are")
    return Image(IMAGE)


def test_it_is_small(image: Image) -> None:
    files = [path.lstat() for path in image.root.rglob("*") if not path.is_dir() or path.is_symlink()]
    assert sum(file.st_size for file in {(file.st_dev, file.st_ino): file for file in files}.values()) < LIMIT


def test_it_says_what_it_is(image: Image) -> None:
    labels = image.config["Labels"]
    for name in ("title", "description", "licenses", "version", "revision", "created"):
        assert labels[f"org.opencontainers.image.{name}"] not in ("", "unknown")
    assert image.config["Entrypoint"] == ["gateway"]
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["User"] == "65532:65532"


def test_it_has_nothing_to_build_or_install_with(image: Image) -> None:
    folders = ("bin", "usr/bin", "usr/local/bin", "opt/gateway/bin")
    there = {path.name for folder in folders for path in (image.root / folder).iterdir()}
    assert there.isdisjoint({"gcc", "cc", "ld", "make", "pip", "pip3", "apt", "apt-get", "strip"})
    done = image.run("python", "-c", "import importlib.util as u; print(u.find_spec('pip'), u.find_spec('ensurepip'))")
    assert done.stdout == "None None\n", done.stderr


def test_nobody_may_write_in_it(image: Image) -> None:
    done = image.run("python", "-c", "import os; print(os.getuid(), os.getgid()); open('/tmp/a', 'w')")
    assert done.stdout == "65532 65532\n"
    assert "Read-only file system" in done.stderr
    owned = [path for path in (image.root / "opt").rglob("*") if path.lstat().st_uid != 0 or path.lstat().st_mode & 0o2]
    assert [path for path in owned if not path.is_symlink()] == []


def test_it_serves_with_nowhere_to_write_and_stops_in_time(image: Image, tmp_path: Path) -> None:
    with image.serve(tmp_path) as program:
        chat = {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}
        assert "You said: Hello" in post(program.port, "/router/demo/chat/completions", chat)
        assert program.get("/readyz")[0] == 200
        assert program.get("/metrics")[0] == 200
        assert Path(f"/proc/{program.pid}/root").readlink() == image.root
        started = monotonic()
        program.signal(signal.SIGTERM)
        assert program.wait_exit() == 0, program.output()
        assert monotonic() - started < DRAIN
        assert "Traceback" not in program.output()


def test_its_health_check_tells_a_live_one_from_a_dead_one(image: Image, tmp_path: Path) -> None:
    word, *check = image.config["Healthcheck"]["Test"]
    assert word == "CMD"
    with image.serve(tmp_path) as program:
        here = [part.replace("8080", str(program.port)) for part in check]
        done = image.run(*here)
        assert done.returncode == 0, done.stderr
    assert image.run(*here).returncode != 0


def test_a_start_reads_bytecode(image: Image) -> None:
    done = image.run("python", "-v", "-c", "import gateway.app")
    assert done.returncode == 0, done.stderr[-2000:]
    read = [line for line in done.stderr.splitlines() if line.startswith("# code object from ")]
    assert len(read) > 100
    assert [line for line in read if not line.endswith(".pyc'")] == []


def post(port: int, path: str, body: object) -> str:
    text = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        head = f"POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-length: {len(text)}\r\n\r\n"
        connection.sendall(head.encode() + text)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
