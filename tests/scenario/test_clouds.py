"""Vertex AI, Azure OpenAI and Bedrock: where they are asked, with what credential, and what happens without one."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.core.usage import Usage
from gateway.providers.prices import SHIPPED_BOOK
from gateway.providers.sigv4 import read_credentials, sign
from gateway.upstream.token_source import LEAD, LONGEST_PAUSE
from tests.support.house import OPENAI, Serve, Served, chat, generate, message
from tests.support.issuer import private_key, public_pem
from tests.support.scripted import (
    Script,
    Sent,
    chat_reply,
    chat_stream,
    generate_reply,
    generate_stream,
    message_reply,
    message_stream,
    ok,
    refuse,
    status,
    stream,
)
from tests.support.speakers import ASKED_CONVERSE

CHAT = "/router/r/v1/chat/completions"
MESSAGES = "/router/r/v1/messages"
TOKENS = "oauth2.googleapis.com"
ACCOUNT = json.dumps(
    {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "kid-1",
        "private_key": private_key("RSA", "one")
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
        "client_email": "gateway@acme.iam.gserviceaccount.com",
        "token_uri": f"https://{TOKENS}/token",
    }
)
VERTEX = """
providers:
  vertex:
    region: europe-west1
    keys: [{name: prod, google: {service-account: '${env:ACCOUNT}'}}]
routers:
  r: {load-balance: {chat: {providers: [vertex]}}}
  either: {load-balance: {chat: {strategy: priority, providers: [vertex, openai]}}}
