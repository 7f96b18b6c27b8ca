from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Sequence
from threading import Event

from gateway.telemetry.audit_place import Line, Refused, StandardOutput
from gateway.telemetry.audit_writer import Writer
from gateway.telemetry.log import Log


class Shop:
    """A place that does to each batch what the test says: takes it, or raises. open: it is asked at all."""

    def __init__(self, *answers: Exception | None) -> None:
        self.taken: list[str] = []
        self.asked = 0
        self.closed = False
        self.called = Event()
        self.open = Event()
        self.open.set()
        self._answers = list(answers)

    def write(self, lines: Sequence[Line]) -> None:
        self.asked += 1
        self.called.set()
        assert self.open.wait(60)
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        self.taken += [line.text.decode() for line in lines]

    def tend(self) -> None:
        return

    def close(self) -> None:
        self.closed = True


class Desk:
    """A writer of texts to a shop, with what it counts and logs."""

    def __init__(self, shop: Shop, most: int = 1000) -> None:
        self.counts: Counter[str] = Counter()
        self.output = io.StringIO()
        log = Log(lambda: 0.0, "text", "debug", self.output)
        self.writer: Writer[str] = Writer(shop, _line_of, most=most, count=self._count, log=log)

    def _count(self, result: str, lines: int) -> None:
        self.counts[result] += lines


def _line_of(text: str) -> Line:
    if text == "bad":
        raise ValueError("no line can be made of it")
    return Line(0.0, text.encode())


def test_what_is_put_in_is_written_in_its_order() -> None:
    shop = Shop()
    desk = Desk(shop)
    desk.writer.start()
    texts = [str(number) for number in range(900)]
    assert all(desk.writer.put(text) for text in texts)
    desk.writer.close(30)
    assert shop.taken == texts
    assert shop.closed
    assert desk.counts == {"written": 900}
    assert desk.writer.trouble() is None


def test_what_has_no_room_is_dropped_counted_and_told_once() -> None:
    shop = Shop()
    desk = Desk(shop, most=3)
    assert [desk.writer.put(text) for text in "abcde"] == [True, True, True, False, False]
    assert desk.writer.trouble() == "more lines than can be written: some are dropped"
    desk.writer.start()
    desk.writer.close(30)
    assert shop.taken == [*"abc"]
    assert desk.counts == {"written": 3, "dropped": 2}
    assert desk.output.getvalue().count("audit lines are dropped") == 1
    assert desk.writer.trouble() is None


def test_a_place_that_fails_is_offered_the_same_lines_until_it_takes_them() -> None:
    full = OSError(28, "No space left on device")
    shop = Shop(full, full)
    desk = Desk(shop)
    desk.writer.start()
    desk.writer.put("a")
    assert shop.called.wait(60)
    while shop.asked < 3:
        shop.called.clear()
        assert shop.called.wait(60)
    desk.writer.put("b")
    desk.writer.close(30)
    assert shop.taken == ["a", "b"]
    assert desk.counts == {"written": 2}
    said = desk.output.getvalue()
    assert said.count("audit lines cannot be written") == 1
    assert said.count("audit lines are written again") == 1


def test_trouble_says_what_is_wrong_and_how_much_waits() -> None:
    shop = Shop(OSError(28, "No space left on device"))
    desk = Desk(shop)
    desk.writer.start()
    desk.writer.put("a")
    assert shop.called.wait(60)
    shop.open.clear()
    while desk.writer.trouble() is None:
        shop.called.clear()
        assert shop.called.wait(60)
    assert desk.writer.trouble() == "audit lines cannot be written: No space left on device; 1 lines wait"
    shop.open.set()
    desk.writer.close(30)
    assert shop.taken == ["a"]


def test_what_a_place_refuses_for_ever_is_counted_and_the_next_lines_are_offered() -> None:
    shop = Shop(Refused("the collector answers 400"))
    desk = Desk(shop)
    desk.writer.start()
    desk.writer.put("a")
    assert shop.called.wait(60)
    desk.writer.close(30)
    assert shop.taken == []
    assert desk.counts == {"failed": 1}


def test_a_fault_of_a_place_loses_its_lines_and_ends_nothing() -> None:
    shop = Shop(ValueError("Invalid header value b'Bearer hush'"))
    desk = Desk(shop)
    desk.writer.start()
    desk.writer.put("a")
    assert shop.called.wait(60)
    assert desk.writer.put("b")
    desk.writer.close(30)
    assert shop.taken == ["b"]
    assert desk.counts == {"failed": 1, "written": 1}
    assert "ValueError" in desk.output.getvalue()
    assert "hush" not in desk.output.getvalue()


def test_a_place_that_fails_to_the_end_does_not_keep_the_process() -> None:
    shop = Shop(*[OSError("away")] * 99)
    desk = Desk(shop)
    desk.writer.put("a")
    desk.writer.start()
    desk.writer.close(30)
    assert desk.counts == {"failed": 1}
    assert shop.closed


def test_a_place_that_hangs_does_not_keep_the_process_either() -> None:
    shop = Shop()
    shop.open.clear()
    desk = Desk(shop)
    desk.writer.put("a")
    desk.writer.start()
    assert shop.called.wait(60)
    desk.writer.put("b")
    desk.writer.close(0.01)
    assert desk.counts == {"failed": 2}
    assert "audit lines were lost" in desk.output.getvalue()
    shop.open.set()


def test_a_line_that_cannot_be_made_is_counted_and_the_others_are_written() -> None:
    shop = Shop()
    desk = Desk(shop)
    for text in ("a", "bad", "b"):
        desk.writer.put(text)
    desk.writer.start()
    desk.writer.close(30)
    assert shop.taken == ["a", "b"]
    assert desk.counts == {"written": 2, "failed": 1}


def test_standard_output_has_each_line_in_one_write() -> None:
    reading, writing = os.pipe()
    StandardOutput(writing).write([Line(0.0, b"one"), Line(0.0, b"two")])
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"one\ntwo\n"


def test_a_batch_that_standard_output_took_in_part_goes_on_where_it_ended() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    place = StandardOutput(writing)
    lines = [Line(0.0, b"%d" % number * 10_000) for number in range(10, 30)]
    written = b""
    os.set_blocking(reading, False)
    for _ in range(1000):
        try:
            place.write(lines)
            break
        except BlockingIOError:
            written += os.read(reading, 1 << 20)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        written += pipe.read()
    found = written.splitlines()
    assert [line for line in dict.fromkeys(found) if line in {one.text for one in lines}] == [one.text for one in lines]
    # What is left of a line that was cut is on a line of its own, and is no whole one.
    assert all(any(one.text.startswith(line) for one in lines) for line in found)
