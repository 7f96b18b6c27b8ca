"""The database that the admin API asks: the ledger's, by connections of its own.

A report over a year may take a while, and what requests ask of the ledger, such as who has a balance, is not to wait
behind it.
"""

from __future__ import annotations

from gateway.assemble.ledger import ledger_database
from gateway.config.spec import LedgerSettings
from gateway.runtime import Behind
from gateway.store.ledger.protocol import LedgerDatabase


class AdminLedger:
    """The database of the config that serves, made when it is first asked for. behind: closes one that is replaced."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind
        self._settings: LedgerSettings | None = None
        self._database: LedgerDatabase | None = None

    def of(self, settings: LedgerSettings | None) -> LedgerDatabase | None:
        """None where no ledger is kept. It connects, and is brought up to date, by what it is asked."""
        if settings != self._settings:
            if self._database is not None:
                self._behind.start(self._database.close(), surely=True)
            self._settings = settings
            self._database = None if settings is None else ledger_database(settings)
        return self._database

    async def close(self) -> None:
        if self._database is not None:
            await self._database.close()
