from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from gateway.config.schema import schema_text
from gateway.core.usage import Usage
from gateway.telemetry.audit_line import BrokenLine, ForeignLine, decode, encode
from gateway.telemetry.audit_record import Facts, line_of, record_of
from gateway.telemetry.audit_schema import audit_schema
from tests.support.exchange_records import SERVED, served

ROOT = Path(__file__).parents[3]


def test_the_schema_in_the_tree_is_the_one_of_the_structs() -> None:
    assert (ROOT / "schemas" / "audit.schema.json").read_text("utf-8") == schema_text(audit_schema()), (
        "run: make schema"
    )


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(audit_schema())


def test_a_line_says_what_was_asked_who_answered_and_what_it_cost() -> None:
    facts = Facts("/chat/completions", 140, 500, 612, "ab" * 32, ("tools", "json"), 2)
    assert json.loads(encode(line_of(SERVED, facts))) == {
        "schema": "gateway.audit/1",
        "timestamp": "2025-11-21T11:00:00.123456Z",
        "tenant_id": "ml",
        "user_id": "user-456",
        "id": "0011223344556677-1",
        "request_id": "req-1",
        "router": "prod",
        "request": {
            "model": "gpt-4o",
            "prompt_tokens": 150,
            "max_tokens": 500,
            "path": "/chat/completions",
            "dialect": "openai",
            "operation": "chat",
            "stream": True,
            "estimated_prompt_tokens": 140,
            "estimated_completion_tokens": 500,
            "bytes": 612,
            "digest": "ab" * 32,
            "features": ["tools", "json"],
            "n": 2,
        },
        "response": {
            "provider": "openai",
            "completion_tokens": 230,
            "latency_ms": 1250.0,
            "model": "gpt-4o-2024-08-06",
            "key": "main",
            "status": 200,
            "outcome": "ok",
            "error_code": "",
            "first_byte_ms": 400.0,
            "cache": "miss",
            "metered": True,
        },
        "cost": {"amount": 0.0038, "currency": "USD", "source": "table"},
        "caller": "ml-ci",
        "team": "ml",
        "project": "search",
        "config": "3f2a",
        "rule": "",
        "usage": {"cached": 100},
        "saved": None,
        "attempts": [
            {
                "provider": "azure",
                "model": "gpt-4o",
                "key": "spare",
                "status": 503,
                "fault": "unavailable",
                "latency_ms": 200.0,
            },
            {
                "provider": "openai",
                "model": "gpt-4o-2024-08-06",
                "key": "main",
                "status": 200,
                "fault": "",
                "latency_ms": 1000.0,
            },
        ],
        "losses": ["seed"],
        "content": None,
    }


def test_a_caller_without_a_team_is_a_tenant_of_its_own() -> None:
    assert line_of(served(team="")).tenant_id == "ml-ci"
    assert line_of(served(team="", caller="")).tenant_id == ""


def test_an_unknown_price_is_null_and_not_nothing() -> None:
    assert line_of(served(cost=None)).cost.amount is None
    assert line_of(served(cost=0)).cost.amount == 0


def test_a_line_of_a_later_minor_version_has_members_that_are_passed_over() -> None:
    later = json.loads(encode(line_of(SERVED))) | {"weather": {"rain": [1]}}
    later["request"]["mood"] = "good"
    assert decode(json.dumps(later).encode()) == line_of(SERVED)
    Draft202012Validator(audit_schema()).validate(later)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"schema":"gateway.audit/2"}', "a line of another version, gateway.audit/2"),
        (b'{"time":"2026-11-21","level":"info","event":"config reloaded"}', "JSON of another kind"),
        (b"[1]", "JSON of another kind"),
        (b"7", "JSON of another kind"),
        (b'{"schema":7}', "JSON of another kind"),
    ],
)
def test_a_line_of_somebody_else_is_told_as_foreign(text: bytes, told: str) -> None:
    with pytest.raises(ForeignLine) as caught:
        decode(text)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"GET / HTTP/1.1",
        b"\xff\xfe",
        encode(line_of(SERVED))[:-1],
        b'{"schema":"gateway.audit/1"}',
        encode(line_of(SERVED)).replace(b'"status":200', b'"status":"fine"'),
        encode(line_of(SERVED)).replace(b"2025-11-21T11", b"2025-11-21T31"),
        encode(line_of(SERVED)).replace(b"123456Z", b"123456"),
    ],
)
def test_a_line_that_is_not_whole_is_told_as_broken(text: bytes) -> None:
    with pytest.raises(BrokenLine):
        decode(text)


@pytest.mark.parametrize("member", ["timestamp", "tenant_id", "user_id", "request", "response", "cost"])
def test_the_schema_demands_what_an_audit_must_have(member: str) -> None:
    line = json.loads(encode(line_of(SERVED)))
    del line[member]
    with pytest.raises(ValidationError):
        Draft202012Validator(audit_schema()).validate(line)


def test_every_kind_of_token_is_kept_apart() -> None:
    usage = Usage(*range(1, len(Usage.__struct_fields__) + 1))
    line = line_of(msgspec.structs.replace(SERVED, usage=usage), Facts("/chat/completions", 140))
    assert record_of(decode(encode(line))).usage == usage
