"""Anthropic's Messages, for clients and for providers: everything that is put together from this package is CODEC."""

from __future__ import annotations

from typing import Final

from gateway.dialects.anthropic.reply import read_reply, write_reply
from gateway.dialects.anthropic.request_reader import read_request
from gateway.dialects.anthropic.request_writer import write_request
from gateway.dialects.anthropic.stream_reader import MessagesReader
from gateway.dialects.anthropic.stream_writer import MessagesWriter
from gateway.dialects.codec import Codec
from gateway.dialects.unsaid import Room

CODEC: Final = Codec(
    name="anthropic",
    read_request=read_request,
    write_request=write_request,
    read_reply=read_reply,
    write_reply=write_reply,
    stream_reader=MessagesReader,
    stream_writer=MessagesWriter,
    room=Room(pictures=False, sound=False),
)
