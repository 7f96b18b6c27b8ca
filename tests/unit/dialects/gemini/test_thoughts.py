"""Another provider's proof of thought, through Google's own SDK and back."""

from __future__ import annotations

import httpx2
import pytest
from google.genai import Client, types

from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Delta,
    Echo,
    End,
    Event,
    Finish,
    Message,
    PartEnd,
    PartStart,
    Start,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from gateway.dialects.gemini import CODEC
from gateway.dialects.gemini.thoughts import signature_of, thinking_of

CALL = Call("gemini", "generate", "/models/{model}:generateContent", model="m", in_path=True)
FIRST: list[Event] = [
    Start(id="r1"),
    PartStart(0, Thinking(vendor="anthropic")),
    Delta(0, "I should"),
    Delta(0, " look."),
    Delta(0, "ErcB/+==", "signature"),
    PartEnd(0),
    PartStart(1, Text(text="")),
    Delta(1, "Let me "),
    Delta(1, "look."),
    PartEnd(1),
    PartStart(2, ToolUse(id="toolu_1", name="weather", arguments="")),
    Delta(2, '{"city":"Oslo"}', "arguments"),
    PartEnd(2),
    Finish("tool-use"),
    End(Usage(3, 4, reasoning=1)),
]
SECOND: list[Event] = [Start(id="r2"), PartStart(0, Text(text="")), Delta(0, "3."), PartEnd(0), Finish("stop"), End()]


def test_a_streamed_chat_of_the_sdk_brings_it_back() -> None:
    asked: list[bytes] = []
    answers = iter([FIRST, SECOND])

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.content)
        stream = CODEC.stream_writer(Echo(id="x", model="claude", created=1)).write(next(answers))
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as transport:
        client = Client(
            api_key="key",
            http_options=types.HttpOptions(base_url="http://127.0.0.1:1", httpx_client=transport),
        )
        tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="weather")])
        chat = client.chats.create(model="m", config=types.GenerateContentConfig(tools=[tool]))
        calls = [call for chunk in chat.send_message_stream("Oslo?") for call in chunk.function_calls or ()]
        assert [(call.id, call.name, call.args) for call in calls] == [("toolu_1", "weather", {"city": "Oslo"})]
        result = types.FunctionResponse(id=calls[0].id, name="weather", response={"result": "3 degrees"})
        said = [chunk.text for chunk in chat.send_message_stream(types.Part(function_response=result))]
    assert "".join(text or "" for text in said) == "3."
    request = CODEC.read_request(asked[-1], CALL)
    assert request.unread == ()
    assert request.messages == (
        Message("user", (Text(text="Oslo?"),)),
        Message(
            "assistant",
            (
                Thinking(text="I should look.", signature="ErcB/+==", vendor="anthropic"),
                Text(text="Let me look."),
                ToolUse(id="toolu_1", name="weather", arguments='{"city": "Oslo"}'),
            ),
        ),
        Message("user", (ToolResult(id="toolu_1", name="weather", content=(Text(text="3 degrees"),)),)),
    )


def test_geminis_own_signature_is_left_as_it_is() -> None:
    assert signature_of(Thinking(signature="c2ln", vendor="gemini")) == "c2ln"
    assert thinking_of("x", "c2ln") == Thinking(text="x", signature="c2ln", vendor="gemini")


def test_a_thought_without_a_proof_carries_none() -> None:
    assert signature_of(Thinking(text="Hm.")) == ""
    assert signature_of(Thinking(text="Hm.", vendor="anthropic")) == ""


@pytest.mark.parametrize("signature", ["Z3cx", "Z3cxAAAA", "Z3cx!", "Z3cxWzFd"])
def test_what_only_begins_like_a_foreign_proof_is_geminis(signature: str) -> None:
    assert thinking_of("", signature) == Thinking(signature=signature, vendor="gemini")
