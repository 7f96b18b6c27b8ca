"""OpenAI's chat completions, which half of the industry speaks: requests, replies and streams, both ways."""

from __future__ import annotations

from typing import Final

from gateway.dialects.codec import Codec
from gateway.dialects.openai_chat.reply_reader import read_reply
from gateway.dialects.openai_chat.reply_writer import write_reply
from gateway.dialects.openai_chat.request_reader import read_request
from gateway.dialects.openai_chat.request_writer import write_request
from gateway.dialects.openai_chat.stream_reader import ChatReader
from gateway.dialects.openai_chat.stream_writer import ChatWriter
from gateway.dialects.unsaid import Room

CODEC: Final = Codec(
    name="openai-chat",
    read_request=read_request,
    write_request=write_request,
    read_reply=read_reply,
    write_reply=write_reply,
    stream_reader=ChatReader,
    stream_writer=ChatWriter,
    room=Room(quotes=False),
)
