"""What a format without streams offers to translation: to read and to write its requests and its whole replies.

Lives here: the protocol, and what every such request and reply has. Readers raise as those of chat do (codec.py):
GatewayError for a client's mistake, UpstreamFault("malformed") for a provider's, and nothing else.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

import msgspec

from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Call, Headers
from gateway.core.usage import Usage
from gateway.dialects.body import Decoder
from gateway.dialects.canonical import Echo, Encoded, Loss, TargetFacts
from gateway.dialects.faults import is_json_reply

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


class WholeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is answered at once. model: as the client wrote it. unread: members that the decoder saw and the
    form has no place for. lost: what its reader itself knows to be of no use elsewhere."""

    model: str
    unread: tuple[str, ...] = ()
    lost: tuple[Loss, ...] = ()


class WholeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A reply. model: as the provider says, `` where it does not. id: the provider's."""

    model: str = ""
    id: str = ""
    usage: Usage | None = None


Q = TypeVar("Q", bound=WholeRequest)
A = TypeVar("A", bound=WholeAnswer)
T = TypeVar("T")


class WholeCodec(Protocol[Q, A]):
    """One wire format. A reply is read and written with the request at hand: how many vectors are due, and in which
    form, stands only there."""

    def read_request(self, body: bytes, call: Call) -> Q: ...

    def write_request(self, request: Q, facts: TargetFacts) -> Encoded:
        """Never raises: what cannot be written is in the losses."""
        ...

    def read_reply(self, body: bytes, headers: Headers, request: Q) -> A: ...

    def write_reply(self, answer: A, request: Q, echo: Echo) -> bytes: ...


def read_answer(decoder: Decoder[T], body: bytes, headers: Headers, what: str) -> T:
    """A provider's reply. what: its name in the fault's message."""
    if not is_json_reply(headers, body):
        raise UpstreamFault("malformed", f"The provider sent something else than {what}.")
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        raise UpstreamFault("malformed", f"The provider's reply is not {what}: {error}") from None


def mistake(param: str, said: str) -> GatewayError:
    """A client's mistake in one member."""
    return GatewayError("invalid_request", f"`{param}`: {said}", param=param)
