from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.core.errors import FaultKind, UpstreamFault
from gateway.core.exchange import Attempt
from gateway.core.secret import Secret
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.flight import Flight
from gateway.pipeline.target import Target
from gateway.policy.health import BreakerPolicy
from gateway.policy.key_pool import KeyPool, PoolKey
from gateway.policy.load import TargetLoad
from gateway.policy.retry import VERDICTS
from gateway.providers.row import Surface
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

NOW = 1000.0


class NoTransport:
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise AssertionError("a flight sends nothing")

    async def close(self) -> None: ...


def target(*keys: str) -> Target:
    """A target whose breaker opens at the second failure in a row."""
    endpoint = Endpoint(
        name="openai",
        title="OpenAI",
        origin="http://127.0.0.1:9",
        surfaces=(Surface(dialect="openai", operations=("chat",)),),
        auth="bearer",
        pool=KeyPool([Secret(key, key) for key in keys or ("main",)], 60.0, 300.0),
        transport=NoTransport(),
    )
    return Target(
        index=0,
        weight=1,
        priority=0,
        endpoint=endpoint,
        site=endpoint.surfaces[0],
        url="http://127.0.0.1:9/v1/chat/completions",
        model="gpt-4o",
        label="gpt-4o",
        load=TargetLoad(BreakerPolicy(consecutive_failures=2, open_for=10.0)),
        context=0,
        ask_usage=False,
        region="",
        reply_headers=[],
    )


def key_of(aim: Target, now: float = NOW) -> PoolKey:
    key = aim.endpoint.pool.pick(now)
    assert key is not None
    return key


def fly(aim: Target, *, streamed: bool = False, started: float = NOW, key: PoolKey | None = None) -> Flight:
    chosen = key or key_of(aim, started)
    return Flight(aim, chosen, Attempt("openai", "gpt-4o", "gpt-4o", chosen.name, started), streamed)


def fail(flight: Flight, kind: FaultKind, now: float, retry_after: float | None = None, status: int = 0) -> None:
    flight.fail(UpstreamFault(kind, "", status=status, retry_after=retry_after), VERDICTS[kind], now)


def test_a_flight_is_in_flight_until_it_lands_once() -> None:
    aim = target()
    flight, other = fly(aim), fly(aim)
    assert aim.load.in_flight == 2
    flight.succeed(NOW + 1)
    flight.abandon(NOW + 2)
    fail(flight, "connect", NOW + 3)
    assert aim.load.in_flight == 1
    assert (flight.attempt.ended, flight.attempt.fault) == (NOW + 1, None)
    other.abandon(NOW + 4)
    assert aim.load.in_flight == 0


def test_a_whole_reply_is_a_sample_of_its_whole_time() -> None:
    aim = target()
    fly(aim).succeed(NOW + 2)
    assert aim.load.whole.value(NOW + 2) == 2.0
    assert not aim.load.streamed.tried


def test_a_stream_is_a_sample_of_the_wait_for_its_first_event() -> None:
    aim = target()
    flight = fly(aim, streamed=True)
    flight.see_first_byte(NOW + 0.5)
    flight.succeed(NOW + 60)
    assert aim.load.streamed.value(NOW + 0.5) == 0.5
    assert not aim.load.whole.tried
    assert flight.attempt.first_byte == NOW + 0.5


def test_the_first_bytes_of_what_is_no_stream_are_no_sample_of_streams() -> None:
    aim = target()
    flight = fly(aim)
    flight.see_first_byte(NOW + 0.5)
    flight.succeed(NOW + 2)
    assert not aim.load.streamed.tried
    assert aim.load.whole.value(NOW + 2) == 2.0


def test_a_stream_that_broke_late_is_not_a_slow_one() -> None:
    aim = target()
    flight = fly(aim, streamed=True)
    flight.see_first_byte(NOW + 0.5)
    fail(flight, "cut", NOW + 300)
    assert aim.load.streamed.value(NOW + 300) == 0.5


