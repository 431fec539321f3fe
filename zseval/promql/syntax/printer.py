"""Printer: a tree as text, on one line or laid out over several.

What comes out reads back to the same tree, but for the order of matchers. The forms are upstream's
(promql/parser/printer.go and prettier.go), since the API shows rules and formatted queries in them.
"""

from __future__ import annotations

from typing import assert_never

from zseval.model.duration import format_duration
from zseval.model.labels import METRIC_NAME, is_legacy_label_name, quote
from zseval.model.matcher import Matcher, MatchType
from zseval.model.number import format_f, format_g
from zseval.promql.syntax.ast import (
    AggregateExpr,
    AtBound,
    BinaryExpr,
    Call,
    Cardinality,
    Duration,
    DurationCall,
    DurationExpr,
    DurationOperation,
    Expr,
    Fill,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorMatching,
    VectorSelector,
)

__all__ = ["matching_text", "pretty", "to_text"]

_WIDEST_LINE = 100
_INDENT = "  "


def to_text(node: Expr) -> str:
    """The expression on one line, in Prometheus' normal form."""
    match node:
        case NumberLiteral():
            return _number(node)
        case StringLiteral(value=value, escaped=escaped):
            return _readable(escaped or quote(value))
        case VectorSelector():
            return _selector(node) + _at(node.at) + _extended(node) + _offset(node.offset)
        case MatrixSelector(selector=selector, range=width):
            modifiers = _extended(selector) + _at(selector.at) + _offset(selector.offset)
            return f"{_selector(selector)}[{_duration(width)}]{modifiers}"
        case SubqueryExpr(expr=expr):
            return to_text(expr) + _subquery_suffix(node)
        case ParenExpr(expr=expr):
            return f"({to_text(expr)})"
        case UnaryExpr(op=op, expr=expr):
            return op + to_text(expr)
        case BinaryExpr(lhs=lhs, rhs=rhs):
            return f"{to_text(lhs)} {_operator(node)} {to_text(rhs)}"
        case AggregateExpr(param=param, expr=expr):
            first = f"{to_text(param)}, " if param is not None else ""
            return f"{_aggregation(node)}({first}{to_text(expr)})"
        case Call(func=func, args=args):
            return f"{func}({', '.join(map(to_text, args))})"
        case _:
            assert_never(node)


def pretty(node: Expr, level: int = 0) -> str:
    """The expression over several lines where one would be longer than 100 characters."""
    indent = _INDENT * level
    text = to_text(node)
    if isinstance(node, UnaryExpr):
        return indent + node.op + pretty(node.expr, level).strip()
    if isinstance(node, SubqueryExpr):
        if _fits(text):
            return text
        return pretty(node.expr, level) + _subquery_suffix(node)
    if _fits(text):
        return indent + text
    match node:
        case AggregateExpr(param=param, expr=expr):
            first = f"{pretty(param, level + 1)},\n" if param is not None else ""
            return f"{indent}{_aggregation(node)}(\n{first}{pretty(expr, level + 1)}\n{indent})"
        case BinaryExpr(lhs=lhs, rhs=rhs):
            return f"{pretty(lhs, level + 1)}\n{indent}{_operator(node)}\n{pretty(rhs, level + 1)}"
        case Call(func=func, args=args):
            inner = ",\n".join(pretty(argument, level + 1) for argument in args)
            return f"{indent}{func}(\n{inner}\n{indent})"
        case ParenExpr(expr=expr):
            return f"{indent}(\n{pretty(expr, level + 1)}\n{indent})"
        case _:
            return indent + text


def _fits(text: str) -> bool:
    """On a line; upstream counts bytes."""
    return len(text) <= _WIDEST_LINE and (text.isascii() or len(text.encode()) <= _WIDEST_LINE)


def matching_text(matching: VectorMatching) -> str:
    """` on (a) group_left (b)`, or "" for plain one-to-one matching."""
    grouped = matching.cardinality in (Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY)
    text = ""
    if matching.labels or matching.on or grouped:
        text = f" {'on' if matching.on else 'ignoring'} ({_labels(matching.labels)})"
    if grouped:
        side = "left" if matching.cardinality is Cardinality.MANY_TO_ONE else "right"
        text += f" group_{side} ({_labels(matching.include)})"
    return text + _fill(matching.fill)


