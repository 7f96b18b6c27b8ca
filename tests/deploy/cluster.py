"""As much of a Kubernetes API server as helm 3 asks even for a dry run: what it is, and that it has nothing yet.

Nothing can be made in it: what is not a question for what is known is a 404.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

KINDS: Final = {
    "v1": ("ConfigMap", "PersistentVolumeClaim", "Pod", "Service", "ServiceAccount"),
    "apps/v1": ("Deployment",),
    "batch/v1": ("Job",),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    "policy/v1": ("PodDisruptionBudget",),
}


def pages() -> dict[str, object]:
    found: dict[str, object] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "groups": [
                {"name": group.split("/")[0], "versions": [{"groupVersion": group, "version": "v1"}]}
                for group in KINDS
                if "/" in group
            ],
        },
    }
    for group, kinds in KINDS.items():
        resources = [
            {"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": ["get", "create"]} for kind in kinds
        ]
        path = f"/apis/{group}" if "/" in group else f"/api/{group}"
        found[path] = {"kind": "APIResourceList", "groupVersion": group, "resources": resources}
    return found


class Answers(BaseHTTPRequestHandler):
    known = pages()

    def do_GET(self) -> None:
        page = self.known.get(self.path.partition("?")[0])
        missing = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
        body = json.dumps(missing if page is None else page).encode()
        self.send_response(404 if page is None else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@contextlib.contextmanager
def empty_cluster() -> Iterator[str]:
    """Its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
