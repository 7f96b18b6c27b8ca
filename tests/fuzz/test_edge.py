"""Whatever a client sends, the edge answers as an HTTP server should and asks nobody it was not told of.

Everything is in one process and on virtual time. A request comes as the two servers hand it over: raw
bytes of a path, header names in lower case, a body in pieces.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.asgi_client import Response
from tests.support.house import ALPHA, ANTHROPIC, BETA, GEMINI, KEYS, OPENAI, PROVIDERS, ROUTERS, Served
from tests.support.scripted import generate_reply, message_reply, ok, stream

CONFIG = f"{PROVIDERS}{ROUTERS}"
BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

segments = st.sampled_from(
    [
        b"", b".", b"..", b"...", b"%2e%2e", b"%2E.", b"..;", b"..%2f", b"%2f", b"%5c", b"\\", b"%00", b"%", b"%zz",
        b"%25", b"@evil.test", b"evil.test", b"http:", b":80", b"router", b"solo", b"trio", b"keys", b"nobody", b"ai",
        b"v1", b"v1beta", b"openai", b"alpha", b"anthropic", b"gemini", b"echo", b"chat", b"completions", b"messages",
        b"models", b"embeddings", b"count_tokens", b"gemini-2.5-flash:generateContent", b"m:streamGenerateContent",
        b"livez", b"readyz", b"metrics", b"health", b"a" * 300, "\u00e4".encode(), b"\xff", b"x;y=z", b"x,y", b"~",
        b"'", b"\"", b" ", b"\t", b"\r\n",
    ]
) | st.binary(max_size=6)  # fmt: skip
paths = st.one_of(
    st.lists(segments, max_size=7).map(lambda parts: b"/" + b"/".join(parts)),
    st.tuples(
        st.sampled_from([b"/router/solo", b"/ai", b"/v1", b"/alpha", b"/openai", b"/anthropic/v1", b"/gemini/v1beta"]),
        st.lists(segments, max_size=3).map(b"/".join),
    ).map(b"/".join),
    st.sampled_from([b"", b"*", b"http://evil.test/v1/chat/completions", b"//evil.test/v1/models", b"@evil.test/"]),
)
queries = st.one_of(
    st.just(b""),
    st.sampled_from(
        [b"alt=sse", b"key=secret", b"%6bey=secret", b"a=%zz", b"api-version=1", b"&&=&", b"a=b#c", b"\xff"]
    ),
    st.binary(max_size=12),
)
methods = st.sampled_from(["GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])
names = st.sampled_from(
    [
        "host", "authorization", "x-api-key", "x-goog-api-key", "anthropic-version", "content-type", "content-length",
        "content-encoding", "transfer-encoding", "connection", "accept", "accept-encoding", "x-forwarded-host",
        "x-request-id", "x-gateway-router", "x-http-method-override", "cookie", "expect", "upgrade", "cache-control",
        "te",
    ]
) | st.text("abcdefghijklmnopqrstuvwxyz-_", min_size=1, max_size=8)  # fmt: skip
values = st.sampled_from(
    [
        "", "0", "-1", "1", "99999999999999999999", "1e3", "chunked", "close", "keep-alive, x-api-key", "gzip",
        "application/json", "application/json; charset=utf-16", "multipart/form-data; boundary=x",
        "multipart/form-data", "text/html", "Bearer ", "Bearer x", "Basic eDp5", "evil.test", "2026-10-21", "\u00e4",
        "a" * 5000,
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)  # fmt: skip
headers = st.lists(st.tuples(names, values), max_size=3)
texts = st.sampled_from(
    [
        b'{"model":"gpt-4o","messages":[]}', b'{"model":"gpt-4o","messages":[],"stream":true}', b'{"model":"\\ud800"}',
        b'{"model":"claude-sonnet-5","max_tokens":1,"messages":[]}', b'{"model":["gpt-4o"]}', b'{"model":null}',
        b"[]", b"null", b'{"model":"http://evil.test/gpt-4o"}', b'{"model":"@evil.test/x"}',
        b'{"model":"openai/../x"}', b'{"model":"alpha/"}', b'{"model":"nobody/x"}',
        b'{"model":"gemini/..%2f..","contents":[]}', b'{"stream":1e400}', b'{"model":"a","model":"b"}', b"{",
        b'{"model":', b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 20000, b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n', b"--x\r\n", b"--x--",
    ]
)  # fmt: skip
bodies = st.lists(texts | st.binary(max_size=30), min_size=1, max_size=2)


def shape_of(reply: Response) -> str:
    """Which dialect's error a body is; an assertion where it is none's."""
    body = reply.json()
    error = body["error"]
    assert isinstance(error["message"], str)
    assert error["message"]
    if body.get("type") == "error":
        assert set(body) >= {"type", "error", "request_id"}
        return "anthropic"
    if "status" in error:
        assert error["code"] == reply.status
        return "gemini"
    assert error["code"]
    return "openai"


def check(served: Served, method: str, reply: Response) -> None:
    """What must hold of any answer."""
    assert reply.status in range(200, 600)
    assert reply.status != 500
    assert not reply.broken
    assert not served.log("request failed in the gateway")
    if reply.status >= 400 and method != "HEAD":
        assert reply.headers["content-type"].startswith("application/json")
        shape_of(reply)
    origins = {endpoint.origin for endpoint in served.gateway.house.endpoints.values()}
    for call in served.upstream.sent:
        parts = urlsplit(call.url)
        assert f"{parts.scheme}://{parts.netloc}" in origins
        assert ".." not in parts.path.split("/")
        assert not parts.fragment


def open_house(folder: Path) -> Served:
    served = Served(folder, CONFIG)
    for host in (OPENAI, ALPHA, BETA):
        served.upstream.on(host, lambda request, _: stream() if b'"stream":true' in request.body else ok())
    served.upstream.on(ANTHROPIC, ok(message_reply()))
    served.upstream.on(GEMINI, ok(generate_reply()))
    return served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("house")


@BOUNDED
@given(method=methods, path=paths, query=queries, given_headers=headers, pieces=bodies, length=st.booleans())
@example("POST", b"/router/solo/v1/chat/completions", b"", [], [b'{"model":"gpt-4o","messages":[]}'], True)
@example("POST", b"//evil.test/v1/chat/completions", b"", [("host", "evil.test")], [b'{"model":"gpt-4o"}'], True)
@example("GET", b"/openai/v1/%2e%2e/%2e%2e/admin", b"", [], [b""], False)
async def test_any_request_is_answered_in_a_shape_that_its_client_knows(
    folder: Path,
    method: str,
    path: bytes,
    query: bytes,
    given_headers: list[tuple[str, str]],
    pieces: list[bytes],
    length: bool,
) -> None:
    served = open_house(folder)
    target = path.replace(b"?", b"") + (b"?" + query if query else b"")
    reply = await served.client.request(method, target, headers=given_headers, body=pieces, length=length)
    check(served, method, reply)


@BOUNDED
@given(path=paths, headers=headers)
async def test_any_path_reaches_nobody_but_the_provider_that_it_names(
    folder: Path, path: bytes, headers: list[tuple[str, str]]
) -> None:
    """A provider's own route passes any path on, so this is where one could escape."""
    served = open_house(folder)
    target = b"/alpha/" + path.replace(b"?", b"").removeprefix(b"/")
    reply = await served.client.request("GET", target, headers=headers)
    check(served, "GET", reply)
    for call in served.upstream.sent:
        assert call.url.startswith("http://alpha.test/v1/") or call.url == "http://alpha.test/v1"


