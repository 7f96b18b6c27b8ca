"""The ledger: what a change of it does to what is kept."""

from __future__ import annotations

from typing import Final

from gateway.config.change.comparison import At, Comparison, Graded
from gateway.core.units import seconds, size_in_bytes

_PACE: Final = (
    Graded("batch", seconds, "ledger-pace", "ledger-pace"),
    Graded("queue", None, "ledger-pace", "ledger-pace"),
    Graded("max-spool", size_in_bytes, "ledger-pace", "ledger-pace"),
)
_RETENTION: Final = (Graded("retention", seconds, "ledger-kept-shorter", "ledger-kept-longer"),)
_KNOWN: Final = ("url", "batch", "queue", "on_full", "spool", "max_spool", "retention")


def compare_ledger(found: Comparison) -> None:
    """All of `ledger`."""
    old, new = found.left.spec.ledger, found.right.spec.ledger
    path = ("ledger",)
    if old is None or new is None:
        if new is not None:
            found.note("ledger-on", At("gateway", None, path), "the ledger is kept")
        elif old is not None:
            found.note("ledger-off", At("gateway", path, None), "the ledger is not kept any more")
        return
    at = At("gateway", path, path)
    # Either may hold a password.
    found.plain("ledger-place", at.at("url"), old.url, new.url, secret=True)
    found.plain("ledger-spool", at.at("spool"), old.spool, new.spool)
    found.plain("ledger-full", at.at("on-full"), old.on_full, new.on_full)
    found.graded(_PACE, at, old, new)
    if old.retention is None or new.retention is None:
        code = "ledger-kept-longer" if new.retention is None else "ledger-kept-shorter"
        found.plain(code, at.at("retention"), old.retention, new.retention)
    else:
        found.graded(_RETENTION, at, old, new)
    found.rest(at, old, new, _KNOWN)
