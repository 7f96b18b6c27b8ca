"""Whole replies: read as Google sends them, written as google-genai takes them."""

from __future__ import annotations

import json

import pytest
from google.genai import types

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Citation,
    Echo,
    Image,
    Part,
    Refusal,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.gemini import CODEC

_CALL = Call("gemini", "generate", "/models/{model}:generateContent", model="m", in_path=True)
ECHO = Echo(id="request-1", model="asked-model", created=1)


def read(reply: object) -> Answer:
    return CODEC.read_reply(json.dumps(reply).encode(), [(b"content-type", b"application/json")])


def candidate(*parts: object, **members: object) -> Choice:
    (choice,) = read(
        {
            "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", **members}],
            "responseId": "resp/1",
        }
    ).choices
    return choice


def write(*parts: Part, stop: StopReason = "stop") -> types.GenerateContentResponse:
    answer = Answer(id="a", choices=(Choice(parts=parts, stop=stop),), usage=Usage(3, 4))
    body = CODEC.write_reply(answer, ECHO)
    return types.GenerateContentResponse.model_validate_json(body)


def test_an_answer_with_everything_around_it() -> None:
    found = read(
        {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": "Hel"}, {"text": "lo"}]},
                    "finishReason": "STOP",
                    "safetyRatings": [{"category": "X", "probability": "NEGLIGIBLE"}],
                    "avgLogprobs": -0.1,
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 10,
                "candidatesTokenCount": 2,
                "thoughtsTokenCount": 5,
                "cachedContentTokenCount": 4,
                "totalTokenCount": 17,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}],
            },
            "modelVersion": "gemini-3-flash",
            "responseId": "r1",
        }
    )
    assert found == Answer(
        id="r1",
        model="gemini-3-flash",
        choices=(Choice(parts=(Text(text="Hello"),)),),
        usage=Usage(10, 7, cached=4, reasoning=5, audio_input=3),
    )


def test_thoughts_and_signatures() -> None:
    assert candidate(
        {"text": "Hm.", "thought": True},
        {"text": "Yes.", "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "x", "name": "f", "args": {"a": 1}}, "thoughtSignature": "bW9yZQ=="},
    ) == Choice(
        parts=(
            Thinking(text="Hm.", vendor="gemini"),
            Text(text="Yes."),
            Thinking(signature="c2ln", vendor="gemini"),
            ToolUse(id="x", name="f", arguments='{"a": 1}', signature="bW9yZQ=="),
        ),
        stop="tool-use",
    )


def test_calls_without_ids_get_ids_that_stay_the_same() -> None:
    calls = [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "f", "args": None}}]
    parts = candidate(*calls).parts
    assert parts == candidate(*calls).parts
    assert [part.id for part in parts if isinstance(part, ToolUse)] == ["call_resp1_0", "call_resp1_1"]
    nameless = read({"candidates": [{"content": {"parts": calls}, "finishReason": "STOP"}]}).choices[0].parts
    assert len({part.id for part in nameless if isinstance(part, ToolUse)}) == 2


def test_pictures_and_code() -> None:
    text, image = candidate(
        {"executableCode": {"language": "PYTHON", "code": "1+1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"videoMetadata": {"fps": 1}},
    ).parts
    assert text == Text(text="\n```python\n1+1\n```\n\n```\n2\n```\n")
    assert isinstance(image, Image)
    assert image.content is not None
    assert image.content.text() == "aGk="


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content-filter"),
        ("RECITATION", "content-filter"),
        ("PROHIBITED_CONTENT", "content-filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"),
        ("CONTINUATION", "pause"),
        ("LANGUAGE", "other"),
        ("SOMETHING_NEW", "other"),
        ("FINISH_REASON_UNSPECIFIED", "other"),
        (None, "other"),
    ],
)
def test_why_it_stopped(reason: str | None, stop: StopReason) -> None:
    assert candidate({"text": "x"}, finishReason=reason).stop == stop


def test_an_answer_that_google_could_not_use_itself_is_malformed() -> None:
    with pytest.raises(UpstreamFault, match="Malformed function call: f"):
        candidate(finishReason="MALFORMED_FUNCTION_CALL", finishMessage="Malformed function call: f(")


def test_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    found = read({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}})
    assert found.choices == (Choice(parts=(), stop="content-filter"),)
    assert found.usage == Usage(9, 0)


