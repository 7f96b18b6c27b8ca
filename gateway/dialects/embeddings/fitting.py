"""What every writer of embedding requests does to make one fit, and how it says so."""

from __future__ import annotations

from collections.abc import Container, Mapping

from gateway.dialects.canonical import Loss
from gateway.dialects.embedding import EmbedRequest, Foreign, Form, Input, Mixed, Picture, Task, Tokens


def first_losses(request: EmbedRequest) -> list[Loss]:
    """What the request's reader could not place."""
    return [Loss(name) for name in request.unread]


def lose_inputs(request: EmbedRequest, losses: list[Loss], *, beside_text: tuple[type, ...] = ()) -> None:
    """The inputs that a target cannot be given. beside_text: the types that it takes."""
    for index, one in enumerate(request.inputs):
        if not isinstance(one, str) and not isinstance(one, beside_text):
            losses.append(Loss(f"{request.words.inputs}[{index}]", "meaning", f"{_kind(one)} not taken"))
            return


def lose_titles(request: EmbedRequest, losses: list[Loss]) -> None:
    if any(request.titles):
        losses.append(Loss(request.words.titles))


def lose_user(request: EmbedRequest, losses: list[Loss]) -> None:
    if request.user:
        losses.append(Loss(request.words.user))


def lose_truncation(request: EmbedRequest, losses: list[Loss]) -> None:
    if request.truncate is not None:
        losses.append(Loss(request.words.truncate))


def lose_dimensions(request: EmbedRequest, losses: list[Loss], known: Container[int] = ()) -> None:
    """A vector of another length is another thing. known: the lengths that the target has by itself or when asked."""
    if request.dimensions is not None and request.dimensions not in known:
        losses.append(Loss(request.words.dimensions, "meaning", f"{request.dimensions} not to be had"))


def lose_forms(request: EmbedRequest, losses: list[Loss], had: Container[Form] = ("float",)) -> None:
    missing = [form for form in request.forms if form not in had]
    if missing:
        losses.append(Loss(request.words.forms, "meaning", f"{', '.join(missing)} not to be had"))


def word_for(request: EmbedRequest, words: Mapping[Task, str], exact: Container[Task], losses: list[Loss]) -> str:
    """The target's word for the task, `` where none was said or it has none. exact: those that its word says fully."""
    task = request.task
    if task is None:
        return ""
    word = words.get(task, "")
    if not word:
        losses.append(Loss(request.words.task))
    elif task not in exact:
        losses.append(Loss(request.words.task, "changed", f"{task} -> {word}"))
    return word


def texts_of(request: EmbedRequest) -> list[str]:
    """The texts, `` for any input that is none and stands in the losses."""
    return [text_of(one) for one in request.inputs]


def text_of(one: Input) -> str:
    return one if isinstance(one, str) else ""


def _kind(one: Input) -> str:
    match one:
        case Tokens():
            return "tokens are"
        case Picture():
            return "an image is"
        case Mixed():
            return "several pieces for one vector are"
        case Foreign():
            return f"{one.kind} is"
        case str():
            return "a text is"
