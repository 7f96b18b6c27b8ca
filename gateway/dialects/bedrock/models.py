"""Which family a Bedrock model is of, and what Converse carries to it. Facts alone.

Sources: docs.aws.amazon.com/bedrock (Converse supported models and features, prompt caching, structured output, Nova 2
extended thinking, gpt-oss); botocore 1.44.5, bedrock-runtime; 2026-11.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import msgspec

from gateway.dialects.anthropic.models import Traits, traits_of

Family = Literal["claude", "nova", "gpt-oss", "other"]

_NO_STRUCTURE: Final = ("amazon.", "meta.", "cohere.", "ai21.", "writer.")


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """claude: what a Claude model takes besides. structured: `outputConfig.textFormat` is known to it. caches: cache
    points are; long_cache: with a time to live. top_k: the member of the additional fields that holds it, () where it
    has none. thinks: by which words it is told to."""

    family: Family
    claude: Traits | None = None
    structured: bool = True
    caches: bool = False
    long_cache: bool = False
    top_k: tuple[str, ...] = ()
    thinks: Literal["thinking", "reasoningConfig", "reasoning_effort", ""] = ""


@lru_cache(maxsize=512)
def carried_by(model: str) -> Carried:
    """model: an id, an inference profile's id or an ARN."""
    name = model.lower()
    if "claude" in name:
        traits = traits_of(model, "bedrock")
        return Carried(
            family="claude",
            claude=traits,
            structured=traits.structured,
            caches=True,
            long_cache=True,
            top_k=("top_k",),
            thinks="thinking",
        )
    if "amazon.nova" in name:
        thinks: Literal["reasoningConfig", ""] = "reasoningConfig" if "nova-2" in name else ""
        return Carried(family="nova", structured=False, caches=True, top_k=("inferenceConfig", "topK"), thinks=thinks)
    if "gpt-oss" in name:
        return Carried(family="gpt-oss", thinks="reasoning_effort")
    return Carried(family="other", structured=not any(vendor in name for vendor in _NO_STRUCTURE))
