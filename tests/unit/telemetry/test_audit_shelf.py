from __future__ import annotations

import fcntl
import gzip
import os
from pathlib import Path
from threading import enumerate as enumerate_threads

import pytest

from gateway.telemetry.audit_shelf import Shelf, put_aside

NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def shelf(path: Path, *, compress: bool = True, keep: int = 1000, retention: float = 90 * DAY) -> Shelf:
    def complain(problem: OSError) -> None:
        raise AssertionError(problem)

    return Shelf(path, compress=compress, keep=keep, retention=retention, wall=lambda: NOW, complain=complain)


def aside(path: Path, days: float, text: bytes = b"{}\n") -> Path:
    """A file that was put aside so many days ago."""
    made = shelf(path).free_name(NOW - days * DAY)
    made.write_bytes(text)
    os.utime(made, (NOW - days * DAY, NOW - days * DAY))
    return made


def names(path: Path) -> list[str]:
    return [one.name for one in put_aside(path)]


def test_what_is_put_aside_is_compressed_and_keeps_its_time_and_mode(path: Path) -> None:
    text = b'{"a": 1}\n' * 100_000
    made = aside(path, 3, text)
    made.chmod(0o640)
    shelf(path).tidy_now()
    (packed,) = put_aside(path)
    assert packed.name == made.name + ".gz"
    assert gzip.decompress(packed.read_bytes()) == text
    assert packed.stat().st_mtime == NOW - 3 * DAY
    assert packed.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in path.parent.iterdir()) == [packed.name]


def test_without_compression_a_file_stays_as_it_is(path: Path) -> None:
    made = aside(path, 3)
    shelf(path, compress=False).tidy_now()
    assert put_aside(path) == [made]


@pytest.mark.parametrize("compress", [True, False])
def test_what_is_older_than_the_retention_is_deleted_compressed_or_not(path: Path, compress: bool) -> None:
    for days in (100, 91, 89, 1):
        aside(path, days)
    shelf(path).tidy_now()
    aside(path, 95)
    shelf(path, compress=compress).tidy_now()
    assert [int((NOW - one.stat().st_mtime) // DAY) for one in put_aside(path)] == [89, 1]


def test_of_more_files_than_are_kept_the_oldest_go(path: Path) -> None:
    for days in (5, 4, 3, 2, 1):
        aside(path, days)
    shelf(path, keep=2).tidy_now()
    assert [int((NOW - one.stat().st_mtime) // DAY) for one in put_aside(path)] == [2, 1]


def test_files_of_other_names_are_nobody_s_business(path: Path) -> None:
    others = ["audit.jsonl", "audit.jsonl.1", "audit.2027.jsonl", "other.20260101T000000.000000Z.jsonl", "notes.txt"]
    for name in others:
        other = path.with_name(name)
        other.write_text("x")
        os.utime(other, (0, 0))
    shelf(path, keep=1, retention=1).tidy_now()
    assert sorted(one.name for one in path.parent.iterdir()) == sorted(others)


def test_a_file_that_is_there_both_ways_counts_once_and_is_compressed_again(path: Path) -> None:
    made = aside(path, 1, b"whole\n")
    path.with_name(made.name + ".gz").write_bytes(b"half")
    path.with_name(made.name + ".gz.part").write_bytes(b"left by one that was killed")
    assert put_aside(path) == [made]
    shelf(path).tidy_now()
    (packed,) = put_aside(path)
    assert gzip.decompress(packed.read_bytes()) == b"whole\n"


def test_a_file_that_another_process_compresses_is_left_to_it(path: Path) -> None:
    made = aside(path, 1)
    with made.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        shelf(path).tidy_now()
        assert put_aside(path) == [made]
    shelf(path).tidy_now()
    assert names(path) == [made.name + ".gz"]


def test_who_is_told_to_stop_leaves_no_half_file(path: Path) -> None:
    made = aside(path, 1)
    stopped = shelf(path)
    stopped.close()
    stopped.tidy_now()
    assert [one.name for one in path.parent.iterdir()] == [made.name]


def test_what_cannot_be_compressed_is_complained_of_and_stays(path: Path) -> None:
    made = aside(path, 1)
    # Even root cannot write a file where a folder is.
    path.with_name(made.name + ".gz.part").mkdir()
    told: list[OSError] = []
    Shelf(path, compress=True, keep=9, retention=DAY * 9, wall=lambda: NOW, complain=told.append).tidy_now()
    assert len(told) == 1
    assert put_aside(path) == [made]


def test_a_folder_that_is_not_there_has_nothing_in_it(path: Path) -> None:
    assert put_aside(path.parent / "nowhere" / "audit.jsonl") == []


def test_it_works_behind_the_back_of_whoever_asks_and_ends_when_it_is_told(path: Path) -> None:
    made = aside(path, 100)
    tidying = shelf(path)
    tidying.tidy()
    tidying.tidy()
    tidying.close()
    assert not [thread for thread in enumerate_threads() if thread.name == "audit-shelf"]
    assert put_aside(path) in ([], [made])
