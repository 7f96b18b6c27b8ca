"""Embeddings through Bedrock's InvokeModel: Titan's format, and Cohere's without its model.

Titan takes one input a call, so a request with several is as many calls. A provider's format alone. Sources:
docs.aws.amazon.com/bedrock (Titan Text Embeddings, Titan Multimodal Embeddings G1, Cohere Embed); 2026-11.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call, Headers
from gateway.dialects.body import read
from gateway.dialects.canonical import Echo, Encoded, Loss, TargetFacts
from gateway.dialects.embedding import Embeddings, EmbedRequest, Input, Mixed, Picture, Words
from gateway.dialects.embeddings.cohere import AT_BEDROCK
from gateway.dialects.embeddings.fitting import (
    first_losses,
    lose_dimensions,
    lose_forms,
    lose_inputs,
    lose_titles,
    lose_truncation,
    lose_user,
    word_for,
)
from gateway.dialects.embeddings.vectors import checked, numbers_of
from gateway.dialects.losses import merged
from gateway.dialects.tokens import Count, of_input
from gateway.dialects.unread import shape_of, unread
from gateway.dialects.whole import mistake, read_answer

_encode: Final = msgspec.json.encode
_COUNT_HEADER: Final = b"x-amzn-bedrock-input-token-count"

_TEXT_V2: Final = (256, 512, 1024)
_TEXT_V1: Final = (1536,)
_IMAGE: Final = (256, 384, 1024)
_NAMES: Final = Words(inputs="inputText", forms="embeddingTypes")


class _Body(msgspec.Struct, rename="camel"):
    input_text: str | None = None
    dimensions: int | None = None
    embedding_types: list[str] | None = None


class _ByType(msgspec.Struct):
    floats: list[float] | None = msgspec.field(default=None, name="float")


class _Reply(msgspec.Struct, rename="camel"):
    embedding: list[float] | None = None
    embeddings_by_type: _ByType | None = None
    input_text_token_count: Count = None


_BODY: Final = msgspec.json.Decoder(_Body)
_SHAPE: Final = shape_of(_Body)
_REPLY: Final = msgspec.json.Decoder(_Reply)
_REPLIES: Final = msgspec.json.Decoder(list[_Reply])

MOST: Final = 256
"""Inputs of one request, each of which is a call of its own."""


class TitanEmbeddings:
    """The codec of Titan's models (gateway/dialects/whole.py)."""

    __slots__ = ()

    def read_request(self, body: bytes, call: Call) -> EmbedRequest:
        asked = read(_BODY, body)
        if asked.input_text is None:
            raise mistake("inputText", "a text is due.")
        if asked.embedding_types not in (None, ["float"]):
            raise mistake("embeddingTypes", "`float` alone can be translated.")
        return EmbedRequest(
            model=call.model,
            inputs=(asked.input_text,),
            dimensions=asked.dimensions,
            refuses_long=True,
            unread=unread(body, _SHAPE),
            words=_NAMES,
        )

    def write_request(self, request: EmbedRequest, facts: TargetFacts) -> Encoded:
        losses = first_losses(request)
        lose_forms(request, losses)
        lose_titles(request, losses)
        lose_user(request, losses)
        word_for(request, {}, (), losses)
        if request.truncate in ("start", "end"):
            lose_truncation(request, losses)
        if len(request.inputs) > MOST:
            losses.append(Loss(request.words.inputs, "meaning", f"more than {MOST}, each a request of its own"))
            return Encoded(b"{}", tuple(losses))
        if "titan-embed-image" in facts.model:
            lose_inputs(request, losses, beside_text=(Picture, Mixed))
            lose_dimensions(request, losses, _IMAGE)
            bodies = [self._image_body(request, one, losses) for one in request.inputs]
        else:
            lose_inputs(request, losses)
            newer = "titan-embed-text-v2" in facts.model
            lose_dimensions(request, losses, _TEXT_V2 if newer else _TEXT_V1)
            sized = {"dimensions": request.dimensions} if newer and request.dimensions is not None else {}
            bodies = [{"inputText": one if isinstance(one, str) else "", **sized} for one in request.inputs]
        first, *further = map(_encode, bodies)
        return Encoded(first, merged(losses), further=tuple(further))

    def _image_body(self, request: EmbedRequest, one: Input, losses: list[Loss]) -> dict[str, object]:
        out: dict[str, object] = {}
        pieces = one.pieces if isinstance(one, Mixed) else (one,)
        texts = [piece for piece in pieces if isinstance(piece, str)]
        pictures = [piece.url for piece in pieces if isinstance(piece, Picture)]
        if len(texts) > 1 or len(pictures) > 1:
            losses.append(Loss(request.words.inputs, "meaning", "one text and one image make a vector"))
        if texts:
            out["inputText"] = texts[0]
        if pictures:
            out["inputImage"] = pictures[0].partition(";base64,")[2]
            if not out["inputImage"]:
                losses.append(Loss(request.words.inputs, "meaning", "an image by its address is not taken"))
        if request.dimensions is not None:
            out["embeddingConfig"] = {"outputEmbeddingLength": request.dimensions}
        return out

    def read_reply(self, body: bytes, headers: Headers, request: EmbedRequest) -> Embeddings:
        if len(request.inputs) > 1:
            replies = read_answer(_REPLIES, body, headers, "a list of replies of embeddings")
        else:
            replies = [read_answer(_REPLY, body, headers, "one of embeddings")]
        vectors = [_floats(reply) for reply in replies]
        counts = [reply.input_text_token_count for reply in replies if reply.input_text_token_count is not None]
        return Embeddings(
            floats=checked([vector for vector in vectors if vector is not None], len(request.inputs)),
            usage=of_input(sum(counts)) if len(counts) == len(replies) else None,
        )

    def write_reply(self, answer: Embeddings, request: EmbedRequest, echo: Echo) -> bytes:
        vector = numbers_of(answer.floats[0])
        used = answer.usage.input if answer.usage is not None else 0
        return _encode({"embedding": vector, "embeddingsByType": {"float": vector}, "inputTextTokenCount": used})


