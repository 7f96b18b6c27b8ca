from __future__ import annotations

import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.dialects.sniff import read_call

JSON = b"application/json"
NAMED = b'{"model":"m"}'


def call(path: str, body: bytes = NAMED, method: str = "POST", query: bytes = b"", content_type: bytes = JSON) -> Call:
    return read_call(method, path, query, content_type, body)


@pytest.mark.parametrize(
    ("path", "dialect", "operation", "suffix", "version"),
    [
        ("/chat/completions", "openai", "chat", "/chat/completions", ""),
        ("/v1/chat/completions", "openai", "chat", "/chat/completions", "v1"),
        ("/openai/v1/chat/completions", "openai", "chat", "/chat/completions", "v1"),
        ("/openai/chat/completions", "openai", "chat", "/chat/completions", ""),
        ("/v1beta/openai/chat/completions", "openai", "chat", "/chat/completions", ""),
        ("/v1/completions", "openai", "completions", "/completions", "v1"),
        ("/v1/responses", "openai", "responses", "/responses", "v1"),
        ("/v1/messages", "anthropic", "messages", "/messages", "v1"),
        ("/anthropic/v1/messages", "anthropic", "messages", "/messages", "v1"),
        ("/v1/messages/count_tokens", "anthropic", "count-tokens", "/messages/count_tokens", "v1"),
        ("/v1/messages/batches", "anthropic", "other", "/messages/batches", "v1"),
        ("/v1/embeddings", "openai", "embeddings", "/embeddings", "v1"),
        ("/v1/images/generations", "openai", "images", "/images/generations", "v1"),
        ("/v1/audio/speech", "openai", "audio", "/audio/speech", "v1"),
        ("/v1/moderations", "openai", "moderations", "/moderations", "v1"),
        ("/v1/rerank", "openai", "rerank", "/rerank", "v1"),
        ("/v2/rerank", "cohere", "rerank", "/rerank", "v2"),
        ("/v2/chat", "cohere", "chat", "/chat", "v2"),
        ("/v2/embed", "cohere", "embeddings", "/embed", "v2"),
        ("/v1/files", "openai", "other", "/files", "v1"),
        ("/v1beta/cachedContents", "gemini", "other", "/cachedContents", "v1beta"),
    ],
)
def test_a_path_gives_dialect_operation_suffix_and_version(
    path: str, dialect: str, operation: str, suffix: str, version: str
) -> None:
    found = call(path)
    assert (found.dialect, found.operation, found.suffix, found.version, found.model) == (
        dialect, operation, suffix, version, "m",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "operation", "model", "stream"),
    [
        ("/v1/models/gemini-2.5-pro:generateContent", "generate", "gemini-2.5-pro", False),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "generate", "gemini-2.5-pro", True),
        ("/models/models%2Fgemini-x:countTokens", "count-tokens", "gemini-x", False),
        ("/v1/publishers/google/models/gemini-x:generateContent", "generate", "gemini-x", False),
        ("/v1beta/models/anthropic%2Fclaude:generateContent", "generate", "anthropic/claude", False),
        ("/v1beta/models/anthropic/claude:8b:generateContent", "generate", "anthropic/claude:8b", False),
        ("/v1beta/models/e:embedContent", "embeddings", "e", False),
        ("/v1beta/models/e:batchEmbedContents", "embeddings", "e", False),
    ],
)
def test_gemini_names_model_and_action_in_the_path(path: str, operation: str, model: str, stream: bool) -> None:
    found = call(path, b"{}")
    action = path.rpartition(":")[2]
    assert found.dialect == "gemini"
    assert (found.operation, found.model, found.stream, found.in_path) == (operation, model, stream, True)
    assert found.suffix == f"/models/{{model}}:{action}"


def test_gemini_streams_an_array_unless_asked_for_events() -> None:
    path = "/v1beta/models/g:streamGenerateContent"
    assert call(path, b"{}").framing == "json-array"
    assert call(path, b"{}", query=b"key=k&alt=sse").framing == "sse"
    assert call("/v1beta/models/g:generateContent", b"{}").framing == "sse"


@pytest.mark.parametrize(
    "body",
    [b'{"generationConfig":{"maxOutputTokens":7}}', b'{"generation_config":{"max_output_tokens":7}}'],
)
def test_gemini_members_are_read_in_both_spellings(body: bytes) -> None:
    assert call("/v1/models/g:generateContent", body).max_tokens == 7


def test_an_unknown_gemini_action_is_other() -> None:
    found = call("/v1beta/models/g:predict", b"{}")
    assert (found.dialect, found.operation, found.suffix) == ("gemini", "other", "/models/g:predict")


def test_models_are_listed_in_the_dialect_of_the_client() -> None:
    assert read_call("GET", "/v1/models", b"", b"", b"").dialect == "openai"
    assert read_call("GET", "/v1/models", b"", b"", b"", anthropic=True).dialect == "anthropic"
    assert read_call("GET", "/v1/models", b"", b"", b"", gemini=True).dialect == "gemini"
    one = read_call("GET", "/v1/models/meta-llama/llama-3", b"", b"", b"")
    assert (one.operation, one.suffix) == ("models", "/models/meta-llama/llama-3")


