"""Canonical messages as the contents of a request to Gemini.

Lives here: turns and their parts. Law: neighbouring turns of a role are one, and what has no place is in the losses.
"""

from __future__ import annotations

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Audio,
    Document,
    Image,
    Loss,
    Message,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from gateway.dialects.fitting import plain
from gateway.dialects.gemini import wire
from gateway.dialects.gemini.calls import response_of
from gateway.dialects.gemini.media import write_media
from gateway.dialects.gemini.models import Model
from gateway.dialects.gemini.thoughts import SKIP
from gateway.dialects.tool_calls import arguments_of, wrapped_arguments


class Contents:
    """Writes the turns of one request."""

    __slots__ = ("_blobs", "_current", "_losses", "_messages", "_model")

    def __init__(self, messages: tuple[Message, ...], model: Model, blobs: BlobWriter, losses: list[Loss]) -> None:
        self._messages = messages
        self._model = model
        self._blobs = blobs
        self._losses = losses
        self._current = _last_question(messages)

    def written(self) -> list[wire.Content]:
        contents: list[wire.Content] = []
        for at, message in enumerate(self._messages):
            place = f"messages[{at}]"
            if message.name:
                self._losses.append(Loss(f"{place}.name"))
            if message.role == "system":
                self._losses.append(Loss(f"{place}.role", "changed", "written as a turn of the user"))
            role = "model" if message.role == "assistant" else "user"
            parts = self._parts(message, place, self._model.thinks_by_level and at > self._current)
            if not parts:
                continue
            # A turn of calls must follow one of the user or of results, so neighbours of a role are one turn.
            if contents and contents[-1].role == role and contents[-1].parts is not None:
                contents[-1].parts.extend(parts)
            else:
                contents.append(wire.Content(role, parts))
        return contents

    def _parts(self, message: Message, place: str, unproven: bool) -> list[wire.Part]:
        """unproven: the first call must have a signature."""
        out: list[wire.Part] = []
        for part in message.parts:
            match part:
                case Text(text=text) | Refusal(text=text):
                    if text:
                        out.append(wire.Part(text=text))
                case Thinking():
                    self._thinking(part, place, out)
                case ToolUse():
                    signature = part.signature or (SKIP if unproven else None)
                    unproven = False
                    out.append(self._call(part, signature, place))
                case ToolResult():
                    out += self._result(part, place)
                case Image() | Audio() | Document():
                    out += self._media(part, place)
                case _:
                    self._losses.append(Loss(place, "meaning", "a part that Gemini does not have"))
        return out

    def _thinking(self, part: Thinking, place: str, out: list[wire.Part]) -> None:
        if part.vendor != "gemini":
            # Another model's thoughts are no use without the proof that only its own vendor can read.
            self._losses.append(Loss(f"{place}.thinking", note="thoughts of another provider's model"))
        elif part.text:
            out.append(wire.Part(text=part.text, thought=True, thought_signature=part.signature or None))
        elif part.signature:
            before = out[-1] if out else None
            if before is not None and before.text and not before.thought and before.thought_signature is None:
                before.thought_signature = part.signature
            else:
                out.append(wire.Part(text="", thought_signature=part.signature))

    def _call(self, part: ToolUse, signature: str | None, place: str) -> wire.Part:
        arguments = arguments_of(part.arguments)
        if arguments is None:
            arguments = wrapped_arguments(part.arguments)
            self._losses.append(Loss(f"{place}.arguments", "changed", "no JSON object; sent as a string inside one"))
        call = wire.FunctionCall(id=part.id or None, name=part.name, args=arguments)
        return wire.Part(function_call=call, thought_signature=signature)

    def _result(self, part: ToolResult, place: str) -> list[wire.Part]:
        inside: list[wire.ResponsePart] = []
        beside: list[wire.Part] = []
        for inner in part.content:
            if isinstance(inner, Text):
                continue
            if not isinstance(inner, Image | Audio | Document):
                self._losses.append(Loss(place, "meaning", "a part that no tool result of Gemini has"))
                continue
            for written in self._media(inner, place):
                if self._model.version >= (3, 0) and written.text is None:
                    inside.append(wire.ResponsePart(inline_data=written.inline_data, file_data=written.file_data))
                else:
                    beside.append(written)
        if beside:
            self._losses.append(Loss(f"{place}.content", "changed", "pictures stand beside the tool result"))
        response = wire.FunctionResponse(
            id=part.id or None,
            name=part.name or part.id,
            response=response_of(plain(part.content), part.error),
            parts=inside or None,
        )
        return [wire.Part(function_response=response), *beside]

    def _media(self, part: Image | Audio | Document, place: str) -> list[wire.Part]:
        kind = "image" if isinstance(part, Image) else "audio" if isinstance(part, Audio) else "document"
        if isinstance(part, Image) and part.detail not in ("", "auto"):
            self._losses.append(Loss(f"{place}.{kind}.detail"))
        if isinstance(part, Document):
            named = part.name if not part.text else ""
            for name, said in (("context", part.context), ("citations", part.citations), ("name", named)):
                if said:
                    self._losses.append(Loss(f"{place}.{kind}.{name}"))
            if part.text:
                context = f"{part.name}\n\n" if part.name else ""
                return [wire.Part(text=context + part.text)]
        written = write_media(part, self._blobs)
        if written is not None:
            return [written]
        if isinstance(part, Audio) and part.transcript:
            return [wire.Part(text=part.transcript)]
        self._losses.append(Loss(f"{place}.{kind}", "meaning", "it is stored with another provider"))
        return []


def _last_question(messages: tuple[Message, ...]) -> int:
    """The last message in which the user, not a tool, speaks: calls behind it must have signatures."""
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if message.role == "user" and not all(isinstance(part, ToolResult) for part in message.parts):
            return at
    return -1
