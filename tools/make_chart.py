"""Writes what of the chart follows from something else: `make schema` runs it, and a test fails when it was not run.

helm/values.schema.json         from values.yaml, its comments, SHAPES below, and the schema of routers.yaml
helm/README.md                  from the comments of values.yaml
helm/files/routers.schema.json  the schema that the templates look keys up in
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
CHART: Final = ROOT / "helm"

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT}
MAPPING: Final[Schema] = {"type": "object"}
MAPPINGS: Final[Schema] = {"type": "array", "items": MAPPING}
LABELS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
NAME: Final[Schema] = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}
NAMES: Final[Schema] = {"type": "array", "items": NAME}
PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65535}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
INTERVAL: Final[Schema] = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}
PATHS: Final[Schema] = {"type": "array", "items": {"type": "string", "pattern": "^/"}, "minItems": 1}
PEERS: Final[Schema] = {
    "type": "object", "additionalProperties": False, "properties": {"port": PORT, "to": MAPPINGS}
}  # fmt: skip


def or_nothing(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


SHAPES: Final[dict[str, Schema]] = {
    "config": {"anyOf": [TEXT, {"$ref": "#/$defs/routers"}, {"type": "null"}]},
    "existingConfigMap": {"anyOf": [NAME, {"const": ""}]},
    "secrets": NAMES,
    "secretFiles": NAMES,
    "externalSecrets": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "store", "keys"],
            "additionalProperties": False,
            "properties": {
                "name": NAME,
                "store": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {"name": NAME, "kind": {"enum": ["SecretStore", "ClusterSecretStore"]}},
                },
                "refreshInterval": INTERVAL,
                "keys": {"type": "object", "minProperties": 1, "additionalProperties": MAPPING},
            },
        },
    },
    "env": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "value": TEXT,
                "valueFrom": MAPPING,
            },
        },
    },
    "image.repository": {"type": "string", "minLength": 1},
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "imagePullSecrets": NAMES,
    "replicas": {"type": "integer", "minimum": 0},
    "workers": or_nothing({"type": "integer", "minimum": 1, "maximum": 256}),
    "strategy": MAPPING,
    "revisionHistoryLimit": COUNT,
    "drain.preStop": COUNT,
    "drain.timeout": {"type": "integer", "minimum": 1},
    "resources": MAPPING,
    "data.volume": {"enum": ["none", "emptyDir", "claim"]},
    "data.size": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?([KMGTPE]i?)?$"},
    "data.storageClass": {"anyOf": [NAME, {"const": ""}]},
    "data.existingClaim": {"anyOf": [NAME, {"const": ""}]},
    "ledger.migrate.secrets": NAMES,
    "admin.port": PORT,
    "admin.from": MAPPINGS,
    "admin.annotations": LABELS,
    "service.type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "service.port": PORT,
    "service.annotations": LABELS,
    "ingress.annotations": LABELS,
    "ingress.hosts": TEXTS,
    "ingress.paths": PATHS,
    "ingress.tls": MAPPINGS,
    "httpRoute.parentRefs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    "httpRoute.hostnames": TEXTS,
    "httpRoute.paths": PATHS,
    "httpRoute.timeout": {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))*$"},
    "autoscaling.min": {"type": "integer", "minimum": 1},
    "autoscaling.max": {"type": "integer", "minimum": 1},
    "autoscaling.cpu": or_nothing({"type": "integer", "minimum": 1, "maximum": 1000}),
    "autoscaling.inFlight": or_nothing({"type": "integer", "minimum": 1}),
    "keda.min": COUNT,
    "keda.max": {"type": "integer", "minimum": 1},
    "keda.prometheus": {"type": "string", "pattern": "^(https?://.+)?$"},
    "keda.inFlight": {"type": "integer", "minimum": 1},
    "podDisruptionBudget.maxUnavailable": {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+%$"}]
    },
    "networkPolicy.from": MAPPINGS,
    "networkPolicy.providerPorts": {"type": "array", "items": PORT, "minItems": 1},
    "networkPolicy.store": PEERS,
    "networkPolicy.database": PEERS,
    "networkPolicy.collector": PEERS,
    "networkPolicy.egress": MAPPINGS,
    "serviceAccount.annotations": LABELS,
    "metrics.serviceMonitor.interval": INTERVAL,
    "metrics.serviceMonitor.labels": LABELS,
    "metrics.podMonitor.interval": INTERVAL,
    "metrics.podMonitor.labels": LABELS,
    "metrics.rules.labels": LABELS,
    "metrics.dashboard.labels": LABELS,
    "valkey.resources": MAPPING,
    "commonLabels": LABELS,
    "podAnnotations": LABELS,
    "podLabels": LABELS,
    "podSecurityContext": MAPPING,
    "securityContext": MAPPING,
    "nodeSelector": LABELS,
    "tolerations": MAPPINGS,
    "affinity": MAPPING,
    "topologySpreadConstraints": MAPPINGS,
    "extraVolumes": MAPPINGS,
    "extraVolumeMounts": MAPPINGS,
    "probes.period": {"type": "integer", "minimum": 1},
    "probes.startupFailures": {"type": "integer", "minimum": 1},
}
"""What the default of a value does not say of its type."""


class Value(msgspec.Struct, frozen=True):
    """One value: its place with dots, its default, what is said of it, and whether it holds others."""

    path: str
    default: object
    text: str
    group: bool


def values() -> list[Value]:
    source = (CHART / "values.yaml").read_text("utf-8")
    root = yaml.compose(source, yaml.SafeLoader)
    assert root is not None
    return list(_walk(root, "", source.splitlines()))


def _walk(node: yaml.Node, under: str, lines: list[str]) -> Iterator[Value]:
    assert isinstance(node, yaml.MappingNode)
    for key, inner in node.value:
        path = f"{under}{key.value}"
        text = _comment(lines, key.start_mark.line)
        group = isinstance(inner, yaml.MappingNode) and path not in SHAPES
        default = yaml.SafeLoader("").construct_object(inner, deep=True)
        yield Value(path, default, text, group)
        if group:
            yield from _walk(inner, f"{path}.", lines)


def _comment(lines: list[str], key_line: int) -> str:
    said: list[str] = []
    for line in reversed(lines[:key_line]):
        stripped = line.strip()
        if not stripped.startswith("#"):
            break
        said.insert(0, stripped.lstrip("# "))
        if stripped.startswith("# -- "):
            return " ".join(said).removeprefix("-- ")
    return ""


def schema(routers: Schema) -> Schema:
    root: Schema = {"type": "object", "additionalProperties": False, "properties": {"global": MAPPING}}
    places = {"": root}
    for value in values():
        under, _, name = value.path.rpartition(".")
        made = _of(value)
        if value.text:
            made = {"description": value.text, **made}
        places[under]["properties"][name] = places[value.path] = made
    definitions = {f"routers-{name}": _moved(inner) for name, inner in routers["$defs"].items()}
    whole = {key: _moved(inner) for key, inner in routers.items() if key not in ("$defs", "$schema", "$id")}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart router-gateway",
        **root,
        "$defs": {"routers": whole, **definitions},
    }


def _of(value: Value) -> Schema:
    if value.path in SHAPES:
        return dict(SHAPES[value.path])
    if value.group:
        return {"type": "object", "additionalProperties": False, "properties": {}}
    match value.default:
        case bool():
            return {"type": "boolean"}
        case str():
            return dict(TEXT)
        case _:
            raise SystemExit(f"{value.path}: its default does not say its type; add it to SHAPES")


def _moved(node: Any) -> Any:
    """The same schema, its definitions found under other names, and a text with a reference (`${env:NAME}`) allowed
    where a text must have a form: what it stands for is known in the Pod alone, and `gateway check` looks at that."""
    if isinstance(node, list):
        return [_moved(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    moved = {key: _moved(inner) for key, inner in node.items()}
    if isinstance(reference := moved.get("$ref"), str):
        moved["$ref"] = reference.replace("#/$defs/", "#/$defs/routers-")
    if isinstance(form := moved.get("pattern"), str):
        moved["pattern"] = rf"\$\{{(env|file):|{form}"
    return moved


def readme() -> str:
    head = (CHART / "README.md.in").read_text("utf-8")
    rows = ["| value | default | what it is for |", "|---|---|---|"]
    for value in values():
        if not value.group or value.text:
            default = "" if value.group else f"`{json.dumps(value.default, separators=(', ', ': '))}`"
            text = re.sub(r"([|])", r"\\\1", value.text)
            rows.append(f"| `{value.path}` | {default} | {text} |")
    return head + "\n".join(rows) + "\n"


def made() -> dict[Path, str]:
    """The files, and what is to stand in them."""
    routers = (ROOT / "schemas" / "routers.schema.json").read_text("utf-8")
    return {
        CHART / "files" / "routers.schema.json": routers,
        CHART / "values.schema.json": json.dumps(schema(json.loads(routers)), indent=1) + "\n",
        CHART / "README.md": readme(),
    }


def main() -> int:
    stale = [path for path, text in made().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: make schema", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(made()[path], "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