"""
HOST = "europe-west1-aiplatform.googleapis.com"
PUBLISHERS = "/v1/projects/acme/locations/europe-west1/publishers"
GEMINI_AT = f"{PUBLISHERS}/google/models/gemini-2.5-flash"
CLAUDE_AT = f"{PUBLISHERS}/anthropic/models/claude-sonnet-4-5"


def lends(token: str, lifetime: int = 3600) -> Script:
    return ok({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"})


def vertex(serve: Serve, *answers: Script, text: str = VERTEX) -> Served:
    served = serve(text, {"ACCOUNT": ACCOUNT, "OPENAI_API_KEY": "sk-openai-0000000000000000"})
    served.upstream.on(TOKENS, lends("ya29.first-token-000"), lends("ya29.second-token-00"))
    served.upstream.on(HOST, *answers)
    return served


def only(served: Served, host: str) -> Sent:
    [call] = served.upstream.to(host)
    return call


async def test_an_openai_client_is_answered_by_gemini_at_vertex(serve: Serve) -> None:
    served = vertex(serve, ok(generate_reply("Hello")))
    reply = await served.client.post(CHAT, chat("gemini-2.5-flash"))
    assert reply.status == 200
    assert reply.json()["choices"][0]["message"]["content"] == "Hello"
    sent = only(served, HOST)
    assert (sent.path, sent.key) == (f"{GEMINI_AT}:generateContent", "ya29.first-token-000")
    question = only(served, TOKENS)
    [assertion] = parse_qs(question.body.decode())["assertion"]
    claims = jwt.decode(
        assertion,
        public_pem(),
        ["RS256"],
        audience=f"https://{TOKENS}/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iss"] == "gateway@acme.iam.gserviceaccount.com"


async def test_an_openai_client_streams_gemini_at_vertex(serve: Serve) -> None:
    served = vertex(serve, stream(generate_stream(["Hel", "lo"])))
    reply = await served.client.post(CHAT, chat("gemini-2.5-flash", stream=True))
    assert reply.text.endswith("data: [DONE]\n\n")
    assert only(served, HOST).path == f"{GEMINI_AT}:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_a_gemini_client_passes_through_to_vertex(serve: Serve, version: str) -> None:
    served = vertex(serve, ok(generate_reply("Hello")), stream(generate_stream()))
    path = f"/router/r/{version}/models/gemini-2.5-flash"
    body = json.dumps({**generate(), "labels": {"nobody": "knows"}}).encode()
    reply = await served.client.post(f"{path}:generateContent", body=body, headers={"content-type": "application/json"})
    assert reply.json() == generate_reply("Hello")
    assert served.upstream.to(HOST)[0].body == body
    reply = await served.client.post(f"{path}:streamGenerateContent?alt=sse", generate())
    assert reply.body == b"".join(generate_stream())
    assert served.upstream.to(HOST)[1].path == f"{GEMINI_AT}:streamGenerateContent?alt=sse"


async def test_an_anthropic_client_passes_through_to_vertex_without_its_model(serve: Serve) -> None:
    served = vertex(serve, ok(message_reply("Hello")))
    body = message("claude-sonnet-4-5", container={"nobody": "knows"})
    reply = await served.client.post(MESSAGES, body)
    assert reply.json() == message_reply("Hello")
    sent = only(served, HOST)
    assert sent.path == f"{CLAUDE_AT}:rawPredict"
    expected = {**body, "anthropic_version": "vertex-2023-10-16"}
    del expected["model"]
    assert sent.json() == expected
    assert sent.headers["authorization"] == "Bearer ya29.first-token-000"
    assert "x-api-key" not in sent.headers


async def test_an_anthropic_client_streams_from_vertex(serve: Serve) -> None:
    served = vertex(serve, stream(message_stream()))
    reply = await served.client.post(MESSAGES, message(stream=True))
    assert reply.body == b"".join(message_stream())
    sent = only(served, HOST)
    assert sent.path == f"{CLAUDE_AT}:streamRawPredict"
    assert sent.json()["stream"] is True
    assert "model" not in sent.json()


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_openai_client_is_answered_by_claude_at_vertex(serve: Serve, streamed: bool) -> None:
    served = vertex(serve, stream(message_stream()) if streamed else ok(message_reply("Hello")))
    reply = await served.client.post(CHAT, chat("claude-sonnet-4-5", stream=streamed))
    assert reply.status == 200
    assert reply.headers["x-gateway-model"] == "claude-sonnet-4-5"
    sent = only(served, HOST)
    assert sent.path == f"{CLAUDE_AT}:{'streamRawPredict' if streamed else 'rawPredict'}"
    assert sent.json()["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in sent.json()


async def test_an_anthropic_client_is_answered_by_gemini_at_vertex(serve: Serve) -> None:
    served = vertex(serve, ok(generate_reply("Hello")))
    reply = await served.client.post(MESSAGES, message("gemini-2.5-flash"))
    assert reply.json()["content"][0]["text"] == "Hello"
    assert only(served, HOST).path == f"{GEMINI_AT}:generateContent"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
    ],
)
async def test_each_location_has_its_host(serve: Serve, region: str, host: str) -> None:
    served = vertex(serve, ok(), text=VERTEX.replace("europe-west1", f"{region}\n    project: other"))
    served.upstream.on(host, ok(generate_reply("Hello")))
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    assert only(served, host).path.startswith(f"/v1/projects/other/locations/{region}/publishers/google/")


async def test_vertex_at_an_address_of_ones_own(serve: Serve) -> None:
    served = vertex(serve, ok(), text=VERTEX.replace("region:", "base-url: http://proxy.test/vertex\n    region:"))
    served.upstream.on("proxy.test", ok(message_reply("Hello")))
    assert (await served.client.post(MESSAGES, message())).status == 200
    assert only(served, "proxy.test").path == f"/vertex{CLAUDE_AT}:rawPredict"


async def test_the_environment_of_googles_own_sdks_is_enough(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "sa.json"
    file.write_text(ACCOUNT)
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "GOOGLE_CLOUD_PROJECT": "mine"}
    served = serve("routers: {r: {load-balance: {chat: {providers: [vertex]}}}}", env)
    served.upstream.on(TOKENS, lends("ya29.first-token-000"))
    served.upstream.on("aiplatform.googleapis.com", ok(generate_reply("Hello")))
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    path = "/v1/projects/mine/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"
    assert only(served, "aiplatform.googleapis.com").path == path


@pytest.mark.parametrize(
    ("text", "problem"), [(None, "it cannot be read"), ("{}", "`type`"), (ACCOUNT.replace("PRIVATE", "PUBLIC"), "PEM")]
)
async def test_a_bad_file_in_the_environment_is_named(
    serve: Serve, tmp_path: Path, text: str | None, problem: str
) -> None:
    file = tmp_path / "sa.json"
    if text is not None:
        file.write_text(text)
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "GOOGLE_CLOUD_PROJECT": "mine"}
    served = serve("routers: {r: {load-balance: {chat: {providers: [vertex]}}}}", env)
    reply = await served.client.post(CHAT, chat("gemini-2.5-flash"))
    assert (reply.status, reply.headers["x-gateway-error"]) == (503, "no_eligible_target")
    assert "GOOGLE_APPLICATION_CREDENTIALS names a file of no use" in reply.json()["error"]["message"]
    assert problem in reply.json()["error"]["message"]


async def test_the_metadata_server_is_asked_where_the_environment_says(serve: Serve) -> None:
    text = "providers: {vertex: {keys: [{google: metadata}], project: p}}\n"
    served = serve(
        text + "routers: {r: {load-balance: {chat: {providers: [vertex]}}}}", {"GCE_METADATA_HOST": "meta.test"}
    )
    served.upstream.on("meta.test", lends("ya29.of-the-machine"))
    served.upstream.on("aiplatform.googleapis.com", ok(generate_reply("Hello")))
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    assert only(served, "aiplatform.googleapis.com").key == "ya29.of-the-machine"


async def test_one_token_serves_until_it_is_replaced_behind_everybodys_back(serve: Serve) -> None:
    served = vertex(serve, ok(generate_reply("Hello")))
    replies = await asyncio.gather(*(served.client.post(CHAT, chat("gemini-2.5-flash")) for _ in range(10)))
    assert {reply.status for reply in replies} == {200}
    assert len(served.upstream.to(TOKENS)) == 1
    await asyncio.sleep(3600 - LEAD + 1)
    assert len(served.upstream.to(TOKENS)) == 2
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    assert served.upstream.to(HOST)[-1].key == "ya29.second-token-00"


async def test_a_token_is_in_no_line_of_the_log(serve: Serve) -> None:
    served = vertex(serve, ok(generate_reply("Hello")))
    served.upstream.on(TOKENS, lends("an-opaque-token-of-no-known-form"))
    await served.client.post(CHAT, chat("gemini-2.5-flash"))
    served.runtime.log.write("info", "an-opaque-token-of-no-known-form")
    assert served.log("[redacted]")


async def test_tokens_of_credentials_that_come_and_go_are_in_no_line_of_the_log_either(serve: Serve) -> None:
    accounts = {f"ACCOUNT_{n}": ACCOUNT.replace("gateway@acme", f"gateway-{n}@acme") for n in range(4)}

    def text(*numbers: int) -> str:
        lists = [
            f"  r{n}: {{load-balance: {{chat: {{providers: [{{provider: vertex, keys: [{{name: prod, "
            f"google: {{service-account: '${{env:ACCOUNT_{n}}}'}}}}]}}]}}}}}}\n"
            for n in numbers
        ]
        return "providers: {vertex: {region: europe-west1}}\nrouters:\n" + "".join(lists)

    served = serve(text(0, 1), accounts)
    served.upstream.on(TOKENS, *(lends(f"an-opaque-word-{n}") for n in range(4)))
    served.upstream.on(HOST, ok(generate_reply("Hello")))
    for new, kept in enumerate([(0, 1), (0, 1), (1, 2), (2, 3)]):
        assert await served.rewrite(text(*kept))
        path = f"/router/r{new}/v1/chat/completions"
        assert (await served.client.post(path, chat("gemini-2.5-flash"))).status == 200
    for kept_token in ("an-opaque-word-2", "an-opaque-word-3"):
        served.runtime.log.write("info", kept_token)
    assert len(served.log("[redacted]")) == 2


async def test_a_reload_asks_for_no_token_anew_and_forgets_who_has_gone(serve: Serve) -> None:
    served = vertex(serve, ok(generate_reply("Hello")))
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    assert await served.rewrite(VERTEX + "# again\n")
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    assert len(served.upstream.to(TOKENS)) == 1
    assert await served.rewrite("routers: {r: {load-balance: {chat: {providers: [openai]}}}}")
    await asyncio.sleep(7200)
    assert len(served.upstream.to(TOKENS)) == 1
    assert not served.runtime.token_sources


async def test_a_reload_without_a_credential_lets_the_requests_end_that_wait_for_its_token(serve: Serve) -> None:
    served = vertex(serve, ok(generate_reply("Hello")))
    served.upstream.on(TOKENS, lends("ya29.first-token-000").after(2))
    waiting = asyncio.create_task(served.client.post(CHAT, chat("gemini-2.5-flash")))
    await asyncio.sleep(1)
    assert await served.rewrite("routers: {r: {load-balance: {chat: {providers: [openai]}}}}")
    assert not served.runtime.token_sources
    assert (await waiting).status == 200
    await asyncio.sleep(7200)
    assert len(served.upstream.to(TOKENS)) == 1


REFUSED = status(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})


@pytest.mark.parametrize("answer", [refuse(), REFUSED, status(503), ok({"no": "token"})])
async def test_without_a_token_the_client_is_never_told_401(serve: Serve, answer: Script) -> None:
    served = vertex(serve, ok(generate_reply("Hello")))
    served.upstream.on(TOKENS, answer, lends("ya29.first-token-000"))
    reply = await served.client.post(CHAT, chat("gemini-2.5-flash"))
    assert (reply.status, reply.headers["x-gateway-error"]) == (503, "upstream_unauthorized")
    assert "no token for the key 'prod'" in reply.json()["error"]["message"]
    assert 1 <= int(reply.headers["retry-after"]) <= LONGEST_PAUSE
    assert served.upstream.to(HOST) == []
    [line] = served.log("provider token not lent")
    assert line["key"] == "prod"
    again = await served.client.post(CHAT, chat("gemini-2.5-flash"))
    assert (again.status, again.headers["x-gateway-error"]) == (503, "no_eligible_target")
    assert len(served.upstream.to(TOKENS)) == 1
    await asyncio.sleep(int(reply.headers["retry-after"]))
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200


async def test_without_a_token_another_provider_answers(serve: Serve) -> None:
    served = vertex(serve, ok())
    served.upstream.on(TOKENS, refuse())
    served.upstream.on(OPENAI, ok(chat_reply("Hello")))
    text = VERTEX + "global: {model-mappings: {gemini-2.5-flash: openai/gpt-4o}}\n"
    assert await served.rewrite(text)
    reply = await served.client.post("/router/either/v1/chat/completions", chat("gemini-2.5-flash"))
    assert (reply.status, reply.headers["x-gateway-provider"]) == (200, "openai")


async def test_a_token_that_vertex_refuses_is_replaced(serve: Serve) -> None:
    refused = status(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
    served = vertex(serve, ok(generate_reply("Hi")), refused, ok(generate_reply("Hi")))
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    await asyncio.sleep(600)
    reply = await served.client.post(CHAT, chat("gemini-2.5-flash"))
    assert (reply.status, reply.headers["x-gateway-error"]) == (502, "upstream_unauthorized")
    assert [line["key"] for line in served.log("provider token refused")] == ["prod"]
    assert not served.log("provider key quarantined")
    await asyncio.sleep(61)
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    assert [call.key for call in served.upstream.to(HOST)] == [
        "ya29.first-token-000",
        "ya29.first-token-000",
        "ya29.second-token-00",
    ]


async def test_what_vertex_sells_has_its_vendors_names_and_prices(serve: Serve) -> None:
    served = vertex(serve, ok())
    listed = {model["id"] for model in (await served.client.get("/router/r/v1/models")).json()["data"]}
    assert {"gemini-2.5-flash", "claude-sonnet-4-5"} <= listed
    price = SHIPPED_BOOK.cost
    used = Usage(250_000, 1000, cached=100)
    assert price("vertex", "claude-sonnet-4-5@20250929", used) == price("anthropic", "claude-sonnet-4-5", used)
    assert price("vertex", "gemini-2.5-flash", used) == price("gemini", "gemini-2.5-flash", used)
    assert price("vertex", "of-nobody", used) is None


async def test_a_closed_list_is_closed_for_what_the_vendors_have_too(serve: Serve) -> None:
    closed = "models: [gemini-2.5-flash]\n    models-closed: true\n    region:"
    served = vertex(serve, ok(generate_reply("Hello")), text=VERTEX.replace("region:", closed))
    assert (await served.client.post(CHAT, chat("gemini-2.5-flash"))).status == 200
    assert (await served.client.post(CHAT, chat("gemini-2.5-pro"))).status == 503


async def test_a_model_may_be_called_otherwise_at_vertex(serve: Serve) -> None:
    pinned = VERTEX.replace("region:", "deployments: {claude-sonnet-4-5: claude-sonnet-4-5@20250929}\n    region:")
    served = vertex(serve, ok(message_reply("Hello")), text=pinned)
    assert (await served.client.post(MESSAGES, message())).status == 200
    assert (await served.client.post(CHAT, chat("claude-sonnet-4-5"))).status == 200
    assert {call.path for call in served.upstream.to(HOST)} == {f"{CLAUDE_AT}%4020250929:rawPredict"}


async def test_a_provider_of_ones_own_takes_tokens_too(serve: Serve) -> None:
    text = """
