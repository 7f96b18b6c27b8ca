"""Records on their way into a database, in the form in which they cost least: groups that share most of their values,
and columns of what each has of its own.

A record is a dozen objects, and those of a tenth of a second are more than stays in the processor's caches: when they
are written and freed, each comes back from memory. What is here is a fifth of that and lies in a row. Law: only what
fits into columns is taken; what a database will not have is refused when it is written, never bent.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from io import StringIO
from itertools import repeat
from struct import Struct
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import Usage

_DAY: Final = 86400
_REALS: Final = 4
_COUNTS: Final = 7
_LAYOUT: Final = Struct(f"={_REALS}d{_COUNTS}q")
_pack: Final = _LAYOUT.pack
_encode: Final = msgspec.json.Encoder().encode

SHARED: Final = (
    "caller", "team", "project", "router", "config", "dialect", "operation", "stream", "asked", "provider", "model",
    "provider_key", "rule", "status", "outcome", "error_code", "metered", "price_source", "cache", "saved_by", "losses",
)  # fmt: skip
"""The columns of what the records of a group have in common."""
PARTS: Final = tuple(
    f"{name}_tokens" for name in Usage.__struct_fields__ if name not in ("input", "output", "cached", "reasoning")
)
"""The columns of what most records have nothing of."""
OWN: Final = (
    "id", "request_id", "end_user", "time", "seconds", "first_byte", "input_tokens", "output_tokens", "cached_tokens",
    "reasoning_tokens", "max_tokens", "saved", "cost", "attempts",
)  # fmt: skip
"""The columns of what each has of its own. Of the attempts that is where their JSON differs, behind Group.head."""

NO_PARTS: Final = (0,) * len(PARTS)

Value = str | int | float | None


class Group:
    """Records of one day that have the values of SHARED in common, a price or none, parts or none, and what their
    attempt was, if there was one. like: the first of them. numbers: reals and counts of each, one behind the other
    (_LAYOUT). write: takes the texts of one, a NUL behind each. parts: of each, where they have some. attempts: of
    each, where there is not one; of one, the seconds are among the numbers, and all else is shared."""

    __slots__ = ("_texts", "attempts", "like", "numbers", "parts", "write")

    def __init__(self, like: Record) -> None:
        self.like: Final = like
        self.numbers = bytearray()
        self._texts = StringIO()
        self.write: Final = self._texts.write
        self.parts: list[tuple[int, ...]] = []
        self.attempts: list[tuple[AttemptRecord, ...]] = []

    def __len__(self) -> int:
        return len(self.numbers) // _LAYOUT.size

    def __iter__(self) -> Iterator[Record]:
        """The records as they were given."""
        if len(self) == 1:
            yield self.like
            return
        like, attempts = self.like, self.attempts
        rows = zip(*self._told(), *self._reals(), *self._counts(), self.parts or repeat(NO_PARTS), strict=False)
        for place, (name, request_id, user, time, seconds, first_byte, tried, *counts, parts) in enumerate(rows):
            read, written, cached, reasoning, max_tokens, saved, cost = counts
            write_5m, write_1h, *others = parts
            yield replace(
                like,
                id=name,
                request_id=request_id,
                user=user,
                time=time,
                seconds=seconds,
                first_byte=first_byte,
                usage=Usage(read, written, cached, write_5m, write_1h, reasoning, *others),
                max_tokens=max_tokens,
                saved=saved,
                cost=None if like.cost is None else cost,
                attempts=attempts[place] if attempts else (replace(like.attempts[0], seconds=tried),),
            )

    def shared(self) -> list[Value]:
        """The values of SHARED. Losses are JSON."""
        r = self.like
        return [
            r.caller, r.team, r.project, r.router, r.config, r.dialect, r.operation, r.stream, r.asked, r.provider,
            r.model, r.key, r.rule, r.status, r.outcome, r.error_code, r.metered, r.price_source, r.cache, r.saved_by,
            _encode(r.losses).decode(),
        ]  # fmt: skip

    def head(self) -> str:
        """What the attempts of all begin with, as JSON."""
        if self.attempts:
            return ""
        # Their seconds are the last member, and the only one that is not shared.
        return f"[{_encode(replace(self.like.attempts[0], seconds=0.5)).decode().removesuffix('0.5}')}"

    def columns(self) -> Sequence[Sequence[Value]]:
        """The values of OWN, each of all records."""
        time, seconds, first_byte, tried = self._reals()
        *counts, costs = self._counts()
        return [
            *self._told(), time, seconds, first_byte, *counts,
            costs if self.like.cost is not None else [None] * len(self),
            self._tails(tried),
        ]  # fmt: skip

    def own(self) -> list[Value]:
        """The same of the first."""
        r, u = self.like, self.like.usage
        return [
            r.id, r.request_id, r.user, r.time, r.seconds, r.first_byte, u.input, u.output, u.cached, u.reasoning,
            r.max_tokens, r.saved, r.cost, *self._tails(attempt.seconds for attempt in r.attempts[:1]),
        ]  # fmt: skip

    def sums(self) -> tuple[list[int], int, float]:
        """Input, output, cached, reasoning, max_tokens, saved and cost of all together; what was written to caches; and
        their seconds."""
        written = sum(part[0] + part[1] for part in self.parts)
        if len(self) == 1:
            r, u = self.like, self.like.usage
            counts = [u.input, u.output, u.cached, u.reasoning, r.max_tokens, r.saved, r.cost or 0]
            return counts, written, r.seconds
        return [sum(count) for count in self._counts()], written, sum(self._reals()[1])

    def _told(self) -> list[list[str]]:
        """Ids, ids of requests, users. ValueError where one of them holds what stands between them."""
        texts = self._texts.getvalue().split("\0")
        if len(texts) != 3 * len(self) + 1:
            raise ValueError("a text with a NUL")
        return [texts[place:-1:3] for place in range(3)]

    def _reals(self) -> list[array[float]]:
        """Times, seconds, first bytes, seconds of attempts."""
        numbers = array("d", self.numbers)
        return [numbers[place :: _REALS + _COUNTS] for place in range(_REALS)]

    def _counts(self) -> list[array[int]]:
        """Input, output, cached, reasoning, max_tokens, saved, cost."""
        numbers = array("q", self.numbers)
        return [numbers[place :: _REALS + _COUNTS] for place in range(_REALS, _REALS + _COUNTS)]

    def _tails(self, seconds: Iterable[float]) -> list[str]:
        if self.attempts:
            return [_encode(attempts).decode() for attempts in self.attempts]
        # Encoded together: by itself each takes five times as long.
        return [f"{of_one}}}]" for of_one in _encode(tuple(seconds)).decode()[1:-1].split(",")]


class GroupedRecords:
    """Records in groups. They come out in the order of the groups."""

    __slots__ = ("_groups", "_size")

    @classmethod
    def of(cls, records: Iterable[Record]) -> GroupedRecords:
        """Some records, which may be in groups already."""
        return records if isinstance(records, cls) else cls(records)

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._groups: dict[Hashable, Group] = {}
        self._size = 0
        for record in records:
            self.append(record)

    def append(self, record: Record) -> None:
        """Take one, whose numbers are not larger than columns are (`fitted`), else struct.error."""
        # All in one: this is what a request waits for, and calls are half of what it costs.
        r, u, attempts = record, record.usage, record.attempts
        tried = 0.0
        shape = None
        if len(attempts) == 1:
            a = attempts[0]
            tried = a.seconds
            shape = a.provider, a.model, a.key, a.status, a.fault
        has_parts = bool(
            u.cache_write_5m or u.cache_write_1h or u.audio_input or u.audio_output or u.audio_cached or u.image_input
            or u.image_cached or u.image_output
        )  # fmt: skip
        key = (
            r.time // _DAY, r.cost is None, has_parts, shape, r.caller, r.team, r.project, r.router, r.config,
            r.dialect, r.operation, r.stream, r.asked, r.provider, r.model, r.key, r.rule, r.status, r.outcome,
            r.error_code, r.metered, r.price_source, r.cache, r.saved_by, r.losses,
        )  # fmt: skip
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(record)
        group.numbers += _pack(
            r.time, r.seconds, r.first_byte, tried,
            u.input, u.output, u.cached, u.reasoning, r.max_tokens, r.saved, r.cost or 0,
        )  # fmt: skip
        group.write(f"{r.id}\0{r.request_id}\0{r.user}\0")
        if has_parts:
            group.parts.append((
                u.cache_write_5m, u.cache_write_1h, u.audio_input, u.audio_output, u.audio_cached, u.image_input,
                u.image_cached, u.image_output,
            ))  # fmt: skip
        if shape is None:
            group.attempts.append(attempts)
        self._size += 1

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Record]:
        for group in self._groups.values():
            yield from group

    def groups(self) -> Iterable[Group]:
        return self._groups.values()
