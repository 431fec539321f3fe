"""The parse tables of grammar/promql.lark.

python -m zseval.promql.syntax.tables      writes them anew
"""

from __future__ import annotations

from pathlib import Path

from zseval.lalr import Grammar

__all__ = ["PROMQL"]

PROMQL = Grammar("promql.lark", Path(__file__).with_name("promql.tables.json"))

if __name__ == "__main__":
    PROMQL.save()
