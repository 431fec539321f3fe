"""The parse tables of grammar/promql.lark, as data.

lark works the LALR(1) automaton out; what a parser needs of it is saved here as JSON: for each state
and symbol where to go or what to reduce. Running it needs no lark, which keeps a tenth of a second and
12 MiB out of every start. In a checkout whose grammar was changed the tables are built anew.

As yacc does, a state's most frequent reduction becomes its default, taken for every token that has no
entry: the rows are short, and a token that does not fit is found after those reductions, which is
what the wording of upstream's messages rests on. A state that takes ERROR has no default.

    python -m zseval.promql.syntax.tables      writes the file
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Rule", "Tables", "build", "grammar_path", "as_json", "load", "main", "saved_path"]

_PACKAGE = Path(__file__).parents[2]

Rule = tuple[str, int, str]
"""(symbol, length, name): name is the builder's method, "" to hand the only child on."""


@dataclass(frozen=True, slots=True)
class Tables:
    """rows[s][symbol]: a state to go to (>= 0), or ~r to reduce rule r.

    defaults: ~r for each state, or None.  start: the first state.  end: the state of a whole text.
    """

    rows: list[dict[str, int]]
    defaults: list[int | None]
    rules: list[Rule]
    start: int
    end: int


def saved_path() -> Path:
    return Path(__file__).with_name("promql.tables.json")


def grammar_path() -> Path | None:
    """The grammar: inside the package in a wheel, beside it in a checkout; None where it is neither."""
    for folder in (_PACKAGE / "_grammar", _PACKAGE.parent / "grammar"):
        if (folder / "promql.lark").is_file():
            return folder / "promql.lark"
    return None


def load() -> Tables:
    """The saved tables, or new ones where a grammar is at hand that they do not fit."""
    saved = json.loads(saved_path().read_text(encoding="ascii"))
    grammar = grammar_path()
    if grammar is not None and saved["grammar"] != _digest(grammar):
        return build(grammar)
    rules = [(symbol, length, name) for symbol, length, name in saved["rules"]]
    return Tables(saved["rows"], saved["defaults"], rules, saved["start"], saved["end"])


def build(grammar: Path) -> Tables:
    """The tables of a grammar, by lark. Raises lark's GrammarError."""
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    text = grammar.read_text(encoding="utf-8")
    parser = Lark(text, parser="lalr", lexer="basic", maybe_placeholders=False)
    table: Any = parser.parser.parser._parse_table  # lark has no public way to it
    order = _discovered(table, Shift)
    renumbered = {state: number for number, state in enumerate(order)}
    rules: list[Rule] = []
    numbers: dict[Any, int] = {}
    rows: list[dict[str, int]] = []
    for state in order:
        row: dict[str, int] = {}
        for symbol, (action, argument) in sorted(table.states[state].items()):
            if action is Shift:
                row[str(symbol)] = renumbered[argument]
                continue
            if argument not in numbers:
                numbers[argument] = len(rules)
                rules.append((str(argument.origin.name), len(argument.expansion), _method(argument)))
            row[str(symbol)] = ~numbers[argument]
        rows.append(row)
    defaults = [_take_default(row) for row in rows]
    start, end = table.start_states["start"], table.end_states["start"]
    return Tables(rows, defaults, rules, renumbered[start], renumbered[end])


def _discovered(table: Any, shift: Any) -> list[Any]:
    """The states as they are reached from the start; the order lark gives them changes from run to run."""
    order = [table.start_states["start"]]
    seen = set(order)
    for state in order:  # grows while it is read
        for _, (action, argument) in sorted(table.states[state].items()):
            if action is shift and argument not in seen:
                seen.add(argument)
                order.append(argument)
    return order


def _method(rule: Any) -> str:
    if rule.alias:
        return str(rule.alias)
    passes = rule.options.expand1 and len(rule.expansion) == 1
    return "" if passes else str(rule.origin.name)


def _take_default(row: dict[str, int]) -> int | None:
    """The most frequent reduction of a row, which loses those entries."""
    reductions = Counter(action for action in row.values() if action < 0)
    if not reductions or row.get("ERROR", -1) >= 0:
        return None
    default = reductions.most_common(1)[0][0]
    for symbol in [symbol for symbol, action in row.items() if action == default]:
        del row[symbol]
    return default


def _digest(grammar: Path) -> str:
    return hashlib.sha256(grammar.read_bytes()).hexdigest()


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


def main() -> None:
    grammar = grammar_path()
    if grammar is None:
        raise SystemExit("the grammar is not here; run this in a checkout")
    saved_path().write_text(as_json(grammar), encoding="ascii")


if __name__ == "__main__":
    main()
