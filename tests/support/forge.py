"""The comments of a pull or merge request, as GitHub and GitLab keep them, on loopback.

What lives here: a server that knows the few calls that a job makes, and remembers each. status: what it refuses with.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

BOT: Final = {"login": "github-actions[bot]", "id": 7}


class Forge:
    """calls: method and path of each. headers: of the last. comments: what stands there, the oldest first."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        self.comments: list[dict[str, Any]] = []
        self.status = 0
        self.url = ""

    def say(self, body: str, author: dict[str, Any]) -> None:
        self.comments.append({"id": len(self.comments) + 1, "body": body, "user": author, "author": author})

    def answer(self, method: str, target: str, document: dict[str, Any] | None) -> tuple[int, object]:
        parts = urlsplit(target)
        self.calls.append((method, parts.path))
        if self.status:
            return self.status, {"message": "no"}
        if parts.path.endswith("/user"):
            return 200, BOT
        if method == "GET":
            query = parse_qs(parts.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return 200, self.comments[(page - 1) * size : page * size]
        assert document is not None
        if method == "POST":
            self.say(document["body"], BOT)
            return 201, self.comments[-1]
        found = self.comments[int(parts.path.rpartition("/")[2]) - 1]
        found["body"] = document["body"]
        return 200, found


@contextmanager
def forge() -> Iterator[Forge]:
    """Serve one, on a free port."""
    kept = Forge()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            document = json.loads(self.rfile.read(length)) if length else None
            kept.headers = {name.lower(): value for name, value in self.headers.items()}
            status, said = kept.answer(self.command, self.path, document)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815  # as the standard library calls them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # likewise
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
