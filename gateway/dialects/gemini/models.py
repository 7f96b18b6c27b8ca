"""What a Gemini model's name says of it."""

from __future__ import annotations

import re
from typing import Final

_VERSION: Final = re.compile(r"gemini-(\d+)(?:\.(\d+))?")


class Model:
    """What a model's name says of it. A name without a version is that of a current model."""

    __slots__ = ("is_pro", "thinks_by_level", "version")

    def __init__(self, name: str) -> None:
        match = _VERSION.search(name)
        self.version = (int(match[1][:4]), int((match[2] or "0")[:4])) if match else (3, 0)
        self.thinks_by_level = self.version >= (3, 0)
        self.is_pro = "pro" in name
