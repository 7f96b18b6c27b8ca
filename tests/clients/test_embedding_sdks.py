"""The vendors' own SDKs, asking providers of another dialect for embeddings."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from google import genai
from google.genai import types

from tests.clients.conftest import KEYS
from tests.support.processes import Program, start_gateway

pytestmark = pytest.mark.real_time

VECTOR = [0.25, -0.5, 1.0]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, aimock: Program) -> Iterator[str]:
    text = f"""
providers:
  o: {{dialect: openai, base-url: '{aimock.url}/v1', models: ['*'], keys: ['${{env:OPENAI_API_KEY}}']}}
  c: {{dialect: cohere, base-url: '{aimock.url}/v2', models: ['*'], keys: ['${{env:OPENAI_API_KEY}}']}}
routers:
  o: {{load-balance: {{embeddings: {{providers: [{{provider: o, model: text-embedding-3-small}}]}}}}}}
  c: {{load-balance: {{embeddings: {{providers: [{{provider: c, model: embed-v4.0}}]}}}}}}
"""
    with start_gateway(tmp_path_factory.mktemp("embedder"), text, KEYS) as program:
        yield program.url


@pytest.mark.parametrize("given", ["hello", ["hello", "you"]])
def test_openai_s_before_cohere(gateway: str, given: str | list[str]) -> None:
    with openai.OpenAI(base_url=f"{gateway}/router/c/v1", api_key="of-the-client", max_retries=0) as client:
        # The SDK asks for base64 by itself, and unpacks it.
        reply = client.embeddings.create(model="text-embedding-3-small", input=given, dimensions=256)
        assert [item.embedding for item in reply.data] == [VECTOR] * (1 if isinstance(given, str) else 2)
        assert [item.index for item in reply.data] == list(range(len(reply.data)))
        assert reply.usage.total_tokens == reply.usage.prompt_tokens
        plain = client.embeddings.create(model="text-embedding-3-small", input=given, encoding_format="float")
        assert plain.data[0].embedding == VECTOR


@pytest.mark.parametrize("router", ["o", "c"])
def test_google_s_before_others(gateway: str, router: str) -> None:
    client = genai.Client(
        api_key="of-the-client", http_options=types.HttpOptions(base_url=f"{gateway}/router/{router}")
    )
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=256)
    reply = client.models.embed_content(model="gemini-embedding-001", contents=["hello", "you"], config=config)
    assert reply.embeddings is not None
    assert [one.values for one in reply.embeddings] == [VECTOR, VECTOR]
