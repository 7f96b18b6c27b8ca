"""The cache: what is given again, to whom, for how long, and what never is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.caches import AUTH, CHAT, as_caller, caching, calls, said
from tests.support.house import ALPHA, PROVIDERS, Serve, chat
from tests.support.scripted import chat_reply, chat_stream, html, ok, status, stream, usage_chunk


async def test_an_answer_is_given_again_until_it_is_too_old(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok(chat_reply("one")), ok(chat_reply("two")))
    first = await served.client.post(CHAT, chat())
    await asyncio.sleep(59)
    second = await served.client.post(CHAT, chat())
    await asyncio.sleep(1)
    third = await served.client.post(CHAT, chat())
    assert [said(reply) for reply in (first, second, third)] == ["miss", "hit", "miss"]
    assert first.body == second.body != third.body
    assert second.headers["age"] == "59"
    assert "age" not in first.headers
    assert second.headers["content-type"] == "application/json"
    assert second.headers["x-gateway-provider"] == "alpha"
    assert second.headers["x-gateway-router"] == "c"
    assert "x-gateway-attempts" not in second.headers
    assert second.headers["x-gateway-cache-key"] == first.headers["x-gateway-cache-key"]
    assert calls(served) == 2


async def test_a_router_without_a_cache_has_none_of_it(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok())
    for _ in range(2):
        reply = await served.client.post("/router/plain/v1/chat/completions", chat())
        assert said(reply) is None
    assert calls(served) == 2


async def test_hits_are_counted_and_cost_nothing(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(9, 3))))
    for _ in range(3):
        await served.client.post(CHAT, chat())
    await served.client.post(CHAT, chat(), headers={"cache-control": "no-store"})
    assert await served.metric("gateway_cache_requests_total", router="c", result="hit") == 2
    assert await served.metric("gateway_cache_requests_total", router="c", result="miss") == 1
    assert await served.metric("gateway_cache_requests_total", router="c", result="bypass") == 1
    assert await served.metric("gateway_requests_total", router="c", status="200") == 4
    assert await served.metric("gateway_tokens_total", router="c", kind="output") == 6
    assert await served.metric("gateway_requests_without_usage_total") == 0
    assert await served.metric("gateway_cache_entries", router="c") == 1
    assert 400 < await served.metric("gateway_cache_bytes", router="c") < 2000
    assert await served.metric("gateway_cache_evictions_total", router="c") == 0


@pytest.mark.parametrize(
    "other",
    [
        chat(temperature=0.5),
        chat("gpt-4o-mini"),
        chat(messages=[{"role": "user", "content": "hi"}]),
        chat(tools=[]),
        chat(seed=1),
    ],
)
async def test_another_question_has_another_answer(serve: Serve, other: dict[str, Any]) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat())
    assert said(await served.client.post(CHAT, other)) == "miss"


async def test_the_same_question_written_otherwise_has_the_same_answer(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat(top_p=1))
    body = b'{ "top_p" : 1, "messages":[ {"content":"\\u0048i","role":"user"}],\n"model":"gpt-4o", "user":"x" }'
    reply = await served.client.post(CHAT, body=body, headers={"content-type": "application/json"})
    assert said(reply) == "hit"


async def test_routers_share_no_answers(serve: Serve) -> None:
    balance = "load-balance: {chat: {providers: [alpha]}}, cache: {directive: max-age=60, scope: router}"
    served = serve(f"{PROVIDERS}\nrouters: {{a: {{{balance}}}, b: {{{balance}}}}}")
    served.upstream.on(ALPHA, ok())
    for router in ("a", "b"):
        assert said(await served.client.post(f"/router/{router}/v1/chat/completions", chat())) == "miss"


@pytest.mark.parametrize(
    ("scope", "results"),
    [
        ("caller", {"ann": "hit", "bob": "miss", "eve": "miss"}),
        ("team", {"ann": "hit", "bob": "hit", "eve": "miss"}),
        ("router", {"ann": "hit", "bob": "hit", "eve": "hit"}),
    ],
)
async def test_no_answer_crosses_a_tenant_unless_the_file_says_so(
    serve: Serve, scope: str, results: dict[str, str]
) -> None:
    served = serve(caching(more=f"scope: {scope}", top=AUTH))
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat(), headers=as_caller("ann"))
    found = {name: said(await served.client.post(CHAT, chat(), headers=as_caller(name))) for name in results}
    assert found == results


async def test_without_gateway_keys_callers_are_their_credentials_or_else_their_addresses(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok())
    one, other = ({"authorization": f"Bearer {key}"} for key in ("sk-one", "sk-other"))
    asked: list[dict[str, str]] = [one, other, {}, {"x-api-key": "sk-one"}, {}]
    assert [said(await served.client.post(CHAT, chat(), headers=headers)) for headers in asked] == [
        "miss", "miss", "miss", "hit", "hit",
    ]  # fmt: skip


async def test_the_default_scope_is_the_caller(serve: Serve) -> None:
    served = serve(caching(top=AUTH))
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat(), headers=as_caller("ann"))
    assert said(await served.client.post(CHAT, chat(), headers=as_caller("bob"))) == "miss"


async def test_another_seed_is_another_cache(serve: Serve) -> None:
    served = serve(caching(more="seed: a"))
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat())
    assert await served.rewrite(caching(more="seed: b"))
    assert said(await served.client.post(CHAT, chat())) == "miss"
    assert await served.rewrite(caching(more="seed: a"))
    assert said(await served.client.post(CHAT, chat())) == "hit"


async def test_variants_are_filled_first_and_then_chosen_by_chance(serve: Serve) -> None:
    served = serve(caching(more="buckets: 3"))
    served.upstream.on(ALPHA, *(ok(chat_reply(f"variant {n}")) for n in range(4)))
    first = [await served.client.post(CHAT, chat()) for _ in range(3)]
    assert [said(reply) for reply in first] == ["miss"] * 3
    later = [await served.client.post(CHAT, chat()) for _ in range(40)]
    assert {said(reply) for reply in later} == {"hit"}
    assert {reply.body for reply in later} == {reply.body for reply in first}
    assert calls(served) == 3


@pytest.mark.parametrize(
    ("control", "result", "then"),
    [
        ("no-store", "bypass", "hit"),
        ("no-cache", "bypass", "hit"),
        ("max-age=5", "miss", "hit"),
        ("max-age=30", "hit", "hit"),
        ("min-fresh=55", "miss", "hit"),
        ("max-age=never", "miss", "hit"),
        ("max-age=100000", "hit", "hit"),
        ("public, immutable", "hit", "hit"),
    ],
)
async def test_a_request_may_ask_for_less(serve: Serve, control: str, result: str, then: str) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok(chat_reply("old")), ok(chat_reply("new")))
    await served.client.post(CHAT, chat())
    await asyncio.sleep(10)
    assert said(await served.client.post(CHAT, chat(), headers={"cache-control": control})) == result
    last = await served.client.post(CHAT, chat())
    assert said(last) == then
    # What was fetched because the kept answer would not do takes its place; with no-store, nothing does.
    fetched = result != "hit" and control != "no-store"
    assert last.json()["choices"][0]["message"]["content"] == ("new" if fetched else "old")


async def test_no_store_keeps_nothing_either(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat(), headers={"cache-control": "no-store"})
    assert said(await served.client.post(CHAT, chat())) == "miss"
    assert "cache-control" not in served.upstream.last.headers


async def test_a_router_may_do_without_the_global_cache(serve: Serve) -> None:
    text = (
        f"{PROVIDERS}\nglobal: {{cache: {{directive: max-age=60}}}}\nrouters:\n"
        "  a: {load-balance: {chat: {providers: [alpha]}}}\n"
        "  b: {load-balance: {chat: {providers: [alpha]}}, cache: {directive: no-store}}\n"
    )
    served = serve(text)
    served.upstream.on(ALPHA, ok())
    expected: dict[str, list[str | None]] = {
        "/router/a": ["miss", "hit"],
        "/router/b": [None, None],
        "/alpha": ["miss", "hit"],
        "/ai": ["miss", "hit"],
        "/v1": ["hit"],
    }
    for path, results in expected.items():
        body = chat("alpha/m") if path in ("/ai", "/v1") else chat()
        place = "/v1/chat/completions" if path == "/v1" else f"{path}/v1/chat/completions"
        assert [said(await served.client.post(place, body)) for _ in results] == results, path


def finished(reason: str | None, **message: Any) -> dict[str, Any]:
    reply = chat_reply()
    reply["choices"][0]["finish_reason"] = reason
    reply["choices"][0]["message"].update(message)
    return reply


CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "answer",
    [
        status(400),
        status(500),
        status(429),
        html(200),
        ok(finished("length")),
        ok(finished("content_filter")),
        ok(finished(None)),
        ok(finished("tool_calls", tool_calls=[CALL])),
        ok(finished("stop", tool_calls=[CALL])),
        ok(finished("function_call", function_call={"name": "f", "arguments": "{}"})),
        ok({**chat_reply(), "choices": []}),
        ok({"error": {"message": "an error in a good status"}}),
        status(204, b""),
        ok(headers=[("content-encoding", "zstd")]),
    ],
    ids=lambda script: "",
)
async def test_only_complete_and_successful_answers_are_kept(serve: Serve, answer: Any) -> None:
    served = serve(caching(router=", retries: {max-retries: 0}"))
    served.upstream.on(ALPHA, answer, ok())
    await served.client.post(CHAT, chat())
    assert said(await served.client.post(CHAT, chat())) == "miss"


async def test_tool_calls_are_kept_where_the_file_says_so(serve: Serve) -> None:
    served = serve(caching(more="tool-calls: true"))
    served.upstream.on(ALPHA, ok(finished("tool_calls", tool_calls=[CALL])))
    assert [said(await served.client.post(CHAT, chat())) for _ in range(2)] == ["miss", "hit"]


async def test_what_the_provider_said_for_itself_alone_is_not_given_again(serve: Serve) -> None:
    served = serve(caching())
    said_once = [("x-ratelimit-remaining-requests", "5"), ("set-cookie", "a=b"), ("x-request-id", "req_1")]
    served.upstream.on(ALPHA, ok(headers=said_once))
    await served.client.post(CHAT, chat())
    hit = await served.client.post(CHAT, chat())
    assert not [name for name in hit.headers if name.startswith(("x-upstream", "x-ratelimit", "set-"))]


async def test_an_answer_that_is_too_large_is_passed_on_and_not_kept(serve: Serve) -> None:
    served = serve(caching(more="max-entry-size: 1KiB"))
    served.upstream.on(ALPHA, ok(chat_reply("x" * 2000)))
    for _ in range(2):
        assert said(await served.client.post(CHAT, chat())) == "miss"
    served.upstream.on(ALPHA, stream(chat_stream(["x" * 200] * 10)))
    for _ in range(2):
        reply = await served.client.post(CHAT, chat(stream=True))
        assert said(reply) == "miss"
        assert reply.body.endswith(b"data: [DONE]\n\n")


async def test_the_bytes_held_are_bounded_and_the_least_used_answer_goes_first(serve: Serve) -> None:
    served = serve(caching(more="max-size: 3500B"))
    served.upstream.on(ALPHA, ok())
    for temperature in (1, 2, 3, 1, 4):
        await served.client.post(CHAT, chat(temperature=temperature))
    assert await served.metric("gateway_cache_bytes", router="c") <= 3500
    assert await served.metric("gateway_cache_evictions_total", router="c") == 1
    assert said(await served.client.post(CHAT, chat(temperature=1))) == "hit"
    assert said(await served.client.post(CHAT, chat(temperature=2))) == "miss"


async def test_answers_outlive_a_reload_and_not_their_router(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat())
    assert await served.rewrite(caching(router=", retries: {max-retries: 1}"))
    assert said(await served.client.post(CHAT, chat())) == "hit"
    assert await served.rewrite(caching("no-store"))
    assert await served.metric("gateway_cache_entries") == 0
    assert await served.rewrite(caching())
    assert said(await served.client.post(CHAT, chat())) == "miss"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/router/c/v1/responses", {"model": "m", "input": "Hi", "background": True}),
        ("/router/c/v1/responses", {"model": "m", "input": "Hi", "conversation": "conv_1"}),
        ("/router/c/v1/responses/resp_1/cancel", {"model": "m"}),
    ],
)
async def test_what_changes_something_at_the_provider_is_always_asked(serve: Serve, path: str, body: Any) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok({"id": "resp_1", "object": "response", "status": "completed", "output": []}))
    assert [said(await served.client.post(path, body)) for _ in range(2)] == ["bypass"] * 2


async def test_lists_of_models_and_other_paths_do_not_meet_the_cache(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok({"id": "file-1"}))
    assert said(await served.client.get("/router/c/v1/models")) is None
    assert said(await served.client.get("/router/c/v1/files/1")) is None


async def test_a_beta_that_changes_the_answer_is_part_of_the_question(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat(), headers={"openai-beta": "a=1"})
    assert said(await served.client.post(CHAT, chat(), headers={"openai-beta": "a=2"})) == "miss"
    assert said(await served.client.post(CHAT, chat(), headers={"openai-beta": "a=1"})) == "hit"


async def test_a_hit_counts_against_the_global_limit_and_not_against_the_router_s(serve: Serve) -> None:
    limits = "global: {rate-limit: {total: {capacity: 5, refill-frequency: 1h}}}\n"
    served = serve(caching(top=limits, router=", rate-limit: {total: {capacity: 2, refill-frequency: 1h}}"))
    served.upstream.on(ALPHA, ok())
    asked = [1, 2, 3, 1, 1, 1, 1]
    statuses = [(await served.client.post(CHAT, chat(temperature=heat))).status for heat in asked]
    # The third meets the router's limit, the last the global one.
    assert statuses == [200, 200, 429, 200, 200, 200, 429]


async def test_a_stream_that_was_fetched_with_usage_gives_it_to_those_who_ask(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(tokens=(9, 3))))
    silent = await served.client.post(CHAT, chat(stream=True))
    assert usage_chunk() not in silent.body
    asking = await served.client.post(CHAT, chat(stream=True, stream_options={"include_usage": True}))
    assert said(asking) == "hit"
    assert b'"completion_tokens":3' in asking.body
    whole = await served.client.post(CHAT, chat())
    assert said(whole) == "hit"
    assert whole.json()["usage"]["total_tokens"] == 12
    assert whole.json()["choices"][0]["message"]["content"] == "Hello"
    assert calls(served) == 1
