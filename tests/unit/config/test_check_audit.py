from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gateway.config.check import examine
from gateway.core.key_material import key_bytes, key_id

KEY = base64.b64encode(bytes(range(32))).decode()
ENV = {"OPENAI_API_KEY": "k-open", "AUDIT_KEY": KEY, "SHORT": base64.b64encode(bytes(16)).decode(), "WORD": "pass word"}
ROUTER = "routers: {a: {load-balance: {chat: {providers: [openai]}}}}\n"
FULL = "routers: {a: {privacy: {log: full}, load-balance: {chat: {providers: [openai]}}}}\n"

CASES = {
    "an audit log with nothing said": (ROUTER + "audit: {}", []),
    "bodies without an audit log": (FULL, ["1:30 audit-absent"]),
    "bodies in the clear": (FULL + "audit: {}", ["1:30 audit-plaintext"]),
    "bodies in the clear, said aloud": (FULL + "audit: {plaintext-bodies: true}", []),
    "bodies encrypted": (FULL + "audit: {encryption-key: '${env:AUDIT_KEY}'}", []),
    "bodies of every route in the clear": (
        ROUTER + "global: {privacy: {log: full}}\naudit: {}",
        ["2:25 audit-plaintext"],
    ),
    "a key that is too short": (ROUTER + "audit: {encryption-key: '${env:SHORT}'}", ["2:25 audit-key"]),
    "a key that is a word": (
        ROUTER + "audit: {hash-key: '${env:WORD}', old-encryption-keys: ['${env:AUDIT_KEY}', '${env:SHORT}']}",
        ["2:19 audit-key", "2:76 audit-key"],
    ),
    "a key in the file": (ROUTER + f"audit: {{encryption-key: '{KEY}'}}", ["2:25 secret-in-file"]),
    "users hashed without a key": (ROUTER + "audit: {users: hashed}", ["2:16 audit-key"]),
    "users hashed": (ROUTER + "audit: {users: hashed, hash-key: '${env:AUDIT_KEY}'}", []),
    "posts to nowhere": (ROUTER + "audit: {to: otlp}", ["2:13 audit-endpoint"]),
    "posts": (ROUTER + "audit: {to: otlp, endpoint: 'http://localhost:4318/v1/logs', timeout: 2s}", []),
    "what has no effect": (
        ROUTER + "audit: {to: stdout, path: a, keep: 3, timeout: 2s}",
        ["2:21 audit-inert", "2:30 audit-inert", "2:39 audit-inert"],
    ),
    "amounts of nought": (
        ROUTER + "audit: {rotate-size: 0B, rotate-every: 0s, retention: 0s, max-body: 0B}",
        ["2:22 audit-amount", "2:40 audit-amount", "2:55 audit-amount", "2:69 audit-amount"],
    ),
    "a retention shorter than a file": (ROUTER + "audit: {retention: 2h}", ["2:20 audit-amount"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_an_audit_log_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    text, expected = CASES[case]
    file = tmp_path / "routers.yaml"
    file.write_text(text, "utf-8")
    problems = examine(file, ENV, None)[1]
    assert [f"{problem.place.partition('.yaml:')[2]} {problem.code}" for problem in problems] == expected
    told = "".join(map(str, problems))
    assert not [secret for secret in (KEY, ENV["SHORT"], ENV["WORD"]) if secret in told]


def test_a_key_is_read_from_every_way_of_writing_base64() -> None:
    raw = bytes(range(224, 256))
    standard = base64.b64encode(raw).decode()
    for text in (standard, standard.rstrip("="), base64.urlsafe_b64encode(raw).decode(), f" {standard}\n"):
        assert key_bytes(text) == raw


@pytest.mark.parametrize("text", ["", "====", "not base64 at all!", base64.b64encode(bytes(33)).decode(), "ä" * 44])
def test_another_text_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"it (is not base64|has \d+ bytes, not 32)"):
        key_bytes(text)


def test_the_id_of_a_key_names_it_alone() -> None:
    assert key_id(bytes(32)) == key_id(bytes(32)) != key_id(bytes(31) + b"\1")
    assert len(key_id(bytes(32))) == 8
