"""What a key may use: models, providers, networks, and for how long."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from hmac import digest as hmac_digest
from typing import Any

import pytest

from gateway.core.moments import moment_text
from tests.support.asgi_client import AsgiClient
from tests.support.house import ALPHA, BETA, KEYS, OPENAI, PROVIDERS, Serve, Served, chat, generate, message
from tests.support.issuer import NOW
from tests.support.scripted import Script, ok

ADMIN, MODELS, PROVIDER, NETWORK, EXPIRING, PEPPERED = (f"gw_{name:0<49}" for name in "abcdef")
PEPPER = "a pepper of enough length"
KEYED = hmac_digest(PEPPER.encode(), PEPPERED.encode(), "sha256").hex()


def entry(name: str, key: str, more: str) -> str:
    return f"    - {{name: {name}, hash: 'sha256:{sha256(key.encode()).hexdigest()}', {more}}}\n"


AUTH = (
    "auth:\n  mode: keys\n  pepper: '${env:PEPPER}'\n  keys:\n"
    + entry("admin", ADMIN, "team: ops")
    + entry("models", MODELS, "models: ['gpt-4o*', alpha-1]")
    + entry("provider", PROVIDER, "providers: [beta, openai]")
    + entry("network", NETWORK, "networks: [198.51.100.0/24, '2001:db8::/32']")
    + entry("expiring", EXPIRING, "expires: '" + moment_text(NOW + 100) + "'")
    + f"    - {{name: peppered, hash: 'hmac-sha256:{KEYED}'}}\n"
)
ROUTERS = """
routers:
  duo: {load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}}
  solo: {load-balance: {chat: {strategy: priority, providers: [alpha]}}}
  mapped:
    load-balance: {default: {strategy: priority, providers: [{provider: alpha/alpha-1}, beta/gpt-4o-b]}}
    model-mappings: {gpt-4o: [alpha/other], secret-model: [alpha/other]}
