"""Requests that cannot be served: each in the shape of its dialect, none a 500, none sent upstream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.asgi_client import Response
from tests.support.house import BARE, OPENAI, Serve, chat, generate, message
from tests.support.scripted import ok
from tests.support.virtual_time import elapsed

YAML = """
routers: {one: {load-balance: {chat: {providers: [openai, anthropic, gemini]}}}}
server: {max-body-size: 1KiB, max-header-size: 4KiB, body-timeout: 5s}
"""
CHAT = "/router/one/v1/chat/completions"
MESSAGES = "/router/one/v1/messages"
GENERATE = "/router/one/v1beta/models/gemini-2.5-flash:generateContent"
PATHS = {"openai": CHAT, "anthropic": MESSAGES, "gemini": GENERATE}
every_dialect = pytest.mark.parametrize("dialect", PATHS)


def told(dialect: str, reply: Response) -> str:
    """The code of an error, after its shape has been looked at as the dialect's SDK would."""
    body: dict[str, Any] = reply.json()
    assert reply.headers["content-type"] == "application/json"
    assert not reply.broken
    error = body["error"]
    assert error["message"]
    code: str
    if dialect == "openai":
        assert set(body) == {"error"}
        assert set(error) == {"message", "type", "param", "code"}
        code = error["code"]
    elif dialect == "anthropic":
        assert (body["type"], body["request_id"]) == ("error", reply.headers["x-request-id"])
        assert error["type"]
        code = error["code"]
    else:
        assert error["code"] == reply.status
        assert error["status"].isupper()
        code = error["details"][0]["reason"]
    assert reply.headers["x-gateway-error"] == code
    return code


@every_dialect
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"   ", "empty"),
        (b"hello", "line 1, column 1"),
        (b'{"model": "x",\n "messages": [}', "line 2, column 15"),
        (b'{"model": "x"', ""),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"null", "object"),
        (b'{"model":"x","messages":"\xff"}', "UTF-8"),
        (b'{"model":"x"} trailing', ""),
        (b'\xef\xbb\xbf{"model":"x"}', ""),
    ],
)
async def test_a_body_that_is_no_json_object(serve: Serve, dialect: str, body: bytes, why: str) -> None:
    served = serve(YAML.replace("1KiB", "64KiB"))
    reply = await served.client.post(PATHS[dialect], body=body)
    assert reply.status == 400
    assert told(dialect, reply) in ("malformed_body", "model_required")
    assert why in reply.json()["error"]["message"]
    assert served.upstream.sent == []


async def test_the_deepest_nesting_is_an_error_and_no_crash(serve: Serve) -> None:
    served = serve(BARE)
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = b'{"model":"gpt-4o","messages":' + opening * 100_000 + b"1" + closing * 100_000 + b"}"
        reply = await served.client.post("/ai/v1/chat/completions", body=deep)
        assert (reply.status, told("openai", reply)) == (400, "malformed_body")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CHAT, {"model": 1}, "model"),
        (CHAT, {"model": ["x"]}, "model"),
        (CHAT, {"model": "x", "stream": "yes"}, "stream"),
        (CHAT, {"model": "x", "stream_options": []}, "stream_options"),
        (CHAT, {"model": "x", "max_tokens": "9"}, "max_tokens"),
        (CHAT, {"model": "x\n"}, "model"),
        (CHAT, {"model": "x" * 257}, "model"),
        (MESSAGES, {"model": {}}, "model"),
        (MESSAGES, {"model": "x", "stream": 1}, "stream"),
    ],
)
async def test_a_member_of_the_wrong_type_is_named(serve: Serve, path: str, body: object, param: str) -> None:
    served = serve(YAML)
    reply = await served.client.post(path, body)
    assert reply.status == 400
    assert told("anthropic" if path == MESSAGES else "openai", reply) == "invalid_request"
    assert param in reply.json()["error"]["message"]
    assert served.upstream.sent == []


