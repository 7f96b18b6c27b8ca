"""Fetching anew, behind a client's back, what was given though stale.

A request of its own with nobody to answer: it is limited, counted and settled as every other. Must not: be waited for
by anybody, or be done when somebody does it already.
"""

from __future__ import annotations

from gateway.core.errors import GatewayError, UpstreamFault, untraced
from gateway.core.exchange import Exchange
from gateway.pipeline.cache_fetch import LEASE, Fetches
from gateway.pipeline.cache_flight import Flight
from gateway.pipeline.cache_question import Question
from gateway.pipeline.settings import CachePolicy
from gateway.pipeline.settlement import Settlement
from gateway.runtime import Runtime
from gateway.store.protocol import CacheStore


class Refreshes:
    """Of a route. settle: ends what is fetched."""

    __slots__ = ("_fetches", "_largest", "_leases", "_runtime", "_settle", "_store")

    def __init__(
        self, policy: CachePolicy, store: CacheStore, runtime: Runtime, fetches: Fetches, settle: Settlement
    ) -> None:
        self._largest = policy.largest
        self._leases = policy.leases
        self._store = store
        self._runtime = runtime
        self._fetches = fetches
        self._settle = settle

    def start(self, exchange: Exchange, name: str, question: Question) -> None:
        """Unless somebody does it already, or too much is going on."""
        if name in self._fetches:
            return
        clock = self._runtime.clock
        again = _again(exchange, clock.monotonic(), clock.wall())
        flight = self._fetches.begin(again, name, self._largest)
        if not self._runtime.behind.start(self._fetch(again, flight, name, question)):
            self._fetches.end(flight, name)

    async def _fetch(self, again: Exchange, flight: Flight, name: str, question: Question) -> None:
        holder = self._fetches.holder() if self._leases else ""
        if holder and not await self._store.lease(name, holder, LEASE):
            flight.fail()
            self._fetches.end(flight, name)
            return
        try:
            reply = await self._fetches.lead(again, flight, name, question, "refresh")
            again.status = reply.status
            if reply.rest is not None:
                try:
                    async for _ in reply.rest:
                        pass
                finally:
                    if reply.close is not None:
                        await reply.close()
        except GatewayError as error:
            untraced(error)
            again.outcome, again.status, again.error_code = "error", error.status, error.code
        except UpstreamFault as fault:
            untraced(fault)
            again.outcome, again.error_code = "broken", fault.kind
        finally:
            if holder:
                self._runtime.behind.start(self._store.release(name, holder))
            self._settle(again)


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
