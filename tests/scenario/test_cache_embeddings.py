"""Embeddings are kept input by input: what is kept is not asked for again, whatever batch it comes in."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.upstream.transport import UpstreamRequest
from tests.support.asgi_client import Response
from tests.support.caches import EMBEDDINGS, caching, calls, said
from tests.support.house import ALPHA, Serve, Served
from tests.support.scripted import Script, ok, status


def embed(request: UpstreamRequest, number: int) -> Script:
    """An embedding for each input, that says which it is of; a token for each character."""
    given = msgspec.json.decode(request.body)["input"]
    inputs: list[Any] = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    items = [
        {"object": "embedding", "index": index, "embedding": [float(len(one)), float(number)], "of": one}
        for index, one in enumerate(inputs)
    ]
    tokens = sum(map(len, inputs))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    # The order of a reply's items is their index's, not their place's.
    return ok({"object": "list", "data": items[::-1], "model": "e-1", "usage": usage, "novel": "kept"})


async def ask(served: Served, given: object, **more: object) -> Response:
    return await served.client.post(EMBEDDINGS, {"model": "e", "input": given, **more})


def of(reply: Response) -> list[object]:
    """What the embeddings are of, by their index."""
    data = sorted(reply.json()["data"], key=lambda item: int(item["index"]))
    assert [item["index"] for item in data] == list(range(len(data)))
    return [item["of"] for item in data]


async def test_only_what_is_missing_goes_upstream_and_the_order_is_kept(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, embed)
    first = await ask(served, ["aa", "bbb"])
    assert (said(first), of(first)) == ("miss", ["aa", "bbb"])
    mixed = await ask(served, ["c", "bbb", "dddd", "aa"])
    assert (said(mixed), of(mixed)) == ("miss", ["c", "bbb", "dddd", "aa"])
    assert served.upstream.last.json() == {"model": "e", "input": ["c", "dddd"]}
    body = mixed.json()
    assert body["usage"] == {"prompt_tokens": 10, "total_tokens": 10}
    assert (body["object"], body["model"], body["novel"]) == ("list", "e-1", "kept")
    kept = await ask(served, ["aa", "c", "dddd"])
    assert (said(kept), of(kept), kept.headers["age"]) == ("hit", ["aa", "c", "dddd"], "0")
    assert kept.json()["usage"]["prompt_tokens"] == 7
    assert calls(served) == 2


async def test_what_is_charged_is_what_was_fetched(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, embed)
    await ask(served, ["aa", "bbb"])
    await ask(served, ["aa", "bbb", "cccc"])
    await ask(served, ["aa", "bbb"])
    assert await served.metric("gateway_tokens_total", kind="input") == 9


async def test_one_text_is_a_batch_of_one(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, embed)
    await ask(served, ["aa", "b"])
    one = await ask(served, "aa")
    assert (said(one), of(one)) == ("hit", ["aa"])
    await ask(served, [1, 2, 3])
    tokens = await ask(served, [[1, 2, 3]])
    assert (said(tokens), of(tokens)) == ("hit", [[1, 2, 3]])


async def test_an_input_that_is_there_twice_is_asked_for_once(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, embed)
    reply = await ask(served, ["aa", "b", "aa", "b", "b"])
    assert served.upstream.last.json()["input"] == ["aa", "b"]
    assert of(reply) == ["aa", "b", "aa", "b", "b"]


@pytest.mark.parametrize("more", [{"dimensions": 3}, {"encoding_format": "base64"}, {"model": "other"}])
async def test_another_kind_of_embedding_is_another_one(serve: Serve, more: dict[str, object]) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, embed)
    await ask(served, ["aa"])
    assert said(await ask(served, ["aa"], **more)) == "miss"


async def test_embeddings_age_one_by_one(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, embed)
    await ask(served, ["aa"])
    await asyncio.sleep(40)
    await ask(served, ["b"])
    both = await ask(served, ["aa", "b"])
    assert (said(both), both.headers["age"]) == ("hit", "40")
    await asyncio.sleep(30)
    await ask(served, ["aa", "b"])
    assert served.upstream.last.json()["input"] == ["aa"]


@pytest.mark.parametrize("failure", [429, 500])
async def test_kept_ones_stand_in_when_nothing_can_be_fetched(serve: Serve, failure: int) -> None:
    served = serve(caching("max-age=60, stale-if-error=600", router=", retries: {max-retries: 0}"))
    served.upstream.on(ALPHA, embed, status(failure))
    await ask(served, ["aa", "b"])
    await asyncio.sleep(61)
    stale = await ask(served, ["b", "aa"])
    assert (said(stale), of(stale)) == ("stale", ["b", "aa"])
    served.upstream.on(ALPHA, status(500))
    await asyncio.sleep(61)
    assert (await ask(served, ["aa", "new"])).status == 500


async def test_kept_ones_do_not_stand_in_for_a_request_that_is_refused(serve: Serve) -> None:
    served = serve(caching("max-age=60, stale-if-error=600", router=", retries: {max-retries: 0}"))
    served.upstream.on(ALPHA, embed, status(400))
    await ask(served, ["aa", "b"])
    await asyncio.sleep(61)
    assert (await ask(served, ["aa", "b"])).status == 400


async def test_a_reply_that_does_not_fit_is_passed_on_or_asked_for_whole(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok({"object": "list", "data": []}))
    odd = await ask(served, ["aa"])
    assert (odd.status, said(odd), odd.json()["data"]) == (200, "bypass", [])
    served.upstream.on(ALPHA, embed)
    await ask(served, ["aa"])
    served.upstream.on(ALPHA, ok({"object": "list", "data": []}), embed)
    whole = await ask(served, ["aa", "b"])
    assert (said(whole), of(whole)) == ("bypass", ["aa", "b"])
    assert served.upstream.last.json()["input"] == ["aa", "b"]


async def test_equal_batches_under_way_are_one_call(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, lambda request, number: embed(request, number).after(2))
    replies = await asyncio.gather(*(ask(served, ["aa", "b"]) for _ in range(5)))
    assert sorted(said(reply) or "" for reply in replies) == ["hit"] * 4 + ["miss"]
    assert calls(served) == 1


async def test_requests_may_ask_for_less(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, embed)
    await ask(served, ["aa"])
    body = {"model": "e", "input": ["aa"]}
    for control, result in {"no-cache": "miss", "no-store": "bypass", "max-age=0": "miss"}.items():
        assert said(await served.client.post(EMBEDDINGS, body, headers={"cache-control": control})) == result


@pytest.mark.parametrize("given", [[], "", None, 5, {"a": 1}])
async def test_an_input_of_another_kind_is_the_provider_s_to_judge(serve: Serve, given: object) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok({"object": "list", "data": []}))
    assert (await ask(served, given)).status == 200
    assert served.upstream.last.json()["input"] == given
