"""Gemini's `:batchEmbedContents` and `:embedContent`, and Vertex AI's `:predict` for its older models.

Settings stand beside a content, or in the `embedContentConfig` of newer clients; both are read, and the former is
written, which every version of the API takes. Sources: ai.google.dev/api/embeddings; google-genai 2.x, models.py
(embed_content); cloud.google.com/vertex-ai (text embeddings API); 2026-11.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Call, Headers
from gateway.dialects import body as bodies
from gateway.dialects.canonical import Echo, Encoded, Loss, TargetFacts
from gateway.dialects.embedding import Embeddings, EmbedRequest, Foreign, Input, Mixed, Picture, Task, Truncation, Words
from gateway.dialects.embeddings.fitting import first_losses, lose_forms, lose_inputs, lose_user, word_for
from gateway.dialects.embeddings.vectors import checked, numbers_of
from gateway.dialects.gemini.fields import FLAG, MEMBERS, TEXT, WHOLE, Fields
from gateway.dialects.tokens import Count, GeminiUsage, of_gemini, of_input
from gateway.dialects.whole import mistake, read_answer

_encode: Final = msgspec.json.encode

_TASKS: Final[dict[str, Task]] = {
    "RETRIEVAL_QUERY": "query",
    "RETRIEVAL_DOCUMENT": "document",
    "SEMANTIC_SIMILARITY": "similarity",
    "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
    "QUESTION_ANSWERING": "question",
    "FACT_VERIFICATION": "fact",
    "CODE_RETRIEVAL_QUERY": "code-query",
}
_WORDS_OF_TASKS: Final[dict[Task, str]] = {
    **{task: word for word, task in _TASKS.items()},
    "code-document": "RETRIEVAL_DOCUMENT",
}
_EXACT: Final = frozenset(_TASKS.values())
_NAMES: Final = Words(
    inputs="content",
    dimensions="outputDimensionality",
    task="taskType",
    truncate="autoTruncate",
    forms="values",
    titles="title",
)


class _Values(msgspec.Struct, gc=False):
    values: list[float] = []


class _Reply(msgspec.Struct, rename="camel"):
    embedding: _Values | None = None
    embeddings: list[_Values] | None = None
    usage_metadata: GeminiUsage | None = None


class _Statistics(msgspec.Struct, gc=False):
    token_count: Count = None


class _Predicted(msgspec.Struct, gc=False):
    values: list[float] = []
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct, gc=False):
    embeddings: _Predicted


class _Predictions(msgspec.Struct):
    predictions: list[_Prediction]


_REPLY: Final = msgspec.json.Decoder(_Reply)
_PREDICTIONS: Final = msgspec.json.Decoder(_Predictions)


class GeminiEmbeddings:
    """The codec (gateway/dialects/whole.py). single: of `:embedContent`, which takes one content."""

    __slots__ = ("_single",)

    def __init__(self, *, single: bool) -> None:
        self._single = single

    def read_request(self, body: bytes, call: Call) -> EmbedRequest:
        names: list[str] = []
        top = Fields(bodies.read(MEMBERS, body), "", names)
        asked = [top] if self._single else top.each("requests")
        if not asked:
            raise mistake("requests", "at least one request is due.")
        found = [_read_one(one) for one in asked]
        top.raw("model")
        top.leave()
        first = found[0]
        lost: list[Loss] = []
        for place, one in enumerate(found):
            # Settings are those of the whole request everywhere else.
            for name, differs in (
                (_NAMES.task, one.task != first.task),
                (_NAMES.dimensions, one.dimensions != first.dimensions),
                (_NAMES.truncate, one.truncate != first.truncate),
            ):
                if differs:
                    lost.append(Loss(f"requests[{place}].{name}", "meaning", "not that of requests[0]"))
        lost += [Loss(_NAMES.task) for one in found[:1] if one.unknown_task]
        return EmbedRequest(
            model=call.model,
            inputs=tuple(one.content for one in found),
            titles=tuple(one.title for one in found) if any(one.title for one in found) else (),
            dimensions=first.dimensions,
            task=first.task,
            truncate=first.truncate,
            unread=tuple(names),
            lost=tuple(lost),
            words=_NAMES,
        )

    def write_request(self, request: EmbedRequest, facts: TargetFacts) -> Encoded:
        losses = first_losses(request)
        lose_forms(request, losses)
        lose_user(request, losses)
        lose_inputs(request, losses, beside_text=(Picture, Mixed))
        settings: dict[str, object] = {}
        task = word_for(request, _WORDS_OF_TASKS, _EXACT, losses)
        if task:
            settings["taskType"] = task
        if request.dimensions is not None:
            settings["outputDimensionality"] = request.dimensions
        if request.truncate is not None:
            # The API has it at Vertex alone, and refuses it elsewhere.
            losses.append(Loss(request.words.truncate))
        if self._single and len(request.inputs) > 1:
            losses.append(Loss(request.words.inputs, "meaning", "one a request"))
        model = f"models/{facts.model}"
        requests: list[dict[str, object]] = []
        for place, one in enumerate(request.inputs):
            asked: dict[str, object] = {"model": model, "content": {"parts": _parts(one, request, losses)}, **settings}
            if request.titles and request.titles[place]:
                asked["title"] = request.titles[place]
            requests.append(asked)
        return Encoded(_encode(requests[0] if self._single else {"requests": requests}), tuple(losses))

    def read_reply(self, body: bytes, headers: Headers, request: EmbedRequest) -> Embeddings:
        reply = read_answer(_REPLY, body, headers, "one of embeddings")
        found = reply.embeddings if reply.embeddings is not None else [reply.embedding] if reply.embedding else []
        floats = checked([one.values for one in found], len(request.inputs))
        return Embeddings(floats=floats, usage=of_gemini(reply.usage_metadata))

    def write_reply(self, answer: Embeddings, request: EmbedRequest, echo: Echo) -> bytes:
        vectors = [{"values": numbers_of(vector)} for vector in answer.floats]
        out: dict[str, object] = {"embedding": vectors[0]} if self._single else {"embeddings": vectors}
        if answer.usage is not None:
            out["usageMetadata"] = {"promptTokenCount": answer.usage.input, "totalTokenCount": answer.usage.input}
        return _encode(out)


class VertexEmbeddings:
    """The codec of Vertex AI's `:predict`. A provider's alone: of a client's request the path does not tell whether it
    is one for embeddings."""

    __slots__ = ()

    def read_request(self, body: bytes, call: Call) -> EmbedRequest:
        names: list[str] = []
        top = Fields(bodies.read(MEMBERS, body), "", names)
        parameters = top.nested("parameters") or Fields({}, "parameters.", names)
        cut = parameters.take("autoTruncate", FLAG)
        dimensions = parameters.take("outputDimensionality", WHOLE)
        contents: list[str] = []
        titles: list[str] = []
        tasks: list[str] = []
        for one in top.each("instances"):
            contents.append(one.take("content", TEXT) or "")
            titles.append(one.take("title", TEXT) or "")
            tasks.append(one.take("taskType", TEXT) or "")
            one.leave()
        if not contents:
            raise mistake("instances", "at least one instance is due.")
        parameters.leave()
        top.leave()
        return EmbedRequest(
            model=call.model,
            inputs=tuple(contents),
            titles=tuple(titles) if any(titles) else (),
            dimensions=dimensions,
            task=_TASKS.get(tasks[0]),
            truncate=None if cut is None else "end" if cut else "none",
            unread=tuple(names),
            words=_NAMES,
        )

    def write_request(self, request: EmbedRequest, facts: TargetFacts) -> Encoded:
        losses = first_losses(request)
        lose_forms(request, losses)
        lose_user(request, losses)
        lose_inputs(request, losses)
        task = word_for(request, _WORDS_OF_TASKS, _EXACT, losses)
        instances: list[dict[str, object]] = []
        for place, one in enumerate(request.inputs):
            instance: dict[str, object] = {"content": one if isinstance(one, str) else ""}
            if task:
                instance["task_type"] = task
            if request.titles and request.titles[place]:
                instance["title"] = request.titles[place]
            instances.append(instance)
        parameters: dict[str, object] = {}
        if request.truncate is not None or request.refuses_long:
            parameters["autoTruncate"] = request.truncate not in (None, "none")
        if request.truncate == "start":
            losses.append(Loss(request.words.truncate, "changed", "start -> end"))
        if request.dimensions is not None:
            parameters["outputDimensionality"] = request.dimensions
        body: dict[str, object] = {"instances": instances}
        if parameters:
            body["parameters"] = parameters
        return Encoded(_encode(body), tuple(losses))

    def read_reply(self, body: bytes, headers: Headers, request: EmbedRequest) -> Embeddings:
        found = [one.embeddings for one in read_answer(_PREDICTIONS, body, headers, "one of embeddings").predictions]
        floats = checked([one.values for one in found], len(request.inputs))
        counts = [one.statistics.token_count for one in found if one.statistics is not None]
        known = [count for count in counts if count is not None]
        return Embeddings(floats=floats, usage=of_input(sum(known)) if len(known) == len(found) else None)

    def write_reply(self, answer: Embeddings, request: EmbedRequest, echo: Echo) -> bytes:
        return _encode(
            {"predictions": [{"embeddings": {"values": numbers_of(vector)}} for vector in answer.floats]},
        )


class _One(msgspec.Struct, frozen=True):
    """What one request of a batch says."""

    content: Input
    title: str
    dimensions: int | None
    task: Task | None
    unknown_task: bool
    truncate: Truncation | None


def _read_one(asked: Fields) -> _One:
    content = asked.nested("content")
    if content is None:
        raise mistake(f"{asked.path}content", "a content is due.")
    pieces = [_piece(part) for part in content.each("parts")]
    content.raw("role")
    content.leave()
    config = asked.nested("embedContentConfig") or Fields({}, "", [])
    task = _said(asked, config, "taskType") or ""
    title = _said(asked, config, "title") or ""
    dimensions = config.take("outputDimensionality", WHOLE)
    if dimensions is None:
        dimensions = asked.take("outputDimensionality", WHOLE)
    if dimensions is not None and dimensions < 1:
        raise mistake(f"{asked.path}outputDimensionality", "a positive number is due.")
    cut = config.take("autoTruncate", FLAG)
    config.leave()
    # The model stands in the path; clients repeat it.
    asked.raw("model")
    if asked.path:
        asked.leave()
    return _One(
        content=_joined(pieces, asked.path),
        title=title,
        dimensions=dimensions,
        task=_TASKS.get(task),
        unknown_task=bool(task) and task not in _TASKS and task != "TASK_TYPE_UNSPECIFIED",
        truncate=None if cut is None else "end" if cut else "none",
    )


def _said(asked: Fields, config: Fields, name: str) -> str | None:
    return config.take(name, TEXT) or asked.take(name, TEXT)


def _piece(part: Fields) -> str | Picture | Foreign:
    text = part.take("text", TEXT)
    held = part.nested("inlineData") or part.nested("fileData")
    if held is None:
        part.leave()
        return text if text is not None else Foreign("a part without text")
    kind = held.take("mimeType", TEXT) or ""
    data = held.take("data", TEXT)
    url = held.take("fileUri", TEXT) or ""
    held.leave()
    part.leave()
    if not kind.startswith("image/"):
        return Foreign(kind or "a file")
    return Picture(url if data is None else f"data:{kind};base64,{data}")


def _joined(pieces: list[str | Picture | Foreign], path: str) -> Input:
    if not pieces:
        raise mistake(f"{path}content.parts", "at least one part is due.")
    if len(pieces) == 1:
        return pieces[0]
    known = tuple(piece for piece in pieces if not isinstance(piece, Foreign))
    if len(known) < len(pieces):
        return next(piece for piece in pieces if isinstance(piece, Foreign))
    return Mixed(known)


def _parts(one: Input, request: EmbedRequest, losses: list[Loss]) -> list[dict[str, object]]:
    match one:
        case str():
            return [{"text": one}]
        case Picture():
            return [_picture(one, request, losses)]
        case Mixed():
            return [
                {"text": piece} if isinstance(piece, str) else _picture(piece, request, losses) for piece in one.pieces
            ]
        case _:
            return []


def _picture(picture: Picture, request: EmbedRequest, losses: list[Loss]) -> dict[str, object]:
    head, found, data = picture.url.partition(";base64,")
    if found and head.startswith("data:"):
        return {"inlineData": {"mimeType": head[5:], "data": data}}
    losses.append(Loss(request.words.inputs, "meaning", "an image by its address is not taken"))
    return {}


BATCH: Final = GeminiEmbeddings(single=False)
SINGLE: Final = GeminiEmbeddings(single=True)
VERTEX: Final = VertexEmbeddings()
