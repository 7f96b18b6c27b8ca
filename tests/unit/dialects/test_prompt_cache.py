from __future__ import annotations

import msgspec

from gateway.dialects.canonical import Image, Message, Request, Text, Thinking, Tool, ToolResult
from gateway.dialects.prompt_cache import WORTH_IT, marked

LONG = "x" * WORTH_IT


def request(*messages: Message, system: str = "", tools: tuple[Tool, ...] = ()) -> Request:
    return Request(model="m", messages=messages, system=(Text(text=system),) if system else (), tools=tools)


def user(text: str = "Hi") -> Message:
    return Message("user", (Text(text=text),))


ANSWER = Message("assistant", (Text(text="Hello"),))


def test_a_short_request_is_left_alone() -> None:
    short = request(user(), ANSWER, user(), system="Be brief.", tools=(Tool(name="f"),))
    assert marked(short) == short


def test_a_long_system_prompt_is_marked() -> None:
    assert [part.cache for part in marked(request(user(), system=LONG)).system] == ["5m"]


def test_the_last_tool_is_marked_when_the_tools_are_long() -> None:
    tools = marked(request(user(), tools=(Tool(name="f", description=LONG), Tool(name="g")))).tools
    assert [tool.cache for tool in tools if isinstance(tool, Tool)] == [None, "5m"]


def test_what_stands_in_front_counts_for_what_follows() -> None:
    found = marked(request(user(), ANSWER, user(), system=LONG))
    assert [[part.cache for part in message.parts] for message in found.messages] == [["5m"], [None], [None]]


def test_the_only_turn_of_the_user_is_not_marked() -> None:
    assert marked(request(user(LONG))).messages == (user(LONG),)


def test_a_mark_stands_on_what_can_bear_it() -> None:
    turn = Message("user", (ToolResult(id="1", content=(Text(text=LONG),)), Thinking(text="?"), Text(text=" ")))
    found = marked(request(turn, ANSWER, user()))
    assert [part.cache for part in found.messages[0].parts] == ["5m", None, None]


def test_an_image_is_long() -> None:
    found = marked(request(Message("user", (Image(url="https://example.test/a.png"),)), ANSWER, user()))
    assert found.messages[0].parts[0].cache == "5m"


def test_a_client_s_own_marks_are_all_there_are() -> None:
    own = msgspec.structs.replace(request(user(), system=LONG), tools=(Tool(name="f", cache="1h"),))
    assert marked(own) == own
