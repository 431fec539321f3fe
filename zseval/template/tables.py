"""The parse tables of grammar/gotemplate.lark.

python -m zseval.template.tables      writes them anew
"""

from __future__ import annotations

from pathlib import Path

from zseval.lalr import Grammar

__all__ = ["GOTEMPLATE"]

GOTEMPLATE = Grammar("gotemplate.lark", Path(__file__).with_name("gotemplate.tables.json"))

if __name__ == "__main__":
    GOTEMPLATE.save()
