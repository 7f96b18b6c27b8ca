"""`audit`: a line for each exchange, and `privacy`: what may be in it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Base, Confidential, Duration, Size, Url

PrivacyLevel = Literal["none", "metadata", "full"]

AuditKey = Annotated[
    str,
    Meta(description="32 random bytes as base64: `openssl rand -base64 32`.", examples=["${env:AUDIT_KEY}"]),
]


class Privacy(Base, frozen=True):
    """What the audit log may say of a route's requests."""

    log: Annotated[
        PrivacyLevel,
        Meta(
            description="`none`: no line at all. `metadata`: who, what, when, how much, and nothing of what was said. `full`: the bodies too."
        ),
    ] = "metadata"


class AuditSettings(Confidential, frozen=True):
    """A line of JSON for each exchange (schemas/audit.schema.json)."""

    to: Annotated[
        Literal["file", "stdout", "otlp"],
        Meta(description="Where lines go: a file, standard output, or a collector of OpenTelemetry's as log records."),
    ] = "file"
    path: Annotated[str, Meta(min_length=1, description="The file. Its folder is made when it is not there.")] = (
        "audit.jsonl"
    )
    rotate_size: Annotated[Size, Meta(description="A file that has become so large is put aside.")] = "100MiB"
    rotate_every: Annotated[
        Duration, Meta(description="And so often whatever its size, counted from midnight UTC: `1h`, `1d`.")
    ] = "1d"
    compress: Annotated[bool, Meta(description="Files that were put aside are compressed (gzip).")] = True
    keep: Annotated[
        int, Meta(ge=1, le=1_000_000, description="So many files that were put aside are kept; older ones are deleted.")
    ] = 1000
    retention: Annotated[
        Duration, Meta(description="A file that was put aside is deleted when its last line is so old.")
    ] = "90d"
    endpoint: Annotated[
        Url | None,
        Meta(
            description="With `to: otlp`: where log records are posted, the whole URL (OTLP over HTTP, JSON).",
            examples=["http://otel-collector:4318/v1/logs"],
        ),
    ] = None
    headers: Annotated[
        dict[str, str],
        Meta(
            description="Sent with every post to `endpoint`.", examples=[{"authorization": "Bearer ${env:OTEL_TOKEN}"}]
        ),
    ] = {}
    users: Annotated[
        Literal["plain", "hashed"],
        Meta(
            description="End users: as the request names them, or hashed with `hash-key`, so that equal ones stay equal."
        ),
    ] = "plain"
    hash_key: Annotated[
        AuditKey | None,
        Meta(
            description="What end users and digests of bodies are hashed with. Without it whoever guesses a body can tell from its digest that the guess is right."
        ),
    ] = None
    encryption_key: Annotated[
        AuditKey | None,
        Meta(description="What bodies are encrypted with (AES-256-GCM), where `privacy.log` is `full`."),
    ] = None
    old_encryption_keys: Annotated[
        tuple[AuditKey, ...],
        Meta(description="Keys from before: `gateway audit` still reads with them, nothing is written with them."),
    ] = ()
    plaintext_bodies: Annotated[
        bool, Meta(description="Bodies may be written as they are, without `encryption-key`.")
    ] = False
    max_body: Annotated[Size, Meta(description="Of each body so much is kept, where `privacy.log` is `full`.")] = (
        "64KiB"
    )
    queue: Annotated[
        int,
        Meta(
            ge=1, le=1_000_000, description="So many lines at most wait to be written; more are dropped, and counted."
        ),
    ] = 10_000
    timeout: Annotated[Duration, Meta(description="How long one post to `endpoint` may take.")] = "10s"
