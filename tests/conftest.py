"""How tests run: every `async def` test on virtual time, unless it is marked `real_time`.

A real_time test may use loopback sockets and threads; it waits on events, never sleeps, and has
REAL_BOUND seconds before it is called hung. Async fixtures are not supported, because a fixture would
live on another loop than its test: use an async context manager inside the test.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

import hypothesis
import pytest

from tests.support.virtual_time import run_virtual

REAL_BOUND: Final = 60.0
"""Real seconds. Only a hung test ever sees it."""

AsyncTest = Callable[..., Coroutine[Any, Any, None]]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a third of the time of tests is spent waiting for servers."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """For `--dist loadfile`."""
    if config.getoption("dist") != "loadfile":
        return None
    # Only where there are workers: xdist may be left out.
    from tests.support.distribution import ByNeed

    config.option.loadscopereorder = False
    return ByNeed(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing of thirteen thousand tests is garbage: looking for some took a third of the time. Of what a test leaves
    behind, most goes by itself: looking for the rest at every house that is built took a tenth."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    # No test is timed: an example may take its while on a machine that has something else to do.
    hypothesis.settings.register_profile("untimed", hypothesis.settings(deadline=None))
    hypothesis.settings.load_profile("untimed")
    config.addinivalue_line("markers", "real_time: an async test that uses sockets or threads and a real event loop")


@pytest.fixture
def anyio_backend() -> str:
    """Code that asks anyio for its backend gets asyncio."""
    return "asyncio"


async def _bounded(coroutine: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(REAL_BOUND):
        await coroutine


def _run_real(coroutine: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner() as runner:
        runner.run(_bounded(coroutine))


def _as_sync(test: AsyncTest, *, real: bool) -> Callable[..., None]:
    run = _run_real if real else run_virtual

    @functools.wraps(test)
    def run_test(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return run_test


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    test = pyfuncitem.obj
    real = pyfuncitem.get_closest_marker("real_time") is not None
    law = getattr(test, "hypothesis", None)
    if law is not None:
        # Each example runs on a loop of its own; Hypothesis itself stays synchronous.
        if inspect.iscoroutinefunction(law.inner_test):
            law.inner_test = _as_sync(law.inner_test, real=real)
        return None
    if not inspect.iscoroutinefunction(test):
        return None
    wanted = inspect.signature(test).parameters
    _as_sync(test, real=real)(**{name: value for name, value in pyfuncitem.funcargs.items() if name in wanted})
    return True
