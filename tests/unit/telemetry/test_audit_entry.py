from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.exchange import Call, Captured
from gateway.core.record import AttemptRecord
from gateway.core.usage import Estimate
from gateway.policy.estimate import Estimator
from gateway.telemetry.audit_entry import JOINED, Entry, LineMaker, hashed_user
from gateway.telemetry.audit_line import AuditLine, Content, decode
from gateway.telemetry.audit_seal import KeyRing, Seal
from gateway.telemetry.log import MASK, Log
from tests.support.exchange_records import served

CHAT = Call("openai", "chat", "/chat/completions", model="gpt-4o")
KEY = bytes(range(32))
OTHER_KEY = bytes(32)
PROVIDERS_KEY = "correct-horse-battery"


def line(
    body: object = b"",
    reply: bytes | None = None,
    *,
    maker: LineMaker | None = None,
    call: Call = CHAT,
    path: str = "/v1/chat/completions",
    query: bytes = b"",
    estimate: Estimate | None = None,
    credential: bytes = b"",
    held: bool = True,
    **changes: Any,
) -> AuditLine:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    kept = None
    if reply is not None:
        kept = Captured(1 << 20)
        kept.add(reply)
    entry = Entry(served(**changes), call, path, query, raw if held else None, len(raw), estimate, kept, credential)
    return decode((maker or make())(entry).text)


def make(
    *, hash_key: bytes | None = None, hide_users: bool = False, max_body: int = 65_536, seal: Seal | None = None
) -> LineMaker:
    log = Log(lambda: 0.0)
    log.protect([PROVIDERS_KEY])
    return LineMaker(
        estimator=Estimator(), log=log, hash_key=hash_key, hide_users=hide_users, max_body=max_body, seal=seal
    )


def body(text: str = "Hi", **members: object) -> dict[str, object]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **members}


def test_a_line_knows_what_a_replay_needs() -> None:
    raw = json.dumps(body(tools=[{}], n=2)).encode()
    request = line(raw, estimate=Estimate(40, 42, 77)).request
    assert (request.estimated_prompt_tokens, request.estimated_completion_tokens) == (42, 77)
    assert (request.bytes, request.features, request.n) == (len(raw), ("tools",), 2)
    assert request.path == "/v1/chat/completions"


def test_what_nobody_has_estimated_is_estimated_for_the_line() -> None:
    assert line(body("x" * 400)).request.estimated_prompt_tokens > 100


def test_requests_that_the_cache_takes_for_the_same_have_one_digest() -> None:
    plain = line(body()).request.digest
    assert len(plain) == 64
    assert line(b' { "messages":[{"content":"Hi","role":"user"}], "model" : "gpt-4o" } ').request.digest == plain
    assert line(body(stream=True, user="ann", metadata={"a": "b"})).request.digest == plain


@pytest.mark.parametrize(
    "other",
    [
        line(body("Ho")),
        line(body(temperature=0)),
        line(body(), call=Call("anthropic", "messages", "/messages", model="gpt-4o")),
        line(body(), query=b"a=b"),
        line(body(), maker=make(hash_key=KEY)),
    ],
    ids=["text", "parameter", "dialect", "query", "key"],
)
def test_others_have_another(other: AuditLine) -> None:
    assert other.request.digest != line(body()).request.digest


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"[1]", b'{"a":' + b" " * 40_000 + b"1}"], ids=["bytes", "list", "long"])
def test_a_body_that_is_not_put_in_order_is_hashed_as_it_is(raw: bytes) -> None:
    assert line(raw).request.digest == line(raw).request.digest != line(raw + b" ").request.digest
    keyed = line(raw, maker=make(hash_key=KEY)).request.digest
    assert keyed not in (line(raw).request.digest, line(raw, maker=make(hash_key=OTHER_KEY)).request.digest)


def test_no_body_has_no_digest_and_one_too_many_to_hold_neither() -> None:
    assert line(b"").request.digest == ""
    request = line(body(), held=False).request
    assert (request.digest, request.bytes, request.features) == ("", len(json.dumps(body())), ())


