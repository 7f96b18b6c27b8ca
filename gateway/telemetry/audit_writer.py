"""A bounded queue, and the thread that empties it into a place.

Laws: putting something in waits for nothing; what does not fit is counted, and so is what could not be written in the
end. A place that fails is offered the same lines again, later and later, until it takes them or the process ends. The
thread gives way to the event loop every few lines, because only one of them runs at a time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Event, Thread
from typing import Final, Generic, TypeVar

from gateway.telemetry.audit_place import Line, Place, Refused, said
from gateway.telemetry.log import Level, Log

T = TypeVar("T")
WINDOW: Final = 0.05
"""Seconds for which lines gather before they are written: what a killed process loses."""
_IDLE: Final = 30.0
_BATCH: Final = 256
_BATCH_BYTES: Final = 1 << 20
_RUN: Final = 16
_PAUSE: Final = 0.0001
_FIRST_DELAY: Final = 0.25
_LONGEST_DELAY: Final = 15.0
Count = Callable[[str, int], None]


class Writer(Generic[T]):
    """most: so much may wait. line_of: makes a line of what was put in, in the thread. count: of lines, by result:
    `written`, `dropped` for want of room, `failed`."""

    def __init__(self, place: Place, line_of: Callable[[T], Line], *, most: int, count: Count, log: Log) -> None:
        self._place: Final = place
        self._line_of: Final = line_of
        self._most: Final = most
        self._count: Final = count
        self._log: Final = log
        self._queue: Final[deque[T]] = deque()
        self._thread: Thread | None = None
        self._something: Final = Event()
        self._closing: Final = Event()
        self._awake = False
        self._dropping = False
        self._trouble = ""
        self._held: list[Line] = []

    def start(self) -> None:
        self._thread = Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def put(self, one: T) -> bool:
        """Whether there was room."""
        if len(self._queue) >= self._most:
            self._drop()
            return False
        self._queue.append(one)
        if not self._awake:
            self._awake = True
            self._something.set()
        return True

    def close(self, within: float) -> None:
        """Write what is there, in so many seconds. To be called from another thread than the event loop's."""
        self._closing.set()
        self._something.set()
        if self._thread is not None:
            self._thread.join(within)
            lost = len(self._queue) + len(self._held)
            if self._thread.is_alive() and lost:
                # It may still wake up, but the process will not wait for it.
                self._count("failed", lost)
                self._tell("error", "audit lines were lost", f"{lost} could not be written within {within:g} s")

    def trouble(self) -> str | None:
        """What is wrong, as far as it is known."""
        if self._trouble:
            return f"{self._trouble}; {len(self._queue) + len(self._held)} lines wait"
        return "more lines than can be written: some are dropped" if self._dropping else None

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._something.wait(_IDLE):
                self._closing.wait(WINDOW)
                self._something.clear()
                self._awake = False
                self._empty()
            else:
                self._tend()
        self._empty()
        self._place.close()

    def _empty(self) -> None:
        while self._queue or self._held:
            self._held = self._held or self._next_batch()
            if self._held:
                self._deliver()
        self._dropping = False

    def _next_batch(self) -> list[Line]:
        lines: list[Line] = []
        size = 0
        while self._queue and len(lines) < _BATCH and size < _BATCH_BYTES:
            one = self._queue.popleft()
            try:
                line = self._line_of(one)
            except Exception as bug:
                self._count("failed", 1)
                self._tell("error", "an audit line could not be made", repr(bug))
                continue
            lines.append(line)
            size += len(line.text)
            if len(lines) % _RUN == 0 and not self._closing.is_set():
                time.sleep(_PAUSE)
        return lines

    def _deliver(self) -> None:
        """Until the place has them, or will not, or the process ends."""
        delay = _FIRST_DELAY
        while True:
            last = self._closing.is_set()
            problem = self._offer()
            if problem is None:
                break
            if last or isinstance(problem, Refused):
                self._count("failed", len(self._held))
                self._held = []
                return
            self._closing.wait(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
        self._count("written", len(self._held))
        self._held = []
        if self._trouble:
            self._trouble = ""
            self._tell("info", "audit lines are written again", "")

    def _offer(self) -> OSError | None:
        try:
            self._place.write(self._held)
        except OSError as problem:
            if not self._trouble:
                # Once for an outage, not for each try.
                self._tell("error", "audit lines cannot be written", said(problem))
            self._trouble = f"audit lines cannot be written: {said(problem)}"
            return problem
        except Exception as bug:
            # Not what a place may raise, and no end of the thread: these lines are lost, the next are offered. Its
            # words may hold what a header does.
            self._tell("error", "audit lines cannot be written", type(bug).__name__)
            return Refused(type(bug).__name__)
        return None

    def _tend(self) -> None:
        try:
            self._place.tend()
        except OSError as problem:
            self._tell("warning", "audit files cannot be looked after", said(problem))

    def _drop(self) -> None:
        self._count("dropped", 1)
        if not self._dropping:
            self._dropping = True
            self._tell("error", "audit lines are dropped", f"{self._most} wait to be written already")

    def _tell(self, level: Level, event: str, problem: str) -> None:
        self._log.write(level, event, {"problem": problem} if problem else None)
