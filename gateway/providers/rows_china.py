"""DeepSeek, Moonshot, Zhipu, Qwen, MiniMax: labs in China, at their international addresses.

Each answers in two dialects, at different roots. Where a vendor has an address inside China too, its
keys are not valid at the other: `base-url` in routers.yaml chooses. Facts only, no logic.
"""

from __future__ import annotations

from typing import Final

from gateway.providers.row import Model, Row, Surface

DEEPSEEK: Final = Row(
    name="deepseek",
    title="DeepSeek",
    origin="https://api.deepseek.com",
    env=("DEEPSEEK_API_KEY",),
    surfaces=(
        Surface(dialect="openai", operations=("chat", "models"), version=""),
        Surface(dialect="openai", operations=("completions",), root="/beta", version=""),
        Surface(dialect="anthropic", operations=("messages",), root="/anthropic", auth="x-api-key"),
    ),
    families=("deepseek-*",),
    models=(
        Model(name="deepseek-flash", context=1_000_000, max_output=393_216, vision=True, tools=True),
        Model(name="deepseek-v4-pro", context=1_000_000, max_output=393_216, vision=False, tools=True),
        Model(name="deepseek-v4-flash", context=1_000_000, max_output=393_216, vision=True, tools=True),
    ),
    source=(
        "api-docs.deepseek.com/guides/anthropic_api; "
        "developersdigest.tech/reference/api-compatibility/deepseek; completions: share.apidog.com copy of "
        "the vendor's reference; models: PyPI litellm 1.109.1; 2026-11"
    ),
)

MOONSHOT: Final = Row(
    name="moonshot",
    title="Moonshot AI",
    origin="https://api.moonshot.ai",
    env=("MOONSHOT_API_KEY",),
    surfaces=(
        Surface(dialect="openai", operations=("chat", "responses", "models")),
        Surface(dialect="anthropic", operations=("messages",), root="/anthropic"),
    ),
    families=("kimi-*", "moonshot-*"),
    models=(
        Model(name="kimi-k3.1-pro", context=1_048_576, vision=True, tools=True),
        Model(name="kimi-k3.1-pro-highspeed", context=1_048_576, vision=True, tools=True),
        Model(name="kimi-k3", context=1_048_576, vision=True, tools=True),
        Model(name="kimi-k2.7-code", context=262_144, vision=True, tools=True),
        Model(name="kimi-k2.7-code-highspeed", context=262_144, vision=True, tools=True),
        Model(name="kimi-k2.6", context=262_144, vision=True, tools=True),
    ),
    source=(
        "developersdigest.tech/reference/api-compatibility/moonshot; models: PyPI genai-prices 0.2.3 and "
        "litellm 1.109.1; 2026-11"
    ),
)

ZHIPU: Final = Row(
    name="zhipu",
    title="Z.ai (Zhipu)",
    origin="https://api.z.ai",
    env=("ZAI_API_KEY", "ZHIPU_API_KEY"),
    surfaces=(
        Surface(dialect="openai", operations=("chat", "models"), root="/api/paas", version="v4"),
        Surface(dialect="anthropic", operations=("messages",), root="/api/anthropic"),
    ),
    families=("glm-*", "GLM-*"),
    models=(
        Model(name="glm-5.3", context=1_000_000, max_output=128_000, tools=True),
        Model(name="glm-5.3-flash", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="glm-5.2", context=1_000_000, max_output=128_000, tools=True),
        Model(name="glm-5.1", context=200_000, max_output=128_000, tools=True),
        Model(name="glm-5", context=200_000, max_output=128_000, tools=True),
        Model(name="glm-5v-turbo", context=200_000, max_output=128_000, vision=True, tools=True),
        Model(name="glm-4.7", context=200_000, max_output=128_000, tools=True),
        Model(name="glm-4.7-flash", context=200_000, max_output=128_000, tools=True),
        Model(name="glm-4.6", context=200_000, max_output=128_000, tools=True),
        Model(name="glm-4.6v", context=128_000, vision=True, tools=True),
        Model(name="glm-4.5-air", context=128_000, max_output=32_000, tools=True),
    ),
    source=(
        "developersdigest.tech/reference/api-compatibility/zai; models: PyPI any-llm-sdk 1.40.2, genai-prices "
        "0.2.3, litellm 1.109.1; in China: open.bigmodel.cn/api/paas/v4; 2026-11"
    ),
)

