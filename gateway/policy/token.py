"""JSON Web Tokens: how one is taken apart, which keys of an issuer could have signed it, and whether one has.

The cryptography is PyJWT's. What is decided here is what may reach it: the algorithm is one that the config lists for
the issuer, none of them symmetric, and a key is made for one algorithm and one alone, so a public key can never be
taken for an HMAC secret. Nothing is fetched here and no claim is judged.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import jwt
import msgspec

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

MAX_TOKEN: Final = 16 * 1024
MAX_KEYS: Final = 100
_FAMILIES: Final[Mapping[str, tuple[str, str]]] = {
    "RS": ("RSA", ""), "PS": ("RSA", ""), "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"), "EdDSA": ("OKP", "Ed25519"),
}  # fmt: skip
_SHAPE: Final = re.compile(rb"ey[A-Za-z0-9_-]+\.ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# A key that is too short is refused, not warned of.
_JWS: Final = jwt.PyJWS(options={"enforce_minimum_key_length": True})


class TokenError(Exception):
    """A token that no key can make good. The message is for the client and quotes nothing of it."""


class Header(msgspec.Struct):
    """A token's header, unverified. PyJWT refuses what else it may demand (`crit`, `b64`)."""

    alg: str = ""
    kid: str = ""


class _Issued(msgspec.Struct):
    iss: str = ""


class Jwk(msgspec.Struct):
    """A key as an issuer publishes it, as far as it matters whether it is one for us."""

    kty: str = ""
    kid: str = ""
    use: str = ""
    alg: str = ""
    crv: str = ""


class _JwkSet(msgspec.Struct):
    keys: list[msgspec.Raw]


class Key(msgspec.Struct, frozen=True):
    """A public key, ready to verify one algorithm."""

    kid: str
    algorithm: str
    verifying: jwt.PyJWK


def is_token(credential: bytes) -> bool:
    """Whether it has the shape of a signed JWT: two JSON objects and a signature, in base64url."""
    return credential[:2] == b"ey" and len(credential) <= MAX_TOKEN and _SHAPE.fullmatch(credential) is not None


def header_and_issuer(token: bytes) -> tuple[Header, str]:
    """What an unverified token says of its key and its issuer: enough to look for the key. TokenError."""
    header, payload, _ = token.split(b".")
    try:
        issued = msgspec.json.decode(_decoded(payload), type=_Issued)
        return msgspec.json.decode(_decoded(header), type=Header), issued.iss
    except (ValueError, RecursionError):
        raise TokenError("The token cannot be read.") from None


def verified_claims(token: bytes, key: Key) -> dict[str, object]:
    """The claims of a token that this key has signed. TokenError."""
    try:
        payload = _JWS.decode_complete(token, key.verifying, [key.algorithm])["payload"]
        return msgspec.json.decode(payload, type=dict[str, object])
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenError("The token's signature is not good.") from None


def read_keys(text: bytes, algorithms: Sequence[str]) -> tuple[Key, ...]:
    """The keys of a JWKS that can verify one of the algorithms; others are passed over, symmetric ones always.
    ValueError when it is no JWKS, or has no key for any of them."""
    keys: list[Key] = []
    try:
        entries = msgspec.json.decode(text, type=_JwkSet).keys
    except (ValueError, RecursionError):
        raise ValueError("it is not a JSON Web Key Set") from None
    for raw in entries[:MAX_KEYS]:
        try:
            entry = msgspec.json.decode(raw, type=Jwk)
            plain = msgspec.json.decode(raw, type=dict[str, object])
        except (ValueError, RecursionError):
            continue
        for algorithm in algorithms:
            if _fits(entry, algorithm):
                try:
                    keys.append(Key(entry.kid, algorithm, jwt.PyJWK(plain, algorithm)))
                except Exception:  # noqa: S112  # a key of whatever odd shape is one key less
                    continue
    if not keys:
        raise ValueError(f"it has no key for {', '.join(algorithms)}")
    return tuple(keys)


def pick_key(keys: Sequence[Key], header: Header) -> Key | None:
    """The key that a header names, or the only one of its algorithm when it names none."""
    fitting = [key for key in keys if key.algorithm == header.alg and (not header.kid or key.kid == header.kid)]
    return fitting[0] if len(fitting) == 1 or (fitting and header.kid) else None


def _fits(entry: Jwk, algorithm: str) -> bool:
    kind, curve = _FAMILIES[algorithm if algorithm in _FAMILIES else algorithm[:2]]
    return (
        entry.kty == kind
        and (not curve or entry.crv == curve)
        and entry.use in ("", "sig")
        and entry.alg in ("", algorithm)
    )


def _decoded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
