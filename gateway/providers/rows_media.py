"""Speech, images and video with wire formats of their own: for the direct route `/<provider>/` alone.

Facts only, no logic.
"""

from __future__ import annotations

from typing import Final

from gateway.providers.row import Model, Row, Surface

ELEVENLABS: Final = Row(
    name="elevenlabs",
    title="ElevenLabs",
    origin="https://api.elevenlabs.io",
    auth="xi-api-key",
    env=("ELEVENLABS_API_KEY",),
    surfaces=(Surface(dialect="other", operations=("other",)),),
    families=("eleven_*", "scribe_*"),
    models=(
        Model(name="eleven_v4"),
        Model(name="eleven_v4_turbo"),
        Model(name="eleven_v3"),
        Model(name="eleven_multilingual_v2"),
        Model(name="eleven_flash_v2_5"),
        Model(name="eleven_turbo_v2_5"),
        Model(name="scribe_v2"),
    ),
    stream_usage="never",
    source="skills.sh/elevenlabs/skills/setup-api-key; models: PyPI litellm 1.109.1; 2026-11",
)

STABILITY: Final = Row(
    name="stability",
    title="Stability AI",
    origin="https://api.stability.ai",
    env=("STABILITY_API_KEY",),
    # Most of its paths begin with their own version, /v2beta/stable-image/...
    surfaces=(Surface(dialect="other", operations=("other",), version=""),),
    families=("sd3*", "stable-image-*"),
    stream_usage="never",
    source="PyPI litellm 1.109.1, 2026-11",
)

RUNWAY: Final = Row(
    name="runway",
    title="Runway",
    origin="https://api.dev.runwayml.com",
    env=("RUNWAYML_API_SECRET", "RUNWAYML_API_KEY"),
    surfaces=(Surface(dialect="other", operations=("other",)),),
    families=("gen[0-9]*", "aleph[0-9]*"),
    stream_usage="never",
    headers=(("x-runway-version", "2024-11-06"),),
    source="PyPI litellm 1.109.1; skills.sh/runwayml; 2026-11",
)

ROWS: Final = (ELEVENLABS, STABILITY, RUNWAY)
