"""The values for several clusters: what each serves is a good configuration, in which its own region is the nearest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.conftest import ROOT, Helm
from tests.deploy.test_chart import of_kind

FOLDER: Final = ROOT / "deploy" / "many-clusters"
CLUSTERS: Final = {"eu": ["westeurope", "eastus2", None], "us": ["eastus2", "westeurope", None]}


def manifests_of(helm: Helm, cluster: str) -> list[dict[str, Any]]:
    done = helm.run(
        "template", "gw", ROOT / "helm", "--values", FOLDER / "common.yaml", "--values", FOLDER / f"{cluster}.yaml"
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_has_the_nearest_first(helm: Helm, cluster: str, tmp_path: Path) -> None:
    manifests = manifests_of(helm, cluster)
    texts = {m["data"]["routers.yaml"] for m in manifests if m["kind"] == "ConfigMap"}
    (text,) = texts
    chat = yaml.safe_load(text)["routers"]["production"]["load-balance"]["chat"]
    assert chat["strategy"] == "priority"
    ordered = sorted(chat["providers"], key=lambda entry: entry["priority"])
    assert [entry.get("region") for entry in ordered] == CLUSTERS[cluster]
    assert of_kind(manifests, "Deployment")["metadata"]["labels"]["region"] == cluster

    keys = tmp_path / "keys.yaml"
    keys.write_text(f"- {{name: ci, hash: 'sha256:{'a' * 64}'}}\n")
    config = tmp_path / "routers.yaml"
    config.write_text(text.replace("/run/secrets/gateway-keys/keys.yaml", str(keys)))
    env = {
        **os.environ,
        "REDIS_URL": "redis://127.0.0.1:6379",
        "LEDGER_URL": "postgresql://gateway:0123456789abcdef@127.0.0.1:5432/gateway",
        "OPENAI_API_KEY": "k" * 20, "AZURE_EU_KEY": "e" * 20, "AZURE_US_KEY": "u" * 20,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "check", config],
        capture_output=True, text=True, check=False, timeout=60, env=env, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout, done.stdout


def test_the_page_shows_the_order_that_a_cluster_has() -> None:
    page = (ROOT / "docs" / "many-clusters.md").read_text("utf-8")
    shown = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])["routers"]
    values = yaml.safe_load((FOLDER / "eu.yaml").read_text("utf-8"))["config"]["routers"]
    assert shown["production"]["load-balance"]["chat"].pop("strategy") == "priority"
    assert shown == values
