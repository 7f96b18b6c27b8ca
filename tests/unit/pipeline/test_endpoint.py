from __future__ import annotations

import pytest

from gateway.core.exchange import Dialect
from gateway.core.secret import Secret
from gateway.pipeline.endpoint import Endpoint, Knowledge, Site, authorization
from gateway.policy.key_pool import KeyPool
from gateway.providers.row import Auth, Model, Surface
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

ORIGIN = "http://127.0.0.1:9"


class NoTransport:
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise AssertionError("nothing here is sent")

    async def close(self) -> None: ...


def site(root: str = "", version: str = "v1", *, fixed: bool = True, dialect: Dialect = "openai") -> Site:
    return Site(dialect, ORIGIN + root, root, version, "bearer", fixed)


def endpoint(
    *,
    surfaces: tuple[Surface, ...] = (Surface(dialect="openai", operations=("chat", "models")),),
    models: tuple[str, ...] = (),
    patterns: tuple[str, ...] = (),
    open_models: bool = False,
    closed: bool = False,
    found: tuple[str, ...] = (),
    exact_prefix: bool = False,
) -> Endpoint:
    return Endpoint(
        name="openai",
        title="OpenAI",
        origin=ORIGIN,
        surfaces=surfaces,
        auth="bearer",
        pool=KeyPool([], 60.0, 300.0),
        transport=NoTransport(),
        models=models,
        patterns=patterns,
        open_models=open_models,
        closed=closed,
        find_model=lambda model: Model(name=model) if model in found else None,
        exact_prefix=exact_prefix,
    )


@pytest.mark.parametrize(
    ("where", "suffix", "version", "url"),
    [
        (site(), "/chat/completions", "", "/v1/chat/completions"),
        (site(), "/chat/completions", "v1beta", "/v1/chat/completions"),
        (site("/openai"), "/chat/completions", "", "/openai/v1/chat/completions"),
        (site("/v1", ""), "/chat/completions", "v1", "/v1/chat/completions"),
        (site("", ""), "/chat/completions", "", "/chat/completions"),
        (site("", "v1beta", fixed=False), "/models/g:countTokens", "v1", "/v1/models/g:countTokens"),
        (site("", "v1beta", fixed=False), "/models/g:countTokens", "", "/v1beta/models/g:countTokens"),
    ],
)
def test_a_known_paths_url(where: Site, suffix: str, version: str, url: str) -> None:
    assert where.url(suffix, version) == ORIGIN + url


@pytest.mark.parametrize(
    ("where", "suffix", "version", "url"),
    [
        (site(), "/files", "", "/v1/files"),
        (site(), "/files", "v1", "/v1/files"),
        (site(), "/files", "v2", "/v2/files"),
        (site("/openai"), "/openai/v1/files", "", "/openai/v1/files"),
        (site("/openai"), "/v1/files", "", "/openai/v1/files"),
        (site("/v1", ""), "/files", "v1", "/v1/files"),
        (site("/v1", ""), "/files", "", "/v1/files"),
        (site("/api/v1", ""), "/files", "v1", "/api/v1/files"),
        (site("/api/v1", ""), "/v2/files", "", "/api/v1/v2/files"),
        (site("", ""), "/generate", "", "/generate"),
        (site(), "/v1", "", "/v1"),
        (site(), "/", "", "/v1/"),
        (site(), "/very/long", "", "/v1/very/long"),
        (site("/openai"), "/openaix/files", "", "/openai/v1/openaix/files"),
    ],
)
def test_an_unknown_paths_url(where: Site, suffix: str, version: str, url: str) -> None:
    assert where.raw_url(suffix, version) == ORIGIN + url


@pytest.mark.parametrize(
    "suffix", ["/https:/host.example/x", "/@host.example/x", "/:80/x", "/host.example:443/x", "/.example/x"]
)
@pytest.mark.parametrize("where", [site(), site("", ""), site("/v1", ""), site("/openai")])
def test_no_path_leaves_the_origin(where: Site, suffix: str) -> None:
    for url in (where.url(suffix), where.raw_url(suffix, ""), where.raw_url(suffix, "v1")):
        assert url.startswith(f"{ORIGIN}/")


