from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from gateway.core.exchange import Call, Dialect, Operation
from gateway.dialects.translate import Way
from gateway.pipeline import candidates
from gateway.pipeline.candidates import Candidates, Entry, Plan, Reach
from gateway.pipeline.endpoint import Endpoint
from gateway.policy.key_pool import KeyPool
from gateway.policy.load import TargetLoad
from gateway.providers.row import Model, Surface
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

OWNERS = {
    "gpt-4o": ("openai",),
    "gpt-4o-2024-08-06": ("openai",),
    "claude-x": ("anthropic",),
    "xai/grok-9": ("xai",),
}
"""What the catalog says whose own a name is. A name may be a provider's by its first part."""


class NoTransport:
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise AssertionError("nothing here is sent")

    async def close(self) -> None: ...


CHAT: Surface = Surface(dialect="openai", operations=("chat", "completions", "embeddings", "models"))
MESSAGES: Surface = Surface(dialect="anthropic", operations=("messages",))
STOPGAP: Surface = Surface(dialect="openai", operations=("chat",), stopgap=True)
GEMINI: Surface = Surface(dialect="gemini", operations=("generate",), version="v1beta")


def endpoint(
    name: str,
    *surfaces: Surface,
    models: tuple[str, ...] = (),
    patterns: tuple[str, ...] = (),
    open_models: bool = False,
    closed: bool = False,
    hint: str = "",
    usage: bool = True,
) -> Endpoint:
    return Endpoint(
        name=name,
        title=name,
        origin="http://127.0.0.1:9",
        surfaces=surfaces or (CHAT,),
        auth="bearer",
        pool=KeyPool([], 60.0, 300.0),
        transport=NoTransport(),
        models=models,
        patterns=patterns,
        open_models=open_models,
        closed=closed,
        missing_key_hint=hint,
        stream_usage="ask" if usage else "always",
        find_model=lambda model: Model(name=model, context=128_000) if model in models else None,
    )


OPENAI = endpoint("openai", models=("gpt-4o",))
ANTHROPIC = endpoint("anthropic", CHAT, MESSAGES, models=("claude-x",))
ROUTER = endpoint("openrouter", open_models=True)
VLLM = endpoint("vllm", patterns=("llama-*",))
CLOSED = endpoint("corp", models=("corp-1",), closed=True)


def made(
    *listed: Endpoint | tuple[Endpoint, str],
    mappings: Mapping[str, tuple[str, ...]] | None = None,
    reach: Reach = "listed",
) -> Candidates:
    entries: Sequence[Entry] = [
        Entry(item, n, 1, 0, "", "") if isinstance(item, Endpoint) else Entry(item[0], n, 1, 0, item[1], "")
        for n, item in enumerate(listed)
    ]
    return Candidates(
        entries,
        mappings or {},
        lambda model: OWNERS.get(model, ()),
        lambda where, model: (TargetLoad(), model if where.find_model(model) else "other"),
        reach,
    )


def call(
    model: str = "gpt-4o", operation: Operation = "chat", dialect: Dialect = "openai", *, stream: bool = False
) -> Call:
    return Call(dialect, operation, "/chat/completions", "v1", model, stream)


def asked(plan: Plan) -> list[tuple[str, str]]:
    return [(target.endpoint.name, target.model) for target in plan.targets]


EVERYBODY = (OPENAI, ANTHROPIC, ROUTER, VLLM, CLOSED)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        pytest.param("gpt-4o", [("openai", "gpt-4o")], id="by-the-catalog"),
        pytest.param("gpt-4o-2024-08-06", [("openai", "gpt-4o-2024-08-06")], id="a-pin-stays-as-written"),
        pytest.param("llama-3", [("vllm", "llama-3")], id="by-a-pattern"),
        pytest.param("corp-1", [("corp", "corp-1")], id="by-a-closed-list"),
        pytest.param("brand-new", [("openrouter", "brand-new")], id="unknown-goes-to-open-lists"),
        pytest.param("anthropic/claude-x", [("anthropic", "claude-x")], id="provider-and-model"),
        pytest.param("anthropic/brand-new", [("anthropic", "brand-new")], id="a-named-provider-has-it"),
        pytest.param("openrouter/meta/llama", [("openrouter", "meta/llama")], id="slashes-behind-the-provider"),
        pytest.param("meta/llama", [("openrouter", "meta/llama")], id="a-slash-is-no-provider"),
        pytest.param("xai/grok-9", [("openrouter", "xai/grok-9")], id="a-provider-that-is-not-listed"),
        pytest.param("corp/corp-2", [], id="a-closed-list-refuses-what-names-it"),
        pytest.param("openai/", [("openrouter", "openai/")], id="no-model-behind-the-slash"),
        pytest.param(
            "",
            [("openai", ""), ("anthropic", ""), ("openrouter", ""), ("vllm", ""), ("corp", "")],
            id="no-model-is-everybodys",
        ),
    ],
)
def test_who_is_asked_for_a_model(model: str, found: list[tuple[str, str]]) -> None:
    assert asked(made(*EVERYBODY).plan(call(model))) == found


