"""AWS's Signature Version 4: a request's proof as a pure function of the request, the credentials and the time.

Lives here: signing, the text form of AWS credentials, and when a bearer key is sent instead. Must not: read an
environment or a clock. No credential is in a repr.

Source: docs.aws.amazon.com/IAM, Signature Version 4 for API requests, and Bedrock API keys; 2026-11.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote, urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_REGION: Final = re.compile(r"(?:^|\.)(?:bedrock(?:-[a-z]+)*)(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.")
_PAIR: Final = re.compile(r"([A-Z0-9]{16,128}):([^\s:]{16,}?)(?::(\S+))?")
_SPACES: Final = re.compile(r" +")

SERVICE: Final = "bedrock"
"""What Bedrock's runtime is called in a signature."""


class Credentials:
    """A key pair, with the session token that temporary ones have."""

    __slots__ = ("access_key", "secret_key", "session_token")

    def __init__(self, access_key: str, secret_key: str, session_token: str = "") -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.session_token = session_token

    def __repr__(self) -> str:
        return "<AWS credentials>"


def read_credentials(text: str) -> Credentials | None:
    """`ACCESS_KEY_ID:SECRET_ACCESS_KEY`, with `:SESSION_TOKEN` behind it where there is one; None for anything else,
    which is a bearer key."""
    match = _PAIR.fullmatch(text.strip())
    return Credentials(match[1], match[2], match[3] or "") if match is not None else None


def region_of(url: str) -> str:
    """The region in a Bedrock address (`bedrock-runtime.eu-west-1.amazonaws.com`), `` where there is none."""
    match = _REGION.search(urlsplit(url).hostname or "")
    return match[1] if match is not None else ""


def authorize(
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    credential: str,
    now: float,
    region: str = "",
) -> list[tuple[str, str]]:
    """The headers that prove a request to Bedrock: signed for a key pair, else a bearer key. now: Unix seconds.
    region: where the address does not tell."""
    pair = read_credentials(credential)
    if pair is None:
        return [("authorization", f"Bearer {credential.strip()}")]
    return sign(method, url, headers, body, pair, now, region or region_of(url) or "us-east-1")


def sign(
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    credentials: Credentials,
    now: float,
    region: str,
    service: str = SERVICE,
) -> list[tuple[str, str]]:
    """The headers to add: `x-amz-date`, `x-amz-security-token` where there is one, `authorization`.

    url as it will be sent. Of the headers, content-type, host and those that begin with `x-amz-` are signed, for what
    is between here and AWS may change others. now: Unix seconds.
    """
    parts = urlsplit(url)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    added = [("x-amz-date", stamp)]
    if credentials.session_token:
        added.append(("x-amz-security-token", credentials.session_token))
    signed: dict[str, list[str]] = {"host": [_host(parts.hostname or "", parts.port, parts.scheme)]}
    for name, value in (*headers, *added):
        lower = name.lower()
        if lower == "content-type" or lower.startswith("x-amz-"):
            signed.setdefault(lower, []).append(_SPACES.sub(" ", value.strip()))
    names = sorted(signed)
    canonical = "\n".join(
        (
            method.upper(),
            quote(parts.path or "/", safe="/~"),
            _canonical_query(parts.query),
            *(f"{name}:{','.join(signed[name])}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = b"AWS4" + credentials.secret_key.encode()
    for step in (stamp[:8], region, service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    proof = f"Credential={credentials.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return [*added, ("authorization", f"{_ALGORITHM} {proof}")]


def _host(name: str, port: int | None, scheme: str) -> str:
    usual = {"https": 443, "http": 80}.get(scheme)
    return name if port is None or port == usual else f"{name}:{port}"


def _canonical_query(query: str) -> str:
    """Names and values, encoded in AWS's own way and sorted."""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = [(quote(unquote(name), safe="~"), quote(unquote(value), safe="~")) for name, _, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))
