"""When an issuer is asked for its keys, and what is known meanwhile. On virtual time."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.policy.token import Algorithm, Header
from gateway.upstream.key_set import PAUSE, PAUSE_AFTER_FAILURE, REFRESH, KeySet, KeysUnavailable
from tests.support.issuer import ISSUER, jwks, public_jwk
from tests.support.scripted import Script, ScriptedTransport
from tests.support.virtual_time import virtual_clock

HOST = "id.test"
KEYS = Script(chunks=(jwks(),))
TWO = Script(chunks=(jwks(public_jwk(), public_jwk("two", name="two")),))
ONE = Header("RS256", "one")
OTHER = Header("RS256", "two")
RS256: tuple[Algorithm, ...] = ("RS256",)


class House:
    def __init__(self, *scripts: Script, url: str = f"{ISSUER}/keys") -> None:
        self.upstream = ScriptedTransport()
        self.upstream.on(HOST, *scripts)
        self.told: list[str] = []
        self.keys = KeySet(
            virtual_clock(), self.upstream, ISSUER, url, RS256, lambda event, fields: self.told.append(event)
        )

    @property
    def asked(self) -> int:
        return len(self.upstream.sent)

    async def has(self, header: Header = ONE) -> bool:
        return await self.keys.find(header) is not None


async def test_the_first_who_ask_wait_for_one_answer_together() -> None:
    house = House(KEYS.after(1.0))
    assert await asyncio.gather(*(house.has() for _ in range(50))) == [True] * 50
    assert house.asked == 1
    assert await house.has()
    assert house.asked == 1


async def test_one_who_leaves_does_not_end_what_the_others_wait_for() -> None:
    house = House(KEYS.after(1.0))
    first = asyncio.create_task(house.has())
    second = asyncio.create_task(house.has())
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second
    assert house.asked == 1


async def test_an_unknown_key_is_asked_for_but_not_again_and_again() -> None:
    house = House(KEYS, TWO)
    assert await house.has()
    for number in range(20):
        assert not await house.has(Header("RS256", f"made-up-{number}"))
    assert not await house.has(OTHER)
    assert house.asked == 1
    await asyncio.sleep(PAUSE)
    assert await asyncio.gather(*(house.has(OTHER) for _ in range(20))) == [True] * 20
    assert house.asked == 2


async def test_keys_are_refreshed_behind_the_back_of_who_asks() -> None:
    house = House(KEYS, TWO.after(3.0))
    assert await house.has()
    await asyncio.sleep(REFRESH)
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert await house.has()
    assert loop.time() == before
    await asyncio.sleep(4.0)
    assert house.asked == 2
    assert await house.has(OTHER)
    assert house.asked == 2


async def test_an_issuer_that_is_down_takes_no_key_away() -> None:
    down = Script(fault="refused")
    house = House(KEYS, down, down, TWO)
    assert await house.has()
    await asyncio.sleep(REFRESH)
    assert await house.has()
    await asyncio.sleep(1.0)
    assert await house.has()
    with pytest.raises(KeysUnavailable) as caught:
        await house.has(OTHER)
    assert 0 < caught.value.retry_in <= PAUSE_AFTER_FAILURE
    assert house.told == ["keys of an issuer read", "keys of an issuer not read"]
    await asyncio.sleep(2 * PAUSE_AFTER_FAILURE)
    with pytest.raises(KeysUnavailable):
        await house.has(OTHER)
    await asyncio.sleep(PAUSE_AFTER_FAILURE)
    assert await house.has(OTHER)


@pytest.mark.parametrize(
    "script",
    [
        Script(fault="refused"),
        Script(fault="hang"),
        Script(status=500),
        Script(status=302, headers=(("location", "https://evil.test/keys"),)),
        Script(chunks=(b"<html>",)),
        Script(chunks=(b'{"keys":[]}',)),
        Script(chunks=(b"{", b" " * 600_000, b" " * 600_000)),
        Script(chunks=(b'{"keys"',), then="cut"),
        Script(chunks=(b'{"keys"',), then="hang"),
    ],
)
async def test_without_any_key_it_cannot_be_said_and_the_issuer_is_not_hammered(script: Script) -> None:
    house = House(script, script, KEYS)
    results = await asyncio.gather(*(house.has() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(result, KeysUnavailable) for result in results)
    with pytest.raises(KeysUnavailable) as caught:
        await house.has()
    assert caught.value.message.startswith(f"The keys of the issuer {ISSUER} cannot be read: ")
    assert house.asked == 1
    await asyncio.sleep(PAUSE_AFTER_FAILURE)
    with pytest.raises(KeysUnavailable):
        await house.has()
    await asyncio.sleep(PAUSE_AFTER_FAILURE)
    assert await house.has()
    assert house.upstream.open_calls == 0


def discovery(**members: str) -> Script:
    return Script(chunks=(json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks", **members}).encode(),))


async def test_where_the_keys_are_is_discovered() -> None:
    house = House(discovery(), KEYS, url="")
    assert await house.has()
    assert [call.url for call in house.upstream.sent] == [
        f"{ISSUER}/.well-known/openid-configuration",
        f"{ISSUER}/jwks",
    ]


@pytest.mark.parametrize(
    "script",
    [
        discovery(issuer="https://evil.test"),
        discovery(jwks_uri="http://id.test/jwks"),
        discovery(jwks_uri="file:///etc/passwd"),
        Script(chunks=(b"[]",)),
    ],
)
async def test_a_discovery_that_leads_astray_is_not_followed(script: Script) -> None:
    house = House(script, KEYS, url="")
    with pytest.raises(KeysUnavailable):
        await house.has()
    assert house.asked == 1


async def test_closing_ends_what_is_under_way() -> None:
    house = House(Script(fault="hang"))
    waiting = asyncio.create_task(house.has())
    await asyncio.sleep(0)
    await house.keys.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert house.upstream.open_calls == 0
