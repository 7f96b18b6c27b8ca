"""An issuer of tokens: its keys, what it publishes of them, and whatever tokens a test wants signed.

Keys are made once for the whole run: an RSA key takes a tenth of a second.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.virtual_time import START, WALL

ISSUER: Final = "https://id.test"
AUDIENCE: Final = "gateway"
NOW: Final = WALL + START
"""Unix seconds at which a virtual loop begins."""

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def private_key(kind: str, name: str) -> Private:
    """kind: RSA, P-256, P-384, P-521 or Ed25519. name: another name, another key."""
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves: Mapping[str, type[ec.EllipticCurve]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
    return ec.generate_private_key(curves[kind]())


def public_jwk(kid: str = "one", kind: str = "RSA", name: str = "one", **members: Any) -> dict[str, Any]:
    """The public half, as an issuer publishes it."""
    key = private_key(kind, name).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        made = jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        made = jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        made = jwt.algorithms.OKPAlgorithm.to_jwk(key, as_dict=True)
    made.pop("key_ops", None)
    return {**made, "kid": kid, "use": "sig", **members}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys or [public_jwk()])}).encode()


def public_pem(kind: str = "RSA", name: str = "one") -> bytes:
    return private_key(kind, name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(**changes: Any) -> dict[str, Any]:
    """Good ones; a change to None leaves the claim out."""
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 3600, **changes}
    return {name: value for name, value in made.items() if value is not None}


def token(
    algorithm: str = "RS256",
    kind: str = "RSA",
    name: str = "one",
    header: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """A token that the key has really signed. header: more members of it; kid is `one` unless it says otherwise."""
    members = {"kid": "one", **(header or {})}
    members = {member: value for member, value in members.items() if value is not None}
    return jwt.encode(claims(**changes), private_key(kind, name), algorithm, headers=members)


def unsigned(payload: Mapping[str, Any], header: Mapping[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = [json.dumps(part).encode() for part in (header, payload)]
    return ".".join(_encoded(part) for part in (*parts, signature))


def signed_by_hand(payload: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    """A token that the key has signed, RS256, with a header that no library would write."""
    signing = unsigned(payload, header).rpartition(".")[0]
    key = private_key("RSA", "one")
    assert isinstance(key, rsa.RSAPrivateKey)
    return f"{signing}.{_encoded(key.sign(signing.encode(), padding.PKCS1v15(), SHA256()))}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
