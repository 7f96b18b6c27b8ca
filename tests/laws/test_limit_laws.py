"""Whatever becomes of requests, a bucket ends with what was really used taken out of it, once."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import REFUSED, GatewayError
from gateway.core.exchange import Attempt, Call, Exchange, Outcome, Reply
from gateway.core.usage import Usage
from gateway.pipeline.admit import Counting, admit
from gateway.pipeline.settlement import Settlement
from gateway.policy.estimate import Estimator, used_by
from gateway.policy.limits import Unit, rule
from gateway.policy.token_bucket import Rate
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import Take
from gateway.telemetry.metrics import Metrics

CAPACITY: Final = 1_000_000
"""More than all requests of an example use together, so that none is refused here."""
MONTH: Final = 30 * 86_400 * 1_000_000


class Fate(NamedTuple):
    """What becomes of a request. asked: its maximum of output. used: as the provider reports, None when it does not.
    ends: its outcome, or `refused` by a limit or a budget further in with that code, or `nobody` was asked."""

    asked: int
    used: tuple[int, int] | None
    ends: Outcome | Literal["refused", "nobody"]
    code: str


fates = st.builds(
    Fate,
    asked=st.integers(0, 5000),
    used=st.none() | st.tuples(st.integers(0, 5000), st.integers(0, 5000)),
    ends=st.sampled_from(["ok", "error", "broken", "disconnected", "refused", "nobody"]),
    code=st.sampled_from(sorted(REFUSED)),
)


def price(exchange: Exchange) -> None:
    """A token costs a millionth of a dollar, and nobody's costs nothing."""
    exchange.cost = used_by(exchange).total * 1000


@given(st.lists(fates, max_size=30))
async def test_tokens_are_settled_once_whatever_happens(given_fates: list[Fate]) -> None:
    store = MemoryLimits(lambda: 0.0)
    counting = Counting(store, Estimator(), lambda provider, model, usage: usage.total, Metrics())
    units: tuple[Unit, ...] = ("requests", "tokens", "usd")
    rules = [
        rule("total", unit, Rate(CAPACITY, MONTH), shadow=False, tag="t", place="", period="30d") for unit in units
    ]
    settlement = Settlement(lambda: 0.0, Metrics(), None, price)
    spent, requests = 0, 0
    for fate in given_fates:
        call = Call("openai", "chat", "/", model="m", max_tokens=fate.asked)
        exchange = Exchange("1", "POST", "/", b"", [], b"x" * 400, call, "r", 0.0, 0.0)

        async def inner(exchange: Exchange, fate: Fate = fate) -> Reply:
            if fate.ends == "refused":
                raise GatewayError(fate.code, "No.")
            if fate.ends != "nobody":
                exchange.attempts = [Attempt("p", "m", "m", "k", 0.0, first_byte=1.0)]
            if fate.used is not None and fate.ends != "nobody":
                exchange.usage = Usage(*fate.used)
            return Reply(200, [], b"")

        try:
            await admit(rules, counting)(inner)(exchange)
        except GatewayError as error:
            exchange.outcome, exchange.error_code = "error", error.code
        else:
            exchange.outcome = "ok" if fate.ends == "refused" or fate.ends == "nobody" else fate.ends
        settlement(exchange)
        requests += fate.ends != "refused"
        if fate.ends in ("ok", "broken", "disconnected"):
            assert exchange.estimate is not None
            used = fate.used or (exchange.estimate.input, exchange.estimate.output)
            spent += sum(used)
    takes = [Take(one.prefix + "all", one.rate, 0) for one in rules]
    left = [standing.remaining for standing in (await store.take(takes)).standings]
    assert left == [CAPACITY - requests, CAPACITY - spent, CAPACITY - spent]
