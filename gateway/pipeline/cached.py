"""The response cache: a request that was answered before is answered again, without asking anybody.

    look up -> fresh: given | stale: given, perhaps fetched anew behind it | missing: one fetches, the others follow

Here it is only carried out. What is fresh decides policy/cache_control.py, what is the same dialects/cache_key.py, what
is worth keeping dialects/replay/storable.py; how it is fetched, cache_fetch.py and cache_refresh.py. A store that is
away is a miss.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.core.exchange import Exchange, Handler, Layer, Reply
from gateway.core.trace import CacheNote
from gateway.pipeline.cache_embeddings import EmbeddingCache
from gateway.pipeline.cache_fetch import Fetches
from gateway.pipeline.cache_flight import Flight
from gateway.pipeline.cache_question import OPERATIONS, Asked, Memory, Question, Questions, bypass_of
from gateway.pipeline.cache_refresh import Refreshes
from gateway.pipeline.cache_reply import TOLD, Answers
from gateway.pipeline.settings import CachePolicy
from gateway.pipeline.settlement import Settlement
from gateway.policy.cache_control import Wish, decide, usable_after_error, written
from gateway.runtime import Runtime
from gateway.store.cache_entry import decode
from gateway.store.protocol import CacheStore


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
        "_answers", "_chance", "_directive", "_embeddings", "_fetches", "_inner", "_largest", "_questions",
        "_refreshes", "_runtime", "_scope", "_store", "_wall",
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
        self._wall = runtime.clock.wall
        self._chance = runtime.clock.chance
        self._directive = policy.directive
        self._scope = policy.scope
        self._largest = policy.largest
        self._store = store
        self._runtime = runtime
        self._questions = questions
        self._inner = inner
        self._answers = Answers(runtime.metrics)
        self._fetches = Fetches(policy, store, runtime, self._answers, inner)
        self._refreshes = Refreshes(policy, store, runtime, self._fetches, settle)
        self._embeddings = EmbeddingCache(
            policy.router, policy.directive, policy.directive.kept_for, policy.largest, store, runtime
        )

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
        return CacheNote(written(self._directive), self._scope, key, bypass)

    async def _look_up(self, exchange: Exchange, wish: Wish, question: Question) -> Reply:
        names = question.names
        if wish.no_cache:
            # A new answer takes the place of one that was kept, and waits for nobody else's.
            index = int(self._chance() * len(names)) if len(names) > 1 else 0
            return await self._fetches.lead(exchange, Flight(exchange, self._largest), names[index], question, "bypass")
        values = await self._store.get(names)
        index = 0
        if len(names) > 1:
            vacant = [number for number, value in enumerate(values) if value is None]
            # Variants are filled first. One that is being fetched is as good as filled, for those who come after.
            free = [number for number in vacant if names[number] not in self._fetches] or vacant
            index = free[0] if free else int(self._chance() * len(names))
        value = values[index]
        entry = decode(value) if value is not None else None
        if entry is None:
            return await self._fetches.fetch(exchange, wish, names[index], question, None)
        age = max(0.0, self._wall() - entry.created)
        verdict = decide(age, self._directive, wish)
        if verdict != "miss":
            reply = self._answers.give(exchange, entry, question, "hit" if verdict == "fresh" else "stale", age)
            if reply is not None:
                if verdict == "refresh":
                    self._refreshes.start(exchange, names[index], question)
                return reply
        spare = entry if usable_after_error(age, self._directive, wish) else None
        return await self._fetches.fetch(exchange, wish, names[index], question, spare)

    async def _pass_by(self, exchange: Exchange) -> Reply:
        self._answers.count(exchange, "bypass")
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
        flight = self._fetches.under_way(name) if not wish.no_cache else None
        if flight is not None:
            flight.leader.followed = True
            while not (flight.ended or flight.failed):
                await flight.changed()
        flight = self._fetches.begin(exchange, name, 0)
        try:
            reply, result, kept = await self._embeddings(exchange, wish, asked, self._inner)
        except BaseException:
            flight.fail()
            self._fetches.end(flight, name)
            raise
        if kept is None or not self._runtime.behind.start(self._land(flight, name, kept)):
            flight.fail()
            self._fetches.end(flight, name)
        self._answers.count(exchange, result)
        return reply

    async def _land(self, flight: Flight, name: str, kept: Callable[[], Awaitable[None]]) -> None:
        try:
            await kept()
        finally:
            flight.fail()
            self._fetches.end(flight, name)
