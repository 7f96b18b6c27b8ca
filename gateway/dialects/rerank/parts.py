"""What the formats of reranking have in common: documents in their forms, and results that refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.dialects.canonical import Loss
from gateway.dialects.ranking import Rank, RankRequest
from gateway.dialects.whole import mistake

_MEMBERS: Final = dict[str, msgspec.Raw]
_NAMES_TOLD: Final = 8


class Result(msgspec.Struct, gc=False):
    """A result as a provider writes it; its document is the one that was sent."""

    index: int
    relevance_score: float


def read_documents(given: Sequence[str | dict[str, msgspec.Raw]]) -> tuple[tuple[str, ...], tuple[Loss, ...]]:
    """The documents' texts; and what else stood in those that are objects, which no other format has a place for."""
    if not given:
        raise mistake("documents", "at least one document is due.")
    texts: list[str] = []
    lost: list[Loss] = []
    for index, one in enumerate(given):
        if isinstance(one, str):
            texts.append(one)
            continue
        text = _text(one, index)
        texts.append(text or "")
        if text is None:
            lost.append(Loss(f"documents[{index}]", "meaning", "a document without text"))
        if len(lost) < _NAMES_TOLD:
            lost.extend(Loss(f"documents[{index}].{name}") for name in list(one)[:_NAMES_TOLD] if name != "text")
    return tuple(texts), tuple(lost)


def checked_top(top: int | None, name: str) -> int | None:
    if top is not None and top < 1:
        raise mistake(name, "a positive number is due.")
    return top


def ranks_of(results: Iterable[Result], request: RankRequest) -> tuple[Rank, ...]:
    """The results, if each is of another document of the request. Some providers send all, whatever was asked for."""
    ranks = tuple(Rank(one.index, one.relevance_score) for one in results)
    indices = {rank.index for rank in ranks}
    due = len(request.documents)
    if len(indices) != len(ranks) or any(not 0 <= index < due for index in indices) or not ranks:
        raise UpstreamFault("malformed", f"The provider's reply is not a ranking of {due} documents.")
    return ranks if request.top is None else ranks[: request.top]


def _text(one: dict[str, msgspec.Raw], index: int) -> str | None:
    if "text" not in one:
        return None
    try:
        return msgspec.json.decode(one["text"], type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise mistake(f"documents[{index}].text", "a text is due.") from None
