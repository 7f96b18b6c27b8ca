"""Every client before every provider of another dialect: what was asked arrives, what was said comes back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.house import Serve, Served
from tests.support.scripted import html, ok, stream
from tests.support.speakers import ARGUMENTS, CLIENTS, HOUSE, PICTURE, PROVIDERS, Client, Provider, events

PAIRS = [
    pytest.param(client, provider, id=f"{client.name}-to-{provider.name}")
    for client in CLIENTS
    for provider in PROVIDERS
    if client.name != provider.name
]
each_pair = pytest.mark.parametrize(("client", "provider"), PAIRS)


def path(client: Client, provider: Provider, streamed: bool = False) -> str:
    return f"/router/{provider.router}{client.path('m-1', streamed)}"


async def asked(served: Served, client: Client, provider: Provider, **how: Any) -> Any:
    reply = await served.client.post(path(client, provider), client.ask("m-1", **how))
    assert reply.status == 200, reply.text
    return reply.json()


@each_pair
async def test_text(serve: Serve, client: Client, provider: Provider) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, provider.whole("Hello there"))
    reply = await served.client.post(path(client, provider), client.ask("m-1"))
    assert reply.status == 200, reply.text
    told = reply.json()
    assert client.text(told) == "Hello there"
    assert client.tokens(told) == (9, 3)
    assert reply.headers["content-type"] == "application/json"
    assert "x-gateway-dropped" not in reply.headers
    # What Anthropic demands of whoever asks it, and nobody else.
    assert ("anthropic-version" in served.upstream.last.headers) == (provider.name == "anthropic")
    assert reply.headers["x-gateway-model"] == "m-1"
    assert reply.headers["x-gateway-provider"] == provider.name
    sent = served.upstream.last.body.decode()
    assert "Where am I?" in sent
    assert "Be brief." in sent
    assert "m-1" in served.upstream.last.url + sent
    assert await served.metric("gateway_tokens_total", kind="input") == 9


@each_pair
async def test_a_stream(serve: Serve, client: Client, provider: Provider) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, provider.streaming(["Hel", "lo ", "there"]))
    reply = await served.client.post(path(client, provider, True), client.ask("m-1", stream=True))
    assert reply.status == 200, reply.text
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert client.streamed_text(reply.body) == "Hello there"
    assert client.complete(reply.body)
    assert client.broken(reply.body) is None
    assert "x-gateway-dropped" not in reply.headers
    assert await served.metric("gateway_tokens_total", kind="output") == 3
    assert await served.metric("gateway_requests_total", outcome="ok") == 1


@each_pair
async def test_a_whole_reply_to_a_client_that_asked_for_a_stream(
    serve: Serve, client: Client, provider: Provider
) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, provider.whole("Hello there"))
    reply = await served.client.post(path(client, provider, True), client.ask("m-1", stream=True))
    assert reply.status == 200, reply.text
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert client.streamed_text(reply.body) == "Hello there"
    assert client.complete(reply.body)
    assert await served.metric("gateway_tokens_total", kind="output") == 3


@each_pair
async def test_tools_in_two_rounds(serve: Serve, client: Client, provider: Provider) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, provider.calling(json.loads(ARGUMENTS)), provider.whole("It rains in Oslo."))
    first = await asked(served, client, provider, tools=True)
    (call,) = client.calls(first)
    assert (call.name, call.arguments) == ("weather", {"city": "Oslo"})
    sent = served.upstream.last.body.decode()
    assert "weather" in sent
    assert "city" in sent
    second = await asked(served, client, provider, tools=True, called=call, result="rain, 7 degrees")
    assert client.text(second) == "It rains in Oslo."
    again = served.upstream.last.body.decode()
    assert "rain, 7 degrees" in again
    assert "Oslo" in again


@each_pair
async def test_an_image(serve: Serve, client: Client, provider: Provider) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, provider.whole("A dot."))
    told = await asked(served, client, provider, image=True)
    assert client.text(told) == "A dot."
    assert PICTURE in served.upstream.last.body.decode()


@each_pair
async def test_structured_output(serve: Serve, client: Client, provider: Provider) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, provider.whole(ARGUMENTS))
    told = await asked(served, client, provider, schema=True)
    assert json.loads(client.text(told)) == {"city": "Oslo"}
    assert "city" in served.upstream.last.body.decode()


@each_pair
async def test_an_error_has_the_client_s_shape_and_the_provider_s_words(
    serve: Serve, client: Client, provider: Provider
) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, provider.refusing(422, "The temperature of Oslo is not a number."))
    reply = await served.client.post(path(client, provider), client.ask("m-1"))
    assert reply.status == 422
    assert client.error(reply.json()) == f"{provider.name}: The temperature of Oslo is not a number."
    assert reply.headers["x-gateway-error"] == "upstream_rejected"


@each_pair
async def test_a_stream_that_breaks_off_ends_with_the_client_s_error_event(
    serve: Serve, client: Client, provider: Provider
) -> None:
    served = serve(HOUSE)
    pieces = provider.stream(["Hel", "lo"])
    served.upstream.on(provider.host, stream(pieces, content_type=provider.content_type, cut_after=len(pieces) - 1))
    reply = await served.client.post(path(client, provider, True), client.ask("m-1", stream=True))
    assert reply.status == 200
    assert client.streamed_text(reply.body).startswith("Hel")
    assert not client.complete(reply.body) or client.broken(reply.body)
    assert client.broken(reply.body) is not None
    assert await served.metric("gateway_requests_total", outcome="broken") == 1


@each_pair
async def test_a_client_that_leaves_ends_the_call(serve: Serve, client: Client, provider: Provider) -> None:
    served = serve(HOUSE)
    pieces = provider.stream(["Hel", "lo"])
    served.upstream.on(provider.host, stream(pieces, content_type=provider.content_type, gap=1.0))
    url = path(client, provider, True)
    async with served.client.stream("POST", url, json=client.ask("m-1", stream=True)) as connection:
        await asyncio.sleep(len(pieces) - 1.5)
    assert not connection.complete
    assert served.upstream.cancelled_calls == 1
    assert await served.metric("gateway_requests_total", outcome="disconnected") == 1


@each_pair
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_page_in_place_of_a_reply_is_the_provider_s_failure(
    serve: Serve, client: Client, provider: Provider, streamed: bool
) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, html(200))
    reply = await served.client.post(path(client, provider, streamed), client.ask("m-1", stream=streamed))
    assert (reply.status, reply.headers["x-gateway-error"]) == (502, "upstream_failed")
    assert client.error(reply.json())


@each_pair
async def test_nonsense_in_place_of_a_reply_is_the_provider_s_failure(
    serve: Serve, client: Client, provider: Provider
) -> None:
    served = serve(HOUSE)
    served.upstream.on(provider.host, ok(b"[1,2"))
    reply = await served.client.post(path(client, provider), client.ask("m-1"))
    assert (reply.status, reply.headers["x-gateway-error"]) == (502, "upstream_failed")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
async def test_the_same_dialect_is_never_translated(serve: Serve, client: Client) -> None:
    served = serve(HOUSE)
    provider = next(provider for provider in PROVIDERS if provider.name == client.name)
    served.upstream.on(provider.host, provider.whole("Hello"))
    body = {**client.ask("m-1"), "nobody_has_heard_of": 1}
    reply = await served.client.post(path(client, provider), body)
    assert reply.status == 200
    assert served.upstream.last.json() == body
    assert "x-gateway-dropped" not in reply.headers
    assert events(b"") == []


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("last", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_request_goes_from_dialect_to_dialect_until_one_answers(
    serve: Serve, client: Client, last: Provider, streamed: bool
) -> None:
    order = [*(provider for provider in PROVIDERS if provider is not last), last]
    names = ", ".join(provider.name for provider in order)
    router = (
        f"  all: {{load-balance: {{chat: {{strategy: priority, providers: [{names}]}}}}, retries: {{max-retries: 9}}}}"
    )
    served = serve(f"{HOUSE}\n{router}\n")
    for provider in order[:-1]:
        served.upstream.on(provider.host, provider.refusing(503, "Not now."))
    served.upstream.on(last.host, last.streaming(["Hello"]) if streamed else last.whole("Hello"))
    body = client.ask("m-1", stream=streamed, tools=True)
    reply = await served.client.post(f"/router/all{client.path('m-1', streamed)}", body)
    assert reply.status == 200, reply.text
    assert served.upstream.hosts() == [provider.host for provider in order]
    assert (client.streamed_text(reply.body) if streamed else client.text(reply.json())) == "Hello"
    # What the client wrote is in each of them: none was made of another.
    assert all("Where am I?" in sent.body.decode() and "weather" in sent.body.decode() for sent in served.upstream.sent)
