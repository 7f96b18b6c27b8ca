"""Credentials. The only way to the text is `reveal()`, so that a log line, an error or a repr can
show no more than the name."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol


class Secret:
    """A credential that prints as its name. Equality is identity: comparing secrets is done by
    digest, in constant time, where it is needed."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> str:
        """The credential itself. Call it only where the bytes go on the wire."""
        return self._value

    def __repr__(self) -> str:
        return f"<secret {self.name}>"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not pickled")


class Lender(Protocol):
    """Whoever gives tokens that expire."""

    def token(self) -> Awaitable[str]:
        """The one that is good now, asked for where there is none. UpstreamFault("unauthorized") where none is to be
        had."""
        ...

    def forget(self) -> None:
        """A provider has refused the token."""
        ...


class LentSecret(Secret):
    """A credential that is never sent itself: what is sent is a token that its lender gives for it."""

    __slots__ = ("lender",)

    def __init__(self, name: str, value: str, lender: Lender) -> None:
        super().__init__(name, value)
        self.lender = lender
