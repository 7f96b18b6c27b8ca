"""What a change does to recorded traffic, as text, as Markdown and as JSON.

Only how it is written down lives here. Law: what the record cannot tell stands beside what it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from gateway.cli.markdown import cell
from gateway.core.money import in_dollars
from gateway.rehearsal.effects import Effects, Figures, Group, Kind
from gateway.rehearsal.recorded_traffic import Traffic


class Latency(msgspec.Struct, frozen=True):
    """Seconds, of the good replies of targets that the record knows; to 2 %."""

    p50: float | None
    p99: float | None


class Side(msgspec.Struct, frozen=True):
    """Under one config. spend: dollars, exactly. unpriced: requests whose price is not known. targets: who answered."""

    good: int
    refused: int
    limited: int
    cache_hits: int
    attempts: int
    spend: str
    unpriced: int
    latency: Latency
    targets: dict[str, int]


class Moved(msgspec.Struct, frozen=True):
    source: str
    target: str
    count: int
    examples: tuple[str, ...]


class Case(msgspec.Struct, frozen=True):
    """code: of the gateway's error, or the status that a provider gave."""

    code: str
    count: int
    examples: tuple[str, ...]


class Part(msgspec.Struct, frozen=True):
    """One team's requests to one router. swapped: that changed places with one another, as where load is spread."""

    router: str
    team: str
    requests: int
    before: Side
    after: Side
    moved: tuple[Moved, ...]
    swapped: int
    newly_refused: tuple[Case, ...]
    newly_limited: tuple[Case, ...]
    newly_served: tuple[Case, ...]


class Report(msgspec.Struct, frozen=True):
    """lines: of the file. notes: what to know of these figures."""

    lines: dict[str, int]
    replayed: int
    left_out: int
    parts: tuple[Part, ...]
    unknown_targets: dict[str, int]
    notes: tuple[str, ...]


def report_of(traffic: Traffic) -> Report:
    effects = traffic.effects
    counts = traffic.counts
    return Report(
        lines={"read": counts.read, "broken": counts.broken, "foreign": counts.foreign},
        replayed=effects.requests,
        left_out=traffic.left_out,
        parts=tuple(_part(*name, group) for name, group in sorted(effects.groups.items())),
        unknown_targets=dict(sorted(effects.unknown.items())),
        notes=tuple(_notes(traffic, effects)),
    )


def traffic_text(report: Report) -> str:
    """For a terminal."""
    lines = [f"traffic: {_said(report)}"]
    for part in report.parts:
        lines.append(f"router {part.router}{f', team {part.team}' if part.team else ''}: {_count(part.requests)}")
        lines += [f"    {name:11} {before} -> {after}" for name, before, after in _rows(part)]
        lines += [f"    {said}" for said in _happenings(part)]
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


def traffic_markdown(report: Report) -> str:
    """For a comment: one table for all, and a list of what happened to whom."""
    head = ["| router | team | requests | refused | limited | cache hits | p50 | p99 | spend |", "|---" * 9 + "|"]
    rows = []
    for part in report.parts:
        figures = {name: f"{before} → {after}" if before != after else before for name, before, after in _rows(part)}
        values = [figures.get(name, "") for name in ("refused", "limited", "cache hits", "p50", "p99", "spend")]
        rows.append("| " + " | ".join([cell(part.router), cell(part.team) or "-", str(part.requests), *values]) + " |")
    parts = [f"#### Traffic: {_said(report)}", "\n".join([*head, *rows])]
    happened = [
        f"- {cell(part.router)}{f', {cell(part.team)}' if part.team else ''}: {cell(said)}"
        for part in report.parts
        for said in _happenings(part)
    ]
    if happened:
        parts.append("\n".join(happened))
    if report.notes:
        parts.append("\n".join(f"> {cell(note)}  " for note in report.notes))
    return "\n\n".join(parts) + "\n"


def _part(router: str, team: str, group: Group) -> Part:
    return Part(
        router=router,
        team=team,
        requests=group.requests,
        before=_side(group.before),
        after=_side(group.after),
        moved=tuple(Moved(source, to, kind.count, tuple(kind.examples)) for source, to, kind in group.moved()),
        swapped=group.swapped(),
        newly_refused=_cases(group.newly_refused),
        newly_limited=_cases(group.newly_limited),
        newly_served=_cases(group.newly_served),
    )


