"""Tap for Anthropic's messages: usage comes in message_start and message_delta, the end is message_stop."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Dialect
from gateway.dialects.sse import Event
from gateway.dialects.tap_events import UNREADABLE, EventTap
from gateway.dialects.tokens import AnthropicUsage, merge_anthropic, of_anthropic


class _Message(msgspec.Struct, gc=False):
    model: str | None = None
    usage: AnthropicUsage | None = None


class _Event(msgspec.Struct, gc=False):
    type: str | None = None
    message: _Message | None = None
    usage: AnthropicUsage | None = None


class _Kind(msgspec.Struct, gc=False):
    type: str | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_KIND: Final = msgspec.json.Decoder(_Kind)


class MessagesTap(EventTap):
    __slots__ = ("_counted",)

    dialect: Dialect = "anthropic"

    def __init__(self) -> None:
        super().__init__()
        self._counted: AnthropicUsage | None = None

    @staticmethod
    def _dull(block: bytes) -> bool:
        return block.find(b"message_") < 0 and block.find(b"error") < 0

    def _examine(self, event: Event) -> bool:
        payload = event.data
        try:
            kind = _KIND.decode(payload).type or event.event.decode("utf-8", "replace")
        except UNREADABLE:
            return True
        if kind == "ping":
            return True
        if kind == "error":
            self._blame(payload)
            return True
        self.started = True
        if kind == "message_stop":
            self.complete = True
        elif kind in ("message_start", "message_delta"):
            self._count(payload)
        return True

    def _count(self, payload: bytes) -> None:
        try:
            event = _EVENT.decode(payload)
        except UNREADABLE:
            return
        counted = event.usage
        if event.message is not None:
            self.model = self.model or event.message.model or ""
            counted = event.message.usage or counted
        if counted is not None:
            self._counted = merge_anthropic(self._counted, counted)
            self.usage = of_anthropic(self._counted)