providers:
  garden:
    dialect: openai
    base-url: https://garden.test/v1/projects/p/locations/l/endpoints/openapi
    keys: [{google: {service-account: '${env:ACCOUNT}'}}]
    models: ['meta/*']
routers: {r: {load-balance: {chat: {providers: [garden]}}}}
"""
    served = vertex(serve, ok(), text=text)
    served.upstream.on("garden.test", ok(chat_reply("Hello")))
    assert (await served.client.post(CHAT, chat("meta/llama-4"))).status == 200
    sent = only(served, "garden.test")
    assert sent.path == "/v1/projects/p/locations/l/endpoints/openapi/chat/completions"
    assert sent.key == "ya29.first-token-000"


AZURE = """
providers:
  azure:
    base-url: https://acme.openai.azure.com
    api-version: '2024-10-21'
    deployments: {gpt-4o: my-gpt4o}
    keys: ['${env:AZURE_KEY}']
routers:
  r: {load-balance: {chat: {providers: [azure]}, embeddings: {providers: [azure]}}}
"""
AZURE_HOST = "acme.openai.azure.com"
AZURE_ENV = {"AZURE_KEY": "azure-key-0000000000"}


async def test_a_deployment_has_a_path_of_its_own(serve: Serve) -> None:
    served = serve(AZURE, AZURE_ENV)
    served.upstream.on(AZURE_HOST, ok(chat_reply("Hello")), stream(chat_stream()), ok({"data": []}))
    reply = await served.client.post(CHAT, chat("gpt-4o"))
    assert (reply.status, reply.headers["x-gateway-model"]) == (200, "gpt-4o")
    await served.client.post(f"{CHAT}?api-version=2023-05-15&x=1", chat("gpt-5-mini", stream=True))
    await served.client.post("/router/r/v1/embeddings", {"model": "text-embedding-3-small", "input": "x"})
    assert [call.path for call in served.upstream.sent] == [
        "/openai/deployments/my-gpt4o/chat/completions?api-version=2024-10-21",
        "/openai/deployments/gpt-5-mini/chat/completions?api-version=2024-10-21&x=1",
        "/openai/deployments/text-embedding-3-small/embeddings?api-version=2024-10-21",
    ]
    assert {call.headers["api-key"] for call in served.upstream.sent} == {"azure-key-0000000000"}
    assert served.upstream.sent[0].json()["model"] == "my-gpt4o"


async def test_an_anthropic_client_is_answered_by_a_deployment(serve: Serve) -> None:
    served = serve(AZURE, AZURE_ENV)
    served.upstream.on(AZURE_HOST, ok(chat_reply("Hello")))
    reply = await served.client.post(MESSAGES, message("gpt-4o"))
    assert reply.json()["content"][0]["text"] == "Hello"
    sent = only(served, AZURE_HOST)
    assert sent.path == "/openai/deployments/my-gpt4o/chat/completions?api-version=2024-10-21"
    assert sent.json()["model"] == "my-gpt4o"


async def test_the_v1_api_calls_models_as_the_account_does(serve: Serve) -> None:
    served = serve(
        AZURE.replace("    api-version: '2024-10-21'\n", "").replace("azure.com", "azure.com/openai/v1"), AZURE_ENV
    )
    served.upstream.on(AZURE_HOST, ok(chat_reply("Hello")))
    assert (await served.client.post(CHAT, chat("gpt-4o"))).status == 200
    sent = only(served, AZURE_HOST)
    assert (sent.path, sent.json()["model"]) == ("/openai/v1/chat/completions", "my-gpt4o")


ENTRA = {
    "AZURE_OPENAI_ENDPOINT": f"https://{AZURE_HOST}/",
    "AZURE_TENANT_ID": "tenant",
    "AZURE_CLIENT_ID": "client",
    "AZURE_CLIENT_SECRET": "client-secret-000000",
}


async def test_an_application_of_entra_is_a_bearer(serve: Serve) -> None:
    served = serve("routers: {r: {load-balance: {chat: {providers: [azure]}}}}", ENTRA)
    served.upstream.on("login.microsoftonline.com", lends("eyJ.entra.token"))
    served.upstream.on(AZURE_HOST, ok(chat_reply("Hello")))
    assert (await served.client.post(CHAT, chat("gpt-4o"))).status == 200
    sent = only(served, AZURE_HOST)
    assert sent.path == "/openai/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer eyJ.entra.token"
    assert "api-key" not in sent.headers
    question = only(served, "login.microsoftonline.com")
    assert question.path == "/tenant/oauth2/v2.0/token"
    assert b"scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default" in question.body


async def test_a_pool_may_have_a_key_and_an_application(serve: Serve) -> None:
    keys = "['${env:AZURE_KEY}', {name: app, azure: {tenant: t, client: c, secret: '${env:SECRET}'}}]"
    served = serve(AZURE.replace("['${env:AZURE_KEY}']", keys), {**AZURE_ENV, "SECRET": "client-secret-000000"})
    served.upstream.on("login.microsoftonline.com", lends("eyJ.entra.token"))
    served.upstream.on(AZURE_HOST, ok(chat_reply("Hello")))
    for _ in range(2):
        assert (await served.client.post(CHAT, chat("gpt-4o"))).status == 200
    first, second = served.upstream.to(AZURE_HOST)
    assert ("api-key" in first.headers, "authorization" in first.headers) == (True, False)
    assert ("api-key" in second.headers, "authorization" in second.headers) == (False, True)


BEDROCK = """
providers:
  bedrock:
    region: eu-west-1
    keys: [{name: role, aws: {role: 'arn:aws:iam::1:role/r', token-file: '${env:TOKEN_FILE}'}}]
