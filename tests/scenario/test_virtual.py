"""Virtual models, from the file to the wire: which provider gets what, and what the client is told."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import ALPHA, ANTHROPIC, BETA, GAMMA, GEMINI, OPENAI, PROVIDERS, Serve, Served, chat, message
from tests.support.scripted import (
    chat_reply,
    chat_stream,
    message_reply,
    message_stream,
    ok,
    status,
    stream,
)

RULES = """
    virtual-models:
      auto:
        - {name: vision, when: {images: true}, to: gamma/big}
        - {name: code, when: {text: '(?i)\\bcode\\b'}, to: [beta/coder, gamma/coder]}
        - {name: tools, when: {tools: true}, to: beta/tooled}
        - {name: long, when: {min-tokens: 500}, to: gamma/long}
        - {name: rest, to: alpha/small}
"""
YAML = f"""{PROVIDERS}
routers:
  r:
    load-balance: {{chat: {{providers: [alpha]}}}}{RULES}"""
PATH = "/router/r/v1/chat/completions"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


def ask(text: Any = "Hi", **members: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **members}


def asked(served: Served) -> list[tuple[str, str]]:
    """Whom the calls went to, and for which model."""
    return [(call.url.split("/")[2], json.loads(call.body)["model"]) for call in served.upstream.sent]


def everybody(served: Served) -> Served:
    for host in (ALPHA, BETA, GAMMA):
        served.upstream.on(host, ok(chat_reply("Hello")))
    return served


@pytest.mark.parametrize(
    ("body", "rule", "host", "model"),
    [
        (ask(), "rest", ALPHA, "small"),
        (ask("Write code"), "code", BETA, "coder"),
        (ask("Hi", tools=[{"type": "function", "function": {"name": "f"}}]), "tools", BETA, "tooled"),
        (ask([{"type": "text", "text": "code?"}, IMAGE]), "vision", GAMMA, "big"),
        (ask("word " * 1000), "long", GAMMA, "long"),
    ],
)
async def test_the_first_rule_that_matches_says_who_answers(
    serve: Serve, body: dict[str, Any], rule: str, host: str, model: str
) -> None:
    served = everybody(serve(YAML))
    reply = await served.client.post(PATH, body)
    assert reply.status == 200
    assert reply.headers["x-gateway-rule"] == f"auto:{rule}"
    assert reply.headers["x-gateway-model"] == model
    assert asked(served) == [(host, model)]
    served.check()


async def test_a_model_of_another_name_goes_where_it_always_went(serve: Serve) -> None:
    served = everybody(serve(YAML))
    reply = await served.client.post(PATH, chat("gpt-4o"))
    assert "x-gateway-rule" not in reply.headers
    assert asked(served) == [(ALPHA, "gpt-4o")]


async def test_every_byte_but_the_model_s_is_the_client_s(serve: Serve) -> None:
    served = everybody(serve(YAML))
    body = b'{ "x-unknown": 1.0,"model" :  "auto", "messages":[{"role":"user","content":"\\u0048i"}] }'
    await served.client.post(PATH, body=body, headers={"content-type": "application/json"})
    assert served.upstream.sent[0].body == body.replace(b'"auto"', b'"small"')


async def test_a_target_that_fails_is_followed_by_the_next_of_its_rule(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(BETA, status(503))
    served.upstream.on(GAMMA, ok(chat_reply("Hello")))
    reply = await served.client.post(PATH, ask("Write code"))
    assert (reply.status, reply.headers["x-gateway-rule"]) == (200, "auto:code")
    assert asked(served) == [(BETA, "coder"), (GAMMA, "coder")]
    served.check()


async def test_an_error_says_the_rule_too(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(ALPHA, status(400))
    reply = await served.client.post(PATH, ask())
    assert (reply.status, reply.headers["x-gateway-rule"]) == (400, "auto:rest")


async def test_a_stream(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(BETA, stream(chat_stream(("He", "llo"))))
    reply = await served.client.post(PATH, ask("code", stream=True))
    assert reply.headers["x-gateway-rule"] == "auto:code"
    assert b'"content":"He"' in reply.body
    assert reply.body.endswith(b"data: [DONE]\n\n")
    served.check()


MIXED = """
routers:
  r:
    load-balance: {chat: {providers: [openai]}}
    virtual-models:
      auto:
        - {name: code, when: {text: code}, to: anthropic/claude-sonnet-4-5}
        - {name: rest, to: openai/gpt-4o-mini}
