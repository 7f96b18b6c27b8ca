"""Providers: where they are, what they are told, and with whose account."""

from __future__ import annotations

from typing import Final

from gateway.config.change.comparison import At, Comparison, attribute, shown
from gateway.config.change.credentials import compare_credentials
from gateway.config.spec import Provider
from gateway.providers.catalog import CATALOG

_HERE: Final = ("keys", "models", "models_closed", "operations", "enabled", "headers", "key_pool", "breaker")
_CODES: Final = {
    "base_url": "provider-address", "dialect": "provider-dialect", "api_version": "provider-dialect",
    "auth": "provider-auth", "project": "provider-account", "region": "provider-account",
    "deployments": "provider-account", "stream_usage": "pacing",
}  # fmt: skip


def compare_providers(found: Comparison) -> None:
    """All of `providers`. One that the catalog knows is there whether the file names it or not."""
    olds, news = found.left.spec.providers, found.right.spec.providers
    for name in dict.fromkeys((*olds, *news)):
        at = At(f"provider {name}", ("providers", name), ("providers", name))
        if name not in news and name not in CATALOG:
            found.note("provider-removed", at.alone(old=at.old), f"`{name}` is removed")
        elif name not in olds and name not in CATALOG:
            new = news[name] or Provider()
            found.note("provider-added", at.alone(new=at.new), f"`{name}`, {new.dialect or 'of no dialect'}")
        else:
            _provider(found, at, olds.get(name) or Provider(), news.get(name) or Provider())


def _provider(found: Comparison, at: At, old: Provider, new: Provider) -> None:
    found.plain("provider-enabled" if new.enabled else "provider-disabled", at.at("enabled"), old.enabled, new.enabled)
    for field in old.__struct_fields__:
        if field not in _HERE:
            key = field.replace("_", "-")
            found.plain(_CODES.get(field, "other"), at.at(key), getattr(old, field), getattr(new, field))
    names = [name for name in {**old.headers, **new.headers} if old.headers.get(name) != new.headers.get(name)]
    if names:
        found.note("provider-headers", at.at("headers"), f"`headers`: {shown(sorted(names))}")
    compare_credentials(found, at.at("keys"), old.keys, new.keys)
    _models(found, at, old, new)
    _operations(found, at.at("operations"), old, new)
    for key in ("key-pool", "breaker"):
        before, after = getattr(old, attribute(key)), getattr(new, attribute(key))
        for field in before.__struct_fields__:
            here = at.at(key, field.replace("_", "-"))
            found.measured("pacing", here, getattr(before, field), getattr(after, field))


def _models(found: Comparison, at: At, old: Provider, new: Provider) -> None:
    gone, come = sorted(set(old.models) - set(new.models)), sorted(set(new.models) - set(old.models))
    if new.models_closed and not old.models_closed:
        found.note("models-refused", at.at("models-closed"), "models that are not listed are refused")
    if old.models_closed and not new.models_closed:
        found.note("models-widened", at.at("models-closed"), "models that are not listed are let through")
    if gone:
        found.note("models-refused" if new.models_closed else "models-narrowed", at.at("models"), f"no {shown(gone)}")
    if come:
        found.note("models-widened", at.at("models"), f"{shown(come)} too")


def _operations(found: Comparison, at: At, old: Provider, new: Provider) -> None:
    before, after = old.operations, new.operations
    if before == after or (before is not None and after is not None and set(before) == set(after)):
        return
    words = f"`operations`: {shown(before or 'all it has')} -> {shown(after or 'all it has')}"
    narrowed = after is not None and (before is None or not set(before) <= set(after))
    found.note("operations-narrowed" if narrowed else "operations-widened", at, words)
