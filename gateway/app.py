"""The Starlette application: mounts, lifespan, and the one assignment that a reload is.

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
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.assemble.access import key_set_name, secrets_of
from gateway.assemble.admin_ledger import AdminLedger
from gateway.assemble.budgets import shown_budgets
from gateway.assemble.house import House, assemble
from gateway.assemble.sinks import sink_secrets
from gateway.config.check import loaded_and_checked
from gateway.config.load import Loaded
from gateway.config.problem import ConfigError
from gateway.config.render import effective
from gateway.config.watch import ConfigWatch
from gateway.core.secret import LentSecret
from gateway.core.units import seconds
from gateway.ingress.mounts import RootMount, RouterMount, Table, UnifiedMount
from gateway.ingress.ops import Ops, Serving
from gateway.runtime import Runtime, system_clock
from gateway.store.stores import Stores
from gateway.telemetry.exposition import Snapshots
from gateway.telemetry.log import Log, bridge_libraries
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.sink import Sink
from gateway.upstream.echo import EchoTransport
from gateway.upstream.engines import open_transport

if TYPE_CHECKING:
    from gateway.config.spec import Spec
    from gateway.ingress.admin.api import AdminApi
    from gateway.ingress.admin.listener import Listener
    from gateway.store.ledger.protocol import Consumer, LedgerDatabase

CONFIG_VARIABLE = "GATEWAY_CONFIG"
SNAPSHOTS_VARIABLE = "GATEWAY_SNAPSHOTS"
HOST_VARIABLE = "GATEWAY_HOST"
"""What `--host` was: a config that is taken in use later must be fit for that address, too."""
DRAIN_SIGNAL = signal.SIGUSR1
"""Sent to a worker when the process begins to stop, before its server hears of it."""

_SNAPSHOT_EVERY = 1.0
_SECRET_WORDS = ("auth", "key", "secret", "token")
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


class Gateway:
    """One process: a runtime, the house that serves, and how the next one takes its place."""

    def __init__(self, config: Path, house: House, loaded: Loaded, runtime: Runtime, env: Mapping[str, str]) -> None:
        self._config = config
        self._env = env
        self._reloading = asyncio.Lock()
        self.files = loaded.files
        self._keep(loaded)
        self._admin: AdminApi | None = None
        self.admin_ledger = AdminLedger(runtime.behind)
        self.runtime = runtime
        self.house = house
        self.serving = _serving(house)
        runtime.adopt(house.pools)
        runtime.stores = house.stores
        runtime.sinks = house.sinks
        house.stores.bound_caches(house.cache_sizes)

    def table(self) -> Table:
        return self.house.table

    @property
    def spec(self) -> Spec:
        return self.house.spec

    def admin(self) -> AdminApi:
        """The admin API, made when it is first asked for: most configs have none."""
        if self._admin is None:
            from gateway.ingress.admin.api import AdminApi  # noqa: PLC0415

            self._admin = AdminApi(self)
        return self._admin

    def effective(self) -> Mapping[str, object]:
        """The config that serves as one document, credentials masked. Only where there is an admin API."""
        assert self._loaded is not None, "kept where it may be asked for"
        plain = effective(self._loaded).plain()
        assert isinstance(plain, dict)
        return plain

    def ledger(self) -> LedgerDatabase | None:
        """The database of the ledger, as the admin API asks it; None where none is kept."""
        return self.admin_ledger.of(self.spec.ledger)

    async def balance_changed(self, consumer: Consumer) -> None:
        """Have what was paid in or taken away count at once: here, and wherever the store is shared."""
        accounts = self.house.accounts
        if accounts is not None:
            await accounts.refresh(consumer)

    def tell_others(self) -> None:
        """Let the other workers reload: the process above passes SIGHUP on to all of them."""
        above = multiprocessing.parent_process()
        if above is not None and above.pid is not None and self._env.get(SNAPSHOTS_VARIABLE):
            os.kill(above.pid, signal.SIGHUP)

    def _keep(self, loaded: Loaded) -> None:
        """What the files said is large, and of use to the admin API alone."""
        self._loaded = loaded if loaded.spec.admin is not None else None

    async def reload(self) -> bool:
        """Read the config again; serve it if it is good, else go on as before and say so. Returns
        whether the file on disk is what serves now."""
        async with self._reloading:
            runtime = self.runtime
            started = runtime.clock.monotonic()
            try:
                loaded, house = await asyncio.to_thread(self._build)
            except ConfigError as error:
                # Warnings did not keep it from being served, and may stand before what did.
                problems = tuple(str(problem) for problem in error.problems if problem.level == "error")
                self.serving.rejected = problems
                runtime.events.tell("config-rejected", "config", {"problems": len(problems), "first": problems[0]})
                runtime.metrics.count_reload("rejected")
                runtime.log.write(
                    "error",
                    "config rejected, the one before it goes on serving",
                    {"config": self.serving.hash, "problems": len(problems), "first": problems[0]},
                )
                return False
            before = runtime.stores
            if house.stores is not before:
                await house.stores.open()
                runtime.stores = house.stores
            for sink in house.sinks.without(runtime.sinks):
                await sink.open()
            replaced = runtime.sinks.without(house.sinks)
            runtime.sinks = house.sinks
            house.stores.bound_caches(house.cache_sizes)
            self.files = loaded.files
            self._keep(loaded)
            runtime.adopt(house.pools)
            runtime.standings.forget(shown_budgets(house.spec))
            self.house = house
            if before is not None and house.stores is not before:
                runtime.behind.start(_close_after([before], list(runtime.in_flight)), surely=True)
            if replaced:
                runtime.behind.start(_close_after(replaced, list(runtime.in_flight)), surely=True)
            self.fetch_keys()
            self._close_token_sources()
            if self.serving.rejected:
                runtime.events.tell("config-restored", "config", {"config": house.hash})
            self.serving = _serving(house)
            self.serving.reload_seconds = took = runtime.clock.monotonic() - started
            runtime.metrics.count_reload("ok")
            runtime.log.protect(_secrets(house))
            runtime.log.write(
                "info",
                "config reloaded",
                {"config": house.hash, "routers": len(house.spec.routers), "seconds": round(took, 4)},
            )
            return True

    def _build(self) -> tuple[Loaded, House]:
        loaded, _ = loaded_and_checked(self._config, self._env, self.runtime.clock.wall(), self._env.get(HOST_VARIABLE))
        return loaded, assemble(loaded.spec, loaded.hash, self.runtime, self._env)

    def fetch_keys(self) -> None:
        """Ask the issuers of tokens for their keys, so that no request has to wait for them."""
        sets = self.runtime.key_sets
        wanted = {key_set_name(issuer) for issuer in self.house.spec.auth.jwt}
        for name in list(sets):
            if name in wanted:
                self.runtime.behind.start(sets[name].refresh())
            else:
                del sets[name]

    def _close_token_sources(self) -> None:
        """Ask no more for tokens of credentials that the config no longer has."""
        sources = self.runtime.token_sources
        wanted = {
            secret.lender
            for pool in self.house.pools.values()
            for secret in pool.secrets
            if isinstance(secret, LentSecret)
        }
        for name, source in list(sources.items()):
            if source not in wanted:
                del sources[name]
                self.runtime.behind.start(source.close())

    async def drain(self, limit: float) -> None:
        """Let what is under way go on for `limit` seconds, then end it."""
        if self.runtime.draining:
            return
        self.runtime.draining = True
        self.runtime.log.write("info", "draining", {"in_flight": len(self.runtime.in_flight), "seconds": limit})
        await asyncio.sleep(limit)
        self.runtime.cut = True
        for task in list(self.runtime.in_flight):
            task.cancel()


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
    loaded = _load(config, env, clock.wall())
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
    log.protect(_secrets(house))
    bridge_libraries(log)
    gateway = Gateway(config, house, loaded, runtime, env)
    return application(gateway, env.get(SNAPSHOTS_VARIABLE))


def from_environment() -> Starlette:
    """`create` for a server's worker, which is told of the config by an environment variable."""
    app = create(Path(os.environ[CONFIG_VARIABLE]))
    _spare_collector()
    return app


