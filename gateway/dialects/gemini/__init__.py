"""Gemini's generateContent, as clients speak it and as providers do."""

from __future__ import annotations

from typing import Final

from gateway.dialects.codec import Codec
from gateway.dialects.gemini.reply import read_reply, write_reply
from gateway.dialects.gemini.request import read_request
from gateway.dialects.gemini.stream import Reader
from gateway.dialects.gemini.stream_writer import Writer
from gateway.dialects.gemini.target import write_request

CODEC: Final = Codec(
    name="gemini",
    read_request=read_request,
    write_request=write_request,
    read_reply=read_reply,
    write_reply=write_reply,
    stream_reader=Reader,
    stream_writer=Writer,
)
