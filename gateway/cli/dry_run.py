"""A house that asks nobody: a request is decided by the production code, and stops where it would be sent.

Lives here: the runtime without a wire, the config as it is for one caller, and faults that are put in place beforehand.
Must not: decide or word anything. Law: no byte leaves the process, and no store but memory is asked.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

import msgspec

from gateway.assemble.house import assemble
from gateway.config import spec as sp
from gateway.config.load import Loaded
from gateway.core.clock import Clock
from gateway.core.errors import FaultKind, GatewayError, UpstreamFault
from gateway.core.exchange import Call, Exchange
from gateway.core.trace import Trace
from gateway.pipeline.preference import HEADER
from gateway.policy.health import BreakerPolicy
from gateway.policy.key_pool import KeyPool
from gateway.policy.load import TargetLoad
from gateway.policy.retry import RetryPolicy, Verdict, verdict
from gateway.providers.catalog import CATALOG
from gateway.runtime import Runtime, TargetName
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

_CREDENTIAL: Final = b"rg-dry-run"
_ASSUMED: Final = sp.ProviderKey(name="assumed", value="assumed:assumed")
"""A key that has the form of AWS's pairs and of every other."""
_REFERENCE: Final = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_CLIENT: Final = "127.0.0.1"


class Outcome(msgspec.Struct, frozen=True, eq=False):
    """What became of a request. error: what the client would be told before anybody is asked, None where somebody
    would be, or where the gateway answers itself."""

    exchange: Exchange
    trace: Trace
    error: GatewayError | None


class _Unsent:
    """A transport of which every target falls silent, so that the next one is gone on to, at once."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise UpstreamFault("silent", "Nothing is sent.")

    async def close(self) -> None:
        return None


class _DryRuntime(Runtime):
    """broken: providers whose breakers are open from the start."""

    def __init__(self, clock: Clock, broken: frozenset[str]) -> None:
        unsent = _Unsent()
        log = Log(clock.wall, "json", "error", io.StringIO())
        super().__init__(clock=clock, transport=unsent, echo=unsent, log=log, metrics=Metrics())
        self._broken = broken

    def load(self, name: TargetName, policy: BreakerPolicy) -> TargetLoad:
        new = name not in self.loads
        load = super().load(name, policy)
        if new and name[0] in self._broken:
            now = self.clock.monotonic()
            for _ in range(policy.consecutive_failures):
                load.breaker.failure(now)
        return load


async def dry_run(
    loaded: Loaded,
    env: Mapping[str, str],
    clock: Clock,
    route: str,
    call: Call,
    request: tuple[str, str, bytes],
    *,
    key: str = "",
    faults: Mapping[str, FaultKind] | None = None,
    assume_keys: bool = False,
    optimize_for: str = "",
) -> Outcome:
    """Decide one request. route: the name of a router, `/ai`, or `/` and the name of a provider. request: method, path
    and body. key: the name of the gateway key that is asked with, `` for somebody who may do everything. faults: by
    provider, what it has run into. assume_keys: providers without keys get one. optimize_for: what the client would
    rather have. LookupError for a route or a provider that is not there."""
    faults = faults or {}
    judged = {name: verdict(kind, RetryPolicy()) for name, kind in faults.items()}
    runtime = _DryRuntime(clock, frozenset(name for name, found in judged.items() if found.blame_breaker))
    spec = _for_caller(loaded.spec, key)
    house = assemble(spec, loaded.hash, runtime, env)
    if assume_keys:
        bare = [name for name, endpoint in house.endpoints.items() if not len(endpoint.pool)]
        house = assemble(_with_keys(spec, bare), loaded.hash, runtime, {**_addresses(bare), **env})
    now = clock.monotonic()
    for name in faults:
        if name not in house.endpoints:
            raise LookupError(f"there is no provider {name!r}")
        for pool_name, pool in house.pools.items():
            # A target with keys of its own has a pool of its own, whose name begins with the provider's.
            if pool_name.partition(" ")[0] == name:
                _rest(pool, judged[name], now)
    handler = house.table.unified.handler if route == "/ai" else None
    if handler is None:
        apps = house.table.direct if route.startswith("/") else house.table.routers
        app = apps.get(route.removeprefix("/").encode())
        if app is None:
            raise LookupError(f"there is no router {route!r}")
        handler = app.handler
    method, path, body = request
    headers = [(b"content-type", b"application/json")]
    if optimize_for:
        headers.append((HEADER, optimize_for.encode()))
    exchange = Exchange(
        id="dry-run",
        method=method,
        path=path,
        query=b"",
        headers=headers,
        body=body,
        call=call,
        router=route,
        started=now,
        wall=clock.wall(),
        credential=_CREDENTIAL if key else b"",
        client=_CLIENT,
        trace=(trace := Trace(runtime.estimator.estimate(call, body), granted=True)),
    )
    error: GatewayError | None = None
    try:
        await handler(exchange)
    except GatewayError as refused:
        # Once somebody was asked, that nobody answered is this transport's doing.
        error = None if exchange.attempts else refused
    finally:
        await runtime.close()
    return Outcome(exchange, trace, error)


def _rest(pool: KeyPool, judged: Verdict, now: float) -> None:
    """What a fault does to keys, done to all of a pool."""
    if judged.key == "none":
        return
    while (key := pool.pick(now)) is not None:
        if judged.key == "cool":
            pool.cool(key, now, None)
        else:
            pool.quarantine(key, now)


def _for_caller(spec: sp.Spec, name: str) -> sp.Spec:
    """The config with a key that is known here in place of the caller's own; open, where no caller is named. Where a
    caller must call from and how it signs cannot be asked here."""
    auth = msgspec.structs.replace(spec.auth, mode="open", jwt=())
    if name:
        keys = tuple(
            msgspec.structs.replace(
                key,
                hash=f"sha256:{sha256(_CREDENTIAL).hexdigest()}",
                previous=None,
                networks=None,
                signing=None,
                signing_secret=None,
                explain=True,
            )
            if key.name == name
            else key
            for key in spec.auth.keys
        )
        if all(key.name != name for key in keys):
            raise LookupError(f"there is no gateway key {name!r}")
        auth = msgspec.structs.replace(auth, mode="keys", keys=keys)
    # What was spent and paid in is in the ledger, which a dry run does not ask.
    return msgspec.structs.replace(spec, auth=auth, store=sp.StoreSettings(), ledger=None, quotas=None)


def _with_keys(spec: sp.Spec, providers: Iterable[str]) -> sp.Spec:
    given = {
        name: msgspec.structs.replace(spec.providers.get(name) or sp.Provider(), keys=(_ASSUMED,)) for name in providers
    }
    return msgspec.structs.replace(spec, providers={**spec.providers, **given})


def _addresses(providers: Iterable[str]) -> dict[str, str]:
    """The variables that stand in providers' addresses."""
    rows = [CATALOG[name] for name in providers if name in CATALOG]
    texts = [text for row in rows for text in (row.origin, *(part for s in row.surfaces for part in (s.root, s.path)))]
    return dict.fromkeys((name for text in texts for name in _REFERENCE.findall(text)), "assumed")