def test_a_stored_response_is_read_without_a_body() -> None:
    found = read_call("GET", "/v1/responses/resp_1", b"stream=true", b"", b"")
    assert (found.operation, found.suffix, found.stream, found.model) == ("responses", "/responses/resp_1", True, "")
    assert read_call("DELETE", "/v1/responses/resp_1", b"", b"", b"").operation == "responses"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", b"POST"),
        ("PUT", "/v1beta/models/g:generateContent", b"POST"),
        ("POST", "/v1/models", b"GET"),
    ],
)
def test_the_wrong_method_names_the_right_one(method: str, path: str, allow: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        call(path, method=method)
    assert caught.value.code == "method_not_allowed"
    assert caught.value.headers == ((b"allow", allow),)


def test_what_a_chat_body_asks_for() -> None:
    body = (
        b'{"model":"a","model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},'
        b'"max_tokens":5,"user":"u"}'
    )
    found = call("/v1/chat/completions", body)
    assert (found.model, found.stream, found.wants_usage, found.max_tokens, found.user) == (
        "gpt-4o",
        True,
        True,
        5,
        "u",
    )


def test_the_newer_limit_counts_before_the_older() -> None:
    assert call("/chat/completions", b'{"model":"m","max_tokens":5,"max_completion_tokens":9}').max_tokens == 9
    assert call("/responses", b'{"model":"m","max_output_tokens":3.0}').max_tokens == 3
    assert call("/chat/completions", b'{"model":"m","max_tokens":-1}').max_tokens == 0


def test_anthropic_names_the_end_user_in_metadata() -> None:
    assert call("/v1/messages", b'{"model":"c","max_tokens":1,"metadata":{"user_id":"u"}}').user == "u"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"[1]", "object"),
        (b"null", "object"),
        (b'{"model":"x",}', "line 1, column 14 (byte 13)"),
        (b'{\n "model": x}', "line 2, column 11 (byte 12)"),
        (b'{"model":"x"', "line 1, column 13"),
        (b'{"a":"\xff"}', "UTF-8 at line 1, column 7 (byte 6)"),
        (b'{"model":"\xff"}', "UTF-8 at line 1, column 11 (byte 10)"),
        (b'{"a":"' + b"x" * 65533 + b'\xc3\xa4\xc3"}', "(byte 65541)"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_not_an_object_says_why_and_where(body: bytes, said: str) -> None:
    with pytest.raises(GatewayError) as caught:
        call("/v1/chat/completions", body)
    assert caught.value.code == "malformed_body"
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":3}', "model"),
        (b'{"model":"m","stream":"true"}', "stream"),
        (b'{"model":"m","stream_options":{"include_usage":1}}', "stream_options.include_usage"),
        (b'{"model":"m","max_tokens":"5"}', "max_tokens"),
        (b'{"model":""}', "model"),
        (b'{"model":"a\\nb"}', "model"),
        (b'{"model":"' + b"m" * 257 + b'"}', "model"),
    ],
)
def test_a_wrong_type_or_name_says_which_member(body: bytes, param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        call("/v1/chat/completions", body)
    assert (caught.value.code, caught.value.param) == ("invalid_request", param)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v2/chat", "/v1/embeddings"])
def test_a_model_is_required(path: str) -> None:
    with pytest.raises(GatewayError) as caught:
        call(path, b"{}")
    assert caught.value.code == "model_required"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/moderations", b'{"input":"x"}'),
        ("/v1/images/generations", b'{"prompt":"x"}'),
        ("/v1/responses", b'{"prompt":{"id":"pmpt_1"}}'),
    ],
)
def test_a_model_with_a_default_at_the_provider_may_be_left_out(path: str, body: bytes) -> None:
    assert call(path, body).model == ""


def test_speech_as_events_is_a_stream() -> None:
    assert call("/v1/audio/speech", b'{"model":"t","stream_format":"sse"}').stream
    assert not call("/v1/audio/speech", b'{"model":"t","stream_format":"audio"}').stream


def test_a_body_of_an_unknown_path_need_not_be_json() -> None:
    assert call("/v1/files", b"\xff\xfe").operation == "other"
    assert call("/v1/files", b'{"model":4}').model == ""


FORM = (
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="model"\r\n\r\n\x00name="model"\r\n--x\r\n'
    b'--B\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--B\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n--B--\r\n'
)


@pytest.mark.parametrize("kind", [b"multipart/form-data; boundary=B", b'Multipart/Form-Data; charset=x; BOUNDARY="B"'])
def test_a_form_names_model_and_stream(kind: bytes) -> None:
    found = call("/v1/audio/transcriptions", FORM, content_type=kind)
    assert (found.model, found.stream, found.multipart) == ("whisper-1", True, True)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"multipart/form-data", FORM),
        (b"multipart/form-data; boundary=C", FORM),
        (b"multipart/form-data; boundary=B", FORM[:-20]),
        (b"multipart/form-data; boundary=B", b""),
    ],
)
def test_a_broken_form_is_malformed(kind: bytes, body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        call("/v1/audio/transcriptions", body, content_type=kind)
    assert caught.value.code == "malformed_body"
