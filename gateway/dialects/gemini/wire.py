"""What Gemini's JSON looks like: the Structs that replies are read into and that everything is written from.

A member that is missing and one that is null are the same to Google, so every one is optional and none that is unset
is written. Requests are read otherwise (fields.py), because clients write two spellings.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.tokens import Count, GeminiUsage

EMPTY: Final = msgspec.Raw()


class _Wire(msgspec.Struct, omit_defaults=True, rename="camel"):
    pass


class InlineData(_Wire):
    """data: a JSON string of base64."""

    mime_type: str | None = None
    data: msgspec.Raw = EMPTY


class FileData(_Wire):
    file_uri: str | None = None
    mime_type: str | None = None


class FunctionCall(_Wire):
    """args: an object."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = EMPTY


class ResponsePart(_Wire):
    inline_data: InlineData | None = None
    file_data: FileData | None = None


class FunctionResponse(_Wire):
    id: str | None = None
    name: str | None = None
    response: msgspec.Raw = EMPTY
    parts: list[ResponsePart] | None = None


class ExecutableCode(_Wire):
    code: str | None = None
    language: str | None = None


class CodeExecutionResult(_Wire):
    outcome: str | None = None
    output: str | None = None


class Part(_Wire):
    text: str | None = None
    thought: bool | None = None
    inline_data: InlineData | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    thought_signature: str | None = None


class Content(_Wire):
    role: str | None = None
    parts: list[Part] | None = None


class CitationSource(_Wire):
    """Offsets count bytes of the whole answer."""

    start_index: int | None = None
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None


class CitationMetadata(_Wire):
    citations: list[CitationSource] | None = None
    citation_sources: list[CitationSource] | None = None


class Source(_Wire):
    """A web page, or a passage that was retrieved; text is the passage."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None


class GroundingChunk(_Wire):
    web: Source | None = None
    retrieved_context: Source | None = None
    maps: Source | None = None


class Segment(_Wire):
    """Offsets count bytes of the part."""

    part_index: int | None = None
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class GroundingSupport(_Wire):
    segment: Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class GroundingMetadata(_Wire):
    grounding_chunks: list[GroundingChunk] | None = None
    grounding_supports: list[GroundingSupport] | None = None


class Chosen(_Wire):
    token: str | None = None
    log_probability: float | None = None


class TopCandidates(_Wire):
    candidates: list[Chosen] | None = None


class LogprobsResult(_Wire):
    top_candidates: list[TopCandidates] | None = None
    chosen_candidates: list[Chosen] | None = None


class Candidate(_Wire):
    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None
    citation_metadata: CitationMetadata | None = None
    grounding_metadata: GroundingMetadata | None = None
    logprobs_result: LogprobsResult | None = None


class PromptFeedback(_Wire):
    block_reason: str | None = None


class ModalityCount(_Wire):
    modality: str
    token_count: int


class UsageOut(_Wire):
    """usageMetadata as it is written."""

    prompt_token_count: int
    candidates_token_count: int
    total_token_count: int
    cached_content_token_count: int = 0
    thoughts_token_count: int = 0
    prompt_tokens_details: list[ModalityCount] | None = None
    candidates_tokens_details: list[ModalityCount] | None = None


class ErrorBody(msgspec.Struct):
    code: Count = None
    message: str | None = None
    status: str | None = None


class Response(_Wire):
    """GenerateContentResponse, as it is read; a chunk of a stream is one, too."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: GeminiUsage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: ErrorBody | None = None


class ResponseOut(_Wire):
    """GenerateContentResponse, as it is written."""

    candidates: list[Candidate]
    usage_metadata: UsageOut | None = None
    model_version: str = ""
    response_id: str = ""


RESPONSE: Final = msgspec.json.Decoder(Response)
