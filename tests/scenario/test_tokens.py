"""Bearer tokens of an issuer: who comes in, who does not, and what an issuer that is down means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.upstream.key_set import REFRESH
from tests.support.asgi_client import Response
from tests.support.house import ALPHA, KEYS, PROVIDERS, Serve, Served, chat
from tests.support.issuer import NOW, claims, jwks, public_jwk, token, unsigned
from tests.support.scripted import Script, ok

ID = "id.test"
HOUSE = f"""{PROVIDERS}
auth:
  mode: keys
  jwt:
    - issuer: https://id.test
      name: staff
      audience: gateway
      jwks-url: https://id.test/keys
      algorithms: [RS256, ES256]
      claims: {{team: groups, routers: routers}}
      teams: {{admins: ops, ml-engineers: ml}}
      required-claims: [tenant]
    - issuer: https://ci.test
      name: ci
      audience: [gateway, other]
      models: [gpt-4o]
      team: builds
routers:
  duo: {{load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}}}
  other: {{load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}}}
server: {{logging: {{requests: all}}}}
"""
PATH = "/router/duo/v1/chat/completions"
GOOD: dict[str, Any] = {"groups": ["ml-engineers"], "routers": ["duo"], "tenant": "t"}
KEYS_OF_IT = Script(chunks=(jwks(),))


def house(serve: Serve, *scripts: Script) -> Served:
    served = serve(HOUSE, KEYS)
    served.upstream.on(ALPHA, ok())
    served.upstream.on(ID, *(scripts or (KEYS_OF_IT,)))
    return served


async def post(served: Served, credential: str, path: str = PATH, model: str = "gpt-4o") -> Response:
    return await served.client.post(path, chat(model), {"authorization": f"Bearer {credential}"})


async def refused(served: Served, credential: str) -> tuple[str, str]:
    """Code and message. Nothing of the token is in either, nor in the log."""
    reply = await post(served, credential)
    message = reply.json()["error"]["message"]
    for part in credential.split("."):
        assert len(part) < 8 or part not in message + str(served.log())
    assert reply.status == (403 if reply.headers["x-gateway-error"] == "access_denied" else 401)
    return reply.headers["x-gateway-error"], message


async def test_a_good_token_is_its_bearer_of_its_team(serve: Serve) -> None:
    served = house(serve)
    credential = token(**GOOD)
    assert (await post(served, credential)).status == 200
    assert served.log("request served")[-1]["caller"] == "staff:alice"
    sent = served.upstream.last
    assert credential not in sent.url + str(sent.headers)
    assert credential not in str(served.log())


@pytest.mark.parametrize("header", ["x-api-key", "x-goog-api-key"])
async def test_a_token_may_stand_where_keys_do(serve: Serve, header: str) -> None:
    served = house(serve)
    assert (await served.client.post(PATH, chat(), {header: token(**GOOD)})).status == 200


async def test_a_token_is_good_for_the_routers_that_it_names(serve: Serve) -> None:
    served = house(serve)
    reply = await post(served, token(**GOOD), "/router/other/v1/chat/completions")
    assert (reply.status, reply.headers["x-gateway-error"]) == (403, "access_denied")
    assert (
        await post(served, token(**{**GOOD, "routers": "other duo"}), "/router/other/v1/chat/completions")
    ).status == 200
    assert (await post(served, token(groups="admins", tenant="t"))).status == 403, "a token that names none has none"


WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "another audience": (lambda: token(aud="else", **GOOD), "audience"),
    "no audience": (lambda: token(aud=None, **GOOD), "audience"),
    "another issuer": (lambda: token(iss="https://evil.test", **GOOD), "issuer"),
    "an issuer that looks alike": (lambda: token(iss="https://id.test/", **GOOD), "issuer"),
    "no issuer": (lambda: token(iss=None, **GOOD), "issuer"),
    "the other issuer's audience": (lambda: token(aud="other", **GOOD), "audience"),
    "expired": (lambda: token(exp=NOW - 31, **GOOD), "expired"),
    "no end": (lambda: token(exp=None, **GOOD), "exp"),
    "not yet": (lambda: token(nbf=NOW + 60, **GOOD), "not valid yet"),
    "made in the future": (lambda: token(iat=NOW + 60, **GOOD), "not valid yet"),
    "a claim that is missing": (lambda: token(groups="admins", routers=["duo"]), "tenant"),
    "nobody": (lambda: token(sub=None, **GOOD), "name"),
    "no algorithm": (lambda: unsigned(claims(**GOOD), {"alg": "none", "kid": "one"}, b"x"), "algorithm"),
    "no signature": (lambda: unsigned(claims(**GOOD), {"alg": "RS256", "kid": "one"}, b"x"), "signature"),
    "a symmetric algorithm": (lambda: unsigned(claims(**GOOD), {"alg": "HS256", "kid": "one"}, b"x" * 32), "algorithm"),
    "an algorithm that is not listed": (lambda: token("RS512", **GOOD), "algorithm"),
    "an algorithm of another key": (lambda: token("ES256", "P-256", **GOOD), "kid"),
    "an unknown key": (lambda: token(name="two", header={"kid": "two"}, **GOOD), "kid"),
    "another key under the name of a known one": (lambda: token(name="two", **GOOD), "signature"),
    "cut short": (lambda: token(**GOOD)[:-20], "signature"),
    "cut within the claims": (lambda: ".".join(part[:40] for part in token(**GOOD).split(".")), "cannot be read"),
    "a key from the token itself": (
        lambda: token(name="two", header={"kid": None, "jwk": public_jwk("two", name="two")}, **GOOD),
        "signature",
    ),
    "a key from an address in the token": (
        lambda: token(name="two", header={"kid": "two", "jku": "https://evil.test/keys"}, **GOOD),
        "kid",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_token_that_is_wrong_in_one_way_is_refused_for_it(serve: Serve, case: str) -> None:
    served = house(serve)
    make, said = WRONG[case]
    code, message = await refused(served, make())
    assert code == "token_invalid"
    assert said in message
    assert {call.host for call in served.upstream.sent} <= {ID}


async def test_a_bearer_of_no_known_group_is_known_and_may_nothing(serve: Serve) -> None:
    code, message = await refused(house(serve), token(**{**GOOD, "groups": ["visitors"]}))
    assert code == "access_denied"
    assert "'groups'" in message


@pytest.mark.parametrize("credential", ["a.b.c", "eyJ", "eyJ.eyJ", "eyJhbGciOiJub25lIn0.e30.", "ey.ey.ey.ey.ey"])
async def test_what_is_no_token_is_an_unknown_key(serve: Serve, credential: str) -> None:
    code, _ = await refused(house(serve), credential)
    assert code == "invalid_api_key"


async def test_a_token_is_judged_once_and_then_looked_up(serve: Serve) -> None:
    served = house(serve)
    credential = token(**GOOD)
    for _ in range(5):
        assert (await post(served, credential)).status == 200
    assert len(served.upstream.to(ID)) == 1


async def test_a_remembered_token_ends_when_it_expires(serve: Serve) -> None:
    served = house(serve)
    credential = token(exp=NOW + 100, **GOOD)
    assert (await post(served, credential)).status == 200
    await asyncio.sleep(129.9)
    assert (await post(served, credential)).status == 200
    await asyncio.sleep(0.2)
    code, message = await refused(served, credential)
    assert (code, "expired" in message) == ("token_invalid", True)


async def test_a_key_that_its_issuer_withdraws_stops_counting(serve: Serve) -> None:
    served = house(serve, KEYS_OF_IT, Script(chunks=(jwks(public_jwk("new", name="two")),)))
    credential = token(**GOOD)
    assert (await post(served, credential)).status == 200
    await asyncio.sleep(REFRESH)
    assert (await post(served, credential)).status == 200, "asked for behind the back of this one"
    await asyncio.sleep(301)
    code, message = await refused(served, credential)
    assert (code, "kid" in message) == ("token_invalid", True)
    assert (await post(served, token(name="two", header={"kid": "new"}, **GOOD))).status == 200


async def test_an_issuer_that_is_down_is_a_503_and_no_reason_to_throw_a_token_away(serve: Serve) -> None:
    served = house(serve, Script(fault="refused"), KEYS_OF_IT)
    reply = await post(served, token(**GOOD))
    assert (reply.status, reply.headers["x-gateway-error"]) == (503, "auth_unavailable")
    assert int(reply.headers["retry-after"]) >= 1
    assert served.log("keys of an issuer not read")
    await asyncio.sleep(float(reply.headers["retry-after"]))
    assert (await post(served, token(**GOOD))).status == 200


async def test_an_issuer_that_goes_down_later_keeps_its_bearers_in(serve: Serve) -> None:
    served = house(serve, KEYS_OF_IT, Script(fault="refused"))
    assert (await post(served, token(**GOOD))).status == 200
    await asyncio.sleep(REFRESH + 1)
    for subject in ("bob", "carol"):
        assert (await post(served, token(sub=subject, **GOOD))).status == 200
        await asyncio.sleep(1)
    reply = await post(served, token(name="two", header={"kid": "new"}, **GOOD))
    assert (reply.status, reply.headers["x-gateway-error"]) == (503, "auth_unavailable")


async def test_an_issuer_without_an_address_is_discovered_and_its_lists_hold(serve: Serve) -> None:
    served = house(serve)
    found = {"issuer": "https://ci.test", "jwks_uri": "https://ci.test/jwks"}
    served.upstream.on("ci.test", Script(chunks=(json.dumps(found).encode(),)), KEYS_OF_IT)
    credential = token(iss="https://ci.test", sub="build-1")
    assert (await post(served, credential)).status == 200
    assert served.log("request served")[-1]["caller"] == "ci:build-1"
    for _ in range(2):
        reply = await post(served, credential, model="gpt-4.1")
        assert (reply.status, reply.headers["x-gateway-error"]) == (403, "access_denied")


async def test_keys_of_an_issuer_survive_a_reload(serve: Serve) -> None:
    served = house(serve)
    assert (await post(served, token(**GOOD))).status == 200
    assert await served.rewrite(HOUSE.replace("admins: ops", "admins: others"))
    assert (await post(served, token(**GOOD))).status == 200
    assert len(served.upstream.to(ID)) == 1


async def test_keys_may_stand_in_a_file_that_is_read_again(serve: Serve) -> None:
    served = house(serve)
    file = served.path.parent / "jwks.json"
    file.write_bytes(jwks())
    text = HOUSE.replace("jwks-url: https://id.test/keys", "jwks-file: jwks.json")
    assert await served.rewrite(text)
    assert file in served.gateway.files
    assert (await post(served, token(**GOOD))).status == 200
    file.write_bytes(jwks(public_jwk(name="two")))
    assert await served.gateway.reload()
    assert (await refused(served, token(**GOOD)))[0] == "token_invalid"
    assert served.upstream.to(ID) == []


async def test_no_token_can_pass_for_a_gateway_key(serve: Serve) -> None:
    """A bearer's name has a colon in it, and a key's cannot: limits and caches by caller keep them apart."""
    served = house(serve)
    assert (await post(served, token(**{**GOOD, "sub": "ml-ci"}))).status == 200
    assert served.log("request served")[-1]["caller"] == "staff:ml-ci"
