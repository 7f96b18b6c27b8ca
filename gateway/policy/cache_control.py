"""When a kept answer may be given again: Cache-Control as routers.yaml and a request write it.

Pure: ages and texts in, verdicts out. What is kept, where, and under which key is others' business. A request's own
Cache-Control can only tighten what the file allows.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal

import msgspec

Verdict = Literal["fresh", "refresh", "stale", "miss"]
"""fresh: given as it is. refresh: given though stale, and fetched anew behind it. stale: given though stale, and that
is all. miss: not given."""

TIMED: Final = ("max-age", "stale-while-revalidate", "stale-if-error", "max-stale")
PLAIN: Final = ("no-store", "no-cache", "max-stale")
LONGEST: Final = 10 * 365 * 86400
"""Seconds. No directive means longer."""
_LONGEST_HEADER: Final = 512


class Directive(msgspec.Struct, frozen=True, gc=False):
    """What routers.yaml allows. Seconds; max_stale is math.inf for whatever is still kept. no_cache: an answer is
    given again only when fetching a new one has failed."""

    max_age: float = 0.0
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    max_stale: float = 0.0
    no_store: bool = False
    no_cache: bool = False

    @property
    def kept_for(self) -> float:
        """How long an answer is of any use, in seconds; 0 when it never is."""
        if self.no_store:
            return 0.0
        max_stale = 0.0 if math.isinf(self.max_stale) else self.max_stale
        fresh = 0.0 if self.no_cache else self.max_age
        windows = self.stale_if_error if self.no_cache else max(self.stale_while_revalidate, max_stale)
        longest = max(windows, self.stale_if_error)
        return self.max_age + longest if longest else fresh


class Wish(msgspec.Struct, frozen=True, gc=False):
    """What a request asks. Seconds, math.inf where it says nothing."""

    max_age: float = math.inf
    min_fresh: float = 0.0
    max_stale: float = math.inf
    stale_if_error: float = math.inf
    no_store: bool = False
    no_cache: bool = False


NO_WISH: Final = Wish()


def read_directive(text: str) -> Directive:
    """A directive in which `mistakes` finds none. ValueError otherwise."""
    values: dict[str, float] = {}
    for found in mistakes(text):
        raise ValueError(found[0])
    for name, value in _parts(text):
        values[name] = min(float(value), LONGEST) if value else math.inf
    return Directive(
        max_age=values.get("max-age", 0.0),
        stale_while_revalidate=values.get("stale-while-revalidate", 0.0),
        stale_if_error=values.get("stale-if-error", 0.0),
        max_stale=values.get("max-stale", 0.0),
        no_store="no-store" in values,
        no_cache="no-cache" in values,
    )


def written(directive: Directive) -> str:
    """As it would stand in routers.yaml: `max-age=60, stale-if-error=3600`."""
    timed = (
        ("max-age", directive.max_age),
        ("stale-while-revalidate", directive.stale_while_revalidate),
        ("stale-if-error", directive.stale_if_error),
        ("max-stale", directive.max_stale),
    )
    parts = [name if math.isinf(value) else f"{name}={value:g}" for name, value in timed if value]
    parts += [name for name, said in (("no-store", directive.no_store), ("no-cache", directive.no_cache)) if said]
    return ", ".join(parts)


def mistakes(text: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a directive of routers.yaml, each with a hint, which may be empty."""
    known = dict.fromkeys((*TIMED, *PLAIN))
    if not text.strip():
        yield "the directive is empty", "`max-age=3600`, for example"
        return
    seen: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.strip().partition("="))
        name = name.lower()
        shown = name[:40]
        if not name:
            yield "there is a comma with nothing beside it", "remove it"
        elif name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            yield (
                f"`{shown}` is not a directive known here",
                (f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known)}"),
            )
        elif equals and name not in TIMED:
            yield f"`{shown}` takes no value", ""
        elif equals and not (value.isascii() and value.isdigit() and len(value) <= 10):
            yield f"`{shown}` takes whole seconds that are not negative", f"`{shown}=3600`, for example"
        elif not equals and name not in PLAIN:
            yield f"`{shown}` needs a value in seconds", f"`{shown}=3600`, for example"
        elif value and int(value) > LONGEST:
            yield f"`{shown}` is longer than ten years", ""
        elif name in seen:
            yield f"`{shown}` is there twice", "say it once"
        if name:
            seen[name] = value
    if "no-store" in seen and len(seen) > 1:
        yield "`no-store` keeps nothing, so nothing can be said beside it", "remove it, or all the others"


@lru_cache(256)
def read_wish(header: bytes) -> Wish:
    """A request's Cache-Control. What is not known is stepped over; a time that cannot be read is taken as the
    strictest there is, which is what a cache does that does not understand."""
    if len(header) > _LONGEST_HEADER:
        return Wish(no_store=True)
    values: dict[str, float] = {}
    for name, value in _parts(header.decode("latin-1")):
        value = value.strip('"')
        if value.isascii() and value.isdigit() and len(value) <= 10:
            number = float(value)
        else:
            number = math.inf if not value and name == "max-stale" else 0.0
        values[name] = min(number, values.get(name, math.inf)) if name != "min-fresh" else number
    return Wish(
        max_age=values.get("max-age", math.inf),
        min_fresh=values.get("min-fresh", 0.0),
        max_stale=values.get("max-stale", math.inf),
        stale_if_error=values.get("stale-if-error", math.inf),
        no_store="no-store" in values,
        no_cache="no-cache" in values,
    )


def decide(age: float, directive: Directive, wish: Wish = NO_WISH) -> Verdict:
    """What becomes of an answer that is `age` seconds old, when one can be fetched."""
    if directive.no_store or directive.no_cache or wish.no_store or wish.no_cache:
        return "miss"
    if age + wish.min_fresh < min(directive.max_age, wish.max_age):
        return "fresh"
    over = age - directive.max_age
    if wish.min_fresh or over > wish.max_stale or not _young_enough(age, wish):
        return "miss"
    if over < 0.0:
        return "fresh"
    if over < directive.stale_while_revalidate:
        return "refresh"
    return "stale" if directive.max_stale and over <= directive.max_stale else "miss"


def usable_after_error(age: float, directive: Directive, wish: Wish = NO_WISH) -> bool:
    """Whether an answer that is `age` seconds old may stand in for one that could not be fetched."""
    if directive.no_store or wish.no_store or wish.no_cache or wish.min_fresh or not _young_enough(age, wish):
        return False
    allowed = min(directive.stale_if_error, wish.stale_if_error)
    return allowed > 0.0 and age - directive.max_age <= allowed


def _young_enough(age: float, wish: Wish) -> bool:
    """Whether the request's own `max-age`, with the `max-stale` that it may say beside it, allows this age."""
    return age < wish.max_age or (not math.isinf(wish.max_stale) and age - wish.max_age <= wish.max_stale)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        name, _, value = part.partition("=")
        name = name.strip().lower()
        if name:
            yield name, value.strip()
