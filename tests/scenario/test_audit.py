"""The audit log of a gateway that serves: who has a line, what is in it, and what never is."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.core.key_material import key_bytes
from gateway.telemetry.audit_line import AuditLine
from gateway.telemetry.audit_reader import Found, files_of, read_files
from gateway.telemetry.audit_seal import KeyRing
from tests.support.caches import AUTH, KEYS_OF, as_caller
from tests.support.house import ALPHA, BETA, KEYS, PROVIDERS, Serve, Served, chat, generate, message
from tests.support.scripted import chat_reply, chat_stream, ok, status, stream
from tests.support.virtual_time import elapsed

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[2] / "schemas" / "audit.schema.json").read_text()))
KEY = base64.b64encode(bytes(range(32))).decode()
ENV = {**KEYS, "AUDIT_KEY": KEY}
SOLO = "load-balance: {chat: {strategy: priority, providers: [alpha]}, default: {providers: [alpha]}}"
DUO = "load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}"


def house(path: Path, audit: str = "", top: str = "", more: str = "") -> str:
    return f"""{PROVIDERS}
audit: {{path: '{path}'{audit}}}
{top}
routers:
  solo: {{{SOLO}}}
  duo: {{{DUO}}}
  cached: {{{SOLO}, cache: {{directive: max-age=60}}}}
  tight: {{{SOLO}, rate-limit: {{total: {{capacity: 1, refill-frequency: 1h}}}}}}
  silent: {{{SOLO}, privacy: {{log: none}}}}
{more}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "audit.jsonl"


@contextlib.asynccontextmanager
async def writing(served: Served) -> AsyncIterator[Served]:
    """What the lifespan does with sinks."""
    for sink in served.runtime.sinks:
        await sink.open()
    try:
        yield served
    finally:
        for sink in served.runtime.sinks:
            await sink.close()


def lines(path: Path) -> list[AuditLine]:
    """All of them, each held to the schema."""
    found = list(read_files(files_of(path)))
    good = [one for one in found if isinstance(one, Found)]
    assert len(good) == len(found)
    for one in good:
        SCHEMA.validate(json.loads(one.text))
    return [one.line for one in good]


def written(path: Path) -> str:
    """The text of the file, empty where there is none."""
    return path.read_text() if path.exists() else ""


def url(router: str, rest: str = "chat/completions") -> str:
    return f"/router/{router}/v1/{rest}"


async def test_a_request_has_a_line_that_says_who_what_and_how_much(serve: Serve, path: Path) -> None:
    served = serve(house(path, top=AUTH))
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(150, 230))))
    async with writing(served):
        await served.client.post(
            url("solo"), chat(max_tokens=500, user="user_456", tools=[{"type": "function"}]), headers=as_caller("ann")
        )
    (line,) = lines(path)
    assert (line.tenant_id, line.caller, line.user_id, line.router) == ("red", "ann", "user_456", "solo")
    request, response = line.request, line.response
    assert (request.model, request.prompt_tokens, request.max_tokens) == ("gpt-4o", 150, 500)
    assert (request.path, request.dialect, request.operation) == ("/v1/chat/completions", "openai", "chat")
    assert request.features == ("tools",)
    assert (response.provider, response.completion_tokens, response.status) == ("alpha", 230, 200)
    assert response.metered
    assert line.config
    assert line.content is None
    assert [(one.provider, one.status) for one in line.attempts] == [("alpha", 200)]
    assert await served.metric("gateway_audit_lines_total", result="written") == 1


async def test_a_stream_says_when_its_first_byte_came_and_its_last(serve: Serve, path: Path) -> None:
    served = serve(house(path))
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b"], tokens=(9, 2)), gap=1.0, first_delay=0.5))
    async with writing(served):
        await served.client.post(url("solo"), chat(stream=True))
    (line,) = lines(path)
    assert line.request.stream
    assert 0 < line.response.first_byte_ms < line.response.latency_ms
    assert (line.request.prompt_tokens, line.response.completion_tokens) == (9, 2)


async def test_every_attempt_is_there_with_its_fault(serve: Serve, path: Path) -> None:
    served = serve(house(path))
    served.upstream.on(ALPHA, status(503))
    served.upstream.on(BETA, ok())
    async with writing(served):
        await served.client.post(url("duo"), chat())
    (line,) = lines(path)
    assert [(one.provider, one.status, bool(one.fault)) for one in line.attempts] == [
        ("alpha", 503, True),
        ("beta", 200, False),
    ]
    assert (line.response.provider, line.response.outcome) == ("beta", "ok")


async def test_a_hit_of_the_cache_has_a_line_and_the_digest_of_the_miss(serve: Serve, path: Path) -> None:
    served = serve(house(path))
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(9, 3))))
    async with writing(served):
        for _ in range(2):
            await served.client.post(url("cached"), chat())
    miss, hit = lines(path)
    assert (miss.response.cache, hit.response.cache) == ("miss", "hit")
    assert miss.request.digest == hit.request.digest != ""
    assert hit.attempts == ()


