"""Structured output from a provider that has none: a tool is forced, and its call is the answer's text.

Lives here: the way back, whole and streamed. The codec that forced the tool says so in Encoded.format_tool.
"""

from __future__ import annotations

import msgspec

from gateway.dialects.canonical import (
    Answer,
    Choice,
    Delta,
    End,
    Event,
    Failed,
    Finish,
    PartStart,
    Ping,
    Start,
    Text,
    ToolUse,
)


def without_tool(answer: Answer, tool: str) -> Answer:
    """The answer in which the call of `tool`, that was forced to have structured output, is the text."""
    return msgspec.structs.replace(answer, choices=tuple(_choice_without(choice, tool) for choice in answer.choices))


def _choice_without(choice: Choice, tool: str) -> Choice:
    if not any(isinstance(part, ToolUse) and part.name == tool for part in choice.parts):
        return choice
    parts = tuple(
        Text(text=part.arguments) if isinstance(part, ToolUse) and part.name == tool else part
        for part in choice.parts
        if not isinstance(part, Text)
    )
    stop = "stop" if choice.stop == "tool-use" else choice.stop
    return msgspec.structs.replace(choice, parts=parts, stop=stop)


class FormatTool:
    """Turns the call of a tool that was forced to have structured output into text, as it streams.

    Prose beside the call is not part of the answer: it is held until the call comes, and dropped then; without a call
    it is the answer after all.
    """

    __slots__ = ("_calls", "_dropped", "_held", "_indices", "_prose", "_tool")

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._held: list[Event] = []
        self._prose: set[tuple[int, int]] = set()
        self._calls: set[tuple[int, int]] = set()
        self._dropped = False
        self._indices: dict[tuple[int, int], int] = {}

    def sift(self, events: list[Event]) -> list[Event]:
        """The events that are now certain, with indices of their own."""
        out: list[Event] = []
        for event in events:
            self._take(event, out)
        return out

    def _take(self, event: Event, out: list[Event]) -> None:
        if isinstance(event, Finish | End):
            self._release(out)
            if isinstance(event, Finish) and self._calls and event.stop == "tool-use":
                event = msgspec.structs.replace(event, stop="stop")
            out.append(event)
            return
        if isinstance(event, Start | Failed | Ping):
            out.append(event)
            return
        place = (event.choice, event.index)
        if isinstance(event, PartStart):
            if isinstance(event.part, ToolUse) and event.part.name == self._tool:
                self._calls.add(place)
                self._dropped = True
                self._held.clear()
                begun = event.part.arguments
                out.append(self._placed(PartStart(event.index, Text(text=begun), event.choice)))
                return
            if isinstance(event.part, Text):
                self._prose.add(place)
        if place in self._prose:
            if not self._dropped:
                self._held.append(event)
            return
        if place in self._calls and isinstance(event, Delta):
            event = msgspec.structs.replace(event, kind="text")
        out.append(self._placed(event))

    def _release(self, out: list[Event]) -> None:
        out.extend(map(self._placed, self._held))
        self._held.clear()

    def _placed(self, event: Event) -> Event:
        """The event with the index that its part has without those that were dropped."""
        assert not isinstance(event, Start | Failed | Ping | Finish | End)
        place = (event.choice, event.index)
        index = self._indices.get(place)
        if index is None:
            index = self._indices[place] = sum(choice == event.choice for choice, _ in self._indices)
        return event if index == event.index else msgspec.structs.replace(event, index=index)
