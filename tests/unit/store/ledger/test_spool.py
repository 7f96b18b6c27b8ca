from __future__ import annotations

import os
import resource
import zlib
from pathlib import Path

import pytest

from gateway.store.ledger.spool import Orphan, Spool, SpoolFull, framed, unframed
from tests.support.records import a_record, records


def test_a_line_is_read_as_it_was_written() -> None:
    for record in records(20):
        assert unframed(framed(record)) == record
        assert framed(record).count(b"\n") == 1


def test_a_line_with_any_byte_changed_or_missing_is_known() -> None:
    line = framed(a_record(1))
    for place in range(len(line)):
        assert unframed(line[:place]) is None
        assert unframed(line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]) is None


def test_a_sound_line_of_another_version_is_known() -> None:
    payload = b'{"id":"x"}'
    assert unframed(b"%08x %08x %s\n" % (zlib.crc32(payload), len(payload), payload)) is None


def test_a_segment_is_nobody_else_s_until_it_ends(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 10**6, "a")
    segment = spool.begin()
    segment.append(records(3))
    assert list(spool.orphans()) == []
    segment.seal()
    (orphan,) = spool.orphans()
    assert orphan.path == segment.path


def test_two_never_have_the_same_segment(tmp_path: Path) -> None:
    segment = Spool(tmp_path, 10**6, "a").begin()
    segment.append(records(3))
    segment.seal()
    one, other = Spool(tmp_path, 10**6, "b").orphans(), Spool(tmp_path, 10**6, "c").orphans()
    next(one).delete()
    assert list(other) == []


def test_rows_are_read_some_at_a_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10**6, "a")
    segment = spool.begin()
    segment.append(records(25))
    segment.seal()
    for orphan in spool.orphans():
        batches = list(orphan.batches(10))
        assert [len(rows) for rows, _ in batches] == [10, 10, 5]
        assert [row for rows, _ in batches for row in rows] == records(25)


def test_a_spool_holds_so_much_and_no_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 4096, "a")
    segment = spool.begin()
    segment.append(records(10))
    assert spool.size() > 4096
    with pytest.raises(SpoolFull, match="max-spool"):
        spool.begin()
    segment.discard()
    spool.begin().seal()


def test_of_what_does_not_fit_on_the_disk_nothing_is_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10**6, "a")
    segment = spool.begin()
    segment.append(records(2))
    before = segment.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(SpoolFull):
            segment.append(records(10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert segment.path.read_bytes() == before
    segment.append(records(3)[2:])
    segment.seal()
    for orphan in spool.orphans():
        assert list(orphan.batches(10)) == [(records(3), [])]


def test_a_folder_that_cannot_be_made_is_full(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file", 10**6, "a")
    with pytest.raises(SpoolFull):
        spool.begin()
    assert (spool.size(), spool.set_aside(), list(spool.orphans())) == (0, 0, [])
    spool.put_aside("x", [b"lost"])


def test_rows_are_for_nobody_else_to_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 10**6, "a")
    segment = spool.begin()
    assert [path.stat().st_mode & 0o777 for path in (segment.path.parent, segment.path)] == [0o700, 0o600]
    segment.seal()


def test_a_segment_that_has_ended_takes_nothing(tmp_path: Path) -> None:
    segment = Spool(tmp_path, 10**6, "a").begin()
    segment.seal()
    segment.seal()
    segment.sync()
    with pytest.raises(SpoolFull):
        segment.append(records(1))
    assert segment.path.read_bytes() == b""


def test_a_file_that_cannot_be_removed_is_said_and_left_to_others(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10**6, "a")
    segment = spool.begin()
    segment.append(records(3))
    (orphan,) = _let_go(spool)
    for path, remove in ((segment.path, segment.discard), (orphan.path, orphan.delete)):
        path.unlink()
        path.mkdir()
        with pytest.raises(SpoolFull, match=str(tmp_path)):
            remove()
    with pytest.raises(SpoolFull, match="has ended"):
        segment.append(records(1))


def _let_go(spool: Spool) -> list[Orphan]:
    segment = spool.begin()
    segment.append(records(1))
    segment.seal()
    return list(spool.orphans())


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(SpoolFull, match=str(tmp_path)):
            next(Orphan(tmp_path, folder).batches(10))
    finally:
        os.close(folder)
