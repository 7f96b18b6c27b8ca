"""What can be wrong with a store, told so that somebody can mend it. No text of the store's own is repeated beyond its
first words: an answer may quote what was sent."""

from __future__ import annotations

import ssl
from typing import Final

from gateway.store.protocol import StoreDown

_BY_WORD: Final[tuple[tuple[str, str, str], ...]] = (
    ("NOAUTH", "auth", "it wants a password: write redis://:PASSWORD@host into store.url"),
    ("WRONGPASS", "auth", "it refuses the user name or password of store.url"),
    ("invalid password", "auth", "it refuses the password of store.url"),
    ("without any password", "auth", "it has no password, and store.url gives one: take it out, or set `requirepass`"),
    (
        "NOPERM",
        "permission",
        "its user may not do this: allow it `+@read +@write +@scripting +@connection +time` on our keys",
    ),
    ("READONLY", "read-only", "it is a read-only replica: name the primary in store.url, or use redis+sentinel://"),
    ("OOM", "full", "its memory is full: raise its `maxmemory`, or set a `maxmemory-policy` that evicts"),
    ("MISCONF", "disk", "it refuses writes because it cannot save to its disk: free space there, or see its log"),
    ("NOREPLICAS", "replicas", "it refuses writes because it has too few replicas: see its `min-replicas-to-write`"),
    ("UNKILLABLE", "busy", "a script of somebody blocks it and has written: it must be restarted"),
    ("BUSY", "busy", "a script of somebody blocks it: `SCRIPT KILL` ends that"),
    ("killed by user", "killed", "somebody ended our script with SCRIPT KILL"),
    ("LOADING", "loading", "it is still loading its data"),
    ("MASTERDOWN", "loading", "it is a replica that has lost its primary"),
    ("CLUSTERDOWN", "cluster", "the cluster does not serve all its slots"),
    ("MOVED", "cluster", "it is a node of a cluster: use redis+cluster:// in store.url"),
    ("ASK", "cluster", "it is a node of a cluster: use redis+cluster:// in store.url"),
    ("CROSSSLOT", "cluster", "keys of one call are in several slots"),
)

_OF_ONE_CALL: Final = frozenset(("killed", "error"))
"""Kinds that tell nothing of the next call."""


def refusal(text: str) -> StoreDown:
    """What a server's error reply means."""
    for word, kind, advice in _BY_WORD:
        if text.startswith(word) or (not word.isupper() and word in text) or f"-{word} " in text:
            return StoreDown(f"the store answers {word}: {advice}" if word.isupper() else f"the store: {advice}", kind)
    # Up to the first quotation: that is where Redis repeats what it was sent.
    shown = text.partition("'")[0].partition("`")[0].partition(",")[0].strip()[:100]
    return StoreDown(f"the store answers with an error: {shown}", "error")


def unreachable(place: str, failure: BaseException) -> StoreDown:
    """Why there is no connection. place: host and port."""
    match failure:
        case StoreDown():
            return failure
        case TimeoutError():
            return StoreDown(f"the store at {place} does not answer in time: is it up, and store.url right?", "timeout")
        case ssl.SSLError():
            reason = getattr(failure, "verify_message", "") or getattr(failure, "reason", "") or "no TLS there"
            return StoreDown(f"no TLS with the store at {place}: {reason}; see `?ssl_ca_certs=` in store.url", "tls")
        case ConnectionRefusedError():
            return StoreDown(f"the store at {place} refuses the connection: is it up, and store.url right?", "refused")
        case OSError():
            reason = failure.strerror or type(failure).__name__
            return StoreDown(f"the store at {place} is not reached: {reason}", "unreachable")
        case _:
            return StoreDown(f"the store at {place} is not reached: {type(failure).__name__}", "unreachable")


def too_late(place: str) -> StoreDown:
    return unreachable(place, TimeoutError())


def lost(place: str) -> StoreDown:
    return StoreDown(f"the store at {place} closed the connection", "lost")


def garbage(place: str) -> StoreDown:
    return StoreDown(f"what answers at {place} does not speak Redis' protocol: is store.url right?", "garbage")


def ends_the_connection(fault: StoreDown) -> bool:
    """Whether the next call would meet the same, so that it is left until a probe has seen it gone."""
    return fault.kind not in _OF_ONE_CALL
