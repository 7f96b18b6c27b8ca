"""Recorded requests, sent through two configs at the same virtual times.

Each config is a production house of its own; both are asked on one loop, so that each request is compared when both
have ended and nothing of it is kept. Providers answer as the record has it (recorded.py). Law: a draw of chance is the
request's own, the same under both configs, whatever else they drew before.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import urlsplit
from zlib import crc32

import msgspec

from gateway.assemble.house import House, assemble
from gateway.assemble.pricing import pricing_for
from gateway.config import spec as sp
from gateway.config.load import Loaded
from gateway.config.price_book import price_book
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Exchange, Handler
from gateway.ingress.relay import relay
from gateway.pipeline.settlement import Settlement
from gateway.rehearsal.answers import streamed_answer, whole_answer
from gateway.rehearsal.recorded import Known
from gateway.rehearsal.recorded_request import Asked, asked_by
from gateway.rehearsal.stage import on_stage, secret_of
from gateway.rehearsal.virtual_time import START, run_virtual
from gateway.runtime import Runtime
from gateway.telemetry.audit_line import AuditLine
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

_JSON: Final = [(b"content-type", b"application/json")]
_SSE: Final = [(b"content-type", b"text/event-stream")]
_MAX_JUMPS: Final = 1 << 62
_STRANGER: Final = b"rg-not-a-key"
_MOST: Final = 20_000
"""Requests under way at a time. A config under which none ends would hold them all."""


class Ended(msgspec.Struct, frozen=True):
    """What became of a request under one config. target: who answered, `` for nobody. limited: it was over a limit or a
    budget of the gateway's own. unknown: targets that it was sent to, of which the record has nothing. guessed: it was
    answered as others were. drawn: chance had a part in it. cost: nano-USD, None where the price is not known."""

    status: int
    code: str
    limited: bool
    target: str
    cache: str
    seconds: float
    cost: int | None
    attempts: int
    unknown: tuple[str, ...]
    guessed: bool
    drawn: bool

    @property
    def good(self) -> bool:
        return self.status < 400


Compare = Callable[[AuditLine, Ended, Ended], object]
"""Told of each request, when it has ended under both configs."""


class _Chance:
    """A request's own chance (a linear congruential generator: seeding a better one costs as much as a request)."""

    __slots__ = ("_state", "decided")

    def __init__(self, seed: str) -> None:
        self._state = crc32(seed.encode())
        self.decided = False
        self()

    def decide(self) -> float:
        """A draw of the gateway's, which is remembered to have been made."""
        self.decided = True
        return self()

    def __call__(self) -> float:
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
        return (self._state >> 11) / (1 << 53)


class _Asking(msgspec.Struct, eq=False):
    """A request under one config. turns: how often each target was asked. mute: a provider was asked in words that
    nobody here has."""

    line: AuditLine
    asked: Asked
    chance: _Chance
    turns: dict[tuple[str, str], int] = {}
    unknown: dict[str, None] = {}
    guessed: bool = False
    mute: bool = False


_ASKING: Final[ContextVar[_Asking]] = ContextVar("asking")


class _Model(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct):
    model: str = ""
    stream: bool | None = None
    stream_options: _Model | None = None


_BODY: Final = msgspec.json.Decoder(_Body)


