"""The upstream of streams: every stream gets --tokens tokens, --gap seconds apart, on an absolute schedule.

Speaks OpenAI chat, and Anthropic on /v1/messages. A request that asks for no stream gets the canned reply, a path under
/fail a 500, and GET /_stats tells how many streams are open, so that a harness sees when a gateway has let go of one.
Bare asyncio protocols, so that it costs little beside what is measured. Each token holds the marker ` tokn`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Final, NamedTuple, cast

import uvloop

from benchmarks import replies

HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
LAST_CHUNK: Final = b"0\r\n\r\n"
FAILURE: Final = b'{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}'


class Script(NamedTuple):
    """The bytes of one stream, framed as chunks: once at the start, for every token, once at the end."""

    start: bytes
    token: bytes
    end: bytes


class Plan(NamedTuple):
    tokens: int
    gap: float
    chat: Script
    chat_with_usage: Script
    anthropic: Script


def frame(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def plan(tokens: int, gap: float) -> Plan:
    event = replies.anthropic_event
    usage = {"prompt_tokens": 19, "completion_tokens": tokens, "total_tokens": 19 + tokens}
    token, stop = frame(replies.chat_chunk({"content": " tokn"})), frame(replies.chat_chunk({}, "stop"))
    done = frame(b"data: [DONE]\n\n") + LAST_CHUNK
    message: dict[str, object] = {
        "id": "msg_01abc", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 19, "output_tokens": 1},
    }  # fmt: skip
    return Plan(
        tokens=tokens,
        gap=gap,
        chat=Script(b"", token, stop + done),
        chat_with_usage=Script(b"", token, stop + frame(replies.chat_chunk({}, usage=usage)) + done),
        anthropic=Script(
            frame(
                event("message_start", message=message)
                + event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            ),
            frame(event("content_block_delta", index=0, delta={"type": "text_delta", "text": " tokn"})),
            frame(
                event("content_block_stop", index=0)
                + event(
                    "message_delta",
                    delta={"stop_reason": "end_turn", "stop_sequence": None},
                    usage={"output_tokens": tokens},
                )
                + event("message_stop")
            )
            + LAST_CHUNK,
        ),
    )


class Tally:
    """Streams, by what became of them."""

    __slots__ = ("aborted", "active", "finished", "started")

    def __init__(self) -> None:
        self.started = self.active = self.finished = self.aborted = 0

    def as_json(self) -> bytes:
        return json.dumps({name: getattr(self, name) for name in self.__slots__}).encode()


class Connection(asyncio.Protocol):
    """One kept-alive connection: one request at a time, no pipelining."""

    __slots__ = ("buffer", "loop", "plan", "script", "sent", "started", "tally", "timer", "transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, plan: Plan, tally: Tally) -> None:
        self.loop, self.plan, self.tally = loop, plan, tally
        self.buffer = b""
        self.script: Script | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.sent = 0
        self.started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self.transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.script is not None:
            self.script = None
            self.tally.active -= 1
            self.tally.aborted += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        request = self.take_request()
        if request is not None:
            self.answer(*request)

    def take_request(self) -> tuple[bytes, bytes] | None:
        """(path, body) once a whole request is there. A chunked body is left framed: it is only searched."""
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return None
        head = head.lower()
        if b"transfer-encoding: chunked" in head:
            if not rest.endswith(LAST_CHUNK):
                return None
            body, self.buffer = rest, b""
        else:
            _, found, value = head.partition(b"content-length:")
            size = int(value.split(b"\r\n", 1)[0]) if found else 0
            if len(rest) < size:
                return None
            body, self.buffer = rest[:size], rest[size:]
        return head.split(b" ", 2)[1].partition(b"?")[0], body

    def answer(self, path: bytes, body: bytes) -> None:
        compact = body.replace(b" ", b"")
        if path == b"/_stats":
            self.write_whole(b"200 OK", self.tally.as_json())
        elif path.startswith(b"/fail"):
            self.write_whole(b"500 Internal Server Error", FAILURE)
        elif b'"stream":true' not in compact:
            anthropic = path.endswith(b"/messages")
            self.write_whole(b"200 OK", replies.anthropic_message() if anthropic else replies.chat_completion())
        elif path.endswith(b"/messages"):
            self.begin(self.plan.anthropic)
        else:
            self.begin(self.plan.chat_with_usage if b'"include_usage":true' in compact else self.plan.chat)

    def write_whole(self, status: bytes, content: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
            % (status, len(content), content)
        )

    def begin(self, script: Script) -> None:
        self.script, self.sent, self.started = script, 1, self.loop.time()
        self.tally.started += 1
        self.tally.active += 1
        self.transport.write(HEAD + script.start + script.token)
        self.timer = self.loop.call_at(self.started + self.plan.gap, self.tick)

    def tick(self) -> None:
        script = self.script
        if script is None:
            return
        self.sent += 1
        if self.sent < self.plan.tokens:
            self.transport.write(script.token)
            self.timer = self.loop.call_at(self.started + self.sent * self.plan.gap, self.tick)
            return
        self.script = self.timer = None
        self.tally.active -= 1
        self.tally.finished += 1
        self.transport.write(script.token + script.end)


async def serve(port: int, plan: Plan) -> None:
    loop, tally = asyncio.get_running_loop(), Tally()
    server = await loop.create_server(lambda: Connection(loop, plan, tally), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--tokens", type=int, default=100)
    options.add_argument("--gap", type=float, default=0.05, help="seconds between two tokens")
    chosen = options.parse_args()
    uvloop.run(serve(chosen.port, plan(chosen.tokens, chosen.gap)))


if __name__ == "__main__":
    main()
