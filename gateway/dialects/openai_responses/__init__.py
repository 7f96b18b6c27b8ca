"""OpenAI's Responses: requests, replies and streams, both ways."""

from __future__ import annotations

from typing import Final

from gateway.dialects.codec import Codec
from gateway.dialects.openai_responses.reply import read_reply, write_reply
from gateway.dialects.openai_responses.request_reader import read_request
from gateway.dialects.openai_responses.request_writer import write_request
from gateway.dialects.openai_responses.stream_reader import ResponsesReader
from gateway.dialects.openai_responses.stream_writer import ResponsesWriter
from gateway.dialects.unsaid import Room

CODEC: Final = Codec(
    name="openai-responses",
    read_request=read_request,
    write_request=write_request,
    read_reply=read_reply,
    write_reply=write_reply,
    stream_reader=ResponsesReader,
    stream_writer=ResponsesWriter,
    room=Room(sound=False, quotes=False),
)