"""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/router/r/v1/chat/completions", ask("code")),
        ("/router/r/v1/responses", {"model": "auto", "input": "code"}),
        ("/router/r/v1/messages", message("auto", messages=[{"role": "user", "content": "code"}])),
        ("/router/r/v1beta/models/auto:generateContent", {"contents": [{"parts": [{"text": "code"}]}]}),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_every_dialect_of_a_client_is_read_and_translated(
    serve: Serve, path: str, body: dict[str, Any], streamed: bool
) -> None:
    served = serve(MIXED)
    if "generateContent" in path:
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse") if streamed else path
    else:
        body = {**body, "stream": streamed}
    script = stream(message_stream(("Hello",))) if streamed else ok(message_reply("Hello"))
    served.upstream.on(ANTHROPIC, script)
    reply = await served.client.post(
        path, body, headers={"anthropic-version": "2023-06-01"} if "messages" in path else {}
    )
    assert reply.status == 200, reply.text
    assert reply.headers["x-gateway-rule"] == "auto:code"
    assert reply.headers["x-gateway-model"] == "claude-sonnet-4-5"
    assert "Hello" in reply.text
    assert asked(served) == [(ANTHROPIC, "claude-sonnet-4-5")]
    served.check()


async def test_a_model_in_the_path_is_replaced_there(serve: Serve) -> None:
    served = serve(MIXED.replace("openai/gpt-4o-mini", "gemini/gemini-2.5-flash"))
    served.upstream.on(GEMINI, ok(b'{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]}'))
    body = {"contents": [{"parts": [{"text": "Hi"}]}]}
    reply = await served.client.post("/router/r/v1beta/models/auto:generateContent", body)
    assert reply.status == 200
    assert served.upstream.sent[0].url.endswith("/models/gemini-2.5-flash:generateContent")
    assert json.loads(served.upstream.sent[0].body) == body


UNIFIED = """
global: {virtual-models: {auto: [{name: all, to: openai/gpt-4o-mini}], smart: [{to: auto}]}}
unified-api: {virtual-models: {auto: [{name: own, to: anthropic/claude-sonnet-4-5}]}}
routers:
  r: {load-balance: {chat: {providers: [openai]}}}
"""


@pytest.mark.parametrize(("path", "host", "rule"), [
    ("/ai/v1/chat/completions", ANTHROPIC, "auto:own"),
    ("/v1/chat/completions", ANTHROPIC, "auto:own"),
    ("/router/r/v1/chat/completions", OPENAI, "auto:all"),
])  # fmt: skip
async def test_a_route_s_own_rules_hide_those_of_global(serve: Serve, path: str, host: str, rule: str) -> None:
    served = serve(UNIFIED)
    served.upstream.on(ANTHROPIC, ok(message_reply("Hello")))
    served.upstream.on(OPENAI, ok(chat_reply("Hello")))
    reply = await served.client.post(path, ask())
    assert (reply.status, reply.headers["x-gateway-rule"]) == (200, rule)
    assert asked(served)[0][0] == host


async def test_a_rule_of_global_leads_to_the_route_s_own(serve: Serve) -> None:
    served = serve(UNIFIED)
    served.upstream.on(ANTHROPIC, ok(message_reply("Hello")))
    reply = await served.client.post("/ai/v1/chat/completions", {**ask(), "model": "smart"})
    assert reply.headers["x-gateway-rule"] == "smart:1>auto:own"


async def test_a_provider_s_own_url_has_no_virtual_models(serve: Serve) -> None:
    served = serve(UNIFIED)
    served.upstream.on(OPENAI, ok(chat_reply("Hello")))
    reply = await served.client.post("/openai/v1/chat/completions", ask())
    assert "x-gateway-rule" not in reply.headers
    assert asked(served) == [(OPENAI, "auto")]


@pytest.mark.parametrize("path", ["/ai/v1/models", "/v1/models", "/router/r/v1/models"])
async def test_virtual_models_are_listed(serve: Serve, path: str) -> None:
    body = (await serve(UNIFIED).client.get(path)).json()
    owners = {item["id"]: item["owned_by"] for item in body["data"]}
    assert owners["auto"] == owners["smart"] == "router-gateway"
    assert (await serve(UNIFIED).client.get(f"{path}/auto")).status == 200


async def test_where_no_rule_matches_the_client_is_told_which_there_are(serve: Serve) -> None:
    served = serve(MIXED.replace("{name: rest, to", "{name: json, when: {json: true}, to"))
    reply = await served.client.post(PATH, ask())
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["param"]) == (400, "no_rule_matched", "model")
    assert "'auto'" in error["message"]
    assert "code, json" in error["message"]
    assert served.upstream.sent == []


async def test_each_rule_s_decisions_are_counted_and_its_targets_have_names(serve: Serve) -> None:
    served = everybody(
        serve(YAML.replace("{name: rest, to: alpha/small}", "{name: json, when: {json: true}, to: alpha/s}"))
    )
    for text in ("code", "code", "word " * 1000, "Hi"):
        await served.client.post(PATH, ask(text))

    async def decided(rule: str) -> float:
        return await served.metric("gateway_rule_decisions_total", router="r", model="auto", rule=rule)

    assert [await decided(rule) for rule in ("auto:code", "auto:long", "auto:json", "")] == [2, 1, 0, 1]
    assert await served.metric("gateway_requests_total", provider="beta", model="coder") == 2, "a name of the config"


async def test_what_is_no_chat_is_refused(serve: Serve) -> None:
    reply = await serve(MIXED).client.post("/router/r/v1/embeddings", {"model": "auto", "input": "Hi"})
    assert (reply.status, reply.json()["error"]["code"]) == (404, "operation_not_served")


async def test_a_body_that_cannot_be_read_is_refused_by_who_reads_it(serve: Serve) -> None:
    served = serve(MIXED)
    served.upstream.on(OPENAI, status(400))
    reply = await served.client.post(PATH, {"model": "auto", "messages": "code"})
    assert (reply.status, reply.headers["x-gateway-rule"]) == (400, "auto:rest")


KEYED = f"""{PROVIDERS}
routers:
  r:
    load-balance: {{chat: {{providers: [alpha]}}}}
    cache: {{directive: max-age=60, scope: router}}
    virtual-models:
      auto:
        - {{name: code, when: {{header: {{x-kind: code}}}}, to: beta/coder}}
        - {{name: night, when: {{hour: '22:00-06:00'}}, to: gamma/night}}
        - {{name: rest, to: alpha/small}}
