"""What crosses the gateway unchanged, and what must not cross it."""

from __future__ import annotations

import pytest

from tests.support.house import ALPHA, ANTHROPIC, BARE, BETA, GEMINI, OPENAI, PROVIDERS, Serve, chat, generate, message
from tests.support.scripted import chat_reply, chat_stream, generate_reply, message_reply, ok, refuse, status, stream

PATH = "/router/duo/v1/chat/completions"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[{"content":"Gr\xc3\xbc\xc3\x9fe \\u4e16"}],"never_heard_of":{"a":[1.0,1e400]}}',
        b'\n {\t"temperature" : 0.70 ,\r\n "messages":[ ] , "model":"m"\n}\n',
        b'{"model":"m","seed":12345678901234567890123,"top_p":0.10000000000000000555,"messages":[]}',
        b'{"messages":[],"model":"m","messages":[1]}',
    ],
)
async def test_the_request_is_forwarded_byte_for_byte(serve: Serve, body: bytes) -> None:
    served = serve()
    served.upstream.on(ALPHA, refuse())
    served.upstream.on(BETA, ok())
    reply = await served.client.post(PATH, body=body, headers={"content-type": "application/json; charset=utf-8"})
    assert reply.status == 200
    assert [call.body for call in served.upstream.sent] == [body, body]
    assert served.upstream.last.headers["content-type"] == "application/json; charset=utf-8"


async def test_only_the_model_is_spliced_and_only_at_the_top(serve: Serve) -> None:
    served = serve(PROVIDERS + "routers: {duo: {load-balance: {chat: {providers: [{provider: alpha, model: new}]}}}}")
    served.upstream.on(ALPHA, ok())
    body = b'{ "x": 1.50,\n  "model" :  "old" , "messages":[{"content":"the model: \\"old\\" is old"}] , "y":null }'
    await served.client.post(PATH, body=body)
    assert served.upstream.last.body == body.replace(b'"old" ,', b'"new" ,')


async def test_each_attempt_starts_from_the_client_s_original(serve: Serve) -> None:
    targets = "[{provider: alpha, model: a}, {provider: beta, model: b}]"
    served = serve(
        PROVIDERS + f"routers: {{duo: {{load-balance: {{chat: {{strategy: priority, providers: {targets}}}}}}}}}"
    )
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, ok())
    await served.client.post(PATH, body=b'{"model" : "x","messages":[]}')
    assert [call.body for call in served.upstream.sent] == [
        b'{"model" : "a","messages":[]}',
        b'{"model" : "b","messages":[]}',
    ]


async def test_the_reply_is_forwarded_byte_for_byte(serve: Serve) -> None:
    served = serve()
    body = b'{ "id":"x","choices":[ ] ,"usage":{"prompt_tokens":1,"completion_tokens":2},\n"never_heard_of":1e400 }'
    served.upstream.on(ALPHA, ok(body))
    reply = await served.client.post(PATH, chat())
    assert reply.body == body
    assert reply.headers["content-length"] == str(len(body))
    assert await served.metric("gateway_tokens_total", kind="output") == 2


async def test_a_stream_has_no_length_and_comes_event_by_event(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream())
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks == chat_stream()
    assert "content-length" not in reply.headers
    assert reply.headers["content-type"].startswith("text/event-stream")


