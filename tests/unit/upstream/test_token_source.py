"""When a token is asked for, and what is given meanwhile. On virtual time, and once against real servers."""

from __future__ import annotations

import asyncio
import json
from email.utils import formatdate
from pathlib import Path

import pytest

from gateway.core.errors import UpstreamFault
from gateway.providers.grant import Grant
from gateway.providers.grants_aws import WebIdentity
from gateway.providers.grants_azure import EntraApplication
from gateway.providers.grants_google import MetadataServer
from gateway.runtime import system_clock
from gateway.upstream.httpx_transport import HttpxTransport
from gateway.upstream.token_source import LEAD, LONGEST_LIFE, LONGEST_PAUSE, PAUSE, TokenSource
from tests.support.issuer import NOW
from tests.support.loopback import Connection, serve, unused_port
from tests.support.scripted import Script, ScriptedTransport
from tests.support.virtual_time import virtual_clock

HOST = "metadata.google.internal"
GRANT = MetadataServer()


def lends(token: str, lifetime: object = 3600) -> Script:
    return Script(chunks=(json.dumps({"access_token": token, "expires_in": lifetime}).encode(),))


DOWN = Script(fault="refused")
INVALID = Script(status=400, chunks=(b'{"error":"invalid_grant","error_description":"Invalid JWT Signature."}',))


class House:
    def __init__(self, *scripts: Script, grant: Grant = GRANT, host: str = HOST) -> None:
        self.upstream = ScriptedTransport()
        self.upstream.on(host, *scripts)
        self.told: list[str] = []
        self.reasons: list[str] = []
        self.held: list[str] = []
        self.source = TokenSource(virtual_clock(), self.upstream, grant, "prod", self._notice, self.held.append)

    def _notice(self, event: str, fields: object) -> None:
        assert isinstance(fields, dict)
        self.told.append(event)
        self.reasons.append(str(fields.get("reason", "")))

    @property
    def asked(self) -> int:
        return len(self.upstream.sent)

    async def refused(self) -> UpstreamFault:
        with pytest.raises(UpstreamFault) as caught:
            await self.source.token()
        assert caught.value.kind == "unauthorized"
        assert caught.value.status == 0
        return caught.value


async def test_the_first_who_ask_wait_for_one_token_together() -> None:
    house = House(lends("one").after(1.0))
    assert await asyncio.gather(*(house.source.token() for _ in range(50))) == ["one"] * 50
    assert house.asked == 1
    assert house.held == ["one"]
    await house.source.close()


async def test_one_who_leaves_does_not_end_what_the_others_wait_for() -> None:
    house = House(lends("one").after(1.0))
    first = asyncio.create_task(house.source.token())
    second = asyncio.create_task(house.source.token())
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second == "one"
    assert house.asked == 1
    await house.source.close()


async def test_a_token_is_replaced_before_it_expires_and_nobody_waits() -> None:
    house = House(lends("one"), lends("two").after(3.0), lends("three"))
    loop = asyncio.get_running_loop()
    assert await house.source.token() == "one"
    await asyncio.sleep(3600 - LEAD - 1)
    assert house.asked == 1
    await asyncio.sleep(2)
    before = loop.time()
    assert await house.source.token() == "one"
    assert loop.time() == before
    assert house.asked == 2
    await asyncio.sleep(4)
    assert await house.source.token() == "two"
    await asyncio.sleep(3600)
    assert await house.source.token() == "three"
    assert [call.at for call in house.upstream.sent][:2] == [0, 3600 - LEAD]
    await house.source.close()


async def test_a_short_life_is_renewed_in_its_middle() -> None:
    house = House(lends("one", "100"), lends("two", 100))
    assert await house.source.token() == "one"
    await asyncio.sleep(49)
    assert house.asked == 1
    await asyncio.sleep(2)
    assert await house.source.token() == "two"
    await house.source.close()


async def test_a_failure_keeps_the_old_token_until_it_really_expires() -> None:
    house = House(lends("one"), DOWN)
    assert await house.source.token() == "one"
    await asyncio.sleep(3600 - 1)
    assert await house.source.token() == "one"
    assert house.asked > 3
    assert set(house.told) == {"provider token not lent"}
    await asyncio.sleep(2)
    fault = await house.refused()
    assert fault.retry_after is not None
    assert 1 <= fault.retry_after <= LONGEST_PAUSE
    assert "'prod'" in fault.message
    assert HOST not in fault.message
    await house.source.close()


async def test_a_lender_that_is_back_is_seen_without_a_request() -> None:
    house = House(lends("one"), DOWN, lends("two"))
    assert await house.source.token() == "one"
    await asyncio.sleep(3600 - LEAD + PAUSE + 1)
    assert house.asked == 3
    assert await house.source.token() == "two"
    assert house.told == ["provider token not lent", "provider token lent again"]
    await house.source.close()


@pytest.mark.parametrize(
    "script",
    [
        DOWN,
        Script(fault="hang"),
        Script(status=500),
        Script(status=302, headers=(("location", "https://evil.test/token"),)),
        Script(chunks=(b"<html>",)),
        Script(chunks=(b"{}",)),
        Script(chunks=(b'{"access_token":"a b"}',)),
        Script(chunks=(b'{"access_token":"a\\r\\nx: y"}',)),
        lends("gone", 0),
        lends("gone", "nan"),
        Script(chunks=(b"[" * 100_000,)),
        Script(chunks=(b" " * 600_000, b" " * 600_000)),
        Script(chunks=(b'{"access',), then="cut"),
        Script(chunks=(b'{"access',), then="hang"),
    ],
)
async def test_without_a_token_that_is_said_and_the_lender_is_not_hammered(script: Script) -> None:
    house = House(script, lends("one"))
    results = await asyncio.gather(*(house.source.token() for _ in range(20)), return_exceptions=True)
    assert {type(result) for result in results} == {UpstreamFault}
    await house.refused()
    assert house.asked == 1
    await asyncio.sleep(PAUSE)
    assert await house.source.token() == "one"
    await house.source.close()


