from __future__ import annotations

import hmac
from hashlib import sha256

import msgspec
import pytest

from gateway.policy.signature import KEPT, WINDOW, Signature, problem_of, signed_text

SECRET = b"s" * 43
NOW = 1_800_000_000.0
TARGET = b"/router/a/v1/chat/completions?x=1"
BODY = b'{"model":"gpt-4o"}'


def signature(
    secret: bytes = SECRET,
    method: str = "POST",
    target: bytes = TARGET,
    at: float = NOW,
    nonce: bytes = b"n" * 16,
    body: bytes = BODY,
) -> Signature:
    timestamp = b"%d" % at
    text = b"\n".join([method.encode(), target, timestamp, nonce, sha256(body).hexdigest().encode()])
    return Signature(b"ci", timestamp, nonce, b"v1=" + hmac.new(secret, text, sha256).hexdigest().encode())


def problem(of: Signature, now: float = NOW, target: bytes = TARGET, body: bytes = BODY, method: str = "POST") -> str:
    return problem_of(of, SECRET, method, target, body, now)


def test_what_is_signed_is_what_the_docs_say() -> None:
    assert signed_text("GET", b"/a?b", b"1", b"n", b"") == b"GET\n/a?b\n1\nn\n" + sha256(b"").hexdigest().encode()


@pytest.mark.parametrize("late", [0, -WINDOW, WINDOW])
def test_a_good_signature_is_good_in_its_window(late: float) -> None:
    assert problem(signature(), NOW + late) == ""


@pytest.mark.parametrize(("late", "said"), [(WINDOW + 1, "301 s behind"), (-WINDOW - 1, "301 s ahead of")])
def test_outside_of_it_the_difference_is_told(late: float, said: str) -> None:
    assert said in problem(signature(), NOW + late)


def test_a_nonce_is_kept_until_its_signature_is_void() -> None:
    assert problem(signature(), NOW - WINDOW) == ""
    assert problem(signature(), NOW - WINDOW + KEPT) != ""


@pytest.mark.parametrize(
    "other",
    [
        signature(secret=b"t" * 43), signature(method="GET"), signature(target=b"/router/b/v1/chat/completions?x=1"),
        signature(target=TARGET[:-1]), signature(body=BODY + b" "),
        msgspec.structs.replace(signature(), nonce=b"m" * 16),
        msgspec.structs.replace(signature(), timestamp=b"%d" % (NOW + 1)),
    ],
)  # fmt: skip
def test_a_signature_of_anything_else_is_none_of_this(other: Signature) -> None:
    assert "not that of this method" in problem(other)


@pytest.mark.parametrize(
    ("field", "value", "header"),
    [
        ("timestamp", b"", "x-gateway-timestamp"), ("timestamp", b"-1", "x-gateway-timestamp"),
        ("timestamp", b"1e9", "x-gateway-timestamp"), ("timestamp", b"1800000000.0", "x-gateway-timestamp"),
        ("timestamp", b"9" * 13, "x-gateway-timestamp"), ("timestamp", "\u0661".encode(), "x-gateway-timestamp"),
        ("nonce", b"", "x-gateway-nonce"), ("nonce", b"n" * 15, "x-gateway-nonce"),
        ("nonce", b"n" * 65, "x-gateway-nonce"), ("nonce", b"n" * 16 + b"\n", "x-gateway-nonce"),
        ("value", b"", "x-gateway-signature"), ("value", b"v2=" + b"0" * 64, "x-gateway-signature"),
        ("value", b"v1=" + b"0" * 63, "x-gateway-signature"), ("value", b"v1=" + b"A" * 64, "x-gateway-signature"),
    ],
)  # fmt: skip
def test_what_is_missing_or_misshapen_is_named(field: str, value: bytes, header: str) -> None:
    assert header in problem(msgspec.structs.replace(signature(), **{field: value}))