QWEN: Final = Row(
    name="qwen",
    title="Qwen (Alibaba Cloud Model Studio)",
    origin="https://dashscope-intl.aliyuncs.com",
    env=("DASHSCOPE_API_KEY",),
    surfaces=(
        Surface(
            dialect="openai",
            operations=("chat", "completions", "responses", "embeddings", "models"),
            root="/compatible-mode",
        ),
        Surface(dialect="anthropic", operations=("messages",), root="/apps/anthropic"),
    ),
    families=("qwen*", "qwq-*", "qvq-*", "wan[0-9]*", "text-embedding-v*"),
    # Windows as published are the largest input; output comes on top.
    models=(
        Model(name="qwen3.8-max", context=991_808, max_output=131_072, vision=True, tools=True),
        Model(name="qwen3.8-flash", context=991_808, max_output=131_072, vision=True, tools=True),
        Model(name="qwen3.7-max", context=991_808, max_output=65_536, tools=True),
        Model(name="qwen3.7-plus", context=991_808, max_output=65_536, vision=True, tools=True),
        Model(name="qwen3.5-plus", context=991_808, max_output=65_536, vision=True, tools=True),
        Model(name="qwen3-max", context=258_048, max_output=65_536, tools=True),
        Model(name="qwen3-coder-plus", context=997_952, max_output=65_536, tools=True),
        Model(name="qwen3-coder-flash", context=997_952, max_output=65_536, tools=True),
        Model(name="qwen-flash", context=997_952, max_output=32_768, tools=True),
        Model(name="qwen-plus", context=129_024, max_output=16_384, tools=True),
        Model(name="qwen-plus-latest", context=997_952, max_output=32_768, tools=True),
        Model(name="qwen-turbo", context=129_024, max_output=16_384, tools=True),
    ),
    source=(
        "alibabacloud.com/help/en/model-studio: compatibility-of-openai-with-dashscope, "
        "compatibility-with-openai-responses-api, anthropic-api-messages; in China: dashscope.aliyuncs.com; "
        "models: PyPI litellm 1.109.1; 2026-11"
    ),
)

MINIMAX: Final = Row(
    name="minimax",
    title="MiniMax",
    origin="https://api.minimax.io",
    env=("MINIMAX_API_KEY",),
    surfaces=(
        Surface(dialect="openai", operations=("chat", "responses", "models")),
        Surface(dialect="anthropic", operations=("messages",), root="/anthropic"),
    ),
    families=("MiniMax-*", "minimax-*", "M2-her"),
    models=(
        Model(name="MiniMax-M3.1-Flash", context=1_000_000, tools=True),
        Model(name="MiniMax-M3", context=1_000_000, max_output=128_000, vision=True, tools=True),
        Model(name="MiniMax-M2.7", context=204_800, tools=True),
        Model(name="MiniMax-M2.7-highspeed", context=204_800, tools=True),
        Model(name="MiniMax-M2.5", context=204_800, tools=True),
        Model(name="MiniMax-M2.5-highspeed", context=204_800, tools=True),
        Model(name="M2-her", context=64_000),
    ),
    source=(
        "developersdigest.tech/reference/api-compatibility/minimax; models: PyPI genai-prices 0.2.3 and "
        "litellm 1.109.1; in China: api.minimaxi.com; 2026-11"
    ),
)

ROWS: Final = (DEEPSEEK, MOONSHOT, ZHIPU, QWEN, MINIMAX)