def _fill(fill: Fill) -> str:
    if fill.left is not None and fill.left == fill.right:
        return f" fill ({format_g(fill.left)})"
    left = f" fill_left ({format_g(fill.left)})" if fill.left is not None else ""
    right = f" fill_right ({format_g(fill.right)})" if fill.right is not None else ""
    return left + right


def _operator(node: BinaryExpr) -> str:
    matching = matching_text(node.matching) if node.matching is not None else ""
    return node.op + (" bool" if node.return_bool else "") + matching


def _aggregation(node: AggregateExpr) -> str:
    if node.without:
        return f"{node.op} without ({_labels(node.grouping)}) "
    return f"{node.op} by ({_labels(node.grouping)}) " if node.grouping else node.op


def _labels(names: tuple[str, ...]) -> str:
    return ", ".join(name if is_legacy_label_name(name) else _readable(quote(name)) for name in names)


def _readable(text: str) -> str:
    """With U+FFFD as an escape: upstream prints it bare, and refuses to read that back."""
    return text.replace("\ufffd", "\\ufffd")


def _number(node: NumberLiteral) -> str:
    # Rounded: upstream cuts parts of a millisecond off, and prints 1001ms, 1.001 seconds as a float, as 1s.
    return format_duration(round(node.value * 1000)) if node.is_duration else format_f(node.value)


def _selector(node: VectorSelector) -> str:
    """Name and matchers; the name's own matcher is not shown twice."""
    shown = sorted(_readable(str(matcher)) for matcher in node.matchers if not _is_name(matcher, node.name))
    return node.name + (f"{{{','.join(shown)}}}" if shown else "")


def _is_name(matcher: Matcher, name: str) -> bool:
    named = matcher.name == METRIC_NAME and matcher.type is MatchType.EQUAL
    return named and matcher.value == name and name != ""


def _extended(node: VectorSelector) -> str:
    if node.anchored:
        return " anchored"
    return " smoothed" if node.smoothed else ""


def _at(at: int | AtBound | None) -> str:
    if at is None:
        return ""
    return f" @ {at.value}()" if isinstance(at, AtBound) else f" @ {at / 1000:.3f}"


def _offset(offset: Duration) -> str:
    if offset == 0:
        return ""
    text = _duration(offset)
    return f" offset {text}" if _stands_alone(offset, text) else f" offset ({text})"


def _stands_alone(offset: Duration, text: str) -> bool:
    """Whether `offset text` takes all of it. Two signs, as in `offset --1m + 2m`, let upstream read
    arithmetic here that it prints without them, so that the rest is no offset any more."""
    if not isinstance(offset, DurationOperation) or offset.parens:
        return True
    if offset.lhs is not None:
        return text.startswith("(")
    return not isinstance(offset.rhs, DurationOperation) or offset.rhs.parens


def _subquery_suffix(node: SubqueryExpr) -> str:
    step = "" if node.step is None else _duration(node.step)
    return f"[{_duration(node.range)}:{step}]{_at(node.at)}{_offset(node.offset)}"


def _duration(duration: Duration) -> str:
    return format_duration(duration) if isinstance(duration, int) else _duration_expr(duration)


def _duration_expr(node: DurationExpr) -> str:
    match node:
        case NumberLiteral():
            return _number(node)
        case DurationCall(name=name, args=args):
            text = f"{name}({', '.join(map(_duration_expr, args))})"
        case DurationOperation(op=op, lhs=None, rhs=rhs):
            text = (op if op == "-" else "") + _duration_expr(rhs)
        case DurationOperation(op=op, lhs=lhs, rhs=rhs):
            text = f"{_duration_expr(lhs) if lhs is not None else ''} {op} {_duration_expr(rhs)}"
        case _:
            assert_never(node)
    return f"({text})" if node.parens else text
