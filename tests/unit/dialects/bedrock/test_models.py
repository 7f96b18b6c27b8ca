from __future__ import annotations

import pytest

from gateway.dialects.bedrock.models import carried_by


@pytest.mark.parametrize(
    ("model", "family", "structured", "thinks"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude", False, "thinking"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude", True, "thinking"),
        ("amazon.nova-pro-v1:0", "nova", False, ""),
        ("us.amazon.nova-2-lite-v1:0", "nova", False, "reasoningConfig"),
        ("openai.gpt-oss-120b-1:0", "gpt-oss", True, "reasoning_effort"),
        ("meta.llama4-scout-17b-instruct-v1:0", "other", False, ""),
        ("qwen.qwen3-32b-v1:0", "other", True, ""),
        ("arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc", "other", True, ""),
    ],
)
def test_a_name_tells_what_converse_carries(model: str, family: str, structured: bool, thinks: str) -> None:
    found = carried_by(model)
    assert (found.family, found.structured, found.thinks) == (family, structured, thinks)