@BOUNDED
@given(
    model=st.text(max_size=5)
    | st.text("abc-./:@%\\#?~ ", max_size=20)
    | st.sampled_from(["alpha/../beta", "alpha//evil.test/x", "gemini/../../x", "a/b/c/d"])
)
async def test_any_model_reaches_nobody_but_the_configured(folder: Path, model: str) -> None:
    """Gemini's models are a part of the URL."""
    served = open_house(folder)
    for path in ("/ai/v1/chat/completions", "/router/duo/v1/chat/completions"):
        reply = await served.client.post(path, {"model": model, "messages": []})
        check(served, "POST", reply)


@BOUNDED
@given(given_headers=headers)
async def test_no_header_of_a_client_carries_a_key_of_the_gateway_elsewhere(
    folder: Path, given_headers: list[tuple[str, str]]
) -> None:
    served = open_house(folder)
    body = {"model": "gpt-4o", "messages": []}
    reply = await served.client.post("/router/solo/v1/chat/completions", body, headers=given_headers)
    check(served, "POST", reply)
    for call in served.upstream.sent:
        assert call.host == ALPHA
        assert call.key == KEYS["ALPHA_1"]
        sent = [value for _, value in call.request.headers]
        assert not [key for name, key in KEYS.items() if name != "ALPHA_1" and any(key in value for value in sent)]
