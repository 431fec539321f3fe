"""Parser: text to a checked tree, or a ParseError that says what was found where, and what was expected.

The lexer's tokens drive the LALR tables; the Builder makes nodes as rules are reduced. Both are linear
in the text, and neither recurses.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from zseval.model.matcher import Matcher
from zseval.promql.syntax import tables
from zseval.promql.syntax.ast import Call, Expr, Span, VectorSelector, children
from zseval.promql.syntax.build import Builder
from zseval.promql.syntax.check import check_selector
from zseval.promql.syntax.lexer import AGGREGATORS, Problem, Token, describe, tokens

__all__ = ["parse", "parse_series_selector"]

_EXPRESSION = Token("START_EXPRESSION", "", Span(0, 0))
_SELECTOR = Token("START_SELECTOR", "", Span(0, 0))
_GROUPING = frozenset({"BY", "WITHOUT", "ON", "IGNORING", "GROUP_LEFT", "GROUP_RIGHT"})
_DURATION = "number, duration, step(), or range()"


def parse(text: str, *, features: frozenset[str] = frozenset()) -> Expr:
    """The tree of an expression, its types checked.

    features: upstream's names of the experimental ones switched on.
    Raises ParseError, with Prometheus' message and position.
    """
    try:
        expr = _run(text, _EXPRESSION, features)
        _check_selectors(expr)
    except Problem as problem:
        raise problem.as_error(text) from None
    return expr


def parse_series_selector(text: str) -> tuple[Matcher, ...]:
    """The matchers of a bare selector, as in `match[]`; it may match everything. Raises ParseError."""
    try:
        selector = _run(text, _SELECTOR, frozenset())
        assert isinstance(selector, VectorSelector)
    except Problem as problem:
        raise problem.as_error(text) from None
    return selector.matchers


@cache
def _tables() -> tables.Tables:
    return tables.load()


def _run(text: str, first: Token, features: frozenset[str]) -> Expr:
    table, builder = _tables(), Builder(features)
    states, rules = table.states, table.rules
    stack: list[int] = [table.start]
    values: list[Any] = []
    history: list[Token] = []
    for token in _with_ends(text, first):
        symbol = token.type
        while True:
            action = states[stack[-1]].get(symbol)
            if action is None:
                if token.type == "$END" and history == [_EXPRESSION]:
                    raise Problem("no expression found in input", Span(0, 0))
                raise Problem(_unexpected(token, history), token.span)
            if action >= 0:
                stack.append(action)
                values.append(token)
                break
            origin, length, name = rules[~action]
            if length:
                children_ = values[-length:]
                del values[-length:], stack[-length:]
            else:
                children_ = []
            values.append(getattr(builder, name)(*children_) if name else children_[0])
            stack.append(states[stack[-1]][origin])
            if stack[-1] == table.end:
                result: Expr = values[-1]
                return result
        history.append(token)
    raise AssertionError("the tables accept or refuse the end of input")


def _with_ends(text: str, first: Token) -> Iterable[Token]:
    yield first
    yield from tokens(text)
    end = Span(len(text), len(text))
    yield Token("$END", "", end)


def _check_selectors(expr: Expr) -> None:
    """Every selector but the second argument of info(), which may match everything."""
    pending: list[Expr] = [expr]
    while pending:
        node = pending.pop()
        if isinstance(node, VectorSelector):
            check_selector(node)
        below = children(node)
        if isinstance(node, Call) and node.func == "info":
            below = below[:1]
        pending.extend(reversed(below))


# What to say of a token that does not fit ----------------------------------------------------------


def _unexpected(token: Token, history: list[Token]) -> str:
    """`unexpected X in CONTEXT, expected Y`, in upstream's words for each context."""
    found = f"unexpected {describe(token)}"
    context, expected = _context(history)
    return found + (f" in {context}" if context else "") + (f", expected {expected}" if expected else "")


def _context(history: list[Token]) -> tuple[str, str]:
    last = history[-1].type
    opened = _innermost(history)
    if opened is not None and opened.type == "LEFT_BRACE":
        return "label matching", _in_braces(last)
    if opened is not None and opened.type == "LEFT_BRACKET":
        return _in_brackets(last, history)
    if opened is not None and _opens_grouping(opened, history):
        return "grouping opts", "label" if last in ("LEFT_PAREN", "COMMA") else '"," or ")"'
    if last == "OFFSET":
        return "offset", _DURATION
    if last == "AT":
        return "@", "timestamp"
    if last in ("BY", "WITHOUT", "ON", "IGNORING"):
        return "grouping opts", '"("'
    return ("aggregation", "") if last in AGGREGATORS else ("", "")


def _innermost(history: list[Token]) -> Token | None:
    """The bracket, brace or parenthesis that is still open."""
    depth = 0
    for token in reversed(history):
        if token.type in ("RIGHT_PAREN", "RIGHT_BRACE", "RIGHT_BRACKET"):
            depth += 1
        elif token.type in ("LEFT_PAREN", "LEFT_BRACE", "LEFT_BRACKET"):
            if depth == 0:
                return token
            depth -= 1
    return None


def _opens_grouping(opened: Token, history: list[Token]) -> bool:
    before = history[history.index(opened) - 1]
    return opened.type == "LEFT_PAREN" and before.type in _GROUPING


def _in_braces(last: str) -> str:
    if last in ("LEFT_BRACE", "COMMA"):
        return 'identifier or "}"'
    if last in ("EQL", "NEQ", "EQL_REGEX", "NEQ_REGEX"):
        return "string"
    if last == "IDENTIFIER":
        return "label matching operator"
    return '"," or "}"'


def _in_brackets(last: str, history: list[Token]) -> tuple[str, str]:
    if last in ("LEFT_BRACKET", "STEP", "RANGE"):
        return "subquery or range selector", _DURATION
    if last == "COLON":
        return "subquery selector", f'{_DURATION}, or "]"'
    colon = any(token.type == "COLON" for token in history[_position(history) :])
    return ("subquery selector", '"]"') if colon else ("subquery or range", '":" or "]"')


def _position(history: list[Token]) -> int:
    return max(index for index, token in enumerate(history) if token.type == "LEFT_BRACKET")