def test_a_stream_that_never_began_is_as_slow_as_it_was_waited_for() -> None:
    aim = target()
    first = fly(aim, streamed=True)
    first.see_first_byte(NOW + 0.5)
    first.succeed(NOW + 1)
    fail(fly(aim, streamed=True, started=NOW + 1), "silent", NOW + 31)
    assert aim.load.streamed.value(NOW + 31) == 30.0


def test_a_quick_failure_does_not_make_a_fast_target() -> None:
    aim = target()
    fly(aim).succeed(NOW + 2)
    fail(fly(aim, started=NOW + 2), "connect", NOW + 2.001)
    assert aim.load.whole.value(NOW + 2.001) == 2.0


@pytest.mark.parametrize("kind", ["connect", "silent", "unavailable", "cut", "stalled", "malformed", "deadline"])
def test_what_a_target_is_blamed_for_opens_its_breaker(kind: FaultKind) -> None:
    aim = target()
    for _ in range(2):
        fail(fly(aim), kind, NOW + 1)
    assert aim.load.breaker.state(NOW + 1) == "open"


@pytest.mark.parametrize("kind", ["rejected", "context-length", "content-policy"])
def test_what_the_request_is_to_blame_for_does_not(kind: FaultKind) -> None:
    aim = target()
    for _ in range(20):
        fail(fly(aim), kind, NOW + 1)
    assert aim.load.breaker.state(NOW + 1) == "closed"
    assert aim.endpoint.pool.available(NOW + 1)


def test_a_client_that_leaves_blames_nobody_and_breaks_no_row_of_failures() -> None:
    aim = target()
    fail(fly(aim), "connect", NOW)
    for _ in range(20):
        fly(aim).abandon(NOW)
    assert aim.load.breaker.state(NOW) == "closed"
    fail(fly(aim), "connect", NOW)
    assert aim.load.breaker.state(NOW) == "open"


def test_a_rate_limited_key_cools_as_long_as_the_provider_says() -> None:
    aim = target("main", "spare")
    flight = fly(aim)
    fail(flight, "rate-limited", NOW + 1, retry_after=7.0, status=429)
    assert flight.key.cooling_until == NOW + 8
    assert aim.load.breaker.state(NOW + 1) == "closed"


def test_a_target_is_blamed_for_limits_when_all_its_keys_cool() -> None:
    aim = target("main", "spare")
    flights = [fly(aim), fly(aim)]
    fail(flights[0], "rate-limited", NOW)
    assert not aim.load.breaker._failures.total(NOW)
    fail(flights[1], "rate-limited", NOW)
    assert aim.load.breaker._failures.total(NOW) == 1


def test_a_refused_key_is_quarantined_and_the_target_not_blamed() -> None:
    aim = target("main", "spare")
    flight = fly(aim)
    fail(flight, "unauthorized", NOW + 1, status=401)
    assert flight.key.quarantined_until == NOW + 301
    assert aim.load.breaker.state(NOW + 1) == "closed"


def test_a_key_that_is_accepted_again_leaves_quarantine() -> None:
    aim = target()
    key = key_of(aim)
    aim.endpoint.pool.quarantine(key, NOW)
    fly(aim, key=key).succeed(NOW + 1)
    assert aim.endpoint.pool.available(NOW + 1)


@pytest.mark.parametrize(("before", "said", "kept"), [(200, 0, 200), (200, 503, 503), (0, 0, 0), (0, 429, 429)])
def test_an_attempt_keeps_the_status_there_was(before: int, said: int, kept: int) -> None:
    flight = fly(target())
    flight.attempt.status = before
    fail(flight, "cut", NOW, status=said)
    assert (flight.attempt.status, flight.attempt.fault) == (kept, "cut")


def opened() -> Target:
    aim = target()
    for _ in range(2):
        fail(fly(aim), "connect", NOW)
    return aim


