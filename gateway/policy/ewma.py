"""The latency estimate of one target.

Lives here: a peak-sensitive, exponentially weighted mean over irregular samples. Must not: know what is measured or
what it decides. Law: a sample never leaves the estimate outside the range of the samples seen, and between samples
it only falls.
"""

from __future__ import annotations

from math import exp
from typing import Final

UNKNOWN_INTERVAL: Final = 1.0
"""Seconds between two requests that are given to a target in the hope of its first sample."""


class PeakEwma:
    """Rises at once to a worse sample, and forgets it over `decay` seconds.

    tried: there was a sample. next_offer: clock time before which a target without a sample is not tried for its own
    sake again.
    """

    __slots__ = ("_decay", "_stamp", "_value", "next_offer", "tried")

    def __init__(self, decay: float = 30.0) -> None:
        self._decay = decay
        self._stamp = 0.0
        self._value = 0.0
        self.next_offer = 0.0
        self.tried = False

    def observe(self, sample: float, now: float) -> None:
        """Take in the latency of a good reply, in seconds."""
        if self.tried and sample < self._value:
            # The sum may round to more than there was before; an estimate does not rise on a better sample.
            self._value = min(self._value, sample + (self._value - sample) * self._kept(now))
        else:
            self._value = sample
            self.tried = True
        if now > self._stamp:
            self._stamp = now

    def penalise(self, elapsed: float, now: float) -> None:
        """Take in an attempt that failed after `elapsed` seconds.

        A failure is never a good sample: it can raise the estimate, and holds it where it was rather than let it
        fall, but a quick failure does not make a target fast, and none makes an untried one tried.
        """
        if self.tried:
            if elapsed > self._value:
                self._value = elapsed
            if now > self._stamp:
                self._stamp = now
        else:
            self.next_offer = now + self._decay

    def offer(self, now: float) -> None:
        """Note that a request was given to this target in the hope of its first sample."""
        self.next_offer = now + UNKNOWN_INTERVAL

    def value(self, now: float) -> float:
        """Seconds; 0 if untried. Falls towards 0 in silence, so that a target nobody chooses any more gets its turn."""
        return self._value * self._kept(now)

    def _kept(self, now: float) -> float:
        silence = now - self._stamp
        return exp(-silence / self._decay) if silence > 0 else 1.0
