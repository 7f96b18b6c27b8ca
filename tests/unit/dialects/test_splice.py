from __future__ import annotations

import json

import pytest

from gateway.core.errors import GatewayError
from gateway.dialects.splice import asking_for_usage, with_model, with_multipart_model, without_model, without_text


def test_only_the_value_of_model_changes() -> None:
    body = b'{ "messages" : [ ] ,\n "model" :\t"a" , "n" : 1.50 }'
    assert with_model(body, "a", "b/c") == b'{ "messages" : [ ] ,\n "model" :\t"b/c" , "n" : 1.50 }'


@pytest.mark.parametrize(
    ("body", "old"),
    [
        (b'{"tools":[{"model":"a"}],"model":"a","x":1.50}', "a"),
        (b'{"model":"a","tools":{"model":"a"},"x":1.50}', "a"),
        (b'{"tools":{"model":"a"},"\\u006dodel":"a","x":1.50}', "a"),
        (b'{"model":"z","model":"a","x":1.50}', "a"),
        (b'{"model":"a\\/b","x":1.50}', "a/b"),
        (b'{"model":"\\u0061","x":1.50}', "a"),
        (b'{"type":"model","\\u006dodel":"a","x":1.50}', "a"),
    ],
)
def test_a_place_that_is_not_certain_is_put_together_again(body: bytes, old: str) -> None:
    out = with_model(body, old, "new")
    before, after = json.loads(body), json.loads(out)
    assert after == {**before, "model": "new"}
    assert b"1.50" in out


def test_a_model_is_put_in_when_there_is_none() -> None:
    assert json.loads(with_model(b'{"input":{"model":""}}', "", "m")) == {"model": "m", "input": {"model": ""}}


def test_a_model_with_quotes_stays_json() -> None:
    assert json.loads(with_model(b'{"model":"a"}', "a", 'q"\\')) == {"model": 'q"\\'}


@pytest.mark.parametrize(
    ("body", "out", "said"),
    [
        (b'{"a":1.50,"wish":"cost","b":{"wish":"x"}}', b'{"a":1.50,"b":{"wish":"x"}}', "cost"),
        (b'{"wish":"cost","wish":"speed"}', b"{}", "speed"),
        (b'{"\\u0077ish":"cost"}', b"{}", "cost"),
        (b'{"wish":5,"a":[]}', b'{"a":[]}', ""),
        (b'{"wish":null}', b"{}", ""),
        (b'{ "a": {"wish":"x"} }', b'{ "a": {"wish":"x"} }', None),
    ],
)
def test_a_member_is_taken_out_with_what_it_says(body: bytes, out: bytes, said: str | None) -> None:
    assert without_text(body, "wish") == (out, said)


def test_a_body_that_is_no_object_is_malformed() -> None:
    for broken in (b"[]", b"", b'[{"stream":1}]'):
        with pytest.raises(GatewayError):
            with_model(broken, "a", "b")
        with pytest.raises(GatewayError):
            asking_for_usage(broken)


@pytest.mark.parametrize(
    ("body", "out"),
    [
        (b'{"a":1.0}', b'{"stream_options":{"include_usage":true},"a":1.0}'),
        (b" {\n}", b' {"stream_options":{"include_usage":true}\n}'),
        (b'{"a":1.0,"stream_options":null}', b'{"a":1.0,"stream_options":{"include_usage":true}}'),
        (
            b'{"stream_options":{"include_obfuscation":false,"include_usage":false},"a":1.0}',
            b'{"stream_options":{"include_obfuscation":false,"include_usage":true},"a":1.0}',
        ),
    ],
)
def test_usage_is_asked_for_and_the_rest_stays(body: bytes, out: bytes) -> None:
    assert asking_for_usage(body) == out


def test_nested_stream_options_are_not_the_ones() -> None:
    out = json.loads(asking_for_usage(b'{"x":{"stream_options":1}}'))
    assert out == {"x": {"stream_options": 1}, "stream_options": {"include_usage": True}}


KIND = b"multipart/form-data; boundary=B"


def test_a_forms_model_is_replaced_in_place() -> None:
    form = (
        b'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nold\r\n'
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nold\r\n--B--'
    )
    assert with_multipart_model(form, KIND, "newer") == form.replace(b"\r\n\r\nold", b"\r\n\r\nnewer", 1)


def test_a_form_without_a_model_gets_one() -> None:
    form = b'--B\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n--B--'
    out = with_multipart_model(form, KIND, "m")
    assert out.endswith(form)
    assert b'name="model"\r\n\r\nm\r\n--B' in out


def test_a_model_is_taken_out_and_what_is_demanded_put_in() -> None:
    body = b'{"model":"m","messages":[{"model":"inner"}],"max_tokens": 1.50}'
    out = without_model(body, {"anthropic_version": "vertex-2023-10-16"})
    assert out == b'{"anthropic_version":"vertex-2023-10-16","messages":[{"model":"inner"}],"max_tokens":1.50}'
    assert without_model(out, {"anthropic_version": "another"}) == out, "what the client says counts"
    assert without_model(b'{"m\\u006fdel":"m"}', {}) == b"{}"


def test_what_is_no_object_has_no_model_to_take_out() -> None:
    with pytest.raises(GatewayError) as caught:
        without_model(b"[]", {})
    assert caught.value.code == "malformed_body"