@pytest.mark.parametrize("body", [{}, {"model": None}, {"messages": []}])
@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/ai/v1/chat/completions", "/v1/embeddings"])
async def test_a_request_without_a_model(serve: Serve, path: str, body: object) -> None:
    reply = await serve(YAML).client.post(path, body)
    assert reply.status == 400
    assert told("anthropic" if path == MESSAGES else "openai", reply) == "model_required"


@every_dialect
@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_large(serve: Serve, dialect: str, declared: bool) -> None:
    served = serve(YAML)
    pieces = [b'{"model":"gpt-4o","x":"', b"x" * 1100, b'"}']
    reply = await served.client.request("POST", PATHS[dialect], body=pieces, length=declared)
    assert (reply.status, told(dialect, reply)) == (413, "body_too_large")
    assert reply.headers["connection"] == "close"
    assert "1024 bytes" in reply.json()["error"]["message"]


async def test_a_body_of_exactly_the_limit_is_taken(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    body = b'{"model":"gpt-4o","x":"' + b"x" * (1024 - 25) + b'"}'
    assert len(body) == 1024
    assert (await served.client.post(CHAT, body=body)).status == 200
    assert (await served.client.post(CHAT, body=body + b" ")).status == 413


@every_dialect
async def test_a_body_that_takes_too_long(serve: Serve, dialect: str) -> None:
    served = serve(YAML)
    reply = await served.client.request("POST", PATHS[dialect], body=[b'{"model"', b':"x"}'], gap=60)
    assert (reply.status, told(dialect, reply)) == (408, "request_timeout")
    assert elapsed() == 5


async def test_a_body_in_slow_pieces_that_is_in_time(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    pieces = [b'{"model":"gpt-4o"', b',"messages":', b"[]", b"}"]
    reply = await served.client.request("POST", CHAT, body=pieces, gap=1.5, length=False)
    assert reply.status == 200
    assert served.upstream.last.body == b"".join(pieces)


async def test_a_body_that_ends_before_its_declared_length(serve: Serve) -> None:
    served = serve(YAML)
    reply = await served.client.request("POST", CHAT, headers={"content-length": "500"}, body=b'{"model":"gpt')
    assert reply.status == 400


@pytest.mark.parametrize("length", ["ten", "-1", "1, 1", "0x10", ""])
async def test_a_length_that_is_no_number(serve: Serve, length: str) -> None:
    reply = await serve(YAML).client.request("POST", CHAT, headers={"content-length": length}, body=b"{}")
    assert (reply.status, told("openai", reply)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "name", ["content-type", "content-length", "authorization", "x-api-key", "x-goog-api-key", "host"]
)
async def test_a_header_that_may_stand_once_stands_twice(serve: Serve, name: str) -> None:
    served = serve(YAML)
    reply = await served.client.request("POST", CHAT, headers=[(name, "2"), (name, "3")], body=b"{}")
    assert reply.status == 400
    assert name in reply.json()["error"]["message"]


@every_dialect
@pytest.mark.parametrize("repeated", [False, True])
async def test_headers_that_are_too_large(serve: Serve, dialect: str, repeated: bool) -> None:
    headers = [("x-same", "v" * 50)] * 100 if repeated else [(f"x-{n}", "v" * 50) for n in range(100)]
    reply = await serve(YAML).client.request("POST", PATHS[dialect], headers=headers, body=b"{}")
    assert (reply.status, told(dialect, reply)) == (431, "headers_too_large")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@every_dialect
async def test_a_wrong_method(serve: Serve, dialect: str, method: str) -> None:
    reply = await serve(YAML).client.request(method, PATHS[dialect], body=b"{}")
    assert (reply.status, told(dialect, reply)) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "rest",
    [
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/v1/../chat/completions",
        "/v1/./chat/completions",
        "/v1/%2e%2e/chat/completions",
        "/v1/%2E./chat/completions",
        "/v1/..%3b/chat/completions",
        "/v1/chat%2fcompletions",
        "/v1/chat%2Fcompletions",
        "/v1/chat%5ccompletions",
        "/v1/chat\\completions",
        "/v1/chat%00",
        "/v1/chat%0d%0ahost:%20evil",
        "/v1/chat%zz",
        "/v1/chat%",
        "/v1/ch at",
        "/v1/<x>",
    ],
)
@pytest.mark.parametrize("mount", ["/router/one", "/openai", "/ai"])
async def test_a_path_that_hides_something(serve: Serve, mount: str, rest: str) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    reply = await served.client.post(mount + rest, chat())
    assert (reply.status, told("openai", reply)) == (400, "path_invalid")
    assert served.upstream.sent == []


@pytest.mark.parametrize(
    "raw", [b"/openai/v1/\xc3\xbc", b"/openai/v1/\xff", b"/router/one/v1/\x00", b"/openai/v1/\x7f"]
)
async def test_a_path_of_bytes_that_are_no_url(serve: Serve, raw: bytes) -> None:
    reply = await serve(YAML).client.post(raw, chat())
    assert (reply.status, told("openai", reply)) == (400, "path_invalid")


SPELLED = ("/%61i", "/%761", "/v%31", "/%6fpenai", "/router%2Fone", "/%72outer/one", "/router/%6fne", "/a%69/v1")


@pytest.mark.parametrize("mount", SPELLED)
async def test_a_mount_that_is_spelled_otherwise_leads_nowhere(serve: Serve, mount: str) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    reply = await served.client.post(f"{mount}/chat/completions", chat())
    assert reply.status in (400, 404)
    told("openai", reply)
    assert served.upstream.sent == []


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/openai/@evil.test/x", "https://api.openai.com/v1/@evil.test/x"),
        ("/openai/v1/x:8080@evil.test", "https://api.openai.com/v1/x:8080@evil.test"),
        ("/openai/v1/x?a=http://evil.test/", "https://api.openai.com/v1/x?a=http://evil.test/"),
        ("/openai/v1/x?a=b@c/../d", "https://api.openai.com/v1/x?a=b@c/../d"),
    ],
)
async def test_no_path_changes_the_origin(serve: Serve, path: str, url: str) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    await served.client.post(path, chat())
    assert [call.url for call in served.upstream.sent] == [url]


