"""Whatever stands where a credential does: nobody comes in who is not known, and nothing breaks."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.asgi_client import Response
from tests.support.house import ALPHA, KEYS, PROVIDERS, Served, chat
from tests.support.issuer import NOW, claims, jwks, token, unsigned
from tests.support.scripted import Script, ok

SECRET = "s" * 43
KEY = "gw_0123456789"
HOUSE = f"""{PROVIDERS}
auth:
  mode: keys
  pepper: {"p" * 20}
  keys:
    - {{name: plain, hash: 'sha256:{sha256(KEY.encode()).hexdigest()}'}}
    - {{name: keyed, hash: 'hmac-sha256:{"a" * 64}'}}
    - {{name: signs, signing: required, signing-secret: {SECRET}}}
  jwt: [{{issuer: 'https://id.test', audience: gateway, jwks-url: 'https://id.test/keys'}}]
routers:
  duo: {{load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}}}
server: {{trusted-proxies: [127.0.0.0/8]}}
"""
PATH = "/router/duo/v1/chat/completions"
BOUNDED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
REFUSALS = {
    (400, "invalid_request"), (400, "path_invalid"), (401, "invalid_api_key"), (401, "token_invalid"),
    (401, "signature_invalid"), (403, "access_denied"), (431, "headers_too_large"),
}  # fmt: skip

GOOD = token()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
headers_of_tokens = st.fixed_dictionaries(
    {"alg": st.sampled_from(["none", "None", "HS256", "RS256", "ES256", "PS512", "EdDSA", ""]) | json_values},
    optional={"kid": st.sampled_from(["one", "two", "../../dev/null", "' or 1=1"]) | json_values, "crit": json_values,
              "jwk": json_values, "jku": json_values, "b64": json_values, "typ": json_values, "zip": json_values},
)  # fmt: skip
payloads = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from([value, None]) | json_values for name, value in claims().items()},
)
forged = st.builds(unsigned, payloads, headers_of_tokens, st.binary(min_size=1, max_size=300))


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good token with something changed, somewhere. Not its last character, some bits of which stand for nothing."""
    place = draw(st.integers(0, len(GOOD) - 2))
    change = draw(st.sampled_from(["cut", "drop", "swap", "double", "dot"]))
    if change == "cut":
        return GOOD[:place]
    if change == "drop":
        return GOOD[:place] + GOOD[place + 1 :]
    if change == "double":
        return GOOD[:place] + GOOD[place] + GOOD[place:]
    if change == "dot":
        return f"{GOOD[:place]}.{GOOD[place:]}"
    return GOOD[:place] + ("A" if GOOD[place] != "A" else "B") + GOOD[place + 1 :]


texts = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=60)
credentials = st.one_of(
    texts,
    forged,
    damaged(),
    st.sampled_from(
        ["", " ", "gw_", KEY[:-1], f"{KEY}0", f"{KEY},{KEY}", f"{KEY}\x00", "eyJ.eyJ.eyJ", "ey" * 9000, "." * 100,
         "e30.e30.e30", base64.b64encode(KEY.encode()).decode(), sha256(KEY.encode()).hexdigest(),
         GOOD.upper(), f"{GOOD}.{GOOD}"]
    ),
)  # fmt: skip
schemes = st.sampled_from(["Bearer ", "bearer  ", "BEARER\t", "Basic ", "Token ", "", "Bearer Bearer ", "Digest "])
signatures = st.fixed_dictionaries(
    {"x-gateway-key": st.sampled_from(["signs", "plain", "nobody", ""]) | texts},
    optional={
        "x-gateway-timestamp": st.sampled_from([str(int(NOW)), "0", "-1", "1e9", "9" * 40]) | texts,
        "x-gateway-nonce": st.sampled_from(["n" * 16, "n" * 64, ""]) | texts,
        "x-gateway-signature": st.sampled_from(["v1=" + "0" * 64, "v1=", "v0=" + "f" * 64]) | texts,
    },
)


async def ask(folder: Path, headers: dict[str, str], path: str = PATH) -> tuple[Served, Response]:
    served = Served(folder, HOUSE, KEYS)
    served.upstream.on(ALPHA, ok())
    served.upstream.on("id.test", Script(chunks=(jwks(),)))
    # As a server hands it on: no line breaks, and nothing around a value.
    clean = {name: value.replace("\r", "").replace("\n", "").strip() for name, value in headers.items()}
    return served, await served.client.post(path, chat(), clean)


def hold(served: Served, reply: Response) -> None:
    assert (reply.status, reply.headers["x-gateway-error"]) in REFUSALS
    assert {call.host for call in served.upstream.sent} <= {"id.test"}
    served.check()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("credentials")


@BOUNDED
@given(scheme=schemes, credential=credentials)
@example(scheme="Bearer ", credential=unsigned(claims(), {"alg": "RS256", "kid": "one"}, b"x" * 256))
@example(scheme="Bearer ", credential=unsigned({"a": "[" * 5000}, {"alg": "RS256"}, b"x"))
async def test_no_authorization_that_nobody_made_comes_in(folder: Path, scheme: str, credential: str) -> None:
    hold(*await ask(folder, {"authorization": scheme + credential}))


@BOUNDED
@given(header=st.sampled_from(["x-api-key", "x-goog-api-key"]), credential=credentials)
async def test_nor_any_other_header(folder: Path, header: str, credential: str) -> None:
    hold(*await ask(folder, {header: credential}))


@BOUNDED
@given(query=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80).map(lambda text: f"key={text}"))
async def test_nor_any_query(folder: Path, query: str) -> None:
    hold(*await ask(folder, {}, f"{PATH}?{query}"))


@BOUNDED
@given(
    headers=signatures, more=st.dictionaries(st.sampled_from(["authorization", "x-forwarded-for"]), texts, max_size=2)
)
async def test_nor_any_signature(folder: Path, headers: dict[str, str], more: dict[str, Any]) -> None:
    hold(*await ask(folder, {**headers, **more}))


async def test_what_is_good_does_come_in(folder: Path) -> None:
    """Else the laws above would hold of a gateway that lets nobody in."""
    for credential in (KEY, GOOD):
        _, reply = await ask(folder, {"authorization": f"Bearer {credential}"})
        assert reply.status == 200