async def test_a_refusal_is_not_repeated_soon() -> None:
    house = House(INVALID, lends("one"))
    assert (await house.refused()).retry_after == LONGEST_PAUSE
    assert house.reasons == ["the answer is 400 (invalid_grant: Invalid JWT Signature.)"]
    await asyncio.sleep(LONGEST_PAUSE - 1)
    await house.refused()
    assert house.asked == 1
    await asyncio.sleep(1)
    assert await house.source.token() == "one"
    await house.source.close()


@pytest.mark.parametrize(("seconds", "words"), [(500, "500 s behind"), (-500, "500 s ahead of"), (30, "")])
async def test_a_clock_that_is_wrong_is_named(seconds: int, words: str) -> None:
    date = formatdate(NOW + seconds, usegmt=True)
    house = House(INVALID.with_headers(date=date))
    await house.refused()
    [reason] = house.reasons
    assert reason.endswith(f"; the clock of this machine is {words} the lender's" if words else "Signature.)")


async def test_pauses_grow_to_a_minute() -> None:
    house = House(DOWN)
    for _ in range(20):
        await house.refused()
        await asyncio.sleep(5)
    assert [round(call.at - house.upstream.sent[0].at) for call in house.upstream.sent] == [0, 5, 15, 35, 75]


async def test_a_token_that_a_provider_refused_is_not_given_again() -> None:
    house = House(lends("one"), lends("two"))
    assert await house.source.token() == "one"
    house.source.forget()
    assert await house.source.token() == "one", "a new token is not asked for again"
    await asyncio.sleep(LONGEST_PAUSE)
    house.source.forget()
    assert await house.source.token() == "two"
    await house.source.close()


async def test_who_is_closed_asks_no_more() -> None:
    house = House(lends("one"), lends("two"))
    assert await house.source.token() == "one"
    await house.source.close()
    await asyncio.sleep(7200)
    assert house.asked == 1
    assert await house.source.token() == "two"
    await asyncio.sleep(LONGEST_LIFE)
    assert house.asked == 2


async def test_a_file_is_read_anew_for_each_question(tmp_path: Path) -> None:
    file = tmp_path / "token"
    grant = EntraApplication("tenant", "client", "", str(file), "https://login.test")
    house = House(lends("one"), lends("two"), grant=grant, host="login.test")
    await house.refused()
    assert house.reasons == [f"the file {file} cannot be read"]
    file.write_text("first\n")
    await asyncio.sleep(PAUSE)
    assert await house.source.token() == "one"
    file.write_text("second\n")
    await asyncio.sleep(3600)
    assert [b"first" in call.body for call in house.upstream.sent] == [True, False]
    assert b"client_assertion=second" in house.upstream.sent[1].body
    file.write_text("two words")
    await asyncio.sleep(3600)
    assert house.reasons[-1] == f"the file {file} holds no token"
    await house.source.close()


@pytest.mark.real_time
async def test_a_real_metadata_server_lends_a_token() -> None:
    async def lend(connection: Connection) -> None:
        assert await connection.read_request()
        await connection.answer(b'{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}')

    async with serve(lend) as server:
        transport = HttpxTransport()
        grant = MetadataServer(server.url.removeprefix("http://"))
        source = TokenSource(system_clock(), transport, grant, "prod")
        assert await source.token() == "ya29.x"
        head = server.connections[0].head
        assert head.startswith(b"GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1\r\n")
        assert b"\r\nmetadata-flavor: google\r\n" in head.lower()
        await source.close()
        await transport.close()


@pytest.mark.real_time
async def test_a_real_sts_lends_a_pair(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("eyJ.web.identity")

    async def lend(connection: Connection) -> None:
        assert await connection.read_request()
        await connection.answer(
            b"<AssumeRoleWithWebIdentityResponse><Credentials><AccessKeyId>ASIA0000000000000000</AccessKeyId>"
            b"<SecretAccessKey>0123456789abcdef0123</SecretAccessKey><SessionToken>token+/=</SessionToken>"
            b"<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResponse>"
        )

    async with serve(lend) as server:
        transport = HttpxTransport()
        grant = WebIdentity("arn:aws:iam::1:role/r", str(file), server.url)
        source = TokenSource(system_clock(), transport, grant, "prod")
        assert await source.token() == "ASIA0000000000000000:0123456789abcdef0123:token+/="
        assert b"WebIdentityToken=eyJ.web.identity" in server.connections[0].body
        await source.close()
        await transport.close()


@pytest.mark.real_time
async def test_a_lender_where_nobody_listens_is_a_fault() -> None:
    transport = HttpxTransport()
    source = TokenSource(system_clock(), transport, MetadataServer(f"127.0.0.1:{unused_port()}"), "prod")
    with pytest.raises(UpstreamFault) as caught:
        await source.token()
    assert caught.value.kind == "unauthorized"
    await transport.close()