def test_the_first_surface_with_an_operation_serves_it() -> None:
    two = endpoint(
        surfaces=(
            Surface(dialect="openai", operations=("chat",), root="/a"),
            Surface(dialect="openai", operations=("chat", "embeddings"), root="/b"),
            Surface(dialect="anthropic", operations=("messages",), root="/c", auth="x-api-key"),
        )
    )
    assert two.sites["openai", "chat"].root == "/a"
    assert two.sites["openai", "embeddings"].root == "/b"
    assert (two.sites["anthropic", "messages"].auth, two.sites["openai", "chat"].auth) == ("x-api-key", "bearer")
    assert ("openai", "messages") not in two.sites


def test_the_version_that_a_client_wrote_counts_for_gemini_unless_the_address_was_given() -> None:
    gemini = (Surface(dialect="gemini", operations=("generate",), version="v1beta"),)
    assert not endpoint(surfaces=gemini).surfaces[0].fixed_version
    assert endpoint(surfaces=gemini, exact_prefix=True).surfaces[0].fixed_version
    assert endpoint().surfaces[0].fixed_version


@pytest.mark.parametrize(
    ("where", "owners", "knowledge"),
    [
        (endpoint(models=("m",)), (), "knows"),
        (endpoint(models=("m",)), ("anthropic",), "knows"),
        (endpoint(models=("m",), closed=True), (), "knows"),
        (endpoint(patterns=("m*",)), (), "knows"),
        (endpoint(patterns=("*",)), ("anthropic",), "knows"),
        (endpoint(patterns=("M*",)), (), "passes"),
        (endpoint(), ("openai",), "knows"),
        (endpoint(), ("anthropic", "openai"), "knows"),
        (endpoint(found=("m",)), (), "knows"),
        (endpoint(found=("m",)), ("anthropic",), "knows"),
        (endpoint(open_models=True), (), "open"),
        (endpoint(open_models=True), ("anthropic",), "open"),
        (endpoint(), (), "passes"),
        (endpoint(), ("anthropic",), "refuses"),
        (endpoint(closed=True), (), "refuses"),
        (endpoint(closed=True), ("openai",), "refuses"),
        (endpoint(closed=True, open_models=True, found=("m",)), ("openai",), "refuses"),
    ],
)
def test_how_sure_an_endpoint_is_of_a_bare_name(where: Endpoint, owners: tuple[str, ...], knowledge: Knowledge) -> None:
    assert where.knowledge_of("m", owners) == knowledge


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ("bearer", ("authorization", "Bearer K")),
        ("token", ("authorization", "Token K")),
        ("key", ("authorization", "Key K")),
        ("none", ("authorization", "Bearer K")),
        ("x-api-key", ("x-api-key", "K")),
        ("x-goog-api-key", ("x-goog-api-key", "K")),
        ("api-key", ("api-key", "K")),
        ("xi-api-key", ("xi-api-key", "K")),
    ],
)
def test_a_key_goes_where_the_vendor_wants_it(auth: Auth, header: tuple[str, str]) -> None:
    assert authorization(auth, Secret("main", "K")) == header


def test_a_provider_without_a_key_gets_no_header() -> None:
    assert authorization("none", Secret("none", "")) is None


def test_a_path_of_the_vendors_own_making_has_the_model_in_it() -> None:
    own = endpoint(
        surfaces=(
            Surface(
                dialect="anthropic",
                operations=("messages",),
                root="/v1/p",
                version="",
                path="/models/{model}:rawPredict",
                stream_path="/models/{model}:streamRawPredict",
            ),
            Surface(dialect="openai", operations=("chat",), root="/openai", version="", path="/at/{model}{suffix}?v=1"),
        )
    )
    messages, chat = own.sites["anthropic", "messages"], own.sites["openai", "chat"]
    assert messages.url("/messages", "v1", "claude@1") == f"{ORIGIN}/v1/p/models/claude%401:rawPredict"
    assert messages.url("/messages", "", "a/b", streamed=True) == f"{ORIGIN}/v1/p/models/a%2Fb:streamRawPredict"
    assert chat.url("/chat/completions", "v1", "m", streamed=True) == f"{ORIGIN}/openai/at/m/chat/completions?v=1"


def test_a_surface_takes_its_own_models_and_one_without_takes_the_rest() -> None:
    two = endpoint(
        surfaces=(
            Surface(dialect="gemini", operations=("generate",)),
            Surface(dialect="anthropic", operations=("messages",), models=("claude-*",)),
        )
    )
    google, anthropic = two.surfaces
    assert (google.takes("gemini-2.5-pro"), anthropic.takes("gemini-2.5-pro")) == (True, False)
    assert (google.takes("claude-opus-5"), anthropic.takes("claude-opus-5")) == (False, True)
    assert all(site.takes("anything") for site in endpoint().surfaces)
