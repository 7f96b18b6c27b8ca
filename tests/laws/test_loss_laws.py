"""The law of loss, over every published request: each of its members is in what a provider is sent, or in the losses.

A member is taken out, and the request is written again. When nothing is another than before, body or losses, the
member has been lost in silence: unless it is one that says nothing (SILENT), or a loss speaks for what it stands in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.golden.matrix import Case, cases, codecs, load, render, targets

Path_ = tuple[str | int, ...]

DEFAULTS: Final[dict[str, tuple[object, ...]]] = {
    "parallel_tool_calls": (True,),
    "strict": (False,),
    "store": (False,),
    "temperature": (1.0,),
    "tool_choice": ("auto",),
    "function_call": ("auto",),
    "mode": ("auto",),
    "reasoning_effort": ("none",),
    "thinking": ({"type": "disabled"}, {"type": "adaptive", "display": "summarized"}),
    "generationConfig": ({"thinkingConfig": {"thinkingBudget": 0}},),
    "thinkingConfig": ({"thinkingBudget": 0},),
    "thinkingBudget": (0,),
    "allowed_function_names": (["dim_lights"], "dim_lights"),
    "ttl": ("5m",),
}
"""Values that ask for what happens anyway, as the cases have them: no thoughts, the only tool, what an effort says."""
SILENT: Final = {
    "type": "a tag, or the object that every schema of a tool is",
    "role": "a turn without one is the user's",
    "stream": "it is in Gemini's and in Bedrock's path",
    "stream_options": "whether usage is asked for is the gateway's business",
    "include_usage": "whether usage is asked for is the gateway's business",
    "include": "what is included is asked for by other members, or is in them",
    "logprobs": "asked for by `top_logprobs`, or in the loss of it",
    "name": "of a schema, for OpenAI's own use",
    "id": "an item's own, or a call's that is found by its name",
    "index": "the order says it",
    "format": "the data says it, or the vendor of a thought that is lost",
    "media_type": "the data says it, or it is the usual one",
    "mimeType": "the data says it, or it is the usual one",
    "mime_type": "the data says it, or it is the usual one",
    "status": "an item in a history is complete",
    "outcome": "of code that was run: what it printed says it",
    "additionalProperties": "strict schemas are closed whether they say so or not",
    "propertyOrdering": "the properties are in that order already",
    "property_ordering": "the properties are in that order already",
    "parameters": "a tool without any takes an empty object",
    "input_schema": "a tool without any takes an empty object",
    "strict": "of a format: everybody keeps to a schema",
    "includeThoughts": "thoughts are shown where they are made",
    "include_thoughts": "thoughts are shown where they are made",
    "display": "thoughts are shown where they are made",
    "summary": "thoughts are shown where they are made",
}
"""Members that may be left out unsaid."""
SPOKEN_FOR: Final[dict[str, tuple[str, ...]]] = {
    "cache_control": ("cache_control",),
    "citations": ("citations",),
    "content": ("content", "input"),
    "document": ("source",),
    "logprobs": ("logprobs", "top_logprobs"),
    "metadata": ("metadata", "labels"),
    "reasoning": ("thinkingConfig", "reasoning", "thinking"),
    "signature": ("signature", "thoughtSignature", "content"),
    "stop": ("stop", "stop_sequences", "stopSequences"),
    "thinking": ("thinking", "reasoning_details", "encrypted_content", "summary", "input", "content", "contents"),
    "tool_choice": ("tool_choice", "tools", "tool_config", "toolConfig"),
    "allowed": ("tools", "functionDeclarations"),
    "tools": ("tools", "web_search_options"),
    "videoMetadata": ("video_metadata",),
}
"""A loss, by the last word of its field, and the members that it speaks for."""

REQUESTS: Final = [
    pytest.param(dialect, path, id=f"{dialect}-{path.stem}")
    for dialect in codecs()
    for path in cases(dialect)
    if load(path).kind == "request" and bytes(load(path).input)[:1] == b"{"
]


def members(value: object, at: Path_ = ()) -> Iterator[Path_]:
    """Where there is something, but for what a schema calls the members of others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in inner:
        yield (*at, name)
        if name != "properties":
            yield from members(below, (*at, name))


def found_at(value: Any, at: Path_) -> Any:
    for name in at:
        value = value[name]
    return value


def without(value: object, at: Path_) -> object:
    copied = json.loads(json.dumps(value))
    del found_at(copied, at[:-1])[at[-1]]
    return copied


def says_nothing(value: object, at: Path_) -> bool:
    last = next(name for name in reversed(at) if isinstance(name, str))
    return value in (None, [], {}, "") or last in SILENT or value in DEFAULTS.get(last, ())


def is_spoken_for(at: Path_, fields: list[str]) -> bool:
    for field in fields:
        word = re.sub(r"\[\d*\]", "", field).rpartition(".")[2]
        if any(name in at for name in SPOKEN_FOR.get(word, (word,))):
            return True
    return False


def written(dialect: str, case: Case, target: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(render(dialect, case, target))
    return shown


@pytest.mark.parametrize(("dialect", "path"), REQUESTS)
def test_nothing_of_a_request_is_lost_in_silence(dialect: str, path: Path) -> None:
    case = load(path)
    asked = json.loads(bytes(case.input))
    whole = {target: written(dialect, case, target) for target in targets(dialect, "request")}
    # What is not sent at all has lost nothing.
    sent = {
        target: shown
        for target, shown in whole.items()
        if "error" not in shown and all(loss["effect"] != "meaning" for loss in shown["losses"])
    }
    silent = []
    for at in members(asked):
        if says_nothing(found_at(asked, at), at):
            continue
        less = msgspec.structs.replace(case, input=msgspec.Raw(json.dumps(without(asked, at)).encode()))
        silent += [
            (target, ".".join(map(str, at)))
            for target, shown in sent.items()
            if not is_spoken_for(at, [loss["field"] for loss in shown["losses"]])
            and written(dialect, less, target) == shown
        ]
    assert silent == []
