"""OpenAI's `/embeddings`, and the same path in the words of Voyage, Jina and Mistral.

A request is read in all of these words at once, so that each vendor's own SDK is understood, and written in those of
the model that is asked. A reply is the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call, Headers
from gateway.dialects.body import checked_model, read
from gateway.dialects.canonical import Echo, Encoded, Loss, TargetFacts
from gateway.dialects.embedding import (
    Embeddings,
    EmbedRequest,
    Foreign,
    Form,
    Input,
    Picture,
    Task,
    Tokens,
    Truncation,
    Words,
)
from gateway.dialects.embeddings.families import Family, family_of
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
from gateway.dialects.embeddings.vectors import base64_of, checked, checked_integers, in_order, numbers_of, unpacked
from gateway.dialects.tokens import OpenAIUsage, of_openai
from gateway.dialects.unread import shape_of, unread
from gateway.dialects.whole import mistake, read_answer

_encode: Final = msgspec.json.encode


class _Piece(msgspec.Struct, gc=False):
    """An input of Jina's that says what it is."""

    text: str | None = None
    image: str | None = None


class _Body(msgspec.Struct):
    model: str
    input: str | list[str | int | list[int] | _Piece]
    dimensions: int | None = None
    output_dimension: int | None = None
    encoding_format: str | None = None
    embedding_type: str | list[str] | None = None
    output_dtype: str | None = None
    input_type: str | None = None
    task: str | None = None
    truncation: bool | None = None
    truncate: bool | str | None = None
    user: str | None = None


_BODY: Final = msgspec.json.Decoder(_Body)
_SHAPE: Final = shape_of(_Body)

_TASKS: Final[dict[str, Task]] = {
    "query": "query",
    "document": "document",
    "passage": "document",
    "search_query": "query",
    "search_document": "document",
    "classification": "classification",
    "clustering": "clustering",
    "retrieval.query": "query",
    "retrieval.passage": "document",
    "text-matching": "similarity",
    "separation": "clustering",
    "code.query": "code-query",
    "code.passage": "code-document",
}
_VOYAGE_TASKS: Final[dict[Task, str]] = {
    "query": "query",
    "document": "document",
    "question": "query",
    "fact": "query",
    "code-query": "query",
    "code-document": "document",
}
_JINA_TASKS: Final[dict[Task, str]] = {
    "query": "retrieval.query",
    "document": "retrieval.passage",
    "similarity": "text-matching",
    "classification": "classification",
    "clustering": "separation",
    "question": "retrieval.query",
    "fact": "retrieval.query",
    "code-query": "code.query",
    "code-document": "code.passage",
}
_JINA_EXACT: Final = frozenset(_JINA_TASKS) - {"question", "fact"}
_NO_TASKS: Final[dict[Task, str]] = {}
_CUTS: Final[dict[str, Truncation]] = {"NONE": "none", "START": "start", "END": "end"}
_FORMS: Final[dict[str, Form]] = {
    "float": "float", "int8": "int8", "uint8": "uint8", "binary": "binary", "ubinary": "ubinary",
}  # fmt: skip
_FORMS_HAD: Final[dict[Family, tuple[Form, ...]]] = {
    "openai": ("float",),
    "voyage": ("float", "int8", "uint8", "binary", "ubinary"),
    "jina": ("float", "binary", "ubinary"),
    "mistral": ("float", "int8", "uint8", "binary", "ubinary"),
}
_OPENAI_FIXED: Final = {"text-embedding-ada-002": (1536,)}
_MISTRAL_FIXED: Final = (1024,)


class _Item(msgspec.Struct, gc=False):
    embedding: list[float] | str | None = None
    index: int | None = None


class _Reply(msgspec.Struct):
    data: list[_Item]
    model: str | None = None
    usage: OpenAIUsage | None = None


_REPLY: Final = msgspec.json.Decoder(_Reply)


class _ItemOut(msgspec.Struct, gc=False):
    object: str
    index: int
    embedding: list[float] | list[int] | str