class _Recorded:
    """A provider, as the record knows it."""

    def __init__(self, name: str, known: Known) -> None:
        self._name = name
        self._known = known

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        asking = _ASKING.get()
        path = urlsplit(request.url).path
        try:
            body = _BODY.decode(request.body)
        except msgspec.DecodeError:
            body = _Body()
        model = body.model or _model_in(path)
        target = self._name, model
        turn = asking.turns.get(target, 0)
        asking.turns[target] = turn + 1
        found = self._known.answer(asking.line, self._name, model, turn, asking.chance())
        if found.by == "nothing":
            asking.unknown[f"{self._name}/{model}" if model else self._name] = None
        elif found.by == "others":
            asking.guessed = True
        if found.fault in ("silent", "stalled", "deadline"):
            # How long it is waited for is the config's.
            await asyncio.Event().wait()
        share = 1.0
        response = asking.line.response
        if request.streamed and response.first_byte_ms and response.latency_ms:
            share = min(response.first_byte_ms / response.latency_ms, 1.0)
        if found.seconds:
            await asyncio.sleep(found.seconds * share)
        if found.fault == "connect" or (found.fault and not found.status):
            raise UpstreamFault("connect", "as recorded")
        if found.status >= 400:
            return UpstreamReply(found.status, list(_JSON), _error(found.status), None)
        return self._good(request, asking, path, model, body, found.seconds * (1 - share), found.fault)

    def _good(
        self, request: UpstreamRequest, asking: _Asking, path: str, model: str, body: _Body, rest: float, fault: str
    ) -> UpstreamReply:
        usage = asking.asked.usage
        if body.stream or ":streamGenerate" in path:
            tells = body.stream_options is not None and body.stream_options.include_usage
            pieces = streamed_answer(path, model, usage, tells_usage=tells)
            if pieces is None:
                asking.mute = True
                raise UpstreamFault("connect", "no words for it")
            return UpstreamReply(200, list(_SSE), None, _streamed(pieces, rest, fault), _close)
        content = whole_answer(path, model, usage)
        if content is None:
            asking.mute = True
            raise UpstreamFault("connect", "no words for it")
        if request.streamed:
            return UpstreamReply(200, list(_JSON), None, _streamed((content, b""), rest, fault), _close)
        return UpstreamReply(200, list(_JSON), content)

    async def close(self) -> None:
        return None


async def _streamed(pieces: tuple[bytes, bytes], rest: float, fault: str) -> Any:
    yield pieces[0]
    if rest:
        await asyncio.sleep(rest)
    if fault:
        raise UpstreamFault("cut", "as recorded", status=200)
    if pieces[1]:
        yield pieces[1]


async def _close() -> None:
    return None


def _error(status: int) -> bytes:
    return b'{"error":{"message":"as recorded","type":"recorded","code":null,"param":null},"status":%d}' % status


def _model_in(path: str) -> str:
    for mark in ("/models/", "/model/", "/deployments/"):
        _, found, rest = path.rpartition(mark)
        if found:
            return rest.partition(":")[0].partition("/")[0]
    return ""


class _Side:
    """One config, assembled, with what is known of who asks."""

    def __init__(self, loaded: Loaded, env: Mapping[str, str], callers: Mapping[str, str], known: Known, base: float):
        loop = asyncio.get_running_loop()
        clock = Clock(
            # Of the request that asks, which is another each time.
            monotonic=loop.time,
            wall=lambda: base + loop.time() - START,
            chance=lambda: _ASKING.get().chance.decide(),  # noqa: PLW0108
        )
        self._output = io.StringIO()
        self.runtime = runtime = Runtime(
            clock=clock,
            transport=_Recorded("", known),
            echo=_Recorded("echo", known),
            log=Log(clock.wall, "json", "error", self._output),
            metrics=Metrics(),
        )
        self._spec = spec = _with_callers(loaded.spec, callers)
        self._keys = {key.name: secret_of(key.name) for key in spec.auth.keys}
        self._house: House = assemble(on_stage(spec, self._keys), loaded.hash, runtime, env)
        for endpoint in (*self._house.endpoints.values(), *self._house.routed):
            endpoint.transport = _Recorded(endpoint.name, known)
        pricing = pricing_for(spec, runtime, price_book(spec), recorded=True)
        self._settle = Settlement(clock.monotonic, runtime.metrics, None, pricing)
        self._clock = clock

    async def ask(self, line: AuditLine, asked: Asked) -> Ended | None:
        """None where it cannot be told."""
        asking = _Asking(line, asked, _Chance(line.id))
        _ASKING.set(asking)
        secret = self._keys.get(line.caller)
        exchange = Exchange(
            id=line.id,
            method="POST",
            path=asked.path,
            query=b"",
            headers=list(asked.headers),
            body=asked.body,
            call=asked.call,
            router=line.router,
            started=self._clock.monotonic(),
            wall=self._clock.wall(),
            credential=secret.encode() if secret is not None else _STRANGER if line.caller else b"",
            client="127.0.0.1",
            estimate=asked.estimate,
        )
        handler = self._handler(line.router)
        if handler is None:
            exchange.status, exchange.outcome, exchange.error_code = 404, "error", "router_not_found"
        else:
            await self._serve(exchange, handler)
        self._settle(exchange)
        return None if asking.mute else _ended(exchange, asking)

    def _handler(self, router: str) -> Handler | None:
        table = self._house.table
        if router == "/ai":
            return table.unified.handler
        if router == "/v1":
            return table.at_root.handler
        apps = table.direct if router.startswith("/") else table.routers
        app = apps.get(router.removeprefix("/").encode())
        return None if app is None else app.handler

    async def _serve(self, exchange: Exchange, handler: Handler) -> None:
        try:
            reply = await handler(exchange)
        except GatewayError as error:
            exchange.status, exchange.outcome, exchange.error_code = error.status, "error", error.code
            return
        exchange.status = reply.status
        await relay(reply, exchange, _nowhere)

    async def close(self) -> Sequence[str]:
        """What the gateway has logged as an error."""
        await self.runtime.close()
        return self._output.getvalue().splitlines()


