"""What proves a request whose key is not simply sent: a signature of AWS's, or a token that was lent for the key.

Made anew for each attempt, over the very bytes and URL that go out.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.secret import LentSecret, Secret
from gateway.providers.sigv4 import authorize
from gateway.upstream.transport import UpstreamRequest


class Proof:
    """A Sign. wall: Unix seconds. signs: the request is signed for AWS, in region where the address tells none."""

    __slots__ = ("_region", "_signs", "_wall")

    def __init__(self, wall: Callable[[], float], *, signs: bool, region: str = "") -> None:
        self._wall = wall
        self._signs = signs
        self._region = region

    async def __call__(self, request: UpstreamRequest, key: Secret) -> list[tuple[str, str]]:
        lent = isinstance(key, LentSecret)
        credential = await key.lender.token() if isinstance(key, LentSecret) else key.reveal()
        if self._signs:
            now = self._wall()
            return authorize(request.method, request.url, request.headers, request.body, credential, now, self._region)
        return [("authorization", f"Bearer {credential}")] if lent else []
