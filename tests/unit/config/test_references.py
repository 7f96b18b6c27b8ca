from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.config.references import MAX_FILE, References, UnresolvedError

ENV = {"A": "one", "EMPTY": "", "BREAK": "x\n"}


def resolve(text: str, folder: Path = Path()) -> str:
    return References(ENV).resolve(text, folder)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env:A}", "one"),
        ("<${env:A}-${env:A}>", "<one-one>"),
        ("${env:NOT:-two}", "two"),
        ("${env:NOT:-}", ""),
        ("${env:EMPTY:-two}", "two"),
        ("${env:NOT:-http://x:-y}", "http://x:-y"),
        ("${env:BREAK}", "x"),
        ("$${env:A}", "${env:A}"),
        ("$A $ {} $$", "$A $ {} $$"),
        ("$${${env:A}}", "${one}"),
    ],
)
def test_a_reference_is_replaced(text: str, value: str) -> None:
    assert resolve(text) == value


@pytest.mark.parametrize(
    ("text", "code", "variable"),
    [
        ("${env:NOT}", "env-unset", "NOT"),
        ("${env:EMPTY}", "env-unset", "EMPTY"),
        ("${A}", "reference-unknown", ""),
        ("${env:}", "reference-unknown", ""),
        ("${env:1A}", "reference-unknown", ""),
        ("${vault:x}", "reference-unknown", ""),
        ("${env:A", "reference-unknown", ""),
        ("${file:/no/such/file}", "file-unreadable", ""),
        ("${file:/dev/zero}", "file-unreadable", ""),
        ("${file:/}", "file-unreadable", ""),
        ("${file:a\0b}", "file-unreadable", ""),
    ],
)
def test_what_stands_for_nothing_is_refused(text: str, code: str, variable: str) -> None:
    with pytest.raises(UnresolvedError) as caught:
        resolve(text)
    assert (caught.value.code, caught.value.variable) == (code, variable)


def test_a_file_loses_one_line_break(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"secret\r\n")
    references = References({})
    assert references.resolve("${file:key}", tmp_path) == "secret"
    assert references.resolve(f"${{file:{tmp_path}/key}}", Path("elsewhere")) == "secret"
    assert references.read_files == [tmp_path / "key"] * 2


def test_a_file_is_bounded_and_text(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (MAX_FILE + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "pipe")
    for name in ("large", "binary", "pipe"):
        with pytest.raises(UnresolvedError):
            resolve(f"${{file:{name}}}", tmp_path)


def test_the_name_without_env_gets_a_hint() -> None:
    with pytest.raises(UnresolvedError) as caught:
        resolve("${OPENAI_API_KEY}")
    assert "${env:OPENAI_API_KEY}" in caught.value.hint