async def test_what_fails_is_limited_or_finds_no_route_has_a_line_too(serve: Serve, path: Path) -> None:
    served = serve(house(path))
    served.upstream.on(ALPHA, ok(), status(400), status(400))
    async with writing(served):
        for router in ("tight", "tight", "solo", "nowhere"):
            await served.client.post(url(router), chat())
        await served.client.post(url("solo"), b"{not json")
        await served.client.get("/router/solo/v1/models")
        await served.client.post("/alpha/v1/chat/completions", chat())
        await served.client.post("/ai/v1/messages", message("alpha/m"))
        await served.client.post("/ai/v1beta/models/alpha%2Fm:generateContent", generate())
    found = lines(path)
    assert [(line.router, line.response.status, line.response.error_code) for line in found[:5]] == [
        ("tight", 200, ""),
        ("tight", 429, "rate_limited"),
        ("solo", 400, "upstream_rejected"),
        ("", 404, "router_not_found"),
        ("solo", 400, "malformed_body"),
    ]
    assert len(found) == 9


async def test_a_client_that_leaves_has_a_line_of_what_it_got(serve: Serve, path: Path) -> None:
    served = serve(house(path))
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b", "c"], tokens=(9, 3)), gap=1.0))
    async with writing(served), served.client.stream("POST", url("solo"), json=chat(stream=True)) as connection:
        await anext(aiter(connection))
    (line,) = lines(path)
    assert line.response.outcome == "disconnected"


async def test_of_a_silent_route_there_is_nothing(serve: Serve, path: Path) -> None:
    served = serve(house(path))
    served.upstream.on(ALPHA, ok())
    async with writing(served):
        await served.client.post(url("silent"), chat(user="nobody's business"))
    assert written(path) == ""
    assert await served.metric("gateway_requests_total", router="silent") == 1


async def test_where_all_is_silent_one_route_may_speak(serve: Serve, path: Path) -> None:
    more = f"  loud: {{{SOLO}, privacy: {{log: metadata}}}}"
    served = serve(house(path, top="global: {privacy: {log: none}}", more=more))
    served.upstream.on(ALPHA, ok())
    async with writing(served):
        for target in (url("loud"), url("solo"), url("nowhere"), "/alpha/v1/chat/completions"):
            await served.client.post(target, chat())
    assert [line.router for line in lines(path)] == ["loud"]


async def test_a_rehearsal_leaves_no_trace(serve: Serve, path: Path) -> None:
    served = serve(house(path, audit=", queue: 1"))
    served.upstream.on(ALPHA, ok())
    for _ in range(3):
        await served.client.post(url("solo"), chat())
    assert written(path) == ""
    assert not served.log("audit lines are dropped")


FULL = f"  full: {{{SOLO}, privacy: {{log: full}}, cache: {{directive: max-age=60}}}}"


async def test_bodies_are_kept_sealed_where_a_route_says_so_and_nowhere_else(serve: Serve, path: Path) -> None:
    served = serve(house(path, audit=", encryption-key: '${env:AUDIT_KEY}'", more=FULL), ENV)
    served.upstream.on(ALPHA, ok(chat_reply("the answer")))
    async with writing(served):
        for router in ("full", "solo", "full"):
            await served.client.post(url(router), chat(seed=7))
    first, plain, again = lines(path)
    assert plain.content is None
    text = written(path)
    assert "the answer" not in text
    assert "messages" not in text
    ring = KeyRing([key_bytes(KEY)])
    for line in (first, again):
        assert line.content is not None
        content = ring.open(line.content, line.id)
        assert json.loads(content.request) == chat(seed=7)
        assert json.loads(content.response)["choices"][0]["message"]["content"] == "the answer"
        assert content.cut == ()
    assert (first.response.cache, again.response.cache) == ("miss", "hit")


async def arrivals(served: Served, router: str) -> list[tuple[float, bytes]]:
    """When each piece of a stream comes, in seconds."""
    began = elapsed()
    async with served.client.stream("POST", url(router), json=chat(stream=True)) as connection:
        return [(elapsed() - began, piece) async for piece in connection]


async def test_a_stream_is_kept_as_the_client_saw_it_and_is_not_delayed(serve: Serve, path: Path) -> None:
    served = serve(house(path, audit=", plaintext-bodies: true, max-body: 200B", more=FULL), ENV)
    served.upstream.on(ALPHA, stream(chat_stream(["one", "two", "three"], tokens=(9, 3)), gap=1.0))
    async with writing(served):
        full = await arrivals(served, "full")
        plain = await arrivals(served, "solo")
    assert full == plain
    kept = lines(path)[0].content
    assert kept is not None
    assert kept.cut == ("response",)
    assert kept.response == b"".join(piece for _, piece in full).decode()[:200]


