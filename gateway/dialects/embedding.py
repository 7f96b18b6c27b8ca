"""The one form between the formats of embeddings: what is to be embedded, and the vectors that come back.

Lives here: types alone; the codecs in embeddings/ turn their bytes into these. Order is kept: vector i is that of
input i, whatever index a provider wrote beside it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.dialects.whole import WholeAnswer, WholeRequest

Task = Literal[
    "query", "document", "similarity", "classification", "clustering", "question", "fact", "code-query", "code-document"
]
"""What the vectors are for. query and document are the two sides of a search; question and fact are queries for answers
and for evidence."""

Truncation = Literal["none", "start", "end"]
"""What is cut off an input that is too long; `none`: it is refused."""

Form = Literal["float", "int8", "uint8", "binary", "ubinary"]
"""How the numbers of a vector are given; the binary forms have eight of them in a byte."""


class Tokens(msgspec.Struct, frozen=True):
    """An input that the client has cut into tokens itself. They mean something to the models of one tokenizer."""

    ids: tuple[int, ...]


class Picture(msgspec.Struct, frozen=True):
    """An image, as a data URI or another URL."""

    url: str


class Mixed(msgspec.Struct, frozen=True):
    """One input of several pieces, that get one vector together."""

    pieces: tuple[str | Picture, ...]


class Foreign(msgspec.Struct, frozen=True):
    """An input of a kind that this form does not have, such as sound: it has its place, and no other provider can be
    given it. kind: as losses name it."""

    kind: str


Input = str | Tokens | Picture | Mixed | Foreign


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What the client's format calls the members, for its losses."""

    inputs: str = "input"
    dimensions: str = "dimensions"
    task: str = "input_type"
    truncate: str = "truncation"
    forms: str = "encoding_format"
    titles: str = "title"
    user: str = "user"


class EmbedRequest(WholeRequest, frozen=True, kw_only=True):
    """inputs: in order, at least one. titles: of the inputs, `` where one has none; empty where none has any.
    dimensions: None for the model's own. refuses_long: nothing was said of truncation, and the client's API refuses
    what is too long. forms: what is asked for, in order. base64: whether the floats are to come as base64 of
    little-endian float32, plain: whether they are to come as numbers; a client may want both."""

    inputs: tuple[Input, ...]
    titles: tuple[str, ...] = ()
    dimensions: int | None = None
    task: Task | None = None
    truncate: Truncation | None = None
    refuses_long: bool = False
    forms: tuple[Form, ...] = ("float",)
    base64: bool = False
    plain: bool = True
    user: str = ""
    words: Words = Words()


Floats = list[float] | bytes
"""A vector as numbers, or as little-endian float32: whichever the provider sent."""


class Embeddings(WholeAnswer, frozen=True, kw_only=True):
    """floats: a vector for each input, empty where `float` was not asked for. integers: the same for each other form
    that was."""

    floats: tuple[Floats, ...] = ()
    integers: dict[Form, tuple[list[int], ...]] = {}
