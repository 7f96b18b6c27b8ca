"""Laws of the audit log's lines: nothing is lost on the way to one and back, and no line is taken for another."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.core.record import Record
from gateway.dialects.shape import Feature
from gateway.telemetry.audit_line import AuditLine, BrokenLine, NotALine, decode, encode
from gateway.telemetry.audit_record import Facts, line_of, record_of
from gateway.telemetry.audit_schema import audit_schema
from tests.support.exchange_records import records

facts = st.builds(
    Facts,
    path=st.text(st.characters(codec="utf-8")),
    estimated_input=st.integers(0, 2**40),
    estimated_output=st.integers(0, 2**40),
    size=st.integers(0, 2**40),
    digest=st.text("0123456789abcdef", max_size=64),
    features=st.lists(st.sampled_from(get_args(Feature)), unique=True).map(tuple),
    choices=st.integers(1, 128),
)
VALIDATOR = Draft202012Validator(audit_schema())


@given(records, facts)
def test_what_is_encoded_is_decoded_again(record: Record, known: Facts) -> None:
    line = line_of(record, known)
    text = encode(line)
    assert b"\n" not in text
    assert b"\r" not in text
    assert decode(text) == line
    assert decode(text + b"\n") == line
    assert record_of(decode(text)) == record


@given(records, facts)
def test_every_line_is_what_its_schema_says(record: Record, known: Facts) -> None:
    VALIDATOR.validate(json.loads(encode(line_of(record, known))))


@given(records, st.data())
def test_a_part_of_a_line_is_never_a_line(record: Record, data: st.DataObject) -> None:
    text = encode(line_of(record))
    with pytest.raises(BrokenLine):
        decode(text[: data.draw(st.integers(0, len(text) - 1))])


@given(st.binary(max_size=200))
def test_anything_is_a_line_or_is_told_to_be_none(text: bytes) -> None:
    told: object = None
    try:
        told = decode(text)
    except NotALine as problem:
        told = str(problem)
    assert isinstance(told, AuditLine) or told