"""


async def test_an_answer_is_kept_for_the_targets_that_gave_it(serve: Serve) -> None:
    served = everybody(serve(KEYED))
    said = []
    for headers in ({}, {"x-kind": "code"}, {}, {"x-kind": "code"}):
        reply = await served.client.post(PATH, ask(), headers=headers)
        said.append(
            (reply.headers["x-gateway-cache"], reply.headers["x-gateway-rule"], reply.headers["x-gateway-model"])
        )
    assert said == [
        ("miss", "auto:rest", "small"),
        ("miss", "auto:code", "coder"),
        ("hit", "auto:rest", "small"),
        ("hit", "auto:code", "coder"),
    ]


SPLIT = f"""{PROVIDERS}
routers:
  r:
    load-balance: {{chat: {{providers: [alpha]}}}}
    virtual-models:
      auto: [{{name: beta, split: {{alpha/old: 0.7, smart: 0.3}}}}]
      smart: [{{name: all, to: [beta/new, gamma/new]}}]
"""


async def test_a_split_keeps_each_user_on_one_side(serve: Serve) -> None:
    served = everybody(serve(SPLIT))
    sides: dict[str, set[str]] = {}
    for _ in range(3):
        for user in map(str, range(100)):
            reply = await served.client.post(PATH, ask(user=user))
            sides.setdefault(user, set()).add(reply.headers["x-gateway-rule"])
    assert all(len(found) == 1 for found in sides.values())
    new = sum(found == {"auto:beta>smart:all"} for found in sides.values())
    assert {rule for found in sides.values() for rule in found} == {"auto:beta=alpha/old", "auto:beta>smart:all"}
    assert 15 < new < 45
    header = await served.client.post(PATH, ask(), headers={"x-end-user": "7"})
    assert {header.headers["x-gateway-rule"]} == sides["7"]


async def test_without_a_user_it_is_the_caller_who_stays(serve: Serve) -> None:
    served = everybody(serve(SPLIT))
    rules = set()
    for secret in ("one", "two", "three", "four", "five", "six", "seven"):
        found = {
            (await served.client.post(PATH, ask(), headers={"authorization": f"Bearer {secret}"})).headers[
                "x-gateway-rule"
            ]
            for _ in range(3)
        }
        assert len(found) == 1
        rules |= found
    assert len(rules) == 2, "callers are told apart by what they send"


PRICED = """
routers:
  r:
    load-balance: {chat: {providers: [openai]}}
    virtual-models:
      auto:
        - {name: good, when: {max-cost: '0.01'}, to: openai/gpt-4o}
        - {name: unpriced, when: {max-cost: 1000}, to: openai/of-our-own}
        - {name: hard, when: {min-complexity: 0.5}, to: anthropic/claude-sonnet-4-5}
        - {name: cheap, to: openai/gpt-4o-mini}
