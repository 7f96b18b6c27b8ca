"""The gateway's own port and process, and the store that replicas share."""

from __future__ import annotations

from typing import Final

from gateway.config.change.comparison import At, Comparison, Graded, attribute
from gateway.core.units import seconds, size_in_bytes

_SERVER: Final = (
    Graded("max-body-size", size_in_bytes, "accepted-less", "accepted-more"),
    Graded("max-header-size", size_in_bytes, "accepted-less", "accepted-more"),
    Graded("body-timeout", seconds, "timeout-lowered", "timeout-raised"),
    Graded("drain-timeout", seconds, "timeout-lowered", "timeout-raised"),
)
_CODES: Final = {
    "host": "listen", "port": "listen", "engine": "engine", "upstream-engine": "engine", "workers": "process",
    "scheduling": "process",
}  # fmt: skip
_KNOWN: Final = (
    *map(attribute, _CODES), *(attribute(field.key) for field in _SERVER), "tls", "trusted_proxies", "logging",
)  # fmt: skip
_STORE: Final = (Graded("timeout", seconds, "store-link", "store-link"),)


def compare_server(found: Comparison) -> None:
    """All of `server`."""
    old, new = found.left.spec.server, found.right.spec.server
    at = At("gateway", ("server",), ("server",))
    for key, code in _CODES.items():
        found.plain(code, at.at(key), getattr(old, attribute(key)), getattr(new, attribute(key)))
    if (old.tls is None) != (new.tls is None):
        found.note("listen", at.at("tls"), "http -> https" if new.tls else "https -> http")
    elif old.tls is not None and new.tls is not None:
        for key in ("certificate", "key"):
            found.plain("certificate", at.at("tls", key), getattr(old.tls, key), getattr(new.tls, key))
    found.graded(_SERVER, at, old, new)
    found.rest(at, old, new, _KNOWN)
    found.plain("proxies", at.at("trusted-proxies"), sorted(old.trusted_proxies), sorted(new.trusted_proxies))
    for key in old.logging.__struct_fields__:
        found.plain("process", at.at("logging", key), getattr(old.logging, key), getattr(new.logging, key))


def compare_store(found: Comparison) -> None:
    """All of `store`."""
    old, new = found.left.spec.store, found.right.spec.store
    at = At("gateway", ("store",), ("store",))
    # Either may hold a password.
    found.plain("store", at.at("url"), old.url, new.url, secret=True)
    found.plain("store", at.at("key-prefix"), old.key_prefix, new.key_prefix)
    found.plain("store-outage", at.at("on-outage"), old.on_outage, new.on_outage)
    found.plain("store-link", at.at("client"), old.client, new.client)
    found.graded(_STORE, at, old, new)
    found.rest(at, old, new, ("url", "key_prefix", "on_outage", "client", "timeout"))
