"""Pages of plain HTML: the frame they share, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["page", "table"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; overflow-wrap: anywhere }
textarea { width: 100%; box-sizing: border-box; font: 14px/1.5 ui-monospace, monospace }
.down, .firing, .error { color: #b00020 } .pending, .unknown { color: #8a6100 } .up { color: #0a6b2d }
"""


def page(title: str, body: str) -> str:
    """A whole page. title is text, body is HTML."""
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; heads are texts, cells are HTML already."""
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
