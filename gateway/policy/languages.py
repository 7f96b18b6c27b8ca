"""Which language a text is in, guessed from its script and its commonest words.

Good enough to send German to one model and Japanese to another, and no more: it knows the languages of LANGUAGES, it
wants a sentence, and of a text in none of them, or too short to tell, it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_LOOKED_AT: Final = 2000
"""Characters."""
_OF_ANOTHER: Final = 0.3
"""A text with so great a part of letters in a script is in a language of that script: even one about English names."""

_LETTERS: Final = re.compile(r"[^\W\d_]")
_SCRIPTS: Final = {
    "ja": re.compile("[\u3040-\u30ff]"),
    "ko": re.compile("[\uac00-\ud7af\u1100-\u11ff]"),
    "zh": re.compile("[\u4e00-\u9fff\u3400-\u4dbf]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "hi": re.compile("[\u0900-\u097f]"),
    "el": re.compile("[\u0370-\u03ff]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}
"""Each is one class of characters, so a search takes time linear in the text."""
_UKRAINIAN: Final = re.compile("[іїєґІЇЄҐ]")
_KANA: Final = 0.05
"""Japanese is mostly written with Chinese characters, and never without kana."""
_WORD: Final = re.compile(r"[^\W\d_]+")
_FEWEST: Final = 2
"""Common words without which nothing is said: one alone may be a name, or another language's."""
_STOP_WORDS: Final[Mapping[str, frozenset[str]]] = {
    code: frozenset(words.split())
    for code, words in {
        "en": (
            "the of and to in is that it for on with as this are be was what how you i my can please write do "
            "not your from which why me a an"
        ),
        "de": (
            "der die das und ist nicht ein eine zu den mit von für auf im ich wie was bitte wir sie es dem "
            "des kann auch mir warum wird sind"
        ),
        "fr": (
            "le la les de et est un une des du en quel quelle que pour dans qui pas je vous il ce cette avec "
            "sur au comment pourquoi nous mon sont peux s'il"
        ),
        "es": (
            "el la los las y es un una de que en por para con no se lo como su cómo qué mi del al puedes "
            "favor esta más porque"
        ),
        "pt": (
            "o a os as e é um uma de que em por para com não se como seu meu do da dos das no na você isso "
            "uma mais porque está"
        ),
        "it": (
            "il lo la gli le e è un una di che in per con non si come del della dei sono mi questo perché "
            "puoi nel alla più anche"
        ),
        "nl": (
            "de het een en is van niet dat die in op te voor met zijn ik je wat hoe maar er aan kan waarom "
            "mijn ook naar wordt"
        ),
        "pl": "i w nie na się jest do że to z jak co dla proszę czy o po jego mi od są ale dlaczego może",
        "sv": ("och att det som en är på av för med den inte jag ett om hur vad kan mig du varför till från min har"),
        "tr": "ve bir bu için ile ne nasıl de da mi çok olarak daha gibi ama neden bana var lütfen en",  # noqa: RUF001
    }.items()
}
LANGUAGES: Final = frozenset((*_SCRIPTS, "uk", *_STOP_WORDS))


def language_of(text: str) -> str:
    """The ISO 639-1 code of one of LANGUAGES, or `` where it cannot be told."""
    text = text[:_LOOKED_AT]
    letters = sum(1 for _ in _LETTERS.finditer(text))
    if not letters:
        return ""
    counts = {code: sum(1 for _ in script.finditer(text)) for code, script in _SCRIPTS.items()}
    if counts["ja"] > _KANA * letters and counts["ja"] + counts["zh"] > _OF_ANOTHER * letters:
        return "ja"
    best = max(counts, key=lambda code: counts[code])
    if counts[best] > _OF_ANOTHER * letters:
        return "uk" if best == "ru" and _UKRAINIAN.search(text) else best
    words = [word.lower() for word in _WORD.findall(text)]
    hits = {code: sum(word in known for word in words) for code, known in _STOP_WORDS.items()}
    ranked = sorted(hits, key=lambda code: -hits[code])
    first, second = ranked[:2]
    return first if hits[first] >= _FEWEST and hits[first] > hits[second] else ""
