"""OpenAI, Anthropic, Google: the vendors whose wire formats are dialects of their own.

Facts only, each read where `source` says. No logic lives here. Of a vendor's models those stand here
that it still serves and that are not mere dated pins of another; a name that is missing is still
routed by its family, only its window is not known.
"""

from __future__ import annotations

from typing import Final

from gateway.providers.row import Model, Row, Surface

OPENAI: Final = Row(
    name="openai",
    title="OpenAI",
    origin="https://api.openai.com",
    env=("OPENAI_API_KEY",),
    surfaces=(
        Surface(
            dialect="openai",
            operations=(
                "chat",
                "completions",
                "responses",
                "count-tokens",
                "embeddings",
                "images",
                "audio",
                "moderations",
                "models",
            ),
        ),
    ),
    # Not `gpt-*`: gpt-oss is open-weight, everybody's but OpenAI's own API.
    families=(
        "gpt-[0-9]*",
        "chatgpt-*",
        "o[0-9]*",
        "gpt-audio*",
        "gpt-chat-*",
        "gpt-daybreak-*",
        "gpt-image-*",
        "gpt-live-*",
        "gpt-realtime*",
        "gpt-rosalind-*",
        "gpt-transcribe*",
        "computer-use-*",
        "codex-*",
        "text-embedding-3-*",
        "text-embedding-ada-*",
        "omni-moderation-*",
        "text-moderation-*",
        "dall-e-*",
        "sora-*",
        "tts-*",
        "whisper-1",
        "ft:*",
    ),
    models=(
        Model(name="gpt-6.1-sol", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-6.1-terra", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-6-astra", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-6-sol", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-6-luna", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.6", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.6-sol", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.6-terra", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.6-luna", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.5", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.5-pro", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.4", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.4-pro", context=1_050_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.4-mini", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.4-nano", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.3-codex", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.2", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.2-pro", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5.1", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5-mini", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5-nano", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-5-pro", context=400_000, max_output=272_000, vision=True, tools=True),
        Model(name="chat-latest", context=400_000, max_output=128_000, vision=True, tools=True),
        Model(name="gpt-4.1", context=1_047_576, max_output=32_768, vision=True, tools=True),
        Model(name="gpt-4.1-mini", context=1_047_576, max_output=32_768, vision=True, tools=True),
        Model(name="gpt-4o", context=128_000, max_output=16_384, vision=True, tools=True),
        Model(name="gpt-4o-mini", context=128_000, max_output=16_384, vision=True, tools=True),
        Model(name="o3", context=200_000, max_output=100_000, vision=True, tools=True),
        Model(name="o3-pro", context=200_000, max_output=100_000, vision=True, tools=True),
        Model(name="gpt-audio", context=128_000, max_output=16_384, vision=False, tools=True),
        Model(name="gpt-audio-mini", context=128_000, max_output=16_384, vision=False, tools=True),
        Model(name="gpt-audio-1.5", context=128_000, max_output=16_384, vision=False, tools=True),
        Model(name="gpt-realtime-2", context=128_000, max_output=32_000, tools=True),
        Model(name="gpt-4o-transcribe", context=16_000, max_output=2_000),
        Model(name="gpt-4o-mini-transcribe", context=16_000, max_output=2_000),
        Model(name="gpt-4o-mini-tts"),
        Model(name="gpt-transcribe"),
        Model(name="whisper-1"),
        Model(name="tts-1"),
        Model(name="tts-1-hd"),
        Model(name="gpt-image-2.5-sunburst"),
        Model(name="gpt-image-2.5-flare"),
        Model(name="gpt-image-2"),
        Model(name="text-embedding-3-large", context=8_191),
        Model(name="text-embedding-3-small", context=8_191),
        Model(name="text-embedding-ada-002", context=8_191),
        Model(name="omni-moderation-latest", context=32_768),
    ),
    source=(
        "developersdigest.tech/reference/api-compatibility/openai; operations and models: PyPI litellm "
        "1.109.1, genai-prices 0.2.3; 2026-11"
    ),
)

ANTHROPIC: Final = Row(
    name="anthropic",
    title="Anthropic",
    origin="https://api.anthropic.com",
    auth="x-api-key",
    env=("ANTHROPIC_API_KEY",),
    surfaces=(
        Surface(dialect="anthropic", operations=("messages", "count-tokens", "models")),
        Surface(dialect="openai", operations=("chat",), auth="bearer", stopgap=True),
    ),
    families=("claude-*",),
    models=(
        Model(name="claude-opus-5-5", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-sonnet-5-5", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-haiku-5-5", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-fable-5-2", context=1_000_000, vision=True, tools=True),
        Model(name="claude-fable-5-1", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-fable-5", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-mythos-5-2", context=1_000_000, vision=True, tools=True),
        Model(name="claude-mythos-5-1", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-mythos-5", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-opus-5", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-sonnet-5", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-opus-4-8", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-opus-4-7", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-opus-4-6", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-sonnet-4-6", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="claude-opus-4-5", context=200_000, max_output=64_000, vision=True, tools=True),
        Model(name="claude-sonnet-4-5", context=200_000, max_output=64_000, vision=True, tools=True),
        Model(name="claude-haiku-4-5", context=200_000, max_output=64_000, vision=True, tools=True),
    ),
    # 2026-10-21 is the newest version, but it refuses temperature, top_p and top_k with a 400. Who sends
    # no version of his own gets the one that takes every request.
    headers=(("anthropic-version", "2023-06-01"),),
    source=(
        "platform.claude.com/docs/en/api/versioning, /api/migration-2026-10-21, /api/openai-sdk; models: PyPI "
        "genai-prices 0.2.3 and litellm 1.109.1; 2026-11"
    ),
)

GEMINI: Final = Row(
    name="gemini",
    title="Google Gemini",
    origin="https://generativelanguage.googleapis.com",
    auth="x-goog-api-key",
    env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    surfaces=(
        Surface(dialect="gemini", operations=("generate", "count-tokens", "embeddings", "models"), version="v1beta"),
        Surface(
            dialect="openai",
            operations=("chat", "embeddings", "images", "models"),
            root="/v1beta/openai",
            version="",
            auth="bearer",
            stopgap=True,
        ),
    ),
    families=("gemini-*", "imagen-*", "veo-*", "lyria-*", "learnlm-*"),
    models=(
        Model(name="gemini-4-argon", context=1_048_576, vision=True, tools=True),
        Model(name="gemini-3.8-flash", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-3.7-flash", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-3.6-flash", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-3.5-flash", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-3.5-flash-lite", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-3.1-pro-preview", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-3.1-flash-lite", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-3-flash-preview", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-pro-latest", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-flash-latest", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-flash-lite-latest", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-2.5-pro", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-2.5-flash", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-2.5-flash-lite", context=1_048_576, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-omni-1.1-flash", context=1_048_576, max_output=65_536, vision=True),
        Model(name="gemini-3.8-live", context=131_072, max_output=65_536, vision=True, tools=True),
        Model(name="gemini-3-pro-image", context=65_536, max_output=32_768, vision=True, tools=False),
        Model(name="gemini-3.1-flash-image", context=131_072, max_output=32_768, vision=True, tools=False),
        Model(name="gemini-nano-banana-2.1", context=131_072, max_output=32_768, vision=True, tools=False),
        Model(name="gemini-2.5-flash-image", context=65_536, max_output=32_768, vision=True, tools=False),
        Model(name="gemini-3.8-flash-tts", context=8_192, max_output=16_384),
        Model(name="gemini-3.8-flash-lite-tts", context=8_192, max_output=16_384),
        Model(name="gemma-4-31b-it", context=262_144, max_output=32_768, vision=True, tools=True),
        Model(name="gemma-4-26b-a4b-it", context=262_144, max_output=32_768, vision=True, tools=True),
        Model(name="gemini-embedding-001", context=2_048),
        Model(name="gemini-embedding-2", context=8_192, vision=True),
    ),
    source=(
        "ai.google.dev/gemini-api/docs/api-overview, /docs/openai, /api/compatibility; models: PyPI "
        "genai-prices 0.2.3 and litellm 1.109.1; 2026-11"
    ),
)

ROWS: Final = (OPENAI, ANTHROPIC, GEMINI)
