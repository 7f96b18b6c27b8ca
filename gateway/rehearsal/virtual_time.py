"""An asyncio loop whose time is virtual: nobody waits, and every run is the same.

What lives here: VirtualLoop, run_virtual and a Clock that reads the loop. When nothing is ready, the
clock jumps to the next timer. When there is no timer either, whoever runs on it has deadlocked and is told
so, with the places where its tasks wait. Real sockets do not belong on this loop; jobs in an executor may
run on it and take no virtual time.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from gateway.core.clock import Clock

T = TypeVar("T")

START: Final = 1000.0
"""Where loop.time() begins. Not 0, because 0 means `not yet` in the records of an exchange."""

WALL: Final = 1_800_000_000.0

MAX_JUMPS: Final = 1_000_000
"""What jumps more often has a loop of timers that never ends."""

THREAD_GRACE: Final = 10.0
"""Real seconds that another thread has to wake a loop that has nothing else to do."""


class Deadlock(RuntimeError):
    """Nothing is ready and nothing is scheduled: what is waited for will never come."""


class _JumpingSelector(selectors.BaseSelector):
    """Asks the real selector without waiting, then moves the loop's clock instead."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.must_wait: Callable[[], bool] = lambda: False
        self.describe: Callable[[], str] = lambda: ""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.must_wait():
            ready = self._real.select(THREAD_GRACE)
            if not ready:
                raise Deadlock(self.describe())
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """loop.time() starts at START and moves only from timer to timer."""

    def __init__(self, max_jumps: int | None = None) -> None:
        selector = _JumpingSelector()
        super().__init__(selector)
        selector.must_wait = self._pass_idle_time
        selector.describe = self._describe_deadlock
        self._now = START
        self._jumps = 0
        self._max_jumps = max_jumps or MAX_JUMPS
        self._jobs = 0

    def time(self) -> float:
        return self._now

    def elapsed(self) -> float:
        """Virtual seconds since the loop was made, rounded to the microsecond so that sums of
        decimal delays compare equal to the decimal that was written."""
        return round(self._now - START, 6)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._end_job)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        executor: Executor | None = getattr(self, "_default_executor", None)
        if executor is not None:
            executor.shutdown(wait=True)

    def _end_job(self, _: asyncio.Future[Any]) -> None:
        self._jobs -= 1

    def _pass_idle_time(self) -> bool:
        """Jump to the next timer. True: time must not move, only a thread can wake the loop."""
        if self._jobs:
            return True
        timers: list[asyncio.TimerHandle] = getattr(self, "_scheduled")  # noqa: B009
        if not timers:
            if threading.active_count() > 1:
                return True
            raise Deadlock(self._describe_deadlock())
        self._jumps += 1
        if self._jumps > self._max_jumps:
            raise Deadlock(
                f"{self._max_jumps} timers have fired, virtual time is {self._now}: a loop of timers never ends"
            )
        self._now = max(self._now, timers[0].when())
        return False

    def _describe_deadlock(self) -> str:
        lines = [f"nothing is scheduled after {self.elapsed()} virtual seconds; still waiting:"]
        for task in asyncio.all_tasks(self):
            stack = task.get_stack()
            place = f"{stack[-1].f_code.co_filename}:{stack[-1].f_lineno}" if stack else "not started"
            lines.append(f"  {task.get_name()} at {place}")
        return "\n".join(lines)


def run_virtual(coroutine: Coroutine[Any, Any, T], max_jumps: int | None = None) -> T:
    """Run to the end on a fresh VirtualLoop. Raises Deadlock."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(max_jumps)) as runner:
        return runner.run(coroutine)


def virtual_clock(loop: asyncio.AbstractEventLoop | None = None, seed: int = 0) -> Clock:
    """A Clock that reads the loop (by default the running one); its chance repeats from run to run."""
    time = (loop or asyncio.get_running_loop()).time
    return Clock(monotonic=time, wall=lambda: WALL + time(), chance=random.Random(seed).random)


def elapsed() -> float:
    """Virtual seconds since the running loop was made."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise RuntimeError("the running loop is not a VirtualLoop")
    return loop.elapsed()
