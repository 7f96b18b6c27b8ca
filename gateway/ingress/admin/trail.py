"""What was asked to be changed through the admin API, by whom and with what result: in the log, and in the audit log.

Law: every request to an operation that writes, by somebody who is known, leaves its line, whether it was done or not.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.record import Record
from gateway.core.usage import Usage
from gateway.ingress.admin.asking import Asked
from gateway.ingress.admin.process import Process
from gateway.store.ledger.protocol import LedgerDown
from gateway.telemetry.audit_line import Change
from gateway.telemetry.audit_sink import AuditSink

ROUTER: Final = "/admin"
"""Where the lines say that it was."""


class Trail:
    """Of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def tell(self, asked: Asked, path: str, began: float, error: BaseException | None) -> None:
        """A request to write that has ended. path: as it came. began: clock seconds. error: why it was not done."""
        runtime = self._process.runtime
        for event, fields in asked.noted:
            # Rare, and to be found again whatever else is left out of a log.
            runtime.log.write("warning", event, {"by": asked.bearer.name or "anybody on this machine", **fields})
        sink = runtime.sinks.get("audit")
        if not isinstance(sink, AuditSink):
            return
        record = self._record(asked, runtime.clock.monotonic() - began, error)
        changes = [Change(event, dict(fields)) for event, fields in asked.noted]
        sink.note(record, path, len(asked.content), changes[-1] if changes else msgspec.UNSET)

    def _record(self, asked: Asked, seconds: float, error: BaseException | None) -> Record:
        number = f"admin-{os.urandom(12).hex()}"
        status, code = 200, ""
        if isinstance(error, GatewayError):
            status, code = error.status, error.code
        elif isinstance(error, LedgerDown):
            status, code = 503, "ledger_unavailable"
        elif error is not None:
            status, code = 500, "internal_error"
        return Record(
            id=number, time=asked.now, request_id=number, caller=asked.by, team="", project="", user="", router=ROUTER,
            config=self._process.serving.hash, dialect="other", operation="other", stream=False, asked="", provider="",
            model="", key="", rule="", status=status, outcome="error" if error is not None else "ok", error_code=code,
            usage=Usage(), metered=False, cost=0, price_source="", cache="", saved=0, saved_by="", seconds=seconds,
            first_byte=0.0, max_tokens=0, attempts=(), losses=(),
        )  # fmt: skip
