"""How a credential becomes a token that expires: what is asked, where, and what the answer says.

Lives here: the words that all grants share, and the answer of an OAuth token endpoint. The clouds' own grants stand in
the modules beside this one. Must not: send anything, read a file or a clock. No credential is in a repr.
"""

from __future__ import annotations

from typing import Final, Protocol
from urllib.parse import urlencode

import msgspec

_SHOWN: Final = 200
_ANONYMOUS_LIFETIME: Final = 300.0
"""Seconds for which a token is believed whose answer does not say: less than any vendor gives."""


class Question(msgspec.Struct, frozen=True):
    """A request to whoever lends tokens. headers and body may hold the credential."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<{self.method} {self.url}>"


class Token(msgspec.Struct, frozen=True):
    """lifetime: seconds from when it was asked for."""

    value: str
    lifetime: float

    def __repr__(self) -> str:
        return f"<token for {self.lifetime:g} s>"


class GrantRefused(Exception):
    """No token. The message is one clause and holds no credential. lasting: asking again alone will not help."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting: Final = lasting


class Grant(Protocol):
    """One way to tokens."""

    @property
    def lender(self) -> str:
        """Who is asked, for messages."""
        ...

    @property
    def file(self) -> str:
        """A file whose text is part of the question and changes with time; `` for none."""
        ...

    def question(self, now: float, text: str) -> Question:
        """now: Unix seconds. text: of the file."""
        ...

    def read(self, status: int, body: bytes, now: float) -> Token:
        """What was answered. GrantRefused."""
        ...


class _Answer(msgspec.Struct):
    access_token: str = ""
    expires_in: float = _ANONYMOUS_LIFETIME
    error: str = ""
    error_description: str = ""


def form(**fields: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Headers and body of a form."""
    headers = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))
    return headers, urlencode(fields).encode()


def read_oauth(status: int, body: bytes) -> Token:
    """The answer of a token endpoint (RFC 6749, 5). GrantRefused."""
    try:
        answer = msgspec.json.decode(body, type=_Answer, strict=False)
    except (ValueError, RecursionError):
        raise refused(status, "") from None
    token = answer.access_token
    if status == 200 and token and token.isascii() and token.isprintable() and " " not in token:
        return Token(token, answer.expires_in)
    said = ": ".join(part for part in (answer.error, answer.error_description) if part)
    raise refused(status, said)


def refused(status: int, said: str) -> GrantRefused:
    """said: the answer's own words, of which the first line is shown."""
    words = "".join(c if c.isprintable() else " " for c in said.partition("\n")[0])[:_SHOWN].strip()
    if status == 200:
        return GrantRefused("the answer holds no token")
    return GrantRefused(
        f"the answer is {status}" + (f" ({words})" if words else ""), lasting=400 <= status < 500 and status != 429
    )
