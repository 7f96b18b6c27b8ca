"""What is for machines without containers: the systemd unit, and the script that restarts gateways one by one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from gateway.cli.engines import KILL_AFTER
from tests.deploy.conftest import ROOT
from tests.support.loopback import unused_port
from tests.support.processes import Program, gateway_command, start_gateway

UNIT: Final = ROOT / "deploy" / "systemd" / "router-gateway@.service"
ROLLOUT: Final = ROOT / "deploy" / "vm" / "rollout"
EXPOSURE: Final = 1.5
"""What `systemd-analyze security` may give it, of 10: without a list of addresses, which would be the providers'."""


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze: on Debian and Ubuntu, apt-get install systemd")
    return found


def test_systemd_understands_every_line(analyze: str, tmp_path: Path) -> None:
    command = tmp_path / "gateway"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    text = UNIT.read_text("utf-8").replace("/opt/router-gateway/bin/gateway", str(command))
    (tmp_path / UNIT.name).write_text(text)
    instance = tmp_path / UNIT.name.replace("@", "@8081")
    done = subprocess.run(
        [analyze, "verify", "--man=no", instance], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "router-gateway" in line]) == (0, [])


def test_it_may_do_little(analyze: str, tmp_path: Path) -> None:
    threshold = f"--threshold={round(EXPOSURE * 10)}"
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", threshold, UNIT],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_keeps_is_in_the_one_folder_that_it_may_write_to() -> None:
    text = UNIT.read_text("utf-8")
    assert "\nProtectSystem=strict\n" in text
    assert "\nStateDirectory=router-gateway\n" in text
    # %S is where StateDirectory is: relative paths of the configuration are in it.
    assert "\nWorkingDirectory=%S/router-gateway\n" in text


def test_it_has_longer_to_stop_than_it_takes() -> None:
    (limit,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    assert int(limit) > 30 + KILL_AFTER


@pytest.mark.real_time
@pytest.mark.parametrize("engine", ["granian", "hypercorn"])
def test_it_serves_without_memory_that_is_written_and_run(engine: str, tmp_path: Path) -> None:
    """MemoryDenyWriteExecute, as the kernel itself has it since 6.3; systemd of today uses that too."""
    deny = (
        "import ctypes, os, sys\n"
        "if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0): sys.exit(77)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    if subprocess.run([sys.executable, "-c", deny, "-c", ""], check=False, timeout=60).returncode == 77:
        pytest.skip("this kernel is older than 6.3")
    config = tmp_path / "routers.yaml"
    config.write_text(
        f"server: {{engine: {engine}, workers: 2}}\n"
        f"ledger: {{url: 'sqlite:///{tmp_path}/gateway.db', spool: '{tmp_path}/spool'}}\n"
        f"audit: {{path: '{tmp_path}/audit.jsonl'}}\n"
        "traces: {endpoint: 'http://127.0.0.1:9/v1/traces', timeout: 1s}\n"
        "routers:\n"
        "  demo:\n"
        "    load-balance: {chat: {providers: [echo]}}\n"
        "    virtual-models: {auto: [{name: code, when: {text: code}, to: echo/echo}, {name: rest, to: echo/echo}]}\n"
    )
    port = unused_port()
    _, *arguments = gateway_command(config, port)
    program = Program([sys.executable, "-c", deny, *arguments], port, tmp_path, {})
    try:
        program.wait_listening()
        assert program.get("/router/demo/v1/models")[0] == 200
        assert program.get("/readyz")[0] == 200
    finally:
        assert program.stop() == 0


def stub(folder: Path, name: str, log: Path, more: str = "") -> str:
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{log}"\n{more}')
    path.chmod(0o755)
    return str(path)


@pytest.mark.real_time
def test_gateways_are_restarted_one_by_one_and_each_is_left_alone_before(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    log, upstream = tmp_path / "log", tmp_path / "upstream.conf"
    text = "routers: {demo: {load-balance: {chat: {providers: [echo]}}}}\n"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with start_gateway(tmp_path / "a", text, {}) as first, start_gateway(tmp_path / "b", text, {}) as second:
        # Nothing is restarted: what is to be seen is which gateways nginx would use at each step.
        show = f'tr "\\n" " " <"{upstream}" >>"{log}"; echo >>"{log}"\n'
        env = {
            "PATH": "/usr/bin:/bin",
            "UPSTREAM": str(upstream),
            "SYSTEMCTL": stub(tmp_path, "systemctl", log, show),
            "NGINX": stub(tmp_path, "nginx", log),
        }
        done = subprocess.run(
            [ROLLOUT, str(first.port), str(second.port)],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
    one, two = (f"server 127.0.0.1:{program.port} max_fails=0;" for program in (first, second))
    reload = ["nginx -t -q", "nginx -s reload"]
    assert [line.strip() for line in log.read_text().splitlines()] == [
        *reload, f"systemctl restart router-gateway@{first.port}", two, *reload,
        *reload, f"systemctl restart router-gateway@{second.port}", one, *reload,
    ]  # fmt: skip
    assert upstream.read_text() == f"{one}\n{two}\n"


@pytest.mark.real_time
def test_nothing_is_restarted_while_nobody_else_would_serve(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    log = tmp_path / "log"
    env = {
        "PATH": "/usr/bin:/bin",
        "UPSTREAM": str(tmp_path / "upstream.conf"),
        "SYSTEMCTL": stub(tmp_path, "systemctl", log),
        "NGINX": stub(tmp_path, "nginx", log),
    }
    ports = [str(unused_port()), str(unused_port())]
    done = subprocess.run([ROLLOUT, *ports], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "is not ready" in done.stderr
    assert not log.exists()