class OpenAIEmbeddings:
    """The codec (gateway/dialects/whole.py)."""

    __slots__ = ()

    def read_request(self, body: bytes, call: Call) -> EmbedRequest:
        asked = read(_BODY, body)
        task = asked.input_type or asked.task
        known = _TASKS.get(task) if task else None
        lost = [Loss("input_type" if asked.input_type else "task")] if task and known is None else []
        dimensions = asked.dimensions if asked.dimensions is not None else asked.output_dimension
        if dimensions is not None and dimensions < 1:
            raise mistake("dimensions", "a positive number is due.")
        form, base64 = _form_asked(asked)
        cut = _cut_asked(asked)
        return EmbedRequest(
            model=checked_model(asked.model),
            inputs=_inputs(asked.input),
            dimensions=dimensions,
            task=known,
            truncate=cut,
            refuses_long=cut is None and family_of(asked.model) != "voyage",
            forms=(form,),
            base64=base64,
            plain=not base64,
            user=asked.user or "",
            unread=unread(body, _SHAPE),
            lost=tuple(lost),
            words=_words(asked),
        )

    def write_request(self, request: EmbedRequest, facts: TargetFacts) -> Encoded:
        family = family_of(facts.model)
        losses = first_losses(request)
        lose_forms(request, losses, _FORMS_HAD[family])
        if len(request.forms) > 1:
            losses.append(Loss(request.words.forms, "meaning", "one form a request"))
        lose_titles(request, losses)
        out: dict[str, object] = {"model": facts.model, "input": _inputs_out(request, family, losses)}
        form = request.forms[0]
        match family:
            case "openai":
                word_for(request, _NO_TASKS, (), losses)
                if facts.model in _OPENAI_FIXED:
                    lose_dimensions(request, losses, _OPENAI_FIXED[facts.model])
                elif request.dimensions is not None:
                    out["dimensions"] = request.dimensions
                if request.truncate in ("start", "end"):
                    lose_truncation(request, losses)
                if request.user:
                    out["user"] = request.user
            case "voyage":
                task = word_for(request, _VOYAGE_TASKS, ("query", "document"), losses)
                if task:
                    out["input_type"] = task
                if request.dimensions is not None:
                    out["output_dimension"] = request.dimensions
                _write_truncation(request, "truncation", out, losses)
                if form != "float":
                    out["output_dtype"] = form
            case "jina":
                task = word_for(request, _JINA_TASKS, _JINA_EXACT, losses)
                if task:
                    out["task"] = task
                if request.dimensions is not None:
                    out["dimensions"] = request.dimensions
                _write_truncation(request, "truncate", out, losses)
                if form != "float" or request.base64:
                    out["embedding_type"] = "base64" if form == "float" else form
            case "mistral":
                word_for(request, _NO_TASKS, (), losses)
                lose_truncation(request, losses)
                if facts.model.startswith("mistral-embed"):
                    lose_dimensions(request, losses, _MISTRAL_FIXED)
                elif request.dimensions is not None:
                    out["output_dimension"] = request.dimensions
                if form != "float":
                    out["output_dtype"] = form
        if family != "openai":
            lose_user(request, losses)
        if request.base64 and family in ("openai", "voyage"):
            out["encoding_format"] = "base64"
        return Encoded(_encode(out), tuple(losses))

    def read_reply(self, body: bytes, headers: Headers, request: EmbedRequest) -> Embeddings:
        reply = read_answer(_REPLY, body, headers, "one of embeddings")
        items = reply.data
        due = len(request.inputs)
        vectors = [items[place].embedding for place in in_order([item.index for item in items], due)]
        usage = of_openai(reply.usage)
        form = request.forms[0]
        if form == "float":
            floats = checked([unpacked(one) if isinstance(one, str) else one or [] for one in vectors], due)
            return Embeddings(model=reply.model or "", usage=usage, floats=floats)
        integers = checked_integers(form, [_whole_numbers(one) for one in vectors], due)
        return Embeddings(model=reply.model or "", usage=usage, integers={form: integers})

    def write_reply(self, answer: Embeddings, request: EmbedRequest, echo: Echo) -> bytes:
        form = request.forms[0]
        written: Sequence[list[int] | list[float] | str]
        if form != "float":
            written = answer.integers.get(form, ())
        elif request.base64:
            written = [base64_of(vector) for vector in answer.floats]
        else:
            written = [numbers_of(vector) for vector in answer.floats]
        used = answer.usage.input if answer.usage is not None else 0
        return _encode(
            {
                "object": "list",
                "data": [_ItemOut("embedding", index, vector) for index, vector in enumerate(written)],
                "model": answer.model or echo.model,
                "usage": {"prompt_tokens": used, "total_tokens": used},
            }
        )


