"""Tokens that expire, lent for one credential and kept.

What lives here: when a token is asked for, and what is given meanwhile. The first request waits; after that a token is
replaced behind everybody's back before it expires, and however many wait, one question is under way. A lender that is
down takes nothing away: the old token is given until it really expires. Where there is none and none is to be had,
that is said at once, with the time of the next question, which a client cannot hasten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from gateway.core.clock import Clock
from gateway.core.errors import UpstreamFault
from gateway.providers.grant import Grant, GrantRefused, Token
from gateway.upstream.fetch import Answer, FetchError, ask
from gateway.upstream.transport import Transport

LEAD: Final = 300.0
"""Seconds before its expiry at which a token is replaced; half its life where that is less."""

PAUSE: Final = 5.0
"""Seconds after a first failure in which nobody asks; doubled by each that follows."""

LONGEST_PAUSE: Final = 60.0
"""Seconds after a refusal, which time alone seldom mends, and the most that a pause grows to."""

LONGEST_LIFE: Final = 86_400.0
"""Seconds: a lifetime beyond a day is believed for a day."""

_SHORTEST: Final = 1.0
_MAX_FILE: Final = 1 << 16
_SKEW: Final = 60.0

Notice = Callable[[str, Mapping[str, str | int | float]], None]


class TokenSource:
    """The tokens of one credential. name: of it, in the log. notice: told of what changes. hold: given each token
    before it is used, so that it can be kept out of the log."""

    def __init__(
        self,
        clock: Clock,
        transport: Transport,
        grant: Grant,
        name: str,
        notice: Notice = lambda event, fields: None,
        hold: Callable[[str], None] = lambda token: None,
    ) -> None:
        self._now = clock.monotonic
        self._wall = clock.wall
        self._transport = transport
        self._grant = grant
        self._name = name
        self._notice = notice
        self._hold = hold
        self._token = ""
        self._expires = 0.0
        self._ask_from = 0.0
        self._fresh_until = 0.0
        self._failures = 0
        self._asking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def token(self) -> str:
        """One that is good now. UpstreamFault("unauthorized") where none is to be had."""
        if self._now() < self._expires:
            return self._token
        if self._asking is None and self._now() >= self._ask_from:
            self._begin()
        if self._asking is not None:
            # A client that leaves must not end what the others wait for.
            await asyncio.shield(self._asking)
        if self._now() < self._expires:
            return self._token
        raise UpstreamFault(
            "unauthorized",
            f"There is no token for the key {self._name!r}: {self._grant.lender} gave none; the log says why.",
            retry_after=max(self._ask_from - self._now(), _SHORTEST),
        )

    def forget(self) -> None:
        """A provider has refused the token: the next request asks for another, unless this one is new."""
        if self._now() >= self._fresh_until:
            self._expires = 0.0

    async def close(self) -> None:
        """No more is asked in the background. Idempotent."""
        self._closed = True
        self._stop_timer()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _begin(self) -> None:
        self._stop_timer()
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _ask(self) -> None:
        asked = self._now()
        try:
            token = await self._lent()
        except (FetchError, GrantRefused, ValueError) as failure:
            self._fail(failure)
        else:
            self._keep(token, asked)
        finally:
            self._asking = None

    def _keep(self, token: Token, asked: float) -> None:
        if self._failures:
            self._notice("provider token lent again", {"key": self._name, "lender": self._grant.lender})
        self._failures = 0
        self._hold(token.value)
        self._token = token.value
        lifetime = min(token.lifetime, LONGEST_LIFE)
        self._expires = asked + lifetime
        self._ask_from = 0.0
        self._fresh_until = asked + LONGEST_PAUSE
        self._wake(asked + lifetime - min(LEAD, lifetime / 2))

    def _fail(self, failure: Exception) -> None:
        lasting = isinstance(failure, GrantRefused) and failure.lasting
        pause = LONGEST_PAUSE if lasting else min(PAUSE * 2**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 16)
        now = self._now()
        self._ask_from = now + pause
        left = max(self._expires - now, 0.0)
        self._notice(
            "provider token not lent",
            {"key": self._name, "lender": self._grant.lender, "reason": str(failure), "seconds_left": round(left, 1)},
        )
        if left:
            self._wake(self._ask_from)

    def _wake(self, at: float) -> None:
        if not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(at - self._now(), _SHORTEST), self._begin)

    async def _lent(self) -> Token:
        grant = self._grant
        text = await asyncio.to_thread(_read_file, grant.file) if grant.file else ""
        asked = self._wall()
        question = grant.question(asked, text)
        answer = await ask(self._transport, question.method, question.url, question.headers, question.body)
        try:
            token = grant.read(answer.status, answer.body, self._wall())
            if not token.lifetime > 0:
                raise GrantRefused("the token had expired when it came")
        except GrantRefused as refusal:
            hint = _clock_hint(answer, self._wall())
            raise GrantRefused(f"{refusal}{hint}", lasting=refusal.lasting) from None
        return token


def _read_file(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            text = file.read(_MAX_FILE).decode().strip()
    except (OSError, ValueError):
        raise GrantRefused(f"the file {name} cannot be read") from None
    if not text or any(c.isspace() for c in text):
        raise GrantRefused(f"the file {name} holds no token")
    return text


def _clock_hint(answer: Answer, wall: float) -> str:
    """A refusal may be for a clock that is wrong: who refuses tells the time."""
    for name, value in answer.headers:
        if name == b"date":
            try:
                ahead = wall - parsedate_to_datetime(value.decode("latin-1")).timestamp()
            except (ValueError, TypeError):
                return ""
            if abs(ahead) > _SKEW:
                side = "ahead of" if ahead > 0 else "behind"
                return f"; the clock of this machine is {abs(ahead):.0f} s {side} the lender's"
    return ""
