from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from gateway.core.access import Access
from gateway.core.errors import GatewayError
from gateway.core.exchange import GROUP_OF, Call, Dialect, Exchange, Group, Handler, Operation, Reply
from gateway.pipeline.route import Route

MODELS = {"gpt-4o": "openai", "meta/llama": "openrouter"}


def listing(access: Access | None) -> dict[str, str]:
    return {name: owner for name, owner in MODELS.items() if access is None or access.admits_model(name)}


def exchange(operation: Operation, suffix: str = "/x", dialect: Dialect = "openai") -> Exchange:
    return Exchange("1", "GET", "/", b"", [], b"", Call(dialect, operation, suffix), "prod", 0.0, 0.0)


def named(name: str) -> Handler:
    async def handle(exchange: Exchange) -> Reply:
        return Reply(200, [], name.encode())

    return handle


@pytest.mark.parametrize("operation", get_args(Operation))
async def test_each_operation_goes_to_its_groups_handler(operation: Operation) -> None:
    groups: tuple[Group, ...] = get_args(Group)
    route = Route("Router 'prod'", {group: named(group) for group in groups}, listing, own_list=True)
    assert (await route(exchange(operation))).first == GROUP_OF[operation].encode()


async def test_default_serves_the_rest() -> None:
    route = Route("Router 'prod'", {"chat": named("chat"), "default": named("default")}, listing)
    assert (await route(exchange("messages"))).first == b"chat"
    assert (await route(exchange("rerank"))).first == b"default"


async def test_what_is_not_served_is_said_with_what_is() -> None:
    route = Route("Router 'prod'", {"chat": named("chat"), "images": named("images")}, listing)
    with pytest.raises(GatewayError) as refused:
        await route(exchange("audio"))
    assert refused.value.code == "operation_not_served"
    assert refused.value.message == "Router 'prod' does not serve 'audio'; its load-balance has: chat, images."


async def test_a_path_that_is_not_known_is_said_with_where_it_may_go() -> None:
    route = Route("Router 'prod'", {"chat": named("chat")}, listing)
    with pytest.raises(GatewayError) as refused:
        await route(exchange("other", "/v1/batches"))
    assert refused.value.code == "operation_not_served"
    assert "does not know the path '/v1/batches'" in refused.value.message
    assert "/<provider>/" in refused.value.message


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini"])
async def test_a_route_with_models_lists_them_itself(dialect: Dialect) -> None:
    route = Route("Router 'prod'", {"default": named("default")}, listing)
    reply = await route(exchange("models", "/models", dialect))
    assert reply.headers == [(b"content-type", b"application/json")]
    listed = msgspec.json.decode(reply.first)
    assert len(listed["models" if dialect == "gemini" else "data"]) == 2


@pytest.mark.parametrize("suffix", ["/models/gpt-4o", "/models/meta/llama", "/models/gpt%2D4o"])
async def test_one_model_is_that_model(suffix: str) -> None:
    route = Route("Router 'prod'", {}, listing)
    found = msgspec.json.decode((await route(exchange("models", suffix))).first)
    assert (found["object"], found["id"] in MODELS) == ("model", True)


async def test_a_model_that_is_not_listed_is_not_found() -> None:
    with pytest.raises(GatewayError) as refused:
        await Route("Router 'prod'", {}, listing)(exchange("models", "/models/gpt-5"))
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert "Router 'prod' lists no model 'gpt-5'." in refused.value.message


async def test_the_list_is_that_of_the_moment() -> None:
    models = dict(MODELS)
    route = Route("Router 'prod'", {}, lambda _: models)
    models["new"] = "openai"
    assert b'"new"' in (await route(exchange("models", "/models"))).first


async def test_a_list_that_is_the_providers_own_is_asked_for() -> None:
    route = Route("/openai", {"default": named("asked upstream")}, listing, own_list=True)
    assert (await route(exchange("models", "/models/gpt-4o"))).first == b"asked upstream"


async def test_a_caller_who_may_not_see_all_is_shown_its_own_part_even_there() -> None:
    route = Route("/openai", {"default": named("asked upstream")}, listing, own_list=True)
    asked = exchange("models", "/models")
    asked.access = Access(models=("gpt-*",))
    listed = msgspec.json.decode((await route(asked)).first)
    assert [model["id"] for model in listed["data"]] == ["gpt-4o"]
    asked.call = Call("openai", "models", "/models/meta/llama")
    with pytest.raises(GatewayError) as refused:
        await route(asked)
    assert refused.value.code == "model_not_found"
