"""The compose file and what it mounts, by its published schema, dclint, promtool and the gateway's own check."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.conftest import CHART, ROOT

COMPOSE: Final = ROOT / "deploy" / "compose" / "compose.yaml"
DCLINT: Final = Path(__file__).parent / "node_modules" / ".bin" / "dclint"
TASTE: Final = ("service-keys-order", "top-level-properties-order")
"""Rules of dclint that ask for another order than the one in which this file is explained."""


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=COMPOSE.parent)


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
    assert len(sources) == 8
    assert [source for source in sources if not source.exists()] == []


def test_a_gateway_has_longer_to_stop_than_it_takes(services: dict[str, dict[str, Any]]) -> None:
    for name in ("gateway-1", "gateway-2"):
        assert services[name]["stop_grace_period"] == "45s"


def test_the_gateways_take_its_configuration() -> None:
    done = run(sys.executable, "-m", "gateway.cli", "check", COMPOSE.parent / "config" / "routers.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration_with_the_alerts(promtool: str, tmp_path: Path) -> None:
    shutil.copy(COMPOSE.parent / "prometheus.yaml", tmp_path)
    shutil.copy(CHART / "files" / "alerts.yaml", tmp_path)
    done = run(promtool, "check", "config", tmp_path / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout
