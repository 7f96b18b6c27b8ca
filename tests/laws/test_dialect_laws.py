"""Wire formats keep these laws whatever the bytes are and however they were cut."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import CODES, GatewayError, UpstreamFault
from gateway.core.exchange import Call, Dialect
from gateway.core.usage import Usage
from gateway.dialects.errors import error_headers, render, render_event
from gateway.dialects.faults import bad_body, fault_of, fault_of_event
from gateway.dialects.sniff import read_call
from gateway.dialects.splice import asking_for_usage, with_model, with_multipart_model
from gateway.dialects.sse import events, last_boundary, spans
from gateway.dialects.tap import Tap, tap_for, usage_of

CALLS = [
    Call("openai", "chat", "/chat/completions", model="m", stream=True),
    Call("openai", "responses", "/responses", model="m", stream=True),
    Call("openai", "images", "/images/generations", model="m", stream=True),
    Call("anthropic", "messages", "/messages", model="m", stream=True),
    Call("gemini", "generate", "", model="m", stream=True, in_path=True),
    Call("gemini", "generate", "", model="m", stream=True, in_path=True, framing="json-array"),
    Call("cohere", "chat", "/chat", "v2", model="m", stream=True),
]
DIALECTS: list[Dialect] = ["openai", "anthropic", "gemini", "cohere", "other"]

words = st.sampled_from(
    [
        "", "a", "usage", "error", "[DONE]", "message_stop", "response", "finishReason", "data: x\n\n",
        '"usage":{', "}]", "\\", '"',
    ]
) | st.text("ab\u00e4\u2028\\\"{}[]:\n\r", max_size=6)  # fmt: skip
counts = st.integers(-2, 50) | st.none()
usages = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": counts, "completion_tokens": counts, "input_tokens": counts, "output_tokens": counts,
        "promptTokenCount": counts, "candidatesTokenCount": counts, "cache_read_input_tokens": counts,
    },
)  # fmt: skip
kinds = st.sampled_from(
    [
        "ping", "error", "message_start", "content_block_delta", "message_delta", "message_stop", "response.created",
        "response.output_text.delta", "response.completed", "response.failed", "message-end", "content-delta",
        "image_generation.completed",
    ]
)  # fmt: skip
members = st.fixed_dictionaries(
    {},
    optional={
        "model": words,
        "type": kinds,
        "usage": usages,
        "usageMetadata": usages,
        "modelVersion": words,
        "choices": st.just([]) | st.builds(lambda text: [{"delta": {"content": text}}], words),
        "candidates": st.builds(lambda text: [{"content": text}], words) | st.just([{"finishReason": "STOP"}]),
        "delta": st.builds(lambda text: {"text": text}, words) | st.builds(lambda u: {"usage": u}, usages),
        "message": st.builds(lambda u: {"model": "c", "usage": u}, usages),
        "response": st.builds(lambda u: {"model": "r", "usage": u}, usages),
        "error": st.none() | st.builds(lambda text: {"message": text, "type": "overloaded_error"}, words),
    },
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3))


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    gap = draw(st.sampled_from([",", ", "])), draw(st.sampled_from([":", ": "]))
    out: list[str] = []
    for _ in range(draw(st.integers(0, 6))):
        lines = draw(
            st.lists(st.sampled_from([": comment", "id: 1", "event: error", "event: message_start"]), max_size=1)
        )
        payload = draw(
            st.one_of(members.map(lambda found: json.dumps(found, separators=gap)), st.just("[DONE]"), words)
        )
        lines += [f"data: {line}" for line in (payload.splitlines() or [""])]
        out.append("".join(line + newline for line in lines) + newline)
    mark = draw(st.sampled_from(["", "", "\ufeff"])) if out else ""
    return (mark + "".join(out)).encode("utf-8", "replace")


@st.composite
def arrays(draw: st.DrawFn) -> bytes:
    parts = draw(st.lists(members, max_size=4))
    return json.dumps(parts, indent=draw(st.none() | st.integers(0, 1))).encode() + draw(
        st.sampled_from([b"", b"\r\n"])
    )


def run(tap: Tap, chunks: list[bytes]) -> tuple[bytes, bool, bool, Usage | None, str, object]:
    out = b"".join([tap.feed(chunk) for chunk in chunks]) + tap.end()
    fault = (tap.fault.kind, tap.fault.status, tap.fault.message) if tap.fault is not None else None
    return out, tap.complete, tap.started, tap.usage, tap.model, fault


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in itertools.pairwise(bounds)]


def fresh(call: Call, strip: bool = False) -> Tap:
    tap = tap_for(call, strip)
    assert tap is not None
    return tap


@given(
    st.sampled_from(CALLS),
    st.booleans(),
    streams() | arrays() | st.binary(max_size=60),
    st.lists(st.integers(0), max_size=12),
)
def test_how_a_stream_was_cut_changes_nothing(call: Call, strip: bool, stream: bytes, places: list[int]) -> None:
    whole = run(fresh(call, strip), [stream])
    assert run(fresh(call, strip), cut(stream, places)) == whole
    assert run(fresh(call, strip), [stream[at : at + 1] for at in range(len(stream))]) == whole


@given(st.sampled_from(CALLS), streams(), st.lists(st.integers(0), max_size=12))
def test_what_goes_in_comes_out(call: Call, stream: bytes, places: list[int]) -> None:
    if call.framing == "sse":
        assert run(fresh(call), cut(stream, places))[0] == stream


@given(arrays(), st.lists(st.integers(0), max_size=12))
def test_an_array_goes_through_as_it_came(array: bytes, places: list[int]) -> None:
    assert run(fresh(CALLS[5]), cut(array, places))[0] == array


@given(arrays(), st.integers(0), st.text(max_size=5))
def test_a_broken_array_with_its_error_is_json(array: bytes, place: int, text: str) -> None:
    tap = fresh(CALLS[5])
    sent = tap.feed(array[: place % (len(array) + 1)])
    if sent.rstrip().endswith(b"}"):
        error = render_event("gemini", CALLS[5], GatewayError("upstream_cut", text), "r")
        assert "error" in json.loads(sent + error)[-1]


@given(streams(), st.lists(st.integers(0), max_size=6))
def test_stripping_takes_out_nothing_but_usage_chunks(stream: bytes, places: list[int]) -> None:
    kept = run(fresh(CALLS[0], True), cut(stream, places))[0]
    left = [span for span in spans(stream) if span not in list(spans(kept))]
    for span in left:
        for event in events(span, stream.startswith(span)):
            assert json.loads(event.data)["choices"] == []
            assert json.loads(event.data)["usage"] is not None


@given(st.binary(max_size=60) | streams())
def test_spans_and_boundaries_agree(block: bytes) -> None:
    assert b"".join(spans(block)) == block
    assert 0 <= last_boundary(block) <= len(block)
    for event in events(block):
        assert b"\r" not in event.data


@given(
    st.dictionaries(words, values, max_size=5), words.filter(bool), words, st.booleans(), st.sampled_from([None, 0, 1])
)
def test_only_the_model_changes(
    found: dict[str, object], old: str, new: str, ascii_only: bool, indent: int | None
) -> None:
    found = {**found, "model": old}
    body = json.dumps(found, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    before = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    after = msgspec.json.decode(
        with_model(body, msgspec.json.decode(before["model"]), new), type=dict[str, msgspec.Raw]
    )
    assert msgspec.json.decode(after.pop("model")) == new
    del before["model"]
    assert {key: bytes(raw) for key, raw in after.items()} == {key: bytes(raw) for key, raw in before.items()}


@given(st.dictionaries(words, values, max_size=5), st.sampled_from([None, 0]))
def test_only_stream_options_change(found: dict[str, object], indent: int | None) -> None:
    out = json.loads(asking_for_usage(json.dumps(found, indent=indent).encode()))
    assert out == {**found, "stream_options": {"include_usage": True}}


paths = st.sampled_from(
    [
        "/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/audio/transcriptions", "/v2/chat",
        "/v1/files",
        "/v1beta/models/g:streamGenerateContent", "/v1/models/%ff%00:generateContent", "/v1/models",
        "/responses/x", "/",
    ]
) | st.text(max_size=20).map(lambda text: "/" + text)  # fmt: skip
kinds_of_content = st.sampled_from([b"application/json", b"", b"multipart/form-data; boundary=B"]) | st.binary(
    max_size=30
)
forms = st.binary(max_size=80).map(
    lambda rest: b'--B\r\ncontent-disposition: form-data; name="model"\r\n\r\n' + rest + b"\r\n--B"
)
bodies = (
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(["model", "stream", "stream_options", "max_tokens", "metadata"]), values).map(
        lambda found: json.dumps(found).encode()
    )
    | values.map(lambda found: json.dumps(found).encode())
    | forms
)


@given(st.sampled_from(["POST", "GET", "DELETE"]), paths, st.binary(max_size=20), kinds_of_content, bodies)
def test_reading_a_call_raises_nothing_but_gateway_errors(
    method: str, path: str, query: bytes, content_type: bytes, body: bytes
) -> None:
    try:
        call = read_call(method, path, query, content_type, body)
    except GatewayError:
        return
    assert len(call.model) <= 256


splicers: list[Callable[[bytes], bytes]] = [
    lambda body: with_model(body, "a", "b"),
    lambda body: with_multipart_model(body, b"multipart/form-data; boundary=B", "b"),
    asking_for_usage,
]


@given(st.sampled_from(splicers), bodies)
def test_splicing_raises_nothing_but_gateway_errors(splicer: Callable[[bytes], bytes], body: bytes) -> None:
    with contextlib.suppress(GatewayError):
        assert isinstance(splicer(body), bytes)


@given(st.sampled_from(CALLS), st.binary(max_size=60) | members.map(lambda found: json.dumps(found).encode()) | bodies)
def test_a_reply_of_any_bytes_is_read_without_an_exception(call: Call, body: bytes) -> None:
    usage, model = usage_of(call, body)
    assert usage is None or min(msgspec.structs.astuple(usage)) >= 0
    assert isinstance(model, str)
    assert isinstance(fault_of_event(call.dialect, body), UpstreamFault)
    assert bad_body(call, b"", body) in (True, False)


@given(st.sampled_from(DIALECTS), st.integers(100, 599), st.binary(max_size=40), bodies)
def test_a_fault_of_any_bytes_is_one_bounded_line(dialect: Dialect, status: int, header: bytes, body: bytes) -> None:
    fault = fault_of(dialect, status, [(b"retry-after", header), (b"content-type", header)], body, 0.0)
    assert len(fault.message) <= 520
    assert fault.message.isprintable() or not fault.message.isascii()
    assert fault.retry_after is None or fault.retry_after >= 0


texts = st.text(st.characters(), max_size=30) | st.just("\ud800\x00\u2028</script>")


@given(
    st.sampled_from(DIALECTS),
    st.sampled_from(CALLS),
    st.sampled_from(sorted(CODES)),
    texts,
    texts,
    st.floats() | st.none(),
)
def test_what_is_rendered_is_json(
    dialect: Dialect, call: Call, code: str, message: str, request_id: str, wait: float | None
) -> None:
    error = GatewayError(code, message, param=message, retry_after=wait)
    assert isinstance(json.loads(render(dialect, error, request_id)), dict)
    assert b"content-type" in dict(error_headers(error))
    event = render_event(call.dialect, call, error, request_id)
    if call.framing == "sse":
        (found,) = events(event)
        assert isinstance(json.loads(found.data), dict)
    else:
        assert isinstance(json.loads(b"[{}" + event), list)
