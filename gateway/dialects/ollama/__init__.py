"""Ollama's own chat (`/api/chat`), as providers speak it; clients speak its OpenAI-compatible one."""

from __future__ import annotations

from typing import Final

from gateway.dialects.codec import provider_codec
from gateway.dialects.ollama.reply import read_reply
from gateway.dialects.ollama.request import write_request
from gateway.dialects.ollama.stream import Reader

CODEC: Final = provider_codec("ollama", write_request=write_request, read_reply=read_reply, stream_reader=Reader)
