"""Cohere's v2 `/embed`. Its `input_type` is demanded: where nobody said what the vectors are for, they are those of
documents. The same body without its model is what Bedrock takes for Cohere's models.

Sources: docs.cohere.com/reference/embed; docs.aws.amazon.com/bedrock (Cohere Embed v3 and v4); 2026-11.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway.core.exchange import Call, Headers
from gateway.dialects.body import checked_model, read
from gateway.dialects.canonical import Echo, Encoded, Loss, TargetFacts
from gateway.dialects.embedding import (
    Embeddings,
    EmbedRequest,
    Floats,
    Foreign,
    Form,
    Input,
    Mixed,
    Picture,
    Task,
    Truncation,
    Words,
)
from gateway.dialects.embeddings.fitting import (
    first_losses,
    lose_dimensions,
    lose_inputs,
    lose_titles,
    lose_user,
    word_for,
)
from gateway.dialects.embeddings.vectors import base64_of, checked, checked_integers, numbers_of, unpacked
from gateway.dialects.tokens import CohereUsage, of_cohere
from gateway.dialects.unread import shape_of, unread
from gateway.dialects.whole import mistake, read_answer

_encode: Final = msgspec.json.encode

_TASKS: Final[dict[str, Task]] = {
    "search_query": "query",
    "search_document": "document",
    "classification": "classification",
    "clustering": "clustering",
}
_WORDS_OF_TASKS: Final[dict[Task, str]] = {
    **{task: word for word, task in _TASKS.items()},
    "question": "search_query",
    "fact": "search_query",
    "code-query": "search_query",
    "code-document": "search_document",
    "similarity": "clustering",
}
_EXACT: Final = frozenset(_TASKS.values())
_UNSAID: Final = "search_document"
_FORMS: Final[dict[str, Form]] = {
    "float": "float", "int8": "int8", "uint8": "uint8", "binary": "binary", "ubinary": "ubinary",
}  # fmt: skip
_CUTS: Final[dict[str, Truncation]] = {"NONE": "none", "START": "start", "END": "end"}
_CUT_WORDS: Final[dict[Truncation, str]] = {cut: word for word, cut in _CUTS.items()}
# Models before v4 have one length each.
_FIXED: Final = {
    "embed-english-v3": (1024,),
    "embed-multilingual-v3": (1024,),
    "embed-english-light": (384,),
    "embed-multilingual-light": (384,),
}
_NAMES: Final = Words(
    inputs="texts",
    dimensions="output_dimension",
    task="input_type",
    truncate="truncate",
    forms="embedding_types",
)


class _ImageUrl(msgspec.Struct, gc=False):
    url: str


class _Part(msgspec.Struct, gc=False):
    type: str
    text: str | None = None
    image_url: _ImageUrl | None = None


class _Several(msgspec.Struct, gc=False):
    content: list[_Part]


class _Body(msgspec.Struct):
    model: str = ""
    input_type: str | None = None
    texts: list[str] | None = None
    images: list[str] | None = None
    inputs: list[_Several] | None = None
    embedding_types: list[str] | None = None
    output_dimension: int | None = None
    truncate: Literal["NONE", "START", "END"] | None = None


class _Vectors(msgspec.Struct):
    floats: list[list[float]] | None = msgspec.field(default=None, name="float")
    int8: list[list[int]] | None = None
    uint8: list[list[int]] | None = None
    binary: list[list[int]] | None = None
    ubinary: list[list[int]] | None = None
    base64: list[str] | None = None


class _Reply(msgspec.Struct):
    """embeddings: at Bedrock a list where no types were asked for."""

    embeddings: _Vectors | list[list[float]]
    id: str | None = None
    meta: CohereUsage | None = None


_BODY: Final = msgspec.json.Decoder(_Body)
_SHAPE: Final = shape_of(_Body)
_REPLY: Final = msgspec.json.Decoder(_Reply)


class CohereEmbeddings:
    """The codec (gateway/dialects/whole.py). named: the model stands in the body."""

    __slots__ = ("_named",)

    def __init__(self, *, named: bool = True) -> None:
        self._named = named

    def read_request(self, body: bytes, call: Call) -> EmbedRequest:
        asked = read(_BODY, body)
        inputs: list[Input] = [*(asked.texts or ())]
        inputs += [Picture(url) for url in asked.images or ()]
        inputs += [_joined(one, place) for place, one in enumerate(asked.inputs or ())]
        if not inputs:
            raise mistake("texts", "one of `texts`, `images` and `inputs` is due.")
        if asked.output_dimension is not None and asked.output_dimension < 1:
            raise mistake("output_dimension", "a positive number is due.")
        types = list(dict.fromkeys(asked.embedding_types or ("float",)))
        for name in types:
            if name not in _FORMS and name != "base64":
                known = ", ".join(_FORMS)
                raise mistake("embedding_types", f"{name[:100]!r} is not known; known are: base64, {known}.")
        # `image` says what the inputs are, and they say that themselves.
        task = asked.input_type if asked.input_type != "image" else None
        known_task = _TASKS.get(task) if task else None
        return EmbedRequest(
            model=checked_model(asked.model or call.model),
            inputs=tuple(inputs),
            dimensions=asked.output_dimension,
            task=known_task,
            truncate=_CUTS[asked.truncate] if asked.truncate else None,
            forms=tuple(dict.fromkeys(_FORMS.get(name, "float") for name in types)),
            base64="base64" in types,
            plain="float" in types,
            unread=unread(body, _SHAPE),
            lost=(Loss("input_type"),) if task and known_task is None else (),
            words=_NAMES,
        )

    def write_request(self, request: EmbedRequest, facts: TargetFacts) -> Encoded:
        losses = first_losses(request)
        lose_inputs(request, losses, beside_text=(Picture, Mixed))
        lose_titles(request, losses)
        lose_user(request, losses)
        out: dict[str, object] = {"model": facts.model} if self._named else {}
        kinds = {type(one) for one in request.inputs}
        pictured = kinds == {Picture}
        if pictured:
            out["images"] = [one.url for one in request.inputs if isinstance(one, Picture)]
        elif kinds <= {Picture, Mixed, str} and kinds != {str}:
            out["inputs"] = [{"content": _content(one)} for one in request.inputs]
        else:
            out["texts"] = [one if isinstance(one, str) else "" for one in request.inputs]
        task = word_for(request, _WORDS_OF_TASKS, _EXACT, losses)
        # Only the older models take nothing else of an image.
        fixed = next((lengths for name, lengths in _FIXED.items() if name in facts.model), ())
        out["input_type"] = "image" if pictured and fixed else task or _UNSAID
        # Numbers even where base64 is wanted: Bedrock has no other, and they become it exactly.
        out["embedding_types"] = request.forms
        if fixed:
            lose_dimensions(request, losses, fixed)
        elif request.dimensions is not None:
            out["output_dimension"] = request.dimensions
        if request.truncate is not None:
            out["truncate"] = _CUT_WORDS[request.truncate]
        elif request.refuses_long:
            out["truncate"] = "NONE"
        return Encoded(_encode(out), tuple(losses))

    def read_reply(self, body: bytes, headers: Headers, request: EmbedRequest) -> Embeddings:
        reply = read_answer(_REPLY, body, headers, "one of embeddings")
        due = len(request.inputs)
        found = reply.embeddings if isinstance(reply.embeddings, _Vectors) else _Vectors(floats=reply.embeddings)
        floats: tuple[Floats, ...] = ()
        integers: dict[Form, tuple[list[int], ...]] = {}
        for form in request.forms:
            match form:
                case "float":
                    packed = [unpacked(text) for text in found.base64 or ()]
                    floats = checked(found.floats if found.floats is not None else packed, due)
                case "int8":
                    integers[form] = checked_integers(form, found.int8 or (), due)
                case "uint8":
                    integers[form] = checked_integers(form, found.uint8 or (), due)
                case "binary":
                    integers[form] = checked_integers(form, found.binary or (), due)
                case "ubinary":
                    integers[form] = checked_integers(form, found.ubinary or (), due)
        return Embeddings(id=reply.id or "", floats=floats, integers=integers, usage=of_cohere(reply.meta))

    def write_reply(self, answer: Embeddings, request: EmbedRequest, echo: Echo) -> bytes:
        vectors: dict[str, object] = {}
        if "float" in request.forms:
            if request.plain:
                vectors["float"] = [numbers_of(vector) for vector in answer.floats]
            if request.base64:
                vectors["base64"] = [base64_of(vector) for vector in answer.floats]
        vectors |= dict(answer.integers.items())
        billed = {"billed_units": {"input_tokens": answer.usage.input}} if answer.usage is not None else {}
        return _encode(
            {
                "id": answer.id or echo.id,
                "embeddings": vectors,
                "texts": [one for one in request.inputs if isinstance(one, str)],
                "meta": {"api_version": {"version": "2"}, **billed},
                "response_type": "embeddings_by_type",
            }
        )


def _joined(one: _Several, place: int) -> Input:
    pieces: list[str | Picture] = []
    for part in one.content:
        if part.type == "text" and part.text is not None:
            pieces.append(part.text)
        elif part.type == "image_url" and part.image_url is not None:
            pieces.append(Picture(part.image_url.url))
        else:
            return Foreign(f"{part.type[:100]!r}")
    if not pieces:
        raise mistake(f"inputs[{place}].content", "at least one part is due.")
    return pieces[0] if len(pieces) == 1 else Mixed(tuple(pieces))


def _content(one: Input) -> list[dict[str, object]]:
    match one:
        case str():
            return [{"type": "text", "text": one}]
        case Picture():
            return [{"type": "image_url", "image_url": {"url": one.url}}]
        case Mixed():
            return [piece for inner in one.pieces for piece in _content(inner)]
        case _:
            return []


CODEC: Final = CohereEmbeddings()
AT_BEDROCK: Final = CohereEmbeddings(named=False)
