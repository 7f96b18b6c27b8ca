"""A case, played: the production house on virtual time, with providers that follow their phases.

Assembled as `serve` does it; only clock, chance, transports and stores are other ones. The keys of callers get secrets
that are known here, since a config has only their hashes.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from hashlib import sha256
from random import Random
from typing import Final

import msgspec
from starlette.applications import Starlette

from gateway.app import application
from gateway.assemble.house import House, assemble
from gateway.config import spec as sp
from gateway.config.price_book import price_book
from gateway.core.key_text import key_text
from gateway.core.units import seconds
from gateway.gateway import Gateway
from gateway.rehearsal.asgi import ask
from gateway.rehearsal.cases import Case
from gateway.rehearsal.money import PaidIn, money_of
from gateway.rehearsal.provider import Performer
from gateway.rehearsal.reading import Part
from gateway.rehearsal.record import END, Called, Changed, Record, Sample, Told
from gateway.rehearsal.scripted import ScriptedTransport
from gateway.rehearsal.traffic import Arrival, Requests, arrivals
from gateway.rehearsal.virtual_time import START, elapsed, run_virtual, virtual_clock
from gateway.runtime import Runtime
from gateway.store.memory_accounts import MemoryAccounts
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.upstream.echo import EchoTransport

_SOON: Final = 1e-6
"""Seconds: a sample is taken so much after its moment, when all that happens at it has happened."""
_MAX_JUMPS: Final = 100_000_000


def play(part: Part) -> Record:
    """Play a case. Raises Deadlock where a request never ends."""
    return run_virtual(_Stage(part).run(), _MAX_JUMPS)


class _Stage:
    def __init__(self, part: Part) -> None:
        self._part = part
        self._case: Case = part.case
        self._keys = {key.name: secret_of(key.name) for key in part.loaded.spec.auth.keys}
        self._told: list[Told] = []
        self._changes: list[Changed] = []
        self._seen: dict[str, str] = {}
        self._samples: dict[float, Sample] = {}
        self._paid_in = PaidIn(part.case.quotas or {})
        self._wanted_bodies = {reply.request for reply in part.case.expect.replies}
        self._runtime: Runtime
        self._house: House
        self._performers: dict[str, Performer] = {}

    async def run(self) -> Record:
        case = self._case
        clock = virtual_clock(seed=case.seed)
        output = io.StringIO()
        self._runtime = runtime = Runtime(
            clock=clock,
            transport=ScriptedTransport(),
            echo=EchoTransport(clock),
            log=Log(clock.wall, "json", "error", output),
            metrics=Metrics(),
        )
        loaded = self._part.loaded
        spec = on_stage(loaded.spec, self._keys)
        if case.quotas is not None:
            spec = msgspec.structs.replace(spec, quotas=loaded.spec.quotas)
        self._house = house = assemble(spec, loaded.hash, runtime, self._part.env, self._paid_in)
        self._engage()
        app = application(Gateway(loaded.files[0], house, loaded, runtime, self._part.env))
        loop = asyncio.get_running_loop()
        for moment in _moments(case):
            loop.call_at(START + moment + _SOON, self._sample, moment)
        await self._serve(app)
        end = max(_moments(case), default=0.0)
        if elapsed() <= end:
            await _until(end + 2 * _SOON)
        self._sample(END)
        await runtime.close()
        self._told.sort(key=lambda told: told.number)
        complaints = [f"the gateway logged an error: {line}" for line in output.getvalue().splitlines()]
        complaints += [
            f"{name} was asked for {path}, for which a phase must give a `body`"
            for name, performer in self._performers.items()
            for path in sorted(performer.unknown)
        ]
        return Record(self._told, self._called(), self._changes, self._samples, complaints)

    def _engage(self) -> None:
        """Put a performer in the place of every provider; `echo` plays itself unless a case says what it does."""
        for endpoint in (*self._house.endpoints.values(), *self._house.routed):
            name = endpoint.name
            if endpoint.origin.startswith("echo:") and name not in self._case.providers:
                continue
            if name not in self._performers:
                keys = {
                    secret.reveal(): secret.name
                    for pool, held in self._house.pools.items()
                    if pool.partition(" ")[0] == name
                    for secret in held.secrets
                }
                # Of its own, so that what one provider draws is not moved by how often another is asked.
                chance = Random(f"{self._case.seed} {name}")
                self._performers[name] = Performer(self._case.providers.get(name, ()), keys, chance, elapsed)
            endpoint.transport = self._performers[name].transport

    async def _serve(self, app: Starlette) -> None:
        requests = [Requests(traffic, self._keys) for traffic in self._case.traffic]
        tasks: set[asyncio.Task[None]] = set()
        for number, arrival in enumerate(arrivals(self._case.traffic), 1):
            if arrival.at > elapsed():
                await _until(arrival.at)
            task = asyncio.create_task(
                self._ask(app, requests[arrival.kind], arrival, number), name=f"request {number}"
            )
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        while tasks:
            await asyncio.wait(set(tasks))

    async def _ask(self, app: Starlette, requests: Requests, arrival: Arrival, number: int) -> None:
        scope, body = requests.scope_and_body(arrival.turn)
        answer = await ask(app, scope, body, elapsed)
        kept = answer.body if number in self._wanted_bodies else b""
        took = round(answer.end_at - arrival.at, 6)
        self._told.append(Told(number, arrival.at, took, answer.status, answer.headers, answer.whole, kept))
        self._note_changes()

    def _note_changes(self) -> None:
        now = self._runtime.clock.monotonic()
        found = {
            f"{provider}/{label}": load.breaker.state(now) for (provider, _, label), load in self._runtime.loads.items()
        }
        for what, state in found.items():
            if self._seen.get(what, "closed") != state:
                self._seen[what] = state
                self._changes.append(Changed(elapsed(), f"breaker of {what.rstrip('/')}", state))
        for name, performer in self._performers.items():
            if performer.transport.sent:
                for key, key_state in self._house.pools[name].states(now):
                    what = f"key {key} of {name}"
                    if self._seen.get(what, "active") != key_state:
                        self._seen[what] = key_state
                        self._changes.append(Changed(elapsed(), what, key_state))

    def _sample(self, moment: float) -> None:
        now = self._runtime.clock.monotonic()
        breakers = {
            (provider, label): load.breaker.state(now) for (provider, _, label), load in self._runtime.loads.items()
        }
        keys = {
            (pool.partition(" ")[0], name): state
            for pool, held in self._house.pools.items()
            for name, state in held.states(now)
        }
        store = self._house.stores.accounts
        assert isinstance(store, MemoryAccounts)
        accounts = {
            (asked.of, asked.window or ""): money_of(asked, self._house.spec, self._paid_in, store, self._runtime.clock)
            for asked in self._case.expect.accounts
        }
        self._samples[moment] = Sample(breakers, keys, accounts)

    def _called(self) -> list[Called]:
        called: list[Called] = []
        prices = price_book(self._part.loaded.spec)
        for name, performer in self._performers.items():
            for sent, (model, usage) in zip(performer.transport.sent, performer.used, strict=True):
                script = sent.script
                status = 0 if script is None or script.fault or sent.end == "cancelled" else script.status
                took = round(sent.ended_at - sent.at, 6) if sent.end else 0.0
                key = performer.keys.get(sent.key, "")
                spent = prices.cost(name, model, usage) if usage is not None and sent.end == "complete" else 0
                called.append(
                    Called(name, sent.at, took, key, status, sent.end, sent.path, sent.headers, sent.body, model, spent)
                )
        called.sort(key=lambda call: call.at)
        return called


def secret_of(name: str) -> str:
    return key_text(int.from_bytes(sha256(name.encode()).digest()))


def on_stage(spec: sp.Spec, keys: Mapping[str, str]) -> sp.Spec:
    """The spec with stores in memory and no place that records go to, and with keys whose secrets are known."""
    known = tuple(
        msgspec.structs.replace(key, hash=f"sha256:{sha256(keys[key.name].encode()).hexdigest()}", previous=None)
        for key in spec.auth.keys
    )
    return msgspec.structs.replace(
        spec,
        store=sp.StoreSettings(),
        auth=msgspec.structs.replace(spec.auth, keys=known),
        admin=None,
        alerts=None,
        audit=None,
        ledger=None,
        # Balances are in the ledger.
        quotas=None,
        traces=None,
    )


def _moments(case: Case) -> list[float]:
    expect = case.expect
    moments = {asked.at for asked in expect.breakers} | {asked.at for asked in expect.keys}
    moments |= {asked.at for asked in expect.accounts if asked.at is not None}
    return sorted(map(seconds, moments))


async def _until(moment: float) -> None:
    """Wait for a moment since the beginning, exactly."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.call_at(START + moment, future.set_result, None)
    await future