def _inputs(given: str | list[str | int | list[int] | _Piece]) -> tuple[Input, ...]:
    if isinstance(given, str):
        return (given,)
    if not given:
        raise mistake("input", "at least one input is due.")
    found: list[Input] = []
    tokens: list[int] = []
    for index, one in enumerate(given):
        match one:
            case str():
                found.append(one)
            case int():
                tokens.append(one)
            case list():
                found.append(Tokens(tuple(one)))
            case _:
                found.append(_piece(one, index))
    if tokens and found:
        raise mistake("input", "tokens and texts cannot be mixed.")
    return (Tokens(tuple(tokens)),) if tokens else tuple(found)


def _piece(one: _Piece, index: int) -> Input:
    if one.text is not None and one.image is None:
        return one.text
    if one.image is not None and one.text is None:
        return Picture(one.image)
    return Foreign(f"input[{index}]")


def _inputs_out(request: EmbedRequest, family: Family, losses: list[Loss]) -> list[object]:
    lose_inputs(request, losses, beside_text={"openai": (Tokens,), "jina": (Picture,)}.get(family, ()))
    out: list[object] = []
    pictures = any(isinstance(one, Picture) for one in request.inputs)
    for one in request.inputs:
        match one:
            case str():
                out.append({"text": one} if pictures else one)
            case Tokens():
                out.append(one.ids)
            case Picture():
                # Jina takes base64 as it is, without the head of a data URI.
                out.append({"image": one.url.partition(";base64,")[2] or one.url})
            case _:
                out.append("")
    return out


def _form_asked(asked: _Body) -> tuple[Form, bool]:
    said = asked.embedding_type
    if isinstance(said, list):
        if len(said) != 1:
            raise mistake("embedding_type", "one type a request can be translated.")
        said = said[0]
    for param, name in (("output_dtype", asked.output_dtype), ("embedding_type", said)):
        if name is not None and name not in _FORMS and name != "base64":
            raise mistake(param, f"{name[:100]!r} is not known; known are: base64, {', '.join(_FORMS)}.")
    if asked.encoding_format not in (None, "float", "base64"):
        raise mistake("encoding_format", "`float` or `base64` is due.")
    form = _FORMS.get(asked.output_dtype or said or "float", "float")
    return form, form == "float" and "base64" in (asked.encoding_format, said)


def _cut_asked(asked: _Body) -> Truncation | None:
    said = asked.truncation if asked.truncation is not None else asked.truncate
    if said is None or isinstance(said, bool):
        return None if said is None else "end" if said else "none"
    return _CUTS.get(said.upper())


def _words(asked: _Body) -> Words:
    return Words(
        dimensions="dimensions" if asked.output_dimension is None else "output_dimension",
        task="task" if asked.task is not None and asked.input_type is None else "input_type",
        truncate="truncate" if asked.truncate is not None else "truncation",
        forms="output_dtype" if asked.output_dtype else "embedding_type" if asked.embedding_type else "encoding_format",
    )


def _write_truncation(request: EmbedRequest, name: str, out: dict[str, object], losses: list[Loss]) -> None:
    if request.truncate is None:
        if request.refuses_long:
            out[name] = False
        return
    out[name] = request.truncate != "none"
    if request.truncate == "start":
        losses.append(Loss(request.words.truncate, "changed", "start -> end"))


def _whole_numbers(vector: list[float] | str | None) -> list[int]:
    if not isinstance(vector, list) or any(number != int(number) for number in vector):
        raise UpstreamFault("malformed", "The provider's reply is not one of embeddings: numbers that are not whole.")
    return [int(number) for number in vector]


CODEC: Final = OpenAIEmbeddings()
