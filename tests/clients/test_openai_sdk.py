from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

pytestmark = pytest.mark.real_time

TEXT = "Hello from the mock upstream."
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
WEATHER: list[ChatCompletionMessageParam] = [{"role": "user", "content": "what is the weather"}]
TOOLS: list[ChatCompletionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
BASES = ("/router/prod", "/router/prod/v1", "/ai", "/ai/v1", "/v1", "/openai", "/openai/v1")


@pytest.fixture(scope="session")
def client(gateway: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway}/router/prod", api_key="of-the-client", max_retries=0) as made:
        yield made


def at(client: openai.OpenAI, gateway: str, base: str) -> openai.OpenAI:
    return client.with_options(base_url=gateway + base)


@pytest.mark.parametrize("base", BASES)
def test_a_whole_reply(client: openai.OpenAI, gateway: str, base: str) -> None:
    reply = at(client, gateway, base).chat.completions.create(model="gpt-4o", messages=HELLO)
    assert reply.choices[0].message.content == TEXT
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (11, 7)
    assert reply._request_id


@pytest.mark.parametrize("base", BASES)
def test_a_stream(client: openai.OpenAI, gateway: str, base: str) -> None:
    chunks = list(at(client, gateway, base).chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert [chunk for chunk in chunks if chunk.usage] == [], "nobody asked for usage"


def test_a_stream_with_usage(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 18


def test_the_accumulated_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="gpt-4o", messages=HELLO) as stream:
        assert stream.get_final_completion().choices[0].message.content == TEXT


def test_a_model_that_names_its_provider(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="openai/gpt-4o", messages=HELLO)
    assert reply.model == "gpt-4o"


def test_what_the_gateway_says_of_itself(client: openai.OpenAI) -> None:
    # The provider is named: a bare name would be balanced over all that have an equivalent.
    raw = client.chat.completions.with_raw_response.create(
        model="openai/gpt-4o", messages=HELLO, extra_headers={"x-request-id": "mine-1"}
    )
    assert raw.headers["x-request-id"] == "mine-1"
    assert raw.headers["x-gateway-provider"] == "openai"
    assert raw.headers["x-gateway-router"] == "prod"
    assert raw.headers["x-gateway-attempts"] == "1"


def test_a_tool_call(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="gpt-4o", messages=WEATHER, tools=TOOLS)
    assert reply.choices[0].finish_reason == "tool_calls"
    calls = reply.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert (calls[0].function.name, calls[0].function.arguments) == ("get_weather", '{"city":"Oslo"}')


def test_a_tool_call_in_a_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="gpt-4o", messages=WEATHER, tools=TOOLS) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert (calls[0].function.name, calls[0].function.arguments) == ("get_weather", '{"city":"Oslo"}')


@pytest.mark.parametrize("base", ["/router/prod", "/ai", "/v1", "/openai"])
def test_embeddings(client: openai.OpenAI, gateway: str, base: str) -> None:
    reply = at(client, gateway, base).embeddings.create(model="text-embedding-3-small", input="hello")
    assert reply.data[0].embedding == [0.25, -0.5, 1.0]


@pytest.mark.parametrize("base", ["/router/prod", "/ai", "/v1", "/openai"])
def test_responses(client: openai.OpenAI, gateway: str, base: str) -> None:
    assert at(client, gateway, base).responses.create(model="gpt-4o", input="hello").output_text == TEXT


def test_a_stream_of_responses(client: openai.OpenAI) -> None:
    events = list(client.responses.create(model="gpt-4o", input="hello", stream=True))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT


@pytest.mark.parametrize("base", ["/router/prod", "/ai", "/v1", "/openai"])
def test_images(client: openai.OpenAI, gateway: str, base: str) -> None:
    reply = at(client, gateway, base).images.generate(model="gpt-image-2", prompt="a lighthouse")
    assert reply.data is not None
    assert reply.data[0].b64_json == "aGVsbG8="


@pytest.mark.parametrize("base", ["/router/prod", "/ai", "/v1", "/openai"])
def test_a_transcription_as_multipart(client: openai.OpenAI, gateway: str, base: str) -> None:
    wave = ("words.wav", b"RIFF" + bytes(range(256)) * 512)
    assert at(client, gateway, base).audio.transcriptions.create(model="whisper-1", file=wave).text == "Spoken words."


@pytest.mark.parametrize("base", ["/router/prod", "/ai", "/v1"])
def test_the_list_of_models(client: openai.OpenAI, gateway: str, base: str) -> None:
    listed = {model.id: model.owned_by for model in at(client, gateway, base).models.list()}
    assert listed["gpt-4o"] == "openai"
    assert listed["claude-sonnet-5"] == "anthropic"
    assert at(client, gateway, base).models.retrieve("gpt-4o").id == "gpt-4o"


def test_the_list_of_models_of_a_provider_is_its_own(client: openai.OpenAI, gateway: str) -> None:
    assert {model.owned_by for model in at(client, gateway, "/openai").models.list()} == {"aimock"}


async def test_the_async_client(gateway: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway}/router/prod", api_key="of-the-client", max_retries=0) as client:
        reply = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert reply.choices[0].message.content == TEXT
        stream = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == TEXT


def test_an_unknown_router(client: openai.OpenAI, gateway: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        at(client, gateway, "/router/prodd").chat.completions.create(model="gpt-4o", messages=HELLO)
    assert caught.value.code == "router_not_found"
    assert caught.value.type == "invalid_request_error"
    assert "Did you mean 'prod'?" in str(caught.value)
    assert caught.value.request_id


def test_an_unknown_model(client: openai.OpenAI, gateway: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        at(client, gateway, "/ai").chat.completions.create(model="no-such-model", messages=HELLO)
    assert caught.value.code == "model_not_found"


def test_a_refusal_of_the_provider(client: openai.OpenAI, gateway: str) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        at(client, gateway, "/router/limit-openai").chat.completions.create(
            model="limited-1", messages=[{"role": "user", "content": "too often"}]
        )
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.request_id


def test_a_stream_that_breaks(client: openai.OpenAI, gateway: str) -> None:
    chunks = at(client, gateway, "/router/fragile").chat.completions.create(
        model="fragile-1", messages=[{"role": "user", "content": "break off"}], stream=True
    )
    words: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        words.extend(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert any(words)
    assert "This reply breaks off".startswith("".join(words))
    assert caught.value.code == "upstream_cut"
