"""The writer on virtual time, before a real SQLite that can be switched off, and a real spool."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from gateway.core.exchange import Exchange
from gateway.core.record import Record
from gateway.core.usage import Usage
from gateway.store.ledger.protocol import LedgerDown, Records, UsageQuery
from gateway.store.ledger.spool import Spool, framed
from gateway.store.ledger.sqlite import SqliteLedger
from gateway.store.ledger.writer import CLOSE_WITHIN, LedgerWriter
from tests.support.records import DAY, MIDNIGHT, a_record, an_exchange, records
from tests.support.virtual_time import elapsed, virtual_clock

EVER = UsageQuery(0.0, 5e9, limit=1_000_000)
PLAIN, CHARGED = an_exchange(), an_exchange(charged=True)


class Switched(SqliteLedger):
    """A ledger that can be away, keep silent, have a fault of its own, or have room for some ids alone. batches: how
    many rows each insert brought."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_away = False
        self.is_silent = False
        self.is_faulty = False
        self.room_for: set[str] | None = None
        self.takes = 0.0
        self.batches: list[int] = []

    async def insert(self, records: Records) -> int:
        if self.is_silent:
            await asyncio.Event().wait()
        if self.is_away:
            raise LedgerDown("it was switched off")
        if self.is_faulty:
            raise KeyError("a library's own")
        if self.room_for is not None and not self.room_for.issuperset(record.id for record in records):
            raise LedgerDown("no room is left")
        self.batches.append(len(records))
        await asyncio.sleep(self.takes)
        return await super().insert(records)

    async def open(self) -> None:
        if self.is_away:
            raise LedgerDown("it was switched off")
        await super().open()


