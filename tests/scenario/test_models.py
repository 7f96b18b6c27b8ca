"""Lists of models, in the shape that each dialect's clients read."""

from __future__ import annotations

import pytest

from tests.support.house import BARE, OPENAI, PROVIDERS, Serve
from tests.support.scripted import ok

YAML = """
routers:
  r:
    load-balance: {chat: {providers: [{provider: openai, model: gpt-4o}, anthropic]}}
    model-mappings: {house-model: [openai/gpt-4o]}
"""
GEMINI_CLIENT = {"x-goog-api-key": "x"}
ANTHROPIC_CLIENT = {"anthropic-version": "2026-10-21"}


async def test_openai_s_list(serve: Serve) -> None:
    reply = await serve(YAML).client.get("/router/r/v1/models")
    body = reply.json()
    assert reply.status == 200
    assert body["object"] == "list"
    owners = {item["id"]: item["owned_by"] for item in body["data"]}
    assert owners["gpt-4o"] == "openai"
    assert owners["house-model"] == "router-gateway"
    assert "anthropic" in owners.values()
    assert "gpt-4.1" not in owners
    assert all(item["object"] == "model" and isinstance(item["created"], int) for item in body["data"])


async def test_anthropic_s_list(serve: Serve) -> None:
    body = (await serve(YAML).client.get("/router/r/v1/models", ANTHROPIC_CLIENT)).json()
    assert body["has_more"] is False
    assert (body["first_id"], body["last_id"]) == (body["data"][0]["id"], body["data"][-1]["id"])
    assert all(item["type"] == "model" and item["created_at"].endswith("Z") for item in body["data"])


@pytest.mark.parametrize("path", ["/router/r/v1beta/models", "/router/r/v1/models"])
async def test_gemini_s_list(serve: Serve, path: str) -> None:
    body = (await serve(YAML).client.get(path, GEMINI_CLIENT)).json()
    assert "models/gpt-4o" in [item["name"] for item in body["models"]]


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/router/r/v1/models/gpt-4o", {}, "id"),
        ("/router/r/v1/models/gpt-4o", ANTHROPIC_CLIENT, "id"),
        ("/router/r/v1beta/models/gpt-4o", GEMINI_CLIENT, "name"),
    ],
)
async def test_one_model(serve: Serve, path: str, headers: dict[str, str], name: str) -> None:
    reply = await serve(YAML).client.get(path, headers)
    assert reply.status == 200
    assert reply.json()[name].removeprefix("models/") == "gpt-4o"


async def test_a_model_that_is_not_listed(serve: Serve) -> None:
    reply = await serve(YAML).client.get("/router/r/v1/models/nope")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("path", ["/v1/models", "/ai/v1/models", "/ai/models"])
async def test_the_unified_list_has_what_providers_with_keys_have(serve: Serve, path: str) -> None:
    served = serve(BARE, env={"OPENAI_API_KEY": "x"})
    owners = {item["owned_by"] for item in (await served.client.get(path)).json()["data"]}
    assert "openai" in owners
    assert "anthropic" not in owners


async def test_a_provider_s_own_list_is_its_own(serve: Serve) -> None:
    served = serve(PROVIDERS + BARE)
    served.upstream.on(OPENAI, ok({"object": "list", "data": [{"id": "from-openai"}]}))
    reply = await served.client.get("/openai/v1/models")
    assert reply.json()["data"] == [{"id": "from-openai"}]
    assert served.upstream.last.url == "https://api.openai.com/v1/models"