async def test_a_stream_that_breaks_is_kept_as_far_as_it_came(serve: Serve, path: Path) -> None:
    served = serve(house(path, audit=", plaintext-bodies: true", more=FULL), ENV)
    served.upstream.on(ALPHA, stream(chat_stream(["one", "two", "three"]), cut_after=2))
    async with writing(served):
        reply = await served.client.post(url("full"), chat(stream=True))
    (line,) = lines(path)
    assert line.response.outcome == "broken"
    assert line.content is not None
    assert "one" in line.content.response
    assert reply.body.decode().startswith(line.content.response)


async def test_who_may_not_come_in_leaves_no_body(serve: Serve, path: Path) -> None:
    served = serve(house(path, audit=", plaintext-bodies: true", top=AUTH, more=FULL), ENV)
    async with writing(served):
        await served.client.post(url("full"), chat(), headers={"authorization": "Bearer gw_wrong_0123456789"})
    (line,) = lines(path)
    assert (line.response.status, line.content, line.caller) == (401, None, "")


async def test_end_users_are_hashed_where_the_config_says_so(serve: Serve, path: Path) -> None:
    served = serve(house(path, audit=", users: hashed, hash-key: '${env:AUDIT_KEY}'"), ENV)
    served.upstream.on(ALPHA, ok())
    async with writing(served):
        await served.client.post(url("solo"), chat(user="ann@example.test"))
        await served.client.post(url("solo"), chat(), headers={"x-end-user": "ann@example.test"})
    one, two = lines(path)
    assert one.user_id == two.user_id
    assert one.user_id.startswith("hmac-sha256:")
    assert "ann@" not in written(path)


async def test_a_reload_that_does_not_change_the_audit_log_keeps_it_open(serve: Serve, path: Path) -> None:
    served = serve(house(path))
    served.upstream.on(ALPHA, ok())
    async with writing(served):
        before = served.runtime.sinks.get("audit")
        assert await served.rewrite(house(path, more=f"  more: {{{SOLO}}}"))
        again = served.runtime.sinks.get("audit")
        assert await served.rewrite(house(path, audit=", keep: 7"))
        after = served.runtime.sinks.get("audit")
        await served.client.post(url("solo"), chat())
        await asyncio.sleep(1)
    assert before is again is not after
    assert [line.router for line in lines(path)] == ["solo"]


async def test_a_disk_that_takes_nothing_fails_no_request_and_is_told(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    served = serve(house(tmp_path / "file" / "audit.jsonl"))
    served.upstream.on(ALPHA, ok())
    async with writing(served):
        reply = await served.client.post(url("solo"), chat())
        assert reply.status == 200
    assert len(served.log("audit lines cannot be written")) == 1
    assert await served.metric("gateway_audit_lines_total", result="failed") == 1


PLANTED = "Zq7Rk2Vw9Lx4Tm"
"""Looks like nothing that is known: it is a credential only by where it stands."""
places = st.lists(
    st.sampled_from(
        [
            "authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "proxy-authorization", "query",
            "access", "api_key", "password", "client_secret", "access_token", "nested", "key-like",
        ]
    ),
    min_size=1,
    unique=True,
)  # fmt: skip


@given(places, st.sampled_from(["full", "solo"]), st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_no_credential_is_in_any_line_wherever_it_was_put(where: list[str], router: str, streams: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        served = Served(Path(folder), house(path, audit=", plaintext-bodies: true", more=FULL), ENV)
        # As the process does when it starts.
        served.runtime.log.protect(KEYS.values())
        reply = stream(chat_stream([f"Bearer {PLANTED}", KEYS["ALPHA_1"]], tokens=(9, 3)))
        served.upstream.on(ALPHA, reply if streams else ok(chat_reply(f"Bearer {PLANTED} {KEYS['ALPHA_1']}")))
        headers = {name: f"Bearer {PLANTED}" for name in where if name in ("authorization", "proxy-authorization")}
        headers |= {name: PLANTED for name in where if name in ("x-api-key", "x-goog-api-key", "api-key", "cookie")}
        body: dict[str, Any] = chat(stream=streams, user=KEYS["OPENAI_API_KEY"])
        body |= {name: PLANTED for name in where if name in ("api_key", "password", "client_secret", "access_token")}
        if "nested" in where:
            body["metadata"] = {"auth": {"api_key": PLANTED}, "headers": [["authorization", f"Bearer {PLANTED}"]]}
        if "key-like" in where:
            body["messages"] = [{"role": "user", "content": f"use sk-{PLANTED}{PLANTED} or Basic {PLANTED}"}]
        query = "?" + "&".join(
            f"{name}={PLANTED}" for name, at in (("key", "query"), ("access_token", "access")) if at in where
        )
        async with writing(served):
            await served.client.post(url(router) + query, body, headers=headers)
            await served.client.post(url(router), chat(PLANTED) if "x-api-key" in where else chat(), headers=headers)
        text = written(path)
        assert len(lines(path)) == 2
        for secret in (*KEYS.values(), *KEYS_OF.values()):
            assert secret not in text
        if "x-api-key" not in where:
            assert PLANTED not in text