def test_an_unknown_name_passes_where_nobody_is_open() -> None:
    assert asked(made(OPENAI, ANTHROPIC, CLOSED).plan(call("brand-new"))) == [
        ("openai", "brand-new"),
        ("anthropic", "brand-new"),
    ]


def test_another_vendors_model_does_not_pass() -> None:
    plan = made(ANTHROPIC, VLLM).plan(call("gpt-4o"))
    assert plan.targets == ()
    assert [(r.provider, r.reason) for r in plan.refusals] == [
        ("anthropic", "cannot-serve-model"),
        ("vllm", "cannot-serve-model"),
    ]
    assert not plan.unknown_model


def test_a_model_of_a_provider_that_is_not_listed_does_not_pass() -> None:
    assert made(OPENAI, ANTHROPIC).plan(call("xai/grok-9")).targets == ()


@pytest.mark.parametrize(
    ("model", "mapping", "found"),
    [
        pytest.param(
            "gpt-4o",
            {"gpt-4o": ("anthropic/claude-x",)},
            [("openai", "gpt-4o"), ("anthropic", "claude-x")],
            id="provider-and-model",
        ),
        pytest.param(
            "gpt-4o", {"gpt-4o": ("claude-x",)}, [("openai", "gpt-4o"), ("anthropic", "claude-x")], id="bare-name"
        ),
        pytest.param(
            "gpt-4o",
            {"gpt-4o": ("anthropic/first", "anthropic/claude-x")},
            [("openai", "gpt-4o"), ("anthropic", "first")],
            id="in-order-of-preference",
        ),
        pytest.param(
            "openai/gpt-4o",
            {"gpt-4o": ("anthropic/claude-x",)},
            [("openai", "gpt-4o"), ("anthropic", "claude-x")],
            id="a-name-with-its-provider-is-mapped-too",
        ),
        pytest.param(
            "openai/gpt-4o",
            {"gpt-4o": ("claude-x",)},
            [("openai", "gpt-4o"), ("anthropic", "claude-x")],
            id="a-name-with-its-provider-to-a-bare-one",
        ),
        pytest.param("alias", {"alias": ("anthropic/claude-x",)}, [("anthropic", "claude-x")], id="an-alias"),
        pytest.param(
            "openai/gpt-4o",
            {"openai/gpt-4o": ("anthropic/a",), "gpt-4o": ("anthropic/b",)},
            [("openai", "gpt-4o"), ("anthropic", "a")],
            id="the-longer-name-counts",
        ),
        pytest.param("gpt-4o", {"gpt-4o": ("xai/grok-9",)}, [("openai", "gpt-4o")], id="to-nobody-here"),
        pytest.param(
            "gpt-4o",
            {"gpt-4o": ("openai/gpt-4.1",)},
            [("openai", "gpt-4.1")],
            id="a-provider-that-is-named-is-meant-though-it-has-the-model",
        ),
    ],
)
def test_a_mapping_says_what_a_model_is_elsewhere(
    model: str, mapping: dict[str, tuple[str, ...]], found: list[tuple[str, str]]
) -> None:
    assert asked(made(OPENAI, ANTHROPIC, mappings=mapping).plan(call(model))) == found


def test_an_entrys_own_model_is_asked_for_whatever_the_client_named() -> None:
    plan = made((ANTHROPIC, "claude-x"), (OPENAI, "gpt-4o-2024-08-06")).plan(call("anything"))
    assert asked(plan) == [("anthropic", "claude-x"), ("openai", "gpt-4o-2024-08-06")]


