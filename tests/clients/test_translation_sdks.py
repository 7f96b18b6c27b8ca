"""The vendors' own SDKs as clients of providers of every other dialect: what they get must be their own dialect's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Final

import anthropic
import openai
import pytest
from anthropic.types import AssistantMessageParam, MessageParam, ToolParam
from google import genai
from google.genai import types
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.responses import FunctionToolParam, ResponseInputImageParam, ResponseInputParam
from pydantic import BaseModel

from tests.clients.conftest import KEYS
from tests.support.processes import Program, start_gateway

pytestmark = pytest.mark.real_time

TEXT: Final = "Hello from the mock upstream."
RESULT: Final = "rain, 7 degrees"
PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA: Final[dict[str, object]] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
PROVIDERS: Final = {
    "openai-chat": ("{dialect: openai, base-url: 'URL/v1', operations: [chat], keys: [KEY]}", "gpt-4o"),
    "openai-responses": ("{dialect: openai, base-url: 'URL/v1', operations: [responses], keys: [KEY]}", "gpt-4o"),
    "anthropic": ("{base-url: 'URL/v1', keys: [KEY]}", "claude-sonnet-5"),
    "gemini": ("{base-url: 'URL/v1beta', keys: [KEY]}", "gemini-2.5-flash"),
    "cohere": ("{base-url: 'URL/v2', keys: [KEY]}", "command-a-plus-05-2026"),
    "ollama-own": ("{dialect: ollama, base-url: URL, auth: bearer, keys: [KEY]}", "llama3"),
    "bedrock": ("{base-url: URL, keys: [KEY]}", "anthropic.claude-sonnet-4-5-v1:0"),
}
"""What stands in routers.yaml, and the model that is asked for."""


def others(own: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != own])


@pytest.fixture(scope="session")
def translator(tmp_path_factory: pytest.TempPathFactory, aimock: Program) -> Iterator[str]:
    """A gateway with a router for each provider, named as the provider is."""
    lines = ["providers:"]
    for name, (config, _) in PROVIDERS.items():
        written = config.replace("URL", aimock.url).replace("KEY", "'${env:OPENAI_API_KEY}'")
        lines.append(f"  {name}: {written}")
    lines.append("routers:")
    for name, (_, model) in PROVIDERS.items():
        target = f"{{provider: {name}, model: '{model}'}}"
        lines.append(f"  {router(name)}: {{load-balance: {{chat: {{providers: [{target}]}}}}}}")
        # What a refusal leaves behind in a key stays with this router's own.
        limited = target.replace("}", ", keys: ['${env:ANTHROPIC_API_KEY}']}")
        balance = f"{{chat: {{providers: [{limited}]}}}}"
        lines.append(f"  l-{router(name)}: {{load-balance: {balance}, retries: {{max-retries: 0}}}}")
    with start_gateway(tmp_path_factory.mktemp("translator"), "\n".join(lines), KEYS) as program:
        yield program.url


def router(provider: str) -> str:
    return provider.replace("openai-", "")


@pytest.fixture(scope="session")
def openai_client(translator: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=translator, api_key="of-the-client", max_retries=0) as made:
        yield made


@pytest.fixture(scope="session")
def anthropic_client(translator: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=translator, api_key="of-the-client", max_retries=0) as made:
        yield made


@pytest.fixture(scope="session")
def openai_at(openai_client: openai.OpenAI, translator: str) -> dict[str, openai.OpenAI]:
    return {name: openai_client.with_options(base_url=f"{translator}/router/{router(name)}/v1") for name in PROVIDERS}


@pytest.fixture(scope="session")
def anthropic_at(anthropic_client: anthropic.Anthropic, translator: str) -> dict[str, anthropic.Anthropic]:
    return {name: anthropic_client.with_options(base_url=f"{translator}/router/{router(name)}") for name in PROVIDERS}


@pytest.fixture(scope="session")
def genai_at(translator: str) -> dict[str, genai.Client]:
    return {
        name: genai.Client(
            api_key="of-the-client", http_options=types.HttpOptions(base_url=f"{translator}/router/{router(name)}")
        )
        for name in PROVIDERS
    }


class Place(BaseModel):
    city: str


class TestChat:
    TOOLS: Final[list[ChatCompletionToolParam]] = [
        {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
    ]

    @others("openai-chat")
    def test_text(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        reply = openai_at[provider].chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "hello"}]
        )
        assert reply.choices[0].message.content == TEXT
        assert reply.choices[0].finish_reason == "stop"
        assert reply.usage is not None
        assert reply.object == "chat.completion"

    @others("openai-chat")
    def test_a_stream(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        with openai_at[provider].chat.completions.stream(
            model="gpt-4o", messages=[{"role": "user", "content": "hello"}], stream_options={"include_usage": True}
        ) as stream:
            final = stream.get_final_completion()
        assert final.choices[0].message.content == TEXT
        assert final.choices[0].finish_reason == "stop"
        assert final.usage is not None

    @others("openai-chat")
    def test_tools_in_two_rounds(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "what is the weather"}]
        create = openai_at[provider].chat.completions.create
        first = create(model="gpt-4o", messages=messages, tools=self.TOOLS)
        assert first.choices[0].finish_reason == "tool_calls"
        calls = first.choices[0].message.tool_calls
        assert calls is not None
        (call,) = calls
        assert call.type == "function"
        assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo"})
        messages.append(first.choices[0].message.model_dump(exclude_none=True))  # type: ignore[arg-type]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": RESULT})
        second = create(model="gpt-4o", messages=messages, tools=self.TOOLS)
        assert second.choices[0].message.content == "It rains in Oslo."

    @others("openai-chat")
    def test_tools_in_a_stream(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        with openai_at[provider].chat.completions.stream(
            model="gpt-4o", messages=[{"role": "user", "content": "what is the weather"}], tools=self.TOOLS
        ) as stream:
            message = stream.get_final_completion().choices[0].message
        assert message.tool_calls is not None
        assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Oslo"}

    @others("openai-chat")
    def test_an_image(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        url = f"data:image/png;base64,{PICTURE}"
        reply = openai_at[provider].chat.completions.create(
            model="gpt-4o",
            messages=[
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "picture"}, {"type": "image_url", "image_url": {"url": url}}],
                }
            ],
        )
        assert reply.choices[0].message.content == "A single dot."

    @others("openai-chat")
    def test_structured_output(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        reply = openai_at[provider].chat.completions.parse(
            model="gpt-4o", messages=[{"role": "user", "content": "Where? as JSON"}], response_format=Place
        )
        assert reply.choices[0].message.parsed == Place(city="Oslo")

    @others("openai-chat")
    def test_an_error(self, openai_client: openai.OpenAI, translator: str, provider: str) -> None:
        client = openai_client.with_options(base_url=f"{translator}/router/l-{router(provider)}/v1")
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "too often"}])
        assert caught.value.code == "upstream_rate_limited"
        assert "Too many requests" in caught.value.message


class TestResponses:
    TOOLS: Final[list[FunctionToolParam]] = [
        {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}
    ]

    @others("openai-responses")
    def test_text(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        reply = openai_at[provider].responses.create(model="gpt-4o", input="hello")
        assert reply.output_text == TEXT
        assert reply.status == "completed"
        assert reply.usage is not None

    @others("openai-responses")
    def test_a_stream(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        with openai_at[provider].responses.stream(model="gpt-4o", input="hello") as stream:
            assert stream.get_final_response().output_text == TEXT

    @others("openai-responses")
    def test_tools_in_two_rounds(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        items: ResponseInputParam = [{"role": "user", "content": "what is the weather"}]
        create = openai_at[provider].responses.create
        first = create(model="gpt-4o", input=items, tools=self.TOOLS)
        (call,) = [item for item in first.output if item.type == "function_call"]
        assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Oslo"})
        items += [item.model_dump(exclude_none=True) for item in first.output]  # type: ignore[misc]
        items.append({"type": "function_call_output", "call_id": call.call_id, "output": RESULT})
        assert create(model="gpt-4o", input=items, tools=self.TOOLS).output_text == "It rains in Oslo."

    @others("openai-responses")
    def test_tools_in_a_stream(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        with openai_at[provider].responses.stream(
            model="gpt-4o", input="what is the weather", tools=self.TOOLS
        ) as stream:
            final = stream.get_final_response()
        (call,) = [item for item in final.output if item.type == "function_call"]
        assert json.loads(call.arguments) == {"city": "Oslo"}

    @others("openai-responses")
    def test_an_image(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        picture: ResponseInputImageParam = {
            "type": "input_image",
            "detail": "auto",
            "image_url": f"data:image/png;base64,{PICTURE}",
        }
        reply = openai_at[provider].responses.create(
            model="gpt-4o",
            input=[{"role": "user", "content": [{"type": "input_text", "text": "picture"}, picture]}],
        )
        assert reply.output_text == "A single dot."

    @others("openai-responses")
    def test_structured_output(self, openai_at: dict[str, openai.OpenAI], provider: str) -> None:
        reply = openai_at[provider].responses.parse(model="gpt-4o", input="Where? as JSON", text_format=Place)
        assert reply.output_parsed == Place(city="Oslo")


class TestMessages:
    TOOLS: Final[list[ToolParam]] = [{"name": "get_weather", "input_schema": SCHEMA}]

    @others("anthropic")
    def test_text(self, anthropic_at: dict[str, anthropic.Anthropic], provider: str) -> None:
        reply = anthropic_at[provider].messages.create(
            model="claude-sonnet-5", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
        )
        assert reply.content[0].type == "text"
        assert reply.content[0].text == TEXT
        assert reply.stop_reason == "end_turn"

    @others("anthropic")
    def test_a_stream(self, anthropic_at: dict[str, anthropic.Anthropic], provider: str) -> None:
        with anthropic_at[provider].messages.stream(
            model="claude-sonnet-5", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
        ) as stream:
            assert stream.get_final_text() == TEXT
            assert stream.get_final_message().stop_reason == "end_turn"

    @others("anthropic")
    def test_tools_in_two_rounds(self, anthropic_at: dict[str, anthropic.Anthropic], provider: str) -> None:
        messages: list[MessageParam] = [{"role": "user", "content": "what is the weather"}]
        create = anthropic_at[provider].messages.create
        first = create(model="claude-sonnet-5", max_tokens=50, messages=messages, tools=self.TOOLS)
        assert first.stop_reason == "tool_use"
        (use,) = [block for block in first.content if block.type == "tool_use"]
        assert (use.name, use.input) == ("get_weather", {"city": "Oslo"})
        said: AssistantMessageParam = {"role": "assistant", "content": first.content}
        messages.append(said)
        messages.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": RESULT}]}
        )
        second = create(model="claude-sonnet-5", max_tokens=50, messages=messages, tools=self.TOOLS)
        assert second.content[0].type == "text"
        assert second.content[0].text == "It rains in Oslo."

    @others("anthropic")
    def test_tools_in_a_stream(self, anthropic_at: dict[str, anthropic.Anthropic], provider: str) -> None:
        with anthropic_at[provider].messages.stream(
            model="claude-sonnet-5",
            max_tokens=50,
            messages=[{"role": "user", "content": "what is the weather"}],
            tools=self.TOOLS,
        ) as stream:
            final = stream.get_final_message()
        (use,) = [block for block in final.content if block.type == "tool_use"]
        assert use.input == {"city": "Oslo"}

    @others("anthropic")
    def test_an_image(self, anthropic_at: dict[str, anthropic.Anthropic], provider: str) -> None:
        reply = anthropic_at[provider].messages.create(
            model="claude-sonnet-5",
            max_tokens=50,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
                        {"type": "text", "text": "picture"},
                    ],
                }
            ],
        )
        assert reply.content[0].type == "text"
        assert reply.content[0].text == "A single dot."

    @others("anthropic")
    def test_structured_output(self, anthropic_at: dict[str, anthropic.Anthropic], provider: str) -> None:
        reply = anthropic_at[provider].messages.parse(
            model="claude-sonnet-5",
            max_tokens=50,
            messages=[{"role": "user", "content": "Where? as JSON"}],
            output_format=Place,
        )
        assert reply.parsed_output == Place(city="Oslo")


class TestGenerate:
    TOOLS: Final = types.Tool(
        function_declarations=[types.FunctionDeclaration(name="get_weather", parameters_json_schema=SCHEMA)]
    )

    @others("gemini")
    def test_text(self, genai_at: dict[str, genai.Client], provider: str) -> None:
        reply = genai_at[provider].models.generate_content(model="gemini-2.5-flash", contents="hello")
        assert reply.text == TEXT
        assert reply.candidates is not None
        assert reply.candidates[0].finish_reason == types.FinishReason.STOP

    @others("gemini")
    def test_a_stream(self, genai_at: dict[str, genai.Client], provider: str) -> None:
        pieces = list(genai_at[provider].models.generate_content_stream(model="gemini-2.5-flash", contents="hello"))
        assert "".join(piece.text or "" for piece in pieces) == TEXT
        assert pieces[-1].candidates is not None
        assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP

    @others("gemini")
    def test_tools_in_two_rounds(self, genai_at: dict[str, genai.Client], provider: str) -> None:
        config = types.GenerateContentConfig(
            tools=[self.TOOLS], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
        )
        asked = types.Content(role="user", parts=[types.Part(text="what is the weather")])
        generate = genai_at[provider].models.generate_content
        first = generate(model="gemini-2.5-flash", contents=[asked], config=config)
        assert first.function_calls is not None
        (call,) = first.function_calls
        assert (call.name, call.args) == ("get_weather", {"city": "Oslo"})
        assert first.candidates is not None
        said = first.candidates[0].content
        assert said is not None
        answer = types.FunctionResponse(id=call.id, name="get_weather", response={"result": RESULT})
        told = types.Content(role="user", parts=[types.Part(function_response=answer)])
        second = generate(model="gemini-2.5-flash", contents=[asked, said, told], config=config)
        assert second.text == "It rains in Oslo."

    @others("gemini")
    def test_tools_in_a_stream(self, genai_at: dict[str, genai.Client], provider: str) -> None:
        config = types.GenerateContentConfig(
            tools=[self.TOOLS], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
        )
        pieces = genai_at[provider].models.generate_content_stream(
            model="gemini-2.5-flash", contents="what is the weather", config=config
        )
        (call,) = [call for piece in pieces for call in piece.function_calls or ()]
        assert (call.name, call.args) == ("get_weather", {"city": "Oslo"})

    @others("gemini")
    def test_an_image(self, genai_at: dict[str, genai.Client], provider: str) -> None:
        picture = types.Part.from_bytes(data=base64.b64decode(PICTURE), mime_type="image/png")
        reply = genai_at[provider].models.generate_content(
            model="gemini-2.5-flash",
            contents=types.Content(role="user", parts=[types.Part(text="picture"), picture]),
        )
        assert reply.text == "A single dot."

    @others("gemini")
    def test_structured_output(self, genai_at: dict[str, genai.Client], provider: str) -> None:
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Place)
        reply = genai_at[provider].models.generate_content(
            model="gemini-2.5-flash", contents="Where? as JSON", config=config
        )
        assert reply.parsed == Place(city="Oslo")
