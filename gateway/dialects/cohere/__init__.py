"""Cohere's v2 chat, as providers speak it. Clients of this dialect reach Cohere alone, byte for byte."""

from __future__ import annotations

from typing import Final

from gateway.dialects.codec import provider_codec
from gateway.dialects.cohere.reply import read_reply
from gateway.dialects.cohere.request import write_request
from gateway.dialects.cohere.stream import Reader

CODEC: Final = provider_codec("cohere", write_request=write_request, read_reply=read_reply, stream_reader=Reader)
