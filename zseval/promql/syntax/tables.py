"""The parse tables of grammar/promql.lark, as data.

lark works the LALR(1) automaton out; what a parser needs of it is saved here as JSON: for each state
and symbol where to go or what to reduce. Running it needs no lark, which keeps a tenth of a second and
12 MiB out of every start. In a checkout whose grammar was changed the tables are built anew.

    python -m zseval.promql.syntax.tables      writes the file
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Tables", "build", "grammar_path", "load", "main", "saved_path"]

_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Tables:
    """states[s][symbol]: a state to go to (>= 0), or ~r to reduce rule r.

    rules: (symbol, length, name); name is the builder's method, "" to hand the only child on.
    start: the first state.  end: the state in which the input has been accepted.
    """

    states: list[dict[str, int]]
    rules: list[tuple[str, int, str]]
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
    return Tables(saved["states"], rules, saved["start"], saved["end"])


def build(grammar: Path) -> Tables:
    """The tables of a grammar, by lark. Raises lark's GrammarError."""
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    text = grammar.read_text(encoding="utf-8")
    parser = Lark(text, parser="lalr", lexer="basic", maybe_placeholders=False)
    table: Any = parser.parser.parser._parse_table  # lark has no public way to it
    rules: list[tuple[str, int, str]] = []
    numbers: dict[Any, int] = {}
    order = _discovered(table, Shift)
    renumbered = {state: number for number, state in enumerate(order)}
    states: list[dict[str, int]] = []
    for state in order:
        row: dict[str, int] = {}
        for symbol, (action, argument) in sorted(table.states[state].items()):
            if action is Shift:
                row[str(symbol)] = renumbered[argument]
                continue
            if argument not in numbers:
                numbers[argument] = len(rules)
                rules.append((argument.origin.name, len(argument.expansion), _method(argument)))
            row[str(symbol)] = ~numbers[argument]
        states.append(row)
    start, end = table.start_states["start"], table.end_states["start"]
    return Tables(states, rules, renumbered[start], renumbered[end])


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


def _digest(grammar: Path) -> str:
    return hashlib.sha256(grammar.read_bytes()).hexdigest()


def main() -> None:
    grammar = grammar_path()
    if grammar is None:
        raise SystemExit("the grammar is not here; run this in a checkout")
    tables = build(grammar)
    saved = {
        "grammar": _digest(grammar),
        "start": tables.start,
        "end": tables.end,
        "rules": tables.rules,
        "states": tables.states,
    }
    saved_path().write_text(json.dumps(saved, separators=(",", ":")) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