def _side(figures: Figures) -> Side:
    return Side(
        good=figures.good,
        refused=figures.refused,
        limited=figures.limited,
        cache_hits=figures.cache_hits,
        attempts=figures.attempts,
        spend=in_dollars(figures.cost),
        unpriced=figures.unpriced,
        latency=Latency(figures.latency.quantile(0.5), figures.latency.quantile(0.99)),
        targets=dict(sorted(figures.answered.items())),
    )


def _cases(found: Mapping[str, Kind]) -> tuple[Case, ...]:
    return tuple(Case(code, kind.count, tuple(kind.examples)) for code, kind in sorted(found.items()))


def _rows(part: Part) -> Iterator[tuple[str, str, str]]:
    """What is told of both sides, by name."""
    before, after = part.before, part.after
    for name, old, new in (
        ("good", before.good, after.good),
        ("refused", before.refused, after.refused),
        ("limited", before.limited, after.limited),
        ("cache hits", before.cache_hits, after.cache_hits),
        ("attempts", before.attempts, after.attempts),
    ):
        yield name, str(old), str(new)
    for name, early, late in (
        ("p50", before.latency.p50, after.latency.p50),
        ("p99", before.latency.p99, after.latency.p99),
    ):
        yield name, _span(early), _span(late)
    yield "spend", f"${_cents(before.spend)}", f"${_cents(after.spend)}"
    for target in sorted({*before.targets, *after.targets}):
        told = [_share(side.targets.get(target, 0), sum(side.targets.values())) for side in (before, after)]
        yield f"by {target}", *told  # type: ignore[misc]  # two of them


def _happenings(part: Part) -> Iterator[str]:
    for moved in part.moved:
        yield f"{moved.count} moved from {moved.source} to {moved.target} ({_such_as(moved.examples)})"
    if part.swapped:
        yield f"{part.swapped} more changed places with one another, as where load is spread"
    for what, cases in (
        ("newly refused", part.newly_refused),
        ("newly limited", part.newly_limited),
        ("newly served, before", part.newly_served),
    ):
        for case in cases:
            yield f"{case.count} {what}: {case.code} ({_such_as(case.examples)})"


def _said(report: Report) -> str:
    lines = report.lines
    skipped = [f"{lines[name]} {name}" for name in ("broken", "foreign") if lines[name]]
    told = f"{_count(report.replayed)} replayed"
    if report.left_out:
        told += f", {report.left_out} left out"
    return told + (f"; lines passed over: {', '.join(skipped)}" if skipped else "")


def _notes(traffic: Traffic, effects: Effects) -> Iterator[str]:
    for target, count in sorted(effects.unknown.items()):
        yield (
            f"the record has nothing of {target}, to which {_count(count)} went: that it answers, and after the time "
            "that the request took, is assumed, and its latency is not counted"
        )
    if effects.guessed:
        yield f"{_count(effects.guessed)} went to targets that answered others at the time; as those they were answered"
    if effects.drawn:
        yield (
            f"chance had a part in {_count(effects.drawn)}, the same under both configs: shares are about what is to "
            "be expected, and which requests moved is one outcome"
        )
    if traffic.left_out:
        yield "left out is what cannot be made anew from a record: forms, lists of models, streams of some vendors"
    if effects.nameless and effects.nameless < effects.requests:
        yield f"{_count(effects.nameless)} came from nobody known: limits per API key count them as one"
    elif effects.nameless:
        yield "no request came from anybody known: limits per API key count them as one"
    if any(group.before.unpriced or group.after.unpriced for group in effects.groups.values()):
        yield "requests without a known price are not in the spend"
    yield from (f"the gateway logged an error: {said}" for said in traffic.logged)


def _share(count: int, total: int) -> str:
    return f"{count} ({count / total:.1%})" if total else "0"


def _cents(dollars: str) -> str:
    return f"{float(dollars):.4f}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.2f}s"


def _count(number: int) -> str:
    return f"{number} request{'' if number == 1 else 's'}"


def _such_as(examples: Sequence[str] | Iterable[str]) -> str:
    return f"such as {', '.join(examples)}"
