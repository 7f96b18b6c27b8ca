from __future__ import annotations

import contextlib
import gzip
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from gateway.telemetry.audit_file import AuditFile
from gateway.telemetry.audit_line import encode
from gateway.telemetry.audit_place import Line
from gateway.telemetry.audit_reader import Found, Missed, files_of, read_files
from gateway.telemetry.audit_record import line_of
from gateway.telemetry.audit_shelf import Shelf, put_aside
from tests.support.exchange_records import served

WORKER = Path(__file__).parents[2] / "support" / "audit_worker.py"
DAY = 86_400.0


class Wall:
    """Unix seconds, as a test says."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def line(name: str, **changes: object) -> Line:
    record = served(id=name, **changes)
    return Line(record.time, encode(line_of(record)))


def names(path: Path) -> list[str]:
    """The ids of all lines, and the places of what is none, in the order of the files."""
    found = read_files(files_of(path))
    return [one.line.id if isinstance(one, Found) else f"broken at {one.place}" for one in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "audit.jsonl"


@pytest.fixture
def wall() -> Wall:
    return Wall(1_800_000_000.0)


def opened(path: Path, wall: Wall, size: int = 1 << 20, every: float = DAY) -> AuditFile:
    def complain(problem: OSError) -> None:
        raise AssertionError(problem)

    shelf = Shelf(path, compress=False, keep=1000, retention=1e12, wall=wall, complain=complain)
    return AuditFile(path, size=size, every=every, shelf=shelf, wall=wall)


@pytest.fixture
def file(path: Path, wall: Wall) -> Iterator[AuditFile]:
    made = opened(path, wall)
    yield made
    made.close()


def test_lines_are_added_to_a_file_that_others_cannot_read(file: AuditFile, path: Path) -> None:
    file.write([line("a"), line("b")])
    file.write([line("c")])
    assert names(path) == ["a", "b", "c"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.parent.stat().st_mode & 0o007 == 0


def test_what_was_written_before_stays(path: Path, wall: Wall) -> None:
    for name in "ab":
        file = opened(path, wall, every=1e12)
        file.write([line(name)])
        file.close()
    assert names(path) == ["a", "b"]


def test_a_file_that_would_be_too_large_is_put_aside(path: Path, wall: Wall) -> None:
    size = len(line("a").text) + 1
    file = opened(path, wall, size=2 * size)
    for name in "abcde":
        file.write([line(name)])
    file.close()
    assert len(put_aside(path)) == 2
    assert all(one.stat().st_size == 2 * size for one in put_aside(path))
    assert names(path) == [*"abcde"]


def test_a_line_larger_than_a_file_may_be_has_a_file_of_its_own(path: Path, wall: Wall) -> None:
    file = opened(path, wall, size=10)
    for name in "abc":
        file.write([line(name)])
    file.close()
    assert names(path) == [*"abc"]
    assert len(put_aside(path)) == 2


def test_a_file_is_put_aside_when_its_day_is_over(file: AuditFile, path: Path, wall: Wall) -> None:
    file.write([line("a")])
    wall.now += DAY
    file.write([line("b")])
    wall.now += 1
    file.write([line("c")])
    assert [one.name for one in put_aside(path)] == ["audit.20270116T080000.000000Z.jsonl"]
    assert names(path) == [*"abc"]


def test_a_file_is_put_aside_when_nothing_is_written_any_more(file: AuditFile, path: Path, wall: Wall) -> None:
    file.tend()
    assert not path.exists()
    file.write([line("a")])
    wall.now += DAY
    file.tend()
    file.tend()
    assert path.stat().st_size == 0
    assert len(put_aside(path)) == 1


def test_a_clock_that_goes_back_puts_nothing_aside(file: AuditFile, path: Path, wall: Wall) -> None:
    file.write([line("a")])
    wall.now -= 3 * DAY
    file.write([line("b")])
    assert put_aside(path) == []


def test_two_files_put_aside_at_one_moment_have_two_names(path: Path, wall: Wall) -> None:
    file = opened(path, wall, size=1)
    for name in "abcd":
        file.write([line(name)])
    file.close()
    assert len(put_aside(path)) == 3
    assert names(path) == [*"abcd"]


def test_a_file_that_another_program_has_moved_is_begun_anew(file: AuditFile, path: Path) -> None:
    file.write([line("a")])
    path.rename(path.with_name("audit.jsonl.1"))
    file.write([line("b")])
    assert names(path) == ["b"]
    assert b'"id":"a"' in path.with_name("audit.jsonl.1").read_bytes()


def test_a_file_that_another_program_has_emptied_is_written_from_its_beginning(file: AuditFile, path: Path) -> None:
    file.write([line("a")])
    os.truncate(path, 0)
    file.write([line("b")])
    assert names(path) == ["b"]


def test_a_folder_that_is_gone_is_made_again(file: AuditFile, path: Path) -> None:
    file.write([line("a")])
    path.unlink()
    path.parent.rmdir()
    file.write([line("b")])
    assert names(path) == ["b"]


def test_a_half_line_is_ended_and_harms_no_other(file: AuditFile, path: Path) -> None:
    file.write([line("a")])
    with path.open("ab") as other:
        other.write(line("killed").text[:100])
    file.write([line("b")])
    assert names(path) == ["a", "broken at audit.jsonl:2", "b"]


def test_a_batch_that_does_not_fit_on_the_disk_is_taken_back(file: AuditFile, path: Path) -> None:
    file.write([line("a")])
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file may not grow beyond this: the last write is cut, and the next fails, as on a disk that is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * size + 7, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.write([line("b"), line("c")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == size
    file.write([line("b"), line("c")])
    assert names(path) == [*"abc"]


def worker(path: Path, name: str, size: int, lines: int, padding: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(path), name, str(size), str(lines), str(padding)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def test_several_processes_write_and_rotate_one_file_and_no_line_is_lost_or_cut(path: Path) -> None:
    batches, lines = 40, 5
    processes = {name: worker(path, name, size=20_000, lines=lines) for name in "abcd"}
    for process in processes.values():
        pipes(process)[0].write("\n" * batches)
    for process in processes.values():
        assert process.communicate()[0].splitlines()[-1] == str(batches * lines)
        assert process.returncode == 0
    found = names(path)
    assert sorted(found) == sorted(f"{name}-{number}" for name in processes for number in range(batches * lines))
    for name in processes:
        mine = [one for one in found if one.startswith(name)]
        assert mine == [f"{name}-{number}" for number in range(batches * lines)]
    assert len(put_aside(path)) > 20
    assert all(one.stat().st_size <= 20_000 for one in (*put_aside(path), path))


def test_a_process_that_is_killed_leaves_at_most_one_half_line(path: Path) -> None:
    victim, survivor = worker(path, "victim", 1 << 30, 50, 20_000), worker(path, "survivor", 1 << 30, 1)
    orders, answers = pipes(victim)
    orders.write("\n" * 2000)
    orders.flush()
    for _ in range(3):
        answers.readline()
    # It is writing a megabyte now, or is about to.
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    answers.close()
    told = survivor.communicate("\n" * 10)[0]
    assert told.splitlines()[-1] == "10"
    found = list(read_files(files_of(path)))
    whole = [one.line.id for one in found if isinstance(one, Found)]
    assert sum(isinstance(one, Missed) for one in found) <= 1
    assert [one for one in whole if one.startswith("survivor")] == [f"survivor-{number}" for number in range(10)]
    killed = [one for one in whole if one.startswith("victim")]
    assert killed == [f"victim-{number}" for number in range(len(killed))]
    assert len(killed) >= 150
    with contextlib.suppress(BrokenPipeError):
        orders.close()


def test_what_was_put_aside_by_a_process_is_compressed_and_read_in_order(path: Path) -> None:
    process = worker(path, "a", size=3000, lines=1)
    process.communicate("\n" * 20)
    packed = [one for one in put_aside(path) if one.suffix == ".gz"]
    for one in packed:
        assert gzip.decompress(one.read_bytes()).endswith(b"}\n")
    assert names(path) == [f"a-{number}" for number in range(20)]
