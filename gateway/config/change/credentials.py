"""The credentials of a provider or a target: which there are, and how much each may be used. Never what they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gateway.config.change.comparison import At, Comparison, matched, shown
from gateway.config.spec import KeyLimit, ProviderKey

Keys = Sequence[ProviderKey | str]
_ROOMS: Final = (("requests-per-minute", "requests_per_minute"), ("tokens-per-minute", "tokens_per_minute"))


def compare_credentials(found: Comparison, at: At, old: Keys, new: Keys) -> None:
    """By name; those without one by what they are, and what is left by its place. Their order has no meaning."""
    pairs, gone, come = matched(tuple(enumerate(old)), tuple(enumerate(new)), _IDENTITIES)
    for index, key in gone:
        code = "provider-key-removed" if new else "provider-keyless"
        found.note(code, at.alone(old=(*(at.old or ()), index)), f"`{_name(index, key)}` is removed")
    for index, key in come:
        found.note("provider-key-added", at.alone(new=(*(at.new or ()), index)), f"`{_name(index, key)}` is added")
    for (old_index, first), (new_index, second) in pairs:
        here = at.alone(old=(*(at.old or ()), old_index), new=(*(at.new or ()), new_index))
        if _value(first) != _value(second):
            found.note("provider-key-changed", here, f"`{_name(new_index, second)}` is another credential")
        if _is_free(first) != _is_free(second):
            words = "costs nothing any more" if _is_free(second) else "is paid for"
            found.note("key-free", here.at("free"), f"`{_name(new_index, second)}` {words}")
        _room(found, here, _limit(first), _limit(second))


def _name(index: int, key: ProviderKey | str) -> str:
    """As logs and metrics name it."""
    return _own_name(key) or f"key-{index + 1}"


def _own_name(key: ProviderKey | str) -> str | None:
    return None if isinstance(key, str) else key.name


def _value(key: ProviderKey | str) -> tuple[object, ...]:
    """What it is, whatever kinds of credential there are."""
    if isinstance(key, str):
        key = ProviderKey(value=key)
    return tuple(getattr(key, field) for field in key.__struct_fields__ if field not in ("name", "limit", "free"))


def _is_free(key: ProviderKey | str) -> bool:
    return isinstance(key, ProviderKey) and key.free


def _limit(key: ProviderKey | str) -> KeyLimit:
    return KeyLimit() if isinstance(key, str) or key.limit is None else key.limit


_IDENTITIES: Final[tuple[Callable[[tuple[int, ProviderKey | str]], object], ...]] = (
    lambda placed: _own_name(placed[1]),
    lambda placed: _value(placed[1]),
    lambda placed: True if _own_name(placed[1]) is None else None,
)


def _room(found: Comparison, at: At, old: KeyLimit, new: KeyLimit) -> None:
    for key, field in _ROOMS:
        before, after = getattr(old, field), getattr(new, field)
        if found.is_referenced(at.at("limit", key)):
            found.plain("other", at.at("limit", key), before, after)
        elif before != after:
            less = before is None or (after is not None and after < before)
            words = f"`{key}`: {shown(before)} -> {shown(after)}"
            found.note("key-room-lowered" if less else "key-room-raised", at.at("limit", key), words)
