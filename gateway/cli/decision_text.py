"""A decision in words and columns, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.cli.decision import CallerLine, Decision, RefusalLine, RuleLine, TargetLine
from gateway.core.money import in_dollars
from gateway.core.trace import LimitNote

_MICRO: Final = 1_000_000
_HOW: Final = {
    "weighted": "in the shares of their weights",
    "provider-weighted": "in the shares of their weights",
    "model-weighted": "in the shares of their weights",
    "latency": "the faster of two drawn by chance; before any answer, each is tried in turn",
    "balanced-latency": "the faster of two drawn by chance; before any answer, each is tried in turn",
    "model-latency": "the faster of two drawn by chance; before any answer, each is tried in turn",
    "priority": "in the order of priority and of the list",
    "cost": "the cheapest for this request; among equals the faster of two",
    "model-cost": "the cheapest for this request; among equals the faster of two",
    "least-busy": "whoever has the fewest requests under way",
}
_MOST: Final = 8
_UNITS: Final = {"requests": "requests", "tokens": "tokens", "usd": "USD"}


def text_of(decision: Decision) -> str:
    """Lines for a terminal: facts with their places, then the rules of a virtual model, the targets, and those that
    were passed over."""
    parts = [_table(_facts(decision), head=False)]
    if decision.rules:
        rules = [("rule", "matches", "because", "said in"), *map(_rule, decision.rules)]
        parts.append(_table(rules))
    if decision.limits:
        rows = [("limit", "allows", "takes", "leaves", "bucket", "said in")]
        rows += [(*_limit(line.note), line.place) for line in decision.limits]
        parts.append(_table(rows))
    if decision.targets:
        parts.append(_targets(decision))
    if decision.refused:
        parts.append(_refused(decision.refused))
    lost = list(_losses(decision.targets))
    if lost:
        parts.append(_table([("not carried", "field", "effect", "how"), *lost]))
    parts.append("".join(f"{line}\n" for line in _verdict(decision)))
    return "\n".join(parts)


def _facts(decision: Decision) -> Iterator[tuple[str, str, str]]:
    asked = f"{decision.dialect} {decision.operation}"
    asked += f", model {decision.model}" if decision.model else ""
    asked += ", streamed" if decision.stream else ""
    yield "router", decision.router, decision.router_place
    yield "request", asked, ""
    yield "caller", _caller(decision.caller), decision.caller.place
    if decision.rule:
        yield "rule", decision.rule, next((line.place for line in reversed(decision.rules) if line.note.matched), "")
    if decision.waits is None and decision.error is not None:
        yield "stopped", "before the targets are looked at", ""
    elif not decision.limits:
        yield "limits", "none that counts this request", ""
    if decision.cache is not None or decision.waits is not None:
        yield "cache", *_cache(decision)
    tokens, output = decision.tokens
    bounded = "at most" if decision.said else "probably"
    yield "estimate", f"{tokens} tokens in, {bounded} {output} out" if tokens else "nothing that has tokens", ""
    if decision.optimize_for:
        heard = decision.optimize_for
        if not decision.heard:
            heard += ", which nobody looks at: the router has no `optimize-for`"
        yield "optimize", heard, decision.optimize_for_place if decision.heard else ""
    if decision.strategy:
        yield "strategy", f"{decision.strategy}: {_HOW.get(decision.strategy, '')}", decision.strategy_place
    if decision.waits is not None:
        waits = decision.waits
        said = (
            f"connect {waits.connect:g} s, first token {waits.first_token:g} s, gaps {waits.idle:g} s, "
            f"all {waits.total:g} s"
        )
        yield "timeouts", said, decision.waits_place
    if decision.retries is not None:
        retries = decision.retries
        said = (
            f"at most {retries.most}, after {retries.min_delay:g} s to {retries.max_delay:g} s, "
            f"in {retries.budget:.0%} of requests"
        )
        yield "retries", said, decision.retries_place
    if any(line.note.translated for line in decision.targets):
        yield "on loss", decision.on_loss, decision.on_loss_place
    for name, fault in decision.at_fault.items():
        yield "at fault", f"{name}: {fault}", "--at-fault"


def _caller(caller: CallerLine) -> str:
    if not caller.name:
        return "anybody (--key NAME asks as one of the gateway's keys)"
    parts = [caller.name + (f" of team {caller.team}" if caller.team else "")]
    may = (("routers", caller.routers), ("models", caller.models), ("providers", caller.providers))
    parts += [f"{what}: {', '.join(names) or 'none'}" for what, names in may if names is not None]
    return "; ".join([*parts, *caller.asks])


def _rule(line: RuleLine) -> tuple[str, str, str, str]:
    """Of a rule that did not match, what did not hold; of the one that did, all that was asked."""
    note = line.note
    because = "; ".join(
        f"{condition.name} {condition.found} (wanted: {condition.wanted})"
        for condition in note.conditions
        if note.matched or not condition.held
    )
    return note.rule, "yes" if note.matched else "no", because or "it asks nothing", line.place


def _limit(note: LimitNote) -> tuple[str, str, str, str, str]:
    divisor = _MICRO if note.unit == "usd" else 1
    unit = _UNITS.get(note.unit, note.unit)
    takes = f"{note.takes / divisor:g}"
    left = f"{note.left / divisor:g}"
    if note.retry_after is None:
        left = "too little, always"
    scope = f"{note.scope} (shadow)" if note.shadow else note.scope
    return scope, f"{note.capacity / divisor:g} {unit} in {_period(note.period)}", takes, left, note.bucket


def _refused(lines: Sequence[RefusalLine]) -> str:
    """Where every provider is listed, those that merely lack the model hide the ones that matter: they are counted."""
    said = [line for line in lines if line.note.reason != "cannot-serve-model"]
    if len(lines) <= _MOST:
        said = list(lines)
    rows = [("not eligible", "model", "because", "said in")]
    rows += [(line.note.provider, line.note.model or "-", line.note.why, line.place) for line in said]
    others = len(lines) - len(said)
    return _table(rows) + (f"and {others} that do not serve this model\n" if others else "")


def _period(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _cache(decision: Decision) -> tuple[str, str]:
    note = decision.cache
    if note is None:
        return "none", decision.cache_place if decision.cache_place != "default" else ""
    where = f"{note.directive}, shared by {note.scope}"
    said = f"{where}; not looked in: {note.bypass}" if note.bypass else f"{where}, key {note.key}"
    return said, decision.cache_place


def _targets(decision: Decision) -> str:
    most = decision.retries.most if decision.retries is not None else 0
    shares = any(line.note.share is not None for line in decision.targets)
    head = ["asked", "target", "model sent", "", "speaks", *(["share"] if shares else []), "cost", "key", "said in"]
    rows = [head]
    for line in decision.targets:
        note = line.note
        via = line.via if line.via in ("as asked", "named here") else f"{line.via}, {line.via_place}"
        rows.append(
            [
                str(line.turn) if line.turn else "-",
                note.provider,
                note.model or "-",
                via,
                f"{note.dialect}, translated" if note.translated else note.dialect,
                *([f"{note.share:.1%}" if note.share is not None else "-"] if shares else []),
                _cost(note.cost),
                line.key or f"1 of {note.keys}",
                line.place,
            ]
        )
    text = _table(rows)
    if any(not line.turn for line in decision.targets):
        text += f"-: eligible, but beyond max-retries {most}: this request does not come to it\n"
    return text


def _cost(nano: int | None) -> str:
    if not nano:
        return "no price" if nano is None else "free"
    # Of one width, down to where they differ.
    whole, _, rest = in_dollars(nano).partition(".")
    return f"${whole}.{rest.ljust(6, '0')}"


def _losses(targets: Iterable[TargetLine]) -> Iterator[tuple[str, str, str, str]]:
    for line in targets:
        for loss in line.note.losses:
            yield line.note.provider, loss.field, "dropped" if loss.effect == "hint" else loss.effect, loss.note


def _verdict(decision: Decision) -> Iterator[str]:
    for hint in decision.missing_keys:
        yield f"missing: {hint}" + ("" if decision.assumed_keys else " (--assume-keys takes it as there)")
    if decision.assumed_keys:
        yield "assumed: every provider has a key"
    if decision.error is not None:
        wait = f", again in {decision.error.retry_after:g} s" if decision.error.retry_after is not None else ""
        yield f"refused: {decision.error.status} {decision.error.code}{wait}: {decision.error.message}"
    elif decision.targets:
        first = decision.targets[0]
        yield f"first: {first.note.provider}{f' with {first.note.model}' if first.note.model else ''}"
    else:
        yield "answered by the gateway itself"


def _table(rows: Iterable[Sequence[str]], *, head: bool = True) -> str:
    """Columns as wide as what is in them; the last one and trailing space are left open."""
    listed = [list(row) for row in rows]
    widths = [max(len(row[at]) for row in listed) for at in range(len(listed[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in listed]
    if head:
        lines[0] = lines[0].upper()
    return "".join(f"{line}\n" for line in lines)
