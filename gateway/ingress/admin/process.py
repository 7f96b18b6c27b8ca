"""What the admin API asks of the process that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from gateway.config.spec import Spec
from gateway.ingress.ops import Serving
from gateway.runtime import Runtime
from gateway.store.ledger.protocol import Consumer, LedgerDatabase


class Process(Protocol):
    """One process of the gateway. serving: what serves now; files: what that was read from."""

    runtime: Runtime
    serving: Serving
    files: tuple[Path, ...]

    @property
    def spec(self) -> Spec:
        """Of the config that serves."""
        ...

    def effective(self) -> Mapping[str, object]:
        """The config that serves as one document, credentials masked."""
        ...

    def ledger(self) -> LedgerDatabase | None:
        """The database of the ledger; None where none is kept."""
        ...

    async def balance_changed(self, consumer: Consumer) -> None:
        """Have what was paid in or taken away count at once: here, and wherever the store is shared. Never raises."""
        ...

    async def reload(self) -> bool:
        """Read the config again, as on SIGHUP; whether it serves."""
        ...

    def tell_others(self) -> None:
        """Let the other workers reload too."""
        ...
