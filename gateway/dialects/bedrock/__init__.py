"""Amazon Bedrock's Converse, as a provider: nobody speaks it to the gateway."""

from __future__ import annotations

from typing import Final

from gateway.dialects.bedrock.reply import read_reply
from gateway.dialects.bedrock.request import write_request
from gateway.dialects.bedrock.stream import ConverseReader
from gateway.dialects.codec import provider_codec

CODEC: Final = provider_codec(
    "bedrock", write_request=write_request, read_reply=read_reply, stream_reader=ConverseReader
)
