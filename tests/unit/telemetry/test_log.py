from __future__ import annotations

import io
import logging
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.log import MASK, Bridge, Level, Log, Value, bridge_libraries

WALL = 1_800_000_000.25
KEY = "sk-proj-abcdefghijklmnop1234"
PLAIN = "q7W2e9R4t1Y6u3I8"
"""A key of a vendor whose keys look like nothing in particular."""


def written(fields: dict[str, Value] | None = None, *, style: str = "json", secrets: tuple[str, ...] = ()) -> str:
    stream = io.StringIO()
    log = Log(lambda: WALL, "json" if style == "json" else "text", stream=stream)
    log.protect(secrets)
    log.write("info", "request served", fields)
    return stream.getvalue()


def redacted(text: str) -> str:
    return Log(lambda: WALL).redact(text)


def test_json_is_one_object_a_line() -> None:
    line = written({"status": 200, "seconds": 0.5, "good": True, "code": None, "model": "gpt-4o"})
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert msgspec.json.decode(line) == {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "info",
        "event": "request served",
        "status": 200,
        "seconds": 0.5,
        "good": True,
        "code": None,
        "model": "gpt-4o",
    }


def test_text_is_one_line_for_people() -> None:
    assert written({"status": 200, "caller": "", "code": "a b"}, style="text") == (
        '08:00:00.250 info    request served  status=200  code="a b"\n'
    )


@pytest.mark.parametrize(
    ("least", "level", "shown"),
    [
        ("info", "debug", False),
        ("info", "info", True),
        ("warning", "info", False),
        ("warning", "error", True),
        ("debug", "debug", True),
        ("error", "warning", False),
    ],
)
def test_what_is_below_the_level_is_not_written(least: Level, level: Level, shown: bool) -> None:
    stream = io.StringIO()
    Log(lambda: WALL, level=least, stream=stream).write(level, "something happened")
    assert bool(stream.getvalue()) is shown


