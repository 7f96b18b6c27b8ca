"""The compose file and what it mounts, by its published schema, dclint, promtool and the gateway's own check."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.conftest import CHART, ROOT
from tests.support.postgres_server import PostgresServer, run_postgres
from tests.support.processes import Program, start_gateway
from tests.support.redis_server import run_server

COMPOSE: Final = ROOT / "deploy" / "compose" / "compose.yaml"
DCLINT: Final = Path(__file__).parent / "node_modules" / ".bin" / "dclint"
TASTE: Final = ("service-keys-order", "top-level-properties-order")
"""Rules of dclint that ask for another order than the one in which this file is explained."""


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return found


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=COMPOSE.parent, env=env)


def test_it_is_as_its_schema_says(tools: Path) -> None:
    done = run(tools / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dclint_has_nothing_to_say() -> None:
    if not DCLINT.exists():
        pytest.skip("no dclint: npm ci --prefix tests/deploy")
    rules = [part for rule in TASTE for part in ("--disable-rule", rule)]
    done = run(DCLINT, COMPOSE, "--max-warnings", "0", *rules)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_is_hardened_and_watched(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        # The gateway's is the image's own.
        assert "healthcheck" in service or name.startswith("gateway-"), name


def test_every_image_has_a_version(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        _, _, tag = service["image"].rpartition(":")
        assert tag.lstrip("v").split("-")[0].count(".") >= 1, service["image"]


def test_nothing_is_published_beyond_this_machine(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_mounted_is_there(services: dict[str, dict[str, Any]]) -> None:
    mounted = [volume for service in services.values() for volume in service.get("volumes", ())]
    sources = [COMPOSE.parent / volume["source"] for volume in mounted if volume["type"] == "bind"]
    # Once for each of the two gateways: their configuration.
    assert (len(sources), len(set(sources))) == (8, 7)
    assert [source for source in sources if not source.exists()] == []


def test_a_gateway_has_longer_to_stop_than_it_takes(services: dict[str, dict[str, Any]]) -> None:
    for name in ("gateway-1", "gateway-2"):
        assert services[name]["stop_grace_period"] == "45s"


def test_each_gateway_has_a_folder_of_its_own_for_rows_that_wait(services: dict[str, dict[str, Any]]) -> None:
    kept = [
        volume["source"]
        for name in ("gateway-1", "gateway-2")
        for volume in services[name]["volumes"]
        if volume["target"] == "/var/lib/router-gateway"
    ]
    assert kept == ["gateway-1", "gateway-2"]
    for name in kept:
        assert services[name]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert "profiles" not in services["postgres"]


def test_the_gateways_take_its_configuration() -> None:
    config = COMPOSE.parent / "config" / "routers.yaml"
    done = run(
        sys.executable,
        "-m",
        "gateway.cli",
        "check",
        config,
        env={**os.environ, "POSTGRES_PASSWORD": "0123456789abcdef"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real_time
def test_both_gateways_keep_their_rows_in_one_postgresql(tmp_path: Path) -> None:
    """Its own configuration, where the names of other containers are addresses of this machine."""
    with run_postgres() as postgres, run_server("redis", tmp_path) as store:
        text = (COMPOSE.parent / "config" / "routers.yaml").read_text("utf-8")
        for shipped, here in (
            ("host: 0.0.0.0", "host: 127.0.0.1"),
            ("redis://valkey:6379", store.url),
            ("@postgres:5432/gateway", f"@127.0.0.1:{postgres.port}/postgres"),
            ("retention: 90d", f"retention: 90d\n  spool: {tmp_path / 'spool'}"),
        ):
            assert text.count(shipped) == 1, shipped
            text = text.replace(shipped, here)
        env = {"POSTGRES_PASSWORD": PostgresServer.password}
        with start_gateway(tmp_path, text, env) as first, start_gateway(tmp_path, text, env) as second:
            for gateway in (first, second):
                assert ask(gateway) == 200, gateway.output()
        usage = run(
            sys.executable, "-m", "gateway.cli", "usage", "--by", "router", "--json",
            "--config", tmp_path / "routers.yaml", env={**os.environ, **env},
        )  # fmt: skip
        assert usage.returncode == 0, usage.stderr
        (row,) = json.loads(usage.stdout)["rows"]
        assert (row["group"], row["requests"]) == ({"router": "demo"}, 2)


def ask(gateway: Program) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    try:
        body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "Hello"}]})
        connection.request("POST", "/router/demo/chat/completions", body, {"content-type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_prometheus_takes_its_configuration_with_the_alerts(promtool: str, tmp_path: Path) -> None:
    shutil.copy(COMPOSE.parent / "prometheus.yaml", tmp_path)
    shutil.copy(CHART / "files" / "alerts.yaml", tmp_path)
    done = run(promtool, "check", "config", tmp_path / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout
