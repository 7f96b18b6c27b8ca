"""Gateway keys: who may call, and what is said to those who may not, in their dialect."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.support.house import ANTHROPIC, GEMINI, OPENAI, Serve, chat, generate, message
from tests.support.scripted import generate_reply, message_reply, ok

KEY = "gw-0123456789abcdef0123456789abcdef"
TEAM = "gw-team-456789abcdef0123456789abcdef"
YAML = f"""
auth:
  mode: keys
  keys:
    - {{name: everywhere, hash: 'sha256:{sha256(KEY.encode()).hexdigest()}'}}
    - {{name: team, hash: 'sha256:{sha256(TEAM.encode()).hexdigest()}', team: ml, routers: [one]}}
routers:
  one: {{load-balance: {{chat: {{providers: [openai, anthropic, gemini]}}}}}}
  two: {{load-balance: {{chat: {{providers: [openai]}}}}}}
"""
GENERATE = "/router/one/v1beta/models/gemini-2.5-flash:generateContent"
DIALECTS = {
    "openai": ("/router/one/v1/chat/completions", chat(), OPENAI, None),
    "anthropic": ("/router/one/v1/messages", message(), ANTHROPIC, message_reply()),
    "gemini": (GENERATE, generate(), GEMINI, generate_reply()),
}
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}


def told(dialect: str, body: object) -> tuple[object, object]:
    """Type (or status) and code of an error."""
    assert isinstance(body, dict)
    error = body["error"]
    if dialect == "gemini":
        return error["status"], error["details"][0]["reason"]
    return error["type"], error["code"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "headers",
    [
        AUTHORIZATION,
        {"authorization": f"bearer {KEY}"},
        {"x-api-key": KEY},
        {"x-goog-api-key": KEY},
        {"authorization": "Basic eDp5", "x-api-key": KEY},
        None,
    ],
)
async def test_a_key_is_found_where_any_sdk_puts_it(serve: Serve, dialect: str, headers: dict[str, str] | None) -> None:
    served = serve(YAML)
    path, body, host, reply = DIALECTS[dialect]
    served.upstream.on(host, ok(reply))
    response = await served.client.post(path if headers else f"{path}?key={KEY}", body, headers or {})
    assert response.status == 200
    sent = served.upstream.last
    assert KEY not in sent.url
    assert KEY not in "".join(sent.headers.values())


@pytest.mark.parametrize(
    ("dialect", "said"),
    [("openai", "authentication_error"), ("anthropic", "authentication_error"), ("gemini", "UNAUTHENTICATED")],
)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": f"{KEY}x"}])
async def test_without_a_known_key_nothing_is_served(
    serve: Serve, dialect: str, said: str, headers: dict[str, str]
) -> None:
    served = serve(YAML)
    path, body, _, _ = DIALECTS[dialect]
    reply = await served.client.post(path, body, headers)
    assert reply.status == 401
    assert told(dialect, reply.json()) == (said, "invalid_api_key")
    assert served.upstream.sent == []


@pytest.mark.parametrize(
    ("dialect", "said"),
    [("openai", "permission_error"), ("anthropic", "permission_error"), ("gemini", "PERMISSION_DENIED")],
)
async def test_a_key_may_be_bound_to_routers(serve: Serve, dialect: str, said: str) -> None:
    served = serve(YAML)
    path, body, host, answer = DIALECTS[dialect]
    served.upstream.on(host, ok(answer))
    headers = {"x-api-key": TEAM}
    assert (await served.client.post(path, body, headers)).status == 200
    asked = len(served.upstream.sent)
    for other in (path.replace("/router/one", "/router/two"), path.replace("/router/one", "/ai")):
        reply = await served.client.post(other, body, headers)
        assert reply.status == 403
        assert told(dialect, reply.json()) == (said, "access_denied")
    assert len(served.upstream.sent) == asked


@pytest.mark.parametrize("path", ["/ai/v1/chat/completions", "/v1/chat/completions", "/openai/v1/chat/completions"])
async def test_every_way_in_asks_for_the_key(serve: Serve, path: str) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    assert (await served.client.post(path, chat())).status == 401
    assert (await served.client.post(path, chat(), {"x-api-key": TEAM})).status == 403
    assert served.upstream.sent == []
    assert (await served.client.post(path, chat(), AUTHORIZATION)).status == 200


async def test_the_model_list_asks_for_the_key(serve: Serve) -> None:
    served = serve(YAML)
    assert (await served.client.get("/router/one/v1/models")).status == 401
    assert (await served.client.get("/router/one/v1/models", AUTHORIZATION)).status == 200


async def test_the_caller_is_named_in_the_log_and_the_key_never(serve: Serve) -> None:
    served = serve(YAML + "server: {logging: {requests: all}}\n")
    served.upstream.on(OPENAI, ok())
    await served.client.post("/router/one/v1/chat/completions", chat(), AUTHORIZATION)
    await served.client.post(f"/router/one/v1/chat/completions?key={KEY}", chat())
    lines = served.log("request served")
    assert [line["caller"] for line in lines] == ["everywhere", "everywhere"]
    assert KEY not in str(served.log())


async def test_probes_need_no_key(serve: Serve) -> None:
    served = serve(YAML)
    for page in ("/livez", "/readyz"):
        assert (await served.client.get(page)).status == 200


BROKEN = b'{"model": "gpt-4o", "messages": ['


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer gw-not-known-at-all-000000000000"}])
async def test_who_is_not_known_is_not_told_what_is_wrong_with_the_body(serve: Serve, headers: dict[str, str]) -> None:
    served = serve(YAML)
    reply = await served.client.post("/router/one/v1/chat/completions", BROKEN, headers)
    assert (reply.status, told("openai", reply.json())) == (401, ("authentication_error", "invalid_api_key"))
    known = await served.client.post("/router/one/v1/chat/completions", BROKEN, AUTHORIZATION)
    assert (known.status, told("openai", known.json())[1]) == (400, "malformed_body")


async def test_a_large_body_of_one_who_is_not_known_is_not_read(serve: Serve) -> None:
    served = serve(YAML)
    body = chat(messages=[{"role": "user", "content": "x" * 100_000}])
    reply = await served.client.post("/router/one/v1/chat/completions", body)
    assert (reply.status, reply.headers["connection"]) == (401, "close")
    assert (await served.client.post("/router/one/v1/chat/completions", body, AUTHORIZATION)).status != 401


async def test_who_is_known_is_told_what_is_wrong_with_its_headers_and_query(serve: Serve) -> None:
    served = serve(YAML)
    twice = [("authorization", f"Bearer {KEY}"), ("content-type", "application/json"), ("content-type", "text/plain")]
    reply = await served.client.post("/router/one/v1/chat/completions", chat(), twice)
    assert (reply.status, told("openai", reply.json())[1]) == (400, "invalid_request")
    reply = await served.client.post("/router/two/v1/chat/completions?a=%0d%0a", chat(), AUTHORIZATION)
    assert reply.status != 401
