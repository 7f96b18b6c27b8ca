from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.core.errors import GatewayError
from gateway.dialects.blob import Blob
from gateway.dialects.canonical import Document
from gateway.dialects.openai_words import (
    address,
    audio_format,
    decoded_text,
    file_type,
    hosted_kind,
    kind_hint,
    plain_base64,
    says_error,
)


@pytest.mark.parametrize(
    ("raw", "url", "media_type", "content"),
    [
        (b'"https://example.com/a.png"', "https://example.com/a.png", "", None),
        (b'"data:image/png;base64,AAAA"', "", "image/png", "AAAA"),
        (b'"DATA:IMAGE/PNG;BASE64,AAAA"', "", "image/png", "AAAA"),
        (b'"data:image\\/png;base64,AA\\/A"', "", "image/png", "AA/A"),
        (b'"data:image/svg+xml;charset=utf-8;base64,AAAA"', "", "image/svg+xml", "AAAA"),
        (b'"data:;base64,AAAA"', "", "", "AAAA"),
        (b'"data:text/plain,hello"', "data:text/plain,hello", "", None),
    ],
)
def test_an_address_is_a_url_or_what_a_data_url_holds(
    raw: bytes, url: str, media_type: str, content: str | None
) -> None:
    found = address(msgspec.Raw(raw), "at")
    assert found[:2] == (url, media_type)
    assert (found[2].text() if found[2] is not None else None) == content


@pytest.mark.parametrize("raw", [b"7", b"null", b"{}", b"", b'"data:image/png;base64,\\u0001"'])
def test_what_is_no_address_is_told_with_its_place(raw: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        address(msgspec.Raw(raw), "messages[0].content[0].image_url")
    assert caught.value.param == "messages[0].content[0].image_url"


def test_names_of_formats_files_and_tools() -> None:
    assert [audio_format(one) for one in ("audio/mpeg", "audio/wav; codecs=1", "audio/amr")] == ["mp3", "wav", ""]
    assert [file_type(one) for one in ("a.pdf", "b.TXT", "c", "")] == [
        "application/pdf",
        "text/plain",
        "application/pdf",
        "application/pdf",
    ]
    assert [hosted_kind(one) for one in ("web_search_preview_2025_03_11", "code_interpreter", "mcp")] == [
        "web-search",
        "code-execution",
        "mcp",
    ]


@pytest.mark.parametrize(
    ("payload", "hint"),
    [
        (b'{"error":{"type":"server_error","code":null}}', "server_error"),
        (b'{"error":{"type":"x","code":"rate_limit_exceeded"}}', "rate_limit_exceeded"),
        (b'{"error":{"code":429}}', "429"),
        (b'{"type":"error","code":"server_error"}', "server_error"),
        (b'{"type":"response.failed","response":{"error":{"code":"invalid_prompt"}}}', "invalid_prompt"),
        (b'{"error":"words"}', ""),
        (b'{"type":"error"}', ""),
        (b"{broken", ""),
    ],
)
def test_what_a_provider_calls_its_error(payload: bytes, hint: str) -> None:
    assert kind_hint(payload) == hint


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", False),
        (b"null", False),
        (b'""', False),
        (b"{}", False),
        (b"false", False),
        (b'{"message":"x"}', True),
        (b'"x"', True),
    ],
)
def test_an_error_that_says_nothing_is_none(raw: bytes, says: bool) -> None:
    assert says_error(msgspec.Raw(raw)) is says


@pytest.mark.parametrize(("text", "kept"), [("AAAA", "AAAA"), ('A"A', ""), ("A\\A", ""), ("A\nA", ""), ("\u00e4", "")])
def test_base64_that_is_none_is_left_out(text: str, kept: str) -> None:
    assert plain_base64(text).text() == kept


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"content": Blob(memoryview(b"aGVsbG8=")), "media_type": "text/plain"}, "hello"),
        ({"content": Blob(memoryview(b"aGVsbG8=")), "media_type": "application/pdf"}, ""),
        ({"content": Blob(memoryview(b"/w==")), "media_type": "text/plain"}, ""),
        ({"content": Blob(memoryview(b"?")), "media_type": "text/plain"}, ""),
        ({"url": "https://example.com"}, ""),
    ],
)
def test_the_text_of_a_document(part: dict[str, Any], text: str) -> None:
    assert decoded_text(Document(**part)) == text