def test_a_probe_that_succeeds_closes_the_breaker() -> None:
    aim = opened()
    fly(aim, started=NOW + 10).succeed(NOW + 11)
    assert aim.load.breaker.state(NOW + 11) == "closed"


def test_a_probe_that_fails_opens_it_for_longer() -> None:
    aim = opened()
    fail(fly(aim, started=NOW + 10), "connect", NOW + 11)
    assert aim.load.breaker.retry_at == NOW + 31


@pytest.mark.parametrize("kind", ["rejected", "rate-limited", "unauthorized"])
def test_a_probe_that_tells_nothing_gives_its_slot_back(kind: FaultKind) -> None:
    aim = opened()
    aim.endpoint.pool = KeyPool([Secret(f"k{n}", "v") for n in range(5)], 60.0, 300.0)
    fail(fly(aim, started=NOW + 10), kind, NOW + 11)
    assert aim.load.breaker.allows(NOW + 11)


def test_a_probe_whose_client_leaves_gives_its_slot_back() -> None:
    aim = opened()
    flight = fly(aim, started=NOW + 10)
    assert not aim.load.breaker.allows(NOW + 11)
    flight.abandon(NOW + 11)
    assert aim.load.breaker.allows(NOW + 11)


def test_a_probes_first_event_is_its_answer() -> None:
    aim = opened()
    flight = fly(aim, streamed=True, started=NOW + 10)
    flight.see_first_byte(NOW + 11)
    assert aim.load.breaker.state(NOW + 11) == "closed"
    flight.abandon(NOW + 12)
    assert aim.load.breaker.state(NOW + 12) == "closed"


def heard(aim: Target) -> list[tuple[str, Mapping[str, str | int | float]]]:
    told: list[tuple[str, Mapping[str, str | int | float]]] = []
    aim.endpoint.notice = lambda event, fields: told.append((event, fields))
    return told


def test_a_quarantined_key_is_told_of_by_its_name() -> None:
    aim = target()
    aim.endpoint.pool = KeyPool([Secret(f"k{n}", "v") for n in range(2)], 60.0, 300.0)
    told = heard(aim)
    flight = fly(aim)
    fail(flight, "unauthorized", NOW, status=401)
    assert told == [
        (
            "provider key quarantined",
            {"provider": "openai", "model": "gpt-4o", "key": flight.key.name, "status": 401},
        )
    ]


def test_a_pool_is_told_of_when_its_last_key_rests() -> None:
    aim = target()
    aim.endpoint.pool = KeyPool([Secret(f"k{n}", "v") for n in range(2)], 60.0, 300.0)
    told = heard(aim)
    first, second = fly(aim), fly(aim)
    fail(first, "rate-limited", NOW)
    assert told == []
    fail(second, "rate-limited", NOW + 20)
    assert told == [
        ("provider keys exhausted", {"provider": "openai", "model": "gpt-4o", "keys": 2, "seconds": 40.0}),
    ]


def test_a_breaker_is_told_of_once_when_it_opens_and_once_when_it_closes() -> None:
    aim = target()
    told = heard(aim)
    flights = [fly(aim) for _ in range(7)]
    for flight in flights:
        fail(flight, "connect", NOW)
    assert [event for event, _ in told] == ["breaker opened"]
    assert told[0][1]["seconds"] == aim.load.breaker.policy.open_for
    later = aim.load.breaker.retry_at
    fly(aim, started=later).succeed(later + 1)
    fly(aim, started=later + 2).succeed(later + 3)
    assert [event for event, _ in told] == ["breaker opened", "breaker closed"]


def test_a_streamed_probe_is_told_of_at_its_first_byte() -> None:
    aim = target()
    for flight in [fly(aim) for _ in range(5)]:
        fail(flight, "connect", NOW)
    told = heard(aim)
    later = aim.load.breaker.retry_at
    probe = fly(aim, streamed=True, started=later)
    probe.see_first_byte(later + 1)
    probe.succeed(later + 2)
    assert [event for event, _ in told] == ["breaker closed"]
