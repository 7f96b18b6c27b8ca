"""What may be said of any route: limits, caches, retries, timeouts, losses and mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from gateway.config.buckets import listed, period_of
from gateway.config.change.audit import compare_privacy
from gateway.config.change.comparison import At, Comparison, Graded, attribute, shown
from gateway.config.change.side import Side
from gateway.config.change.virtual import compare_virtual_models
from gateway.config.problem import Path
from gateway.config.spec import Bucket, Cache, Policies, RateLimit, Retries, Timeouts
from gateway.core.units import seconds, size_in_bytes
from gateway.policy.cache_control import Directive, mistakes, read_directive

_TIMEOUTS: Final = tuple(
    Graded(key, seconds, "timeout-lowered", "timeout-raised") for key in ("connect", "first-token", "idle", "total")
)
_RETRIES: Final = (
    Graded("max-retries", None, "retries-lowered", "retries-raised"),
    Graded("budget", None, "retries-lowered", "retries-raised"),
    Graded("min-delay", seconds, "retries-pace", "retries-pace"),
    Graded("max-delay", seconds, "retries-pace", "retries-pace"),
    Graded("factor", None, "retries-pace", "retries-pace"),
)
_CACHE_SIZES: Final = (
    Graded("max-size", size_in_bytes, "cache-size", "cache-size"),
    Graded("max-entry-size", size_in_bytes, "cache-size", "cache-size"),
    Graded("buckets", None, "cache-size", "cache-size"),
)
_AGES: Final = ("max-age", "stale-while-revalidate", "stale-if-error", "max-stale")
_SCOPES: Final = ("caller", "team", "router")
_LIMIT_SCOPES: Final = ("per-api-key", "per-team", "per-end-user", "total")
_KNOWN: Final = (
    "rate_limit", "cache", "retries", "timeouts", "on_disconnect", "on_loss", "prompt_cache", "model_mappings",
    "virtual_models",
    "load_balance", "budget", "privacy", "optimize_for",
)  # fmt: skip
_KNOWN_OF_CACHES: Final = (
    "directive", "scope", "buckets", "seed", "max_size", "max_entry_size", "tool_calls",
)  # fmt: skip
Buckets = Bucket | tuple[Bucket, ...] | None


def compare_policies(found: Comparison, at: At, old: Policies, new: Policies, inherited: bool) -> None:
    """inherited: what the route does not say, `global` says for it."""
    _rate_limits(found, at.at("rate-limit"), old.rate_limit, new.rate_limit)
    spots = _Inheritance(found, at, old, new, inherited)
    _caches(found, *spots.both("cache"))
    _retries(found, *spots.both("retries"))
    here, before, after = spots.both("timeouts")
    found.graded(_TIMEOUTS, here, before or Timeouts(), after or Timeouts())
    here, before, after = spots.both("on-disconnect")
    found.plain("on-disconnect", here, before or "cancel", after or "cancel")
    here, before, after = spots.both("on-loss")
    code = "losses-rejected" if after == "reject" else "losses-allowed"
    found.plain(code, here, before or "allow", after or "allow")
    here, before, after = spots.both("prompt-cache")
    found.plain("prompt-cache", here, before or "none", after or "none")
    compare_privacy(found, *spots.both("privacy"))
    _mappings(found, at.at("model-mappings"), old.model_mappings or {}, new.model_mappings or {})
    compare_virtual_models(found, at.at("virtual-models"), old.virtual_models or {}, new.virtual_models or {})
    found.rest(at, old, new, _KNOWN)


class _Inheritance:
    """What holds for a route, and where it stands: by itself, or in `global`. What neither side of the route says
    itself is told of `global` alone."""

    def __init__(self, found: Comparison, at: At, old: Policies, new: Policies, inherited: bool) -> None:
        self._at: Final = at
        self._old: Final = old
        self._new: Final = new
        self._wider: Final = (found.left.spec.global_, found.right.spec.global_) if inherited else None

    def both(self, key: str) -> tuple[At, object, object]:
        name = attribute(key)
        before, after = getattr(self._old, name), getattr(self._new, name)
        at = self._at.at(key)
        if self._wider is None or (before is None and after is None):
            return at, before, after
        old, new = at.old, at.new
        if before is None:
            before, old = getattr(self._wider[0], name), ("global", key)
        if after is None:
            after, new = getattr(self._wider[1], name), ("global", key)
        return at.alone(old=old, new=new), before, after


def compare_buckets(found: Comparison, at: At, old: Buckets, new: Buckets) -> None:
    """Buckets of one scope. Those of the same unit are the same limit, from the shortest time to the longest."""
    before, after = _by_unit(old), _by_unit(new)
    for unit in dict.fromkeys((*before, *after)):
        olds, news = before.get(unit, []), after.get(unit, [])
        # A bucket that stays as it is, is no other one.
        old_side, new_side = (found.left, at.old), (found.right, at.new)
        kept = {_meaning(*old_side, one) for one in olds} & {_meaning(*new_side, one) for one in news}
        olds = [one for one in olds if _meaning(*old_side, one) not in kept]
        news = [one for one in news if _meaning(*new_side, one) not in kept]
        for (old_path, first), (new_path, second) in zip(olds, news, strict=False):
            _bucket(found, at.alone(old=_below(at.old, old_path), new=_below(at.new, new_path)), first, second)
        for path, bucket in olds[len(news) :]:
            found.note("limit-removed", at.alone(old=_below(at.old, path)), f"{_scope(at)}: {_said(bucket)}")
        for path, bucket in news[len(olds) :]:
            found.note("limit-added", at.alone(new=_below(at.new, path)), f"{_scope(at)}: {_said(bucket)}")


def _below(path: Path | None, rest: Path) -> Path:
    return (*(path or ()), *rest)


def _by_unit(buckets: Buckets) -> dict[str, list[tuple[Path, Bucket]]]:
    units: dict[str, list[tuple[Path, Bucket]]] = {}
    for path, bucket in listed(buckets):
        units.setdefault(bucket.unit, []).append((path, bucket))
    return {unit: sorted(found, key=lambda one: period_of(one[1])) for unit, found in units.items()}


def _meaning(side: Side, above: Path | None, placed: tuple[Path, Bucket]) -> tuple[object, ...]:
    path, bucket = placed
    references = [side.reference((*_below(above, path), key)) for key in ("capacity", "refill-frequency")]
    return Decimal(str(bucket.capacity)), period_of(bucket), *references


def _bucket(found: Comparison, at: At, old: Bucket, new: Bucket) -> None:
    if found.is_referenced(at.at("capacity")) or found.is_referenced(at.at("refill-frequency")):
        found.note("other", at, f"{_scope(at)}: comes from another reference")
        return
    words = f"{_scope(at)}: {_said(old)} -> {_said(new)}"
    at_once = (Decimal(str(old.capacity)), Decimal(str(new.capacity)))
    # Rates, both multiplied with both times.
    over_time = (at_once[0] * period_of(new), at_once[1] * period_of(old))
    less = any(after < before for before, after in (at_once, over_time))
    more = any(after > before for before, after in (at_once, over_time))
    slashed = any(after * 10 < before for before, after in (at_once, over_time))
    if less and more:
        found.note("limit-reshaped", at, words)
    elif less:
        found.note("limit-slashed" if slashed else "limit-lowered", at, words)
    elif more:
        found.note("limit-raised", at, words)


def _said(bucket: Bucket) -> str:
    return f"{bucket.capacity} {bucket.unit} per {bucket.refill_frequency}"


def _scope(at: At) -> str:
    path = at.new or at.old or ()
    return next((str(part) for part in reversed(path) if isinstance(part, str)), "limit")


def _rate_limits(found: Comparison, at: At, old: RateLimit | None, new: RateLimit | None) -> None:
    before, after = old or RateLimit(), new or RateLimit()
    for scope in _LIMIT_SCOPES:
        compare_buckets(found, at.at(scope), getattr(before, attribute(scope)), getattr(after, attribute(scope)))
    if old is not None and new is not None:
        found.plain(
            "limit-enforced" if new.enforce == "enforce" else "limit-shadowed",
            at.at("enforce"),
            old.enforce,
            new.enforce,
        )


def _caches(found: Comparison, at: At, old: object, new: object) -> None:
    if not isinstance(old, Cache) or not isinstance(new, Cache):
        for code, here, cache in (
            ("cache-removed", at.alone(old=at.old), old),
            ("cache-added", at.alone(new=at.new), new),
        ):
            if isinstance(cache, Cache):
                found.note(code, here, f"`{cache.directive}`, scope {cache.scope}")
        return
    _directives(found, at.at("directive"), old.directive, new.directive)
    wider = new.scope in _SCOPES[_SCOPES.index(old.scope) :]
    found.plain("cache-shared" if wider else "cache-separated", at.at("scope"), old.scope, new.scope)
    found.plain("cache-forgotten", at.at("seed"), old.seed, new.seed)
    found.plain(
        "cache-tool-calls" if new.tool_calls else "cache-size", at.at("tool-calls"), old.tool_calls, new.tool_calls
    )
    found.graded(_CACHE_SIZES, at, old, new)
    found.rest(at, old, new, _KNOWN_OF_CACHES)


def _directives(found: Comparison, at: At, old: str, new: str) -> None:
    if old == new:
        return
    before, after = _directive(old), _directive(new)
    if before is None or after is None:
        found.plain("other", at, old, new)
        return
    words = f"`{old}` -> `{new}`"
    if (before.no_store, before.no_cache) != (after.no_store, after.no_cache):
        found.note("cache-off", at, words)
    pairs = [(getattr(before, attribute(age)), getattr(after, attribute(age))) for age in _AGES]
    if any(later > earlier for earlier, later in pairs):
        found.note("cache-longer", at, words)
    elif any(later < earlier for earlier, later in pairs):
        found.note("cache-shorter", at, words)


def _directive(text: str) -> Directive | None:
    """None for what `gateway check` refuses, a reference among it."""
    return None if list(mistakes(text)) else read_directive(text)


def _retries(found: Comparison, at: At, old: object, new: object) -> None:
    before = old if isinstance(old, Retries) else Retries()
    after = new if isinstance(new, Retries) else Retries()
    found.graded(_RETRIES, at, before, after)
    found.plain("retries-pace", at.at("strategy"), before.strategy, after.strategy)
    found.plain("content-policy", at.at("on-content-policy"), before.on_content_policy, after.on_content_policy)


Models = Mapping[str, tuple[str, ...] | str]


def _mappings(found: Comparison, at: At, old: Models, new: Models) -> None:
    for name in dict.fromkeys((*old, *new)):
        here = at.at(name)
        before, after = _several(old.get(name)), _several(new.get(name))
        if name not in new:
            found.note("mapping-removed", here.alone(old=here.old), f"`{name}` was {shown(before)}")
        elif name not in old:
            found.note("mapping-added", here.alone(new=here.new), f"`{name}` is {shown(after)}")
        else:
            same = sorted(before) == sorted(after)
            if before != after:
                words = f"`{name}`: {shown(before)} -> {shown(after)}"
                found.note("mapping-order" if same else "mapping-changed", here, words)


def _several(names: Sequence[str] | str | None) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)
