"""The Starlette application: mounts and lifespan.

    /router/<name>/...  /ai/...  /v1/...  /<provider>/...  and the ops pages

Nothing about a request is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.assemble.house import assemble
from gateway.config.watch import ConfigWatch
from gateway.core.units import seconds
from gateway.gateway import SNAPSHOTS_VARIABLE, Gateway, loaded_for, secrets_in
from gateway.ingress.mounts import RootMount, RouterMount, UnifiedMount
from gateway.ingress.ops import Ops
from gateway.runtime import Runtime, system_clock
from gateway.telemetry.exposition import Snapshots
from gateway.telemetry.log import Log, bridge_libraries
from gateway.telemetry.metrics import Metrics, Sample
from gateway.upstream.echo import EchoTransport
from gateway.upstream.engines import open_transport

if TYPE_CHECKING:
    from gateway.ingress.admin.listener import Listener

CONFIG_VARIABLE = "GATEWAY_CONFIG"
DRAIN_SIGNAL = signal.SIGUSR1
"""Sent to a worker when the process begins to stop, before its server hears of it."""

_SNAPSHOT_EVERY = 1.0
YOUNG_OBJECTS = 50_000
"""So many container objects more than before, and the collector looks at the young ones."""


class Application(Starlette):
    """Starlette without its error middleware, which wraps every message of every stream twice: the edge lets
    no exception out, and a bug in an ops page is the server's 500."""

    def build_middleware_stack(self) -> ASGIApp:
        router = self.router
        named = next((route.app for route in self.routes if isinstance(route, Mount) and route.path == "/router"), None)

        # Not a coroutine of its own: it stands before every request.
        def enter(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            kind = scope["type"]
            if kind == "http" and named is not None and scope["path"].startswith("/router/"):
                # The mount where nearly every request goes: what it needs is in the raw path, and looking through the
                # routes for it costs more than all that the gateway itself does to find a router.
                return named(scope, receive, send)
            return _close(send) if kind == "websocket" else router(scope, receive, send)

        return enter


async def _close(send: Send) -> None:
    """No route speaks WebSocket; closing before it is accepted is told to the client as 403."""
    await send({"type": "websocket.close", "code": 1000, "reason": "This gateway does not serve WebSocket."})


class _AdminMount:
    """`/admin`: the admin API, where the config has it on this port; else a path like any that nothing has."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._otherwise = RootMount(gateway.table)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        admin = self._gateway.spec.admin
        here = admin is not None and admin.port is None
        await (self._gateway.admin() if here else self._otherwise)(scope, receive, send)


def _admin_listener(gateway: Gateway) -> Listener | None:
    """Where the admin API has a port of its own, as the config was when the process began."""
    spec = gateway.spec
    if spec.admin is None or spec.admin.port is None:
        return None
    from gateway.ingress.admin.listener import Listener  # noqa: PLC0415

    host = spec.server.host if spec.admin.host is None else spec.admin.host
    return Listener(gateway.admin().alone, host, spec.admin.port, spec.server.tls, gateway.runtime.log)


def create(config: Path, env: Mapping[str, str] = os.environ) -> Starlette:
    """The application that serves `config`. Raises ConfigError when that is not fit to be served."""
    clock = system_clock()
    loaded = loaded_for(config, env, clock.wall())
    spec = loaded.spec
    style = spec.server.logging.format
    if style == "auto":
        style = "text" if os.isatty(1) else "json"
    log = Log(clock.wall, style, spec.server.logging.level)
    runtime = Runtime(
        clock=clock,
        transport=open_transport(spec.server.upstream_engine),
        echo=EchoTransport(clock),
        log=log,
        metrics=Metrics(),
    )
    house = assemble(spec, loaded.hash, runtime, env)
    log.protect(secrets_in(house))
    bridge_libraries(log)
    gateway = Gateway(config, house, loaded, runtime, env)
    return application(gateway, env.get(SNAPSHOTS_VARIABLE))


def from_environment() -> Starlette:
    """`create` for a server's worker, which is told of the config by an environment variable."""
    app = create(Path(os.environ[CONFIG_VARIABLE]))
    _spare_collector()
    return app


def _main_process() -> int | None:
    """Of a worker: a descriptor that can be read from when its main process has ended. None for what is no worker."""
    above = multiprocessing.parent_process()
    if above is None or above.pid is None:
        return None
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return os.pidfd_open(above.pid)
    # It has a flaw: workers that are forked later hold it open for as long as they live.
    return above.sentinel


def application(gateway: Gateway, snapshots_folder: str | None = None) -> Starlette:
    """Starlette around a gateway."""
    snapshots = Snapshots(Path(snapshots_folder)) if snapshots_folder else None
    ops = Ops(gateway.runtime, lambda: gateway.serving, snapshots)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        above = _main_process()
        tasks: set[asyncio.Task[object]] = set()

        def start(coroutine: object) -> None:
            task: asyncio.Task[object] = loop.create_task(coroutine)  # type: ignore[arg-type]
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        def begin_drain() -> None:
            start(gateway.drain(seconds(gateway.house.spec.server.drain_timeout)))

        def leave() -> None:
            assert above is not None
            loop.remove_reader(above)
            begin_drain()
            os.kill(os.getpid(), signal.SIGTERM)

        with contextlib.suppress(ValueError, NotImplementedError, RuntimeError):
            # Only a process's main thread may take signals; in a test there may be none to take.
            loop.add_signal_handler(signal.SIGHUP, lambda: start(gateway.reload()))
            loop.add_signal_handler(DRAIN_SIGNAL, begin_drain)
        if above is not None:
            # A worker whose main process was killed has nobody who would ever tell it to stop.
            loop.add_reader(above, leave)
        async with contextlib.AsyncExitStack() as ends:
            # In this order from the last to the first, whichever of them fails, and also when the start does.
            ends.push_async_callback(gateway.runtime.close)
            ends.push_async_callback(gateway.admin_ledger.close)
            await gateway.house.stores.open()
            for sink in gateway.house.sinks:
                await sink.open()
            gateway.fetch_keys()
            listener = _admin_listener(gateway)
            if listener is not None:
                await listener.open()
                ends.push_async_callback(listener.close)
            if snapshots is not None:
                ends.callback(lambda: _write_snapshot(snapshots, ops.samples()))
                start(_write_snapshots(snapshots, ops))
            ends.push_async_callback(_end, tasks)
            start(ConfigWatch(lambda: gateway.files, gateway.reload).run())
            yield

    app = Application(
        routes=[
            Mount("/router", RouterMount(gateway.table)),
            Mount("/v1", UnifiedMount(gateway.table, at_root=True)),
            Mount("/v1beta", UnifiedMount(gateway.table, at_root=True)),
            Mount("/ai", UnifiedMount(gateway.table, at_root=False)),
            *ops.routes(),
            Mount("/admin", _AdminMount(gateway)),
            Mount("/", RootMount(gateway.table)),
        ],
        lifespan=lifespan,
    )
    # A redirect would drop the body of a POST and answer where an error is due.
    app.router.redirect_slashes = False
    # A mount's pattern stops at a line break (%0A), and Starlette's own 404 speaks no dialect.
    app.router.default = RootMount(gateway.table)
    return app


def _spare_collector() -> None:
    """Keep the garbage collector from walking what never dies.

    Modules and the config are set aside for good, and young objects are looked at less often: a
    request makes few cycles, and the collector was a twentieth of its cost (docs/adr/0003).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


async def _end(tasks: set[asyncio.Task[object]]) -> None:
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _write_snapshots(snapshots: Snapshots, ops: Ops) -> None:
    while True:
        writing = asyncio.ensure_future(asyncio.to_thread(_write_snapshot, snapshots, ops.samples()))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # The thread goes on, and the last snapshot comes after its own.
            await writing
            raise
        await asyncio.sleep(_SNAPSHOT_EVERY)


def _write_snapshot(snapshots: Snapshots, samples: Callable[[], list[Sample]]) -> None:
    # A full disk must not end anything: the next one may fit.
    with contextlib.suppress(OSError):
        snapshots.write(samples())
