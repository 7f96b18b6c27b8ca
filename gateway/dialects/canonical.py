"""The one form between dialects: what a chat request, its reply and its stream say, whoever's wire format it was.

Lives here: types alone. A dialect's package turns its own bytes into these and these into its own bytes; nothing else
crosses. Must not: anything that one vendor alone has and no other could use; such a field is named in the losses.
Equal dialects never come this way: their bytes pass through.

Order is kept: of messages, of parts in a message, of events. Text is `str`, JSON that is passed on unread is
`msgspec.Raw`, and base64 that may be megabytes is a Blob, which is a view into the client's body.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.blob import Blob

Effort = Literal["none", "minimal", "low", "medium", "high", "max"]
"""How much a model is to think. `none` switches thinking off where a provider can."""

StopReason = Literal[
    "stop", "length", "tool-use", "stop-sequence", "content-filter", "refusal", "pause", "error", "other"
]
"""stop: the model was done. length: `max_tokens` or the window ran out. tool-use: it wants tools called.
stop-sequence: one of the request's own stop sequences. pause: a long turn was interrupted and may be gone on with."""

CacheMark = Literal["5m", "1h"]
"""Anthropic's `cache_control` on a part, a tool or a system block: everything up to here is worth keeping."""


class Part(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A piece of a message. cache: a mark after this piece, passed to providers that know such marks."""

    cache: CacheMark | None = None


class Text(Part, frozen=True):
    """Plain text. citations: what it rests on."""

    text: str
    citations: tuple[Citation, ...] = ()


class Image(Part, frozen=True):
    """A picture: `url` or `content`, never both. media_type as `image/png`, `` where only the URL tells.
    detail: OpenAI's `low`, `high`, `auto`, or ``. file: the provider's own id of an uploaded file."""

    url: str = ""
    content: Blob | None = None
    media_type: str = ""
    detail: str = ""
    file: str = ""


class Audio(Part, frozen=True):
    """Sound. media_type as `audio/wav`, `audio/mp3`. id: OpenAI's id of an earlier audio answer.
    transcript: what is said in it, where it is an answer."""

    content: Blob | None = None
    media_type: str = ""
    url: str = ""
    id: str = ""
    transcript: str = ""


class Document(Part, frozen=True):
    """A file to read, mostly `application/pdf` or `text/plain`. text: where it came as plain text."""

    content: Blob | None = None
    text: str = ""
    url: str = ""
    file: str = ""
    media_type: str = ""
    name: str = ""
    context: str = ""
    citations: bool = False


class Thinking(Part, frozen=True):
    """Reasoning of the model. signature: the provider's proof, which must come back unchanged.
    redacted: encrypted reasoning that only the provider can read (Anthropic's redacted_thinking, OpenAI's
    encrypted_content); text is `` then, or a summary. vendor: whose signature it is (`anthropic`, `gemini`,
    `openai`): another vendor's is of no use to it and is left out. id: the item's id where the dialect has one."""

    text: str = ""
    signature: str = ""
    redacted: str = ""
    vendor: str = ""
    id: str = ""


class ToolUse(Part, frozen=True):
    """The model's wish to call a tool. arguments: JSON text as the model wrote it, perhaps malformed.
    signature: Gemini's thought signature on the call."""

    id: str
    name: str
    arguments: str
    signature: str = ""


class ToolResult(Part, frozen=True):
    """What a tool returned. id: of the ToolUse it answers. name: of the tool, looked up in the history where the
    dialect does not say. content: text and media."""

    id: str
    name: str = ""
    content: tuple[Part, ...] = ()
    error: bool = False


class Refusal(Part, frozen=True):
    """The model's own words that it will not answer."""

    text: str


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch of text rests on. start and end: characters of that text, -1 where not said."""

    url: str = ""
    title: str = ""
    quote: str = ""
    document: int = -1
    start: int = -1
    end: int = -1


class Message(msgspec.Struct, frozen=True):
    """One turn. `system` and `developer` turns in the middle of a conversation stay where they are; those in front
    of it are Request.system. Tool results stand in `user` messages, as Anthropic has them; codecs of dialects with a
    role for tools split them off and, reading, gather neighbouring ones into one message. name: of the speaker, or
    ``."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]
    name: str = ""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the model may ask for. parameters: JSON Schema as it came, None where it takes none."""

    name: str
    description: str = ""
    parameters: msgspec.Raw | None = None
    strict: bool | None = None
    cache: CacheMark | None = None


class HostedTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the provider itself runs (web search, code execution, ...). kind: `web-search`, `code-execution`,
    `url-context`, `file-search`, `computer`, or the dialect's own name. body: as it came."""

    kind: str
    vendor: str
    body: msgspec.Raw


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True):
    """mode: the model decides, must call some tool, none, or the one that is named. allowed: only these may be
    called. parallel: whether several calls in one turn are allowed, None where not said."""

    mode: Literal["auto", "any", "none", "tool"] = "auto"
    name: str = ""
    allowed: tuple[str, ...] = ()
    parallel: bool | None = None


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """Structured output. schema: JSON Schema as it came; None for any JSON."""

    kind: Literal["json", "schema"]
    name: str = ""
    description: str = ""
    schema: msgspec.Raw | None = None
    strict: bool | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """effort: where a level was asked for. budget: tokens for thinking, where a number was; -1 for the model's own
    choice (dynamic, adaptive). visible: whether thoughts are to be shown, None where not said."""

    effort: Effort | None = None
    budget: int | None = None
    visible: bool | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How the next token is chosen; None where not said. logprobs: alternatives, 0 for the chosen token alone."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    logprobs: int | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A chat request. model: as the client wrote it. max_tokens: None where not said. user: the end user's id.
    modalities: what the answer may hold, `text`, `audio`, `image`; empty where not said.
    unread: names of fields that the decoder saw and this form has no place for, with dots for depth
    (`logit_bias`, `messages[2].foo`): the encoder's losses begin with them.
    lost: what the decoder itself knows that no other dialect can carry, with its effect (`previous_response_id` changes
    what is asked); translation puts these in front of the encoder's losses.
    legacy_calls: the client speaks OpenAI's older form of tools (`functions`), and its reply is to as well.
    custom_tools: names of tools that the client takes free text for (OpenAI's custom tools): among `tools` each is a
    function with the one argument `input`."""

    model: str
    messages: tuple[Message, ...]
    system: tuple[Part, ...] = ()
    tools: tuple[Tool | HostedTool, ...] = ()
    tool_choice: ToolChoice | None = None
    format: Format | None = None
    reasoning: Reasoning | None = None
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    stream: bool = False
    wants_usage: bool = False
    user: str = ""
    metadata: msgspec.Raw | None = None
    service_tier: str = ""
    modalities: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    lost: tuple[Loss, ...] = ()
    legacy_calls: bool = False
    custom_tools: tuple[str, ...] = ()


class Loss(msgspec.Struct, frozen=True):
    """What a target cannot carry. field: as the client's dialect names it (`seed`, `tools[2]`, `messages[3].image`).
    effect: `hint` does not change what is asked and may be dropped; `changed` was clamped or approximated, note says
    how (`temperature 1.6 -> 1.0`); `meaning` makes the target not eligible."""

    field: str
    effect: Literal["hint", "changed", "meaning"] = "hint"
    note: str = ""


class TargetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an encoder may know of the model it writes for. model: the name to write. max_output: 0 where not known;
    the default where a provider demands `max_tokens`. None where not known: then the feature is let through."""

    model: str
    max_output: int = 0
    vision: bool | None = None
    tools: bool | None = None
    reasoning: bool | None = None
    provider: str = ""


class Encoded(msgspec.Struct, frozen=True):
    """A request in a provider's format. body: JSON. losses: everything that is not in it as the client meant it.
    format_tool: name of the tool that was forced to get structured output, `` where none was: the reply's call of it is
    the answer's text. further: of a format that takes one input a request, the bodies for the others; the bodies of
    all replies are then read as a JSON array of them, in this order."""

    body: bytes
    losses: tuple[Loss, ...] = ()
    format_tool: str = ""
    further: tuple[bytes, ...] = ()


class TokenLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. stop_sequence: the one that was met, or ``."""

    parts: tuple[Part, ...]
    stop: StopReason = "stop"
    stop_sequence: str = ""
    index: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole reply. id: the provider's. model: as the provider says. created: Unix seconds, 0 where not said.
    unread: kinds of content that have no place here, as the provider names them: what its own tools did, and what is
    new."""

    id: str = ""
    model: str = ""
    created: int = 0
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    service_tier: str = ""
    unread: tuple[str, ...] = ()


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """What an encoder of replies takes from the client's side. id: used where the provider gave none. model: the name
    that the reply reports. created: Unix seconds, used where the provider gave none. wants_usage: a stream is to end
    with usage (OpenAI chat). framing: Gemini's `sse` or `json-array`. legacy_calls, custom_tools: as in the
    Request."""

    id: str
    model: str
    created: int
    wants_usage: bool = True
    framing: Literal["sse", "json-array"] = "sse"
    legacy_calls: bool = False
    custom_tools: tuple[str, ...] = ()


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The first event of a stream. usage: the input's, where the provider tells it at once."""

    id: str = ""
    model: str = ""
    created: int = 0
    usage: Usage | None = None


class PartStart(msgspec.Struct, frozen=True):
    """A part begins: Text, Thinking, ToolUse, Audio, Image or Refusal with what is known of it (a ToolUse its id and
    name; an Image is whole). index counts parts of a choice from 0, in order of their start. Parts of one choice may
    overlap (OpenAI interleaves parallel tool calls); an encoder whose dialect cannot holds the later one back."""

    index: int
    part: Part
    choice: int = 0


class Delta(msgspec.Struct, frozen=True):
    """More of a part. kind: what `text` is: `text` of a Text, Thinking or Refusal; `arguments` of a ToolUse;
    `signature` or `redacted` of a Thinking (or the thought signature of a ToolUse); `audio` base64 and `transcript` of
    an Audio."""

    index: int
    text: str
    kind: Literal["text", "arguments", "signature", "redacted", "audio", "transcript"] = "text"
    choice: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


class Cited(msgspec.Struct, frozen=True):
    """A citation for the Text part `index`."""

    index: int
    citation: Citation
    choice: int = 0


class PartEnd(msgspec.Struct, frozen=True):
    index: int
    choice: int = 0


class Finish(msgspec.Struct, frozen=True):
    """A choice is complete."""

    stop: StopReason = "stop"
    stop_sequence: str = ""
    choice: int = 0


class End(msgspec.Struct, frozen=True):
    """The provider's terminal event: the stream is complete. usage: all that is known by now."""

    usage: Usage | None = None


class Failed(msgspec.Struct, frozen=True):
    """An error event. status: the HTTP status that the provider's error means, 0 where it does not say. message: its
    own words. kind_hint: its own code or type, for the table of faults."""

    message: str
    status: int = 0
    kind_hint: str = ""


class Ping(msgspec.Struct, frozen=True):
    """A sign of life without content."""


Event = Start | PartStart | Delta | Cited | PartEnd | Finish | End | Failed | Ping
"""The grammar: Start, then for each part PartStart Delta* PartEnd (parts may overlap), Finish for each choice after its
parts, End. Failed may stand anywhere and ends the stream. Ping may stand anywhere."""