def test_grounding_counts_bytes_and_citations_characters() -> None:
    choice = candidate(
        {"text": "Zürich liegt am See."},
        groundingMetadata={
            "webSearchQueries": ["zürich"],
            "groundingChunks": [
                {"web": {"uri": "https://a", "title": "A"}},
                {"retrievedContext": {"uri": "gs://b", "title": "B", "text": "passage"}},
                {"web": {"uri": "https://c"}},
            ],
            "groundingSupports": [
                {"segment": {"endIndex": 7, "text": "Zürich"}, "groundingChunkIndices": [0, 1, 9]},
                {"groundingChunkIndices": None},
            ],
        },
        citationMetadata={"citations": [{"startIndex": 8, "endIndex": 13, "uri": "https://d"}, {}]},
    )
    (text,) = choice.parts
    assert isinstance(text, Text)
    assert text.citations == (
        Citation(url="https://a", title="A", start=0, end=6),
        Citation(url="gs://b", title="B", quote="passage", start=0, end=6),
        Citation(url="https://c"),
        Citation(url="https://d", start=7, end=12),
        Citation(),
    )


def test_log_probabilities() -> None:
    choice = candidate(
        {"text": "Hi"},
        logprobsResult={
            "chosenCandidates": [{"token": "Hi", "logProbability": -0.5, "tokenId": 3}],
            "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -0.5}]}],
        },
    )
    assert choice.logprobs == (TokenLogprob("Hi", -0.5, (("Hi", -0.5),)),)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"{}", b'{"candidates":[]}', b'{"candidates":3}', b'{"usageMetadata":null}', b'{"a":',
        b'{"error":{"code":500,"message":"x"}}', b'{"candidates":[{"content":{"parts":[{"text":3}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}',
    ],
)  # fmt: skip
def test_what_is_no_reply_is_malformed(body: bytes) -> None:
    with pytest.raises(UpstreamFault) as caught:
        CODEC.read_reply(body, [])
    assert caught.value.kind == "malformed"


def test_html_is_malformed_whatever_it_looks_like() -> None:
    with pytest.raises(UpstreamFault):
        CODEC.read_reply(b'{"candidates":[{}]}', [(b"content-type", b"text/html")])


def test_the_sdk_reads_what_is_written() -> None:
    response = write(
        Thinking(text="Hm."),
        Text(text="Zürich", citations=(Citation(url="https://a", title="A", start=1, end=3),)),
        ToolUse(id="c", name="f", arguments='{"a": [1]}', signature="c2ln"),
        ToolUse(id="d", name="g", arguments=""),
        Image(content=Blob(memoryview(b"aGk=")), media_type="image/png"),
        Audio(content=Blob(memoryview(b"aGk=")), media_type="audio/wav"),
        Refusal(text="No."),
        stop="tool-use",
    )
    assert response.response_id == "a"
    assert response.model_version == "asked-model"
    assert response.usage_metadata is not None
    assert response.usage_metadata.total_token_count == 7
    assert response.function_calls is not None
    assert [(call.id, call.name, call.args) for call in response.function_calls] == [
        ("c", "f", {"a": [1]}),
        ("d", "g", {}),
    ]
    assert response.candidates is not None
    (found,) = response.candidates
    assert found.finish_reason == types.FinishReason.STOP
    assert found.grounding_metadata is not None
    assert found.grounding_metadata.grounding_supports is not None
    segment = found.grounding_metadata.grounding_supports[0].segment
    assert segment is not None
    assert (segment.start_index, segment.end_index) == (1, 4)


def test_a_call_that_is_malformed_is_told_as_gemini_tells_it() -> None:
    response = write(Text(text="x"), ToolUse(id="c", name="f", arguments='{"a":'), stop="tool-use")
    assert response.candidates is not None
    (found,) = response.candidates
    assert found.finish_reason == types.FinishReason.MALFORMED_FUNCTION_CALL
    assert found.finish_message == 'Malformed function call: f({"a":)'
    assert response.function_calls is None


def test_an_empty_answer_has_a_part_all_the_same() -> None:
    assert write(stop="length").text == ""


@pytest.mark.parametrize(
    "thinking",
    [
        Thinking(text="Hm.", signature="c2ln", vendor="gemini"),
        Thinking(text="Hm.", signature="ErcB/+==", vendor="anthropic"),
        Thinking(redacted="ErcB", vendor="anthropic"),
        Thinking(text="Hm.", redacted="gAAA", vendor="openai", id="rs_1"),
    ],
)
def test_another_vendors_proof_comes_back_from_the_client(thinking: Thinking) -> None:
    response = write(thinking)
    assert response.candidates is not None
    content = response.candidates[0].content
    assert content is not None
    # What the SDK sends in the next turn: signatures were decoded and are encoded again.
    again = content.model_dump(mode="json", exclude_none=True, by_alias=True)
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}, again]}).encode()
    request = CODEC.read_request(body, _CALL)
    assert request.messages[1].parts == (thinking,)
