"""What kind of request a body is, told without reading what it says.

Pure, and for whoever keeps account of requests: nothing is decided by it, so a body that is none of ours has simply no
features. A name in a user's own text does not count: inside a string its quotes are escaped.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

Feature = Literal["tools", "images", "audio", "files", "json"]

_PARTS: Final[tuple[Feature, ...]] = ("images", "audio", "files")
_PART: Final = re.compile(
    rb'"(?<!\\")(?:'
    rb'(image_url"|input_image"|image/|type": ?"image")'
    rb'|(input_audio"|audio/)'
    rb'|(input_file"|file_data"|file_id"|application/pdf"|type": ?"document")'
    rb")"
)
"""How such a part begins, in the dialects that clients speak; the groups are _PARTS. It is looked for from quote to
quote, which in long texts are few."""
_HINTS: Final = (b"image", b"audio", b"file", b"document", b"application/pdf")
"""One of these is in every such beginning. A body without them, and most are, is not looked at quote by quote."""
_PLAIN: Final = frozenset(("", "text", "text/plain"))


class Shape(msgspec.Struct, frozen=True, gc=False):
    """features: in a fixed order. choices: how many answers are asked for."""

    features: tuple[Feature, ...] = ()
    choices: int = 1


NO_SHAPE: Final = Shape()


class _Format(msgspec.Struct, gc=False):
    type: str = ""


class _Text(msgspec.Struct, gc=False):
    format: _Format | None = None


class _Generation(msgspec.Struct, rename="camel", gc=False):
    candidate_count: int | None = None
    response_mime_type: str | None = None


class _Body(msgspec.Struct, gc=False):
    """The members that say what is asked, of all dialects."""

    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
    response_format: _Format | None = None
    text: _Text | None = None
    output_format: _Format | None = None
    n: int | None = None
    generation: _Generation | None = msgspec.field(default=None, name="generationConfig")
    generation_too: _Generation | None = msgspec.field(default=None, name="generation_config")


_DECODER: Final = msgspec.json.Decoder(_Body)
_NO_GENERATION: Final = _Generation()


def shape_of(body: bytes) -> Shape:
    """Read off a JSON body. NO_SHAPE for what is not one, or has other types than these."""
    if not body.startswith(b"{"):
        return NO_SHAPE
    try:
        read = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return NO_SHAPE
    features: list[Feature] = []
    if read.tools or read.functions:
        features.append("tools")
    for hint in _HINTS:
        if hint in body:
            features += _parts_of(body)
            break
    generation = read.generation or read.generation_too or _NO_GENERATION
    asked = (
        read.response_format.type if read.response_format is not None else "",
        read.output_format.type if read.output_format is not None else "",
        read.text.format.type if read.text is not None and read.text.format is not None else "",
        generation.response_mime_type or "",
    )
    if not _PLAIN.issuperset(asked):
        features.append("json")
    choices = max(read.n or generation.candidate_count or 1, 1)
    return Shape(tuple(features), choices) if features or choices > 1 else NO_SHAPE


def _parts_of(body: bytes) -> list[Feature]:
    found: set[int | None] = set()
    for part in _PART.finditer(body):
        found.add(part.lastindex)
        if len(found) == len(_PARTS):
            break
    return [feature for group, feature in enumerate(_PARTS, 1) if group in found]
