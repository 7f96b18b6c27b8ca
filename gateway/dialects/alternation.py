"""What Anthropic's Messages and Bedrock's Converse demand of a conversation alike.

Lives here: turns that alternate and begin with the user, system turns in the middle, the assistant's last words, and
what is lost of each. Must not: write a block; a dialect's writer does. Law: nothing is raised.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Literal

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import Loss, Message, Part, Request, Text, ToolUse
from gateway.dialects.tool_calls import arguments_of, wrapped_arguments

Json = dict[str, object]
Turn = tuple[str, list[Json]]
Effect = Literal["hint", "changed", "meaning"]

FILLER: Final = (Text(text="(The conversation goes on.)"),)
"""The user's word in front of a conversation that the assistant begins."""


class Alternation(ABC):
    """Writes the turns of one request; losses are added to the list that was given. system_turns: the model takes them
    in the middle, behind the user's. prefill: it goes on with the assistant's words. calls: names of the tools that
    the history speaks of, once it is written."""

    __slots__ = ("_blobs", "_losses", "_prefill", "_request", "_system_turns", "calls")

    def __init__(
        self, request: Request, blobs: BlobWriter, losses: list[Loss], *, system_turns: bool, prefill: bool
    ) -> None:
        self._request = request
        self._blobs = blobs
        self._losses = losses
        self._system_turns = system_turns
        self._prefill = prefill
        self.calls: list[str] = []

    @abstractmethod
    def _blocks(self, parts: tuple[Part, ...], at: str, role: str) -> list[Json]:
        """The blocks of one message; none where nothing is left of it."""

    @abstractmethod
    def _is_words(self, block: Json) -> bool:
        """Whether a block may stand in a system turn."""

    def turns(self) -> list[Turn]:
        """The turns, neighbours of one role together."""
        turns: list[Turn] = []
        for number, message in enumerate(self._request.messages):
            at = f"messages[{number}]"
            if message.name:
                self._lose(f"{at}.name")
            role, blocks = self._turn(message, at, turns)
            if not blocks:
                continue
            if turns and turns[-1][0] == role:
                turns[-1][1].extend(blocks)
            else:
                turns.append((role, blocks))
        if not turns or turns[0][0] != "user":
            turns.insert(0, ("user", self._blocks(FILLER, "messages", "user")))
            self._lose("messages", "changed", "a conversation begins with the user: a word of theirs was added")
        if turns[-1][0] == "assistant":
            self._end_with_prefill(turns[-1][1])
        return turns

    def _turn(self, message: Message, at: str, before: list[Turn]) -> Turn:
        if message.role != "system":
            return message.role, self._blocks(message.parts, at, message.role)
        blocks = self._blocks(message.parts, at, "user")
        if self._system_turns and before and before[-1][0] == "user" and all(map(self._is_words, blocks)):
            return "system", blocks
        if blocks:
            self._lose(at, "changed", "a system turn in the middle is written as the user's")
        return "user", blocks

    def _end_with_prefill(self, blocks: list[Json]) -> None:
        if not self._prefill:
            last = len(self._request.messages) - 1
            self._lose(f"messages[{last}]", "meaning", "this model does not go on with the assistant's words")
        text = blocks[-1].get("text")
        if isinstance(text, str):
            blocks[-1]["text"] = text.rstrip()

    def _arguments(self, part: ToolUse, at: str) -> msgspec.Raw:
        """The arguments of a call, which are an object whatever the model wrote."""
        if part.signature:
            self._lose(f"{at}.signature")
        if part.name not in self.calls:
            self.calls.append(part.name)
        arguments = arguments_of(part.arguments)
        if arguments is None:
            self._lose(f"{at}.arguments", "changed", "arguments that are no JSON object are put into one")
            return wrapped_arguments(part.arguments)
        return arguments

    def _drop(self, field: str, note: str) -> Json | None:
        """Nothing is written; and the request is another one without it."""
        self._losses.append(Loss(field, "meaning", note))
        return None

    def _lose(self, field: str, effect: Effect = "hint", note: str = "") -> None:
        self._losses.append(Loss(field, effect, note))
