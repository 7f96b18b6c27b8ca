"""The chart through real helms: what it makes of values, and what it refuses."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.engines import KILL_AFTER
from gateway.telemetry.families import FAMILIES
from tests.deploy.cluster import empty_cluster
from tests.deploy.conftest import CHART, ROOT, Helm

DEMO = {"auth": {"mode": "open"}, "routers": {"demo": {"load-balance": {"chat": {"providers": ["echo"]}}}}}
ADMIN = {"port": 9090, "keys": [{"name": "ops", "role": "write", "hash": f"sha256:{'a' * 64}"}]}


def config(**more: object) -> list[str]:
    """Arguments with a configuration that has these sections too."""
    return ["--set-json", f"config={json.dumps({**DEMO, **more})}"]


GOOD: dict[str, list[str]] = {
    "the shipped defaults": [],
    "one replica and two workers": ["--set", "replicas=1,workers=2"],
    "secrets of every kind": [
        "--set", "secrets={provider-keys,more-keys}", "--set", "secretFiles={vertex}",
        "--set", "externalSecrets[0].name=from-vault,externalSecrets[0].store.name=vault",
        "--set", "externalSecrets[0].keys.OPENAI_API_KEY.key=ai/openai",
    ],
    "an ingress with https": [
        "--set", "ingress.enabled=true,ingress.className=nginx,ingress.hosts={ai.example.com}",
        "--set", "ingress.tls[0].secretName=ai-tls,ingress.tls[0].hosts={ai.example.com}",
    ],
    "a route of the gateway api": [
        "--set", "httpRoute.enabled=true,httpRoute.parentRefs[0].name=public,httpRoute.hostnames={ai.example.com}",
        "--set", "httpRoute.timeout=1h",
    ],
    "autoscaling by cpu": ["--set", "autoscaling.enabled=true"],
    "autoscaling by requests in flight": ["--set", "autoscaling.enabled=true,autoscaling.inFlight=100"],
    "keda": ["--set", "keda.enabled=true,keda.prometheus=http://prometheus:9090"],
    "a network policy": [
        "--set", "networkPolicy.enabled=true,networkPolicy.store.port=6379,networkPolicy.database.port=5432",
        "--set", "networkPolicy.from[0].podSelector.matchLabels.app=web",
    ],
    "a service monitor, rules and dashboard": [
        "--set", "metrics.serviceMonitor.enabled=true,metrics.rules.enabled=true,metrics.dashboard.enabled=true",
        "--set", "metrics.rules.labels.release=prometheus",
    ],
    "a pod monitor": ["--set", "metrics.podMonitor.enabled=true"],
    "a valkey for trials": ["--set", "valkey.enabled=true,networkPolicy.enabled=true"],
    "a workload identity": ["--set", "serviceAccount.annotations.eks\\.amazonaws\\.com/role-arn=arn:aws:iam::1:role/g"],
    "names of one's own": ["--set", "fullnameOverride=gateway,commonLabels.team=platform,podLabels.tier=edge"],
    "an image by digest": ["--set", f"image.digest=sha256:{'a' * 64},imagePullSecrets={{pull}}"],
    "no service account, no budget, no check": [
        "--set", "serviceAccount.create=false,podDisruptionBudget.enabled=false,check.enabled=false",
    ],
    "placed": [
        "--set", "nodeSelector.pool=ai,priorityClassName=high,runtimeClassName=gvisor",
        "--set", "tolerations[0].key=ai,tolerations[0].operator=Exists",
    ],
    "a ledger in sqlite": [*config(ledger={}), "--set", "replicas=1,data.volume=claim,data.storageClass=fast"],
    "a ledger in a claim of one's own": [
        *config(ledger={"url": "sqlite:////var/lib/router-gateway/gateway.db"}),
        "--set", "replicas=1,data.volume=claim,data.existingClaim=mine",
    ],
    "a ledger in postgresql": [
        *config(ledger={"url": "${env:LEDGER_URL}", "on-full": "block"}), "--set", "secrets={ledger}",
        "--set", "networkPolicy.enabled=true,networkPolicy.database.port=5432,ledger.migrate.enabled=true",
        "--set", "ledger.migrate.secrets={ledger-owner}",
    ],
    "an audit log on standard output": [*config(audit={"to": "stdout"}), "--set", "data.volume=none"],
    "an audit log in a file": [*config(audit={"path": "audit/audit.jsonl"}), "--set", "data.size=20Gi"],
    "an admin api": [
        *config(admin=ADMIN), "--set", "admin.enabled=true,networkPolicy.enabled=true",
        "--set", "admin.from[0].namespaceSelector.matchLabels.team=platform,admin.annotations.a=b",
    ],
    "webhooks and traces": [
        *config(
            alerts={"webhooks": [{"name": "ops", "url": "${env:ALERTS_URL}", "secret": "${env:ALERTS_SECRET}"}]},
            traces={"endpoint": "http://otel-collector.observability:4318/v1/traces"},
        ),
        "--set", "secrets={alerts},networkPolicy.enabled=true,networkPolicy.collector.port=4318",
        "--set", "env[0].name=POD_NAME,env[0].valueFrom.fieldRef.fieldPath=metadata.name",
    ],
    "a configuration of one's own": ["--set", "existingConfigMap=my-routers,existingConfigMapKey=gateway.yaml"],
}  # fmt: skip

REFUSED: dict[str, tuple[list[str], str]] = {
    "no configuration": (["--set", "config=null"], "--set-file config=routers.yaml"),
    "two configurations": (["--set", "config=a: 1,existingConfigMap=mine"], "not both"),
    "text that is not yaml": (["--set", "config=a: [1"], "not YAML"),
    "a key that routers.yaml does not know": (["--set", "config=routes: {}"], "there is no key `routes`"),
    "a typo deep in a router": (
        ["--set-json", 'config="auth: {mode: open}\\nrouters: {a: {load-balance: {chat: {stratgy: latency}}}}"'],
        "config.routers.a.load-balance.chat: there is no key `stratgy`",
    ),
    "a typo in a configuration that is a mapping": (
        ["--set-json", 'config={"auth": {"mode": "open"}, "routers": {"a": {"cahce": {}}}}'],
        "cahce",
    ),
    "a wrong value in one that is a mapping": (
        ["--set-json", 'config={"auth": {"mode": "open"}, "server": {"engine": "uvicorn"}}'],
        "engine",
    ),
    "no word of who may call": (["--set", "config=routers: {}"], "auth.mode"),
    "a credential in the configuration": (
        ["--set-json", 'config="auth: {mode: open}\\nproviders: {openai: {keys: [sk-abcdefghijklmnop1234]}}"'],
        "put it in a Secret",
    ),
    "a value that is not there": (["--set", "replicaCount=3"], "replicaCount"),
    "a negative number of replicas": (["--set", "replicas=-1"], "replicas"),
    "replicas in words": (["--set", "replicas=two"], "replicas"),
    "a kind of service that is not there": (["--set", "service.type=External"], "type"),
    "a port out of range": (["--set", "service.port=70000"], "port"),
    "a secret that is not a name": (["--set", "secrets={OPENAI_API_KEY=x}"], "secrets"),
    "a digest that is none": (["--set", "image.digest=latest"], "digest"),
    "two scalers": (["--set", "autoscaling.enabled=true,keda.enabled=true,keda.prometheus=http://p"], "enable one"),
    "keda without a prometheus": (["--set", "keda.enabled=true"], "keda.prometheus"),
    "autoscaling at nothing": (["--set", "autoscaling.enabled=true,autoscaling.cpu=null"], "aims at nothing"),
    "an ingress without a host": (["--set", "ingress.enabled=true"], "ingress.hosts"),
    "a path without its slash": (["--set", "ingress.paths={router}"], "paths"),
    "a route without a gateway": (["--set", "httpRoute.enabled=true"], "parentRefs"),
    "two monitors": (
        ["--set", "metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true"], "count everything twice",
    ),
    "a scrape interval that is none": (["--set", "metrics.serviceMonitor.interval=often"], "interval"),
    "an external secret without a store": (
        ["--set", "externalSecrets[0].name=a,externalSecrets[0].keys.A.key=b"], "store",
    ),
    "a drain of no time": (["--set", "drain.timeout=0"], "timeout"),
    "a ledger that would go with its pod": (config(ledger={}), "`data.volume: claim` and `replicas: 1`"),
    "a ledger that would, with its whole path": (
        config(ledger={"url": "sqlite:////var/lib/router-gateway/gateway.db"}), "which goes with the Pod",
    ),
    "a claim of two pods": (["--set", "data.volume=claim"], "set `replicas: 1` and no scaler"),
    "a claim that is scaled": (["--set", "data.volume=claim,replicas=1,autoscaling.enabled=true"], "no scaler"),
    "a claim of one's own that nothing uses": (["--set", "data.existingClaim=mine"], "set `data.volume: claim`"),
    "a kind of volume that is not there": (["--set", "data.volume=hostPath"], "volume"),
    "a size that is none": (["--set", "data.size=much"], "size"),
    "a spool without a folder": (
        [*config(ledger={"url": "${env:LEDGER_URL}"}), "--set", "data.volume=none"], "config.ledger.spool",
    ),
    "an audit log without a folder": ([*config(audit={}), "--set", "data.volume=none"], "`audit.to: stdout`"),
    "a database to be changed that is not there": (["--set", "ledger.migrate.enabled=true"], "has no `ledger`"),
    "an admin api that asks nobody": (config(admin={"port": 9090}), "`admin.keys` must name somebody"),
    "an admin api on another port": (
        [*config(admin={**ADMIN, "port": 9091}), "--set", "admin.enabled=true"], "they must be one",
    ),
    "an admin api without a port of its own": (
        [*config(admin={"keys": ADMIN["keys"]}), "--set", "admin.enabled=true"], "not there: they must be one",
    ),
    "an admin api that only its pod reaches": (
        [*config(admin={**ADMIN, "host": "127.0.0.1"}), "--set", "admin.enabled=true"], "leave it out",
    ),
    "a label that is no text": (["--set", "commonLabels.a=1"], "commonLabels"),
}  # fmt: skip


def of_kind(manifests: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


@pytest.mark.parametrize("arguments", GOOD.values(), ids=GOOD)
def test_values_make_manifests(helm: Helm, arguments: list[str]) -> None:
    manifests = helm.template(*arguments)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))
    for manifest in manifests:
        assert manifest["metadata"]["namespace"] == "ai"
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "gw"


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED)
def test_wrong_values_are_refused_with_their_place(helm: Helm, arguments: list[str], said: str) -> None:
    assert said in helm.refusal(*arguments)


def test_it_passes_its_own_lint(helm: Helm) -> None:
    done = helm.run("lint", "--strict", CHART, "--set-file", f"config={helm.config}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_install_is_tried(helm: Helm) -> None:
    with empty_cluster() as cluster:
        done = helm.run(
            "install", "gw", CHART, "--dry-run=client", "--disable-openapi-validation", "--kube-apiserver", cluster,
            "--set-file", f"config={helm.config}",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "/router/demo/" in done.stdout
    assert "WARNING: auth.mode is `open`" in done.stdout


def test_what_the_network_policy_keeps_in_is_told(helm: Helm) -> None:
    given = config(ledger={"url": "postgresql://g:${env:P}@db/g"}, admin=ADMIN)
    with empty_cluster() as cluster:
        done = helm.run(
            "install", "gw", CHART, "--dry-run=client", "--disable-openapi-validation", "--kube-apiserver", cluster,
            *given, "--set", "admin.enabled=true,networkPolicy.enabled=true",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "http://gw-router-gateway-admin.default:9090/admin/api" in done.stdout
    assert "`admin.from` is empty" in done.stdout
    assert "WARNING: the NetworkPolicy lets nothing out to the ledger's PostgreSQL" in done.stdout


def test_the_shipped_file_is_installed_as_the_readme_says(helm: Helm) -> None:
    manifests = helm.template("--set-file", f"config={ROOT / 'routers.yaml'}")
    configs = [manifest for manifest in manifests if manifest["kind"] == "ConfigMap"]
    shipped = (ROOT / "routers.yaml").read_text("utf-8")
    assert [config["data"]["routers.yaml"].rstrip() for config in configs] == [shipped.rstrip()] * 2


def test_a_changed_configuration_rolls_the_pods(helm: Helm, tmp_path: Path) -> None:
    def checksum(config: Path) -> str:
        deployment = of_kind(helm.template("--set-file", f"config={config}"), "Deployment")
        found: str = deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return found

    changed = tmp_path / "routers.yaml"
    changed.write_text(helm.config.read_text() + "# changed\n")
    assert checksum(helm.config) == checksum(helm.config) != checksum(changed)


def test_the_grace_period_is_longer_than_the_drain(helm: Helm) -> None:
    pod = of_kind(helm.template("--set", "drain.preStop=7,drain.timeout=100"), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 122 > 107 + KILL_AFTER
    (container,) = pod["containers"]
    assert "sleep(7)" in container["lifecycle"]["preStop"]["exec"]["command"][-1]


def test_every_pod_is_fit_for_the_restricted_level(helm: Helm) -> None:
    manifests = helm.template("--set", "valkey.enabled=true")
    pods = [
        m["spec"] if m["kind"] == "Pod" else m["spec"]["template"]["spec"]
        for m in manifests
        if m["kind"] in ("Pod", "Deployment", "Job")
    ]
    assert len(pods) == 4
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert container["resources"]["limits"]["memory"]


def test_keys_come_from_secrets_alone(helm: Helm) -> None:
    manifests = helm.template("--set", "secrets={provider-keys},secretFiles={vertex}")
    pod = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "provider-keys"}}]
    assert {"name": "secret-vertex", "mountPath": "/run/secrets/vertex", "readOnly": True} in container["volumeMounts"]
    assert not [manifest for manifest in manifests if manifest["kind"] == "Secret"]


def test_the_check_runs_before_anything_is_rolled(helm: Helm) -> None:
    job = of_kind(helm.template(), "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["backoffLimit"] == 0
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["check", "/etc/router-gateway/routers.yaml"]


def test_a_database_is_changed_after_the_check_by_who_may(helm: Helm) -> None:
    manifests = helm.template(*GOOD["a ledger in postgresql"])
    check, migrate = sorted(
        (m for m in manifests if m["kind"] == "Job"),
        key=lambda job: int(job["metadata"]["annotations"]["helm.sh/hook-weight"]),
    )
    assert check["metadata"]["name"] == "gw-router-gateway-check"
    assert migrate["metadata"]["name"] == "gw-router-gateway-migrate"
    (container,) = migrate["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["ledger", "migrate", "--config", "/etc/router-gateway/routers.yaml"]
    # Of two Secrets with one variable the later counts.
    assert [source["secretRef"]["name"] for source in container["envFrom"]] == ["ledger", "ledger-owner"]
    assert "envFrom" in check["spec"]["template"]["spec"]["containers"][0]


def volume_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """What is mounted where the gateway is started."""
    pod = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["mountPath"] == "/var/lib/router-gateway"]
    (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
    assert not mount.get("readOnly")
    return {name: value for name, value in volume.items() if name != "name"}


def test_a_spool_has_a_folder_by_default(helm: Helm) -> None:
    assert volume_of(helm.template()) == {"emptyDir": {"sizeLimit": "2Gi"}}


def test_sqlite_is_in_a_claim_that_one_pod_has(helm: Helm) -> None:
    manifests = helm.template(*GOOD["a ledger in sqlite"])
    claim = of_kind(manifests, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"]["storageClassName"] == "fast"
    assert volume_of(manifests) == {"persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
    deployment = of_kind(manifests, "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    own = helm.template(*GOOD["a ledger in a claim of one's own"])
    assert volume_of(own) == {"persistentVolumeClaim": {"claimName": "mine"}}
    assert not [manifest for manifest in own if manifest["kind"] == "PersistentVolumeClaim"]


def test_the_admin_api_is_apart_from_what_clients_reach(helm: Helm) -> None:
    manifests = helm.template(*GOOD["an admin api"], "--set", "ingress.enabled=true,ingress.hosts={ai.example.com}")
    services = {m["metadata"]["name"]: m for m in manifests if m["kind"] == "Service"}
    ports = {name: [port["name"] for port in service["spec"]["ports"]] for name, service in services.items()}
    assert ports == {"gw-router-gateway": ["http"], "gw-router-gateway-admin": ["admin"]}
    rules = of_kind(manifests, "NetworkPolicy")["spec"]["ingress"]
    peers = [{"namespaceSelector": {"matchLabels": {"team": "platform"}}}]
    assert rules[1:] == [{"ports": [{"port": "admin", "protocol": "TCP"}], "from": peers}]
    # What has no `from` lets everybody in: without peers there is no rule at all.
    nobody = helm.template(*config(admin=ADMIN), "--set", "admin.enabled=true,networkPolicy.enabled=true")
    assert [rule["ports"] for rule in of_kind(nobody, "NetworkPolicy")["spec"]["ingress"]] == [rules[0]["ports"]]
    (ingress,) = [m for m in manifests if m["kind"] == "Ingress"]
    paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    assert {path["backend"]["service"]["name"] for path in paths} == {"gw-router-gateway"}
    assert not [path for path in paths if path["path"].startswith("/admin")]


def test_selectors_do_not_take_in_the_pods_of_others(helm: Helm) -> None:
    manifests = helm.template("--set", "valkey.enabled=true")
    service = next(m for m in manifests if m["kind"] == "Service" and m["metadata"]["name"] == "gw-router-gateway")
    wanted = service["spec"]["selector"].items()
    taken = [
        m["metadata"]["name"] for m in manifests
        if m["kind"] in ("Deployment", "Job") and wanted <= m["spec"]["template"]["metadata"]["labels"].items()
    ]  # fmt: skip
    assert taken == ["gw-router-gateway"]


@pytest.mark.parametrize("tool", ["make_chart", "make_dashboard"])
def test_what_is_generated_is_fresh(tool: str) -> None:
    made: dict[Path, str] = runpy.run_path(str(ROOT / "tools" / f"{tool}.py"))["made"]()
    assert [path.name for path, text in made.items() if path.read_text("utf-8") != text] == []


def test_every_value_is_documented() -> None:
    values = runpy.run_path(str(ROOT / "tools" / "make_chart.py"))["values"]()
    assert [value.path for value in values if not value.text and not value.group] == []


@pytest.mark.parametrize("file", ["alerts.yaml", "dashboard.json"])
def test_only_metrics_that_exist_are_asked_for(file: str) -> None:
    text = (CHART / "files" / file).read_text("utf-8")
    if file.endswith(".json"):
        queries = [target["expr"] for panel in json.loads(text)["panels"] for target in panel.get("targets", ())]
    else:
        queries = [rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    assert len(queries) > 10
    known = set()
    for family in FAMILIES.values():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}[family.kind]
        known |= {family.name + ending for ending in endings}
    asked = {name for query in queries for name in re.findall(r"gateway_[a-z_]+", query)}
    assert asked
    assert asked - known == set()
