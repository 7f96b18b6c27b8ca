"""What the SDKs make of the gateway's own limits: the class of the error, what it says, and when they ask again.

`capped` lets an end user ask once an hour, `paced` once in 0.7 s, and `small` use 1000 tokens an hour.
"""

from __future__ import annotations

from uuid import uuid4

import anthropic
import openai
import pytest
from anthropic.types import MessageParam
from google import genai
from google.genai import errors, types
from openai.types.chat import ChatCompletionMessageParam

pytestmark = pytest.mark.real_time

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
MESSAGE: list[MessageParam] = [{"role": "user", "content": "hello"}]
CLAUDE, GEMINI = "claude-sonnet-5", "gemini-2.5-flash"
HOUR = 3600


def somebody() -> dict[str, str]:
    """A new end user."""
    return {"x-end-user": uuid4().hex}


def as_openai(gateway: str, router: str, retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{gateway}/router/{router}", api_key="k", max_retries=retries, default_headers=somebody()
    )


def as_anthropic(gateway: str, router: str, retries: int = 0) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=f"{gateway}/router/{router}", api_key="k", max_retries=retries, default_headers=somebody()
    )


def as_genai(gateway: str, router: str, retry: types.HttpRetryOptions | None = None) -> genai.Client:
    options = types.HttpOptions(base_url=f"{gateway}/router/{router}", headers=somebody(), retry_options=retry)
    return genai.Client(api_key="k", http_options=options)


def test_openai_sees_a_rate_limit_error_and_what_is_left(gateway: str) -> None:
    with as_openai(gateway, "capped") as client:
        granted = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
        assert granted.headers["x-ratelimit-limit-requests"] == "1"
        assert granted.headers["x-ratelimit-remaining-requests"] == "0"
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert (caught.value.code, caught.value.type) == ("rate_limited", "rate_limit_error")
    assert "1 requests per 1h, for each end user, on router 'capped'" in caught.value.message
    headers = caught.value.response.headers
    assert headers["x-gateway-limit"] == "per-end-user"
    assert 0 < int(headers["retry-after"]) <= HOUR
    assert 0 < int(headers["retry-after-ms"]) <= HOUR * 1000


def test_openai_waits_as_long_as_it_is_told(gateway: str) -> None:
    with as_openai(gateway, "paced", retries=1) as client:
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
        again = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
    assert again.status_code == 200
    assert again.retries_taken == 1


def test_openai_does_not_ask_again_for_what_can_never_fit(gateway: str) -> None:
    with as_openai(gateway, "small", retries=2) as client, pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=HELLO, max_tokens=5000)
    assert (caught.value.status_code, caught.value.code) == (413, "request_exceeds_limit")
    assert "retry-after" not in caught.value.response.headers
    assert "x-stainless-retry-count" in caught.value.request.headers
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


def test_anthropic_sees_a_rate_limit_error(gateway: str) -> None:
    with as_anthropic(gateway, "capped") as client:
        client.messages.create(model=CLAUDE, max_tokens=64, messages=MESSAGE)
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(model=CLAUDE, max_tokens=64, messages=MESSAGE)
    assert caught.value.type == "rate_limit_error"
    assert "the gateway's own, not the provider's" in str(caught.value)
    assert 0 < int(caught.value.response.headers["retry-after"]) <= HOUR


def test_anthropic_waits_as_long_as_it_is_told(gateway: str) -> None:
    with as_anthropic(gateway, "paced", retries=1) as client:
        client.messages.create(model=CLAUDE, max_tokens=64, messages=MESSAGE)
        again = client.messages.with_raw_response.create(model=CLAUDE, max_tokens=64, messages=MESSAGE)
    assert again.retries_taken == 1


def test_anthropic_does_not_ask_again_for_what_can_never_fit(gateway: str) -> None:
    with as_anthropic(gateway, "small", retries=2) as client, pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model=CLAUDE, max_tokens=5000, messages=MESSAGE)
    assert (caught.value.status_code, caught.value.type) == (413, "request_too_large")
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


def test_genai_sees_a_client_error(gateway: str) -> None:
    with as_genai(gateway, "capped") as client:
        client.models.generate_content(model=GEMINI, contents="hello")
        with pytest.raises(errors.ClientError) as caught:
            client.models.generate_content(model=GEMINI, contents="hello")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    details = caught.value.details["error"]["details"]
    assert details[0]["reason"] == "rate_limited"
    assert details[1]["@type"].endswith("RetryInfo")
    assert 0 < int(details[1]["retryDelay"].removesuffix("s")) <= HOUR


def test_genai_asks_again_when_it_may(gateway: str) -> None:
    with as_genai(gateway, "paced", types.HttpRetryOptions(attempts=3, initial_delay=0.7)) as client:
        client.models.generate_content(model=GEMINI, contents="hello")
        assert client.models.generate_content(model=GEMINI, contents="hello").text


def test_genai_is_told_what_can_never_fit(gateway: str) -> None:
    config = types.GenerateContentConfig(max_output_tokens=5000)
    with (
        as_genai(gateway, "small", types.HttpRetryOptions(attempts=3)) as client,
        pytest.raises(errors.ClientError) as caught,
    ):
        client.models.generate_content(model=GEMINI, contents="hello", config=config)
    assert caught.value.code == 413
