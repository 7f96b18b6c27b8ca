"""What the chart makes, against the schemas of those who will read it, and checkov's rules."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import pytest
import yaml

from tests.deploy.conftest import ROOT, Helm
from tests.deploy.test_chart import GOOD

FOLDER: Final = Path(__file__).parent
VERSIONS: Final = ("1.28", "1.31", "1.34", "1.37")
OPERATORS: Final = frozenset({"gateway.networking.k8s.io", "keda.sh", "monitoring.coreos.com", "external-secrets.io"})

SKIPPED: Final = {
    "CKV2_K8S_6": "the check and `helm test` live for seconds; the others have one by `networkPolicy.enabled`",
    "CKV_K8S_8": "the Pod of `helm test` ends by itself",
    "CKV_K8S_9": "the Pod of `helm test` serves nothing",
    "CKV_K8S_11": "a limit of CPU holds up streams when the node has time to spare; `resources.limits.cpu` sets one",
    "CKV_K8S_15": "the tag is a version and never moves, so IfNotPresent pulls the same; `image.pullPolicy` is a value",
    "CKV_K8S_35": "providers' keys are known by their variables (OPENAI_API_KEY); `secretFiles` mounts Secrets instead",
    "CKV_K8S_43": "a digest is the installer's to pin: `image.digest`",
}
"""Checks of checkov that the chart does not keep, and why."""

Resources = list[dict[str, Any]]
Check = Callable[[Resources], list[str]]


def is_custom(resource: dict[str, Any]) -> bool:
    return resource["apiVersion"].split("/")[0] in OPERATORS


def unlike(resources: Resources) -> Resources:
    """Each once."""
    return [json.loads(text) for text in dict.fromkeys(json.dumps(resource, sort_keys=True) for resource in resources)]


@pytest.fixture(scope="module")
def made(helm: Helm) -> Resources:
    """Everything that the chart makes of any of the sets of values."""
    return unlike([manifest for arguments in GOOD.values() for manifest in helm.template(*arguments)])


def problems(command: Sequence[str | Path], resources: Resources) -> list[str]:
    done = run_once(tuple(command), json.dumps(resources))
    found = done.stdout.split("\n")
    assert done.returncode in (0, 1), done.stderr
    assert (done.returncode == 0) == (found == ["", ""]), done.stderr
    return [line for line in found if line]


@lru_cache
def run_once(command: tuple[str | Path, ...], given: str) -> subprocess.CompletedProcess[str]:
    """What helm 3 and helm 4 make alike is looked at once."""
    return subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, timeout=300, cwd=FOLDER
    )  # fmt: skip


@pytest.fixture(scope="module")
def builtin(tools: Path) -> Check:
    return lambda resources: problems([tools / "python", FOLDER / "check_builtin.py", *VERSIONS], resources)


@pytest.fixture(scope="module")
def custom() -> Check:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").exists():
        pytest.skip("no types of the operators: npm ci --prefix tests/deploy")
    return lambda resources: problems([node, "check_custom.mjs"], resources)


def test_kubernetes_knows_every_field(made: Resources, builtin: Check) -> None:
    own = [resource for resource in made if not is_custom(resource)]
    kinds = {resource["kind"] for resource in own}
    assert kinds >= {
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "Pod",
        "PersistentVolumeClaim", "PodDisruptionBudget", "Service", "ServiceAccount",
    }  # fmt: skip
    assert builtin(own) == []


def test_operators_know_every_field(made: Resources, custom: Check) -> None:
    foreign = [resource for resource in made if is_custom(resource)]
    assert {resource["kind"] for resource in foreign} == {
        "ExternalSecret", "HTTPRoute", "PodMonitor", "PrometheusRule", "ScaledObject", "ServiceMonitor",
    }  # fmt: skip
    assert custom(foreign) == []


def test_a_field_or_kind_that_is_not_there_is_found(builtin: Check) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"prots": []}}
    found = builtin([service, {**service, "kind": "Servise", "spec": {}}])
    assert len(found) == 2 * len(VERSIONS)
    assert "prots" in found[0]
    assert "servise" in found[1].lower()


def test_a_wrong_field_of_an_operator_is_found(custom: Check) -> None:
    # All at once: it takes seconds to read the types.
    wrong: dict[str, dict[str, object]] = {
        "unknown": {"intervall": "30s"}, "no-duration": {"interval": "often"}, "no-text": {"interval": 30},
    }  # fmt: skip
    found = custom([
        {"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": name},
         "spec": {"selector": {}, "endpoints": [spec]}}
        for name, spec in wrong.items()
        for kind in ("ServiceMonitor", "ServiceMonitors")
    ])  # fmt: skip
    told = {line.partition(":")[0] for line in found}
    assert told == {f"{kind} {name}" for name in wrong for kind in ("ServiceMonitor", "ServiceMonitors")}


def test_checkov_finds_nothing_that_is_not_explained(
    made: Resources, checkov: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    manifests = [resource for resource in made if not is_custom(resource)]
    text = yaml.safe_dump_all(manifests)
    # Where it is depends on what is in it, so that what is alike is looked at once.
    file = tmp_path_factory.getbasetemp() / f"made-{crc32(text.encode())}.yaml"
    file.write_text(text)
    done = run_once(
        (checkov, "--framework", "kubernetes", "--file", file, "--output", "json", "--quiet", "--skip-download"), ""
    )
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 100, done.stderr
    assert report["summary"]["parsing_errors"] == 0
    failed = {f"{one['check_id']} {one['check_name']}: {one['resource']}" for one in report["results"]["failed_checks"]}
    assert sorted(one for one in failed if one.split()[0] not in SKIPPED) == []
    assert set(SKIPPED) <= {one.split()[0] for one in failed}, "an exception that nothing needs"


def test_the_dockerfile_passes_hadolint(tools: Path) -> None:
    done = subprocess.run(
        [tools / "hadolint", "--failure-threshold", "style", ROOT / "Dockerfile"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
