from __future__ import annotations

import hmac
import json
from typing import get_args

import pytest

from gateway.policy.token import (
    MAX_TOKEN,
    Algorithm,
    Header,
    TokenError,
    header_and_issuer,
    is_token,
    pick_key,
    read_keys,
    verified_claims,
)
from tests.support.issuer import claims, jwks, public_jwk, public_pem, signed_by_hand, token, unsigned

KINDS = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_every_algorithm_that_can_be_configured_verifies(algorithm: str) -> None:
    kind = KINDS.get(algorithm, "RSA")
    keys = read_keys(jwks(public_jwk(kind=kind)), [algorithm])
    signed = token(algorithm, kind).encode()
    header, issuer = header_and_issuer(signed)
    key = pick_key(keys, header)
    assert key is not None
    assert (issuer, verified_claims(signed, key)["sub"]) == ("https://id.test", "alice")


def test_a_key_is_for_one_algorithm_alone() -> None:
    [key] = read_keys(jwks(), ["RS256"])
    for algorithm in ("RS512", "PS256"):
        with pytest.raises(TokenError):
            verified_claims(token(algorithm).encode(), key)


def test_a_public_key_is_never_a_secret() -> None:
    """The oldest forgery there is: sign with HMAC, the published key being the secret."""
    [key] = read_keys(jwks(), ["RS256"])
    for secret in (public_pem(), jwks(), json.dumps(public_jwk()).encode()):
        for algorithm in ("HS256", "RS256"):
            forged = unsigned(claims(), {"alg": algorithm, "kid": "one", "typ": "JWT"})
            signing = forged.rpartition(".")[0]
            forged = unsigned(
                claims(),
                {"alg": algorithm, "kid": "one", "typ": "JWT"},
                hmac.digest(secret, signing.encode(), "sha256"),
            )
            with pytest.raises(TokenError):
                verified_claims(forged.encode(), key)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 5])
def test_a_token_without_a_signature_is_none(algorithm: object) -> None:
    [key] = read_keys(jwks(), ["RS256"])
    for signature in (b"", b"x"):
        with pytest.raises(TokenError):
            verified_claims(unsigned(claims(), {"alg": algorithm, "kid": "one"}, signature).encode(), key)


def test_what_was_changed_after_signing_is_none() -> None:
    [key] = read_keys(jwks(), ["RS256"])
    head, _, signature = token().split(".")
    other = token(sub="mallory").split(".")[1]
    for forged in (f"{head}.{other}.{signature}", f"{head}.{other}.{signature[:-4]}", token(name="two")):
        with pytest.raises(TokenError):
            verified_claims(forged.encode(), key)


@pytest.mark.parametrize(
    "header", [{"crit": ["b64"], "b64": False}, {"b64": False}, {"crit": ["exp"]}, {"crit": "exp"}]
)
def test_what_a_token_demands_to_be_understood_and_is_not_makes_it_none(header: dict[str, object]) -> None:
    [key] = read_keys(jwks(), ["RS256"])
    plain = {"alg": "RS256", "kid": "one"}
    assert verified_claims(signed_by_hand(claims(), plain).encode(), key)["sub"] == "alice"
    with pytest.raises(TokenError):
        verified_claims(signed_by_hand(claims(), {**plain, **header}).encode(), key)


@pytest.mark.parametrize("algorithm", ["rs256", "RS384", "PS256", "HS256", "none", ""])
def test_a_good_signature_under_another_algorithms_name_is_none(algorithm: str) -> None:
    [key] = read_keys(jwks(), ["RS256"])
    with pytest.raises(TokenError):
        verified_claims(signed_by_hand(claims(), {"alg": algorithm, "kid": "one"}).encode(), key)


@pytest.mark.parametrize(
    "credential",
    [b"", b"gw_1", b"ey.ey.", b"eyJ.eyJ", b"eyJ.eyJ.x.y", b"eyJ.eyJ.x.y.z", b" eyJ.eyJ.x", b"eyJ.eyJ.x\n",
     b"eyJ=.eyJ.x", b"eyJ.eyJ." + b"x" * MAX_TOKEN],
)  # fmt: skip
def test_what_has_another_shape_is_no_token(credential: bytes) -> None:
    assert not is_token(credential)


@pytest.mark.parametrize("part", [b"eyJ", b"ey8", b"eyI", b"eyJhIjoxfQ"])
def test_what_cannot_be_read_is_told_so(part: bytes) -> None:
    credential = b"%s.%s.x" % (part, b"eyJ")
    assert is_token(credential)
    with pytest.raises(TokenError, match="cannot be read"):
        header_and_issuer(credential)


def test_a_header_of_the_wrong_kind_cannot_be_read() -> None:
    for header in ({"alg": 5}, {"kid": ["one"]}):
        with pytest.raises(TokenError, match="cannot be read"):
            header_and_issuer(unsigned({"iss": "x"}, header, b"x").encode())
    with pytest.raises(TokenError, match="cannot be read"):
        header_and_issuer(unsigned({"iss": ["x"]}, {"alg": "RS256"}, b"x").encode())


def test_keys_for_something_else_are_passed_over() -> None:
    text = jwks(
        public_jwk("enc", use="enc"),
        public_jwk("other", alg="RS512"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "sneaky", "alg": "RS256"},
        public_jwk("curve", kind="P-384"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "half"},
        {"kty": ["RSA"]},
        public_jwk("good"),
    )
    assert [(key.kid, key.algorithm) for key in read_keys(text, ["RS256", "ES256"])] == [("good", "RS256")]


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[5]}', b"<html>", b"[" * 9999]
)
def test_what_has_no_keys_is_no_key_set(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"it (is not|has no)"):
        read_keys(text, ["RS256"])


def test_the_named_key_is_picked_or_the_only_one() -> None:
    keys = read_keys(jwks(public_jwk("one"), public_jwk("two", name="two")), ["RS256"])
    assert pick_key(keys, Header("RS256", "two")) is keys[1]
    assert pick_key(keys, Header("RS256", "three")) is None
    assert pick_key(keys, Header("ES256", "one")) is None
    assert pick_key(keys, Header("RS256")) is None, "two could be meant"
    assert pick_key(keys[:1], Header("RS256")) is keys[0]


def test_a_key_that_is_too_short_is_not_trusted() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from jwt.algorithms import RSAAlgorithm

    short = rsa.generate_private_key(65537, 1024)
    text = json.dumps({"keys": [{**RSAAlgorithm.to_jwk(short.public_key(), as_dict=True), "kid": "one"}]}).encode()
    import warnings

    import jwt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signed = jwt.encode(claims(), short, "RS256", headers={"kid": "one"}).encode()
    [key] = read_keys(text, ["RS256"])
    with pytest.raises(TokenError):
        verified_claims(signed, key)
