"""Where Claude is served besides Anthropic, and how its body differs there. Facts alone.

Source: platform.claude.com/docs (Claude on Vertex AI); the anthropic SDK 2.11, lib/vertex; 2026-11.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """version: the `anthropic_version` that stands in the body, instead of a header. The model stands in the path, and
    not in the body: whole_path for a reply at once, stream_path for a stream."""

    version: str
    whole_path: str
    stream_path: str


HOSTS: Final = {
    "vertex": Host(
        version="vertex-2023-10-16",
        whole_path="/publishers/anthropic/models/{model}:rawPredict",
        stream_path="/publishers/anthropic/models/{model}:streamRawPredict",
    ),
}
"""By the provider's name (TargetFacts.provider)."""
