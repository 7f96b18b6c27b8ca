from __future__ import annotations

import base64

import msgspec
import pytest

from gateway.telemetry.audit_line import Content, decode, encode
from gateway.telemetry.audit_record import line_of
from gateway.telemetry.audit_seal import KeyRing, Seal, Sealed
from tests.support.exchange_records import SERVED

OLD, NEW = bytes(32), bytes(range(32))
SAID = Content('{"messages": "What is it?"}', "It is a secret.", ("response",))


def test_what_is_sealed_opens_with_its_key_and_is_not_to_be_read_without() -> None:
    sealed = Seal(NEW)(SAID, "id-1")
    assert KeyRing([NEW]).open(sealed, "id-1") == SAID
    text = encode(line_of(SERVED, content=sealed))
    assert b"secret" not in text
    assert b"messages" not in text
    assert decode(text).content == sealed


def test_what_is_not_sealed_is_as_it_is() -> None:
    assert KeyRing([]).open(SAID, "id-1") == SAID


def test_a_ring_of_keys_reads_what_any_of_them_has_closed() -> None:
    ring = KeyRing([NEW, OLD])
    assert ring.open(Seal(OLD)(SAID, "id-1"), "id-1") == ring.open(Seal(NEW)(SAID, "id-1"), "id-1") == SAID


def test_without_its_key_it_is_told_which_one_is_missing() -> None:
    sealed = Seal(OLD)(SAID, "id-1")
    with pytest.raises(Sealed, match=f"sealed with key {sealed.key}, which is not at hand"):
        KeyRing([NEW]).open(sealed, "id-1")


def test_no_two_lines_have_one_nonce() -> None:
    seal = Seal(NEW)
    assert len({seal(SAID, "id-1").nonce for _ in range(500)}) == 500


def test_what_was_changed_or_belongs_to_another_line_does_not_open() -> None:
    sealed = Seal(NEW)(SAID, "id-1")
    raw = bytearray(base64.b64decode(sealed.sealed))
    raw[0] ^= 1
    damaged = [
        msgspec.structs.replace(sealed, sealed=base64.b64encode(bytes(raw)).decode()),
        msgspec.structs.replace(sealed, sealed=sealed.sealed[:8]),
        msgspec.structs.replace(sealed, sealed="?"),
        msgspec.structs.replace(sealed, nonce=""),
        msgspec.structs.replace(sealed, nonce=base64.b64encode(bytes(12)).decode()),
    ]
    for one, line_id in [(sealed, "id-2"), *((one, "id-1") for one in damaged)]:
        with pytest.raises(Sealed, match="not what was written"):
            KeyRing([NEW]).open(one, line_id)


def test_a_key_is_in_no_text_of_what_holds_it() -> None:
    for holder in (Seal(NEW), KeyRing([NEW])):
        assert base64.b64encode(NEW).decode() not in repr(vars(holder))
        assert NEW.hex() not in repr(vars(holder))
