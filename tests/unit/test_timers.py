"""One timer of the loop for many who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.timers import TimerLine, TimerLines
from tests.support.virtual_time import START, elapsed, virtual_clock


class Waiting:
    """Who waits. rung: when, in seconds after the test's start."""

    def __init__(self) -> None:
        self.rung: list[float] = []

    def ring(self) -> None:
        self.rung.append(elapsed())


class Line:
    """A line, and how many timers of the loop it has set."""

    def __init__(self) -> None:
        self.line = TimerLine(virtual_clock().monotonic)
        self.timers = 0

    def count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Count from now on the timers that lines set."""
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def counted(delay: float, callback: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
            self.timers += callback.__name__ == "_ring"
            return call_later(delay, callback, *arguments)

        monkeypatch.setattr(loop, "call_later", counted)

    def join(self, delay: float) -> Waiting:
        waiting = Waiting()
        assert self.line.join(waiting, START + elapsed() + delay)
        return waiting


async def test_each_is_rung_when_it_is_due() -> None:
    line = Line()
    waiting = []
    for _ in range(5):
        waiting.append(line.join(10.0))
        await asyncio.sleep(3.0)
    await asyncio.sleep(100)
    assert [one.rung for one in waiting] == [[10.0], [13.0], [16.0], [19.0], [22.0]]
    assert line.line.waiting == {}


async def test_many_that_come_and_go_cost_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    line.count(monkeypatch)
    came = []
    for _ in range(1000):
        came.append(line.join(10.0))
        await asyncio.sleep(0.005)
        del line.line.waiting[came[-1]]
    await asyncio.sleep(100)
    assert ([one.rung for one in came], line.timers) == ([[]] * 1000, 1)


async def test_a_line_that_was_empty_begins_anew() -> None:
    line = Line()
    first = line.join(10.0)
    await asyncio.sleep(50)
    second = line.join(10.0)
    await asyncio.sleep(50)
    assert (first.rung, second.rung) == ([10.0], [60.0])


async def test_who_left_does_not_hide_who_came_after() -> None:
    line = Line()
    first = line.join(10.0)
    await asyncio.sleep(4)
    second = line.join(10.0)
    line.line.waiting.pop(first)
    await asyncio.sleep(100)
    assert (first.rung, second.rung) == ([], [14.0])


async def test_those_due_together_are_rung_together(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    line.count(monkeypatch)
    waiting = [line.join(10.0) for _ in range(3)]
    await asyncio.sleep(10)
    assert [one.rung for one in waiting] == [[10.0]] * 3
    assert line.timers == 1


async def test_who_is_due_already_is_rung_in_the_next_turn() -> None:
    line = Line()
    waiting = line.join(-1.0)
    assert waiting.rung == []
    await asyncio.sleep(5)
    assert waiting.rung == [0.0]


async def test_who_is_due_before_the_last_is_turned_away() -> None:
    line = Line()
    line.join(10.0)
    assert not line.line.join(Waiting(), START + 9.0)
    assert len(line.line.waiting) == 1


async def test_who_leaves_when_another_is_rung_is_not_rung() -> None:
    line = Line()
    second = Waiting()

    class First(Waiting):
        def ring(self) -> None:
            super().ring()
            line.line.waiting.pop(second)

    assert line.line.join(First(), START + 1.0)
    assert line.line.join(second, START + 1.0)
    await asyncio.sleep(5)
    assert second.rung == []


def test_who_waits_as_long_for_the_same_is_in_the_same_line() -> None:
    lines = TimerLines(lambda: 0.0)
    assert lines.of("reply", 600.0) is lines.of("reply", 600.0)
    assert len({lines.of("reply", 600.0), lines.of("reply", 60.0), lines.of("first token", 60.0)}) == 3
