"""The response cache: a request that was answered before is answered again, without asking anybody.

    look up -> fresh: given | stale: given, perhaps fetched anew behind it | missing: one fetches, the others follow

Here it is only carried out. What is fresh decides policy/cache_control.py, what is the same dialects/cache_key.py, what
is worth keeping dialects/replay/storable.py. A store that is away is a miss. Nothing is written before the client has
had its last byte, and nothing is awaited for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Literal

import msgspec

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, UpstreamFault
from gateway.core.exchange import Exchange, Handler, Layer, Reply
from gateway.core.trace import CacheNote
from gateway.core.usage import NOTHING_USED
from gateway.dialects.replay.forms import wanted_form
from gateway.dialects.replay.storable import is_storable
from gateway.pipeline.cache_embeddings import EmbeddingCache
from gateway.pipeline.cache_errors import copy_of, is_everybodys, is_upstreams
from gateway.pipeline.cache_flight import Flight
from gateway.pipeline.cache_question import OPERATIONS, Asked, Memory, Question, Questions, bypass_of
from gateway.pipeline.cache_reply import SAID, TOLD, Result, form_of, given, kept_of
from gateway.pipeline.settlement import Settlement
from gateway.policy.cache_control import Directive, Wish, decide, usable_after_error, written
from gateway.runtime import Runtime
from gateway.store.cache_entry import Entry, decode, encode
from gateway.store.protocol import CacheStore

LEASE: Final = 10.0
"""Seconds for which a replica that fetches keeps the others from doing the same."""
WAIT_WHOLE: Final = 10.0
WAIT_STREAM: Final = 2.0
"""Seconds that a request waits for another replica to have fetched; a stream, of which one wants to see the first
word, not so long. After that it is fetched here too."""
_FIRST_LOOK: Final = 0.05
_LONGEST_LOOK: Final = 0.5

_THREADED: Final = 128 * 1024
"""Bytes of a body from which on compressing it would keep everybody else waiting."""
_ZERO: Final = (b"age", b"0")


class CachePolicy(msgspec.Struct, frozen=True):
    """What a route says of its cache. router: its name in keys and metrics. largest: bytes of an answer that is kept.
    leases: other replicas share the store."""

    router: str
    directive: Directive
    scope: Literal["caller", "team", "router"]
    seed: str = ""
    buckets: int = 1
    largest: int = 4 * 1024 * 1024
    tool_calls: bool = False
    leases: bool = False


def cached(
    policy: CachePolicy,
    store: CacheStore,
    runtime: Runtime,
    memory: Memory | None = None,
    settle: Settlement | None = None,
) -> Layer:
    """The layer for a route. Not for one whose directive is `no-store`: that has none. memory: of questions, which the
    routes of a config share. settle: ends what is fetched behind; None where it is only counted."""
    settle = settle or Settlement(runtime.clock.monotonic, runtime.metrics)
    questions = Questions(policy.router, policy.scope, policy.seed, policy.buckets, {} if memory is None else memory)

    def layer(inner: Handler) -> Handler:
        return Cached(policy, store, runtime, questions, settle, inner)

    return layer


class Cached:
    """A handler that looks in the store first."""

    __slots__ = (
        "_chance", "_clock", "_directive", "_embeddings", "_flights", "_inner", "_policy", "_questions", "_router",
        "_runtime", "_serial", "_settlement", "_store", "_ttl", "_wall",
    )  # fmt: skip

    def __init__(
        self,
        policy: CachePolicy,
        store: CacheStore,
        runtime: Runtime,
        questions: Questions,
        settle: Settlement,
        inner: Handler,
    ) -> None:
        clock: Clock = runtime.clock
        self._clock = clock
        self._wall = clock.wall
        self._chance = clock.chance
        self._policy = policy
        self._directive = policy.directive
        self._router = policy.router
        self._ttl = policy.directive.kept_for
        self._store = store
        self._runtime = runtime
        self._questions = questions
        self._settlement = settle
        self._inner = inner
        self._flights: dict[str, Flight] = {}
        self._serial = 0
        self._embeddings = EmbeddingCache(policy.router, self._directive, self._ttl, policy.largest, store, runtime)

    async def __call__(self, exchange: Exchange) -> Reply:
        call = exchange.call
        if call.operation not in OPERATIONS or exchange.method != "POST":
            if exchange.trace is not None:
                exchange.trace.cache = self.explain(f"{exchange.method} {call.operation} is never kept")
            return await self._inner(exchange)
        wish, question = self._questions.read(exchange)
        if exchange.trace is not None:
            exchange.trace.cache = self.explain(bypass_of(wish, question), question)
        if question is None:
            return await self._pass_by(exchange)
        if question.asked is not None and self._embeddings.takes(call, question.asked.members):
            return await self._embed(exchange, wish, question.asked, question.names[0])
        return await self._look_up(exchange, wish, question)

    def explain(self, bypass: str, question: Question | None = None) -> CacheNote:
        """What the cache is to a request."""
        key = "" if question is None else question.told[1].decode()
        return CacheNote(written(self._directive), self._policy.scope, key, bypass)

    async def _look_up(self, exchange: Exchange, wish: Wish, question: Question) -> Reply:
        names = question.names
        if wish.no_cache:
            # A new answer takes the place of one that was kept, and waits for nobody else's.
            index = int(self._chance() * len(names)) if len(names) > 1 else 0
            return await self._lead(exchange, Flight(exchange, self._policy.largest), names[index], question, "bypass")
        values = await self._store.get(names)
        index = 0
        if len(names) > 1:
            vacant = [number for number, value in enumerate(values) if value is None]
            # Variants are filled first. One that is being fetched is as good as filled, for those who come after.
            free = [number for number in vacant if names[number] not in self._flights] or vacant
            index = free[0] if free else int(self._chance() * len(names))
        value = values[index]
        entry = decode(value) if value is not None else None
        if entry is None:
            return await self._fetch(exchange, wish, names[index], question, None)
        age = max(0.0, self._wall() - entry.created)
        verdict = decide(age, self._directive, wish)
        if verdict != "miss":
            reply = self._give(exchange, entry, question, "hit" if verdict == "fresh" else "stale", age)
            if reply is not None:
                if verdict == "refresh":
                    self._refresh(exchange, names[index], question)
                return reply
        spare = entry if usable_after_error(age, self._directive, wish) else None
        return await self._fetch(exchange, wish, names[index], question, spare)

    async def _fetch(self, exchange: Exchange, wish: Wish, name: str, question: Question, spare: Entry | None) -> Reply:
        """Lead, or follow who leads. spare: what is given when nothing can be fetched."""
        try:
            flight = self._flights.get(name)
            error: GatewayError | None = None
            # When a leader fails one follower tries again, and only its failure is everybody's; never a denial, which
            # is of one caller.
            for _ in range(2):
                if flight is None:
                    break
                reply = await self._follow(exchange, flight, question)
                if reply is not None:
                    return reply
                error = flight.error
                successor = self._flights.get(name)
                flight = successor if successor is not flight else None
            else:
                if error is not None and is_everybodys(error):
                    raise copy_of(error)
            flight = Flight(exchange, self._policy.largest)
            if name not in self._flights:
                self._flights[name] = flight
            return await self._lead(exchange, flight, name, question, "miss", wish)
        except GatewayError as failure:
            if spare is not None and is_upstreams(failure):
                age = max(0.0, self._wall() - spare.created)
                stale = self._give(exchange, spare, question, "stale", age)
                if stale is not None:
                    return stale
            self._count(exchange, "miss")
            failure.headers += (TOLD["miss"],)
            raise

    async def _lead(
        self,
        exchange: Exchange,
        flight: Flight,
        name: str,
        question: Question,
        result: Result,
        wish: Wish | None = None,
    ) -> Reply:
        """Fetch, and note what comes. wish: other replicas may be waited for; None: they may not."""
        holder = ""
        try:
            if self._policy.leases and wish is not None:
                holder = self._holder()
                entry = await self._taken_elsewhere(exchange, name, holder, wish)
                if entry is not None:
                    flight.finish(entry)
                    reply = self._give(exchange, entry, question, "shared", max(0.0, self._wall() - entry.created))
                    if reply is not None:
                        self._end(flight, name, holder)
                        return reply
            reply = await self._inner(exchange)
        except BaseException as failure:
            if isinstance(failure, GatewayError):
                flight.fail(failure)
            else:
                flight.fail()
            self._end(flight, name, holder)
            if result != "miss":
                # A miss may still be answered with what is stale; then it is none.
                self._count(exchange, result)
            raise
        form = form_of(exchange.call, reply)
        if reply.status != 200 or form is None:
            # Fine for this client, but nothing that could be given to another.
            flight.fail()
            self._end(flight, name, holder)
        else:
            flight.begin(form, kept_of(reply.headers), reply.first)
            if reply.rest is None:
                flight.finish(self._entry(exchange, flight))
            else:
                self._tee(flight, reply)
            exchange.on_settle.append(partial(self._settle, flight, name, holder))
        reply.headers.append(TOLD[result])
        reply.headers.append(question.told)
        self._count(exchange, result)
        return reply

    def _tee(self, flight: Flight, reply: Reply) -> None:
        assert reply.rest is not None
        close = reply.close
        rest = reply.rest = flight.tee(reply.rest)

        async def close_both() -> None:
            await rest.aclose()
            if not flight.ended:
                flight.fail()
            if close is not None:
                await close()

        reply.close = close_both

    def _settle(self, flight: Flight, name: str, holder: str, exchange: Exchange) -> None:
        """The client has had all of it, or there was no all of it. Whole: keep it, behind everybody's back."""
        if flight.entry is None and flight.ended and not flight.overflowed and not exchange.error_code:
            flight.finish(self._entry(exchange, flight))
        entry = flight.entry
        if entry is None:
            flight.fail()
        elif (
            self._ttl > 0
            and len(entry.body) <= self._policy.largest
            and is_storable(exchange.call, entry.form, entry.body, entry.usage, tool_calls=self._policy.tool_calls)
            and self._runtime.behind.start(self._keep(flight, name, holder, entry))
        ):
            return
        self._end(flight, name, holder)

    async def _keep(self, flight: Flight, name: str, holder: str, entry: Entry) -> None:
        try:
            large = len(entry.body) >= _THREADED
            await self._store.put(name, await asyncio.to_thread(encode, entry) if large else encode(entry), self._ttl)
        finally:
            self._end(flight, name, holder)

    def _entry(self, exchange: Exchange, flight: Flight) -> Entry:
        assert flight.form is not None
        told = flight.form == "whole" or exchange.call.wants_usage
        body = b"".join(flight.chunks)
        return Entry(self._wall(), flight.form, flight.kept, body, exchange.usage, told)

    def _end(self, flight: Flight, name: str, holder: str) -> None:
        """Nobody can join any more."""
        if self._flights.get(name) is flight:
            del self._flights[name]
        if holder:
            self._runtime.behind.start(self._store.release(name, holder))

    async def _follow(self, exchange: Exchange, flight: Flight, question: Question) -> Reply | None:
        """What another request brings; None when it brings nothing that this one can use."""
        call = exchange.call
        flight.leader.followed = True
        while flight.form is None and not flight.failed and flight.entry is None:
            await flight.changed()
        leader = flight.leader.call
        same = wanted_form(call) == flight.form and call.wants_usage == leader.wants_usage
        if same and flight.form != "whole" and not flight.failed and not flight.overflowed:
            rest = flight.follow()
            first = await anext(rest)
            headers = [*flight.kept, TOLD["shared"], question.told, _ZERO]
            exchange.usage = NOTHING_USED
            exchange.spared = flight.leader
            self._count(exchange, "shared")
            return Reply(200, headers, first, rest, rest.aclose)
        while flight.entry is None and not flight.failed and not flight.overflowed:
            await flight.changed()
        if flight.entry is None:
            return None
        return self._give(exchange, flight.entry, question, "shared", 0.0)

    async def _taken_elsewhere(self, exchange: Exchange, name: str, holder: str, wish: Wish) -> Entry | None:
        """What another replica fetches meanwhile; None when it is this one's turn. Never longer than WAIT_*."""
        pause = _FIRST_LOOK
        waited = 0.0
        limit = WAIT_STREAM if exchange.call.stream else WAIT_WHOLE
        while not await self._store.lease(name, holder, LEASE):
            if waited >= limit:
                break
            await asyncio.sleep(pause)
            waited += pause
            pause = min(pause * 1.5, _LONGEST_LOOK)
            value = (await self._store.get([name]))[0]
            entry = decode(value) if value is not None else None
            if entry is not None and decide(max(0.0, self._wall() - entry.created), self._directive, wish) == "fresh":
                return entry
        return None

    def _give(self, exchange: Exchange, entry: Entry, question: Question, result: Result, age: float) -> Reply | None:
        reply = given(exchange, entry, question, result, age)
        if reply is not None:
            self._count(exchange, result)
        return reply

    async def _pass_by(self, exchange: Exchange) -> Reply:
        self._count(exchange, "bypass")
        reply = await self._inner(exchange)
        reply.headers.append(TOLD["bypass"])
        return reply

    async def _embed(
        self,
        exchange: Exchange,
        wish: Wish,
        asked: Asked,
        name: str,
    ) -> Reply:
        """name: of the batch as a whole. One that is the same and under way is waited for, and its inputs are kept
        then, unless it failed."""
        flight = self._flights.get(name) if not wish.no_cache else None
        if flight is not None:
            flight.leader.followed = True
            while not (flight.ended or flight.failed):
                await flight.changed()
        flight = Flight(exchange, 0)
        if name not in self._flights:
            self._flights[name] = flight
        try:
            reply, result, kept = await self._embeddings(exchange, wish, asked, self._inner)
        except BaseException:
            flight.fail()
            self._end(flight, name, "")
            raise
        if kept is None or not self._runtime.behind.start(self._land(flight, name, kept)):
            flight.fail()
            self._end(flight, name, "")
        self._count(exchange, result)
        return reply

    async def _land(self, flight: Flight, name: str, kept: Callable[[], Awaitable[None]]) -> None:
        try:
            await kept()
        finally:
            flight.fail()
            self._end(flight, name, "")

    def _refresh(self, exchange: Exchange, name: str, question: Question) -> None:
        """Fetch anew behind the client's back, unless somebody does already or too much is going on."""
        if name in self._flights:
            return
        again = _again(exchange, self._clock.monotonic(), self._wall())
        flight = Flight(again, self._policy.largest)
        self._flights[name] = flight
        if not self._runtime.behind.start(self._fetch_behind(again, flight, name, question)):
            del self._flights[name]

    async def _fetch_behind(self, again: Exchange, flight: Flight, name: str, question: Question) -> None:
        """A request of its own, with nobody to answer: it is limited, counted and settled as every other."""
        holder = self._holder() if self._policy.leases else ""
        if holder and not await self._store.lease(name, holder, LEASE):
            flight.fail()
            self._end(flight, name, "")
            return
        try:
            reply = await self._lead(again, flight, name, question, "refresh")
            again.status = reply.status
            if reply.rest is not None:
                try:
                    async for _ in reply.rest:
                        pass
                finally:
                    if reply.close is not None:
                        await reply.close()
        except GatewayError as error:
            again.outcome, again.status, again.error_code = "error", error.status, error.code
        except UpstreamFault as fault:
            again.outcome, again.error_code = "broken", fault.kind
        finally:
            if holder:
                self._runtime.behind.start(self._store.release(name, holder))
            self._settlement(again)

    def _holder(self) -> str:
        self._serial += 1
        return f"{self._runtime.name}:{self._serial}"

    def _count(self, exchange: Exchange, result: Result) -> None:
        exchange.cache = SAID[result]
        self._runtime.metrics.count_cache(exchange.router, result)


def _again(exchange: Exchange, started: float, wall: float) -> Exchange:
    """The same request, from nobody."""
    return Exchange(
        id=f"{exchange.id}-refresh",
        method=exchange.method,
        path=exchange.path,
        query=exchange.query,
        headers=exchange.headers,
        body=exchange.body,
        call=exchange.call,
        router=exchange.router,
        started=started,
        wall=wall,
        credential=exchange.credential,
        client=exchange.client,
        caller=exchange.caller,
        team=exchange.team,
        project=exchange.project,
        access=exchange.access,
        rule=exchange.rule,
        chosen=exchange.chosen,
        likely=exchange.likely,
        span=exchange.span.behind() if exchange.span is not None else None,
    )
