"""The vendors' own SDKs ask for `auto`: the model of every dialect is chosen by rules, and each reads its answer."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

pytestmark = pytest.mark.real_time

TEXT = "Hello from the mock upstream."


@pytest.fixture(scope="session")
def chat(gateway: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway}/router/virtual/v1", api_key="of-the-client", max_retries=0) as made:
        yield made


@pytest.fixture(scope="session")
def messages(gateway: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"{gateway}/router/virtual", api_key="of-the-client", max_retries=0) as made:
        yield made


@pytest.fixture
def generate(gateway: str) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=f"{gateway}/router/virtual", api_version="v1beta")
    with genai.Client(api_key="of-the-client", http_options=options) as made:
        yield made


def test_openai_chat(chat: openai.OpenAI) -> None:
    raw = chat.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": "hello"}])
    assert (raw.headers["x-gateway-rule"], raw.headers["x-gateway-model"]) == ("auto:rest", "gpt-4o")
    assert raw.parse().choices[0].message.content == TEXT


def test_openai_chat_streamed(chat: openai.OpenAI) -> None:
    chunks = list(
        chat.chat.completions.create(model="auto", messages=[{"role": "user", "content": "hello"}], stream=True)
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT


def test_openai_responses(chat: openai.OpenAI) -> None:
    raw = chat.responses.with_raw_response.create(model="auto", input="hello")
    assert raw.headers["x-gateway-rule"] == "auto:rest"
    assert raw.parse().output_text == TEXT


def test_the_text_chooses_another_vendor(chat: openai.OpenAI) -> None:
    raw = chat.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": "hello, what a weather"}]
    )
    assert (raw.headers["x-gateway-rule"], raw.headers["x-gateway-provider"]) == ("auto:weather", "anthropic")
    assert raw.parse().choices[0].message.content == TEXT


def test_tools_choose_a_third(messages: anthropic.Anthropic) -> None:
    raw = messages.messages.with_raw_response.create(
        model="auto",
        max_tokens=64,
        messages=[{"role": "user", "content": "what is the weather"}],
        tools=[{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}],
    )
    assert (raw.headers["x-gateway-rule"], raw.headers["x-gateway-provider"]) == ("auto:tools", "gemini")
    assert raw.parse().stop_reason == "tool_use"


def test_anthropic_messages_streamed(messages: anthropic.Anthropic) -> None:
    with messages.messages.stream(
        model="auto", max_tokens=64, messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        assert stream.get_final_text() == TEXT
        assert stream.response.headers["x-gateway-rule"] == "auto:rest"


def test_gemini_whole_and_streamed(generate: genai.Client) -> None:
    reply = generate.models.generate_content(model="auto", contents="hello")
    assert reply.text == TEXT
    assert reply.sdk_http_response is not None
    assert reply.sdk_http_response.headers is not None
    assert reply.sdk_http_response.headers["x-gateway-rule"] == "auto:rest"
    pieces = generate.models.generate_content_stream(model="auto", contents="hello")
    assert "".join(piece.text or "" for piece in pieces) == TEXT


def test_the_lists_have_it(chat: openai.OpenAI, generate: genai.Client) -> None:
    assert "auto" in [model.id for model in chat.models.list()]
    assert chat.models.retrieve("auto").owned_by == "router-gateway"
    assert generate.models.get(model="auto").name == "models/auto"
