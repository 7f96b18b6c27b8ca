"""The audit log: whether there is one, where it goes, how long it stays and who can read it."""

from __future__ import annotations

from typing import Final

from gateway.config.change.comparison import At, Comparison, Graded, attribute
from gateway.config.spec import Privacy
from gateway.core.units import seconds, size_in_bytes

_PLACE: Final = ("to", "path", "endpoint")
_KEYS: Final = ("hash-key", "encryption-key", "old-encryption-keys")
_KEPT: Final = (
    Graded("keep", None, "audit-kept-less", "audit-kept-more"),
    Graded("retention", seconds, "audit-kept-less", "audit-kept-more"),
    Graded("max-body", size_in_bytes, "audit-kept-less", "audit-kept-more"),
)
_PACE: Final = (
    Graded("rotate-size", size_in_bytes, "audit-pace", "audit-pace"),
    Graded("rotate-every", seconds, "audit-pace", "audit-pace"),
    Graded("queue", None, "audit-pace", "audit-pace"),
    Graded("timeout", seconds, "audit-pace", "audit-pace"),
)
_KNOWN: Final = (
    *map(attribute, (*_PLACE, *_KEYS)), *(attribute(field.key) for field in (*_KEPT, *_PACE)), "headers", "users",
    "compress", "plaintext_bodies",
)  # fmt: skip
_LEVELS: Final = ("none", "metadata", "full")


def compare_audit(found: Comparison) -> None:
    """All of `audit`."""
    old, new = found.left.spec.audit, found.right.spec.audit
    path = ("audit",)
    if old is None or new is None:
        if new is not None:
            found.note("audit-on", At("gateway", None, path), "there is an audit log")
        elif old is not None:
            found.note("audit-off", At("gateway", path, None), "there is no audit log")
        return
    at = At("gateway", path, path)
    for key in _PLACE:
        found.plain("audit-place", at.at(key), getattr(old, attribute(key)), getattr(new, attribute(key)))
    found.plain("audit-place", at.at("headers"), old.headers, new.headers, secret=True)
    for key in _KEYS:
        found.plain("audit-keys", at.at(key), getattr(old, attribute(key)), getattr(new, attribute(key)), secret=True)
    code = "audit-users-plain" if new.users == "plain" else "audit-users-hashed"
    found.plain(code, at.at("users"), old.users, new.users)
    code = "audit-plaintext" if new.plaintext_bodies else "audit-no-plaintext"
    found.plain(code, at.at("plaintext-bodies"), old.plaintext_bodies, new.plaintext_bodies)
    found.plain("audit-pace", at.at("compress"), old.compress, new.compress)
    found.graded(_KEPT, at, old, new)
    found.graded(_PACE, at, old, new)
    found.rest(at, old, new, _KNOWN)


def compare_privacy(found: Comparison, at: At, old: object, new: object) -> None:
    """What the audit log may say of a route. old, new: a `Privacy`, or None for what holds without one."""
    before = (old if isinstance(old, Privacy) else Privacy()).log
    after = (new if isinstance(new, Privacy) else Privacy()).log
    code = "privacy-more" if _LEVELS.index(after) > _LEVELS.index(before) else "privacy-less"
    found.plain(code, at.at("log"), before, after)
