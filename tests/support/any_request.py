"""Requests of every kind in the canonical form, odd ones too: for laws of what writes them."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from gateway.dialects.canonical import (
    Audio,
    Document,
    Format,
    HostedTool,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)

_text = st.text(max_size=12)
_cache = st.sampled_from([None, "5m", "1h"])
_part: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=_text, cache=_cache),
    st.builds(Refusal, text=_text),
    st.builds(
        Image, url=_text, media_type=st.sampled_from(["", "image/png", "image/tiff"]), detail=_text, cache=_cache
    ),
    st.builds(Audio, transcript=_text),
    st.builds(Document, text=_text, url=_text, file=_text, name=_text, media_type=_text, citations=st.booleans()),
    st.builds(
        Thinking, text=_text, signature=_text, redacted=_text, vendor=st.sampled_from(["", "anthropic", "gemini"])
    ),
    st.builds(ToolUse, id=_text, name=_text, arguments=_text, signature=_text, cache=_cache),
    st.builds(ToolResult, id=_text, name=_text, content=st.builds(Text, text=_text).map(lambda one: (one,))),
)
_schema = st.sampled_from([None, msgspec.Raw(b'{"type":"object"}'), msgspec.Raw(b"{}"), msgspec.Raw(b"[1]")])
REQUESTS: st.SearchStrategy[Request] = st.builds(
    Request,
    model=_text,
    messages=st.lists(
        st.builds(
            Message,
            role=st.sampled_from(["user", "assistant", "system"]),
            parts=st.lists(_part, max_size=3).map(tuple),
            name=_text,
        ),
        max_size=4,
    ).map(tuple),
    system=st.lists(_part, max_size=2).map(tuple),
    tools=st.lists(
        st.builds(Tool, name=_text, description=_text, parameters=_schema, strict=st.sampled_from([None, True]))
        | st.builds(HostedTool, kind=_text, vendor=_text, body=st.just(msgspec.Raw(b"{}"))),
        max_size=2,
    ).map(tuple),
    tool_choice=st.none()
    | st.builds(ToolChoice, mode=st.sampled_from(["auto", "any", "none", "tool"]), name=_text, parallel=st.booleans()),
    format=st.none() | st.builds(Format, kind=st.just("schema"), name=_text, schema=_schema),
    reasoning=st.none()
    | st.builds(
        Reasoning,
        effort=st.sampled_from([None, "none", "minimal", "low", "medium", "high", "max"]),
        budget=st.sampled_from([None, -1, 0, 500, 5000, 90_000]),
        visible=st.sampled_from([None, True, False]),
    ),
    sampling=st.builds(
        Sampling,
        temperature=st.none() | st.floats(0, 2),
        top_p=st.none() | st.floats(0, 1),
        top_k=st.none() | st.just(3),
    ),
    max_tokens=st.none() | st.integers(0, 99_999),
    stop=st.lists(_text, max_size=2).map(tuple),
    metadata=st.sampled_from([None, msgspec.Raw(b'{"a":"b"}'), msgspec.Raw(b"[]")]),
)
