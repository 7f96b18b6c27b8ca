from __future__ import annotations

import json

import pytest

from gateway.core.errors import CODES, GatewayError
from gateway.core.exchange import Call, Dialect
from gateway.dialects.errors import error_headers, render, render_event
from gateway.dialects.sse import events
from gateway.dialects.tap import tap_for

LIMITED = GatewayError("upstream_rate_limited", "Slow down.", retry_after=1.2)


def test_openai() -> None:
    error = GatewayError("model_required", "Name one.", param="model")
    assert json.loads(render("openai", error, "r")) == {
        "error": {"message": "Name one.", "type": "invalid_request_error", "param": "model", "code": "model_required"}
    }


def test_anthropic() -> None:
    assert json.loads(render("anthropic", LIMITED, "r")) == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "Slow down.", "code": "upstream_rate_limited"},
        "request_id": "r",
    }


def test_gemini() -> None:
    error = json.loads(render("gemini", LIMITED, "r"))["error"]
    assert (error["code"], error["status"], error["message"]) == (429, "RESOURCE_EXHAUSTED", "Slow down.")
    assert error["details"][0]["reason"] == "upstream_rate_limited"
    assert error["details"][1] == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}


def test_cohere() -> None:
    body = json.loads(render("cohere", LIMITED, "r"))
    assert body == {"id": "r", "message": "Slow down.", "code": "upstream_rate_limited"}


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini", "cohere", "other"])
@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_shape_in_every_dialect(dialect: Dialect, code: str) -> None:
    assert code in render(dialect, GatewayError(code, "m"), "r").decode()


def test_a_status_that_was_kept_names_its_own_kind() -> None:
    error = GatewayError("upstream_rejected", "No such model.", status=404)
    assert json.loads(render("anthropic", error, "r"))["error"]["type"] == "not_found_error"
    assert json.loads(render("gemini", error, "r"))["error"]["code"] == 404


def test_half_a_surrogate_pair_does_not_break_the_rendering() -> None:
    assert "?" in json.loads(render("openai", GatewayError("internal_error", "a\ud800b"), "r"))["error"]["message"]


CUT = GatewayError("upstream_cut", "The provider broke off.")


@pytest.mark.parametrize(
    "call",
    [
        Call("openai", "chat", "/chat/completions", stream=True),
        Call("openai", "responses", "/responses", stream=True),
        Call("anthropic", "messages", "/messages", stream=True),
        Call("gemini", "generate", "", stream=True),
        Call("cohere", "chat", "/chat", stream=True),
    ],
)
def test_an_error_event_reads_as_a_fault_and_never_as_an_end(call: Call) -> None:
    event = render_event(call.dialect, call, CUT, "r")
    assert len(list(events(event))) == 1
    assert b"[DONE]" not in event
    tap = tap_for(call, False)
    assert tap is not None
    assert tap.feed(event) == event
    assert tap.fault is not None
    assert not tap.complete


def test_a_responses_error_event_satisfies_sdk_and_schema() -> None:
    event = render_event("openai", Call("openai", "responses", "/responses", stream=True), CUT, "r")
    assert event.startswith(b"event: error\n")
    (found,) = events(event)
    payload = json.loads(found.data)
    assert payload["error"]["code"] == payload["code"] == "upstream_cut"
    assert isinstance(payload["sequence_number"], int)


def test_a_broken_array_is_closed_by_an_error_element() -> None:
    call = Call("gemini", "generate", "", stream=True, framing="json-array")
    tap = tap_for(call, False)
    assert tap is not None
    sent = tap.feed(b'[{"candidates":[]},\n{"cand') + tap.end() + render_event("gemini", call, CUT, "r")
    assert json.loads(sent)[1]["error"]["status"] == "INTERNAL"


def test_headers_of_an_error() -> None:
    error = GatewayError("method_not_allowed", "m", headers=((b"allow", b"POST"),))
    assert error_headers(error) == [(b"content-type", b"application/json"), (b"allow", b"POST")]
    assert (b"retry-after", b"2") in error_headers(LIMITED)
    assert (b"retry-after", b"1") in error_headers(GatewayError("draining", "m", retry_after=0.001))


def test_a_retry_after_is_not_a_second_longer_for_the_noise_of_an_addition() -> None:
    headers = dict(error_headers(GatewayError("no_eligible_target", "x", retry_after=1000.1 + 11.9 - 1000.0)))
    assert headers[b"retry-after"] == b"12"
