"""Whole replies of Cohere's v2 chat."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.canonical import Answer, End, Event, Start
from gateway.dialects.cohere.assembly import Assembly, Call, CohereCitation, Content, Logprobs, token_logprobs
from gateway.dialects.faults import is_json_reply
from gateway.dialects.fold import fold
from gateway.dialects.tokens import CohereUsage, of_cohere

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Message(msgspec.Struct):
    content: list[Content] | str | None = None
    tool_plan: str | None = None
    tool_calls: list[Call] | None = None
    citations: list[CohereCitation] | None = None


class _Reply(msgspec.Struct):
    """meta: where the counts of some replies are, and of all of the API's other operations."""

    id: str | None = None
    finish_reason: str | None = None
    message: _Message | str | None = None
    usage: CohereUsage | None = None
    meta: CohereUsage | None = None
    logprobs: list[Logprobs] | None = None


_REPLY: Final = msgspec.json.Decoder(_Reply)


def read_reply(body: bytes, headers: Headers) -> Answer:
    """The answer. Raises UpstreamFault("malformed") for what is no chat reply."""
    if not is_json_reply(headers, body):
        raise UpstreamFault("malformed", "The provider sent something else than a chat reply.")
    try:
        reply = _REPLY.decode(body)
    except _UNREADABLE as error:
        raise UpstreamFault("malformed", f"The provider's reply cannot be read: {error}") from None
    message = reply.message
    if not isinstance(message, _Message):
        raise UpstreamFault("malformed", message or "The provider's reply has no message.")
    assembly = Assembly()
    events: list[Event] = [Start(id=reply.id or "")]
    content = message.content
    contents = [Content("text", content)] if isinstance(content, str) else content or []
    for number, one in enumerate(contents):
        assembly.content(number, one, (), events)
        assembly.end_content(number, events)
    assembly.plan(message.tool_plan or "", events)
    for number, call in enumerate(message.tool_calls or ()):
        assembly.call(number, call, events)
        assembly.end_call(number, events)
    for citation in message.citations or ():
        assembly.cite(citation, events)
    assembly.finish(reply.finish_reason, events)
    events.append(End(of_cohere(reply.usage or reply.meta)))
    answer = fold(events)
    logprobs = tuple(one for item in reply.logprobs or () for one in token_logprobs(item))
    if logprobs:
        (choice,) = answer.choices
        return msgspec.structs.replace(answer, choices=(msgspec.structs.replace(choice, logprobs=logprobs),))
    return answer
