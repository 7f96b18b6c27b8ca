from __future__ import annotations

import pytest

from gateway.dialects.anthropic import seal as anthropic
from gateway.dialects.canonical import Thinking
from gateway.dialects.openai_responses import seal as responses
from gateway.dialects.seal import LONGEST_ID, Seal, can_hold, read, written


@pytest.mark.parametrize("identity", ["", "rs_1", "a" * LONGEST_ID])
def test_a_seal_is_read_as_it_was_written(identity: str) -> None:
    assert can_hold(identity)
    assert read(written("gemini", "s", identity, "c2ln:\n=")) == Seal("gemini", "s", identity, "c2ln:\n=")


@pytest.mark.parametrize("proof", ["", "gAAAAABo", "gemini:x::c2ln", "Gemini:s::c2ln"])
def test_what_is_no_seal_goes_unmarked(proof: str) -> None:
    assert read(proof) is None


@pytest.mark.parametrize("identity", ["rs:1", "a" * (LONGEST_ID + 1)])
def test_a_proof_comes_back_whole_though_its_id_cannot(identity: str) -> None:
    thought = Thinking(text="Hm.", signature="c2ln", vendor="gemini", id=identity)
    without = Thinking(text="Hm.", signature="c2ln", vendor="gemini")
    assert anthropic.unsealed("Hm.", anthropic.sealed(thought), False) == without
    assert responses.unsealed("Hm.", responses.sealed(thought, "c2ln", False), identity) == without


def test_the_signature_of_a_call_is_no_proof_to_a_responses_client() -> None:
    proof = written("gemini", "c", "call_1", "c2ln")
    assert responses.unsealed("", proof, "rs_1") == Thinking(redacted=proof, vendor="openai", id="rs_1")
