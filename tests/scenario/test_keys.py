"""A provider's keys: which is next, which rest, and what is said when all do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from gateway.upstream.transport import UpstreamRequest
from tests.support.house import ALPHA, BETA, HOUSE, Serve, Served, chat
from tests.support.scripted import Answer, Script, ok, status, stream
from tests.support.virtual_time import START, WALL, elapsed

PATH = "/router/keys/v1/chat/completions"
ONE, TWO, THREE = "alpha-key-1-00000000", "alpha-key-2-00000000", "alpha-key-3-00000000"


def by_key(**answers: Script) -> Answer:
    """Answers by the key that was sent."""
    names = {ONE: "one", TWO: "two", THREE: "three"}

    def answer(request: UpstreamRequest, _: int) -> Script:
        return answers.get(names[dict(request.headers)["authorization"].removeprefix("Bearer ")], ok())

    return answer


def keys(served: Served) -> list[str]:
    return [call.key for call in served.upstream.sent]


def states(served: Served, pool: str = "pool") -> dict[str, str]:
    found = served.gateway.house.pools[pool].states(asyncio.get_running_loop().time())
    return {name: str(state) for name, state in found}


async def test_keys_take_turns(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    for _ in range(7):
        assert (await served.client.post(PATH, chat())).status == 200
    assert keys(served) == [ONE, TWO, THREE, ONE, TWO, THREE, ONE]


async def test_a_429_takes_the_next_key_at_once_and_before_another_target(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429), ok())
    reply = await served.client.post("/router/keys-beta/v1/chat/completions", chat())
    assert reply.headers["x-gateway-provider"] == "pool"
    assert keys(served) == [ONE, TWO]
    assert elapsed() == 0
    assert states(served) == {"one": "cooling", "two": "active", "three": "active"}


async def test_when_every_key_is_cooling_another_target_is_asked(serve: Serve) -> None:
    served = serve(HOUSE.replace("keys-beta: {", "keys-beta: {retries: {max-retries: 3}, "))
    served.upstream.on(ALPHA, status(429))
    served.upstream.on(BETA, ok())
    reply = await served.client.post("/router/keys-beta/v1/chat/completions", chat())
    assert reply.status == 200
    assert served.upstream.hosts() == [ALPHA, ALPHA, ALPHA, BETA]


@pytest.mark.parametrize("code", [401, 402, 403])
async def test_a_key_that_is_not_accepted_rests_for_the_quarantine(serve: Serve, code: int) -> None:
    served = serve()
    served.upstream.on(ALPHA, by_key(one=status(code)))
    for _ in range(4):
        assert (await served.client.post(PATH, chat())).status == 200
    assert keys(served) == [ONE, TWO, THREE, TWO, THREE]
    assert states(served)["one"] == "quarantined"
    await asyncio.sleep(599)
    assert states(served)["one"] == "quarantined"
    await asyncio.sleep(1)
    assert states(served)["one"] == "active"


async def test_a_quarantined_key_that_is_accepted_again_is_restored(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(401), ok())
    await served.client.post(PATH, chat())
    await asyncio.sleep(600)
    for _ in range(3):
        assert (await served.client.post(PATH, chat())).status == 200
    assert keys(served) == [ONE, TWO, THREE, ONE, TWO]
    assert set(states(served).values()) == {"active"}


def http_date(offset: float) -> str:
    return format_datetime(datetime.fromtimestamp(WALL + START + offset, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [(7, 7), ("7", 7), ("0", 1), ("-3", 1), (None, 60), ("soon", 60), ("99999999", 86_400)],
)
async def test_a_key_cools_for_as_long_as_the_provider_says(
    serve: Serve, retry_after: float | str | None, seconds: float
) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=retry_after))
    await served.client.post("/router/once/v1/chat/completions", chat())
    await asyncio.sleep(seconds - 0.5)
    assert states(served, "alpha") == {"key-1": "cooling"}
    await asyncio.sleep(0.5)
    assert states(served, "alpha") == {"key-1": "active"}


async def test_retry_after_may_be_an_http_date(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=http_date(90)))
    reply = await served.client.post("/router/once/v1/chat/completions", chat())
    assert reply.headers["retry-after"] == "90"
    await asyncio.sleep(89)
    assert states(served, "alpha") == {"key-1": "cooling"}
    await asyncio.sleep(1)
    assert states(served, "alpha") == {"key-1": "active"}


async def test_a_date_in_the_past_means_soon(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=http_date(-90)))
    await served.client.post("/router/once/v1/chat/completions", chat())
    await asyncio.sleep(1)
    assert states(served, "alpha") == {"key-1": "active"}


async def test_a_later_shorter_rest_never_shortens_the_first(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=100, delay=1), status(429, retry_after=2, delay=3))
    both = [served.client.post("/router/once/v1/chat/completions", chat()) for _ in range(2)]
    await asyncio.gather(*both)
    await asyncio.sleep(97)
    assert states(served, "alpha") == {"key-1": "cooling"}
    await asyncio.sleep(1)
    assert states(served, "alpha") == {"key-1": "active"}


async def test_all_keys_cooling_is_a_503_at_once_with_the_soonest_time(serve: Serve) -> None:
    served = serve()
    served.upstream.on(
        ALPHA,
        by_key(one=status(429, retry_after=30), two=status(429, retry_after=12), three=status(429, retry_after=50)),
    )
    first = await served.client.post(PATH, chat())
    assert first.status == 429
    reply = await served.client.post(PATH, chat())
    assert (reply.status, reply.headers["retry-after"]) == (503, "12")
    assert reply.json()["error"]["code"] == "no_eligible_target"
    assert "all 3 keys cooling, next in 12 s" in reply.json()["error"]["message"]
    assert elapsed() == 0
    assert len(served.upstream.sent) == 3
    await asyncio.sleep(12)
    served.upstream.on(ALPHA, ok())
    assert (await served.client.post(PATH, chat())).status == 200
    assert served.upstream.last.key == TWO


async def test_a_cooling_pool_leaves_the_requests_to_the_other_target(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=20))
    served.upstream.on(BETA, ok())
    path = "/router/duo/v1/chat/completions"
    for _ in range(3):
        assert (await served.client.post(path, chat())).status == 200
    assert served.upstream.hosts() == [ALPHA, BETA, BETA, BETA]
    await asyncio.sleep(20)
    served.upstream.on(ALPHA, ok())
    await served.client.post(path, chat())
    assert served.upstream.last.host == ALPHA


async def test_a_rate_limit_inside_a_stream_cools_its_key_too(serve: Serve) -> None:
    served = serve()
    event = b'data: {"error":{"message":"slow down","type":"rate_limit_error"}}\n\n'
    served.upstream.on(ALPHA, stream([event]), stream())
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.status == 200
    assert keys(served) == [ONE, TWO]
    assert states(served)["one"] == "cooling"


async def test_keys_are_counted_by_state(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(401), status(429), ok())
    await served.client.post(PATH, chat())
    counts = [
        await served.metric("gateway_keys", provider="pool", state=s) for s in ("active", "cooling", "quarantined")
    ]
    assert counts == [1, 1, 1]
    health = (await served.client.get("/health")).json()
    assert health["keys"]["pool"] == {"one": "quarantined", "two": "cooling", "three": "active"}
    assert health["status"] == "degraded"


async def test_no_key_is_a_503_that_names_the_variable(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai, groq]}}}}", env={"GROQ_API_KEY": "x"})
    reply = await served.client.post("/router/r/v1/chat/completions", chat("gpt-4o"))
    assert reply.status == 503
    text = reply.json()["error"]["message"]
    assert "openai: no key" in text
    assert "OPENAI_API_KEY" in text
    assert "retry-after" not in reply.headers


async def test_several_keys_may_stand_in_one_variable(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai]}}}}", env={"OPENAI_API_KEYS": "k1, k2,k3"})
    served.upstream.on("api.openai.com", ok())
    for _ in range(4):
        await served.client.post("/router/r/v1/chat/completions", chat())
    assert keys(served) == ["k1", "k2", "k3", "k1"]


@pytest.mark.parametrize(("alpha", "beta"), [(5, 20), (20, 5)])
async def test_a_429_of_all_targets_names_the_soonest_time(serve: Serve, alpha: int, beta: int) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=alpha))
    served.upstream.on(BETA, status(429, retry_after=beta))
    reply = await served.client.post("/router/duo/v1/chat/completions", chat())
    assert (reply.status, reply.headers["retry-after"]) == (429, "5")
    assert served.upstream.hosts() == [ALPHA, BETA]


async def test_keys_that_several_routers_call_alike_are_each_masked_and_known_after_a_reload(serve: Serve) -> None:
    text = "routers:\n" + "".join(
        f"  {name}: {{load-balance: {{chat: {{providers: [{{provider: openai, keys: [{key}]}}]}}}}}}\n"
        for name, key in (("one", "a-word-of-its-own"), ("two", "another-of-its-own"))
    )
    served = serve(text, {})
    served.upstream.on("api.openai.com", status(401))
    for name in ("one", "two"):
        assert (await served.client.post(f"/router/{name}/v1/chat/completions", chat())).status >= 500
    asked = keys(served)
    assert asked == ["a-word-of-its-own", "another-of-its-own"]
    assert await served.rewrite(text + "# again\n")
    for name in ("one", "two"):
        reply = await served.client.post(f"/router/{name}/v1/chat/completions", chat())
        assert reply.headers["x-gateway-error"] == "no_eligible_target"
    assert keys(served) == asked
    for key in asked:
        served.runtime.log.write("info", key)
    assert len(served.log("[redacted]")) == 2
