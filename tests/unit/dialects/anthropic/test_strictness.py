"""What is written in Anthropic's format, against the types of Anthropic's own SDK: every golden file there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from tests.golden.matrix import HERE, load

_REQUEST: TypeAdapter[object] = TypeAdapter(MessageCreateParamsNonStreaming)
_EVENT: TypeAdapter[object] = TypeAdapter(RawMessageStreamEvent)


def _written(kind: str) -> list[Any]:
    """The expected files of a kind, with what they say."""
    found = []
    for path in sorted(HERE.glob("*/*.to.anthropic.json")):
        case = path.with_name(path.name.removesuffix(".to.anthropic.json") + ".json")
        if case.exists() and load(case).kind == kind:
            found.append(pytest.param(path, id=f"{path.parent.name}/{case.stem}"))
    return found


def _said(path: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return said


@pytest.mark.parametrize("path", _written("request"))
def test_a_request_is_one_that_the_sdk_could_have_sent(path: Path) -> None:
    said = _said(path)
    if "error" in said:
        return
    body = {name: value for name, value in said["body"].items() if name not in ("stream", "mcp_servers")}
    _REQUEST.validate_python(body)


@pytest.mark.parametrize("path", _written("reply"))
def test_a_reply_is_one_that_the_sdk_takes(path: Path) -> None:
    said = _said(path)
    if "error" not in said:
        Message.model_validate_json(json.dumps(said["body"]), strict=True)


@pytest.mark.parametrize("path", _written("stream"))
def test_every_event_of_a_stream_is_one_that_the_sdk_takes(path: Path) -> None:
    kinds = []
    for sent in _said(path)["output"]:
        name, _, payload = sent.partition("\ndata: ")
        event = json.loads(payload)
        assert name == f"event: {event['type']}"
        kinds.append(event["type"])
        if event["type"] != "ping":
            _EVENT.validate_json(payload)
    assert kinds[:1] in ([], ["message_start"])
    assert (kinds[-1:] == ["message_stop"]) == _said(path)["complete"]
