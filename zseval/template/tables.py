"""The parse tables of grammar/gotemplate.lark, saved as data, so that nothing at run time needs lark.

Made and used as those of PromQL (zseval/promql/syntax/tables.py). In a checkout whose grammar was changed
they are built anew.

    python -m zseval.template.tables      writes the file
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from zseval.promql.syntax.tables import Tables, build

__all__ = ["as_json", "grammar_path", "load", "main", "saved_path"]

_PACKAGE = Path(__file__).parents[1]


def saved_path() -> Path:
    return Path(__file__).with_name("gotemplate.tables.json")


def grammar_path() -> Path | None:
    """The grammar: inside the package in a wheel, beside it in a checkout; None where it is neither."""
    for folder in (_PACKAGE / "_grammar", _PACKAGE.parent / "grammar"):
        if (folder / "gotemplate.lark").is_file():
            return folder / "gotemplate.lark"
    return None


def load() -> Tables:
    """The saved tables, or new ones where a grammar is at hand that they do not fit."""
    saved = json.loads(saved_path().read_text(encoding="ascii"))
    grammar = grammar_path()
    if grammar is not None and saved["grammar"] != _digest(grammar):
        return build(grammar)
    rules = [(symbol, length, name) for symbol, length, name in saved["rules"]]
    return Tables(saved["rows"], saved["defaults"], rules, saved["start"], saved["end"])


def as_json(grammar: Path) -> str:
    """What the file of saved tables holds for a grammar."""
    tables = build(grammar)
    saved = {
        "grammar": _digest(grammar),
        "start": tables.start,
        "end": tables.end,
        "rules": tables.rules,
        "defaults": tables.defaults,
        "rows": tables.rows,
    }
    return json.dumps(saved, separators=(",", ":")) + "\n"


def _digest(grammar: Path) -> str:
    return hashlib.sha256(grammar.read_bytes()).hexdigest()


def main() -> None:
    grammar = grammar_path()
    if grammar is None:
        raise SystemExit("the grammar is not here; run this in a checkout")
    saved_path().write_text(as_json(grammar), encoding="ascii")


if __name__ == "__main__":
    main()