@pytest.mark.parametrize(
    "path", ["/openai/https://evil.test/x", "/openai//evil.test/x", "/https://evil.test/x", "//evil.test/x"]
)
async def test_an_absolute_url_in_the_path_goes_nowhere(serve: Serve, path: str) -> None:
    served = serve(YAML)
    reply = await served.client.post(path, chat())
    assert reply.status in (400, 404)
    assert served.upstream.sent == []


@pytest.mark.parametrize(
    "path", [f"/openai/v1/{'x' * 9000}", f"/openai/v1/x?{'x' * 9000}", "/openai/v1/x?a b", "/openai/v1/x?a#b"]
)
async def test_a_path_or_query_that_no_url_can_have(serve: Serve, path: str) -> None:
    reply = await serve(YAML).client.post(path, chat())
    assert (reply.status, told("openai", reply)) == (400, "path_invalid")


@every_dialect
@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        ("two", "router_not_found", ""),
        ("onee", "router_not_found", "'one'"),
        ("frontend-team", "router_name_invalid", "13 characters"),
        ("a.b", "router_name_invalid", "1 to 12"),
        ("%6fne", "router_name_invalid", ""),
        ("", "router_name_invalid", ""),
        ("ONE", "router_not_found", "'one'"),
    ],
)
async def test_a_router_that_is_not_there(serve: Serve, dialect: str, name: str, code: str, hint: str) -> None:
    path = PATHS[dialect].replace("/router/one", f"/router/{name}")
    reply = await serve(YAML).client.post(path, chat())
    assert (reply.status, told(dialect, reply)) == (404, code)
    assert hint in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "code", "hint"),
    [
        ("/opnai/v1/chat/completions", "provider_not_found", "'openai'"),
        ("/OpenAI/v1/chat/completions", "provider_not_found", "'openai'"),
        ("/chat/completions", "provider_not_found", "/<provider>/"),
        ("/", "provider_not_found", "/<provider>/"),
        ("/favicon.ico", "provider_not_found", ""),
        ("/router", "not_found", "/router/<name>/"),
        ("/admin/v1/models", "not_found", "admin"),
    ],
)
async def test_a_provider_that_is_not_there(serve: Serve, path: str, code: str, hint: str) -> None:
    served = serve(YAML)
    reply = await served.client.post(path, chat())
    assert (reply.status, told("openai", reply)) == (404, code)
    assert hint in reply.json()["error"]["message"]
    assert served.upstream.sent == []