def application(gateway: Gateway, snapshots_folder: str | None = None) -> Starlette:
    """Starlette around a gateway."""
    snapshots = Snapshots(Path(snapshots_folder)) if snapshots_folder else None
    ops = Ops(gateway.runtime, lambda: gateway.serving, snapshots)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[object]] = set()

        def start(coroutine: object) -> None:
            task: asyncio.Task[object] = loop.create_task(coroutine)  # type: ignore[arg-type]
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        def begin_drain() -> None:
            start(gateway.drain(seconds(gateway.house.spec.server.drain_timeout)))

        with contextlib.suppress(ValueError, NotImplementedError, RuntimeError):
            # Only a process's main thread may take signals; in a test there may be none to take.
            loop.add_signal_handler(signal.SIGHUP, lambda: start(gateway.reload()))
            loop.add_signal_handler(DRAIN_SIGNAL, begin_drain)
        await gateway.house.stores.open()
        for sink in gateway.house.sinks:
            await sink.open()
        gateway.fetch_keys()
        listener = _admin_listener(gateway)
        if listener is not None:
            await listener.open()
        start(ConfigWatch(lambda: gateway.files, gateway.reload).run())
        if snapshots is not None:
            start(_write_snapshots(snapshots, ops))
        try:
            yield
        finally:
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if snapshots is not None:
                snapshots.write(ops.samples())
            if listener is not None:
                await listener.close()
            await gateway.admin_ledger.close()
            await gateway.runtime.close()

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


async def _close_after(replaced: Sequence[Stores | Sink], requests: list[asyncio.Task[object]]) -> None:
    """Close what a reload has replaced, when the requests that began with it have ended."""
    try:
        if requests:
            await asyncio.wait(requests)
    finally:
        # Also when the process ends meanwhile, and also those behind one that cannot be closed.
        ends = await asyncio.gather(*(one.close() for one in replaced), return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _write_snapshots(snapshots: Snapshots, ops: Ops) -> None:
    while True:
        # A full disk must not end it: the next one may fit.
        with contextlib.suppress(OSError):
            snapshots.write(ops.samples())
        await asyncio.sleep(_SNAPSHOT_EVERY)


def _load(config: Path, env: Mapping[str, str], now: float) -> Loaded:
    loaded, _ = loaded_and_checked(config, env, now, env.get(HOST_VARIABLE))
    return loaded


def _serving(house: House) -> Serving:
    return Serving(house.hash, tuple(house.spec.routers), house.endpoints, house.routed)


def _secrets(house: House) -> list[str]:
    keys = [secret.reveal() for pool in house.pools.values() for secret in pool.secrets]
    keys += [secret.reveal() for secret in house.stores.secrets]
    keys += secrets_of(house.spec.auth)
    keys += sink_secrets(house.spec)
    headers = [header for endpoint in house.endpoints.values() for header in endpoint.headers]
    return keys + [value for name, value in headers if any(word in name for word in _SECRET_WORDS)]
