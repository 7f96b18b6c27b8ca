"""The language of a text."""

from __future__ import annotations

import pytest

from gateway.policy.languages import LANGUAGES, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France?", "en"),
        ("Wie ist das Wetter heute in Berlin?", "de"),
        ("Quelle est la capitale de la France ?", "fr"),
        ("¿Cuál es la capital de España y por qué?", "es"),
        ("Qual é a capital do Brasil?", "pt"),
        ("Come si scrive una lettera di presentazione?", "it"),
        ("Wat is het verschil tussen een hond en een kat?", "nl"),
        ("Jak działa to w praktyce i dlaczego?", "pl"),
        ("Hur fungerar det och vad är skillnaden?", "sv"),
        ("Bu kod neden daha yavaş ve nasıl düzeltirim?", "tr"),  # noqa: RUF001
        ("今天天气怎么样", "zh"),
        ("今日の天気はどうですか", "ja"),
        ("오늘 날씨 어때요?", "ko"),
        ("Как работает сборщик мусора в Python?", "ru"),
        ("Привіт, як справи?", "uk"),
        ("كيف حالك اليوم؟", "ar"),
        ("מה שלומך היום?", "he"),
        ("आज मौसम कैसा है?", "hi"),
        ("Τι καιρό κάνει σήμερα;", "el"),  # noqa: RUF001
        ("วันนี้อากาศเป็นอย่างไร", "th"),
        ("解释 HTTP 缓存", "zh"),
    ],
)  # fmt: skip
def test_the_language_of_a_sentence(text: str, language: str) -> None:
    assert language in LANGUAGES
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "  ", "42", "Hi", "def f(x): return x", "Hva er dette?", "🎉🎉", "the"])
def test_what_cannot_be_told_is_not_guessed(text: str) -> None:
    assert language_of(text) == ""


def test_of_a_long_text_the_beginning_tells() -> None:
    assert language_of("What is the meaning of this? " * 100 + "今天天气怎么样" * 100_000) == "en"
