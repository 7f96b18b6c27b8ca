"""Whether the ledger's database answers, and when one that does not is asked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.store.ledger.bringing import Tell
from gateway.store.ledger.protocol import LedgerDown

FIRST_RETRY: Final = 0.2
LAST_RETRY: Final = 5.0


class Reach:
    """now: clock seconds. down: why it does not answer, None while it does. behind_since: since when there are rows
    that it has not been given, 0.0 where there are none; whoever has brought them all says so."""

    def __init__(self, now: Callable[[], float], tell: Tell) -> None:
        self._now = now
        self._tell = tell
        self.down: str | None = None
        self.behind_since = 0.0
        self._since = 0.0
        self._delay = FIRST_RETRY
        self._retry_at = 0.0

    def may_be_asked(self) -> bool:
        return self.down is None or self._now() >= self._retry_at

    def wait(self) -> float:
        """Seconds until it is asked again; it is away."""
        return max(self._retry_at - self._now(), 0.01)

    def fell(self, down: LedgerDown) -> None:
        """It did not answer, for the first time or again."""
        now = self._now()
        if self.down is None:
            self._since = now
            self.behind_since = self.behind_since or now
            self._delay = FIRST_RETRY
            self._tell("error", "the ledger is away", {"error": str(down)})
        else:
            self._delay = min(self._delay * 2, LAST_RETRY)
        self.down = str(down)
        self._retry_at = now + self._delay

    def rose(self) -> bool:
        """It answered: whether it did not before."""
        if self.down is None:
            return False
        self._tell("info", "the ledger is back", {"seconds": round(self._now() - self._since, 1)})
        self.down = None
        return True
