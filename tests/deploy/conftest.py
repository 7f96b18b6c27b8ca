"""Real tools: helm 3 and 4 as `.ci/fetch-tools` puts them into .cache/tools, and promtool."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "helm"


class Helm:
    """One helm and the chart. config: a routers.yaml that may be served in a Pod."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.config = folder / "routers.yaml"
        self.config.write_text(
            "auth: {mode: open}\nrouters: {demo: {load-balance: {chat: {strategy: latency, providers: [echo]}}}}\n"
        )

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        home = {"HOME": str(self._folder), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            [self._program, *arguments], capture_output=True, text=True, check=False, timeout=60, env=home
        )

    def template(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """The manifests, with the shipped defaults and `config`."""
        done = self.run("template", "gw", CHART, "--namespace", "ai", *self._with_config(arguments))
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    def refusal(self, *arguments: str | Path) -> str:
        """Why nothing is made."""
        done = self.run("template", "gw", CHART, *self._with_config(arguments))
        assert done.returncode != 0, "it was accepted"
        return done.stderr

    def _with_config(self, arguments: Sequence[str | Path]) -> list[str | Path]:
        given = [*arguments]
        named = any("config" in str(argument).partition("=")[0].lower() for argument in given)
        return given if named else [*given, "--set-file", f"config={self.config}"]


@pytest.fixture(scope="session", params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    program = ROOT / ".cache" / "tools" / str(request.param)
    if not program.exists():
        pytest.skip(f"no {request.param}: .ci/fetch-tools fetches it")
    return Helm(program, tmp_path_factory.mktemp(str(request.param)))


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: on Debian and Ubuntu, apt-get install prometheus")
    return found


def _environment(name: str) -> Path:
    folder = ROOT / ".cache" / "tools" / name
    if not (folder / "installed").exists():
        pytest.skip(f"no .cache/tools/{name}: .ci/fetch-tools makes it")
    return folder / "bin"


@pytest.fixture(scope="session")
def tools() -> Path:
    """Where kubernetes-validate, hadolint, check-jsonschema and cyclonedx-py are."""
    return _environment("tools")


@pytest.fixture(scope="session")
def checkov() -> Path:
    return _environment("checkov") / "checkov"
