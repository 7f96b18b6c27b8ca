"""A yaml-language-server without an editor: it is asked what an editor would show.

What lives here: the protocol's frames over standard input and output, and the few requests that tests need. An answer
that does not come within the bound ends the server.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any, Final

BOUND: Final = 60.0
"""Real seconds for one answer; the first has node's start in it."""
_CURSOR: Final = "|"
_SETTINGS: Final = {
    "yaml": {
        "hover": True, "completion": True, "validate": True, "schemaStore": {"enable": False},
        "kubernetesCRDStore": {"enable": False}, "disableDefaultProperties": False,
    },
}  # fmt: skip


class LanguageServer:
    """schema: the file that every document is held against."""

    def __init__(self, process: subprocess.Popen[bytes], schema: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[bytes] = process.stdin
        self._out: IO[bytes] = process.stdout
        self._process = process
        self._schema = schema
        self._ids = count(1)
        self._documents = count(1)

    def start(self) -> None:
        self._ask("initialize", {
            "processId": None, "rootUri": None,
            "capabilities": {
                "textDocument": {
                    "completion": {"completionItem": {"documentationFormat": ["markdown"], "snippetSupport": True}},
                    "hover": {"contentFormat": ["markdown"]},
                },
                "workspace": {"configuration": True},
            },
        })  # fmt: skip
        self._send({"method": "initialized", "params": {}})
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": _SETTINGS}})

    def completions(self, text: str) -> dict[str, dict[str, Any]]:
        """What is offered where `|` stands, by label."""
        uri, place = self._open(text)
        found = self._ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": place})
        return {item["label"]: item for item in (found["items"] if isinstance(found, dict) else found or [])}

    def hover(self, text: str) -> str:
        """What is shown over the character behind `|`."""
        uri, place = self._open(text)
        found = self._ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": place})
        return str(found["contents"]["value"]) if found else ""

    def problems(self, text: str) -> list[tuple[int, str]]:
        """Line and message of each, once the document has been judged."""
        uri, _ = self._open(text)
        while True:
            said = self._read()
            if said.get("method") == "textDocument/publishDiagnostics" and said["params"]["uri"] == uri:
                return [(one["range"]["start"]["line"] + 1, one["message"]) for one in said["params"]["diagnostics"]]

    def _open(self, text: str) -> tuple[str, dict[str, int]]:
        uri = f"file:///document-{next(self._documents)}.yaml"
        head = f"# yaml-language-server: $schema={self._schema.as_uri()}\n"
        before = (head + text).partition(_CURSOR)[0]
        place = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": head + text.replace(_CURSOR, "", 1)}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri, place

    def _ask(self, method: str, params: object) -> Any:
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        while True:
            said = self._read()
            if said.get("id") == number and "method" not in said:
                assert "error" not in said, said
                return said["result"]

    def _read(self) -> dict[str, Any]:
        """The next message. What the server wants of an editor is answered here."""
        while True:
            said = self._frame()
            if "id" not in said or "method" not in said:
                return said
            items: Sequence[dict[str, Any]] = said.get("params", {}).get("items", []) if said["method"] else []
            result: object = None
            if said["method"] == "workspace/configuration":
                result = [_SETTINGS["yaml"] if item.get("section") == "yaml" else {} for item in items]
            self._send({"id": said["id"], "result": result})

    def _frame(self) -> dict[str, Any]:
        stopped = threading.Timer(BOUND, self._process.kill)
        stopped.start()
        try:
            length = 0
            while (line := self._out.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            content = self._out.read(length)
        finally:
            stopped.cancel()
        assert content, "the server has ended, or was ended because it does not answer"
        read: dict[str, Any] = json.loads(content)
        return read

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._in.write(b"content-length: %d\r\n\r\n%s" % (len(content), content))
        self._in.flush()


@contextmanager
def language_server(program: Path, schema: Path) -> Iterator[LanguageServer]:
    with subprocess.Popen([program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            server = LanguageServer(process, schema)
            server.start()
            yield server
        finally:
            process.kill()
