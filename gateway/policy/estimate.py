"""How many tokens a request will use, thought of before anybody is asked, without a tokenizer.

Lives here: what is read off a body's size, and what is learned of each model from the usage that comes back. Must not:
parse a body. Law: the memory is bounded, and one odd reply moves an estimate by little.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.core.exchange import Call, Exchange, Operation
from gateway.core.usage import NOTHING_USED, Estimate, Usage

BYTES_A_TOKEN: Final = 4
"""English prose has four to five, code and JSON three to four; a letter beyond ASCII has two or three bytes and more
tokens. What a model really makes of it is learned."""
IMAGE_TOKENS: Final = 1000
"""What a picture costs, whatever its bytes: most vendors bill between 250 and 1600."""
USUAL_OUTPUT: Final = 400
"""Tokens of a reply nobody has bounded, until the model's own are known."""
MODELS: Final = 1024
"""So many models are learned of; later ones share one memory."""

_PLAIN: Final = 4096
"""Bytes below which a body is not searched: a picture in it can be no larger than its constant."""
_MOST: Final = 512
"""Marks of each kind that are looked at: a body made of nothing else is text."""
_KEY: Final = b'"data"'
_MARKS: Final = (b";base64,", _KEY)
_RUN: Final = re.compile(rb"(?:[A-Za-z0-9+/_=-]|\\/){64}")
"""How base64 begins, and no text does."""
_KEPT: Final = 31 / 32
_WEIGHT: Final = 2000.0
"""Tokens: what the first guess of a ratio counts as."""
_OUTPUTS_KEPT: Final = 8
_FURTHEST: Final = 8.0
"""A ratio is believed between an eighth and eight."""
_NOTHING: Final = Estimate()
_OUTPUTS: Final[dict[Operation, bool]] = {
    "chat": True, "completions": True, "responses": True, "messages": True, "generate": True,
    "embeddings": False, "rerank": False, "moderations": False, "images": False, "audio": False,
}  # fmt: skip
"""The operations that tokens are used by, and whether they answer in text. Of the others nothing is expected."""


def tokens_of(body: bytes) -> int:
    """Input tokens by the size of a body, at least 1. A base64 run counts as a picture."""
    size = len(body)
    images = 0
    if size > _PLAIN:
        for mark in _MARKS:
            at = body.find(mark)
            quote = -1
            for _ in range(_MOST):
                if at < 0:
                    break
                at += len(mark)
                if mark is _KEY:
                    # `"data": "...`: the string begins behind the next quote, if that is near.
                    at = body.find(b'"', at, at + 8) + 1 or at
                if quote < at:
                    quote = body.find(b'"', at)
                    if quote < 0:
                        break
                if _RUN.match(body, at):
                    # In a text, such as Markdown, a space ends it before the text does.
                    end = body.find(b" ", at, quote)
                    end = quote if end < 0 else end
                    if end - at > _PLAIN:
                        size -= end - at
                        images += 1
                    at = end
                at = body.find(mark, at)
    return max(size // BYTES_A_TOKEN, 1) + images * IMAGE_TOKENS


class _Model:
    """What came back of one model. Sums are decayed, so a large request counts for more than a small one."""

    __slots__ = ("counted", "output", "used")

    def __init__(self) -> None:
        self.counted = _WEIGHT
        self.used = _WEIGHT
        self.output = float(USUAL_OUTPUT)


class Estimator:
    """Estimates, and learns. One a process."""

    __slots__ = ("_models",)

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}

    def of(self, exchange: Exchange) -> Estimate:
        """The exchange's estimate, made when it is first asked for; what is used in the end is then learned from."""
        found = exchange.estimate
        if found is None:
            found = exchange.estimate = self.estimate(exchange.call, exchange.body)
            if found.raw:
                exchange.on_settle.append(self._settle)
        return found

    def estimate(self, call: Call, body: bytes) -> Estimate:
        """What a call will use."""
        talks = _OUTPUTS.get(call.operation)
        if talks is None or call.multipart or not body:
            return _NOTHING
        known = self._models.get(call.model) or self._models.get("")
        raw = tokens_of(body)
        corrected = raw if known is None else max(int(raw * known.used / known.counted), 1)
        if not talks:
            return Estimate(raw, corrected, 0, said=True)
        if call.max_tokens:
            return Estimate(raw, corrected, call.max_tokens, said=True)
        return Estimate(raw, corrected, USUAL_OUTPUT if known is None else int(known.output))

    def guess(self, exchange: Exchange) -> None:
        """See to it that there is an estimate where an exchange was cut off before the provider said what was used."""
        if exchange.estimate is None and exchange.usage is None and exchange.attempts and exchange.outcome != "error":
            exchange.estimate = self.estimate(exchange.call, exchange.body)

    def learn(self, model: str, estimate: Estimate, usage: Usage) -> None:
        """Take in what a request used in the end."""
        models = self._models
        known = models.get(model)
        if known is None:
            if len(models) >= MODELS:
                model = ""
            known = models.setdefault(model, _Model())
        raw = estimate.raw
        used = min(max(usage.input, raw / _FURTHEST), raw * _FURTHEST)
        known.counted = known.counted * _KEPT + raw
        known.used = known.used * _KEPT + used
        known.output += (usage.output - known.output) / _OUTPUTS_KEPT

    def _settle(self, exchange: Exchange) -> None:
        usage = exchange.usage
        estimate = exchange.estimate
        if usage is not None and usage.input and estimate is not None and exchange.outcome == "ok":
            self.learn(exchange.call.model, estimate, usage)


def used_by(exchange: Exchange) -> Usage:
    """What an exchange that has ended has used. Nothing when nobody was asked, or when the client was told an error:
    no provider bills that. Else what the provider has reported, as far as it came; where it reported nothing, the
    estimate."""
    if not exchange.attempts or exchange.outcome == "error":
        return NOTHING_USED
    last = exchange.attempts[-1]
    if last.fault is not None and not last.first_byte:
        # Gone while the next attempt was waited for.
        return NOTHING_USED
    if exchange.usage is not None:
        return exchange.usage
    estimate = exchange.estimate or _NOTHING
    return Usage(estimate.input, estimate.output)
