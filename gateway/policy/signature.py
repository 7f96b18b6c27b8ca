"""Signed requests: what is signed, and whether a signature is good.

    v1=hex(hmac-sha256(secret, method \n path?query \n timestamp \n nonce \n hex(sha256(body))))

The secret itself never travels. A signature is good for one request, in a window of time around its timestamp;
that its nonce was not seen before is for a store to say, and is asked last, so that only who has the secret can
fill that store. Pure: the time is an argument.
"""

from __future__ import annotations

import re
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final

import msgspec

WINDOW: Final = 300
"""Seconds that a timestamp may differ from the gateway's clock, either way."""

KEPT: Final = 2 * WINDOW + 1
"""Seconds after which a nonce may be forgotten: its timestamp, however early it came, is out of the window."""

_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")
_NONCE: Final = re.compile(rb"[A-Za-z0-9_-]{16,64}")
_SIGNATURE: Final = re.compile(rb"v1=[0-9a-f]{64}")


class Signature(msgspec.Struct, frozen=True, gc=False):
    """The four headers of a signed request, as sent; `` for one that is missing."""

    key: bytes
    timestamp: bytes
    nonce: bytes
    value: bytes


def signed_text(method: str, target: bytes, timestamp: bytes, nonce: bytes, body: bytes) -> bytes:
    """What the signature is over. target: the path, with `?` and the query where there is one, as on the wire."""
    return b"\n".join((method.encode("ascii"), target, timestamp, nonce, sha256(body).hexdigest().encode()))


def problem_of(signature: Signature, secret: bytes, method: str, target: bytes, body: bytes, now: float) -> str:
    """Why a signature is not good, as a sentence for the client, or ``. now: Unix seconds.

    The cheap questions come first: a body is hashed only for a request of this window.
    """
    for name, value, shape in (
        ("x-gateway-timestamp", signature.timestamp, _TIMESTAMP),
        ("x-gateway-nonce", signature.nonce, _NONCE),
        ("x-gateway-signature", signature.value, _SIGNATURE),
    ):
        if not value:
            return f"The header {name} is missing: this key signs its requests."
        if not shape.fullmatch(value):
            return f"The header {name} is not what it should be: {_EXPECTED[name]}."
    late = now - int(signature.timestamp)
    if abs(late) > WINDOW:
        side = "behind" if late > 0 else "ahead of"
        return f"The timestamp is {abs(late):.0f} s {side} the gateway's clock; {WINDOW} s are allowed."
    wanted = hmac_digest(secret, signed_text(method, target, signature.timestamp, signature.nonce, body), "sha256")
    if not compare_digest(wanted, bytes.fromhex(signature.value[3:].decode("ascii"))):
        return "The signature is not that of this method, path, query, timestamp, nonce and body with the key's secret."
    return ""


_EXPECTED: Final = {
    "x-gateway-timestamp": "Unix seconds, a whole number",
    "x-gateway-nonce": "16 to 64 of A-Z a-z 0-9 _ -, never the same twice",
    "x-gateway-signature": "`v1=` and 64 lower-case hex digits",
}