def test_who_cannot_do_it_is_refused_with_the_reason() -> None:
    only_gemini = endpoint("gemini", Surface(dialect="gemini", operations=("embeddings",)), patterns=("*",))
    only_embeddings = endpoint("voyage", Surface(dialect="openai", operations=("embeddings",)), patterns=("*",))
    plan = made(OPENAI, only_gemini, only_embeddings).plan(call())
    assert asked(plan) == [("openai", "gpt-4o")]
    assert [(r.provider, r.reason) for r in plan.refusals] == [
        ("gemini", "dialect"),
        ("voyage", "cannot-serve-operation"),
    ]


def test_where_only_known_names_are_served_an_unknown_one_is_told_apart() -> None:
    known = made(OPENAI, ROUTER, reach="known")
    assert asked(known.plan(call("gpt-4o"))) == [("openai", "gpt-4o")]
    assert asked(known.plan(call("openrouter/brand-new"))) == [("openrouter", "brand-new")]
    assert known.plan(call("brand-new")).unknown_model
    assert not known.plan(call("gpt-4o", "audio")).unknown_model


@pytest.mark.parametrize("model", ["gpt-4o", "claude-x", "openai/gpt-4o", "brand-new", "a/b/c", ""])
def test_a_direct_path_rewrites_nothing(model: str) -> None:
    assert asked(made(OPENAI, reach="direct").plan(call(model))) == [("openai", model)]


def test_a_direct_path_does_not_open_a_closed_list() -> None:
    direct = made(CLOSED, reach="direct")
    assert asked(direct.plan(call("corp-1"))) == [("corp", "corp-1")]
    assert direct.plan(call("corp-2")).targets == ()


def test_a_direct_path_that_nobody_knows_stays_on_the_origin() -> None:
    unknown = Call("openai", "other", "/https:/host.example/x", "")
    (target,) = made(OPENAI, reach="direct").plan(unknown).targets
    assert target.url == "http://127.0.0.1:9/v1/https:/host.example/x"


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:generateContent"),
        ("a/b", "/v1beta/models/a%2Fb:generateContent"),
        ("../../x", "/v1beta/models/..%2F..%2Fx:generateContent"),
        ("x?key=1#f", "/v1beta/models/x%3Fkey%3D1%23f:generateContent"),
    ],
)
def test_a_model_in_a_path_cannot_leave_its_segment(model: str, url: str) -> None:
    generate = Call("gemini", "generate", "/models/{model}:generateContent", "", model, in_path=True)
    (target,) = made(endpoint("gemini", GEMINI), reach="direct").plan(generate).targets
    assert target.url == f"http://127.0.0.1:9{url}"


@pytest.mark.parametrize(
    ("operation", "stream", "client_asks", "provider_asks", "ask"),
    [
        ("chat", True, False, True, True),
        ("completions", True, False, True, True),
        ("chat", True, True, True, False),
        ("chat", False, False, True, False),
        ("chat", True, False, False, False),
        ("embeddings", True, False, True, False),
    ],
)
def test_usage_is_asked_for_where_it_would_not_come(
    operation: Operation, stream: bool, client_asks: bool, provider_asks: bool, ask: bool
) -> None:
    asking = Call("openai", operation, "/x", "v1", "m", stream, client_asks)
    (target,) = made(endpoint("p", usage=provider_asks)).plan(asking).targets
    assert target.ask_usage is ask


def test_a_target_carries_what_is_known_of_it() -> None:
    (target,) = made(OPENAI).plan(call()).targets
    assert (target.context, target.label, target.url) == (128_000, "gpt-4o", "http://127.0.0.1:9/v1/chat/completions")
    assert target.reply_headers == [
        (b"x-gateway-provider", b"openai"),
        (b"x-gateway-model", b"gpt-4o"),
    ]


def test_a_model_name_cannot_break_a_header() -> None:
    (target,) = made(VLLM).plan(call("llama-\r\nx: ü")).targets
    assert (b"x-gateway-model", b"llama-??x: ?") in target.reply_headers


def test_a_name_that_a_client_made_up_is_no_label() -> None:
    (target,) = made(OPENAI).plan(call("gpt-made-up")).targets
    assert (target.model, target.label) == ("gpt-made-up", "other")


