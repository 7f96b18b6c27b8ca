"""What was expected of a case, held against what happened.

Pure: a record goes in, the failures come out, each with the moment at which it first went wrong where there is one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Final

import msgspec

from gateway.core.money import NANO, in_dollars
from gateway.core.units import seconds
from gateway.rehearsal.bounds import Bound, bound_of
from gateway.rehearsal.cases import AccountAt, BreakerAt, Expect, KeyAt, Latency, Received, Reply, Scalar
from gateway.rehearsal.record import END, Called, Record, Sample, Told

_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_ABSENT: Final = object()
_MICRO: Final = 1_000_000


class Failure(msgspec.Struct, frozen=True):
    """said: what was expected and what came. at: seconds into the case, None where no moment is the wrong one."""

    said: str
    at: float | None = None


def failures_of(expect: Expect, record: Record) -> list[Failure]:
    """Every expectation that was not met, in the order of the schema."""
    return [
        *_counted("status", expect.status, record.told, _has_status),
        *_counted("errors", expect.errors, record.told, _has_header("x-gateway-error")),
        *_shares(expect.share, record.told),
        *_calls(expect.calls, record.called),
        *_spend(expect.spend, record.called),
        *(failure for asked in expect.accounts for failure in _account(asked, record)),
        *_counted("cache", expect.cache, record.told, _has_header("x-gateway-cache")),
        *_attempts(expect, record.told),
        *_latencies(expect.latency, record.told),
        *_limited(expect, record.told),
        *(failure for asked in expect.breakers for failure in _breaker(asked, record)),
        *(failure for asked in expect.keys for failure in _key(asked, record)),
        *(failure for asked in expect.replies for failure in _reply(asked, record.told)),
        *(failure for asked in expect.received for failure in _received(asked, record.called)),
        *map(Failure, record.complaints),
    ]


def _has_status(told: Told, status: str) -> bool:
    return str(told.status) == status or f"{told.status // 100}xx" == status


def _has_header(name: str) -> Callable[[Told, str], bool]:
    return lambda told, value: told.headers.get(name) == value


def _counted(
    what: str, bounds: Mapping[str, str | float], told: Sequence[Told], has: Callable[[Told, str], bool]
) -> Iterator[Failure]:
    for name, written in bounds.items():
        bound = bound_of(written)
        found = [one for one in told if has(one, name)]
        if bound.holds(Fraction(len(found))):
            continue
        if bound.is_over(Fraction(len(found))):
            allowed = math.floor(bound.high) if bound.high is not None else 0
            wrong = found[allowed:]
        else:
            wrong = [one for one in told if not any(has(one, other) for other in bounds)] or [
                one for one in told if not has(one, name)
            ]
        yield Failure(_said(f"{what} {name}", bound, str(len(found))), wrong[0].at if wrong else None)


def _said(what: str, bound: Bound, found: str) -> str:
    return f"{what}: expected {bound.text}, got {found}"


def _shares(bounds: Mapping[str, str | float], told: Sequence[Told]) -> Iterator[Failure]:
    good = [one for one in told if one.status < 300]
    for name, written in bounds.items():
        bound = bound_of(written)
        found = sum(name in (one.target, one.provider) for one in good)
        if not good:
            yield Failure(_said(f"share {name}", bound, "no good reply at all"), told[0].at if told else None)
        elif not bound.holds(Fraction(found, len(good))):
            yield Failure(_said(f"share {name}", bound, f"{found} of {len(good)} ({found / len(good):.1%})"))


def _calls(bounds: Mapping[str, str | float], called: Sequence[Called]) -> Iterator[Failure]:
    for name, written in bounds.items():
        bound = bound_of(written)
        found = [call for call in called if call.provider == name]
        if not bound.holds(Fraction(len(found))):
            over = bound.is_over(Fraction(len(found))) and bound.high is not None
            at = found[math.floor(bound.high or 0)].at if over else None
            yield Failure(_said(f"calls of {name}", bound, str(len(found))), at)


def _spend(bounds: Mapping[str, str | float], called: Sequence[Called]) -> Iterator[Failure]:
    for name, written in bounds.items():
        bound = bound_of(written)
        spent = 0
        over: float | None = None
        for call in called:
            if name not in ("total", call.provider):
                continue
            if call.cost is None:
                yield Failure(f"spend {name}: the price of {call.provider}/{call.model} is not known", call.at)
                return
            spent += call.cost
            if over is None and bound.is_over(Fraction(spent, NANO)):
                over = call.at
        if not bound.holds(Fraction(spent, NANO)):
            yield Failure(_said(f"spend {name}", bound, in_dollars(spent)), over)


def _account(asked: AccountAt, record: Record) -> Iterator[Failure]:
    at = None if asked.at is None else seconds(asked.at)
    what = (
        f"{asked.of}, {'balance' if asked.window is None else f'budget of {asked.window}'} at {asked.at or 'the end'}"
    )
    money = record.samples[END if at is None else at].accounts[asked.of, asked.window or ""]
    for word, written, nano in (("spent", asked.spent, money.spent), ("left", asked.left, money.left)):
        if written is not None and not (bound := bound_of(written)).holds(Fraction(nano, NANO)):
            yield Failure(_said(f"{word} of {what}", bound, in_dollars(nano)), at)


def _attempts(expect: Expect, told: Sequence[Told]) -> Iterator[Failure]:
    asked = expect.attempts
    if asked is None or not told:
        return
    total = sum(one.attempts for one in told)
    most = max(told, key=lambda one: one.attempts)
    figures = (("max", asked.max, Fraction(most.attempts)), ("mean", asked.mean, Fraction(total, len(told))),
               ("total", asked.total, Fraction(total)))  # fmt: skip
    for name, written, figure in figures:
        if written is not None and not (bound := bound_of(written)).holds(figure):
            shown = str(figure) if figure.denominator == 1 else f"{float(figure):.3f}"
            yield Failure(_said(f"attempts {name}", bound, shown), most.at if bound.is_over(figure) else None)


def _latencies(asked: Latency | None, told: Sequence[Told]) -> Iterator[Failure]:
    if asked is None or not told:
        return
    by_time = sorted(told, key=lambda one: one.took)
    for name, written, share in (("p50", asked.p50, 0.5), ("p90", asked.p90, 0.9), ("p99", asked.p99, 0.99),
                                 ("max", asked.max, 1.0)):  # fmt: skip
        one = by_time[max(0, math.ceil(share * len(by_time)) - 1)]
        if written is not None and not (bound := bound_of(written)).holds(_exactly(one.took)):
            yield Failure(_said(f"latency {name}", bound, shown_span(one.took)), one.at)


def _exactly(span: float) -> Fraction:
    """Seconds to the microsecond, as they were meant."""
    return Fraction(round(span * _MICRO), _MICRO)


def shown_span(span: float) -> str:
    """`0.25` -> `250ms`; from a minute on, `1m30s`."""
    if span < 1:
        return f"{round(span * 1000, 3):g}ms"
    minutes, rest = divmod(round(span, 3), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"


def _limited(expect: Expect, told: Sequence[Told]) -> Iterator[Failure]:
    asked = expect.limited
    if asked is None:
        return
    found = [one for one in told if one.status == 429]
    if asked.count is not None:
        yield from _counted("limited", {"429": asked.count}, told, _has_status)
    if asked.retry_after is None:
        return
    bound = bound_of(asked.retry_after)
    for one in found:
        rest = one.headers.get("retry-after", "")
        if not rest.isdigit() or not bound.holds(Fraction(int(rest))):
            got = f"{rest}s" if rest else "none"
            yield Failure(_said(f"retry-after of request {one.number}", bound, got), one.at)
            return
    if not found:
        yield Failure(_said("retry-after", bound, "no reply of 429"))


def _breaker(asked: BreakerAt, record: Record) -> Iterator[Failure]:
    at = seconds(asked.at)
    provider, _, model = asked.target.partition("/")
    sample: Sample = record.samples[at]
    states = {
        state for (name, label), state in sample.breakers.items() if name == provider and (not model or label == model)
    } or {"closed"}
    if states != {asked.state}:
        got = " and ".join(sorted(states))
        yield Failure(f"breaker of {asked.target} at {asked.at}: expected {asked.state}, got {got}", at)


def _key(asked: KeyAt, record: Record) -> Iterator[Failure]:
    at = seconds(asked.at)
    states = {
        name: state
        for (provider, name), state in record.samples[at].keys.items()
        if provider == asked.provider and asked.key in (None, name)
    }
    what = f"key {asked.key or ''} of {asked.provider} at {asked.at}".replace("  ", " ")
    if not states:
        yield Failure(f"{what}: expected {asked.state}, but there is no such key", at)
    for name, state in states.items():
        if state != asked.state:
            yield Failure(f"{what}: expected {asked.state}, got {state} ({name})", at)


def _reply(asked: Reply, told: Sequence[Told]) -> Iterator[Failure]:
    if asked.request > len(told):
        yield Failure(f"request {asked.request}: there were only {len(told)}")
        return
    one = told[asked.request - 1]
    what = f"request {asked.request}"
    if asked.status is not None and one.status != asked.status:
        yield Failure(f"{what}: expected status {asked.status}, got {one.status}", one.at)
    if asked.attempts is not None and not (bound := bound_of(asked.attempts)).holds(Fraction(one.attempts)):
        yield Failure(_said(f"{what}, attempts", bound, str(one.attempts)), one.at)
    if asked.latency is not None and not (bound := bound_of(asked.latency)).holds(_exactly(one.took)):
        yield Failure(_said(f"{what}, latency", bound, shown_span(one.took)), one.at)
    if asked.whole is not None and one.whole != asked.whole:
        yield Failure(f"{what}: expected {'a whole' if asked.whole else 'a broken'} reply", one.at)
    for said in (*_headers(asked.headers, one.headers), *_members(asked.body, one.body)):
        yield Failure(f"{what}, {said}", one.at)
    if asked.contains is not None and asked.contains.encode() not in one.body:
        yield Failure(f"{what}: the body does not contain `{asked.contains}`: {_shortened(one.body)}", one.at)


def _received(asked: Received, called: Sequence[Called]) -> Iterator[Failure]:
    calls = [call for call in called if call.provider == asked.provider]
    what = f"call {asked.call} of {asked.provider}"
    if asked.call > len(calls):
        yield Failure(f"{what}: there were only {len(calls)}" if calls else f"{what}: it was never called")
        return
    call = calls[asked.call - 1]
    if asked.path is not None and not fnmatchcase(call.path, asked.path):
        yield Failure(f"{what}: expected path {asked.path}, got {call.path}", call.at)
    if asked.key is not None and call.key != asked.key:
        yield Failure(f"{what}: expected key {asked.key}, got {call.key or 'none'}", call.at)
    for said in (*_headers(asked.headers, call.headers), *_members(asked.body, call.body)):
        yield Failure(f"{what}, {said}", call.at)


def _headers(asked: Mapping[str, str | None], found: Mapping[str, str]) -> Iterator[str]:
    for name, wanted in asked.items():
        value = found.get(name.lower())
        if wanted is None:
            if value is not None:
                yield f"header {name}: expected none, got {value}"
        elif value is None or not fnmatchcase(value, wanted):
            yield f"header {name}: expected {wanted}, got {'none' if value is None else value}"


def _members(asked: Mapping[str, Scalar], body: bytes) -> Iterator[str]:
    if not asked:
        return
    try:
        document: object = msgspec.json.decode(body)
    except msgspec.DecodeError:
        yield f"the body is not JSON: {_shortened(body)}"
        return
    for path, wanted in asked.items():
        found = _member(document, path)
        if (found is _ABSENT and wanted is not None) or (found is not _ABSENT and found != wanted):
            got = "nothing" if found is _ABSENT else _shortened(msgspec.json.encode(found))
            yield f"{path}: expected {msgspec.json.encode(wanted).decode()}, got {got}"


def _member(document: object, path: str) -> object:
    for key, index in _STEP.findall(path):
        if index:
            if not isinstance(document, list) or int(index) >= len(document):
                return _ABSENT
            document = document[int(index)]
        elif isinstance(document, dict) and key in document:
            document = document[key]
        else:
            return _ABSENT
    return document


def _shortened(text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    return shown if len(shown) <= 200 else shown[:197] + "..."