"""


async def test_what_a_request_would_cost_decides(serve: Serve) -> None:
    served = serve(PRICED)
    served.upstream.on(OPENAI, ok(chat_reply("Hello")))
    rules = [
        (await served.client.post(PATH, ask("Hi", max_tokens=tokens))).headers["x-gateway-rule"]
        for tokens in (10, 100_000)
    ]
    assert rules == ["auto:good", "auto:cheap"]


async def test_limits_in_dollars_estimate_by_the_target_that_the_rule_chose(serve: Serve) -> None:
    limited = PRICED.replace(
        "    virtual-models",
        "    rate-limit: {total: {capacity: 0.001, refill-frequency: 1h, unit: usd}}\n    virtual-models",
    )
    served = serve(limited)
    reply = await served.client.post(PATH, ask("Hi", max_tokens=900))
    assert reply.status == 413, "900 tokens of gpt-4o cost more than a tenth of a cent"
    assert reply.headers["x-gateway-rule"] == "auto:good"


async def test_keys_and_teams_are_asked_of_the_caller(serve: Serve) -> None:
    text = f"""{PROVIDERS}
auth:
  mode: keys
  keys:
    - {{name: ci, hash: 'sha256:{sha256(b"rg_ci").hexdigest()}', team: ml, models: [auto]}}
    - {{name: web, hash: 'sha256:{sha256(b"rg_web").hexdigest()}', models: [gpt-4o]}}
routers:
  r:
    load-balance: {{chat: {{providers: [alpha]}}}}
    virtual-models: {{auto: [{{name: ml, when: {{team: ml}}, to: beta/b}}, {{to: alpha/a}}]}}
"""
    served = everybody(serve(text))
    reply = await served.client.post(PATH, ask(), headers={"authorization": "Bearer rg_ci"})
    assert (reply.status, reply.headers["x-gateway-rule"]) == (200, "auto:ml")
    refused = await served.client.post(PATH, ask(), headers={"authorization": "Bearer rg_web"})
    assert refused.status == 403, "a key's models are the names that it may ask for"
    listed = (await served.client.get("/router/r/v1/models", {"authorization": "Bearer rg_ci"})).json()
    assert [item["id"] for item in listed["data"]] == ["auto"]


SPENT = f"""{PROVIDERS}
prices: {{alpha/dear: {{input: 1000, output: 1000}}, beta/cheap: {{input: 0.1, output: 0.1}}}}
routers:
  r:
    load-balance: {{chat: {{providers: [alpha]}}}}
    budget: {{amount: 0.1, window: day}}
    virtual-models:
      auto:
        - {{name: thrift, when: {{max-budget-left: 0.5}}, to: beta/cheap}}
        - {{name: rich, to: alpha/dear}}
"""


async def test_what_is_left_of_a_budget_decides(serve: Serve) -> None:
    served = everybody(serve(SPENT))
    served.upstream.on(ALPHA, ok(chat_reply("Hello", tokens=(40, 30))))
    rules = []
    for _ in range(2):
        reply = await served.client.post(PATH, ask("Hi", max_tokens=30))
        rules.append((reply.status, reply.headers.get("x-gateway-rule")))
    assert rules == [(200, "auto:rich"), (200, "auto:thrift")]
    await asyncio.sleep(86400)
    reply = await served.client.post(PATH, ask("Hi", max_tokens=30))
    assert reply.headers["x-gateway-rule"] == "auto:rich", "nothing is spent of the new day"


async def test_a_wish_decides_where_the_router_lets_it(serve: Serve) -> None:
    rules = "[{name: cheap, when: {optimize-for: cost}, to: beta/b}, {to: alpha/a}]"
    text = f"""{PROVIDERS}
routers:
  r: {{load-balance: {{chat: {{providers: [alpha]}}}}, optimize-for: {{}}, virtual-models: {{auto: {rules}}}}}
"""
    served = everybody(serve(text))
    for body, rule in ((ask(optimize_for="cost"), "auto:cheap"), (ask(), "auto:2")):
        assert (await served.client.post(PATH, body)).headers["x-gateway-rule"] == rule


async def test_the_record_has_the_rule_also_of_what_is_fetched_behind(serve: Serve, tmp_path: Path) -> None:
    cache = "    cache: {directive: 'max-age=1, stale-while-revalidate=60', scope: router}"
    served = everybody(serve(f"audit: {{path: '{tmp_path}/audit.jsonl'}}\n{YAML}\n{cache}"))
    for sink in served.runtime.sinks:
        await sink.open()
    for _ in range(2):
        await served.client.post(PATH, ask("code"))
        await asyncio.sleep(2)
    for sink in served.runtime.sinks:
        await sink.close()
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(line["request"]["model"], line["rule"], line["response"]["model"]) for line in lines] == [
        ("auto", "auto:code", "coder"),
        ("auto", "auto:code", ""),
        ("auto", "auto:code", "coder"),
    ]
    assert asked(served) == [(BETA, "coder"), (BETA, "coder")], "what is fetched behind goes where the rule said"
