"""The image, run as a container engine would run it: its own root file system, read-only, as its own user.

`.ci/build-image` builds it and lays it out. There is no engine here: a mount of that tree, chroot and the image's own
configuration (user, environment, command) take its place.
"""

from __future__ import annotations

import contextlib
import json
import os
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
[ -z "$2" ] || mount --bind "$2" "$1/var/lib/router-gateway"
root=$1; shift 2
exec chroot --userspec="$(cat "$root/../user")" "$root" "$@"
"""
"""In a mount namespace of its own; what is run keeps the process's id, so that a signal to it arrives."""

FURNISHED: Final = """\
ledger: {}
audit: {path: audit.jsonl}
traces: {endpoint: 'http://127.0.0.1:9/v1/traces', timeout: 1s}
routers:
  demo:
    load-balance: {chat: {providers: [echo]}}
    budget: {amount: 1, window: month, time-zone: Europe/Berlin}
    virtual-models:
      auto:
        - {name: code, when: {text: '(?i)\\bregex\\b'}, to: echo/echo}
        - {name: rest, to: echo/echo}
"""
"""What needs more than Python alone has: a database, a folder to write to, time zones, RE2 and OpenTelemetry."""


class Image:
    """The image. config: what its maker said of it, in Docker's words."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.config: dict[str, Any] = json.loads((folder / "image.json").read_text("utf-8"))["Docker"]["config"]
        (folder / "user").write_text(self.config["User"])

    def command(self, *arguments: str, volume: Path | None = None) -> list[str | Path]:
        """volume: a folder of here that is mounted where the gateway is started."""
        enter: list[str | Path] = ["unshare", "--mount", "sh", "-c", ENTER, "sh", self.root, volume or ""]
        start = ["env", "-i", f"--chdir={self.config['WorkingDir']}", *self.config["Env"]]
        return [*enter, *start, *arguments]

    def run(self, *arguments: str, volume: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments, volume=volume), capture_output=True, text=True, check=False, timeout=60
        )

    @contextlib.contextmanager
    def serve(self, folder: Path, config: str | None = None, volume: Path | None = None) -> Iterator[Program]:
        """The image's own command, on a free port of loopback, with its own configuration where no other is named."""
        port = unused_port()
        verb, shipped, *_ = self.config["Cmd"]
        given = [*self.config["Entrypoint"], verb, config or shipped, "--host", "127.0.0.1", "--port", str(port)]
        program = Program(self.command(*given, volume=volume), port, folder, {})
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


@pytest.fixture(scope="module")
def volume(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As an engine makes a new one: whose folder it is, and its mode, come from the image's."""
    place = (image.root / "var/lib/router-gateway").stat()
    folder = tmp_path_factory.mktemp("volume")
    folder.chmod(place.st_mode & 0o777)
    os.chown(folder, place.st_uid, place.st_gid)
    (folder / "routers.yaml").write_text(FURNISHED)
    return folder


@pytest.fixture(scope="module")
def furnished(image: Image, volume: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with image.serve(tmp_path_factory.mktemp("furnished"), "routers.yaml", volume) as program:
        yield program


def test_rules_with_patterns_decide_in_it(furnished: Program) -> None:
    for text, rule in (("Fix this REGEX", "code"), ("Good morning", "rest")):
        chat = {"model": "auto", "messages": [{"role": "user", "content": text}]}
        reply = post(furnished.port, "/router/demo/chat/completions", chat)
        assert f"x-gateway-rule: auto:{rule}\r\n" in reply, furnished.output()


def test_time_zones_are_known_in_it(image: Image, furnished: Program) -> None:
    # That it serves is the proof: a zone that nobody knows is an error of the configuration.
    assert furnished.get("/readyz")[0] == 200
    done = image.run("python", "-c", "import zoneinfo; print(len(zoneinfo.available_timezones()) > 400)")
    assert done.stdout == "True\n", done.stderr


def test_its_ledger_and_audit_log_come_to_rest_in_a_volume(image: Image, furnished: Program, volume: Path) -> None:
    chat = {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}
    rows = 'gateway_ledger_rows_total{result="written"}'
    lines = 'gateway_audit_lines_total{result="written"}'
    before = furnished.metric(rows), furnished.metric(lines)
    assert "200 OK" in post(furnished.port, "/router/demo/chat/completions", chat)
    furnished.wait_until(
        lambda: furnished.metric(rows) > before[0] and furnished.metric(lines) > before[1], "a row and a line"
    )
    assert (volume / "gateway.db").stat().st_uid == 65532
    done = image.run("gateway", "usage", "--by", "router", "--config", "routers.yaml", "--json", volume=volume)
    assert done.returncode == 0, done.stderr
    assert [row["group"] for row in json.loads(done.stdout)["rows"]] == [{"router": "demo"}]
    done = image.run("gateway", "audit", "tail", "--config", "routers.yaml", "--json", volume=volume)
    assert json.loads(done.stdout.splitlines()[-1])["router"] == "demo", done.stderr


def test_what_a_config_may_ask_for_is_there(image: Image) -> None:
    """Also what no request has needed above: a server of PostgreSQL, tokens, sealed bodies, the other clients."""
    wanted = (
        "asyncpg", "cryptography", "google.protobuf", "gateway.store.ledger.postgres", "gateway.telemetry.audit_seal",
        "gateway.telemetry.otlp", "httpx2", "hypercorn", "jwt", "pyreqwest", "re2", "redis.asyncio", "sqlite3",
    )  # fmt: skip
    done = image.run("python", "-c", f"import {', '.join(wanted)}")
    assert (done.returncode, done.stderr) == (0, "")


def test_with_nowhere_to_write_it_serves_and_says_what_is_wrong(image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "somebody-else's"
    folder.mkdir(mode=0o755)
    (folder / "routers.yaml").write_text(FURNISHED)
    with image.serve(tmp_path, "routers.yaml", folder) as program:
        chat = {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}
        assert "200 OK" in post(program.port, "/router/demo/chat/completions", chat)
        status, _, page = program.get("/readyz")
    assert status == 200
    assert "gateway.db: unable to open database file" in json.loads(page)["sinks"]["ledger"]


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
