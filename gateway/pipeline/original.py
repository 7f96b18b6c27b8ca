"""The client's request as translation needs it: read once, at first need, and written anew for each target.

Lives here: which targets can carry it. Must not: change anything of the exchange. Law: every target gets a translation
of the original, never of another translation, and one that would lose what changes the request's meaning gets none.
"""

from __future__ import annotations

from gateway.core.errors import GatewayError, untraced
from gateway.core.exchange import Exchange
from gateway.dialects.canonical import Echo, Loss, Request
from gateway.dialects.prompt_cache import marked
from gateway.dialects.translate import Translation, Way, read, write
from gateway.dialects.translate_whole import WholeTranslation, WholeWay
from gateway.pipeline.settings import Carriage
from gateway.pipeline.target import Target
from gateway.policy.selection import Refusal


class Original:
    """One exchange's request, for the targets of its plan. refusals: the targets that cannot carry it, so far.
    unreadable: why it could not be read, where it could not."""

    __slots__ = ("_carriage", "_exchange", "_request", "_written", "refusals", "unreadable")

    def __init__(self, exchange: Exchange, carriage: Carriage) -> None:
        self._exchange = exchange
        self._carriage = carriage
        self._request: Request | None = None
        self._written: dict[Target, Translation | WholeTranslation | None] = {}
        self.refusals: list[Refusal] = []
        self.unreadable: GatewayError | None = None

    def fits(self, target: Target) -> bool:
        """Whether the target can be asked for this: always, where bytes pass through."""
        if target.way is None:
            return True
        if target not in self._written:
            self._written[target] = self._write(target, target.way)
        return self._written[target] is not None

    def translation(self, target: Target) -> Translation | WholeTranslation | None:
        """What the target gets; None where bytes pass through. Only for a target that fits."""
        return self._written.get(target)

    def _write(self, target: Target, way: Way | WholeWay) -> Translation | WholeTranslation | None:
        if self.unreadable is not None:
            return None
        translation: Translation | WholeTranslation
        try:
            if isinstance(way, WholeWay):
                translation = self._whole(way)
            else:
                request = self._request
                if request is None:
                    request = self._request = read(way, self._exchange.body, self._exchange.call)
                if self._carriage.cache_marks and way.provider.dialect == "anthropic":
                    request = marked(request)
                translation = Translation(way, write(way, request), self._echo_for(way.facts.model, request))
        except GatewayError as error:
            # A target that speaks the client's own dialect may know what we do not.
            self.unreadable = untraced(error)
            return None
        missed = [loss for loss in translation.losses if self._carriage.reject_losses or loss.effect == "meaning"]
        if missed:
            self.refusals.append(
                Refusal(
                    provider=target.endpoint.name,
                    model=target.model,
                    reason="cannot-carry",
                    retry_in=None,
                    feature=_features(missed),
                )
            )
            return None
        return translation

    def _whole(self, way: WholeWay) -> WholeTranslation:
        exchange = self._exchange
        echo = Echo(id=exchange.id, model=way.facts.model, created=int(exchange.wall))
        return way.translate(way, exchange.body, exchange.call, echo)

    def _echo_for(self, model: str, request: Request) -> Echo:
        exchange = self._exchange
        call = exchange.call
        # A whole reply of OpenAI's has its usage always, a stream of chat only when it was asked for.
        wants_usage = call.wants_usage or not call.stream or call.operation != "chat"
        return Echo(
            id=exchange.id,
            model=model,
            created=int(exchange.wall),
            wants_usage=wants_usage,
            framing=call.framing,
            legacy_calls=request.legacy_calls,
            custom_tools=request.custom_tools,
        )


def _features(missed: list[Loss]) -> str:
    names = dict.fromkeys(loss.field for loss in missed)
    listed = list(names)[:4]
    more = len(names) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")
