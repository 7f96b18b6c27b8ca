"""A gateway that runs: its runtime, the house that serves, and the one assignment that a reload is.

    load -> check -> assemble -> assign; a config that is not fit to be served changes nothing

Nothing about HTTP is known here: app.py puts Starlette around it, and rehearsal plays on it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gateway.assemble.access import key_set_name, secrets_of
from gateway.assemble.admin_ledger import AdminLedger
from gateway.assemble.budgets import shown_budgets
from gateway.assemble.house import House, assemble
from gateway.assemble.sinks import sink_secrets
from gateway.config.check import loaded_and_checked
from gateway.config.load import Loaded
from gateway.config.problem import ConfigError
from gateway.config.render import effective
from gateway.core.secret import LentSecret
from gateway.ingress.mounts import Table
from gateway.ingress.ops import Serving
from gateway.runtime import Runtime

if TYPE_CHECKING:
    from gateway.config.spec import Spec
    from gateway.ingress.admin.api import AdminApi
    from gateway.store.ledger.protocol import Consumer, LedgerDatabase

SNAPSHOTS_VARIABLE = "GATEWAY_SNAPSHOTS"
HOST_VARIABLE = "GATEWAY_HOST"
"""What `--host` was: a config that is taken in use later must be fit for that address, too."""
_SECRET_WORDS = ("auth", "key", "secret", "token")


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
            left: list[_Closing] = [*replaced, *self._dropped_token_sources(), *self._dropped_key_sets()]
            if before is not None and house.stores is not before:
                left.append(before)
            if left:
                runtime.behind.start(_close_after(left, list(runtime.in_flight)), surely=True)
            self.fetch_keys()
            if self.serving.rejected:
                runtime.events.tell("config-restored", "config", {"config": house.hash})
            self.serving = _serving(house)
            self.serving.reload_seconds = took = runtime.clock.monotonic() - started
            runtime.metrics.count_reload("ok")
            runtime.log.protect(secrets_in(house))
            runtime.log.write(
                "info",
                "config reloaded",
                {"config": house.hash, "routers": len(house.spec.routers), "seconds": round(took, 4)},
            )
            return True

    def _build(self) -> tuple[Loaded, House]:
        loaded = loaded_for(self._config, self._env, self.runtime.clock.wall())
        return loaded, assemble(loaded.spec, loaded.hash, self.runtime, self._env)

    def fetch_keys(self) -> None:
        """Ask the issuers of tokens for their keys, so that no request has to wait for them."""
        for keys in self.runtime.key_sets.values():
            self.runtime.behind.start(keys.refresh())

    def _dropped_key_sets(self) -> list[_Closing]:
        """Those of issuers that the config no longer has: no longer known, and to be closed."""
        sets = self.runtime.key_sets
        wanted = {key_set_name(issuer) for issuer in self.house.spec.auth.jwt}
        return [sets.pop(name) for name in list(sets) if name not in wanted]

    def _dropped_token_sources(self) -> list[_Closing]:
        """Those of credentials that the config no longer has: no longer known, and to be closed."""
        sources = self.runtime.token_sources
        wanted = {
            secret.lender
            for pool in self.house.pools.values()
            for secret in pool.secrets
            if isinstance(secret, LentSecret)
        }
        return [sources.pop(name) for name, source in list(sources.items()) if source not in wanted]

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


class _Closing(Protocol):
    async def close(self) -> None: ...


async def _close_after(replaced: Sequence[_Closing], requests: list[asyncio.Task[object]]) -> None:
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


def _serving(house: House) -> Serving:
    return Serving(house.hash, tuple(house.spec.routers), house.endpoints, house.routed)


def secrets_in(house: House) -> list[str]:
    """Every credential that a house has, which no log may show."""
    keys = [secret.reveal() for pool in house.pools.values() for secret in pool.secrets]
    keys += [secret.reveal() for secret in house.stores.secrets]
    keys += secrets_of(house.spec.auth)
    keys += sink_secrets(house.spec)
    headers = [header for endpoint in house.endpoints.values() for header in endpoint.headers]
    return keys + [value for name, value in headers if any(word in name for word in _SECRET_WORDS)]


def loaded_for(config: Path, env: Mapping[str, str], now: float) -> Loaded:
    """A config that is fit to be served, at the address that the command line says too; or ConfigError."""
    loaded, _ = loaded_and_checked(config, env, now, env.get(HOST_VARIABLE))
    return loaded