"""
HOUSE = PROVIDERS + AUTH + ROUTERS
DUO = "/router/duo/v1/chat/completions"


def served_house(serve: Serve, text: str = HOUSE) -> Served:
    served = serve(text, {**KEYS, "PEPPER": PEPPER})
    for host in (ALPHA, BETA, OPENAI):
        served.upstream.on(host, ok())
    return served


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def code(reply: Any) -> tuple[int, str]:
    return reply.status, reply.headers.get("x-gateway-error", "")


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini", "openai/gpt-4o", "beta/gpt-4o", "alpha-1"])
async def test_a_model_on_the_list_is_served(serve: Serve, model: str) -> None:
    served = served_house(serve)
    assert (await served.client.post(DUO, chat(model), bearer(MODELS))).status == 200


@pytest.mark.parametrize("model", ["gpt-4.1", "alpha-12", "beta/gpt-4.1", "nobody/gpt-4o", "GPT-4O", "secret-model"])
async def test_another_is_refused_with_what_is_allowed(serve: Serve, model: str) -> None:
    served = served_house(serve)
    for path in (DUO, "/ai/v1/chat/completions", "/alpha/v1/chat/completions", "/router/mapped/v1/chat/completions"):
        reply = await served.client.post(path, chat(model), bearer(MODELS))
        assert code(reply) == (403, "access_denied")
        assert "it may use: gpt-4o*, alpha-1" in reply.json()["error"]["message"]
    assert served.upstream.sent == []


async def test_the_refusal_is_in_the_clients_dialect(serve: Serve) -> None:
    served = served_house(serve)
    told = (await served.client.post("/ai/v1/messages", message(), bearer(MODELS))).json()
    assert told["error"]["type"] == "permission_error"
    path = "/ai/v1beta/models/gemini-2.5-flash:generateContent"
    told = (await served.client.post(path, generate(), {"x-goog-api-key": MODELS})).json()
    assert told["error"]["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/openai/v1/batches", b'{"input_file_id":"f"}'),
        ("GET", "/openai/v1/files", b""),
        ("POST", "/openai/v1/threads", b""),
        ("POST", "/openai/v1/anything", b'{"model":5}'),
        ("POST", "/openai/v1/anything", b'{"model":"gpt-4o"'),
        ("POST", "/openai/v1/responses", b'{"prompt":{"id":"p"},"input":"x"}'),
    ],
)
async def test_what_names_no_model_is_not_on_the_list(serve: Serve, method: str, path: str, body: bytes) -> None:
    served = served_house(serve)
    reply = await served.client.request(method, path, headers=bearer(MODELS), body=body)
    assert code(reply) == (403, "access_denied")
    assert served.upstream.sent == []
    assert (await served.client.request(method, path, headers=bearer(ADMIN), body=body)).status == 200


async def listed(served: Served, path: str, key: str) -> list[str]:
    return sorted(model["id"] for model in (await served.client.get(path, bearer(key))).json()["data"])


async def test_model_lists_have_only_what_the_caller_may_use(serve: Serve) -> None:
    served = served_house(serve)
    assert await listed(served, "/router/mapped/v1/models", ADMIN) == ["alpha-1", "gpt-4o", "gpt-4o-b", "secret-model"]
    assert await listed(served, "/router/mapped/v1/models", MODELS) == ["alpha-1", "gpt-4o", "gpt-4o-b"]
    assert await listed(served, "/router/mapped/v1/models", PROVIDER) == ["gpt-4o", "gpt-4o-b", "secret-model"]
    assert (await served.client.get("/router/mapped/v1/models/secret-model", bearer(MODELS))).status == 404
    assert served.upstream.sent == []


async def test_even_where_the_list_is_the_providers_own(serve: Serve) -> None:
    served = served_house(serve)
    served.upstream.on(OPENAI, Script(chunks=(b'{"object":"list","data":[{"id":"from upstream"}]}',)))
    assert await listed(served, "/openai/v1/models", ADMIN) == ["from upstream"]
    names = await listed(served, "/openai/v1/models", MODELS)
    assert names
    assert all(name.startswith("gpt-4o") for name in names)
    assert len(served.upstream.sent) == 1


async def test_targets_of_other_providers_are_not_there_for_the_caller(serve: Serve) -> None:
    served = served_house(serve)
    assert (await served.client.post(DUO, chat(), bearer(ADMIN))).headers["x-gateway-provider"] == "alpha"
    assert (await served.client.post(DUO, chat(), bearer(PROVIDER))).headers["x-gateway-provider"] == "beta"
    served.upstream.on(BETA, Script(status=503))
    reply = await served.client.post(DUO, chat(), bearer(PROVIDER))
    assert reply.status == 502
    assert "alpha.test" not in [call.host for call in served.upstream.sent[1:]], "no failover to what is not allowed"


async def test_no_provider_of_the_callers_is_a_refusal_and_not_an_outage(serve: Serve) -> None:
    served = served_house(serve)
    for path in ("/router/solo/v1/chat/completions", "/alpha/v1/chat/completions", "/gamma/v1/files"):
        reply = await served.client.post(path, chat(), bearer(PROVIDER))
        assert code(reply) == (403, "access_denied")
        assert "it may use: beta, openai" in reply.json()["error"]["message"]
    assert served.upstream.sent == []


async def test_a_refusal_names_the_reason_when_the_caller_has_a_provider_that_cannot(serve: Serve) -> None:
    served = served_house(serve)
    served.upstream.on(BETA, Script(status=401))
    await served.client.post(DUO, chat(), bearer(PROVIDER))
    reply = await served.client.post(DUO, chat(), bearer(PROVIDER))
    assert code(reply) == (503, "no_eligible_target")
    assert "alpha: not among the caller's providers" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("address", "forwarded", "status"),
    [
        ("198.51.100.7", None, 200),
        ("2001:db8::7", None, 200),
        ("203.0.113.7", None, 403),
        ("203.0.113.7", "198.51.100.7", 403),
        ("10.0.0.1", "198.51.100.7", 200),
        ("10.0.0.1", "198.51.100.7, 203.0.113.7", 403),
        ("10.0.0.1", "198.51.100.7, nonsense", 403),
        ("10.0.0.1", None, 403),
    ],
)
async def test_a_key_may_be_bound_to_networks(serve: Serve, address: str, forwarded: str | None, status: int) -> None:
    served = served_house(serve, HOUSE + "server: {trusted-proxies: [10.0.0.0/8]}\n")
    headers = {**bearer(NETWORK), **({"x-forwarded-for": forwarded} if forwarded else {})}
    reply = await AsgiClient(served.app, address=address).post(DUO, chat(), headers)
    assert reply.status == status
    assert (await AsgiClient(served.app, address=address).post(DUO, chat(), bearer(ADMIN))).status == 200


async def test_without_trusted_proxies_nobody_says_where_a_client_is(serve: Serve) -> None:
    served = served_house(serve)
    headers = {**bearer(NETWORK), "x-forwarded-for": "198.51.100.7"}
    reply = await AsgiClient(served.app, address="10.0.0.1").post(DUO, chat(), headers)
    assert code(reply) == (403, "access_denied")
    assert "10.0.0.1" in reply.json()["error"]["message"]


async def test_a_key_ends_when_it_was_to(serve: Serve) -> None:
    served = served_house(serve)
    await asyncio.sleep(99.9)
    assert (await served.client.post(DUO, chat(), bearer(EXPIRING))).status == 200
    await asyncio.sleep(0.1)
    reply = await served.client.post(DUO, chat(), bearer(EXPIRING))
    assert code(reply) == (401, "invalid_api_key")
    assert "'expiring' has expired" in reply.json()["error"]["message"]
    assert (await served.client.post(DUO, chat(), bearer(ADMIN))).status == 200


async def test_a_keyed_hash_admits_its_key_and_no_other(serve: Serve) -> None:
    served = served_house(serve)
    for _ in range(2):
        assert (await served.client.post(DUO, chat(), bearer(PEPPERED))).status == 200
        assert (await served.client.post(DUO, chat(), bearer(f"{PEPPERED}0"))).status == 401


async def test_during_a_rotation_both_secrets_count_and_then_the_new_one(serve: Serve) -> None:
    text = HOUSE.replace(
        "team: ops", f"previous: {{hash: 'sha256:{sha256(b'old').hexdigest()}', until: '{moment_text(NOW + 60)}'}}"
    )
    served = served_house(serve, text)
    for key in (ADMIN, "old"):
        assert (await served.client.post(DUO, chat(), bearer(key))).status == 200
    await asyncio.sleep(60)
    assert (await served.client.post(DUO, chat(), bearer(ADMIN))).status == 200
    reply = await served.client.post(DUO, chat(), bearer("old"))
    assert code(reply) == (401, "invalid_api_key")
    assert "was replaced" in reply.json()["error"]["message"]


async def test_a_key_that_is_taken_out_of_the_keys_file_is_out_at_the_reload(serve: Serve) -> None:
    text = PROVIDERS + ROUTERS + "auth: {mode: keys, keys-file: keys.yaml}\n"
    served = serve(text.replace("keys-file: keys.yaml", f"keys: [{{name: a, hash: 'sha256:{'0' * 64}'}}]"))
    served.upstream.on(ALPHA, ok())
    file = served.path.parent / "keys.yaml"
    file.write_text(entry("kept", ADMIN, "team: ops").removeprefix("    "))
    assert await served.rewrite(text)
    assert file in served.gateway.files
    assert (await served.client.post(DUO, chat(), bearer(ADMIN))).status == 200
    file.write_text("[]\n")
    assert await served.gateway.reload()
    assert (await served.client.post(DUO, chat(), bearer(ADMIN))).status == 401
    file.unlink()
    assert not await served.gateway.reload(), "a file that is not there takes no key away, and is told of"
    assert "keys.yaml" in str(served.log("config rejected, the one before it goes on serving"))


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ({"authorization": f"Bearer {ADMIN}", "x-api-key": MODELS}, "admin"),
        ({"authorization": f"Bearer {MODELS}", "x-api-key": ADMIN}, "models"),
        ({"x-goog-api-key": ADMIN, "x-api-key": MODELS}, "models"),
        ({"authorization": "Bearer wrong", "x-api-key": ADMIN}, ""),
        ({"authorization": "Bearer ", "x-api-key": ADMIN}, "admin"),
        ({"authorization": "Basic eDp5", "x-goog-api-key": ADMIN}, "admin"),
    ],
)
async def test_of_several_credentials_the_first_counts_and_no_other_is_tried(
    serve: Serve, headers: dict[str, str], caller: str
) -> None:
    served = served_house(serve, HOUSE + "server: {logging: {requests: all}}\n")
    reply = await served.client.post(f"{DUO}?key={PROVIDER}", chat(), headers)
    assert reply.status == (200 if caller else 401)
    assert served.log()[-1]["caller"] == caller


async def test_peppers_and_keys_are_in_no_log_and_on_no_page(serve: Serve) -> None:
    served = served_house(serve, HOUSE + "server: {logging: {requests: all}}\n")
    for key in (ADMIN, MODELS, PEPPERED, "gw_unknown"):
        await served.client.post(DUO, chat(), bearer(key))
    pages = [(await served.client.get(page)).text for page in ("/metrics", "/health", "/readyz")]
    seen = str(served.log()) + "".join(pages) + repr(served.gateway.house.spec.auth)
    for secret in (ADMIN, MODELS, PEPPERED, "gw_unknown", PEPPER):
        assert secret not in seen
