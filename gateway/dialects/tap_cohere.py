"""Tap for Cohere's v2 chat: usage, the end and a failure all come in message-end."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Dialect
from gateway.dialects.sse import Event
from gateway.dialects.tap_events import UNREADABLE, EventTap
from gateway.dialects.tokens import CohereUsage, of_cohere


class _Delta(msgspec.Struct, gc=False):
    error: str | None = None
    finish_reason: str | None = None
    usage: CohereUsage | None = None


class _End(msgspec.Struct, gc=False):
    delta: _Delta | None = None


class _Kind(msgspec.Struct, gc=False):
    type: str | None = None


_END: Final = msgspec.json.Decoder(_End)
_KIND: Final = msgspec.json.Decoder(_Kind)


class CohereTap(EventTap):
    __slots__ = ()

    dialect: Dialect = "cohere"

    @staticmethod
    def _dull(block: bytes) -> bool:
        return block.find(b"message-end") < 0 and block.find(b"error") < 0

    def _examine(self, event: Event) -> bool:
        payload = event.data
        try:
            kind = _KIND.decode(payload).type or event.event.decode("utf-8", "replace")
        except UNREADABLE:
            return True
        if kind == "error":
            self._blame(payload)
            return True
        if self._settle_error(payload):
            return True
        if kind != "message-end":
            self.started = True
            return True
        try:
            delta = _END.decode(payload).delta or _Delta()
        except UNREADABLE:
            delta = _Delta()
        self.usage = of_cohere(delta.usage) or self.usage
        if delta.error or delta.finish_reason in ("ERROR", "TIMEOUT"):
            self._blame(payload)
        else:
            self.started = self.complete = True
        return True
