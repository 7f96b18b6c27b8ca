from __future__ import annotations

import pytest

from gateway.dialects.canonical import Thinking
from gateway.dialects.openai_responses.seal import sealed, unsealed


@pytest.mark.parametrize(
    "thought",
    [
        Thinking(text="Hm.", signature="c2ln", vendor="gemini"),
        Thinking(redacted="ZW5j", vendor="anthropic", id="rs_1"),
        Thinking(text="Hm.", redacted="gAAAAABo", vendor="openai"),
        Thinking(text="Hm."),
    ],
)
def test_a_proof_comes_back_as_it_was(thought: Thinking) -> None:
    proof = sealed(thought, thought.redacted or thought.signature, bool(thought.redacted))
    assert unsealed(thought.text, proof, "") == thought


def test_what_openai_encrypted_goes_unmarked() -> None:
    assert sealed(Thinking(redacted="gAAAAABo", vendor="openai"), "gAAAAABo", True) == "gAAAAABo"
