"""Parser: text to a checked tree, or a ParseError that says what was found where, and what was expected.

The lexer's tokens drive the LALR tables; the Builder makes nodes as rules are reduced. Both are linear
in the text, and neither recurses. As in yacc, a state that reduces whatever comes does so before the
next token is read: which of two errors in a text is reported rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from zseval.model.matcher import Matcher
from zseval.promql.syntax.ast import Expr, VectorSelector
from zseval.promql.syntax.build import Builder, Reduction, reductions
from zseval.promql.syntax.check import check, check_depth
from zseval.promql.syntax.lexer import Lexer, Problem, Token, describe
from zseval.promql.syntax.tables import PROMQL

__all__ = ["parse", "parse_series_selector"]

_EXPRESSION = Token("START_EXPRESSION", "", 0, 0)
_SELECTOR = Token("START_SELECTOR", "", 0, 0)
_NO_FEATURES: frozenset[str] = frozenset()

_DURATION = "number, duration, step(), or range()"
MESSAGES = {
    "expected_offset": f" in offset, expected {_DURATION}",
    "expected_at": " in @, expected timestamp",
    "expected_range": f" in subquery or range selector, expected {_DURATION}",
    "expected_range_end": ' in subquery or range, expected ":" or "]"',
    "expected_step": f' in subquery selector, expected {_DURATION.replace(", or", ",")}, or "]"',
    "expected_step_end": ' in subquery selector, expected "]"',
    "expected_aggregation": " in aggregation",
    "expected_label_list": ' in grouping opts, expected "("',
    "expected_label_end": ' in grouping opts, expected "," or ")"',
    "expected_label": " in grouping opts, expected label",
    "expected_matcher_end": ' in label matching, expected "," or "}"',
    "expected_matcher_value": " in label matching, expected string",
    "expected_match_op": " in label matching, expected label matching operator",
    "expected_matcher": ' in label matching, expected identifier or "}"',
}
"""What to say after `unexpected X`, by the grammar's rules for ERROR."""


def parse(text: str, *, features: frozenset[str] = _NO_FEATURES) -> Expr:
    """The tree of an expression, its types checked.

    features: upstream's names of the experimental ones switched on.
    Raises ParseError, with Prometheus' message and position.
    """
    builder = Builder(features)
    try:
        expr = _run(text, _EXPRESSION, builder)
        check_depth(expr)
        check(expr, text, builder.written)
    except Problem as problem:
        raise problem.as_error(text) from None
    return expr


def parse_series_selector(text: str) -> tuple[Matcher, ...]:
    """The matchers of a bare selector, as in `match[]`; it may match everything. Raises ParseError."""
    try:
        selector = _run(text, _SELECTOR, Builder(_NO_FEATURES))
    except Problem as problem:
        raise problem.as_error(text) from None
    assert isinstance(selector, VectorSelector), "the grammar takes nothing else after this start"
    return selector.matchers


@dataclass(frozen=True, slots=True)
class _Automaton:
    """The tables, made ready to run.

    rows, defaults, start, end: as in Tables.
    waits: for each state, whether the next token decides.
    rules: symbol, length, and the method that makes the value (None: hand the only child on).
    """

    rows: list[dict[str, int]]
    defaults: list[int | None]
    waits: list[bool]
    rules: list[tuple[str, int, Reduction | None]]
    names: list[str]
    start: int
    end: int


@cache
def _automaton() -> _Automaton:
    loaded = PROMQL.load()
    names = [name for _, _, name in loaded.rules]
    rules = [
        (symbol, length, method)
        for (symbol, length, _), method in zip(loaded.rules, reductions(names), strict=True)
    ]
    waits = [
        default is None or any(not symbol.islower() for symbol in row)
        for row, default in zip(loaded.rows, loaded.defaults, strict=True)
    ]
    return _Automaton(loaded.rows, loaded.defaults, waits, rules, names, loaded.start, loaded.end)


def _run(text: str, first: Token, builder: Builder) -> Expr:
    """What the Builder makes of a text. Raises Problem."""
    automaton = _automaton()
    rows, defaults, waits, rules = automaton.rows, automaton.defaults, automaton.waits, automaton.rules
    read = Lexer(text).next
    state, end = automaton.start, automaton.end
    states: list[int] = [state]
    values: list[Any] = []
    token: Token | None = first
    while True:
        action = defaults[state]
        if waits[state]:
            if token is None:
                token = read()
            action = rows[state].get(token.type, action)
            if state == end and token.type == "$END":
                result: Expr = values[-1]
                return result
            if action is None:
                raise _unexpected(token, states, values, automaton)
            if action >= 0:
                state = action
                states.append(state)
                values.append(token)
                token = None
                continue
        assert action is not None, "a state that does not wait has a default"
        symbol, length, method = rules[~action]
        if method is None:
            states.pop()
        elif length:
            values[-length:] = [method(builder, *values[-length:])]
            del states[-length:]
        else:
            values.append(method(builder))
        state = rows[states[-1]][symbol]
        states.append(state)


def _unexpected(token: Token, states: list[int], values: list[Any], automaton: _Automaton) -> Problem:
    """The innermost rule for ERROR among the states on the stack says what was expected."""
    if token.type == "$END" and values == [_EXPRESSION]:
        return Problem("no expression found in input", 0)
    found = f"unexpected {describe(token)}"
    for state in reversed(states):
        after = automaton.rows[state].get("ERROR", -1)
        if after >= 0:
            rule = automaton.defaults[after]
            assert rule is not None, "ERROR ends every rule that it is in"
            return Problem(found + MESSAGES[automaton.names[~rule]], token.start)
    return Problem(found, token.start)
