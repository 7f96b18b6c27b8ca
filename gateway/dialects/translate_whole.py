"""Two codecs of whole replies put together: embeddings or rerank of one format for a provider of another.

Lives here: the pairing, and nothing of a format. What translate.py is for chat; the pipeline treats both alike.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call, Headers
from gateway.core.usage import Usage
from gateway.dialects.canonical import Echo, Encoded, Loss, TargetFacts
from gateway.dialects.formats import EmbeddingFormat, Format, RerankFormat, Wire
from gateway.dialects.losses import merged
from gateway.dialects.translate import StreamTranslation, Way
from gateway.dialects.whole import A, Q, WholeCodec


class WholeTranslation:
    """One request as it was written for one target, and the way back of its reply (see translate.Translation)."""

    __slots__ = ("_answer", "body", "further", "losses", "model", "way")

    stream_type = b"application/json"
    unsaid: tuple[Loss, ...] = ()

    def __init__(
        self,
        way: WholeWay,
        encoded: Encoded,
        losses: tuple[Loss, ...],
        answer: Callable[[bytes, Headers], tuple[bytes, Usage | None, str]],
    ) -> None:
        self.way = way
        self.body = encoded.body
        self.further = encoded.further
        self.losses = losses
        self.model = ""
        self._answer = answer

    def reply(self, body: bytes, headers: Headers) -> tuple[bytes, Usage | None]:
        """A provider's reply for the client, and its usage. Raises UpstreamFault("malformed")."""
        told, usage, self.model = self._answer(body, headers)
        return told, usage

    def unfolded(self, body: bytes, headers: Headers) -> tuple[bytes, Usage | None]:
        """The same: a client that asked for a stream of what has none gets it whole."""
        return self.reply(body, headers)

    def stream(self, headers: Headers) -> StreamTranslation:
        """There is none."""
        raise UpstreamFault("malformed", "The provider sent a stream where a whole reply was due.")


class WholeWay(msgspec.Struct, frozen=True):
    """From a client's format to a provider's, for one model. translate: the request; raises GatewayError for a
    client's mistake."""

    client: Wire
    provider: Wire
    facts: TargetFacts
    translate: Callable[[WholeWay, bytes, Call, Echo], WholeTranslation]


def way_between(client: Wire, provider: Wire, facts: TargetFacts, *, ask_usage: bool) -> Way | WholeWay | None:
    """The way from one format to another; None where there is none."""
    match client, provider:
        case Format(), Format():
            return Way(client, provider, facts, ask_usage)
        case EmbeddingFormat(), EmbeddingFormat():
            return WholeWay(client, provider, facts, _between(client.codec, provider.codec))
        case RerankFormat(), RerankFormat():
            return WholeWay(client, provider, facts, _between(client.codec, provider.codec))
        case _:
            return None


def _between(
    client: WholeCodec[Q, A], provider: WholeCodec[Q, A]
) -> Callable[[WholeWay, bytes, Call, Echo], WholeTranslation]:
    def translate(way: WholeWay, body: bytes, call: Call, echo: Echo) -> WholeTranslation:
        request = client.read_request(body, call)
        encoded = provider.write_request(request, way.facts)

        def answer(body: bytes, headers: Headers) -> tuple[bytes, Usage | None, str]:
            told = provider.read_reply(body, headers, request)
            return client.write_reply(told, request, echo), told.usage, told.model

        return WholeTranslation(way, encoded, merged((*request.lost, *encoded.losses)), answer)

    return translate
