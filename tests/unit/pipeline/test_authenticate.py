from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest

import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call, Exchange, Reply
from gateway.pipeline.authenticate import INDEX, Caller, Gate, authenticate

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


class Watched(bytes):
    """A credential that tells of every question whether it equals another, and of every look at what is in it."""

    asked: list[str] = []

    def __eq__(self, other: object) -> bool:
        self.asked.append("==")
        return bytes.__eq__(self, other)

    def __hash__(self) -> int:
        self.asked.append("hash")
        return bytes.__hash__(self)

    def startswith(self, *args: object) -> bool:
        self.asked.append("startswith")
        return False


@pytest.mark.parametrize("key", [b"gw_of-ci", b"gw_keyed", b"gw_unknown"])
async def test_the_time_of_an_answer_tells_nothing_of_a_key(key: bytes) -> None:
    """Nothing is ever asked of the key itself; of its digest, only the whole and in constant time."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return compare_digest(left, right)

    pepper = b"p" * 16
    gate = Gate(CALLERS, keyed={hmac_digest(pepper, b"gw_keyed", "sha256"): Caller("keyed")}, pepper=pepper)
    Watched.asked.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.pipeline.authenticate.compare_digest", compare)
        for _ in range(2):
            with suppress(GatewayError):
                await authenticate(gate)(innermost)(exchange(Watched(key)))
    assert Watched.asked == []
    assert all(len(left) == len(right) == 32 for left, right in compared)
    assert bool(compared) == (key != b"gw_unknown")


async def test_a_digest_that_begins_alike_is_another() -> None:
    digest = sha256(b"gw_of-ci").digest()
    twin = digest[:INDEX] + bytes(32 - INDEX)
    with pytest.raises(GatewayError) as refused:
        await authenticate(Gate([Caller("twin", digest=twin)]))(innermost)(exchange(b"gw_of-ci"))
    assert refused.value.code == "invalid_api_key"


async def test_a_keyed_hash_is_computed_once_for_a_key_and_remembered_for_no_other() -> None:
    pepper = b"p" * 16
    gate = Gate((), keyed={hmac_digest(pepper, b"gw_keyed", "sha256"): Caller("keyed")}, pepper=pepper)
    layer = authenticate(gate)(innermost)
    for _ in range(3):
        assert (await layer(exchange(b"gw_keyed"))).first == b"keyed"
        with pytest.raises(GatewayError):
            await layer(exchange(b"gw_other"))
    assert len(gate.known) == 1


class Reader:
    """Every credential that begins with `t` is a token."""

    def __init__(self) -> None:
        self.read = 0

    async def caller_of(self, credential: bytes, now: float) -> Caller | None:
        self.read += 1
        return Caller(credential.decode(), until=now + 300, token=True) if credential[:1] == b"t" else None


async def test_the_tokens_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.pipeline.authenticate.TOKENS", 3)
    reader = Reader()
    gate = Gate(CALLERS, tokens=reader)
    layer = authenticate(gate)(innermost)
    for number in range(10):
        assert (await layer(exchange(b"t%d" % number))).first == b"t%d" % number
    assert (len(gate.known), reader.read) == (len(CALLERS) + 3, 10)
    assert (await layer(exchange(b"t9"))).first == b"t9"
    assert reader.read == 10
    assert (await layer(exchange(b"t0"))).first == b"t0"
    assert (await layer(exchange(b"gw_of-ci"))).first == b"ml-ci", "keys are never forgotten"
    assert reader.read == 11


async def test_a_token_is_read_again_when_its_time_is_over() -> None:
    reader = Reader()
    layer = authenticate(Gate((), tokens=reader))(innermost)
    for wall, read in ((0.0, 1), (299.9, 1), (300.0, 2), (599.9, 2), (600.0, 3)):
        request = exchange(b"t")
        request.wall = wall
        await layer(request)
        assert reader.read == read
