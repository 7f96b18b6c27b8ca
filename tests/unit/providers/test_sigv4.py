"""Signatures of AWS's own test suite (docs.aws.amazon.com, `aws-sig-v4-test-suite`), and of requests to Bedrock as
botocore 1.44.5 signs them."""

from __future__ import annotations

import pytest

from gateway.providers.sigv4 import Credentials, authorize, read_credentials, region_of, sign

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE_TIME = 1_440_938_160.0
TIME = 1_763_715_600.0
ACCESS = "AKIDEXAMPLE01234567X"
TOKEN = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJH+example/token=="
JSON = [("content-type", "application/json")]


def _signature(headers: list[tuple[str, str]]) -> str:
    return dict(headers)["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("case", "method", "url", "signature"),
    [
        ("get-vanilla", "GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("post-vanilla", "POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_the_vendors_own_vectors_come_out(case: str, method: str, url: str, signature: str) -> None:
    credentials = Credentials("AKIDEXAMPLE", SECRET)
    headers = sign(
        method, f"https://example.amazonaws.com{url}", [], b"", credentials, SUITE_TIME, "us-east-1", "service"
    )
    assert _signature(headers) == signature


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "token", "signature"),
    [
        (
            "POST",
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            JSON,
            b'{"messages":[]}',
            "",
            "20158d1b8d2459bf706f58a24ba8e4f795bbcaf699cdb53cbf2a9d8fd14b1af5",
        ),
        (
            "POST",
            "https://bedrock-runtime.eu-west-1.amazonaws.com/model/anthropic.claude-sonnet-4-5-20250929-v1:0/converse-stream",
            JSON,
            b"{}",
            TOKEN,
            "8f710b01355b61cd7907b5e01337cf654452756039fdea0082115e4288308b5e",
        ),
        (
            "GET",
            "https://bedrock-runtime.us-west-2.amazonaws.com/a%20b/c?z=1&a=%2F%20x&b",
            [],
            b"",
            "",
            "08aada644d20c36d43812394c141d06fb63c286bd5418f47831e13df0b1059a1",
        ),
        (
            "POST",
            "http://localhost:8443/model/x/converse",
            [*JSON, ("x-amz-trace", "a   b")],
            '{"ä":1}'.encode(),
            "",
            "d82dc482605a329193246b633501ceaf30c34f2c84c580224e40e635e86f10ea",
        ),
    ],
)
def test_a_request_to_bedrock_is_signed_as_the_vendors_sdk_signs_it(
    method: str, url: str, headers: list[tuple[str, str]], body: bytes, token: str, signature: str
) -> None:
    region = region_of(url) or "us-east-1"
    added = sign(method, url, headers, body, Credentials(ACCESS, SECRET, token), TIME, region)
    assert _signature(added) == signature
    assert dict(added)["x-amz-date"] == "20251121T090000Z"
    assert dict(added).get("x-amz-security-token", "") == token


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"{ACCESS}:{SECRET}", (ACCESS, SECRET, "")),
        (f" {ACCESS}:{SECRET}:{TOKEN}\n", (ACCESS, SECRET, TOKEN)),
    ],
)
def test_a_key_pair_is_told_by_its_form(text: str, parts: tuple[str, str, str]) -> None:
    found = read_credentials(text)
    assert found is not None
    assert (found.access_key, found.secret_key, found.session_token) == parts


@pytest.mark.parametrize("text", ["", "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl", "bedrock-api-key-YmVk", f"{ACCESS}:", ":x"])
def test_anything_else_is_a_bearer_key(text: str) -> None:
    assert read_credentials(text) is None


def test_a_bearer_key_is_sent_as_it_is() -> None:
    assert authorize("POST", "https://x/y", [], b"", "ABSKkey", TIME) == [("authorization", "Bearer ABSKkey")]


def test_a_key_pair_signs_for_the_region_of_the_address() -> None:
    url = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse"
    headers = dict(authorize("POST", url, JSON, b"{}", f"{ACCESS}:{SECRET}", TIME))
    assert "/20251121/eu-west-1/bedrock/aws4_request" in headers["authorization"]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "us-east-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/x", "us-gov-west-1"),
        ("https://vpce-1.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com", "ap-southeast-2"),
        ("http://127.0.0.1:8080/", ""),
    ],
)
def test_the_region_stands_in_the_address(url: str, region: str) -> None:
    assert region_of(url) == region


def test_credentials_do_not_show_themselves() -> None:
    shown = repr(Credentials(ACCESS, SECRET, TOKEN))
    assert SECRET not in shown
    assert TOKEN not in shown
    assert ACCESS not in shown
