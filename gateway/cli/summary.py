"""What is said at start: what is served, on which URL, with which keys, and what is off and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gateway import __version__
from gateway.assemble.endpoints import ANONYMOUS
from gateway.assemble.house import House
from gateway.config import spec as sp
from gateway.config.problem import Problem
from gateway.core.exchange import Group
from gateway.pipeline.endpoint import Endpoint

SHOWN: Final = 20
"""Routers, and warnings, that are shown one by one."""

_GROUPS: Sequence[Group] = ("chat", "embeddings", "images", "audio", "moderations", "rerank", "default")


def summary(house: House, config: str, warnings: Sequence[Problem]) -> list[str]:
    """Lines for people. config: the file's name as it was given."""
    server = house.spec.server
    base = f"{'https' if server.tls else 'http'}://{_shown_host(server.host)}:{server.port}"
    workers = f"{server.workers} worker{'s' if server.workers > 1 else ''}"
    lines = [
        f"router-gateway {__version__} serves {config} (config {house.hash}) at {base} with {server.engine}, {workers}",
        "",
        "Routers",
        *_shortened(_routers(house, base), "routers; /health lists them all"),
        *_stand_ins(house.spec),
        "",
        "Other routes",
        f"  {base}/v1/...          {_root_route(house.spec)}",
        f"  {base}/ai/...          provider from the model name",
        f"  {base}/<provider>/...  straight to a provider, such as {base}/echo/chat/completions",
        f"  {base}/health  /livez  /readyz  /metrics",
        *_admin(house.spec),
        "",
        "Providers",
        *_providers(house),
        "",
        f"Access: {_access(house.spec)}",
    ]
    if warnings:
        lines += [
            "",
            "Warnings",
            *_shortened(
                (f"  {problem.place}: {problem.message}" for problem in warnings),
                "warnings; `gateway check` lists them all",
            ),
        ]
    return lines


def _shortened(lines: Iterator[str], rest: str) -> list[str]:
    """The first lines, and how many of what there are beside them: a screen is read, a thousand lines are not."""
    found = list(lines)
    if len(found) <= SHOWN:
        return found
    return [*found[:SHOWN], f"  ... and {len(found) - SHOWN} more {rest}"]


def _routers(house: House, base: str) -> Iterator[str]:
    if not house.spec.routers:
        yield "  none"
        return
    width = max(map(len, house.spec.routers))
    for name, router in house.spec.routers.items():
        url = f"{base}/router/{name}"
        parts = []
        for group in _GROUPS:
            balance: sp.Balance | None = getattr(router.load_balance, group, None) if router.load_balance else None
            if balance is not None:
                targets = [
                    t if isinstance(t, str) else t.provider
                    for t in (*(balance.providers or ()), *(balance.models or ()))
                ]
                parts.append(f"{group}: {balance.strategy} over {', '.join(targets)}")
                usable = [t for t in targets if _has_key(house.endpoints.get(t.partition("/")[0]))]
                if not usable:
                    parts[-1] += "  OFF: no key"
        yield f"  {url}{' ' * (width - len(name))}  {'; '.join(parts)}"


def _stand_ins(spec: sp.Spec) -> Iterator[str]:
    """Where a router lists several vendors, a model name is not its own vendor's alone."""
    if any(len(_listed(router)) > 1 for router in spec.routers.values()):
        yield "  Where several providers are listed, a model's equivalents at the others may answer for it;"
        yield "  x-gateway-model tells which did, model-mappings say otherwise (docs/translation.md)"


def _admin(spec: sp.Spec) -> Iterator[str]:
    if spec.admin is None:
        return
    host = spec.server.host if spec.admin.host is None else spec.admin.host
    scheme = "https" if spec.server.tls else "http"
    keys = len(spec.admin.keys)
    asked = f"{keys} key{'s' if keys > 1 else ''}" if keys else "this machine alone"
    port = spec.server.port if spec.admin.port is None else spec.admin.port
    yield f"  {scheme}://{_shown_host(host)}:{port}/admin/api  for {asked}"


def _providers(house: House) -> Iterator[str]:
    named = _named(house.spec)
    on: list[str] = []
    local: list[str] = []
    off: list[str] = []
    for name, endpoint in house.endpoints.items():
        keys = [secret.name for secret in endpoint.pool.secrets]
        if keys == [ANONYMOUS]:
            local.append(name)
        elif keys:
            on.append(f"{name} ({len(keys)} key{'s' if len(keys) > 1 else ''}: {', '.join(keys)})")
        elif name in named:
            off.append(f"{name}: {endpoint.missing_key_hint}")
    yield f"  with keys     {'; '.join(on) or 'none'}"
    yield f"  without keys  {', '.join(local)} (they need none)"
    for line in off:
        yield f"  off           {line}"
    rest = sum(not len(endpoint.pool) for endpoint in house.endpoints.values()) - len(off)
    if rest:
        yield f"  {rest} more are known and have no key; docs/providers.md has the variable of each"


def _named(spec: sp.Spec) -> set[str]:
    """The providers that the file speaks of."""
    return set(spec.providers).union(*map(_listed, spec.routers.values()))


def _listed(router: sp.Router) -> set[str]:
    """The providers that a router lists."""
    names: set[str] = set()
    for group in _GROUPS:
        balance: sp.Balance | None = getattr(router.load_balance, group, None) if router.load_balance else None
        for target in (*(balance.providers or ()), *(balance.models or ())) if balance else ():
            names.add((target if isinstance(target, str) else target.provider).partition("/")[0])
    return names


def _has_key(endpoint: Endpoint | None) -> bool:
    return endpoint is not None and len(endpoint.pool) > 0


def _root_route(spec: sp.Spec) -> str:
    return f"the router {spec.default_router}" if spec.default_router else "the same as /ai/v1/..."


def _access(spec: sp.Spec) -> str:
    if spec.auth.mode == "keys":
        issuers = ", ".join(issuer.issuer for issuer in spec.auth.jwt)
        return f"gateway keys ({len(spec.auth.keys)})" + (f", tokens of {issuers}" if issuers else "")
    return "open" if spec.auth.mode == "open" else "open, because it listens on loopback only"


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
