from __future__ import annotations

import pytest

from gateway.core.errors import GatewayError
from gateway.ingress import paths
from gateway.ingress.paths import LIMIT, checked_path, checked_query, guess_dialect, key_in_query


@pytest.fixture(autouse=True)
def nothing_seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_seen", {})


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/v1/chat/completions",
        b"/v1/files/",
        b"/v1beta/models/gemini-2.5-pro:streamGenerateContent",
        b"/v1beta/models/gemini%3Apro:generateContent",
        b"/v1/models/ft:gpt-4o-mini:org::id",
        b"/v1/models/meta-llama/Llama-3.3-70B-Instruct",
        b"/v1/fine_tuning/jobs/ftjob-1/events",
        b"/v1/files/a.b..c",
        b"/v1/files/...",
        b"/v1/.well-known",
        b"/v1/files/%C3%BC%20%25",
        b"/v1/files/~tilde%7E",
        b"/https:/host.example/x",
        b"/@host.example/x",
        b"/v1/x;y=1,2!$&'()*+=@",
    ],
)
def test_a_good_path_stays_as_it_was_written(path: bytes) -> None:
    assert checked_path(path) == path.decode()
    assert checked_path(path) == path.decode()


@pytest.mark.parametrize(
    "path",
    [
        b"v1/chat",
        b"*",
        b"https://host.example/x",
        b"//host.example/x",
        b"/https://host.example/x",
        b"/v1//chat/completions",
        b"/v1/files//",
        b"/..",
        b"/v1/../admin",
        b"/v1/./chat",
        b"/v1/chat/..",
        b"/v1/%2e%2e/admin",
        b"/v1/%2E./admin",
        b"/v1/.%2e/admin",
        b"/v1/..;/admin",
        b"/v1/..;x=1/admin",
        b"/v1/%2e%2e%3b/admin",
        b"/v1/a%2fb",
        b"/v1/a%2Fb",
        b"/v1/%2f%2fhost",
        b"/v1/a%5cb",
        b"/v1/a\\b",
        b"/v1/a%00",
        b"/v1/a%0d%0ab",
        b"/v1/a%7f",
        b"/v1/a b",
        b"/v1/a?b",
        b"/v1/a#b",
        b"/v1/a\r\nx: y",
        b"/v1/\xc3\xbc",
        b"/v1/a%",
        b"/v1/a%2",
        b"/v1/a%zz",
        b"/v1/{model}",
        b'/v1/"',
        b"/v1/ch%61t/completions",
        b"/%761/chat/completions",
        b"/v1/messages/count%5Ftokens",
        b"/v1/fine%2dtuning",
        b"/v1/a%2Eb",
        b"/v1/%30",
        b"/" + b"a" * LIMIT,
    ],
)
def test_a_bad_path_is_refused_each_time(path: bytes) -> None:
    for _ in range(2):
        with pytest.raises(GatewayError) as refused:
            checked_path(path)
        assert refused.value.code == "path_invalid"


def test_a_path_that_is_not_there_says_so() -> None:
    with pytest.raises(GatewayError) as refused:
        checked_path(b"")
    assert refused.value.code == "not_found"


def test_the_memory_of_good_paths_is_bounded() -> None:
    for number in range(paths.REMEMBERED + 10):
        checked_path(b"/v1/files/%d" % number)
    checked_path(b"/v1/" + b"a" * 300)
    assert len(paths._seen) == paths.REMEMBERED


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        (b"", b""),
        (b"alt=sse", b"alt=sse"),
        (b"alt=sse&key=K", b"alt=sse"),
        (b"key=K", b""),
        (b"key=K&alt=sse&key=L", b"alt=sse"),
        (b"monkey=1&key=K", b"monkey=1"),
        (b"%6Bey=K&alt=sse", b"alt=sse"),
        (b"k%65y=K", b""),
        (b"access_token=T&a=1", b"a=1"),
        (b"access%5Ftoken=T", b""),
        (b"key", b"key"),
        (b"limit=2&after=file-1", b"limit=2&after=file-1"),
        (b"a=%20&b=%C3%BC", b"a=%20&b=%C3%BC"),
        (b"pagetoken=key", b"pagetoken=key"),
    ],
)
def test_a_query_loses_the_clients_credential_and_nothing_else(query: bytes, sent: bytes) -> None:
    assert checked_query(query) == sent


def test_an_untouched_query_is_the_same_object() -> None:
    query = b"limit=2&after=file-1"
    assert checked_query(query) is query


@pytest.mark.parametrize("query", [b"a=b c", b"a=\r\n", b"a#b", b"a=\xc3\xbc", b"a=\x00", b"a" * (LIMIT + 1)])
def test_a_bad_query_is_refused(query: bytes) -> None:
    with pytest.raises(GatewayError) as refused:
        checked_query(query)
    assert refused.value.code == "path_invalid"


@pytest.mark.parametrize(
    ("query", "key"),
    [
        (b"", ""),
        (b"alt=sse", ""),
        (b"key=K", "K"),
        (b"alt=sse&key=a%2Bb", "a+b"),
        (b"monkey=1", ""),
        (b"k%65y=K", "K"),
        (b"key=a=b", "a=b"),
        (b"key=", ""),
    ],
)
def test_the_key_in_a_query(query: bytes, key: str) -> None:
    assert key_in_query(query) == key


@pytest.mark.parametrize(
    ("path", "header", "dialect"),
    [
        (b"/router/p/v1/chat/completions", b"", "openai"),
        (b"/router/p/v1/messages", b"", "anthropic"),
        (b"/anthropic/v1/messages/count_tokens", b"", "anthropic"),
        (b"/v1beta/models", b"", "gemini"),
        (b"/ai/v1/models/g:generateContent", b"", "gemini"),
        (b"/ai/v1/models/g:streamGenerateContent", b"", "gemini"),
        (b"/v1beta/openai/chat/completions", b"", "openai"),
        (b"/v1/models", b"anthropic-version", "anthropic"),
        (b"/v1/models", b"x-goog-api-key", "gemini"),
        (b"/v1/models", b"authorization", "openai"),
        (b"//", b"", "openai"),
        (b"", b"", "openai"),
    ],
)
def test_an_unread_request_is_answered_in_the_dialect_it_looks_like(path: bytes, header: bytes, dialect: str) -> None:
    assert guess_dialect(path, [(b"accept", b"*/*"), (header, b"x")]) == dialect