async def _nowhere(message: object) -> None:
    """Where replies are sent to."""


def _with_callers(spec: sp.Spec, callers: Mapping[str, str]) -> sp.Spec:
    """The spec with every caller whom it cannot name: those of a keys file and of issuers. From where they call and how
    they sign is not in a record."""
    auth = spec.auth
    keys = tuple(msgspec.structs.replace(key, networks=None, signing=None, signing_secret=None) for key in auth.keys)
    if auth.mode == "keys" and (auth.keys_file or auth.jwt):
        names = {key.name for key in keys}
        keys += tuple(
            sp.GatewayKey(name=name, hash=f"sha256:{'0' * 64}", team=team or None)
            for name, team in callers.items()
            if name not in names
        )
    auth = msgspec.structs.replace(auth, keys=keys, keys_file=None, jwt=())
    return msgspec.structs.replace(spec, auth=auth)


def _ended(exchange: Exchange, asking: _Asking) -> Ended:
    status, code = exchange.status, exchange.error_code
    answered = exchange.provider if status < 400 or exchange.attempts else ""
    cost = exchange.cost
    return Ended(
        status=status,
        code=code,
        limited=code == "request_exceeds_limit" or (bool(code) and not exchange.attempts and status in (402, 429)),
        target=f"{answered}/{exchange.model}" if answered and exchange.model else answered,
        cache=exchange.cache,
        seconds=max(exchange.ended - exchange.started, 0.0),
        cost=cost,
        attempts=len(exchange.attempts),
        unknown=tuple(asking.unknown),
        guessed=asking.guessed,
        drawn=asking.chance.decided,
    )


def reenact(
    old: tuple[Loaded, Mapping[str, str]],
    new: tuple[Loaded, Mapping[str, str]],
    lines: Iterator[tuple[float, AuditLine]],
    known: Known,
    callers: Mapping[str, str],
    base: float,
    compare: Compare,
) -> tuple[int, list[str]]:
    """Send every line through both configs. callers: their teams, by name. base: Unix seconds at which it begins. How
    many could not be made anew, and what either gateway has logged as an error."""
    return run_virtual(_reenact(old, new, lines, known, callers, base, compare), _MAX_JUMPS)


async def _reenact(
    old: tuple[Loaded, Mapping[str, str]],
    new: tuple[Loaded, Mapping[str, str]],
    lines: Iterator[tuple[float, AuditLine]],
    known: Known,
    callers: Mapping[str, str],
    base: float,
    compare: Compare,
) -> tuple[int, list[str]]:
    loop = asyncio.get_running_loop()
    sides = tuple(_Side(loaded, env, callers, known, base) for loaded, env in (old, new))
    left_out = 0
    tasks: set[asyncio.Task[None]] = set()

    async def both(line: AuditLine, asked: Asked) -> None:
        nonlocal left_out
        pair: list[Ended | None] = [None, None]

        async def one(number: int) -> None:
            pair[number] = await sides[number].ask(line, asked)

        first = loop.create_task(one(0))
        await one(1)
        await first
        before, after = pair
        if before is None or after is None:
            left_out += 1
        else:
            compare(line, before, after)

    for moment, line in lines:
        asked = asked_by(line)
        if asked is None:
            left_out += 1
            continue
        at = START + moment - base
        if at > loop.time():
            ready: asyncio.Future[None] = loop.create_future()
            loop.call_at(at, ready.set_result, None)
            await ready
        known.learn(line)
        while len(tasks) >= _MOST:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        task = loop.create_task(both(line, asked))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    while tasks:
        await asyncio.wait(set(tasks))
    logged = [said for side in sides for said in await side.close()]
    return left_out, logged
