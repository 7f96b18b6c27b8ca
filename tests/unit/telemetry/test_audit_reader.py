from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest

from gateway.telemetry import audit_reader
from gateway.telemetry.audit_line import encode
from gateway.telemetry.audit_reader import Follower, Found, Missed, Wanted, files_of, read, read_files
from gateway.telemetry.audit_record import line_of
from gateway.telemetry.audit_shelf import Shelf
from tests.support.exchange_records import SERVED, served

NOW = SERVED.time


def text(name: str) -> bytes:
    return encode(line_of(served(id=name))) + b"\n"


def said(found: Found | Missed) -> str:
    return found.line.id if isinstance(found, Found) else f"{found.place}: {found.why}"


def aside(path: Path, time: float) -> Path:
    return Shelf(path, compress=True, keep=1, retention=1.0, wall=lambda: 0.0, complain=print).free_name(time)


def test_files_are_read_from_the_oldest_to_the_newest_compressed_or_not(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(text("c") + text("d"))
    aside(path, NOW - 100).write_bytes(text("b"))
    older = aside(path, NOW - 200)
    older.with_name(older.name + ".gz").write_bytes(gzip.compress(text("a")))
    assert [*map(said, read_files(files_of(path)))] == [*"abcd"]


def test_files_that_were_put_aside_before_the_time_that_is_asked_for_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for age in (300, 100):
        made = aside(path, NOW - age)
        made.write_bytes(text("x"))
        os.utime(made, (NOW - age, NOW - age))
    assert [one.name for one in files_of(path, NOW - 200)] == [aside_name(NOW - 100)]


def aside_name(time: float) -> str:
    return aside(Path("/nowhere/audit.jsonl"), time).name


def test_what_is_no_line_is_told_with_its_place_and_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(text("a") + b"{half\n\n" + b'{"level":"info"}\n' + text("b")[:-1])
    assert [*map(said, read_files([path]))] == [
        "a",
        "audit.jsonl:2: not whole JSON",
        "audit.jsonl:4: JSON of another kind",
        "b",
    ]


@pytest.mark.parametrize("damage", ["cut", "changed", "no gzip"])
def test_a_compressed_file_that_is_broken_ends_early_and_the_next_is_read(damage: str, tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"".join(text(str(number)) for number in range(2000))))
    match damage:
        case "cut":
            packed = packed[: len(packed) // 2]
        case "changed":
            packed[len(packed) // 2] ^= 0xFF
        case _:
            packed = bytearray(b"never was")
    first, second = tmp_path / "a.gz", tmp_path / "b"
    first.write_bytes(packed)
    second.write_bytes(text("next"))
    found = [*map(said, read_files([first, second]))]
    assert found[-1] == "next"
    assert found[-2].startswith("a.gz: the rest cannot be read")


def test_a_file_that_is_compressed_while_others_are_read_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.with_name("a.jsonl.gz").write_bytes(gzip.compress(text("a")))
    assert [*map(said, read_files([path, tmp_path / "deleted.jsonl"]))] == ["a"]


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_reader, "LONGEST", 5000)
    found = read(io.BytesIO(text("a") + b"x" * 20_000 + b"\n" + text("b")), "in")
    assert [*map(said, found)] == ["a", "in:2: longer than any line", "b"]


LINE = line_of(SERVED)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(since=NOW, until=NOW + 1),
        Wanted(router="prod", team="ml", caller="ml-ci", provider="openai", outcome="ok"),
        Wanted(model="gpt-4o"),
        Wanted(model="gpt-4o-2024-08-06"),
        Wanted(user=frozenset(("somebody", "user-456"))),
        Wanted(status="200"),
        Wanted(status="2xx"),
        Wanted(request="req-1"),
        Wanted(request="0011223344556677-1"),
    ],
)
def test_what_is_wanted_is_found(wanted: Wanted) -> None:
    assert wanted.has(LINE)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(since=NOW + 1),
        Wanted(until=NOW),
        Wanted(router="dev"),
        Wanted(team="ml-ci"),
        Wanted(caller=""),
        Wanted(provider="azure"),
        Wanted(outcome="error"),
        Wanted(model="gpt"),
        Wanted(user=frozenset(("user",))),
        Wanted(status="201"),
        Wanted(status="4xx"),
        Wanted(request="req"),
        Wanted(status="2xx", router="dev"),
    ],
)
def test_and_nothing_else(wanted: Wanted) -> None:
    assert not wanted.has(LINE)


def test_a_file_is_followed_over_a_rotation_and_half_lines_are_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    follower = Follower(path)
    assert [*follower.read()] == []
    path.write_bytes(text("old"))
    follower.skip()
    with path.open("ab") as writing:
        writing.write(text("a") + text("b")[:50])
        writing.flush()
        assert [*map(said, follower.read())] == ["a"]
        writing.write(text("b")[50:])
        writing.flush()
        assert [*map(said, follower.read())] == ["b"]
        writing.write(text("c"))
        writing.flush()
        path.rename(path.with_name("aside"))
        writing.write(text("d"))
    path.write_bytes(text("e"))
    assert [*map(said, follower.read())] == ["c", "d", "e"]
    path.write_bytes(b"")
    assert [*follower.read()] == []
    path.write_bytes(text("f"))
    assert [*map(said, follower.read())] == ["f"]
    follower.close()
