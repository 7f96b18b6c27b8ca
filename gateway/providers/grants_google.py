"""Google's tokens: for a service account's signed assertion, for a user's refresh token, and from the metadata server.

Must not: send anything, read a file or a clock.

Source: developers.google.com/identity/protocols/oauth2/service-account; cloud.google.com/compute/docs/metadata;
google.aip.dev/auth/4112; 2026-11.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.providers.grant import Question, Token, form, read_oauth

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URI: Final = "https://oauth2.googleapis.com/token"
METADATA_HOST: Final = "metadata.google.internal"

_GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_METADATA_PATH: Final = "/computeMetadata/v1/instance/service-accounts/default/token"
_LIFETIME: Final = 3600
_EARLIER: Final = 10
"""Seconds by which an assertion is dated back, for a clock that is a little fast: Google takes none from the future."""


class _File(msgspec.Struct):
    type: str = ""
    project_id: str = ""
    quota_project_id: str = ""
    private_key_id: str = ""
    private_key: str = ""
    client_email: str = ""
    token_uri: str = TOKEN_URI
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""


class ServiceAccount:
    """A service account by its key. project: the one that its file names."""

    lender: Final = "Google's token endpoint"
    file: Final = ""
    __slots__ = ("_email", "_key", "_key_id", "_uri", "project")

    def __init__(self, email: str, key: RSAPrivateKey, key_id: str, uri: str, project: str) -> None:
        self._email = email
        self._key = key
        self._key_id = key_id
        self._uri = uri
        self.project = project

    def __repr__(self) -> str:
        return "<service account>"

    def question(self, now: float, text: str) -> Question:
        headers, body = form(grant_type=_GRANT_TYPE, assertion=self.assertion(now))
        return Question("POST", self._uri, headers, body)

    def assertion(self, now: float) -> str:
        """A JSON Web Token, signed with RS256, that asks for an access token. now: Unix seconds."""
        begins = int(now) - _EARLIER
        claims = {
            "iss": self._email, "scope": SCOPE, "aud": self._uri, "iat": begins, "exp": begins + _LIFETIME,
        }  # fmt: skip
        return jwt.encode(claims, self._key, "RS256", headers={"kid": self._key_id} if self._key_id else None)

    def read(self, status: int, body: bytes, now: float) -> Token:
        return read_oauth(status, body)


class RefreshToken:
    """A user's own credentials, as `gcloud auth application-default login` writes them."""

    lender: Final = "Google's token endpoint"
    file: Final = ""
    __slots__ = ("_fields", "_uri", "project")

    def __init__(self, client_id: str, client_secret: str, refresh_token: str, uri: str, project: str) -> None:
        self._fields = {"client_id": client_id, "client_secret": client_secret, "refresh_token": refresh_token}
        self._uri = uri
        self.project = project

    def __repr__(self) -> str:
        return "<credentials of a user>"

    def question(self, now: float, text: str) -> Question:
        headers, body = form(grant_type="refresh_token", **self._fields)
        return Question("POST", self._uri, headers, body)

    def read(self, status: int, body: bytes, now: float) -> Token:
        return read_oauth(status, body)


class MetadataServer:
    """The account of the machine, or of the pod, that this runs on. host: may have a port."""

    lender: Final = "the metadata server"
    file: Final = ""
    __slots__ = ("_url",)

    def __init__(self, host: str = METADATA_HOST) -> None:
        self._url = f"http://{host}{_METADATA_PATH}"

    def question(self, now: float, text: str) -> Question:
        return Question("GET", self._url, (("metadata-flavor", "Google"), ("accept", "application/json")))

    def read(self, status: int, body: bytes, now: float) -> Token:
        return read_oauth(status, body)


def read_account(text: str) -> ServiceAccount | RefreshToken:
    """The credentials in a JSON file of Google's. ValueError: what is wrong with it, and nothing of what is in it."""
    try:
        found = msgspec.json.decode(text, type=_File)
    except (ValueError, RecursionError):
        raise ValueError("it is not the JSON of a service account's key") from None
    uri = urlsplit(found.token_uri)
    if uri.scheme not in ("https", "http") or not uri.hostname:
        raise ValueError("its `token_uri` is no URL")
    if found.type == "authorized_user":
        wanted = {name: getattr(found, name) for name in ("client_id", "client_secret", "refresh_token")}
        _complete(wanted)
        return RefreshToken(**wanted, uri=found.token_uri, project=found.quota_project_id)
    if found.type != "service_account":
        kind = found.type if found.type.isidentifier() and len(found.type) < 40 else ""
        raise ValueError(f"its `type` is `{kind}`; a `service_account` or an `authorized_user` is understood")
    _complete({"client_email": found.client_email, "private_key": found.private_key})
    try:
        key = load_pem_private_key(found.private_key.encode(), None)
    except (ValueError, TypeError):
        raise ValueError("its `private_key` cannot be read: it is to be PEM, with its line breaks") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("its `private_key` is not an RSA key")
    return ServiceAccount(found.client_email, key, found.private_key_id, found.token_uri, found.project_id)


def _complete(members: dict[str, str]) -> None:
    missing = [name for name, value in members.items() if not value]
    if missing:
        raise ValueError(f"it has no {' and no '.join(f'`{name}`' for name in missing)}")
