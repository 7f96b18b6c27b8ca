"""What is asked for a token, and what an answer says."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.providers.grant import GrantRefused
from gateway.providers.grants_aws import ContainerEndpoint, WebIdentity
from gateway.providers.grants_azure import EntraApplication
from gateway.providers.grants_google import SCOPE, MetadataServer, RefreshToken, ServiceAccount, read_account
from tests.support.issuer import private_key, public_pem

NOW = 1_800_000_000.4
PEM = private_key("RSA", "one").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
FILE = {
    "type": "service_account",
    "project_id": "acme",
    "private_key_id": "kid-1",
    "private_key": PEM,
    "client_email": "gateway@acme.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}


def account(**changes: Any) -> str:
    return json.dumps({name: value for name, value in {**FILE, **changes}.items() if value is not None})


def test_an_assertion_is_signed_and_says_what_google_wants() -> None:
    found = read_account(account())
    assert isinstance(found, ServiceAccount)
    assert found.project == "acme"
    question = found.question(NOW, "")
    assert (question.method, question.url) == ("POST", FILE["token_uri"])
    fields = parse_qs(question.body.decode())
    assert fields["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    [assertion] = fields["assertion"]
    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "kid": "kid-1", "typ": "JWT"}
    claims = jwt.decode(
        assertion,
        public_pem(),
        ["RS256"],
        audience=FILE["token_uri"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims == {
        "iss": FILE["client_email"],
        "scope": SCOPE,
        "aud": FILE["token_uri"],
        "iat": 1_799_999_990,
        "exp": 1_799_999_990 + 3600,
    }


def test_a_users_own_credentials_are_understood() -> None:
    members = {"client_id": "id", "client_secret": "secret&", "refresh_token": "1//r"}
    found = read_account(json.dumps({"type": "authorized_user", "quota_project_id": "acme", **members}))
    assert isinstance(found, RefreshToken)
    question = found.question(NOW, "")
    assert question.url == "https://oauth2.googleapis.com/token"
    fields = {name: value for name, [value] in parse_qs(question.body.decode()).items()}
    assert fields == {"grant_type": "refresh_token", **members}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not the JSON"),
        ("[]", "not the JSON"),
        ("{" * 100_000, "not the JSON"),
        ("{}", "its `type` is ``"),
        (account(type="external_account"), "`external_account`; a `service_account`"),
        (account(private_key=None), "no `private_key`"),
        (account(client_email=None, private_key=""), "no `client_email` and no `private_key`"),
        (account(private_key="-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"), "PEM"),
        (account(token_uri="oauth2.googleapis.com"), "`token_uri`"),
        (account(token_uri="file:///etc/passwd"), "`token_uri`"),
        (json.dumps({"type": "authorized_user", "client_id": "id"}), "no `client_secret` and no `refresh_token`"),
    ],
)
def test_a_file_that_is_none_says_why_and_shows_nothing(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as caught:
        read_account(text)
    assert "MII" not in str(caught.value)


def test_a_key_that_is_not_rsa_is_refused() -> None:
    pem = private_key("P-256", "one").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="not an RSA key"):
        read_account(account(private_key=pem))


def test_the_metadata_server_is_asked_in_its_own_flavour() -> None:
    question = MetadataServer().question(NOW, "")
    assert question.url == (
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
    )
    assert ("metadata-flavor", "Google") in question.headers


def test_an_application_proves_itself_by_its_secret_or_by_a_token() -> None:
    by_secret = EntraApplication("acme.onmicrosoft.com", "app", "s3cret+", "/unused").question(NOW, "")
    assert by_secret.url == "https://login.microsoftonline.com/acme.onmicrosoft.com/oauth2/v2.0/token"
    assert parse_qs(by_secret.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app"],
        "scope": ["https://cognitiveservices.azure.com/.default"],
        "client_secret": ["s3cret+"],
    }
    federated = EntraApplication("t/../x", "app", "", "/token", "https://login.microsoftonline.us/")
    assert federated.file == "/token"
    question = federated.question(NOW, "eyJ.a.b")
    assert question.url == "https://login.microsoftonline.us/t%2F..%2Fx/oauth2/v2.0/token"
    fields = parse_qs(question.body.decode())
    assert fields["client_assertion"] == ["eyJ.a.b"]
    assert "client_secret" not in fields


@pytest.mark.parametrize(
    ("status", "body", "message", "lasting"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "No.\nMore"},
            "the answer is 400 (invalid_grant: No.)",
            True,
        ),
        (401, {"error": "invalid_client"}, "the answer is 401 (invalid_client)", True),
        (429, {}, "the answer is 429", False),
        (503, {}, "the answer is 503", False),
        (200, {"token": "x"}, "the answer holds no token", False),
        (200, {"access_token": ""}, "the answer holds no token", False),
        (200, {"access_token": 1}, "the answer holds no token", False),
    ],
)
def test_what_a_token_endpoint_says(status: int, body: object, message: str, lasting: bool) -> None:
    with pytest.raises(GrantRefused) as caught:
        MetadataServer().read(status, json.dumps(body).encode(), NOW)
    assert (str(caught.value), caught.value.lasting) == (message, lasting)


def test_a_lifetime_may_be_text_and_may_be_left_out() -> None:
    assert MetadataServer().read(200, b'{"access_token":"t","expires_in":"3599"}', NOW).lifetime == 3599
    assert 0 < MetadataServer().read(200, b'{"access_token":"t"}', NOW).lifetime <= 300


STS = (
    b"<R><Credentials><AccessKeyId>ASIAABCDEFGHIJKLMNOP</AccessKeyId><SecretAccessKey>0123456789abcdef&amp;</SecretAccessKey>"
    b"<SessionToken>tok==</SessionToken><Expiration>2027-01-15T09:00:00Z</Expiration></Credentials></R>"
)


def test_a_role_is_assumed_with_a_web_identity() -> None:
    grant = WebIdentity("arn:aws:iam::1:role/r", "/token", "https://sts.eu-west-1.amazonaws.com")
    question = grant.question(NOW, "eyJ.a.b")
    assert question.url == "https://sts.eu-west-1.amazonaws.com/"
    assert parse_qs(question.body.decode())["Action"] == ["AssumeRoleWithWebIdentity"]
    token = grant.read(200, STS, NOW)
    assert token.value == "ASIAABCDEFGHIJKLMNOP:0123456789abcdef&:tok=="
    assert token.lifetime == pytest.approx(3600 - 0.4)
    refusal = b"<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error></R>"
    with pytest.raises(GrantRefused, match=r"400 \(ExpiredTokenException: Token expired\)"):
        grant.read(400, refusal, NOW)


def test_a_container_is_lent_a_pair() -> None:
    grant = ContainerEndpoint("http://169.254.170.2/v2/credentials/1", "secret")
    assert ("authorization", "secret") in grant.question(NOW, "").headers
    body = {
        "AccessKeyId": "ASIAABCDEFGHIJKLMNOP",
        "SecretAccessKey": "0123456789abcdef",
        "Token": "tok",
        "Expiration": "2027-01-15T09:00:00Z",
    }
    assert grant.read(200, json.dumps(body).encode(), NOW).value == "ASIAABCDEFGHIJKLMNOP:0123456789abcdef:tok"
    assert ContainerEndpoint("http://x/", "", "/token").question(NOW, "text").headers[-1] == ("authorization", "text")
    assert len(ContainerEndpoint("http://x/").question(NOW, "").headers) == 1
    for broken in (
        {**body, "Expiration": "soon"},
        {**body, "AccessKeyId": ""},
        {**body, "Token": "a b"},
    ):
        with pytest.raises(GrantRefused, match="no token"):
            grant.read(200, json.dumps(broken).encode(), NOW)
    with pytest.raises(GrantRefused, match=r"404"):
        grant.read(404, b"not found", NOW)


def test_no_credential_shows_itself() -> None:
    for thing in (
        read_account(account()),
        read_account(account()).question(NOW, ""),
        EntraApplication("t", "c", "s3cret", ""),
        ContainerEndpoint("http://x/", "s3cret"),
        MetadataServer().read(200, b'{"access_token":"s3cret"}', NOW),
    ):
        shown = repr(thing)
        assert "s3cret" not in shown
        assert "eyJ" not in shown
        assert "PRIVATE" not in shown
