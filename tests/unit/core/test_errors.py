from __future__ import annotations

import re
from typing import get_args

import pytest

from gateway.core.errors import CODES, Disconnected, FaultKind, GatewayError, UpstreamFault
from gateway.policy.retry import VERDICTS


def test_every_code_is_a_slug_with_an_error_status() -> None:
    assert [code for code in CODES if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []
    assert [code for code, entry in CODES.items() if not 400 <= entry.status < 600] == []


@pytest.mark.parametrize(
    ("family", "statuses"),
    [
        ("auth", {401}),
        ("forbidden", {403}),
        ("not-found", {404}),
        ("too-large", {413}),
        ("rate-limit", {429}),
        ("unavailable", {503}),
        ("timeout", {504}),
        ("server", {500, 502}),
    ],
)
def test_a_family_and_its_status_agree(family: str, statuses: set[int]) -> None:
    assert {code.status for code in CODES.values() if code.family == family} <= statuses


def test_an_error_has_its_codes_status_unless_one_is_given() -> None:
    assert GatewayError("no_eligible_target", "None.").status == 503
    assert GatewayError("upstream_rejected", "No.", status=422).status == 422


def test_an_error_reads_as_its_message() -> None:
    assert str(GatewayError("draining", "Ask again.")) == "Ask again."


def test_an_error_of_an_unknown_code_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        GatewayError("made_up", "No.")


def test_a_fault_keeps_what_the_upstream_said() -> None:
    fault = UpstreamFault(
        "rate-limited", "slow down", status=429, retry_after=2.0, content_type=b"application/json", body=b"{}"
    )
    assert (fault.kind, fault.message, fault.status, fault.retry_after) == ("rate-limited", "slow down", 429, 2.0)
    assert (fault.content_type, fault.body, str(fault)) == (b"application/json", b"{}", "slow down")


def test_every_kind_of_fault_has_a_verdict() -> None:
    assert set(VERDICTS) == set(get_args(FaultKind))


def test_a_client_that_left_is_neither_an_error_nor_a_fault() -> None:
    assert not issubclass(Disconnected, GatewayError | UpstreamFault)
