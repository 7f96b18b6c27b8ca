"""All that changes in meaning from one config to another."""

from __future__ import annotations

from gateway.config.change.access import compare_access
from gateway.config.change.comparison import Change, Comparison
from gateway.config.change.providers import compare_providers
from gateway.config.change.routers import compare_routers
from gateway.config.change.server import compare_server, compare_store
from gateway.config.change.side import Side


def plan(old: Side, new: Side) -> tuple[Change, ...]:
    """The gravest changes first; among equals routers, then access, providers and the gateway itself. Comments, order
    of keys, spelling of amounts and the file that something stands in are no change."""
    found = Comparison(old, new)
    compare_routers(found)
    compare_access(found)
    compare_providers(found)
    compare_server(found)
    compare_store(found)
    return found.changes()
