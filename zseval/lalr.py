"""Grammars as parse tables: lark's LALR(1) automaton as data, so that nothing at run time needs lark.

lark works the automaton out; what a parser needs of it is saved as JSON: for each state and symbol
where to go or what to reduce. That keeps a tenth of a second and 12 MiB out of every start. In a
checkout whose grammar was changed the tables are built anew.

As yacc does, a state's most frequent reduction becomes its default, taken for every token that has no
entry: the rows are short, and a token that does not fit is found after those reductions, which is
what the wording of Prometheus' messages rests on. A state that takes ERROR has no default.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Grammar", "Rule", "Tables", "build"]

_PACKAGE = Path(__file__).parent

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


@dataclass(frozen=True, slots=True)
class Grammar:
    """name: of its file, such as `promql.lark`.  saved: where its tables are kept."""

    name: str
    saved: Path

    @property
    def path(self) -> Path | None:
        """The grammar: inside the package in a wheel, beside it in a checkout; None where it is neither."""
        for folder in (_PACKAGE / "_grammar", _PACKAGE.parent / "grammar"):
            if (folder / self.name).is_file():
                return folder / self.name
        return None

    def load(self) -> Tables:
        """The saved tables, or new ones where a grammar is at hand that they do not fit."""
        saved = json.loads(self.saved.read_text(encoding="ascii"))
        path = self.path
        if path is not None and saved["grammar"] != _digest(path):
            return build(path)
        rules = [(symbol, length, name) for symbol, length, name in saved["rules"]]
        return Tables(saved["rows"], saved["defaults"], rules, saved["start"], saved["end"])

    def as_json(self) -> str:
        """What the file of saved tables is to hold. Raises FileNotFoundError without a grammar."""
        path = self.path
        if path is None:
            raise FileNotFoundError(f"the grammar {self.name} is not here; this needs a checkout")
        tables = build(path)
        saved = {
            "grammar": _digest(path),
            "start": tables.start,
            "end": tables.end,
            "rules": tables.rules,
            "defaults": tables.defaults,
            "rows": tables.rows,
        }
        return json.dumps(saved, separators=(",", ":")) + "\n"

    def save(self) -> None:
        """Write the tables of the grammar."""
        self.saved.write_text(self.as_json(), encoding="ascii")


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