async def test_what_is_about_the_client_s_connection_or_itself_is_not_sent_upstream(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(OPENAI, ok())
    dropped = {
        "connection": "keep-alive, x-hop", "keep-alive": "timeout=5", "te": "trailers", "transfer-encoding": "chunked",
        "upgrade": "h2c", "proxy-authorization": "Basic x", "proxy-connection": "close",
        "authorization": "Bearer client-key", "x-api-key": "client-key", "x-goog-api-key": "client-key",
        "api-key": "client-key", "cookie": "session=1", "forwarded": "for=10.0.0.1", "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "evil.test", "x-real-ip": "10.0.0.1", "via": "1.1 proxy", "expect": "100-continue",
        "accept-encoding": "gzip", "x-request-id": "abc", "x-gateway-anything": "1", "host": "evil.test",
        "openai-organization": "org-1", "openai-project": "proj-1", "x-http-method-override": "DELETE",
    }  # fmt: skip
    kept = {
        "openai-beta": "assistants=v2",
        "user-agent": "OpenAI/Python 3.52",
        "accept": "application/json",
        "x-stainless-lang": "python",
        "idempotency-key": "k-1",
        "x-made-up": "yes",
    }
    reply = await served.client.post("/ai/v1/chat/completions", chat(), {**dropped, **kept})
    assert reply.status == 200
    sent = served.upstream.last
    assert sent.headers == {
        **kept,
        "content-type": "application/json",
        "authorization": "Bearer sk-openai-0000000000000000",
    }
    assert "client-key" not in sent.url


async def test_headers_that_connection_names_are_of_this_hop(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(OPENAI, ok())
    await served.client.post("/ai/v1/chat/completions", chat(), {"connection": "close, x-hop", "x-hop": "1"})
    assert "x-hop" not in served.upstream.last.headers


async def test_what_means_something_to_clients_comes_back_and_nothing_of_the_provider_s_connection(
    serve: Serve,
) -> None:
    served = serve()
    dropped = [
        ("set-cookie", "a=b"), ("connection", "close"), ("transfer-encoding", "chunked"), ("server", "nginx"),
        ("date", "Thu"), ("alt-svc", "h3"), ("strict-transport-security", "max-age=1"), ("cf-ray", "1"),
        ("content-length", "99999"), ("x-gateway-provider", "spoofed"), ("via", "1.1 x"), ("keep-alive", "5"),
    ]  # fmt: skip
    kept = {
        "openai-processing-ms": "12",
        "openai-organization": "org",
        "anthropic-ratelimit-requests-remaining": "7",
        "x-made-up": "yes",
    }
    renamed = {"x-request-id": "req_1", "x-ratelimit-remaining-requests": "59"}
    served.upstream.on(ALPHA, ok(chat_reply(), headers=[*dropped, *kept.items(), *renamed.items()]))
    reply = await served.client.post(PATH, chat(), {"x-request-id": "mine"})
    ours = {
        "content-length", "x-request-id", "x-gateway-router", "x-gateway-provider", "x-gateway-model",
        "x-gateway-attempts", "x-gateway-config",
    }  # fmt: skip
    assert {name: value for name, value in reply.headers.items() if name not in ours} == {
        **kept,
        "content-type": "application/json",
        "x-upstream-request-id": "req_1",
        "x-upstream-ratelimit-remaining-requests": "59",
    }
    assert ours <= set(reply.headers)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_gateway_says_what_it_did(serve: Serve, streamed: bool) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, stream() if streamed else ok())
    reply = await served.client.post(PATH, chat("gpt-4o", stream=streamed))
    said = {name: value for name, value in reply.headers.items() if name.startswith("x-gateway-")}
    assert said == {
        "x-gateway-router": "duo",
        "x-gateway-provider": "beta",
        "x-gateway-model": "gpt-4o",
        "x-gateway-attempts": "2",
        "x-gateway-config": served.gateway.house.hash,
    }


async def test_an_error_says_what_was_done(serve: Serve) -> None:
    served = serve()
    reply = await served.client.post(PATH, chat())
    assert reply.headers["x-gateway-error"] == "upstream_unreachable"
    assert reply.headers["x-gateway-provider"] == "beta"
    assert reply.headers["x-gateway-attempts"] == "2"
    assert reply.headers["x-request-id"]


async def test_a_good_request_id_is_kept_and_a_bad_one_replaced(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    for given in ("req-1", "A" * 128, "0f8fad5b-d9cb-469f-a165-70867728950e"):
        assert (await served.client.post(PATH, chat(), {"x-request-id": given})).headers["x-request-id"] == given
    made = set()
    for given in ("", "a b", "A" * 129, "x\ny", "<script>"):
        reply = await served.client.post(PATH, chat(), {"x-request-id": given})
        made.add(reply.headers["x-request-id"])
        assert given not in made
    assert len(made) == 5


async def test_header_values_beyond_ascii_are_refused_not_guessed_at(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    reply = await served.client.post(PATH, chat(), {"x-name": "Jürgen"})
    assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_request")
    assert served.upstream.sent == []


async def test_a_provider_s_headers_are_added_and_the_client_s_own_win(serve: Serve) -> None:
    served = serve("providers: {openai: {headers: {OpenAI-Project: proj-1, X-Team: ml}}}\n" + BARE)
    served.upstream.on(OPENAI, ok())
    await served.client.post("/ai/v1/chat/completions", chat(), {"x-team": "other"})
    sent = served.upstream.last.headers
    assert (sent["openai-project"], sent["x-team"]) == ("proj-1", "other")


@pytest.mark.parametrize(
    ("host", "path", "body", "reply", "header"),
    [
        (OPENAI, "/openai/v1/chat/completions", chat(), chat_reply(), "authorization"),
        (ANTHROPIC, "/anthropic/v1/messages", message(), message_reply(), "x-api-key"),
        (
            GEMINI,
            "/gemini/v1beta/models/gemini-2.5-flash:generateContent?key=client-key&a=1",
            generate(),
            generate_reply(),
            "x-goog-api-key",
        ),
    ],
    ids=["openai", "anthropic", "gemini"],
)
async def test_no_credential_of_a_client_reaches_a_provider(
    serve: Serve, host: str, path: str, body: object, reply: object, header: str
) -> None:
    served = serve(BARE)
    served.upstream.on(host, ok(reply))
    headers = dict.fromkeys(("x-api-key", "x-goog-api-key", "api-key", "xi-api-key"), "client-key")
    await served.client.post(path, body, {**headers, "authorization": "Bearer client-key"})
    sent = served.upstream.last
    assert "client-key" not in sent.url
    assert "client-key" not in "".join(sent.headers.values())
    assert list(sent.headers).count(header) == 1
    assert await served.metric("gateway_tokens_total", kind="input") == 9


async def test_a_form_is_passed_on_with_its_model_exchanged(serve: Serve) -> None:
    served = serve(
        PROVIDERS + "routers: {r: {load-balance: {audio: {providers: [{provider: alpha, model: whisper-9}]}}}}"
    )
    served.upstream.on(ALPHA, ok({"text": "hi"}))
    form = (
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\x00\xff\r\n\r\n--b--\r\n'
    )
    reply = await served.client.post(
        "/router/r/v1/audio/transcriptions", body=form, headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert reply.json() == {"text": "hi"}
    assert served.upstream.last.body == form.replace(b"whisper-1", b"whisper-9")


async def test_a_client_s_query_goes_along(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    await served.client.post(f"{PATH}?api-version=1&x=%2F", chat())
    assert served.upstream.last.url == "http://alpha.test/v1/chat/completions?api-version=1&x=%2F"


async def test_redirects_of_a_provider_are_not_followed_and_not_passed_on(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(307, b"", headers=[("location", "http://evil.test/")]))
    reply = await served.client.post("/router/once/v1/chat/completions", chat())
    assert reply.status == 502
    assert "location" not in reply.headers
    assert served.upstream.hosts() == [ALPHA]


@pytest.mark.parametrize(("path", "expected"), [("/anthropic/v1/messages", 200), ("/router/none/v1/messages", 404)])
async def test_anthropic_s_clients_find_the_request_id_where_they_look(serve: Serve, path: str, expected: int) -> None:
    served = serve(BARE)
    served.upstream.on(ANTHROPIC, ok(message_reply(), headers=[("request-id", "req_theirs")]))
    reply = await served.client.post(path, message(), headers={"x-request-id": "mine"})
    assert (reply.status, reply.headers["request-id"], reply.headers["x-request-id"]) == (expected, "mine", "mine")
