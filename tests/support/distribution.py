"""Which worker runs which tests.

What lives here: ByNeed. A file's tests stay together, because they share what the file has started; so do the files of
a folder that share servers, which would else be started by every worker. Every other worker takes first what waits for
servers and programs, the rest what computes: two that wait at the same time leave a core idle.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it has no types
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

TOGETHER: Final = ("tests/clients", "tests/ledger")
"""Folders with servers that are started once a session."""
WAITING: Final = ("tests/clients", "tests/deploy", "tests/ledger", "tests/live", "tests/redis")
"""Folders whose tests wait for other processes."""


class ByNeed(LoadFileScheduling):  # type: ignore[misc]
    """In the order of collection, so that what comes last are many short files."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in TOGETHER else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        waits = self.nodes.index(node) % 2 == 0
        fitting = (scope for scope in self.workqueue if scope.startswith(WAITING) == waits)
        scope = next(fitting, next(iter(self.workqueue)))
        unit = self.workqueue.pop(scope)
        self.assigned_work[node][scope] = unit
        node.send_runtest_some([self._places[nodeid] for nodeid, done in unit.items() if not done])

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each test stands in the collection, which is that of every worker."""
        assert self.collection is not None
        return {nodeid: place for place, nodeid in enumerate(self.collection)}
