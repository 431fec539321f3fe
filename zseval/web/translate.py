"""The tree of a query as the JSON of /api/v1/parse_query. Source: prometheus web/api/v1/translate_ast.go."""

from __future__ import annotations

from typing import Any, TypeAlias, assert_never

from zseval.model.matcher import Matcher
from zseval.model.number import format_f
from zseval.promql.syntax.ast import (
    AggregateExpr,
    AtBound,
    BinaryExpr,
    Call,
    Duration,
    DurationCall,
    DurationExpr,
    DurationOperation,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorMatching,
    VectorSelector,
)

__all__ = ["translate"]

Json: TypeAlias = dict[str, Any]


def translate(node: Expr) -> Json:
    match node:
        case AggregateExpr():
            return {
                "type": "aggregation",
                "op": node.op,
                "expr": translate(node.expr),
                "param": None if node.param is None else translate(node.param),
                "grouping": list(node.grouping),
                "without": node.without,
            }
        case BinaryExpr():
            return {
                "type": "binaryExpr",
                "op": node.op,
                "lhs": translate(node.lhs),
                "rhs": translate(node.rhs),
                "matching": None if node.matching is None else _matching(node.matching),
                "bool": node.return_bool,
            }
        case Call():
            return {
                "type": "call",
                "func": _function(node.func),
                "args": [translate(arg) for arg in node.args],
            }
        case MatrixSelector():
            inner = _selector(node.selector)
            return {**inner, "type": "matrixSelector", **_duration("range", node.range)}
        case SubqueryExpr():
            return {
                "type": "subquery",
                "expr": translate(node.expr),
                **_duration("range", node.range),
                **_duration("offset", node.offset),
                **_duration("step", node.step or 0),
                **_at(node.at),
            }
        case NumberLiteral():
            return {"type": "numberLiteral", "val": format_f(node.value)}
        case ParenExpr():
            return {"type": "parenExpr", "expr": translate(node.expr)}
        case StringLiteral():
            return {"type": "stringLiteral", "val": node.value}
        case UnaryExpr():
            return {"type": "unaryExpr", "op": node.op, "expr": translate(node.expr)}
        case VectorSelector():
            return _selector(node)
        case _:
            assert_never(node)


def _selector(node: VectorSelector) -> Json:
    return {
        "type": "vectorSelector",
        "name": node.name,
        **_duration("offset", node.offset),
        "matchers": [_matcher(matcher) for matcher in node.matchers],
        **_at(node.at),
        "anchored": node.anchored,
        "smoothed": node.smoothed,
    }


def _matcher(matcher: Matcher) -> Json:
    return {"name": matcher.name, "value": matcher.value, "type": matcher.type.value}


def _matching(matching: VectorMatching) -> Json:
    return {
        "card": matching.cardinality.value,
        "labels": list(matching.labels),
        "on": matching.on,
        "include": list(matching.include),
        "fillValues": {"lhs": matching.fill.left, "rhs": matching.fill.right},
    }


def _function(name: str) -> Json:
    from zseval.promql.syntax.signatures import SIGNATURES

    signature = SIGNATURES[name]
    return {
        "name": name,
        "argTypes": [kind.value for kind in signature.args],
        "variadic": signature.variadic,
        "returnType": signature.returns.value,
    }


def _at(at: int | AtBound | None) -> Json:
    if isinstance(at, AtBound):
        return {"timestamp": None, "startOrEnd": at.value}
    return {"timestamp": at, "startOrEnd": None}


def _duration(name: str, duration: Duration) -> Json:
    """The duration in ms under its name, 0 where it is an expression, and that under `…Expr`."""
    if isinstance(duration, int):
        return {name: duration, f"{name}Expr": None}
    return {name: 0, f"{name}Expr": _expression(duration)}


def _expression(node: DurationExpr | None) -> Json | None:
    match node:
        case None:
            return None
        case NumberLiteral():
            return {"type": "numberLiteral", "val": format_f(node.value), "duration": node.is_duration}
        case DurationOperation():
            return _duration_expression(node.op, node.lhs, node.rhs, node.parens)
        case DurationCall():
            lhs, rhs = (*node.args, None, None)[:2]
            return _duration_expression(node.name, lhs, rhs, node.parens)
        case _:
            assert_never(node)


def _duration_expression(op: str, lhs: DurationExpr | None, rhs: DurationExpr | None, wrapped: bool) -> Json:
    return {
        "type": "durationExpr",
        "op": op,
        "lhs": _expression(lhs),
        "rhs": _expression(rhs),
        "wrapped": wrapped,
    }
