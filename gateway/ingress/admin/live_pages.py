"""What one process knows and does now: targets, keys, its config, its sinks."""

from __future__ import annotations

import asyncio

import msgspec

from gateway.config.spec import GatewayKey
from gateway.core.errors import GatewayError
from gateway.core.moments import end_of
from gateway.ingress.admin.answers import (
    CallerKey,
    ConfigAnswer,
    KeysAnswer,
    ProviderKeyLine,
    Reloaded,
    Restored,
    Restoring,
    SinkLine,
    SinksAnswer,
    TargetLine,
    TargetsAnswer,
)
from gateway.ingress.admin.asking import Asked
from gateway.ingress.admin.process import Process
from gateway.ingress.admin.query import only
from gateway.ingress.ops import KEYLESS
from gateway.policy.ewma import PeakEwma
from gateway.policy.load import TargetLoad
from gateway.runtime import TargetName


class LivePages:
    """Pages about one process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def keys(self, asked: Asked) -> KeysAnswer:
        only(asked.pairs, ())
        return KeysAnswer([_caller_key(key, asked.now) for key in self._process.spec.auth.keys])

    async def targets(self, asked: Asked) -> TargetsAnswer:
        only(asked.pairs, ())
        runtime = self._process.runtime
        now = runtime.clock.monotonic()
        loads = sorted(runtime.loads.items(), key=lambda item: item[0])
        keys = [
            ProviderKeyLine(provider, name, state)
            for provider, pools in sorted(self._process.serving.pools().items())
            for pool in pools
            for name, state in pool.states(now)
            if name != KEYLESS
        ]
        return TargetsAnswer(runtime.name, [_target(name, load, now) for name, load in loads], keys)

    async def restore(self, asked: Asked) -> Restored:
        only(asked.pairs, ())
        wanted = asked.body(Restoring)
        serving, runtime = self._process.serving, self._process.runtime
        if wanted.provider not in serving.endpoints:
            raise GatewayError("not_found", f"There is no provider {wanted.provider!r}.", param="provider")
        loads = [
            load
            for (provider, _, model), load in runtime.loads.items()
            if provider == wanted.provider and wanted.model in (None, model)
        ]
        if wanted.model is not None and not loads:
            raise GatewayError("not_found", f"There is no target of the model {wanted.model!r} yet.", param="model")
        closed = sum(load.breaker.reset() for load in loads)
        restored = sum(pool.restore_all(runtime.clock.monotonic()) for pool in serving.pools().get(wanted.provider, ()))
        asked.note("target restored", provider=wanted.provider, model=wanted.model or "", keys=restored)
        return Restored(runtime.name, closed, restored)

    async def config(self, asked: Asked) -> ConfigAnswer:
        only(asked.pairs, ())
        process = self._process
        serving, redact = process.serving, process.runtime.log.redact
        # A large config takes a while to be written out, and requests are not to wait for that.
        document = await asyncio.to_thread(process.effective)
        return ConfigAnswer(
            process.runtime.name,
            serving.hash,
            [str(file) for file in process.files],
            [redact(problem) for problem in serving.rejected],
            round(serving.reload_seconds, 4),
            msgspec.Raw(msgspec.json.encode(document)),
        )

    async def reload(self, asked: Asked) -> Reloaded:
        only(asked.pairs, ())
        process = self._process
        asked.note("reload asked for")
        if not await process.reload():
            rejected = process.serving.rejected
            first = process.runtime.log.redact(rejected[0]) if rejected else ""
            raise GatewayError(
                "config_rejected", f"The config before goes on serving. Of {len(rejected)} problems the first: {first}"
            )
        process.tell_others()
        return Reloaded(process.runtime.name, process.serving.hash)

    async def sinks(self, asked: Asked) -> SinksAnswer:
        only(asked.pairs, ())
        runtime = self._process.runtime
        troubles = runtime.sinks.troubles()
        redacted = {name: runtime.log.redact(trouble) for name, trouble in troubles.items()}
        return SinksAnswer(runtime.name, [SinkLine(name, redacted.get(name)) for name in runtime.sinks.names()])


def _target(name: TargetName, load: TargetLoad, now: float) -> TargetLine:
    provider, address, model = name
    state = load.breaker.state(now)
    return TargetLine(
        provider,
        model,
        address,
        state,
        round(load.breaker.retry_at - now, 3) if state == "open" else None,
        load.in_flight,
        _estimate(load.whole, now),
        _estimate(load.streamed, now),
    )


def _estimate(estimate: PeakEwma, now: float) -> float | None:
    return round(estimate.value(now), 4) if estimate.tried else None


def _caller_key(key: GatewayKey, now: float) -> CallerKey:
    if key.expires is not None and end_of(key.expires) <= now:
        state: str = "expired"
    else:
        state = "rotating" if key.previous is not None and end_of(key.previous.until) > now else "active"
    return CallerKey(
        key.name,
        key.team,
        _listed(key.routers),
        _listed(key.models),
        _listed(key.providers),
        _listed(key.networks),
        key.created,
        key.expires,
        key.signing,
        state,  # type: ignore[arg-type]  # one of the three above
    )


def _listed(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)
