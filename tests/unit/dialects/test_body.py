from __future__ import annotations

import pytest

from gateway.core.errors import GatewayError
from gateway.dialects.body import OPENAI, checked_model, read, tokens


def test_members_nobody_asked_for_are_stepped_over() -> None:
    assert read(OPENAI, b'{"model":"m","messages":[{"model":"n"}],"x":{}}').model == "m"


def test_text_that_is_not_ascii_is_fine_when_it_is_utf8() -> None:
    long = '{"a":"' + "ä" * 70_000 + '"}'
    assert read(OPENAI, long.encode()).model is None


def test_the_first_count_that_is_said_counts() -> None:
    assert tokens(None, 3, 5) == 3
    assert tokens(None, 10**30) == 2**31 - 1
    assert tokens() == 0


def test_a_model_name_is_printable() -> None:
    assert checked_model("meta-llama/Llama-3:free@v1") == "meta-llama/Llama-3:free@v1"
    with pytest.raises(GatewayError):
        checked_model("a\x00b")
