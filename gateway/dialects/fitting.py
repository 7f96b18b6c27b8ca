"""What every writer of requests does to make one fit its target, and how it says so.

Lives here: the rules that no single provider owns. Must not: a provider's limits; the writers know those.
"""

from __future__ import annotations

from gateway.dialects.canonical import Loss, Part, Request, Text, Tool, ToolResult


def first_losses(request: Request) -> list[Loss]:
    """The losses that a request has before anything is written: what its reader could not place, and what earlier
    answers rested on, which no provider takes back from another."""
    losses = [*map(Loss, request.unread)]
    for number, message in enumerate(request.messages):
        for part in message.parts:
            if isinstance(part, Text) and part.citations:
                losses.append(Loss(f"messages[{number}].citations"))
                break
    return losses


def losses_of_text_only(request: Request, vendor: str, of_marks: str) -> list[Loss]:
    """The first losses at a provider that answers once, with text alone, and knows nothing of who asks. of_marks: why
    marks for caching are left out."""
    losses = first_losses(request)
    for name, said in (("user", request.user), ("metadata", request.metadata)):
        if said:
            losses.append(Loss(name))
    if request.service_tier not in ("", "auto", "default"):
        losses.append(Loss("service_tier"))
    if marks(request):
        losses.append(Loss("cache_control", note=of_marks))
    if request.n > 1:
        losses.append(Loss("n", "changed", f"n {request.n} -> 1"))
    if any(one != "text" for one in request.modalities):
        losses.append(Loss("modalities", "meaning", f"{vendor} answers with text alone"))
    return losses


def clamped(name: str, value: float | None, low: float, high: float, losses: list[Loss]) -> float | None:
    """The value, or the bound that it is beyond."""
    if value is None or low <= value <= high:
        return value
    kept = low if value < low else high
    losses.append(Loss(name, "changed", f"{name} {value:g} -> {kept:g}"))
    return kept


def first_stops(stop: tuple[str, ...], limit: int, losses: list[Loss]) -> tuple[str, ...]:
    """At most so many stop sequences."""
    if len(stop) > limit:
        losses.append(Loss("stop", "changed", f"{len(stop)} sequences -> the first {limit}"))
    return stop[:limit]


def marks(request: Request) -> bool:
    """Whether anything in the request is marked for caching."""
    return (
        any(part.cache for part in request.system)
        or any(isinstance(tool, Tool) and tool.cache for tool in request.tools)
        or any(_marked(part) for message in request.messages for part in message.parts)
    )


def _marked(part: Part) -> bool:
    return part.cache is not None or (isinstance(part, ToolResult) and any(inner.cache for inner in part.content))


def plain(parts: tuple[Part, ...]) -> str:
    """The text of text parts."""
    return "".join(part.text for part in parts if isinstance(part, Text))