def test_users_are_hashed_so_that_equal_ones_stay_equal() -> None:
    maker = make(hash_key=KEY, hide_users=True)
    hashed = line(maker=maker, user="ann@example.test").user_id
    assert hashed == line(maker=maker, user="ann@example.test").user_id == hashed_user("ann@example.test", KEY)
    assert hashed.startswith("hmac-sha256:")
    assert "ann" not in hashed
    assert hashed != line(maker=maker, user="bob@example.test").user_id
    assert hashed != line(maker=make(hash_key=OTHER_KEY, hide_users=True), user="ann@example.test").user_id
    assert line(maker=maker, user="").user_id == ""


def test_a_credential_that_stands_for_something_else_is_masked() -> None:
    secret = "sk-0123456789abcdefghij"
    found = line(
        user=f"user {secret}",
        asked=secret,
        model=secret,
        request_id=secret,
        attempts=(AttemptRecord("openai", secret, "main"),),
        path=f"/files?key={secret}",
    )
    assert found.user_id == "user [redacted]"
    for text in (found.request.model, found.response.model, found.request_id, found.attempts[0].model):
        assert text == "[redacted]"
    assert secret not in found.request.path


def test_what_was_clean_is_looked_at_again_when_there_are_new_secrets() -> None:
    log = Log(lambda: 0.0)
    maker = LineMaker(estimator=Estimator(), log=log, hash_key=None, hide_users=False, max_body=100, seal=None)
    assert line(maker=maker, user="swordfish").user_id == "swordfish"
    log.protect(["swordfish"])
    assert line(maker=maker, user="swordfish").user_id == "[redacted]"


def test_the_callers_own_credential_is_masked_whatever_it_looks_like() -> None:
    found = line(body("pass phrase"), b"the pass phrase", credential=b"pass phrase", user="pass phrase")
    assert found.user_id == "[redacted]"
    assert found.content is not None
    assert "phrase" not in found.content.request + found.content.response


def test_bodies_are_there_as_they_were_but_for_credentials() -> None:
    found = line(body(f"my key is {PROVIDERS_KEY}", api_key="hunter2-hunter2"), b'{"said": "Bearer abcdefgh12345678"}')
    assert found.content == Content(
        json.dumps(body("my key is [redacted]", api_key="[redacted]")), '{"said": "Bearer [redacted]"}'
    )


def test_a_body_that_is_too_long_is_cut_and_says_so() -> None:
    found = line(b"a" * 100, b"b" * 1000, maker=make(max_body=99)).content
    assert found is not None
    assert found.cut == ("request", "response")
    assert found.request == ""
    assert found.response == "b" * 99


@pytest.mark.parametrize("start", range(60, 101))
def test_a_credential_at_the_cut_is_masked_whole(start: int) -> None:
    raw = b"x " * (start // 2) + PROVIDERS_KEY.encode() + b" y" * 1000
    found = line(b"", raw, maker=make(max_body=100)).content
    assert found is not None
    assert not [part for part in ("corre", "horse", "batt") if part in found.response]


def test_a_body_that_is_no_text_is_not_shown() -> None:
    found = line(b"\x89PNG\0\0", b"RIFF\0\0\0").content
    assert found == Content("[not text]", "[not text]")


def test_contents_are_sealed_where_there_is_a_key() -> None:
    found = line(body("private"), b"private too", maker=make(seal=Seal(KEY)))
    assert found.content is not None
    assert found.content.request == found.content.response == ""
    opened = KeyRing([KEY]).open(found.content, found.id)
    assert opened.response == "private too"
    assert "private" in opened.request


def test_an_entry_shows_nothing_of_what_it_holds() -> None:
    entry = Entry(served(), CHAT, "/", b"", b"private", 7, None, None, b"secret")
    assert repr(entry) == "<entry 0011223344556677-1>"


def streamed(*pieces: str) -> bytes:
    events = ({"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces)
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


@pytest.mark.parametrize("at", range(1, len(PROVIDERS_KEY)))
def test_a_credential_that_lies_across_events_is_masked(at: int) -> None:
    content = line(body(), streamed("It is ", PROVIDERS_KEY[:at], PROVIDERS_KEY[at:], ", keep it"), stream=True).content
    assert content is not None
    assert content.response == f"{JOINED}\nIt is {MASK}, keep it"


def test_a_stream_without_one_is_shown_as_it_was() -> None:
    told = streamed("It is ", "no ", "secret")
    content = line(body(), told, stream=True).content
    assert content is not None
    assert content.response == told.decode()
