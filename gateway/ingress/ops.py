"""The pages for operators: is it alive, can it serve, how is it, what does it count.

/livez    the process answers
/readyz   it can serve with what it has; 503 while draining or when no provider could be asked
/health   a summary for people
/metrics  Prometheus
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from gateway import __version__
from gateway.core.money import in_dollars
from gateway.ingress.body import Receive, Scope, Send
from gateway.pipeline.endpoint import Endpoint
from gateway.policy.key_pool import KeyPool
from gateway.runtime import Runtime
from gateway.store.ledger.writer import LedgerWriter
from gateway.telemetry.exposition import CONTENT_TYPE, Snapshots, render
from gateway.telemetry.metrics import Sample

KEYLESS: Final = "none"
"""The name of the key of a provider that needs none: no key to count."""

_BREAKER = {"closed": 0.0, "half-open": 1.0, "open": 2.0}


class Serving(msgspec.Struct):
    """What serves now, as the ops pages tell it. endpoints: every provider that can be named. routed: those that
    the routers list, at their own addresses and with their own keys where they have them. rejected: what is wrong
    with the file on disk, when a reload was refused and the config before it goes on serving. reload_seconds: of
    the last reload."""

    hash: str
    routers: tuple[str, ...]
    endpoints: Mapping[str, Endpoint]
    routed: tuple[Endpoint, ...] = ()
    rejected: tuple[str, ...] = ()
    reload_seconds: float = 0.0

    def pools(self) -> Mapping[str, Sequence[KeyPool]]:
        """Every key pool in use, by provider."""
        found: dict[str, list[KeyPool]] = {}
        for endpoint in (*self.endpoints.values(), *self.routed):
            pools = found.setdefault(endpoint.name, [])
            if all(pool is not endpoint.pool for pool in pools):
                pools.append(endpoint.pool)
        return found


class Ops:
    """The ops pages. serving: what serves now. snapshots: the other workers' samples, if there are others."""

    def __init__(self, runtime: Runtime, serving: Callable[[], Serving], snapshots: Snapshots | None) -> None:
        self._runtime = runtime
        self._serving = serving
        self._snapshots = snapshots
        self._started = runtime.clock.monotonic()

    def routes(self) -> list[Route]:
        return [
            Route("/livez", _Page(self._livez)),
            Route("/readyz", _Page(self._readyz)),
            Route("/health", _Page(self._health)),
            Route("/metrics", _Page(self._metrics)),
        ]

    def samples(self) -> Callable[[], list[Sample]]:
        """This worker's samples: its counters, and the state of this moment. To list them takes a while where there are
        a thousand routers, and is for another thread than the event loop's."""
        counters = self._runtime.metrics.copy()
        moment = list(self._moment())
        return lambda: [*counters.samples(), *moment]

    def _moment(self) -> Iterator[Sample]:
        runtime = self._runtime
        serving = self._serving()
        now = runtime.clock.monotonic()
        yield from runtime.standings.samples(runtime.clock.wall())
        yield "gateway_requests_in_flight", (), len(runtime.in_flight)
        targets: dict[tuple[str, str], tuple[int, float]] = {}
        for (provider, _, label), load in runtime.loads.items():
            in_flight, worst = targets.get((provider, label), (0, 0.0))
            targets[provider, label] = in_flight + load.in_flight, max(worst, _BREAKER[load.breaker.state(now)])
        for target, (in_flight, worst) in targets.items():
            yield "gateway_target_in_flight", target, in_flight
            yield "gateway_breaker_state", target, worst
        for name, pools in serving.pools().items():
            states: list[str] = [state for pool in pools for key, state in pool.states(now) if key != KEYLESS]
            for state in ("active", "cooling", "limited", "quarantined") if states else ():
                yield "gateway_keys", (name, state), states.count(state)
        for router, shelf in (runtime.stores.shelves() if runtime.stores is not None else {}).items():
            yield "gateway_cache_entries", (router,), len(shelf.entries)
            yield "gateway_cache_bytes", (router,), shelf.size
            yield "gateway_cache_evictions_total", (router,), shelf.evicted
        yield "gateway_config_last_reload_successful", (), float(not serving.rejected)
        yield "gateway_config_reload_seconds", (), serving.reload_seconds
        yield "gateway_config_info", (serving.hash,), 1.0
        yield "gateway_routers", (), len(serving.routers)
        stores = runtime.stores
        yield "gateway_store_up", (), float(stores is None or stores.trouble() is None)
        ledger = runtime.sinks.get("ledger")
        if isinstance(ledger, LedgerWriter):
            yield from ledger.gauges()
        yield "gateway_resident_bytes", (), _resident_bytes()

    async def _livez(self) -> Response:
        return _json({"status": "alive"})

    async def _readyz(self) -> Response:
        serving = self._serving()
        now = self._runtime.clock.monotonic()
        # Without routers the direct routes are what it is for; with them, a provider that none lists proves nothing.
        asked = serving.routed or tuple(serving.endpoints.values())
        can_ask = any(endpoint.pool.available(now) for endpoint in asked)
        stores = self._runtime.stores
        trouble = stores.trouble() if stores is not None else None
        refuses = stores is not None and stores.keeps_from_serving()
        status = (
            "draining"
            if self._runtime.draining
            else "no provider can be asked"
            if not can_ask
            else "the store is away"
            if refuses
            else "ready"
        )
        page: dict[str, object] = {
            "status": status,
            "config": serving.hash,
            "reload": "ok" if not serving.rejected else "rejected, the config before it serves",
        }
        if serving.rejected:
            page["problems"] = [self._runtime.log.redact(problem) for problem in serving.rejected]
        if trouble is not None:
            page["store"] = trouble
        sinks = self._sink_troubles()
        if sinks:
            # None of them keeps anybody from being served.
            page["sinks"] = sinks
        return _json(page, 200 if status == "ready" else 503)

    async def _health(self) -> Response:
        serving = self._serving()
        now = self._runtime.clock.monotonic()
        keys = {
            name: states
            for name, pools in serving.pools().items()
            if (states := {key: state for pool in pools for key, state in pool.states(now) if key != KEYLESS})
        }
        open_targets = sorted(
            f"{provider}/{label}" if label else provider
            for (provider, _, label), load in self._runtime.loads.items()
            if load.breaker.state(now) != "closed"
        )
        active = sum(state == "active" for states in keys.values() for state in states.values())
        total = sum(len(states) for states in keys.values())
        sinks = self._sink_troubles()
        healthy = not sinks and not open_targets and not serving.rejected and active == total
        return _json(
            {
                "status": "healthy" if healthy else "degraded",
                "version": __version__,
                "config": serving.hash,
                "config_rejected": bool(serving.rejected),
                "uptime_seconds": round(now - self._started, 1),
                "total_requests": self._runtime.metrics.total_requests,
                "total_cost": in_dollars(self._runtime.metrics.total_cost),
                "total_saved": in_dollars(self._runtime.metrics.total_saved),
                "unpriced_requests": self._runtime.metrics.total_unpriced,
                "in_flight": len(self._runtime.in_flight),
                "active_keys": active,
                "keys": keys,
                "open_breakers": open_targets,
                **({"sinks": sinks} if sinks else {}),
                "routers": serving.routers,
            }
        )

    def _sink_troubles(self) -> dict[str, str]:
        runtime = self._runtime
        return {name: runtime.log.redact(trouble) for name, trouble in runtime.sinks.troubles().items()}

    async def _metrics(self) -> Response:
        return Response(await asyncio.to_thread(self._render, self.samples()), media_type=CONTENT_TYPE)

    def _render(self, own: Callable[[], list[Sample]]) -> bytes:
        return render([own(), *(self._snapshots.others() if self._snapshots is not None else ())])


class _Page:
    """A page that is read. Starlette passes an ASGI class any method, so the answer to the others is here."""

    def __init__(self, read: Callable[[], Awaitable[Response]]) -> None:
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            response = await self._read()
        else:
            error = {"code": "method_not_allowed", "message": "This page is only read: GET or HEAD."}
            response = _json({"error": error}, 405)
            response.headers["allow"] = "GET, HEAD"
        await response(scope, receive, send)


def _json(page: Mapping[str, object], status: int = 200) -> Response:
    return Response(msgspec.json.encode(page), status, media_type="application/json")


def _resident_bytes() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