def _floats(reply: _Reply) -> list[float] | None:
    if reply.embedding is not None:
        return reply.embedding
    return reply.embeddings_by_type.floats if reply.embeddings_by_type is not None else None


class BedrockEmbeddings:
    """What InvokeModel takes, by the model's vendor."""

    __slots__ = ()

    def read_request(self, body: bytes, call: Call) -> EmbedRequest:
        return (AT_BEDROCK if _is_cohere(call.model) else TITAN).read_request(body, call)

    def write_request(self, request: EmbedRequest, facts: TargetFacts) -> Encoded:
        if not _is_cohere(facts.model) and "titan-embed" not in facts.model:
            loss = Loss("model", "meaning", f"{facts.model} is not known to embed")
            return Encoded(b"{}", (loss,))
        return (AT_BEDROCK if _is_cohere(facts.model) else TITAN).write_request(request, facts)

    def read_reply(self, body: bytes, headers: Headers, request: EmbedRequest) -> Embeddings:
        # Only Cohere's has a list of vectors, and its member has another name.
        if b'"embeddings"' not in body:
            return TITAN.read_reply(body, headers, request)
        answer = AT_BEDROCK.read_reply(body, headers, request)
        counts = [value for name, value in headers if name == _COUNT_HEADER and value.isdigit()]
        if answer.usage is None and counts:
            return msgspec.structs.replace(answer, usage=of_input(int(counts[0][:12])))
        return answer

    def write_reply(self, answer: Embeddings, request: EmbedRequest, echo: Echo) -> bytes:
        return (AT_BEDROCK if _is_cohere(echo.model) else TITAN).write_reply(answer, request, echo)


def _is_cohere(model: str) -> bool:
    """model: an id, an inference profile's id or an ARN."""
    return "cohere.embed" in model


TITAN: Final = TitanEmbeddings()
CODEC: Final = BedrockEmbeddings()
