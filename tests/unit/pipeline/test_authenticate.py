from __future__ import annotations

from hashlib import sha256

import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Exchange, Reply
from gateway.pipeline.authenticate import Caller, Gate, authenticate

CALLERS = (
    Caller("ml-ci", "ml", frozenset({"ml-team", "/openai"}), sha256(b"gw_of-ci").digest()),
    Caller("ops", "", None, sha256(b"gw_of-ops").digest()),
)


def exchange(credential: bytes, router: str = "ml-team") -> Exchange:
    request = Exchange("1", "POST", "/", b"", [], b"", Call("openai", "chat", "/"), router, 0.0, 0.0)
    request.credential = credential
    return request


async def innermost(exchange: Exchange) -> Reply:
    return Reply(200, [], exchange.caller.encode())


handle = authenticate(Gate(CALLERS))(innermost)


@pytest.mark.parametrize(
    ("credential", "router", "name", "team"),
    [
        (b"gw_of-ci", "ml-team", "ml-ci", "ml"),
        (b"gw_of-ci", "/openai", "ml-ci", "ml"),
        (b"gw_of-ops", "ml-team", "ops", ""),
        (b"gw_of-ops", "/ai", "ops", ""),
    ],
)
async def test_a_known_key_is_its_caller(credential: bytes, router: str, name: str, team: str) -> None:
    request = exchange(credential, router)
    assert (await handle(request)).first == name.encode()
    assert (request.caller, request.team) == (name, team)


@pytest.mark.parametrize("router", ["prod", "/ai", "/v1", "/anthropic", "ml-tea", ""])
async def test_a_key_is_good_for_its_routes_only(router: str) -> None:
    request = exchange(b"gw_of-ci", router)
    with pytest.raises(GatewayError) as refused:
        await handle(request)
    assert (refused.value.code, refused.value.status) == ("access_denied", 403)
    assert request.caller == ""


@pytest.mark.parametrize(
    "credential", [b"gw_of-c", b"gw_of-ci ", b"GW_OF-CI", b"gw_of-ci\x00", sha256(b"gw_of-ci").digest(), b"\xff"]
)
async def test_an_unknown_key_is_refused_and_not_quoted(credential: bytes) -> None:
    with pytest.raises(GatewayError) as refused:
        await handle(exchange(credential))
    assert (refused.value.code, refused.value.status) == ("invalid_api_key", 401)
    assert refused.value.message.startswith("The gateway key is not known")
    assert credential.decode("latin-1") not in refused.value.message


async def test_no_key_is_told_where_keys_go() -> None:
    with pytest.raises(GatewayError) as refused:
        await handle(exchange(b""))
    assert refused.value.code == "invalid_api_key"
    assert refused.value.message.startswith("No gateway key was sent")


async def test_who_is_refused_reaches_nothing() -> None:
    reached: list[Exchange] = []

    async def inner(exchange: Exchange) -> Reply:
        reached.append(exchange)
        return Reply(200, [], b"")

    with pytest.raises(GatewayError):
        await authenticate(Gate(CALLERS))(inner)(exchange(b"nobody"))
    assert reached == []