def test_without_a_stream_it_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    Log(lambda: WALL).write("info", "something happened")
    assert "something happened" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"authorization: Bearer {PLAIN}", f"authorization: Bearer {MASK}"),
        (f"Authorization: Token {PLAIN}", f"Authorization: Token {MASK}"),
        (f"authorization: Key id:{PLAIN}", f"authorization: Key {MASK}"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", f"Authorization: Basic {MASK}"),
        (f"proxy-authorization: {PLAIN}", f"proxy-authorization: {MASK}"),
        (f"x-api-key: {PLAIN}", f"x-api-key: {MASK}"),
        (f"x-goog-api-key={PLAIN}", f"x-goog-api-key={MASK}"),
        (f"xi-api-key:{PLAIN}", f"xi-api-key:{MASK}"),
        (f"api-key: {PLAIN}, accept: */*", f"api-key: {MASK}, accept: */*"),
        (f"OPENAI_API_KEY={PLAIN} uv run", f"OPENAI_API_KEY={MASK} uv run"),
        ("cookie: a=1; b=2", f"cookie: {MASK}"),
        ("set-cookie: session=1; Path=/", f"set-cookie: {MASK}"),
        (f'{{"api_key": "{PLAIN}", "n": 1}}', f'{{"api_key": "{MASK}", "n": 1}}'),
        (f'{{"authorization":"Bearer {PLAIN} x"}}', f'{{"authorization":"Bearer {MASK}"}}'),
        (f'{{\\"x-api-key\\": \\"{PLAIN}\\"}}', f'{{\\"x-api-key\\": \\"{MASK}\\"}}'),
        ('{"client_secret": "one\\ntwo"}', f'{{"client_secret": "{MASK}"}}'),
        (f"[(b'x-api-key', b'{PLAIN}')]", f"[(b'x-api-key', b'{MASK}')]"),
        (f"{{'authorization': 'Bearer {PLAIN}'}}", f"{{'authorization': 'Bearer {MASK}'}}"),
        (f"Bearer {PLAIN}", f"Bearer {MASK}"),
        (f"bearer\n{PLAIN}", f"bearer\n{MASK}"),
        (f"GET /v1beta/models?key={PLAIN}&alt=sse", f"GET /v1beta/models?key={MASK}&alt=sse"),
        (f"GET /v1/models?a=1&api_key={PLAIN}", f"GET /v1/models?a=1&api_key={MASK}"),
        (f"/x?access_token={PLAIN}", f"/x?access_token={MASK}"),
        ("http://me:pass@proxy.internal:3128/", f"http://{MASK}@proxy.internal:3128/"),
        (f"a key {KEY} in prose", f"a key {MASK} in prose"),
        (f"Bearer%20{KEY}", f"Bearer%20{MASK}"),
        ("sk-ant-api03-abcdefghijklmnop_-x", MASK),
        ("gw_" + "a" * 43, MASK),
        ("AIza" + "S" * 35, MASK),
        ("gsk_" + "a" * 20, MASK),
        ("xai-" + "a" * 20, MASK),
        ("hf_" + "a" * 20, MASK),
        ("ya29." + "a" * 20, MASK),
        ("AKIA" + "A" * 16, MASK),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", MASK),
        (f"two\n{KEY}\nlines: {KEY}", f"two\n{MASK}\nlines: {MASK}"),
    ],
)
def test_every_style_of_credential_is_masked(text: str, masked: str) -> None:
    assert redacted(text) == masked
    assert redacted(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "gpt-4o-2024-08-06",
        "tokens: 12, cached_tokens=4",
        "the code is invalid_api_key",
        "monkey-business-of-the-long-kind",
        "desk-abcdefghijklmnopqrstuv",
        "https://api.openai.com/v1/chat/completions?stream=true",
        "openai: all 2 keys cooling, next in 12 s",
        "0123456789ab-1f",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize(
    "secret",
    [PLAIN, 'with"quote', "back\\slash", "two\nlines", "ends in \\", "schlüssel-über", "a b c d", "per%cent/slash+"],
)
def test_a_protected_text_never_appears_in_any_spelling(style: str, secret: str) -> None:
    fields: dict[str, Value] = {
        "plain": f"it is {secret}.",
        "python": repr([secret]),
        "json": msgspec.json.encode({"key": secret}).decode(),
        "error": repr(ValueError(f"cannot use {secret!r}")),
    }
    line = written(fields, style=style, secrets=(secret,))
    assert line.count(MASK) == 4
    for form in (secret, repr(secret)[1:-1], msgspec.json.encode(secret).decode()[1:-1]):
        assert form not in line


def test_the_longest_protected_text_is_masked_first() -> None:
    assert written({"a": "secret-one-more"}, secrets=("secret-one", "secret-one-more")).count("more") == 0


def test_a_protected_text_of_a_few_letters_masks_nothing() -> None:
    assert MASK not in written({"a": "abc abcde"}, secrets=("", "a", "abcde"))


def test_masking_leaves_the_line_valid_json() -> None:
    line = written({"said": f'"GET /x?key={PLAIN}" failed', "path": f"C:\\?key={PLAIN}\\"})
    found = msgspec.json.decode(line)
    assert found["said"] == f'"GET /x?key={MASK}" failed'
    assert PLAIN not in line


def test_an_event_is_masked_too() -> None:
    stream = io.StringIO()
    Log(lambda: WALL, stream=stream).write("info", f"x-api-key: {PLAIN}")
    assert PLAIN not in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_value_cannot_forge_a_line(style: str) -> None:
    line = written({"model": "a\n08:00:00.000 error   all is lost", "user": "\x1b[2J\r"}, style=style)
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert "\r" not in line


def test_an_event_of_several_lines_is_one_in_text() -> None:
    stream = io.StringIO()
    Log(lambda: WALL, "text", stream=stream).write("info", "one\ntwo")
    assert stream.getvalue().count("\n") == 1


def test_half_a_surrogate_pair_is_written_as_a_question() -> None:
    assert msgspec.json.decode(written({"model": "a\ud800b"}))["model"] == "a?b"


class _Broken(io.StringIO):
    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self._failure = failure

    def write(self, text: str) -> int:
        raise self._failure


@pytest.mark.parametrize(
    "failure", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("I/O operation on closed file")]
)
def test_serving_goes_on_when_nobody_takes_the_lines(failure: Exception) -> None:
    Log(lambda: WALL, stream=_Broken(failure)).write("info", "something happened")


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "info"),
        (logging.WARNING, "warning"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_a_librarys_record_comes_the_same_way(level: int, shown: str) -> None:
    stream = io.StringIO()
    bridge = Bridge(Log(lambda: WALL, level="debug", stream=stream))
    bridge.emit(logging.LogRecord("lib", level, "", 0, "sent %s", (f"Bearer {PLAIN}",), None))
    found = msgspec.json.decode(stream.getvalue())
    assert found["level"] == shown
    assert found["logger"] == "lib"
    assert found["event"] == f"sent Bearer {MASK}"


def test_a_librarys_exception_is_told_without_its_credential() -> None:
    stream = io.StringIO()
    bridge = Bridge(Log(lambda: WALL, stream=stream))
    try:
        raise ValueError(f"cannot send ('authorization', 'Bearer {PLAIN}')")
    except ValueError:
        bridge.emit(logging.LogRecord("lib", logging.ERROR, "", 0, "failed", (), sys.exc_info()))
    assert "cannot send" in stream.getvalue()
    assert PLAIN not in stream.getvalue()


def test_a_record_that_does_not_fit_its_arguments_is_not_printed_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    Bridge(Log(lambda: WALL, stream=stream)).handle(logging.LogRecord("l", 40, "", 0, "%d keys", (PLAIN,), None))
    assert msgspec.json.decode(stream.getvalue())["event"] == "%d keys"
    assert PLAIN not in capsys.readouterr().err


def test_libraries_are_heard_from_warnings_upwards(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    stream = io.StringIO()
    bridge_libraries(Log(lambda: WALL, stream=stream))
    logging.getLogger("some.library").info("nothing much")
    logging.getLogger("some.library").warning("something")
    root.setLevel(logging.WARNING)
    assert [msgspec.json.decode(line)["event"] for line in stream.getvalue().splitlines()] == ["something"]


def test_what_one_owner_protects_is_replaced_by_its_own_alone() -> None:
    log = Log(lambda: WALL)
    log.protect(["of-the-config"])
    log.protect(["the-first-token"], "token")
    log.protect(["the-second-token"], "token")
    assert log.redact("of-the-config the-first-token the-second-token") == f"{MASK} the-first-token {MASK}"
    log.protect([])
    assert log.redact("of-the-config the-second-token") == f"of-the-config {MASK}"


def test_what_is_not_searched_for_credentials_may_still_be_one_that_is_known() -> None:
    log = Log(lambda: WALL)
    log.protect(["0123456789abcdef0123456789abcdef"])
    assert log.redact("0123456789abcdef0123456789abcdef") == MASK


@given(st.text(alphabet="0123456789abcdef-"))
def test_what_is_not_searched_has_nothing_that_would_be_found(text: str) -> None:
    # Behind a letter that it lacks, and a line break, it is searched.
    assert redacted(f"{text}\nz") == f"{text}\nz"
    assert redacted(text) == text
