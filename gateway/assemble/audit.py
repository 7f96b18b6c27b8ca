"""From `audit:` and `privacy:` to the sink that writes lines, and to the layer that keeps replies for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.assemble.limits import UNIFIED_TAG
from gateway.config import spec as sp
from gateway.core.exchange import Layer
from gateway.core.key_material import key_bytes
from gateway.core.units import seconds, size_in_bytes
from gateway.pipeline.captured import captured
from gateway.runtime import Runtime
from gateway.telemetry.audit_entry import SLACK, LineMaker, SealUp
from gateway.telemetry.audit_file import AuditFile
from gateway.telemetry.audit_place import Place, StandardOutput, said
from gateway.telemetry.audit_shelf import Shelf
from gateway.telemetry.audit_sink import AuditSink


def privacy_of(spec: sp.Spec, policies: sp.Policies | None) -> sp.PrivacyLevel:
    """What holds for a route; None for those that go straight to a provider."""
    said = policies.privacy if policies is not None else None
    return (said or spec.global_.privacy or sp.Privacy()).log


def levels_of(spec: sp.Spec) -> Mapping[str, sp.PrivacyLevel]:
    """By the name that records have; `` stands for all others. A route that is like the others is not named, so that
    one that comes or goes changes nothing."""
    usual = privacy_of(spec, None)
    unified = privacy_of(spec, spec.unified_api)
    named = {
        UNIFIED_TAG: unified,
        "/v1": unified,
        **{name: privacy_of(spec, router) for name, router in spec.routers.items()},
    }
    return {"": usual, **{name: level for name, level in named.items() if level != usual}}


def captures(spec: sp.Spec, policies: sp.Policies | None) -> list[Layer]:
    """The layer of a route whose bodies are kept; no layer for the others."""
    audit = spec.audit
    if audit is None or privacy_of(spec, policies) != "full":
        return []
    return [captured(size_in_bytes(audit.max_body) + SLACK)]


def audit_for(audit: sp.AuditSettings, levels: Mapping[str, sp.PrivacyLevel], runtime: Runtime) -> AuditSink:
    """Nothing is opened yet."""
    usual = levels[""]

    def is_silent(router: str) -> bool:
        return levels.get(router, usual) == "none"

    maker = LineMaker(
        estimator=runtime.estimator,
        log=runtime.log,
        hash_key=key_bytes(audit.hash_key) if audit.hash_key is not None else None,
        hide_users=audit.users == "hashed",
        max_body=size_in_bytes(audit.max_body),
        seal=_seal_of(audit) if "full" in levels.values() else None,
    )
    runtime.metrics.expect_audit()
    return AuditSink(
        _place_of(audit, runtime),
        maker,
        is_silent=is_silent,
        most=audit.queue,
        count=runtime.metrics.count_audit,
        log=runtime.log,
    )


def _seal_of(audit: sp.AuditSettings) -> SealUp | None:
    if audit.encryption_key is None:
        return None
    # Only who encrypts waits for the library of ciphers.
    from gateway.telemetry.audit_seal import Seal

    return Seal(key_bytes(audit.encryption_key))


def _place_of(audit: sp.AuditSettings, runtime: Runtime) -> Place:
    match audit.to:
        case "stdout":
            return StandardOutput()
        case "otlp":
            from gateway.telemetry.audit_otlp import Collector

            assert audit.endpoint is not None, "the config's check has made sure of it"
            return Collector(audit.endpoint, audit.headers, seconds(audit.timeout))
        case "file":
            path, wall = Path(audit.path), runtime.clock.wall
            shelf = Shelf(
                path,
                compress=audit.compress,
                keep=audit.keep,
                retention=seconds(audit.retention),
                wall=wall,
                complain=lambda problem: runtime.log.write(
                    "warning", "audit files cannot be looked after", {"problem": said(problem)}
                ),
            )
            return AuditFile(
                path,
                size=size_in_bytes(audit.rotate_size),
                every=seconds(audit.rotate_every),
                shelf=shelf,
                wall=wall,
            )
