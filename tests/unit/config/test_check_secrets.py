from __future__ import annotations

import pytest

from gateway.config.check_secrets import is_secret
from gateway.config.problem import Path

RANDOM = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zC"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("providers", "a", "keys", 0), "anything"),
        (("providers", "a", "keys", 0, "value"), "anything"),
        (("providers", "a", "keys", 0, "azure", "secret"), "anything"),
        (("routers", "a", "load-balance", "chat", "providers", 0, "keys", 0, "aws", "secret-access-key"), "anything"),
        (("providers", "a", "keys", 0), "${env:NAME:-anything}"),
        (("auth", "pepper"), "anything"),
        (("auth", "keys", 0, "signing-secret"), "anything"),
        (("providers", "a", "headers", "X-Api-Key"), "anything"),
        (("providers", "a", "region"), "AKIA" + "Q" * 16),
        (("store", "url"), "redis://user:word@host/0"),
        (("store", "key-prefix"), RANDOM),
        (("providers", "a", "headers", "x-account"), f"account={RANDOM}"),
        (("server", "tls", "key"), "-----BEGIN RSA PRIVATE KEY-----"),
    ],
)
def test_a_credential(path: Path, text: str) -> None:
    assert is_secret(path, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("providers", "a", "keys", 0), "${env:NAME}"),
        (("providers", "a", "keys", 0, "value"), "${file:/run/secrets/name}"),
        (("providers", "a", "keys", 0, "name"), "main"),
        (("providers", "a", "keys", 0, "azure", "tenant"), "0b6b0d4e-2f4b-4e5e-9d5c-3a1c6e5f7a90"),
        (("providers", "a", "keys", 0, "aws", "access-key-id"), "AKIA" + "Q" * 16),
        (("providers", "a", "headers", "authorization"), "Bearer ${env:NAME}"),
        (("auth", "keys", 0, "hash"), "sha256:" + "0123456789abcdef" * 4),
        (("auth", "pepper"), ""),
        (("store", "url"), "redis://user:${env:PASSWORD}@host/0"),
        (("store", "url"), "${env:REDIS_URL:-redis://localhost:6379/0}"),
        (("global", "model-mappings", "value"), "claude-sonnet-4-5-20250929"),
        (("global", "model-mappings", "x"), "Qwen/Qwen2.5-Coder-32B-Instruct-GPTQ-Int4"),
        (("providers", "a", "base-url"), "https://sk-not-a-key-but-a-host-name.internal/v1"),
    ],
)
def test_no_credential(path: Path, text: str) -> None:
    assert not is_secret(path, text)
