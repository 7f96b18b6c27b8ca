"""Fetching what the cache has not: one of several identical requests asks, the others follow it.

Lives here: who leads and who follows, in this process and, by leases in a shared store, among replicas; and how what
came is kept. Must not: decide what is fresh, or look for what is kept already.
Laws: nothing is written before the client has had its last byte, and nothing is awaited for it; a flight that nobody
can join any more is forgotten.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from gateway.core.errors import GatewayError, untraced
from gateway.core.exchange import Exchange, Handler, Reply
from gateway.core.usage import NOTHING_USED
from gateway.dialects.replay.forms import wanted_form
from gateway.dialects.replay.storable import is_storable
from gateway.pipeline.cache_errors import copy_of, is_everybodys, is_upstreams
from gateway.pipeline.cache_flight import Flight
from gateway.pipeline.cache_question import Question
from gateway.pipeline.cache_reply import TOLD, Answers, Result, form_of, kept_of
from gateway.pipeline.settings import CachePolicy
from gateway.policy.cache_control import Wish, decide
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


class Fetches:
    """What is being fetched for a route, by the name under which it will be kept."""

    __slots__ = (
        "_answers", "_directive", "_flights", "_inner", "_largest", "_leases", "_runtime", "_serial", "_store",
        "_tool_calls", "_ttl", "_wall",
    )  # fmt: skip

    def __init__(
        self, policy: CachePolicy, store: CacheStore, runtime: Runtime, answers: Answers, inner: Handler
    ) -> None:
        self._wall = runtime.clock.wall
        self._directive = policy.directive
        self._ttl = policy.directive.kept_for
        self._largest = policy.largest
        self._tool_calls = policy.tool_calls
        self._leases = policy.leases
        self._store = store
        self._runtime = runtime
        self._answers = answers
        self._inner = inner
        self._flights: dict[str, Flight] = {}
        self._serial = 0

    def __contains__(self, name: str) -> bool:
        return name in self._flights

    def under_way(self, name: str) -> Flight | None:
        """What may be followed, if anything."""
        return self._flights.get(name)

    def begin(self, exchange: Exchange, name: str, largest: int) -> Flight:
        """A flight that others may follow, unless they follow one already. To be ended by whoever begins it. largest:
        bytes that are noted while nobody follows."""
        flight = Flight(exchange, largest)
        if name not in self._flights:
            self._flights[name] = flight
        return flight

    async def fetch(self, exchange: Exchange, wish: Wish, name: str, question: Question, spare: Entry | None) -> Reply:
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
            flight = self.begin(exchange, name, self._largest)
            return await self.lead(exchange, flight, name, question, "miss", wish)
        except GatewayError as failure:
            untraced(failure)
            if spare is not None and is_upstreams(failure):
                age = max(0.0, self._wall() - spare.created)
                stale = self._answers.give(exchange, spare, question, "stale", age)
                if stale is not None:
                    return stale
            self._answers.count(exchange, "miss")
            failure.headers += (TOLD["miss"],)
            raise

    async def lead(
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
            if self._leases and wish is not None:
                holder = self.holder()
                entry = await self._taken_elsewhere(exchange, name, holder, wish)
                if entry is not None:
                    flight.finish(entry)
                    reply = self._answers.give(
                        exchange, entry, question, "shared", max(0.0, self._wall() - entry.created)
                    )
                    if reply is not None:
                        self.end(flight, name, holder)
                        return reply
            reply = await self._inner(exchange)
        except BaseException as failure:
            if isinstance(failure, GatewayError):
                flight.fail(failure)
            else:
                flight.fail()
            self.end(flight, name, holder)
            if result != "miss":
                # A miss may still be answered with what is stale; then it is none.
                self._answers.count(exchange, result)
            raise
        form = form_of(exchange.call, reply)
        if reply.status != 200 or form is None:
            # Fine for this client, but nothing that could be given to another.
            flight.fail()
            self.end(flight, name, holder)
        else:
            flight.begin(form, kept_of(reply.headers), reply.first)
            if reply.rest is None:
                flight.finish(self._entry(exchange, flight))
            else:
                self._tee(flight, reply)
            exchange.on_settle.append(partial(self._settle, flight, name, holder))
        reply.headers.append(TOLD[result])
        reply.headers.append(question.told)
        self._answers.count(exchange, result)
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
            and len(entry.body) <= self._largest
            and is_storable(exchange.call, entry.form, entry.body, entry.usage, tool_calls=self._tool_calls)
            and self._runtime.behind.start(self._keep(flight, name, holder, entry))
        ):
            return
        self.end(flight, name, holder)

    async def _keep(self, flight: Flight, name: str, holder: str, entry: Entry) -> None:
        try:
            large = len(entry.body) >= _THREADED
            await self._store.put(name, await asyncio.to_thread(encode, entry) if large else encode(entry), self._ttl)
        finally:
            self.end(flight, name, holder)

    def _entry(self, exchange: Exchange, flight: Flight) -> Entry:
        assert flight.form is not None
        told = flight.form == "whole" or exchange.call.wants_usage
        body = b"".join(flight.chunks)
        return Entry(self._wall(), flight.form, flight.kept, body, exchange.usage, told)

    def end(self, flight: Flight, name: str, holder: str = "") -> None:
        """Nobody can join any more. holder: whose lease is given back, `` where there is none."""
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
            self._answers.count(exchange, "shared")
            return Reply(200, headers, first, rest, rest.aclose)
        while flight.entry is None and not flight.failed and not flight.overflowed:
            await flight.changed()
        if flight.entry is None:
            return None
        return self._answers.give(exchange, flight.entry, question, "shared", 0.0)

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

    def holder(self) -> str:
        """Another name for each time that this process fetches for all replicas."""
        self._serial += 1
        return f"{self._runtime.name}:{self._serial}"
