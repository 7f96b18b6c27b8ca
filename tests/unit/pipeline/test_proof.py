"""With what a request is proved whose key is not simply sent."""

from __future__ import annotations

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.secret import LentSecret, Secret
from gateway.pipeline.endpoint import authorization
from gateway.pipeline.proof import Proof
from gateway.upstream.transport import UpstreamRequest

REQUEST = UpstreamRequest("POST", "https://bedrock.test/model/m/converse", [], b"{}", False, 5.0)


class Lends:
    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    async def token(self) -> str:
        if not self.tokens:
            raise UpstreamFault("unauthorized", "none", retry_after=5.0)
        return self.tokens.pop(0)

    def forget(self) -> None:
        pass


async def test_a_lent_token_is_a_bearer_and_a_plain_key_is_sent_as_ever() -> None:
    proof = Proof(lambda: 1.8e9, signs=False)
    key = LentSecret("app", "the-secret-itself", Lends("one", "two"))
    assert await proof(REQUEST, key) == [("authorization", "Bearer one")]
    assert await proof(REQUEST, key) == [("authorization", "Bearer two")]
    with pytest.raises(UpstreamFault):
        await proof(REQUEST, key)
    assert await proof(REQUEST, Secret("plain", "key")) == []
    assert authorization("api-key", key) is None
    assert authorization("api-key", Secret("plain", "key")) == ("api-key", "key")


async def test_a_lent_pair_signs_and_the_region_is_the_accounts() -> None:
    times = iter((1.8e9, 1.8e9 + 1, 1.8e9 + 2))
    proof = Proof(lambda: next(times), signs=True, region="eu-west-1")
    pair = "ASIAABCDEFGHIJKLMNOP:0123456789abcdef:session"
    first = dict(await proof(REQUEST, LentSecret("role", "", Lends(pair))))
    second = dict(await proof(REQUEST, Secret("pair", pair)))
    assert first["x-amz-security-token"] == "session"
    assert "/eu-west-1/bedrock/aws4_request" in first["authorization"]
    assert first["authorization"] != second["authorization"], "the time is that of the attempt"
    assert await proof(REQUEST, Secret("bearer", "bedrock-api-key")) == [("authorization", "Bearer bedrock-api-key")]
