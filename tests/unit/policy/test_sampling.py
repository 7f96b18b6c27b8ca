"""Sampling: a client's trace goes on, anything else begins one."""

from __future__ import annotations

import pytest

from gateway.core.span import Span
from gateway.policy.sampling import Sampling

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def bytes_of(text: str) -> Sampling:
    """Always the same chance: `text` is the random trace id, and the span id its first half."""
    raw = bytes.fromhex(text)
    return Sampling(0.5, follows=True, chance=lambda count: raw[:count])


LOW, HIGH = bytes_of("11" * 8 + "7f" + "ff" * 7), bytes_of("11" * 8 + "80" + "00" * 7)


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True), ("02", False)])
def test_a_clients_trace_goes_on_and_is_kept_if_the_client_says_so(flags: str, sampled: bool) -> None:
    headers = [
        (b"traceparent", f"00-{TRACE}-{PARENT}-{flags}".encode()),
        (b"tracestate", b"a=1"),
        (b"tracestate", b"b=2"),
    ]
    span = HIGH.begin(headers)
    assert span == Span(int(TRACE, 16), 0x1111111111111111, int(PARENT, 16), sampled, "a=1,b=2")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"00-{TRACE}-{PARENT}", id="short"),
        pytest.param(f"00-{TRACE}-{PARENT}-01-more", id="more-than-version-0-has"),
        pytest.param(f"ff-{TRACE}-{PARENT}-01", id="version-ff"),
        pytest.param(f"00-{'0' * 32}-{PARENT}-01", id="trace-of-zeros"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="span-of-zeros"),
        pytest.param(f"00-{TRACE.upper()}-{PARENT}-01", id="capitals"),
        pytest.param("", id="empty"),
        pytest.param("\xff" * 55, id="no-text"),
        pytest.param("0" * 100_000, id="long"),
    ],
)
def test_what_is_no_traceparent_is_as_if_it_were_not_there(value: str) -> None:
    span = LOW.begin([(b"traceparent", value.encode("latin-1")), (b"tracestate", b"a=1")])
    assert (span.parent, span.state, span.sampled) == (0, "", True)


def test_a_later_version_may_say_more() -> None:
    assert LOW.begin([(b"traceparent", f"01-{TRACE}-{PARENT}-01-more".encode())]).trace == TRACE


def test_a_traceparent_said_twice_is_not_believed() -> None:
    header = (b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())
    assert LOW.begin([header, header]).parent == 0


def test_a_tracestate_that_is_too_long_is_left_out_whole() -> None:
    parent = (b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())
    assert LOW.begin([parent, (b"tracestate", b"a=" + b"x" * 510)]).state == "a=" + "x" * 510
    assert LOW.begin([parent, (b"tracestate", b"a=" + b"x" * 511)]).state == ""
    assert LOW.begin([parent, (b"tracestate", b"a=\x80")]).state == ""


def test_clients_are_not_followed_where_the_config_says_so() -> None:
    sampling = Sampling(0.0, follows=False, chance=lambda count: b"\x11" * count)
    span = sampling.begin([(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())])
    assert (span.parent, span.sampled) == (0, False)
    assert span.trace == "11" * 16


def test_the_ratio_is_of_the_low_half_of_the_trace_id() -> None:
    assert LOW.begin([]).sampled
    assert not HIGH.begin([]).sampled
    most = bytes_of("11" * 8 + "ff" * 8)
    assert Sampling(1.0, follows=True, chance=most.chance).begin([]).sampled
    none = bytes_of("11" * 8 + "00" * 8)
    assert not Sampling(0.0, follows=True, chance=none.chance).begin([]).sampled


def test_an_id_is_never_zero() -> None:
    span = Sampling(1.0, follows=True, chance=lambda count: b"\0" * count).begin([])
    assert span.trace_id == span.span_id == 1


def test_attempts_have_ids_of_their_own() -> None:
    span = Span(int(TRACE, 16), (1 << 64) - 2, sampled=True)
    ids = [span.span_id, *(span.of_attempt(number) for number in (1, 3, 4))]
    assert len(set(ids)) == 4
    assert all(0 < one < 1 << 64 for one in ids)
    assert span.header(1) == f"00-{TRACE}-{'f' * 16}-01"
