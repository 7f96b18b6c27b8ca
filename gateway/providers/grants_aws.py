"""AWS's temporary key pairs: for a role by the token of a web identity (IRSA), and from a container's own endpoint.

A pair is given as the text that sigv4 reads. Must not: send anything, read a file or a clock.

Source: docs.aws.amazon.com/STS, AssumeRoleWithWebIdentity; docs.aws.amazon.com/sdkref, container credential provider;
2026-11.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Final

import msgspec

from gateway.providers.grant import Question, Token, form, refused
from gateway.providers.sigv4 import read_credentials

CONTAINER_HOST: Final = "http://169.254.170.2"
SESSION: Final = "router-gateway"


class WebIdentity:
    """A role that is assumed with the token in `file`. endpoint: of STS."""

    lender: Final = "AWS STS"
    __slots__ = ("_role", "_session", "_url", "file")

    def __init__(self, role: str, file: str, endpoint: str, session: str = SESSION) -> None:
        self._role = role
        self._session = session
        self._url = f"{endpoint.rstrip('/')}/"
        self.file = file

    def question(self, now: float, text: str) -> Question:
        headers, body = form(
            Action="AssumeRoleWithWebIdentity",
            Version="2011-06-15",
            RoleArn=self._role,
            RoleSessionName=self._session,
            WebIdentityToken=text,
        )
        return Question("POST", self._url, (headers[0], ("accept", "text/xml")), body)

    def read(self, status: int, body: bytes, now: float) -> Token:
        answer = body.decode("utf-8", "replace")
        if status != 200:
            raise refused(status, ": ".join(filter(None, (_element(answer, "Code"), _element(answer, "Message")))))
        return _pair(
            _element(answer, "AccessKeyId"),
            _element(answer, "SecretAccessKey"),
            _element(answer, "SessionToken"),
            _element(answer, "Expiration"),
            now,
        )


class _Credentials(msgspec.Struct, rename="pascal"):
    access_key_id: str = ""
    secret_access_key: str = ""
    token: str = ""
    expiration: str = ""
    code: str = ""
    message: str = ""


class ContainerEndpoint:
    """What ECS and EKS lend a container. authorization: sent with the question; where it is `` and there is a file,
    that file's text is."""

    lender: Final = "the container's credential endpoint"
    __slots__ = ("_authorization", "_url", "file")

    def __init__(self, url: str, authorization: str = "", file: str = "") -> None:
        self._url = url
        self._authorization = authorization
        self.file = "" if authorization else file

    def __repr__(self) -> str:
        return "<credential endpoint of a container>"

    def question(self, now: float, text: str) -> Question:
        proof = self._authorization or text
        return Question(
            "GET", self._url, (("accept", "application/json"), *((("authorization", proof),) if proof else ()))
        )

    def read(self, status: int, body: bytes, now: float) -> Token:
        try:
            answer = msgspec.json.decode(body, type=_Credentials)
        except (ValueError, RecursionError):
            raise refused(status, "") from None
        if status != 200:
            raise refused(status, ": ".join(filter(None, (answer.code, answer.message))))
        return _pair(answer.access_key_id, answer.secret_access_key, answer.token, answer.expiration, now)


def _pair(access_key: str, secret_key: str, session_token: str, expiration: str, now: float) -> Token:
    text = ":".join((access_key, secret_key, session_token) if session_token else (access_key, secret_key))
    if read_credentials(text) is None:
        raise refused(200, "")
    try:
        end = datetime.fromisoformat(expiration)
    except ValueError:
        raise refused(200, "") from None
    return Token(text, (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp() - now)


def _element(answer: str, name: str) -> str:
    """The text of the first element of that name: the answers of STS have each once and none within another."""
    match = re.search(rf"<{name}>([^<]*)</{name}>", answer)
    return unescape(match[1]).strip() if match is not None else ""
