"""Pictures, sound, films and files: `inlineData` and `fileData` on Gemini's side.

Lives here: which part a media type is, and which of Gemini's two members a part becomes. google-genai writes base64 in
the URL-safe alphabet, which no other provider takes: such data is rewritten, all other data is a view.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.dialects.blob import Blob, BlobWriter, read_blob
from gateway.dialects.canonical import Audio, Document, Image, Part
from gateway.dialects.gemini import wire

_DASH: Final = re.compile(rb"-")
_SCORE: Final = re.compile(rb"_")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_UPLOADED: Final = re.compile(r"gs://|files/|https://generativelanguage\.googleapis\.com/[^/]+/files/")
_TYPES: Final = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "pdf": "application/pdf", "txt": "text/plain", "html": "text/html", "csv": "text/csv",
    "mp3": "audio/mp3", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "mp4": "video/mp4",
    "webm": "video/webm", "mov": "video/quicktime",
}  # fmt: skip
"""By the ending of a URL's path: Google wants to be told."""


def read_inline(media_type: str, value: msgspec.Raw) -> Part | None:
    """The part with this base64; None where that is no string."""
    blob = read_blob(value)
    if blob is None:
        return None
    blob = _standard(blob)
    match media_type.partition("/")[0].lower():
        case "image":
            return Image(content=blob, media_type=media_type)
        case "audio":
            return Audio(content=blob, media_type=media_type)
        case _:
            return Document(content=blob, media_type=media_type or "application/octet-stream")


def read_file(uri: str, media_type: str) -> Part:
    """The part that is behind this URI: `file` where only Google can open it."""
    uploaded = _UPLOADED.match(uri) is not None
    url, file = ("", uri) if uploaded else (uri, "")
    match media_type.partition("/")[0].lower():
        case "image":
            return Image(url=url, file=file, media_type=media_type)
        case "audio" if url:
            return Audio(url=url, media_type=media_type)
        case _:
            return Document(url=url, file=file, media_type=media_type)


def write_media(part: Image | Audio | Document, blobs: BlobWriter) -> wire.Part | None:
    """The part as Gemini has it; None where it is known to another provider alone."""
    if part.content is not None:
        return wire.Part(inline_data=inline(part.content, part.media_type or _default_type(part), blobs))
    uri = part.url
    if not uri and not isinstance(part, Audio) and _UPLOADED.match(part.file):
        uri = part.file
    if not uri:
        return None
    return wire.Part(file_data=wire.FileData(file_uri=uri, mime_type=part.media_type or _guessed(uri)))


def inline(blob: Blob, media_type: str, blobs: BlobWriter) -> wire.InlineData:
    return wire.InlineData(mime_type=media_type, data=msgspec.Raw(msgspec.json.encode(blobs.place(blob))))


def _default_type(part: Image | Audio | Document) -> str:
    if isinstance(part, Image):
        return "image/png"
    return "audio/wav" if isinstance(part, Audio) else "application/pdf"


def _guessed(uri: str) -> str | None:
    try:
        path = urlsplit(uri).path
    except ValueError:
        return None
    return _TYPES.get(path.rpartition(".")[2].lower())


def _standard(blob: Blob) -> Blob:
    view = blob.view
    short = -len(view) % 4
    if not short and _DASH.search(view) is None and _SCORE.search(view) is None:
        return blob
    return Blob(memoryview(bytes(view).translate(_STANDARD) + b"=" * short))
