"""Under which key an answer is kept: equal for requests that mean the same, and for no others.

Pure, and on the path of every request of a cached route. SHA-256, because a key that two requests share by accident, or
by somebody's effort, gives one the other's answer.

The body's JSON is put in order: neither the order of members nor white space nor the way in which a string or a number
is written matters. `1` and `1.0` stay apart: a provider may tell them apart, and a cache must not know better. Members
that do not change the answer are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from gateway.core.exchange import Call

KEY_LENGTH: Final = 64
SHOWN: Final = 16
"""Hex digits of a key that a client is shown: enough to name it, too few to be it."""

_LEFT_OUT: Final = ("stream", "stream_options", "user", "metadata")
_OBJECT: Final = msgspec.json.Decoder(dict[str, object])
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, OverflowError)

Members = dict[str, object]


def members_of(body: bytes) -> Members | None:
    """The body's members without those that do not change the answer; None when it is not a JSON object that can be
    put in order."""
    try:
        members = _OBJECT.decode(body)
    except _UNREADABLE:
        return None
    for name in _LEFT_OUT:
        members.pop(name, None)
    return members


def surroundings(call: Call, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """What beside the body says what is asked: the dialect, the operation, where it is in the path, and the headers
    by which a client chooses another form of the answer.

    headers: those that count, in the order they came. Gemini's two actions of one operation are one here, as `stream`
    is elsewhere.
    """
    in_path = call.in_path
    place = "" if call.operation == "generate" else call.suffix
    parts: tuple[str, ...] = (
        call.dialect,
        call.operation,
        place,
        call.version if in_path else "",
        call.model if in_path else "",
    )
    if query:
        parts += tuple(
            sorted(part for part in query.decode("latin-1").split("&") if part not in ("alt=sse", "alt=json"))
        )
    if headers:
        parts += tuple(sorted((name + b":" + value).decode("latin-1") for name, value in headers))
    return parts


def key_of(scope: Sequence[str], around: tuple[str, ...], members: Members) -> str | None:
    """64 hex digits. scope: whose it is, the router, and the seed. None when the body cannot be put in order."""
    try:
        return sha256(_ENCODER.encode((scope, around, members))).hexdigest()
    except _UNREADABLE:
        return None


def stored_name(router: str, key: str, variant: int) -> str:
    """The name of a variant in the store. The braces put all variants of a key into one slot of a cluster."""
    return f"{router}:{{{key}}}{variant}"


def shown_name(router: str, key: str) -> str:
    """How a key is named to clients, and to `gateway cache purge --prefix`."""
    return f"{router}:{key[:SHOWN]}"


def stored_prefix(shown: str) -> str:
    """What the stored names begin with whose shown names begin so. A router's own prefix is `name:`; `` is all."""
    router, colon, key = shown.partition(":")
    return f"{router}:{{{key}" if colon else router