def test_no_model_is_no_header() -> None:
    (target,) = made(OPENAI).plan(call("")).targets
    assert [name for name, _ in target.reply_headers] == [b"x-gateway-provider"]


def test_how_to_give_a_key_is_said_once_for_each_that_would_serve() -> None:
    keyless = endpoint("openai", models=("gpt-4o",), hint="Set OPENAI_API_KEY for openai.")
    elsewhere = endpoint("anthropic", models=("claude-x",), hint="Set ANTHROPIC_API_KEY for anthropic.")
    assert made(keyless, keyless, elsewhere).plan(call()).key_hints == ("Set OPENAI_API_KEY for openai.",)


def test_a_plan_is_remembered_by_what_decides_it() -> None:
    found = made(OPENAI)
    assert found.plan(call()) is found.plan(call())
    assert found.plan(call(stream=True)) is not found.plan(call())
    assert found.plan(call(operation="completions")) is not found.plan(call())


def test_the_memory_of_plans_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "REMEMBERED", 10)
    found = made(OPENAI)
    for number in range(100):
        found.plan(call(f"gpt-made-up-{number}"))
        assert len(found._plans) <= 10


def ways(plan: Plan) -> list[tuple[str, str, str]]:
    return [
        (target.endpoint.name, target.way.provider.codec.name if isinstance(target.way, Way) else "", target.url)
        for target in plan.targets
    ]


@pytest.mark.parametrize(
    ("surfaces", "stream", "codec", "path"),
    [
        pytest.param((MESSAGES,), False, "anthropic", "/v1/messages", id="anthropic"),
        pytest.param((GEMINI,), False, "gemini", "/v1beta/models/m%2F1:generateContent", id="gemini"),
        pytest.param(
            (GEMINI,), True, "gemini", "/v1beta/models/m%2F1:streamGenerateContent?alt=sse", id="gemini-stream"
        ),
        pytest.param((CHAT, MESSAGES), False, "", "/v1/chat/completions", id="the-client-s-own-comes-first"),
        pytest.param((MESSAGES, CHAT), False, "", "/v1/chat/completions", id="wherever-it-stands"),
        pytest.param((MESSAGES, STOPGAP), False, "anthropic", "/v1/messages", id="unless-it-is-a-stopgap"),
        pytest.param((STOPGAP,), False, "", "/v1/chat/completions", id="a-stopgap-is-better-than-nothing"),
    ],
)
def test_the_way_to_a_provider(surfaces: tuple[Surface, ...], stream: bool, codec: str, path: str) -> None:
    plan = made((endpoint("vendor", *surfaces), "m/1")).plan(call("anything", stream=stream))
    assert ways(plan) == [("vendor", codec, f"http://127.0.0.1:9{path}")]
    assert plan.translates == bool(codec)


def test_the_first_surface_of_another_dialect_is_the_native_one() -> None:
    asking = Call("gemini", "generate", "/models/{model}:generateContent", "v1", "m", in_path=True)
    assert [codec for _, codec, _ in ways(made((endpoint("v", MESSAGES, CHAT), "m")).plan(asking))] == ["anthropic"]
    assert [codec for _, codec, _ in ways(made((endpoint("v", CHAT, MESSAGES), "m")).plan(asking))] == ["openai-chat"]


def test_nothing_is_translated_where_one_provider_is_asked_directly() -> None:
    plan = made(endpoint("v", MESSAGES), reach="direct").plan(call("m"))
    assert ways(plan) == [("v", "", "http://127.0.0.1:9/v1/chat/completions")]


def test_what_is_not_chat_is_not_translated() -> None:
    asking = Call("openai", "responses", "/responses/resp_1", "v1", "m")
    assert made((endpoint("v", MESSAGES), "m")).plan(asking).targets == ()
    completions = Call("openai", "completions", "/completions", "v1", "m")
    assert made((endpoint("v", MESSAGES), "m")).plan(completions).targets == ()


def test_the_facts_of_the_model_go_with_the_way() -> None:
    (target,) = made((endpoint("v", MESSAGES, models=("m",)), "m")).plan(call("x", stream=True)).targets
    assert isinstance(target.way, Way)
    assert (target.way.facts.model, target.way.facts.provider, target.way.ask_usage) == ("m", "v", True)
