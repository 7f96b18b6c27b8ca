"""How demanding a request looks, from 0 to 1, by what can be seen of it without a model.

Lives here: the features, what each weighs, and how they are put together: as pieces of evidence that do not depend on
one another, so that several of them say more than the strongest, and none of them says more than its weight.
docs/virtual-models.md has the same table, and worked examples. Law: equal prompts have equal scores; the score never
raises, and takes time linear in the text.
"""

from __future__ import annotations

from math import log2
from typing import Final

import msgspec

from gateway.core.prompt import Prompt
from gateway.policy.pattern import Pattern

_CODE: Final = Pattern(
    r"```|(?m:^[ \t]*(?:def|class|import|from|function|const|let|public|private|func|fn|#include|package"
    r"|SELECT|CREATE)\b)"
    r"|=>|::|\b\w+\([^()\n]{0,80}\)|[{};]\s*\n|\b(?:Traceback|Exception|stack ?trace|segfault|NullPointer\w*)\b"
    r"|(?i:\b(?:code|function|regex|refactor|debug|compile|unit tests?|API|SQL|algorithm|python|javascript|typescript"
    r"|rust|golang|kubernetes)\b)"
)
_MATH: Final = Pattern(
    r"\\(?:frac|sum|int|sqrt|begin|lim|partial)\b|\$[^$\n]{1,80}\$|[∑∫√∂∞≤≥≠∈∀∃]|\b[a-z]\s?\^\s?[0-9n]"
    r"|(?i:\b(?:theorem|integral|derivatives?|matrix|matrices|eigenvalues?|equations?|probability|polynomial|proof"
    r"|lemma|modulo|calculus)\b)"
)
_REASONING: Final = Pattern(
    r"(?i:\b(?:why|prove|derive|explain how|step by step|analy[sz]e|compare|contrast|evaluate|design|architect\w*"
    r"|trade-?offs?|optimi[sz]e|diagnose|root cause|plan|strategy|implications?|critique|reason through|pros and cons"
    r"|warum|beweise|vergleiche|analysiere|schritt für schritt|entwirf|pourquoi|démontre|compare[rz]|analyse[rz]"
    r"|étape par étape|por qué|demuestra|compara|analiza|paso a paso)\b)|为什么|证明|比较|分析|设计|逐步"
    r"|なぜ|証明|比較|分析|設計"
)
_CONSTRAINTS: Final = Pattern(
    r"(?i:\b(?:must|must not|exactly|at least|at most|no more than|without|only|ensure|do not|don't|never|always"
    r"|between \d+ and \d+|in the format|as json|as a table|muss|genau|mindestens|höchstens|ohne|doit|exactement"
    r"|au moins|sans|debe|exactamente|al menos|sin)\b)"
)
_PARTS: Final = Pattern(r"[?\x{FF1F}¿]|(?m:^[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t])")


class Feature(msgspec.Struct, frozen=True):
    """One of the things that are looked at. weight: the score of a prompt that has nothing else. value: 0..1."""

    name: str
    weight: float
    value: float


def features(prompt: Prompt, tokens: int) -> tuple[Feature, ...]:
    """What the score is made of. tokens: of the whole prompt, estimated."""
    text = prompt.text.encode("utf-8", "replace")
    own = len(text) / 4
    around = max(tokens - own, 0.0)
    return (
        Feature("length", 0.50, _grown(own, 16, 1024)),
        Feature("context", 0.25, _grown(around, 256, 16384)),
        Feature("code", 0.35, _CODE.count(text, 3) / 3),
        Feature("math", 0.35, _MATH.count(text, 3) / 3),
        Feature("reasoning", 0.50, _REASONING.count(text, 2) / 2),
        Feature("constraints", 0.30, _CONSTRAINTS.count(text, 5) / 5),
        Feature("parts", 0.20, max(_PARTS.count(text, 5) - 1, 0) / 4),
        Feature("turns", 0.15, min(max(prompt.turns - 1, 0), 8) / 8),
        Feature("tools", 0.25, min(prompt.tools, 8) / 8),
    )


def score(prompt: Prompt, tokens: int) -> float:
    """0..1, to three places."""
    plain = 1.0
    for feature in features(prompt, tokens):
        plain *= 1 - feature.weight * feature.value
    return round(1 - plain, 3)


def _grown(amount: float, unit: float, full: float) -> float:
    """0 for nothing, 1 from `full` on; between them each doubling counts the same, from about `unit` on."""
    return min(log2(1 + amount / unit) / log2(1 + full / unit), 1.0)
