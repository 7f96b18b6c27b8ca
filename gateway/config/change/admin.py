"""The admin API: where it is, and who may use it."""

from __future__ import annotations

from typing import Final

from gateway.config.change.access import compare_expiry
from gateway.config.change.comparison import At, Comparison, attribute
from gateway.config.spec import AdminKey, AdminSettings

_KNOWN: Final = ("host", "port", "keys")
_KNOWN_OF_KEYS: Final = ("name", "hash", "role", "expires")


def compare_admin(found: Comparison) -> None:
    """All of `admin`."""
    old, new = found.left.spec.admin, found.right.spec.admin
    path = ("admin",)
    if old is None or new is None:
        if new is not None:
            found.note("admin-on", At("admin", None, path), "the admin API is on")
        elif old is not None:
            found.note("admin-off", At("admin", path, None), "the admin API is off")
        return
    at = At("admin", path, path)
    for key in ("host", "port"):
        found.plain("admin-listen", at.at(key), getattr(old, attribute(key)), getattr(new, attribute(key)))
    _keys(found, at, old, new)
    found.rest(at, old, new, _KNOWN)


def _keys(found: Comparison, at: At, old: AdminSettings, new: AdminSettings) -> None:
    if old.keys and not new.keys:
        found.note("admin-opened", at.at("keys"), "nobody is asked for an admin key")
        return
    olds = {key.name: (index, key) for index, key in enumerate(old.keys)}
    news = {key.name: (index, key) for index, key in enumerate(new.keys)}
    for name in dict.fromkeys((*olds, *news)):
        about = f"admin key {name}"
        if name not in news:
            gone = At(about, ("admin", "keys", olds[name][0]), None)
            found.note("admin-key-removed", gone, f"`{name}` is removed")
        elif name not in olds:
            index, key = news[name]
            found.note("admin-key-added", At(about, None, ("admin", "keys", index)), f"`{name}` may {key.role}")
        else:
            (before, first), (after, second) = olds[name], news[name]
            _key(found, At(about, ("admin", "keys", before), ("admin", "keys", after)), first, second)


def _key(found: Comparison, at: At, old: AdminKey, new: AdminKey) -> None:
    found.plain("key-replaced", at.at("hash"), old.hash, new.hash, secret=True)
    code = "admin-role-raised" if new.role == "write" else "admin-role-lowered"
    found.plain(code, at.at("role"), old.role, new.role)
    compare_expiry(found, at.at("expires"), old.expires, new.expires)
    found.rest(at, old, new, _KNOWN_OF_KEYS)
