"""Virtual time, as `gateway test` has it: tests of the gateway and rehearsals of a config run on the same loop."""

from __future__ import annotations

from gateway.rehearsal.virtual_time import (
    MAX_JUMPS,
    START,
    THREAD_GRACE,
    WALL,
    Deadlock,
    VirtualLoop,
    elapsed,
    run_virtual,
    virtual_clock,
)

__all__ = [
    "MAX_JUMPS",
    "START",
    "THREAD_GRACE",
    "WALL",
    "Deadlock",
    "VirtualLoop",
    "elapsed",
    "run_virtual",
    "virtual_clock",
]
