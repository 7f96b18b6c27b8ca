from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

pytestmark = pytest.mark.real_time

TEXT = "Hello from the mock upstream."
MODEL = "claude-sonnet-5"
HELLO: list[MessageParam] = [{"role": "user", "content": "hello"}]
TOOLS: list[ToolParam] = [
    {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
]
BASES = ("/router/prod", "/ai", "/v1", "", "/anthropic")


@pytest.fixture(scope="session")
def client(gateway: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"{gateway}/router/prod", api_key="of-the-client", max_retries=0) as made:
        yield made


def at(client: anthropic.Anthropic, gateway: str, base: str) -> anthropic.Anthropic:
    return client.with_options(base_url=gateway + base)


@pytest.mark.parametrize("base", BASES)
def test_a_whole_message(client: anthropic.Anthropic, gateway: str, base: str) -> None:
    message = at(client, gateway, base).messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert message.content[0].type == "text"
    assert message.content[0].text == TEXT
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 7)
    assert message._request_id


@pytest.mark.parametrize("base", BASES)
def test_a_stream(client: anthropic.Anthropic, gateway: str, base: str) -> None:
    events = list(at(client, gateway, base).messages.create(model=MODEL, max_tokens=64, messages=HELLO, stream=True))
    assert events[0].type == "message_start"
    assert [event.type for event in events[-2:]] == ["message_delta", "message_stop"]


def test_the_accumulated_stream(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == TEXT
        message = stream.get_final_message()
    assert message.usage.output_tokens == 7
    assert stream.response.headers["request-id"]


def test_a_tool_call_in_a_stream(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "what is the weather"}], tools=TOOLS
    ) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    block = message.content[-1]
    assert block.type == "tool_use"
    assert (block.name, block.input) == ("get_weather", {"city": "Oslo"})


def test_counting_tokens(client: anthropic.Anthropic, gateway: str) -> None:
    counted = at(client, gateway, "/router/counts").messages.count_tokens(model="counted-1", messages=HELLO)
    assert counted.input_tokens == 14


def test_a_bearer_token_in_place_of_a_key(gateway: str) -> None:
    with anthropic.Anthropic(base_url=f"{gateway}/router/prod", auth_token="of-the-client", max_retries=0) as client:
        assert client.messages.create(model=MODEL, max_tokens=64, messages=HELLO).stop_reason == "end_turn"


async def test_the_async_client(gateway: str) -> None:
    async with (
        anthropic.AsyncAnthropic(base_url=f"{gateway}/router/prod", api_key="of-the-client", max_retries=0) as client,
        client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream,
    ):
        assert await stream.get_final_text() == TEXT


def test_an_unknown_router(client: anthropic.Anthropic, gateway: str) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        at(client, gateway, "/router/prodd").messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert caught.value.type == "not_found_error"
    assert "Did you mean 'prod'?" in str(caught.value)
    assert caught.value.request_id


def test_a_refusal_of_the_provider(client: anthropic.Anthropic, gateway: str) -> None:
    with pytest.raises(anthropic.RateLimitError) as caught:
        at(client, gateway, "/router/limit-claude").messages.create(
            model="limited-1", max_tokens=64, messages=[{"role": "user", "content": "too often"}]
        )
    assert caught.value.type == "rate_limit_error"
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_stream_that_breaks(client: anthropic.Anthropic, gateway: str) -> None:
    events = at(client, gateway, "/router/fragile").messages.create(
        model="fragile-1", max_tokens=64, messages=[{"role": "user", "content": "break off"}], stream=True
    )
    seen: list[str] = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        seen.extend(event.type for event in events)
    assert seen[0] == "message_start"
    assert "message_stop" not in seen
    assert caught.value.type == "api_error"
