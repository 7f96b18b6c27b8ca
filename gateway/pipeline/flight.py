"""One attempt under way: what it tells the target's breaker, latency estimate and key, exactly once."""

from __future__ import annotations

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Attempt
from gateway.core.secret import LentSecret
from gateway.dialects.translate import Translation
from gateway.dialects.translate_whole import WholeTranslation
from gateway.pipeline.target import Target
from gateway.policy.key_pool import PoolKey
from gateway.policy.retry import Verdict


class Flight:
    """From the choice of a target to the end of its reply. The first of `succeed`, `fail` and
    `abandon` counts; later ones do nothing. Times are clock seconds. translation: of the request for this target,
    None where bytes pass through."""

    __slots__ = ("_landed", "_probe", "attempt", "key", "streamed", "target", "translation")

    def __init__(
        self,
        target: Target,
        key: PoolKey,
        attempt: Attempt,
        streamed: bool,
        translation: Translation | WholeTranslation | None = None,
    ) -> None:
        self.target = target
        self.key = key
        self.attempt = attempt
        self.streamed = streamed
        self.translation = translation
        self._landed = False
        load = target.load
        load.in_flight += 1
        self._probe = load.breaker.begin(attempt.started)

    def see_first_byte(self, now: float) -> None:
        """The first good bytes: the latency sample of a stream. A probe has its answer."""
        self.attempt.first_byte = now
        load = self.target.load
        if self.streamed:
            load.streamed.observe(now - self.attempt.started, now)
        if self._probe:
            self._probe = False
            load.breaker.success(now, probe=True)
            self._tell("breaker closed", {})

    def succeed(self, now: float) -> None:
        if self._land(now):
            load = self.target.load
            if not self.streamed:
                load.whole.observe(now - self.attempt.started, now)
            breaker = load.breaker
            was_open = breaker.retry_at
            breaker.success(now, probe=self._probe)
            if was_open and not breaker.retry_at:
                self._tell("breaker closed", {})
            if self.key.quarantined_until:
                self.target.endpoint.pool.restore(self.key)

    def fail(self, fault: UpstreamFault, verdict: Verdict, now: float) -> None:
        if not self._land(now):
            return
        self.attempt.fault = fault.kind
        self.attempt.status = fault.status or self.attempt.status
        pool = self.target.endpoint.pool
        blamed = verdict.blame_breaker
        if verdict.key == "cool":
            pool.cool(self.key, now, fault.retry_after)
            blamed = blamed or not pool.available(now)
        elif verdict.key == "quarantine" and not fault.status:
            # There was no token to ask the provider with: the key is as good as ever when there is one.
            pool.cool(self.key, now, fault.retry_after)
        elif verdict.key == "quarantine" and fault.status == 401 and isinstance(self.key.secret, LentSecret):
            # It is the token that was refused, and the next will be another.
            pool.cool(self.key, now, fault.retry_after)
            self._tell("provider token refused", {"key": self.key.name})
        elif verdict.key == "quarantine":
            pool.quarantine(self.key, now)
            self._tell("provider key quarantined", {"key": self.key.name, "status": fault.status})
        if verdict.key != "none" and not pool.available(now):
            self._tell("provider keys exhausted", {"keys": len(pool), "seconds": round(pool.soonest(now) or 0.0, 3)})
        breaker = self.target.load.breaker
        # Blamed or not, an attempt that failed fast must not look like a fast target. How long a stream went on
        # before it broke says nothing of the wait for its first event.
        load = self.target.load
        waited = (self.attempt.first_byte if self.streamed else 0.0) or now
        (load.streamed if self.streamed else load.whole).penalise(waited - self.attempt.started, now)
        if blamed:
            opens_until = breaker.retry_at
            breaker.failure(now, probe=self._probe)
            if breaker.retry_at > opens_until:
                self._tell("breaker opened", {"seconds": round(breaker.retry_at - now, 3), "fault": fault.kind})
        else:
            breaker.abandon(now, self._probe)

    def abandon(self, now: float) -> None:
        """The client has left, or we have stopped: nobody is to blame."""
        if self._land(now):
            self.target.load.breaker.abandon(now, self._probe)

    def _tell(self, event: str, fields: dict[str, str | int | float]) -> None:
        """A change that somebody on call wants to read of."""
        self.target.endpoint.notice(event, {"provider": self.attempt.provider, "model": self.attempt.label, **fields})

    def _land(self, now: float) -> bool:
        if self._landed:
            return False
        self._landed = True
        self.attempt.ended = now
        self.target.load.in_flight -= 1
        return True
