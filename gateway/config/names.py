"""How routers and providers may be called, and what is said to one who called them otherwise."""

from __future__ import annotations

import re
from typing import Final

_ROUTER: Final = re.compile(r"[A-Za-z0-9_-]{1,12}")
_PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def router_name_problem(name: str) -> tuple[str, str] | None:
    """Message and hint, or None for a name that will do."""
    if _ROUTER.fullmatch(name):
        return None
    rule = "a router name has 1 to 12 of A-Z a-z 0-9 _ -"
    if not name:
        return f"the name is empty; {rule}", ""
    if len(name) > 12:
        return f"`{_shorten(name)}` is {len(name)} characters; {rule}", "the name is part of the URL: `/router/<name>/`"
    wrong = next(character for character in name if not _ROUTER.fullmatch(character))
    return f"`{name}` has {_character(wrong)} in it; {rule}", "the name is part of the URL: `/router/<name>/`"


def provider_name_problem(name: str) -> tuple[str, str] | None:
    """Message and hint, or None for a name that will do."""
    if _PROVIDER.fullmatch(name):
        return None
    rule = "a provider name has 1 to 32 of a-z 0-9 _ - and begins with a letter or digit"
    return f"`{_shorten(name)}` cannot be a provider's name; {rule}", "the name is part of the URL: `/<provider>/`"


def _character(character: str) -> str:
    return "a space" if character == " " else f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"


def _shorten(name: str) -> str:
    return name if len(name) <= 60 else name[:57] + "..."
