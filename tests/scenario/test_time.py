"""How long is waited: deadlines, first tokens, idle streams, delays between tries, and the retry budget."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from tests.support.house import ALPHA, BETA, PROVIDERS, Serve, chat
from tests.support.scripted import chat_stream, hang, ok, refuse, status, stream
from tests.support.virtual_time import elapsed

PATH = "/router/r/v1/chat/completions"


def router(policies: str, providers: str = "[alpha]") -> str:
    balance = f"{{chat: {{strategy: priority, providers: {providers}}}}}"
    return f"{PROVIDERS}\nrouters: {{r: {{load-balance: {balance}, {policies}}}}}"


async def test_the_first_token_has_its_own_limit(serve: Serve) -> None:
    served = serve(router("timeouts: {first-token: 2s}", "[alpha, beta]"))
    served.upstream.on(ALPHA, hang())
    served.upstream.on(BETA, stream())
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks == chat_stream()
    assert served.upstream.last.at == 2


async def test_the_limit_counts_from_the_call_to_the_first_event_and_not_from_the_head(serve: Serve) -> None:
    served = serve(router("timeouts: {first-token: 2s}", "[alpha, beta]"))
    served.upstream.on(ALPHA, stream(delay=1.5, first_delay=1.5))
    served.upstream.on(BETA, stream())
    await served.client.post(PATH, chat(stream=True))
    assert served.upstream.last.at == 2


async def test_a_slow_first_token_within_the_limit_is_waited_for(serve: Serve) -> None:
    served = serve(router("timeouts: {first-token: 2s}"))
    served.upstream.on(ALPHA, stream(delay=1, first_delay=0.9))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks == chat_stream()


async def test_a_whole_reply_does_not_have_the_limit_of_a_first_token(serve: Serve) -> None:
    served = serve(router("timeouts: {first-token: 2s}"))
    served.upstream.on(ALPHA, ok(delay=100))
    assert (await served.client.post(PATH, chat())).status == 200


async def test_total_bounds_the_tries_and_what_lies_between_them(serve: Serve) -> None:
    served = serve(router("timeouts: {total: 10s}, retries: {max-retries: 20, min-delay: 4s, strategy: constant}"))
    served.upstream.on(ALPHA, refuse(delay=1))
    reply = await served.client.post(PATH, chat())
    assert (reply.status, reply.headers["x-gateway-error"]) == (502, "upstream_unreachable")
    # At 6 the next try would begin at 10, when all is over: it is told now.
    assert [call.at for call in served.upstream.sent] == [0, 5]
    assert elapsed() == 6


async def test_total_ends_a_try_that_is_under_way(serve: Serve) -> None:
    served = serve(router("timeouts: {total: 10s}", "[alpha, beta]"))
    served.upstream.on(ALPHA, refuse(delay=7))
    served.upstream.on(BETA, hang())
    reply = await served.client.post(PATH, chat())
    assert (reply.status, reply.headers["x-gateway-error"]) == (504, "deadline_exceeded")
    assert elapsed() == 10


async def test_total_ends_a_stream_that_goes_on_and_on(serve: Serve) -> None:
    served = serve(router("timeouts: {total: 10s}"))
    served.upstream.on(ALPHA, stream(chat_stream()[:2], endless=True, gap=1))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.status == 200
    assert reply.broken
    assert b"deadline_exceeded" in reply.chunks[-1]
    assert b"[DONE]" not in reply.body
    assert elapsed() == 10
    assert served.upstream.cancelled_calls == 1


async def test_a_stream_that_stops_is_ended_after_the_idle_time(serve: Serve) -> None:
    served = serve(router("timeouts: {idle: 5s}", "[alpha, beta]"))
    served.upstream.on(ALPHA, stream(hang_after=2, gap=1))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks[:2] == chat_stream()[:2]
    assert b"upstream_stalled" in reply.chunks[2]
    assert b"[DONE]" not in reply.body
    assert reply.broken
    assert elapsed() == 6
    assert served.upstream.hosts() == [ALPHA]
    assert served.upstream.cancelled_calls == 1


async def test_each_chunk_starts_the_idle_time_again(serve: Serve) -> None:
    served = serve(router("timeouts: {idle: 5s}"))
    served.upstream.on(ALPHA, stream(gap=4.9))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks == chat_stream()
    assert not reply.broken


async def test_constant_delays_are_exact(serve: Serve) -> None:
    served = serve(router("retries: {strategy: constant, min-delay: 250ms, max-retries: 3}"))
    served.upstream.on(ALPHA, refuse())
    await served.client.post(PATH, chat())
    assert [call.at for call in served.upstream.sent] == [0, 0.25, 0.5, 0.75]


async def test_exponential_delays_stay_within_their_growing_bounds(serve: Serve) -> None:
    served = serve(router("retries: {min-delay: 1s, max-delay: 3s, factor: 2, max-retries: 4}"))
    served.upstream.on(ALPHA, refuse())
    await served.client.post(PATH, chat())
    times = [call.at for call in served.upstream.sent]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 4
    assert all(0 <= gap <= bound for gap, bound in zip(gaps, (1, 2, 3, 3), strict=True))
    assert len(set(gaps)) == 4


async def test_another_target_is_asked_without_delay(serve: Serve) -> None:
    served = serve(router("retries: {min-delay: 1s}", "[alpha, beta]"))
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, ok())
    await served.client.post(PATH, chat())
    assert elapsed() == 0


async def test_no_retries_means_one_attempt(serve: Serve) -> None:
    served = serve(router("retries: {max-retries: 0}", "[alpha, beta]"))
    served.upstream.on(ALPHA, status(500))
    assert (await served.client.post(PATH, chat())).status == 500
    assert served.upstream.hosts() == [ALPHA]


async def test_the_retry_budget_bounds_amplification_for_the_whole_router(serve: Serve) -> None:
    served = serve(
        PROVIDERS.replace("alpha: {", "alpha: {breaker: {consecutive-failures: 1000, error-ratio: 1}, ")
        + "routers: {r: {load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}}}"
    )
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, ok())
    replies = [(await served.client.post(PATH, chat())).status for _ in range(100)]
    # The first ten are always allowed; then a fifth of the requests so far: the 55th request earns the eleventh.
    assert len(served.upstream.to(BETA)) == 20
    assert replies[:10] == [200] * 10
    assert replies.count(500) == 80
    await asyncio.sleep(11)
    assert (await served.client.post(PATH, chat())).status == 200