class Desk:
    """A writer, and what it told and counted. folder: of the spool."""

    def __init__(self, folder: Path, *, queue: int = 1000, drops: bool = True, most: int = 10**8, name: str = "a",
                 retention: float | None = None) -> None:  # fmt: skip
        clock = virtual_clock()
        self.folder = folder / "spool"
        self.database = Switched(folder / "ledger.db")
        self.counts: Counter[str] = Counter()
        self.told: list[str] = []
        self.writer = LedgerWriter(
            self.database,
            Spool(self.folder, most, name),
            batch=0.1,
            queue=queue,
            drops=drops,
            retention=retention,
            monotonic=clock.monotonic,
            wall=clock.wall,
            tell=self._tell,
            count=self._count,
        )

    def write(self, given: Sequence[Record], *, charged: bool = False) -> None:
        """One by one, as what is charged settles."""
        for record in given:
            self.writer.write(record, CHARGED if charged else PLAIN)

    def write_together(self, given: Sequence[Record], exchanges: Sequence[Exchange] = ()) -> None:
        """As what ends in one turn of the loop does."""
        self.writer.write_all(given, exchanges or [PLAIN] * len(given))

    async def kept(self) -> list[Record]:
        """What is in the database."""
        other = SqliteLedger(self.folder.parent / "ledger.db")
        try:
            return [record async for record in other.records(EVER)]
        finally:
            await other.close()

    def files(self, suffix: str = ".rows") -> list[Path]:
        return sorted(self.folder.glob(f"*{suffix}"))

    def gauge(self, name: str) -> float:
        return next(value for found, _, value in self.writer.gauges() if found == name)

    def _tell(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        self.told.append(event)

    def _count(self, result: str, rows: int) -> None:
        if rows:
            self.counts[result] += rows


@contextlib.asynccontextmanager
async def at_work(desk: Desk) -> AsyncIterator[Desk]:
    await desk.writer.open()
    try:
        yield desk
    finally:
        await desk.writer.close()


async def test_rows_are_written_together_after_the_window(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        await asyncio.sleep(0.01)
        desk.database.batches.clear()
        given = records(50)
        desk.write(given[:20])
        await asyncio.sleep(0.05)
        desk.write(given[20:])
        assert (desk.database.batches, desk.gauge("gateway_ledger_queue_rows")) == ([], 50)
        await asyncio.sleep(0.06)
        assert desk.database.batches == [50]
        assert await desk.kept() == given
        assert desk.counts == {"written": 50}
        assert desk.gauge("gateway_ledger_lag_seconds") == desk.gauge("gateway_ledger_queue_rows") == 0
        assert desk.files() == []


async def test_no_transaction_has_more_than_a_thousand_rows(tmp_path: Path) -> None:
    given = records(2500)
    async with at_work(Desk(tmp_path, queue=10_000)) as desk:
        await asyncio.sleep(0.01)
        desk.database.batches.clear()
        desk.write(given[:2000])
        await asyncio.sleep(0.2)
        assert desk.database.batches == [1000, 1000]
        desk.write(given[2000:])
        await asyncio.sleep(0.2)
        assert desk.database.batches == [1000, 1000, 500]
        assert await desk.kept() == given


async def test_what_ends_together_is_written_as_one_by_one(tmp_path: Path) -> None:
    given = records(2600)
    absurd = a_record(9000, usage=Usage(10**15))
    async with at_work(Desk(tmp_path, queue=10_000)) as desk:
        await asyncio.sleep(0.01)
        desk.database.batches.clear()
        for start in range(0, 2600, 650):
            desk.write_together(given[start : start + 650])
        desk.write_together([a_record(9001), absurd, a_record(9002)], [PLAIN, PLAIN, CHARGED])
        assert desk.gauge("gateway_ledger_queue_rows") == 2603
        assert desk.gauge("gateway_ledger_spool_bytes") > 0
        await asyncio.sleep(0.2)
        assert desk.database.batches == [1000, 1000, 603]
        assert len(await desk.kept()) == 2603
        assert desk.counts == {"written": 2603, "clamped": 1}


async def test_of_what_ends_together_as_much_is_taken_as_there_is_room_for(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path, queue=100)) as desk:
        desk.write_together(records(150))
        assert desk.counts == {"dropped": 50}
        await asyncio.sleep(0.2)
        assert len(await desk.kept()) == 100


async def test_what_is_left_at_the_end_is_written(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        desk.write(records(30))
    assert len(await desk.kept()) == 30


async def test_what_came_while_the_last_batch_was_written_is_written_too(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        desk.database.takes = 0.5
        desk.write(records(30)[:20])
        await asyncio.sleep(0.2)
        assert desk.database.batches[-1] == 20
        desk.write(records(30)[20:])
    assert len(await desk.kept()) == 30
    assert desk.files() == []


async def test_rows_wait_in_the_spool_while_the_database_is_away(tmp_path: Path) -> None:
    given = records(300)
    async with at_work(Desk(tmp_path)) as desk:
        desk.database.is_away = True
        for start in range(0, 300, 10):
            desk.write(given[start : start + 10])
            await asyncio.sleep(1.0)
        assert desk.counts["spooled"] == 300
        assert desk.counts["written"] == 0
        assert "switched off" in (desk.writer.trouble() or "")
        assert desk.gauge("gateway_ledger_up") == 0
        assert desk.gauge("gateway_ledger_spool_bytes") > 300 * 400
        assert 29 < desk.gauge("gateway_ledger_lag_seconds") < 31
        desk.database.is_away = False
        await asyncio.sleep(6.0)
        assert await desk.kept() == given
        assert (desk.counts["written"], desk.counts["replayed"], desk.writer.trouble()) == (300, 300, None)
        assert desk.gauge("gateway_ledger_lag_seconds") == 0
        assert desk.files() == []
        assert desk.told == ["the ledger is away", "the ledger is back"]


async def test_a_database_that_is_full_is_away_until_it_writes(tmp_path: Path) -> None:
    """It answers, and knows rows that it has: neither means that it is back."""
    given = records(2000)
    async with at_work(Desk(tmp_path, queue=10_000)) as desk:
        desk.database.room_for = {record.id for record in given[:1000]}
        # Those of them that are written before room runs out.
        await desk.database.insert(given[:1000])
        desk.write(given)
        for _ in range(60):
            await asyncio.sleep(1.0)
            assert desk.gauge("gateway_ledger_up") == 0
        assert desk.told == ["the ledger is away"]
        assert desk.database.batches.count(0) < 20, "it is asked every five seconds by then"
        desk.database.room_for = None
        await asyncio.sleep(6.0)
        assert desk.told == ["the ledger is away", "the ledger is back"]
        assert await desk.kept() == given
        assert (desk.counts["dropped"], desk.counts["refused"], desk.files()) == (0, 0, [])


async def test_an_outage_without_requests_ends_by_itself(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        desk.database.is_away = True
        desk.write(records(1))
        await asyncio.sleep(60.0)
        desk.database.is_away = False
        await asyncio.sleep(6.0)
        assert desk.writer.trouble() is None
        assert len(await desk.kept()) == 1


async def leave_rows(folder: Path) -> None:
    """In the spool, as a process that has ended."""
    async with at_work(Desk(folder, name="a")) as first:
        first.database.is_away = True
        first.write(records(40))
        await asyncio.sleep(1.0)
    assert await first.kept() == []


async def test_a_process_brings_what_another_left_before_it_serves(tmp_path: Path) -> None:
    await leave_rows(tmp_path)
    async with at_work(Desk(tmp_path, name="b")) as second:
        assert await second.kept() == records(40)
        assert second.files() == []


async def test_what_takes_long_to_bring_keeps_no_process_from_serving(tmp_path: Path) -> None:
    await leave_rows(tmp_path)
    desk = Desk(tmp_path, name="b")
    desk.database.takes = 10.0
    began = asyncio.get_running_loop().time()
    async with at_work(desk):
        assert asyncio.get_running_loop().time() - began == 2.0
        assert await desk.kept() == []
        await asyncio.sleep(10.0)
        assert await desk.kept() == records(40)


async def test_a_process_that_finds_the_database_away_at_start_serves(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.database.is_away = True
    async with at_work(desk):
        desk.write(records(5))
        await asyncio.sleep(1.0)
        desk.database.is_away = False
        await asyncio.sleep(6.0)
        assert len(await desk.kept()) == 5


async def test_what_another_process_still_writes_is_left_alone(tmp_path: Path) -> None:
    living = Spool(tmp_path / "spool", 10**8, "living").begin()
    living.append(records(10))
    async with at_work(Desk(tmp_path)) as desk:
        await asyncio.sleep(60.0)
        assert (await desk.kept(), len(desk.files())) == ([], 1)
        # As the end of a process does.
        living.seal()
        await asyncio.sleep(60.0)
        assert (await desk.kept(), desk.files()) == (records(10), [])


async def test_a_charged_row_is_on_disk_before_its_request_is_over(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        await asyncio.sleep(0.01)
        desk.write(records(3), charged=True)
        desk.write(records(6)[3:])
        (file,) = desk.files()
        assert file.read_bytes() == b"".join(map(framed, records(3)))
        await asyncio.sleep(0.2)
        assert (desk.files(), await desk.kept()) == ([], records(6))
        assert desk.counts == {"written": 6}


async def test_charged_rows_of_an_outage_are_brought_once(tmp_path: Path) -> None:
    given = records(100)
    async with at_work(Desk(tmp_path)) as desk:
        desk.database.is_away = True
        for start in range(0, 100, 10):
            desk.write(given[start : start + 5], charged=True)
            desk.write(given[start + 5 : start + 10])
            await asyncio.sleep(0.07)
        desk.database.is_away = False
        await asyncio.sleep(6.0)
        assert await desk.kept() == given
        assert (desk.counts["written"], desk.files()) == (100, [])


async def test_what_is_too_much_is_dropped_and_counted(tmp_path: Path) -> None:
    # A folder that cannot be made: a file stands there.
    (tmp_path / "spool").write_text("")
    async with at_work(Desk(tmp_path, queue=100)) as desk:
        desk.database.is_away = True
        desk.write(records(130))
        assert desk.counts == {"dropped": 30}
        await asyncio.sleep(1.0)
        assert "takes no rows" in (desk.writer.trouble() or "")
        desk.write(records(140)[130:])
        assert desk.counts["dropped"] == 40
        desk.database.is_away = False
        await asyncio.sleep(6.0)
        assert await desk.kept() == records(100)
        assert desk.counts["written"] == 100
        assert desk.gauge("gateway_ledger_queue_rows") == 0
        assert desk.told.count("rows of the ledger are lost: memory and spool are full") == 1


async def test_a_full_spool_is_filled_no_further(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path, queue=100, most=64 * 1024)) as desk:
        desk.database.is_away = True
        for start in range(0, 1000, 20):
            desk.write(records(start + 20)[start:])
            await asyncio.sleep(0.2)
        assert desk.gauge("gateway_ledger_spool_bytes") < 80 * 1024
        assert desk.counts["dropped"] > 500
        desk.database.is_away = False
        await asyncio.sleep(10.0)
        assert len(await desk.kept()) == 1000 - desk.counts["dropped"]
        assert desk.writer.trouble() is None


async def test_requests_wait_where_nothing_may_be_dropped(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    async with at_work(Desk(tmp_path, queue=100, drops=False)) as desk:
        desk.database.is_away = True
        assert not desk.writer.is_full
        # What is under way when it fills up is kept all the same.
        desk.write(records(120))
        assert desk.writer.is_full
        waiting = asyncio.ensure_future(desk.writer.room())
        await asyncio.sleep(5.0)
        assert not waiting.done()
        desk.database.is_away = False
        await waiting
        await asyncio.sleep(1.0)
        assert await desk.kept() == records(120)
        assert desk.counts == {"written": 120}


async def test_the_loss_of_disk_does_not_fail_a_charged_request(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    async with at_work(Desk(tmp_path)) as desk:
        desk.write(records(2), charged=True)
        assert desk.counts == {"unprotected": 2}
        await asyncio.sleep(0.2)
        assert await desk.kept() == records(2)


async def test_a_row_that_is_refused_keeps_no_other(tmp_path: Path) -> None:
    given = records(50)
    given[17] = a_record(17, status=2**63)
    async with at_work(Desk(tmp_path)) as desk:
        desk.write(given)
        await asyncio.sleep(0.2)
        assert await desk.kept() == given[:17] + given[18:]
        assert (desk.counts["written"], desk.counts["refused"]) == (49, 1)
        assert [path.name for path in desk.files(".bad")] == ["refused.bad"]
        assert "set aside" in (desk.writer.trouble() or "")


async def test_absurd_usage_is_cut_to_size_and_counted(tmp_path: Path) -> None:
    absurd = a_record(1, usage=Usage(2**64, 5), cost=2**80)
    async with at_work(Desk(tmp_path)) as desk:
        desk.write([absurd], charged=True)
        desk.write([a_record(2)])
        await asyncio.sleep(0.2)
        one, _ = await desk.kept()
        assert (one.usage, one.cost) == (Usage(10**12, 5), 10**15)
        assert desk.counts == {"clamped": 1, "written": 2}


async def test_damaged_lines_are_set_aside_and_the_rest_is_brought(tmp_path: Path) -> None:
    lines = [framed(record) for record in records(6)]
    flipped = lines[2].replace(b"team-2", b"team-9")
    half = lines[5][: len(lines[5]) // 2]
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "of-a-dead-process-1.rows").write_bytes(lines[0] + flipped + b"noise\n\xff\x00\n" + lines[3] + half)
    (folder / "of-a-dead-process-2.rows").write_bytes(b"\x00" * 4096)
    async with at_work(Desk(tmp_path)) as desk:
        await asyncio.sleep(1.0)
        assert await desk.kept() == [records(6)[0], records(6)[3]]
        assert (desk.counts["damaged"], desk.counts["written"]) == (5, 2)
        assert (desk.files(), len(desk.files(".bad"))) == ([], 2)
        assert flipped in desk.files(".bad")[0].read_bytes()


async def test_the_end_does_not_wait_for_a_database_that_is_silent(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.writer.open()
    await asyncio.sleep(0.01)
    desk.database.is_silent = True
    desk.write(records(20))
    await asyncio.sleep(0.2)
    desk.write(records(30)[20:])
    before = elapsed()
    await desk.writer.close()
    assert elapsed() - before <= 2 * CLOSE_WITHIN
    async with at_work(Desk(tmp_path, name="b")) as second:
        await asyncio.sleep(1.0)
        assert await second.kept() == records(30)


async def test_rows_are_on_disk_soon_while_the_database_is_silent(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        await asyncio.sleep(0.01)
        desk.database.is_silent = True
        desk.write(records(20))
        await asyncio.sleep(0.2)
        desk.write(records(30)[20:])
        await asyncio.sleep(2.0)
        written = b"".join(path.read_bytes() for path in desk.files())
        assert sorted(written.splitlines(keepends=True)) == sorted(map(framed, records(30)))


async def test_a_fault_that_nobody_thought_of_is_an_outage_like_others(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        await asyncio.sleep(0.01)
        desk.database.is_faulty = True
        desk.write(records(20))
        await asyncio.sleep(1.0)
        assert "a library's own" in (desk.writer.trouble() or "")
        desk.database.is_faulty = False
        desk.write(records(30)[20:])
        await asyncio.sleep(6.0)
        assert await desk.kept() == records(30)
        assert desk.writer.trouble() is None


async def test_a_file_that_cannot_be_removed_keeps_no_row_from_being_written(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        await asyncio.sleep(0.01)
        desk.write(records(3), charged=True)
        (file,) = desk.files()
        # What stands there now is no file, and so can be neither removed nor read.
        file.unlink()
        file.mkdir()
        await asyncio.sleep(0.2)
        assert "cannot be read or removed" in (desk.writer.trouble() or "")
        desk.write(records(6)[3:], charged=True)
        await asyncio.sleep(0.2)
        assert await desk.kept() == records(6)
        assert desk.writer.trouble() is None
        assert desk.told.count("a file of the ledger's spool cannot be read or removed") == 1
        assert desk.files() == [file]


async def test_of_what_does_not_fit_on_the_disk_at_the_end_only_the_loose_rows_are_lost(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.writer.open()
    await asyncio.sleep(0.01)
    desk.database.is_silent = True
    desk.write(records(2), charged=True)
    desk.write(records(20)[2:])
    (file,) = desk.files()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 10, hard))
    try:
        await desk.writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert desk.counts["dropped"] == 18
    async with at_work(Desk(tmp_path, name="b")) as second:
        await asyncio.sleep(1.0)
        assert await second.kept() == records(2)


async def test_what_settles_after_the_end_goes_to_the_spool(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path)) as desk:
        pass
    desk.write(records(2))
    async with at_work(Desk(tmp_path, name="b")) as second:
        await asyncio.sleep(1.0)
        assert await second.kept() == records(2)


async def test_old_rows_are_deleted(tmp_path: Path) -> None:
    async with at_work(Desk(tmp_path, retention=2 * DAY)) as desk:
        desk.write([a_record(1, time=MIDNIGHT), a_record(2, time=virtual_clock().wall())])
        desk.write([a_record(3, time=virtual_clock().wall() - 10 * DAY)])
        await asyncio.sleep(3700.0)
        assert {record.id for record in await desk.kept()} == {"process-1", "process-2"}
        assert "old rows of the ledger were deleted" in desk.told