@pytest.mark.parametrize(
    "path", ["/router/one/v1/nonsense", "/router/one/", "/router/one", "/ai/v1/nonsense", "/ai", "/v1/"]
)
async def test_an_operation_that_is_not_known(serve: Serve, path: str) -> None:
    served = serve(YAML)
    reply = await served.client.post(path, chat())
    assert reply.status in (400, 404, 405)
    told("openai", reply)
    assert served.upstream.sent == []


@every_dialect
async def test_a_model_that_nobody_has(serve: Serve, dialect: str) -> None:
    path = PATHS[dialect].replace("/router/one", "/ai").replace("gemini-2.5-flash", "zebra-1")
    body = {"openai": chat("zebra-1"), "anthropic": message("zebra-1"), "gemini": generate()}[dialect]
    reply = await serve(YAML).client.post(path, body)
    assert (reply.status, told(dialect, reply)) == (404, "model_not_found")
    assert "zebra-1" in reply.json()["error"]["message"]


@every_dialect
async def test_what_is_wrong_upstream_is_told_in_the_client_s_dialect(serve: Serve, dialect: str) -> None:
    body = {"openai": chat(), "anthropic": message(), "gemini": generate()}[dialect]
    reply = await serve(YAML).client.post(PATHS[dialect], body)
    assert (reply.status, told(dialect, reply)) == (502, "upstream_unreachable")


async def test_every_refusal_is_counted_and_logged(serve: Serve) -> None:
    served = serve(YAML)
    await served.client.post(CHAT, body=b"nonsense")
    await served.client.post("/router/nine/v1/chat/completions", chat())
    await served.client.post("/nobody/v1/chat/completions", chat())
    assert await served.metric("gateway_errors_total", code="malformed_body", router="one") == 1
    assert await served.metric("gateway_errors_total", code="router_not_found") == 1
    assert await served.metric("gateway_errors_total", code="provider_not_found") == 1
    assert [line["code"] for line in served.log("request failed")] == [
        "malformed_body", "router_not_found", "provider_not_found",
    ]  # fmt: skip


async def test_names_that_clients_make_up_do_not_fill_the_metrics(serve: Serve) -> None:
    served = serve(YAML)
    served.upstream.on(OPENAI, ok())
    for number in range(50):
        await served.client.post(CHAT, chat(f"gpt-4.{number}-made-up"))
    page = (await served.client.get("/metrics")).text
    assert "made-up" not in page
    assert await served.metric("gateway_requests_total", provider="openai", model="other") == 50


async def test_many_bad_requests_at_once_leave_nothing(serve: Serve) -> None:
    served = serve(YAML)
    bodies = [b"", b"{", b"[]", b"x" * 2000, b'{"model":1}', b'{"model":"nope"}']
    replies = await asyncio.gather(*(served.client.post(CHAT, body=body) for body in bodies * 50))
    assert {reply.status for reply in replies} <= {400, 413, 502, 503}
