"""Rules about `audit` and `privacy`: nothing private is written by oversight, nothing promised in vain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.check_traces import outgoing_address
from gateway.config.problem import Path, Problem
from gateway.config.spec import AuditSettings
from gateway.config.subject import Rule, Subject
from gateway.core.key_material import key_bytes
from gateway.core.units import seconds, size_in_bytes

_SIZES: Final = ("rotate-size", "max-body")
_TIMES: Final = ("rotate-every", "retention", "timeout")
_OF_FILES: Final = ("path", "rotate-size", "rotate-every", "compress", "keep", "retention")
_OF_POSTS: Final = ("endpoint", "headers", "timeout")
_MAKE: Final = "`openssl rand -base64 32` makes one; give it as `${env:NAME}` or `${file:/path}`"


def keys(subject: Subject) -> Iterator[Problem]:
    audit = subject.spec.audit
    if audit is None:
        return
    given: list[tuple[Path, str | None]] = [
        (("audit", "hash-key"), audit.hash_key),
        (("audit", "encryption-key"), audit.encryption_key),
        *((("audit", "old-encryption-keys", index), key) for index, key in enumerate(audit.old_encryption_keys)),
    ]
    for path, text in given:
        if text is not None:
            try:
                key_bytes(text)
            except ValueError as problem:
                yield subject.origins.error("audit-key", path, f"this is no key: {problem}", _MAKE)
    if audit.users == "hashed" and audit.hash_key is None:
        yield subject.origins.error(
            "audit-key",
            ("audit", "users"),
            "end users cannot be hashed without a key: whoever guesses a name could tell that the guess is right",
            f"add `hash-key`; {_MAKE}",
        )


def bodies(subject: Subject) -> Iterator[Problem]:
    """`full` is either encrypted, or said twice."""
    audit = subject.spec.audit
    for path, policies in subject.policies:
        if policies.privacy is None or policies.privacy.log != "full":
            continue
        at = (*path, "privacy", "log")
        if audit is None:
            yield subject.origins.warning(
                "audit-absent", at, "no bodies are kept, because there is no audit log", "add `audit`, or remove this"
            )
        elif audit.encryption_key is None and not audit.plaintext_bodies:
            yield subject.origins.error(
                "audit-plaintext",
                at,
                "bodies would be written as they are, for everybody to read who can read the audit log",
                f"give `audit.encryption-key` ({_MAKE}), or say `audit: {{plaintext-bodies: true}}`",
            )


def places(subject: Subject) -> Iterator[Problem]:
    audit = subject.spec.audit
    if audit is None:
        return
    if audit.to == "otlp":
        if audit.endpoint is None:
            yield subject.origins.error(
                "audit-endpoint",
                ("audit", "to"),
                "it is not said where log records are posted",
                "add `endpoint: http://otel-collector:4318/v1/logs`",
            )
        else:
            yield from outgoing_address(subject, ("audit", "endpoint"), audit.endpoint)
    useless = (*(_OF_FILES if audit.to != "file" else ()), *(_OF_POSTS if audit.to != "otlp" else ()))
    for key in useless:
        if subject.origins.node(("audit", key)) is not None:
            yield subject.origins.warning(
                "audit-inert", ("audit", key), f"it has no effect with `to: {audit.to}`", "remove it", at_key=True
            )


def amounts(subject: Subject) -> Iterator[Problem]:
    audit = subject.spec.audit
    if audit is None:
        return
    for key in (*_SIZES, *_TIMES):
        if not _amount(audit, key):
            yield subject.origins.error(
                "audit-amount", ("audit", key), "must be larger than 0", "remove it, for the usual"
            )
    if audit.rotate_every and 0 < seconds(audit.retention) < seconds(audit.rotate_every):
        yield subject.origins.warning(
            "audit-amount",
            ("audit", "retention" if subject.origins.node(("audit", "retention")) is not None else "rotate-every"),
            f"lines are kept for longer than `retention` ({audit.retention}): files are put aside every "
            f"{audit.rotate_every}, and whole files are deleted",
            "let `rotate-every` be shorter",
        )


def _amount(audit: AuditSettings, key: str) -> float:
    text: str = getattr(audit, key.replace("-", "_"))
    return size_in_bytes(text) if key in _SIZES else seconds(text)


AUDIT_RULES: Final[tuple[Rule, ...]] = (keys, bodies, places, amounts)
