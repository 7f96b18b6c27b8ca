"""Entra ID's tokens: for an application's secret, or for the token of a federated identity.

Must not: send anything, read a file or a clock.

Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow; azure.github.io/
azure-workload-identity/docs; 2026-11.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from gateway.providers.grant import Question, Token, form, read_oauth

SCOPE: Final = "https://cognitiveservices.azure.com/.default"
AUTHORITY: Final = "https://login.microsoftonline.com"
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class EntraApplication:
    """An application by its secret, or where that is `` by the token in `file`."""

    lender: Final = "Entra ID"
    __slots__ = ("_client", "_secret", "_url", "file")

    def __init__(self, tenant: str, client: str, secret: str, file: str, authority: str = AUTHORITY) -> None:
        self._url = f"{authority.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
        self._client = client
        self._secret = secret
        self.file = "" if secret else file

    def __repr__(self) -> str:
        return "<application of Entra ID>"

    def question(self, now: float, text: str) -> Question:
        proof = (
            {"client_secret": self._secret}
            if self._secret
            else {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": text}
        )
        headers, body = form(grant_type="client_credentials", client_id=self._client, scope=SCOPE, **proof)
        return Question("POST", self._url, headers, body)

    def read(self, status: int, body: bytes, now: float) -> Token:
        return read_oauth(status, body)
