from __future__ import annotations

import pytest
from google import genai
from google.genai import errors, types

pytestmark = pytest.mark.real_time

TEXT = "Hello from the mock upstream."
MODEL = "gemini-2.5-flash"
BASES = ("/router/prod", "/ai", "/v1", "", "/gemini")
VERSIONS = ("v1", "v1beta")
"""That of today's SDK, and that of older ones."""


def open_client(gateway: str, base: str = "/router/prod", version: str = "v1") -> genai.Client:
    options = types.HttpOptions(base_url=gateway + base, api_version=version)
    return genai.Client(api_key="of-the-client", http_options=options)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("base", BASES)
def test_a_whole_reply(gateway: str, base: str, version: str) -> None:
    with open_client(gateway, base, version) as client:
        reply = client.models.generate_content(model=MODEL, contents="hello")
    assert reply.text == TEXT
    assert reply.usage_metadata is not None
    assert reply.usage_metadata.total_token_count == 18
    assert reply.sdk_http_response is not None
    assert reply.sdk_http_response.headers is not None
    assert reply.sdk_http_response.headers["x-request-id"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("base", BASES)
def test_a_stream(gateway: str, base: str, version: str) -> None:
    with open_client(gateway, base, version) as client:
        chunks = list(client.models.generate_content_stream(model=MODEL, contents="hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    assert len(chunks) > 1
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].usage_metadata.total_token_count == 18


@pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason")  # a word of aimock alone
def test_a_tool_call(gateway: str) -> None:
    declaration = types.FunctionDeclaration(
        name="get_weather",
        parameters=types.Schema(type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}),
    )
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declaration])])
    with open_client(gateway) as client:
        reply = client.models.generate_content(model=MODEL, contents="what is the weather", config=config)
    assert reply.function_calls is not None
    assert (reply.function_calls[0].name, reply.function_calls[0].args) == ("get_weather", {"city": "Oslo"})


def test_counting_tokens(gateway: str) -> None:
    with open_client(gateway, "/router/counts") as client:
        assert client.models.count_tokens(model="counted-1", contents="hello").total_tokens == 14


async def test_the_async_client(gateway: str) -> None:
    async with open_client(gateway).aio as client:
        reply = await client.models.generate_content(model=MODEL, contents="hello")
        assert reply.text == TEXT
        stream = await client.models.generate_content_stream(model=MODEL, contents="hello")
        assert "".join([chunk.text or "" async for chunk in stream]) == TEXT


def test_an_unknown_router(gateway: str) -> None:
    with open_client(gateway, "/router/prodd") as client, pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=MODEL, contents="hello")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert "Did you mean 'prod'?" in str(caught.value)
    details = caught.value.details["error"]["details"]
    assert details[0]["reason"] == "router_not_found"


def test_a_refusal_of_the_provider(gateway: str) -> None:
    with open_client(gateway, "/router/limit-gemini") as client, pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="limited-1", contents="too often")
    assert caught.value.code == 429
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_stream_that_breaks(gateway: str) -> None:
    words: list[str] = []
    with open_client(gateway, "/router/fragile") as client:
        chunks = client.models.generate_content_stream(model="fragile-1", contents="break off")
        with pytest.raises(errors.APIError) as caught:
            words.extend(chunk.text or "" for chunk in chunks)
    assert any(words)
    assert "This reply breaks off".startswith("".join(words))
    assert caught.value.code == 502
