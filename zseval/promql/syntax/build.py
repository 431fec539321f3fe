"""Builder: reductions of the grammar to nodes of the tree, checked as they are made.

Its methods are named after the rules and aliases of grammar/promql.lark; the parser calls them with
what it reduces: tokens, and what other methods made.
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import isfinite, isinf
from typing import Any, TypeVar

from zseval.model.duration import DurationError, parse_duration
from zseval.model.labels import is_valid_name, quote
from zseval.model.matcher import Matcher, MatchType, RegexError
from zseval.model.number import format_f
from zseval.promql.syntax import check
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
    Span,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorMatching,
    VectorSelector,
)
from zseval.promql.syntax.lexer import Problem, Token
from zseval.promql.syntax.quoting import unquote
from zseval.promql.syntax.signatures import AGGREGATIONS, EXPERIMENTAL_AGGREGATIONS, SIGNATURES

__all__ = ["Builder"]

_Node = TypeVar("_Node", bound="Expr | DurationOperation | DurationCall")

_OCTAL = re.compile(r"0[0-7_]+\Z")
_INT64 = 2**63
_MATCH_TYPES = {
    "=": MatchType.EQUAL,
    "!=": MatchType.NOT_EQUAL,
    "=~": MatchType.REGEX,
    "!~": MatchType.NOT_REGEX,
}
_LONGEST_MS = (2**63 - 1) // 1_000_000
_DEEPEST = 240
"""Operators nested in one another. Upstream has no limit; here each level is Python calls when a query is
planned and run, and a query beyond this is a program's mistake or somebody's attack."""
_EXPERIMENTAL = "promql-experimental-functions"
_EXTENDED = "promql-extended-range-selectors"
_FILL = "promql-binop-fill-modifiers"


def _span(first: Any, last: Any) -> Span:
    return Span(first.span.start, last.span.end)


class Builder:
    """One for each parse. features: upstream's names of what is switched on."""

    def __init__(self, features: frozenset[str]) -> None:
        self._features = features
        self._depths: dict[int, int] = {}
        self._kept: list[object] = []  # so that the ids in _depths stay those of living nodes

    def _deepen(self, node: _Node, *below: Any) -> _Node:
        """The node, its depth noted. Raises Problem past the limit."""
        depth = 1 + max((self._depths.get(id(child), 0) for child in below), default=0)
        if depth > _DEEPEST:
            raise Problem(f"expression is nested more than {_DEEPEST} levels deep", node.span)
        self._depths[id(node)] = depth
        self._kept.append(node)
        return node

    def whole(self, _start: Token, expr: Expr) -> Expr:
        return expr

    # Literals

    def number(self, token: Token) -> NumberLiteral:
        return NumberLiteral(_number(token), span=token.span)

    def duration_literal(self, token: Token) -> NumberLiteral:
        try:
            return NumberLiteral(parse_duration(token.text) / 1000, is_duration=True, span=token.span)
        except DurationError as error:
            raise Problem(str(error), token.span) from error

    def string(self, token: Token) -> StringLiteral:
        return StringLiteral(_text(token), span=token.span)

    def positive(self, sign: Token, number: NumberLiteral) -> NumberLiteral:
        return replace(number, span=_span(sign, number))

    def negative(self, sign: Token, number: NumberLiteral) -> NumberLiteral:
        return replace(number, value=-number.value, span=_span(sign, number))

    # Operators

    def paren(self, left: Token, expr: Expr, right: Token) -> Expr:
        return self._deepen(ParenExpr(expr, span=_span(left, right)), expr)

    def unary(self, op: Token, expr: Expr) -> Expr:
        if isinstance(expr, NumberLiteral):
            return self.negative(op, expr) if op.text == "-" else self.positive(op, expr)
        node = UnaryExpr(op.text, expr, span=_span(op, expr))
        check.check_unary(node)
        return self._deepen(node, expr)

    def binary(self, lhs: Expr, op: Token, modifier: tuple[bool, VectorMatching], rhs: Expr) -> Expr:
        return_bool, matching = modifier
        name = op.text.lower()
        vectors = lhs.type is ValueType.VECTOR and rhs.type is ValueType.VECTOR
        used = matching
        if name in check.SET_OPERATORS and matching.cardinality is Cardinality.ONE_TO_ONE:
            used = replace(matching, cardinality=Cardinality.MANY_TO_MANY)
        node = BinaryExpr(name, lhs, rhs, used if vectors else None, return_bool, span=_span(lhs, rhs))
        check.check_binary(node, op.span, used)
        return self._deepen(node, lhs, rhs)

    def bin_modifier(
        self, return_bool: bool, matching: VectorMatching, fill: Fill
    ) -> tuple[bool, VectorMatching]:
        return return_bool, replace(matching, fill=fill) if fill != Fill() else matching

    def bool_modifier(self, *token: Token) -> bool:
        return bool(token)

    def no_matching(self) -> VectorMatching:
        return VectorMatching()

    def matching(
        self, kind: Token, labels: tuple[str, ...], side: tuple[Cardinality, tuple[str, ...]] | None = None
    ) -> VectorMatching:
        cardinality, include = side or (Cardinality.ONE_TO_ONE, ())
        return VectorMatching(cardinality, labels, kind.type == "ON", include)

    def group_side(self, side: Token, labels: tuple[str, ...] = ()) -> tuple[Cardinality, tuple[str, ...]]:
        many = side.type == "GROUP_LEFT"
        return (Cardinality.MANY_TO_ONE if many else Cardinality.ONE_TO_MANY), labels

    def no_fill(self) -> Fill:
        return Fill()

    def parenthesized(self, _left: Token, value: NumberLiteral, _right: Token) -> float:
        return value.value

    def fill(self, kind: Token, value: float) -> Fill:
        self._need(_FILL, "binop fill modifiers are experimental and not enabled", kind.span)
        sides = {"FILL": Fill(value, value), "FILL_LEFT": Fill(left=value), "FILL_RIGHT": Fill(right=value)}
        return sides[kind.type]

    def fill_both(self, first: Token, value: float, second: Token, other: float) -> Fill:
        one, two = self.fill(first, value), self.fill(second, other)
        return Fill(
            one.left if one.left is not None else two.left, one.right if one.right is not None else two.right
        )

    # Label lists

    def label_list(self, _left: Token, *rest: Any) -> tuple[str, ...]:
        return rest[0] if isinstance(rest[0], tuple) else ()

    def labels(self, *parts: Any) -> tuple[str, ...]:
        return (parts[0],) if len(parts) == 1 else (*parts[0], parts[2])

    def label(self, token: Token) -> str:
        name = _text(token) if token.type == "STRING" else token.text
        if not is_valid_name(name):
            raise Problem(f"invalid label name for grouping: {quote(name)}", token.span)
        return name

    # Calls and aggregations

    def arguments(self, *parts: Any) -> list[Expr]:
        return [parts[0]] if len(parts) == 1 else [*parts[0], parts[2]]

    def trailing_comma(self, _arguments: list[Expr], comma: Token) -> list[Expr]:
        raise Problem("trailing commas not allowed in function call args", comma.span)

    def call(self, function: Token, _left: Token, *rest: Any) -> Expr:
        arguments = tuple(rest[0]) if isinstance(rest[0], list) else ()
        signature = SIGNATURES.get(function.text)
        if signature is None:
            raise Problem(f"unknown function with name {quote(function.text)}", function.span)
        if signature.experimental and _EXPERIMENTAL not in self._features:
            raise Problem(
                f"function {quote(function.text)} is not enabled "
                f"(switch it on with --enable-feature={_EXPERIMENTAL})",
                function.span,
            )
        node = Call(function.text, arguments, signature.returns, span=_span(function, rest[-1]))
        check.check_call(node, signature)
        return self._deepen(node, *arguments)

    def aggregate_body(self, left: Token, *rest: Any) -> tuple[list[Expr], Span]:
        return (rest[0] if isinstance(rest[0], list) else []), _span(left, rest[-1])

    def aggregate_modifier(self, kind: Token, labels: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
        return kind.type == "WITHOUT", labels

    def aggregate(self, op: Token, body: tuple[list[Expr], Span]) -> Expr:
        return self._aggregate(op, body, (False, ()))

    def aggregate_modifier_last(self, op: Token, body: Any, modifier: tuple[bool, tuple[str, ...]]) -> Expr:
        return self._aggregate(op, body, modifier)

    def aggregate_modifier_first(self, op: Token, modifier: tuple[bool, tuple[str, ...]], body: Any) -> Expr:
        return self._aggregate(op, body, modifier)

    def _aggregate(
        self, op: Token, body: tuple[list[Expr], Span], modifier: tuple[bool, tuple[str, ...]]
    ) -> Expr:
        name, (arguments, end) = op.text.lower(), body
        span = Span(op.span.start, end.end)
        if not arguments:
            raise Problem("no arguments for aggregate expression provided", span)
        if name in EXPERIMENTAL_AGGREGATIONS:
            message = f"{name}() is experimental and must be enabled with --enable-feature={_EXPERIMENTAL}"
            self._need(_EXPERIMENTAL, message, span)
        wanted = 1 if AGGREGATIONS[name] is None else 2
        if len(arguments) != wanted:
            counts = f"expected {wanted}, got {len(arguments)}"
            raise Problem(f"wrong number of arguments for aggregate expression provided, {counts}", span)
        without, grouping = modifier
        param = arguments[0] if wanted == 2 else None
        node = AggregateExpr(name, arguments[-1], param, grouping, without, span=span)
        check.check_aggregate(node)
        return self._deepen(node, *arguments)

    # Selectors

    def metric_name(self, token: Token) -> Token:
        return token

    def vector_selector(self, *parts: Any) -> VectorSelector:
        name = parts[0] if isinstance(parts[0], Token) else None
        found, braces = parts[-1] if isinstance(parts[-1], tuple) else ((), parts[-1].span)
        if name is None:
            return VectorSelector("", found, span=braces)
        matchers = (*found, Matcher.metric(name.text))
        return VectorSelector(name.text, matchers, span=Span(name.span.start, braces.end))

    def matchers(self, left: Token, *rest: Any) -> tuple[tuple[Matcher, ...], Span]:
        return tuple(rest[0]) if isinstance(rest[0], list) else (), _span(left, rest[-1])

    def matcher_list(self, *parts: Any) -> list[Matcher]:
        return [parts[0]] if len(parts) == 1 else [*parts[0], parts[2]]

    def matcher(self, name: Token, op: Token, value: Token) -> Matcher:
        label = _text(name) if name.type == "STRING" else name.text
        try:
            return Matcher(_MATCH_TYPES[op.text], label, _text(value))
        except RegexError as error:
            raise Problem(str(error), _span(name, value)) from error

    def quoted_name(self, token: Token) -> Matcher:
        return Matcher.metric(_text(token))

    # Modifiers of selectors

    def offset(self, expr: Expr, keyword: Token, duration: DurationExpr) -> Expr:
        target = _modified(expr, "offset modifier")
        if target.offset != 0:
            raise Problem("offset may not be set multiple times", expr.span)
        end = duration.span.end or keyword.span.end
        return self._again(expr, _with(expr, end, offset=self._duration(duration)))

    def at(self, expr: Expr, _at: Token, time: NumberLiteral) -> Expr:
        if not isfinite(time.value) or abs(time.value) * 1000 >= _INT64:
            shown = f"{time.value:f}" if isfinite(time.value) else format_f(time.value)
            raise Problem(f"timestamp out of bounds for @ modifier: {shown}", expr.span)
        return self._at(expr, round(time.value * 1000), time.span.end)

    def at_bound(self, expr: Expr, _at: Token, bound: Token, _left: Token, right: Token) -> Expr:
        return self._at(expr, AtBound(bound.text.lower()), right.span.end)

    def _at(self, expr: Expr, at: int | AtBound, end: int) -> Expr:
        if _modified(expr, "@ modifier").at is not None:
            raise Problem("@ <timestamp> may not be set multiple times", expr.span)
        return self._again(expr, _with(expr, end, at=at))

    def anchored(self, expr: Expr, keyword: Token) -> Expr:
        return self._extended(expr, keyword)

    def smoothed(self, expr: Expr, keyword: Token) -> Expr:
        return self._extended(expr, keyword)

    def _extended(self, expr: Expr, keyword: Token) -> Expr:
        name = keyword.text.lower()
        self._need(_EXTENDED, f"{name} modifier is experimental and not enabled", expr.span)
        if isinstance(expr, SubqueryExpr):
            raise Problem(f"{name} modifier is not supported for subqueries", expr.span)
        selector = expr.selector if isinstance(expr, MatrixSelector) else expr
        if not isinstance(selector, VectorSelector):
            raise Problem(f"{name} modifier not implemented", expr.span)
        if selector.anchored or selector.smoothed:
            raise Problem("anchored and smoothed modifiers cannot be used together", expr.span)
        return self._again(expr, _with(expr, keyword.span.end, **{name: True}))

    def matrix(self, expr: Expr, left: Token, duration: DurationExpr, right: Token) -> Expr:
        brackets = _span(left, right)
        if not isinstance(expr, VectorSelector):
            raise Problem("ranges only allowed for vector selectors", brackets)
        if expr.offset != 0:
            raise Problem("no offset modifiers allowed before range", brackets)
        if expr.at is not None:
            raise Problem("no @ modifiers allowed before range", brackets)
        return MatrixSelector(expr, self._positive(duration), span=_span(expr, right))

    def subquery(self, expr: Expr, _left: Token, duration: DurationExpr, _colon: Token, right: Token) -> Expr:
        return self._subquery(expr, duration, None, right)

    def subquery_step(
        self,
        expr: Expr,
        _left: Token,
        duration: DurationExpr,
        _colon: Token,
        step: DurationExpr,
        right: Token,
    ) -> Expr:
        return self._subquery(expr, duration, self._positive(step), right)

    def _subquery(self, expr: Expr, duration: DurationExpr, step: Duration | None, right: Token) -> Expr:
        node = SubqueryExpr(expr, self._positive(duration), step, span=_span(expr, right))
        check.check_subquery(node)
        return self._deepen(node, expr)

    def _again(self, before: Expr, after: Expr) -> Expr:
        """A node made anew from another has its depth."""
        self._depths[id(after)] = self._depths.get(id(before), 0)
        self._kept.append(after)
        return after

    # Durations

    def duration_unary(self, sign: Token, operand: DurationExpr) -> DurationExpr:
        if isinstance(operand, NumberLiteral):
            return self.negative(sign, operand) if sign.text == "-" else self.positive(sign, operand)
        node = DurationOperation(sign.text, None, operand, span=_span(sign, operand))
        return self._deepen(node, operand)

    def duration_binary(self, lhs: DurationExpr, op: Token, rhs: DurationExpr) -> DurationExpr:
        if op.text in "/%" and isinstance(rhs, NumberLiteral) and rhs.value == 0:
            raise Problem("division by zero" if op.text == "/" else "modulo by zero", op.span)
        node = DurationOperation(op.text, lhs, rhs, span=_span(lhs, rhs))
        return self._deepen(node, lhs, rhs)

    def duration_call(self, function: Token, _left: Token, *rest: Any) -> DurationExpr:
        arguments = tuple(part for part in rest if not isinstance(part, Token))
        node = DurationCall(function.text.lower(), arguments, span=_span(function, rest[-1]))
        return self._deepen(node, *arguments)

    def duration_paren(self, left: Token, inner: DurationExpr, right: Token) -> DurationExpr:
        if isinstance(inner, NumberLiteral):
            return replace(inner, span=_span(left, right))
        return replace(inner, parens=True, span=_span(left, right))

    def _positive(self, duration: DurationExpr) -> Duration:
        if isinstance(duration, NumberLiteral) and duration.value <= 0:
            raise Problem("duration must be greater than 0", duration.span)
        return self._duration(duration)

    def _duration(self, duration: DurationExpr) -> Duration:
        """Milliseconds where they are known already."""
        if not isinstance(duration, NumberLiteral):
            return duration
        milliseconds = duration.value * 1000
        if not isfinite(milliseconds) or abs(milliseconds) > _LONGEST_MS:
            raise Problem("duration out of range", duration.span)
        return round(milliseconds)

    def _need(self, feature: str, message: str, span: Span) -> None:
        if feature not in self._features:
            hint = "" if feature in message else f" (switch it on with --enable-feature={feature})"
            raise Problem(message + hint, span)


def _modified(expr: Expr, what: str) -> VectorSelector | SubqueryExpr:
    """What a modifier after `expr` applies to."""
    if isinstance(expr, MatrixSelector):
        return expr.selector
    if isinstance(expr, VectorSelector | SubqueryExpr):
        return expr
    raise Problem(
        f"{what} must be preceded by an instant vector selector or range vector selector or a subquery",
        expr.span,
    )


def _with(expr: Expr, end: int, **changes: Any) -> Expr:
    """expr with the changes where a modifier puts them, and longer by the modifier."""
    span = Span(expr.span.start, end)
    if isinstance(expr, MatrixSelector):
        return replace(expr, selector=replace(expr.selector, **changes), span=span)
    assert isinstance(expr, VectorSelector | SubqueryExpr)
    return replace(expr, **changes, span=span)


def _text(token: Token) -> str:
    try:
        return unquote(token.text)
    except ValueError as error:
        raise Problem(str(error), token.span) from error


def _number(token: Token) -> float:
    """A number as Go reads it: with a base prefix, a leading 0 or underscores an integer, else a float."""
    text = token.text
    try:
        integer = int(text, 8) if _OCTAL.match(text) else int(text, 0)
        if abs(integer) < _INT64:
            return float(integer)
    except ValueError:
        pass
    try:
        if "_" in text:
            raise ValueError("underscores")
        number = float(text)
    except ValueError as error:
        raise _number_problem(token, "invalid syntax") from error
    if isinf(number) and text.lower() != "inf":
        raise _number_problem(token, "value out of range")
    return number


def _number_problem(token: Token, reason: str) -> Problem:
    return Problem(
        f"error parsing number: strconv.ParseFloat: parsing {quote(token.text)}: {reason}", token.span
    )