routers: {r: {load-balance: {chat: {providers: ['bedrock/anthropic.claude-sonnet-4-5-v1:0']}}}}
"""
RUNTIME = "bedrock-runtime.eu-west-1.amazonaws.com"
STS = "sts.eu-west-1.amazonaws.com"


def pair(session: str, expires: str) -> Script:
    return Script(
        headers=(("content-type", "text/xml"),),
        chunks=(
            "<R><Credentials><AccessKeyId>ASIAABCDEFGHIJKLMNOP</AccessKeyId>"
            "<SecretAccessKey>0123456789abcdef+/=0</SecretAccessKey>"
            f"<SessionToken>{session}</SessionToken><Expiration>{expires}</Expiration></Credentials></R>".encode(),
        ),
    )


def is_signed(sent: Sent, session: str) -> bool:
    """Whether the signature is that of the request as it was sent, at the time that it says."""
    credentials = read_credentials(f"ASIAABCDEFGHIJKLMNOP:0123456789abcdef+/=0:{session}")
    assert credentials is not None
    added = ("x-amz-date", "x-amz-security-token", "authorization")
    rest = [(name, value) for name, value in sent.request.headers if name not in added]
    at = datetime.strptime(f"{sent.headers['x-amz-date']}+0000", "%Y%m%dT%H%M%SZ%z").timestamp()
    again = sign(sent.request.method, sent.url, rest, sent.body, credentials, at, "eu-west-1")
    return dict(again) == {name: sent.headers[name] for name in added}


async def test_a_stream_of_bedrock_is_signed_with_what_a_role_is_lent(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("eyJ.web.identity")
    served = serve(BEDROCK, {"TOKEN_FILE": str(file)})
    # An hour from the moment at which virtual time begins.
    served.upstream.on(
        STS, pair("first-session", "2027-01-15T09:16:40Z"), pair("second-session", "2027-01-15T10:16:40Z")
    )
    served.upstream.on(RUNTIME, ASKED_CONVERSE.streaming())
    reply = await served.client.post(CHAT, chat(stream=True))
    assert reply.text.endswith("data: [DONE]\n\n")
    sent = only(served, RUNTIME)
    assert sent.path == "/model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream"
    assert is_signed(sent, "first-session")
    assert "WebIdentityToken=eyJ.web.identity" in only(served, STS).body.decode()
    await asyncio.sleep(3600 - LEAD + 1)
    await served.client.post(CHAT, chat(stream=True))
    assert is_signed(served.upstream.to(RUNTIME)[1], "second-session")


def entra(serve: Serve, tmp_path: Path) -> Served:
    served = serve("routers: {r: {load-balance: {chat: {providers: [azure]}}}}", ENTRA)
    served.upstream.on(AZURE_HOST, ok(chat_reply("Hello")))
    return served


def role(serve: Serve, tmp_path: Path) -> Served:
    file = tmp_path / "token"
    file.write_text("eyJ.web.identity")
    served = serve(BEDROCK, {"TOKEN_FILE": str(file)})
    served.upstream.on(RUNTIME, ASKED_CONVERSE.whole("Hello"))
    return served


LENDERS = [
    pytest.param(entra, "login.microsoftonline.com", AZURE_HOST, lends("eyJ.first"), lends("eyJ.second"), id="azure"),
    pytest.param(
        role,
        STS,
        RUNTIME,
        # An hour from the moment at which virtual time begins, and two.
        pair("first-session", "2027-01-15T09:16:40Z"),
        pair("second-session", "2027-01-15T10:16:40Z"),
        id="bedrock",
    ),
]
DENIED = status(403, {"error": "invalid_client", "error_description": "AADSTS7000215"})


def credential(sent: Sent) -> str:
    """What an attempt was allowed by: a session's token, or the bearer's."""
    return sent.headers.get("x-amz-security-token") or sent.headers["authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize(("assembled", "lender", "host", "first", "second"), LENDERS)
async def test_what_is_lent_is_replaced_before_it_expires(
    serve: Serve, tmp_path: Path, assembled: Any, lender: str, host: str, first: Script, second: Script
) -> None:
    served = assembled(serve, tmp_path)
    served.upstream.on(lender, first, refuse(), second)
    replies = await asyncio.gather(*(served.client.post(CHAT, chat("gpt-4o")) for _ in range(5)))
    assert {reply.status for reply in replies} == {200}
    assert len(served.upstream.to(lender)) == 1
    # The first question for another fails: the old one serves until it really expires, and the lender is asked again.
    await asyncio.sleep(3600 - LEAD + 1)
    assert len(served.upstream.to(lender)) == 2
    assert (await served.client.post(CHAT, chat("gpt-4o"))).status == 200
    await asyncio.sleep(LONGEST_PAUSE)
    assert len(served.upstream.to(lender)) == 3
    assert (await served.client.post(CHAT, chat("gpt-4o"))).status == 200
    said = [credential(sent) for sent in served.upstream.to(host)]
    assert len(set(said[:6])) == 1
    assert said[6] != said[0]


@pytest.mark.parametrize("answer", [refuse(), DENIED, status(503), ok({"no": "token"})])
@pytest.mark.parametrize(("assembled", "lender", "host", "first", "second"), LENDERS)
async def test_without_anything_lent_nothing_is_asked_and_it_is_a_503(
    serve: Serve, tmp_path: Path, assembled: Any, lender: str, host: str, first: Script, second: Script, answer: Script
) -> None:
    served = assembled(serve, tmp_path)
    served.upstream.on(lender, answer, first)
    reply = await served.client.post(CHAT, chat("gpt-4o"))
    assert (reply.status, reply.headers["x-gateway-error"]) == (503, "upstream_unauthorized")
    assert served.upstream.to(host) == []
    assert "AADSTS" not in reply.text
    await asyncio.sleep(int(reply.headers["retry-after"]))
    assert (await served.client.post(CHAT, chat("gpt-4o"))).status == 200


async def test_each_attempt_is_signed_anew(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("eyJ.web.identity")
    served = serve(
        BEDROCK + "global: {retries: {min-delay: 3s, max-delay: 3s, strategy: constant}}\n", {"TOKEN_FILE": str(file)}
    )
    served.upstream.on(STS, pair("a-session", "2027-01-15T09:16:40Z"))
    served.upstream.on(RUNTIME, status(503, {"message": "busy"}), ASKED_CONVERSE.whole("Hello"))
    reply = await served.client.post(CHAT, chat())
    assert reply.json()["choices"][0]["message"]["content"] == "Hello"
    first, second = served.upstream.to(RUNTIME)
    assert is_signed(first, "a-session")
    assert is_signed(second, "a-session")
    assert first.headers["x-amz-date"] != second.headers["x-amz-date"]


async def test_a_container_is_lent_what_it_signs_with(serve: Serve) -> None:
    env = {"AWS_REGION": "eu-west-1", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"}
    served = serve("routers: {r: {load-balance: {chat: {providers: ['bedrock/amazon.nova-pro-v1:0']}}}}", env)
    lent: dict[str, Any] = {
        "AccessKeyId": "ASIAABCDEFGHIJKLMNOP",
        "SecretAccessKey": "0123456789abcdef+/=0",
        "Token": "of-the-container",
        "Expiration": "2027-01-15T09:16:40Z",
    }
    served.upstream.on("169.254.170.2", ok(lent))
    served.upstream.on(RUNTIME, ASKED_CONVERSE.whole("Hello"))
    assert (await served.client.post(CHAT, chat())).status == 200
    assert only(served, "169.254.170.2").path == "/v2/credentials/1"
    assert is_signed(only(served, RUNTIME), "of-the-container")
