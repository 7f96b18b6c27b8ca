"""Text of others' in Markdown: what stands in a file or a request is text, whatever it looks like."""

from __future__ import annotations


def cell(text: str) -> str:
    """Names come out of files and requests that anybody may propose: no markup, no mention and no second row."""
    shown = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("@", "&#64;")
    return " ".join(shown.split())
