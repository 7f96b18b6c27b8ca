"""`x-gateway-explain: 1`: a request says how it was decided, to those who may know."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from typing import Any

import pytest

from tests.support.asgi_client import Response
from tests.support.house import ALPHA, ANTHROPIC, BETA, PROVIDERS, Serve, chat
from tests.support.scripted import message_reply, ok, status

ASKS = {"x-gateway-explain": "1"}
PATH = "/router/r/v1/chat/completions"
KNOWING, OTHER = "rg-knowing-0000", "rg-other-0000"
KEYED = f"""
auth:
  mode: keys
  keys:
    - {{name: knowing, team: blue, hash: 'sha256:{sha256(KNOWING.encode()).hexdigest()}', explain: true}}
    - {{name: other, hash: 'sha256:{sha256(OTHER.encode()).hexdigest()}'}}
"""
ROUTER = """
routers:
  r:
    load-balance: {chat: {strategy: priority, providers: [alpha, gamma, beta]}}
    rate-limit: {per-api-key: {capacity: 10, refill-frequency: 1m}}
    cache: {directive: max-age=60}
"""


def told(response: Response) -> dict[str, Any]:
    value = response.headers["x-gateway-explain"]
    assert len(value) <= 4096
    decoded = json.loads(value)
    assert isinstance(decoded, dict)
    return decoded


async def test_an_open_gateway_on_loopback_explains_to_everybody(serve: Serve) -> None:
    served = serve(PROVIDERS + ROUTER)
    served.upstream.on(ALPHA, status(503))
    served.upstream.on(BETA, ok())
    response = await served.client.post(PATH, chat(max_tokens=10), ASKS)
    assert response.status == 200
    explained = told(response)
    assert explained["strategy"] == "priority"
    assert explained["tokens"]["output"] == 10
    assert [target["provider"] for target in explained["targets"]] == ["alpha", "gamma", "beta"]
    assert [(a["provider"], a["status"], a["fault"]) for a in explained["attempts"]] == [
        ("alpha", 503, "unavailable"),
        ("gamma", 0, "connect"),
        ("beta", 200, None),
    ]
    (limit,) = explained["limits"]
    assert (limit["scope"], limit["capacity"], limit["takes"], limit["left"]) == ("per-api-key", 10, 1, 9)
    assert limit["path"] == "routers.r.rate-limit.per-api-key"
    assert explained["cache"]["directive"] == "max-age=60"
    assert response.headers["x-gateway-cache-key"] == explained["cache"]["key"]


async def test_nobody_who_did_not_ask_is_told(serve: Serve) -> None:
    served = serve(PROVIDERS + ROUTER)
    served.upstream.on(ALPHA, ok())
    for headers in ({}, {"x-gateway-explain": "0"}):
        assert "x-gateway-explain" not in (await served.client.post(PATH, chat(), headers)).headers


@pytest.mark.parametrize(("key", "explained"), [(KNOWING, True), (OTHER, False), ("rg-nobody", False)])
async def test_of_gateway_keys_only_those_that_may(serve: Serve, key: str, explained: bool) -> None:
    served = serve(KEYED + PROVIDERS + ROUTER)
    served.upstream.on(ALPHA, ok())
    response = await served.client.post(PATH, chat(), ASKS | {"authorization": f"Bearer {key}"})
    assert response.status == (401 if key == "rg-nobody" else 200)
    assert ("x-gateway-explain" in response.headers) is explained
    if explained:
        assert (told(response)["caller"], told(response)["team"]) == ("knowing", "blue")


async def test_an_open_gateway_that_others_reach_explains_nothing(serve: Serve) -> None:
    served = serve("server: {host: 0.0.0.0}\nauth: {mode: open}\n" + PROVIDERS + ROUTER)
    served.upstream.on(ALPHA, ok())
    assert "x-gateway-explain" not in (await served.client.post(PATH, chat(), ASKS)).headers


async def test_an_error_is_explained_too(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [openai, anthropic]}}}}", {})
    response = await served.client.post(PATH, chat(), ASKS)
    assert response.status == 503
    explained = told(response)
    assert "targets" not in explained
    assert [(r["provider"], r["why"]) for r in explained["refused"]] == [("openai", "no key"), ("anthropic", "no key")]


async def test_a_limit_that_refuses_is_told_with_its_wait(serve: Serve) -> None:
    limit = "rate-limit: {total: {capacity: 1, refill-frequency: 1m}}"
    served = serve(PROVIDERS + f"routers: {{r: {{load-balance: {{chat: {{providers: [alpha]}}}}, {limit}}}}}")
    served.upstream.on(ALPHA, ok())
    assert (await served.client.post(PATH, chat())).status == 200
    response = await served.client.post(PATH, chat(), ASKS)
    assert response.status == 429
    explained = told(response)
    (refusing,) = explained["limits"]
    assert (refusing["left"], 59 < refusing["retry_after"] <= 60) == (0, True)
    assert not explained.keys() & {"targets", "attempts"}


async def test_an_answer_from_the_cache_considers_nobody(serve: Serve) -> None:
    served = serve(PROVIDERS + ROUTER)
    served.upstream.on(ALPHA, ok())
    first = await served.client.post(PATH, chat(), ASKS)
    await asyncio.sleep(1)
    second = await served.client.post(PATH, chat(), ASKS)
    assert second.headers["x-gateway-cache"] == "hit"
    assert told(first)["attempts"]
    assert told(second)["cache"] == told(first)["cache"]
    assert not told(second).keys() & {"targets", "attempts", "limits"}


async def test_what_translation_loses_is_said_of_each_target(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [anthropic]}}}}")
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    response = await served.client.post(PATH, chat("claude-sonnet-4-5", seed=7), ASKS)
    (target,) = told(response)["targets"]
    assert target["translated"]
    assert [loss["field"] for loss in target["losses"]] == ["seed"]
    assert response.headers["x-gateway-dropped"] == "seed"


async def test_a_long_list_is_cut_to_what_a_header_holds(serve: Serve) -> None:
    listed = ", ".join(f"{{provider: beta, model: 'mödel-{n}-{'x' * 60}'}}" for n in range(60))
    served = serve(PROVIDERS + f"routers: {{r: {{load-balance: {{chat: {{providers: [{listed}]}}}}}}}}")
    served.upstream.on(BETA, ok())
    explained = told(await served.client.post(PATH, chat(), ASKS))
    assert explained["left_out"] + len(explained["targets"]) == 60
    assert len(explained["attempts"]) == 1
