"""Requests that are signed: what is good once, and what never is."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.store.nonces import RedisNonces
from gateway.store.protocol import StoreDown
from tests.support.asgi_client import Response
from tests.support.house import ALPHA, PROVIDERS, Serve, Served, chat
from tests.support.issuer import NOW
from tests.support.scripted import ok

SECRET = "a-secret-for-signatures-0123456789abcdef"
KEY = "gw_either00000000000000000000000000000000000000000000"
HASH = sha256(KEY.encode()).hexdigest()
BOTH = KEY.replace("either", "both00")
HASH_OF_BOTH = sha256(BOTH.encode()).hexdigest()
HOUSE = f"""{PROVIDERS}
auth:
  mode: keys
  keys:
    - {{name: always, signing: required, signing-secret: '${{env:SECRET}}', team: ml, models: ['gpt-*']}}
    - {{name: either, hash: 'sha256:{HASH}', signing: optional, signing-secret: '${{env:SECRET}}'}}
    - {{name: both, hash: 'sha256:{HASH_OF_BOTH}', signing: required, signing-secret: '${{env:SECRET}}'}}
    - {{name: never, hash: 'sha256:{"1" * 64}'}}
routers:
  duo: {{load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}}}
server: {{logging: {{requests: all}}}}
"""
PATH = "/router/duo/v1/chat/completions?api-version=1"


def house(serve: Serve) -> Served:
    served = serve(HOUSE, {"ALPHA_1": "alpha-key-1-00000000", "SECRET": SECRET})
    served.upstream.on(ALPHA, ok())
    return served


def signed(
    body: bytes, name: str = "always", nonce: str = "n" * 16, at: float = NOW, target: str = PATH, secret: str = SECRET
) -> dict[str, str]:
    text = "\n".join(["POST", target, str(int(at)), nonce, sha256(body).hexdigest()])
    return {
        "content-type": "application/json",
        "x-gateway-key": name,
        "x-gateway-timestamp": str(int(at)),
        "x-gateway-nonce": nonce,
        "x-gateway-signature": "v1=" + hmac.new(secret.encode(), text.encode(), sha256).hexdigest(),
    }


BODY = json.dumps(chat()).encode()


async def post(served: Served, headers: dict[str, str], body: bytes = BODY, path: str = PATH) -> Response:
    return await served.client.post(path, headers=headers, body=body)


async def refused(served: Served, headers: dict[str, str], body: bytes = BODY, path: str = PATH) -> str:
    reply = await post(served, headers, body, path)
    assert (reply.status, reply.headers["x-gateway-error"]) == (401, "signature_invalid")
    message: str = reply.json()["error"]["message"]
    assert SECRET not in message
    return message


async def test_a_signed_request_is_its_keys_and_its_headers_go_no_further(serve: Serve) -> None:
    served = house(serve)
    assert (await post(served, signed(BODY))).status == 200
    assert served.log("request served")[-1]["caller"] == "always"
    assert not [name for name in served.upstream.last.headers if name.startswith("x-gateway")]
    assert SECRET not in str(served.log())


async def test_a_nonce_is_good_once(serve: Serve) -> None:
    served = house(serve)
    headers = signed(BODY)
    assert (await post(served, headers)).status == 200
    assert "used before" in await refused(served, headers)
    assert (await post(served, signed(BODY, nonce="m" * 16))).status == 200
    assert (await post(served, signed(BODY, "either"))).status == 200, "another key has nonces of its own"
    assert len(served.upstream.sent) == 3


async def test_a_replay_is_refused_for_as_long_as_its_timestamp_is_good(serve: Serve) -> None:
    served = house(serve)
    headers = signed(BODY, at=NOW + 299)
    assert (await post(served, headers)).status == 200
    await asyncio.sleep(598.5)
    assert "used before" in await refused(served, headers)
    await asyncio.sleep(2)
    assert "behind the gateway's clock" in await refused(served, headers)


async def test_a_request_that_is_refused_uses_up_no_nonce(serve: Serve) -> None:
    served = house(serve)
    wrong = signed(BODY, secret="another-secret-0123456789abcdef0123456")
    assert "not that of" in await refused(served, wrong)
    assert (await post(served, signed(BODY))).status == 200


@pytest.mark.parametrize("at", [NOW - 302, NOW + 302])
async def test_a_timestamp_outside_the_window_is_refused(serve: Serve, at: float) -> None:
    assert "300 s are allowed" in await refused(house(serve), signed(BODY, at=at))


async def test_a_signature_is_good_for_its_own_request_alone(serve: Serve) -> None:
    served = house(serve)
    headers = signed(BODY)
    await refused(served, headers, BODY.replace(b"Hi", b"Ho"))
    await refused(served, headers, path=PATH.replace("version=1", "version=2"))
    await refused(served, headers, path="/alpha/v1/chat/completions?api-version=1")
    await refused(served, {**headers, "x-gateway-key": "either", "x-gateway-nonce": "o" * 16})
    assert served.upstream.sent == []
    assert (await post(served, headers)).status == 200


@pytest.mark.parametrize("name", ["nobody", "never", "", "always "])
async def test_a_name_that_signs_nothing_is_nobody(serve: Serve, name: str) -> None:
    assert "x-gateway-key" in await refused(house(serve), signed(BODY, name))


@pytest.mark.parametrize("header", ["x-gateway-timestamp", "x-gateway-nonce", "x-gateway-signature"])
async def test_each_header_is_needed_and_once(serve: Serve, header: str) -> None:
    served = house(serve)
    headers = signed(BODY)
    assert header in await refused(served, {name: value for name, value in headers.items() if name != header})
    twice = [*headers.items(), (header, headers[header])]
    reply = await served.client.post(PATH, headers=twice, body=BODY)
    assert (reply.status, reply.headers["x-gateway-error"]) == (400, "invalid_request")


async def test_without_a_signature_a_key_that_signs_is_nobody(serve: Serve) -> None:
    served = house(serve)
    reply = await post(served, {"content-type": "application/json"})
    assert (reply.status, reply.headers["x-gateway-error"]) == (401, "invalid_api_key")


async def test_where_each_request_is_to_be_signed_the_key_alone_is_not_enough(serve: Serve) -> None:
    served = house(serve)
    key = {"authorization": f"Bearer {BOTH}", "content-type": "application/json"}
    assert "'both' signs its requests" in await refused(served, key)
    assert (await post(served, {**key, **signed(BODY, "both")})).status == 200
    assert (await post(served, signed(BODY, "both", nonce="o" * 16))).status == 200


async def test_what_is_optional_may_be_left_out_but_not_be_wrong(serve: Serve) -> None:
    served = house(serve)
    key = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    assert (await post(served, key)).status == 200
    assert (await post(served, {**key, **signed(BODY, "either")})).status == 200
    await refused(served, {**key, **signed(BODY, "either", nonce="o" * 16)}, BODY + b" ")
    assert "'either' signs" in await refused(served, {**key, **signed(BODY, "always", nonce="p" * 16)})


async def test_the_placeholder_that_an_sdk_demands_does_no_harm(serve: Serve) -> None:
    served = house(serve)
    assert (await post(served, {"authorization": "Bearer unused", **signed(BODY)})).status == 200


async def test_a_signature_is_no_way_around_the_lists(serve: Serve) -> None:
    served = house(serve)
    body = json.dumps(chat("claude-sonnet-4-5")).encode()
    reply = await post(served, signed(body), body)
    assert (reply.status, reply.headers["x-gateway-error"]) == (403, "access_denied")


async def test_the_page_shows_how_to_sign(serve: Serve) -> None:
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text("utf-8")
    [source] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(source.strip().splitlines()) <= 20
    shown: dict[str, Any] = {}
    exec(source, shown)
    shown["time"] = SimpleNamespace(time=lambda: NOW)
    served = house(serve)
    for _ in range(2):
        request = shown["signed"](f"https://gateway.test{PATH}", BODY, "always", SECRET)
        assert request.data == BODY
        assert (await post(served, dict(request.header_items()))).status == 200
    request = shown["signed"](f"https://gateway.test{PATH}", BODY, "always", f"{SECRET}x")
    await refused(served, dict(request.header_items()))


class Away:
    async def command(self, *parts: str | bytes | int) -> object:
        raise StoreDown("away")


@pytest.mark.parametrize(
    ("on_outage", "statuses"), [("local", [200, 401]), ("open", [200, 200]), ("closed", [503, 503])]
)
async def test_while_the_store_is_away_it_is_as_the_config_says(
    serve: Serve, on_outage: Any, statuses: list[int]
) -> None:
    served = house(serve)
    stores = served.gateway.house.stores
    stores.nonces = RedisNonces(Away(), prefix="", on_outage=on_outage, local=stores.nonces)  # type: ignore[arg-type]
    assert await served.rewrite(HOUSE + "# again\n")
    replies = [await post(served, signed(BODY)) for _ in range(2)]
    assert [reply.status for reply in replies] == statuses
    if on_outage == "closed":
        assert replies[0].headers["x-gateway-error"] == "store_unavailable"
        assert replies[0].headers["retry-after"] == "1"
