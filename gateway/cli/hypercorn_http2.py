"""Hypercorn's HTTP/2, with what its version 0.18 lacks.

Lives here: one subclass, put in the place of its own. A client may go on sending a body whose request has been answered
(with a refusal, or because its end was still under way). Hypercorn then finds no stream for it, and ends the whole
connection with every other request on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypercorn.protocol
from h2.events import DataReceived
from hypercorn.protocol.h2 import H2Protocol

if TYPE_CHECKING:
    from h2.events import Event


class Http2(H2Protocol):
    """HTTP/2 that takes what comes too late, and leaves it."""

    async def _handle_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id not in self.streams:
                # So that the connection's window does not close by and by.
                self.connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            else:
                await super()._handle_events([event])
        await self._flush()


def install() -> None:
    """Have hypercorn serve with it."""
    hypercorn.protocol.H2Protocol = Http2  # type: ignore[attr-defined]
