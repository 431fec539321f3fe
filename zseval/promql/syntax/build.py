"""Builder: reductions of the grammar to nodes of the tree.

Its methods are named after the rules and aliases of grammar/promql.lark; the parser calls them with
what it reduces: tokens, and what other methods made. What a modifier may follow, what a number may be
and which features are on is checked here; types are checked when the tree is whole (check.py).
Source: promql/parser/generated_parser.y and parse.go upstream, for conditions, messages, positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import floor, isfinite
from typing import Any, NamedTuple

from zseval.model.duration import DurationError, parse_duration
from zseval.model.labels import is_valid_name, quote
from zseval.model.matcher import Matcher, MatchType, RegexError
from zseval.model.number import format_fixed
from zseval.promql.syntax import quoting
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
from zseval.promql.syntax.signatures import AGGREGATIONS, EXPERIMENTAL_AGGREGATIONS, SIGNATURES

__all__ = ["SET_OPERATORS", "Builder", "Reduction", "reductions"]

SET_OPERATORS = frozenset({"and", "or", "unless"})
_LARGEST_INT64 = 2**63
_LONGEST_SECONDS = 2**63 / 1e9  # Go's time.Duration counts nanoseconds in an int64
_EXPERIMENTAL = "promql-experimental-functions"
_EXTENDED = "promql-extended-range-selectors"
_FILL = "promql-binop-fill-modifiers"
_PLAIN = VectorMatching()
_PLAIN_SET = VectorMatching(Cardinality.MANY_TO_MANY)


class _Names(NamedTuple):
    """A list of labels in parentheses, and where it ends."""

    names: tuple[str, ...]
    end: int


class _Body(NamedTuple):
    """Arguments in parentheses, and where they end."""

    arguments: list[Expr]
    end: int


class _Braces(NamedTuple):
    """Matchers in braces."""

    matchers: tuple[Matcher, ...]
    span: Span


class _Grouping(NamedTuple):
    without: bool
    names: _Names


class _Modifier(NamedTuple):
    """What may stand between a binary operator and its right side."""

    return_bool: bool
    matching: VectorMatching


_Side = tuple[Cardinality, tuple[str, ...]]
_NO_FILL = Fill()
_PLAIN_MODIFIER = _Modifier(False, _PLAIN)


@dataclass(slots=True)
class Builder:
    """One for each parse.

    features: upstream's names of what is switched on.
    types: of the nodes that take theirs from their operands, by the id of the node, as `type` recurses.
    written: the matching of a binary expression as written, by the id of its node, where the node has
        none because a side is no vector; the type check has words for it.
    """

    features: frozenset[str]
    types: dict[int, ValueType] = field(default_factory=dict)
    written: dict[int, VectorMatching] = field(default_factory=dict)

    def _type(self, node: Expr) -> ValueType:
        return self.types.get(id(node)) or node.type

    def whole(self, _start: Token, expr: Expr) -> Expr:
        return expr

    # Literals

    def number(self, token: Token) -> NumberLiteral:
        try:
            return NumberLiteral(quoting.number(token.text), span=Span(token.start, token.end))
        except ValueError as error:
            raise Problem(f"error parsing number: {error}", token.start) from error

    def duration_literal(self, token: Token) -> NumberLiteral:
        try:
            milliseconds = parse_duration(token.text)
        except DurationError as error:
            raise Problem(str(error), token.start) from error
        seconds, rest = divmod(milliseconds, 1000)
        return NumberLiteral(seconds + rest / 1000, is_duration=True, span=Span(token.start, token.end))

    def string(self, token: Token) -> StringLiteral:
        return StringLiteral(
            quoting.unquote(token.text), quoting.escaped(token.text), span=Span(token.start, token.end)
        )

    def positive(self, sign: Token, number: NumberLiteral) -> NumberLiteral:
        return replace(number, span=Span(sign.start, number.span.end))

    def negative(self, sign: Token, number: NumberLiteral) -> NumberLiteral:
        return replace(number, value=-number.value, span=Span(sign.start, number.span.end))

    # Operators

    def paren(self, left: Token, expr: Expr, right: Token) -> Expr:
        node = ParenExpr(expr, span=Span(left.start, right.end))
        self.types[id(node)] = self._type(expr)
        return node

    def unary(self, op: Token, expr: Expr) -> Expr:
        if isinstance(expr, NumberLiteral):
            return self.negative(op, expr) if op.text == "-" else self.positive(op, expr)
        node = UnaryExpr(op.text, expr, span=Span(op.start, expr.span.end))
        self.types[id(node)] = self._type(expr)
        return node

    def binary(self, lhs: Expr, op: Token, modifier: _Modifier, rhs: Expr) -> Expr:
        return_bool, matching = modifier
        name = op.text.lower()
        if matching.fill != _NO_FILL and _FILL not in self.features:
            message = f"binop fill modifiers are experimental and not enabled{_switch_on(_FILL)}"
            raise Problem(message, lhs.span.start)
        if name in SET_OPERATORS and matching.cardinality is Cardinality.ONE_TO_ONE:
            many = Cardinality.MANY_TO_MANY
            matching = _PLAIN_SET if matching is _PLAIN else replace(matching, cardinality=many)
        left, right = self._type(lhs), self._type(rhs)
        vectors = left is right is ValueType.VECTOR
        span = Span(lhs.span.start, rhs.span.end)
        node = BinaryExpr(name, lhs, rhs, matching if vectors else None, return_bool, span=span)
        self.types[id(node)] = left if left is right is ValueType.SCALAR else ValueType.VECTOR
        if not vectors and matching is not _PLAIN:
            self.written[id(node)] = matching
        return node

    def bin_modifier(self, return_bool: bool, matching: VectorMatching, fill: Fill) -> _Modifier:
        if fill is not _NO_FILL:
            matching = replace(matching, fill=fill)
        elif matching is _PLAIN and not return_bool:
            return _PLAIN_MODIFIER
        return _Modifier(return_bool, matching)

    def no_bool(self) -> bool:
        return False

    def bool_modifier(self, _token: Token) -> bool:
        return True

    def no_matching(self) -> VectorMatching:
        return _PLAIN

    def matching(
        self, kind: Token, labels: _Names, side: _Side = (Cardinality.ONE_TO_ONE, ())
    ) -> VectorMatching:
        cardinality, include = side
        return VectorMatching(cardinality, labels.names, kind.type == "ON", include)

    def bare_group_side(self, side: Token) -> _Side:
        many = side.type == "GROUP_LEFT"
        return (Cardinality.MANY_TO_ONE if many else Cardinality.ONE_TO_MANY), ()

    def group_side(self, side: Token, labels: _Names) -> _Side:
        return self.bare_group_side(side)[0], labels.names

    def no_fill(self) -> Fill:
        return _NO_FILL

    def fill_value(self, _left: Token, value: NumberLiteral, _right: Token) -> float:
        return value.value

    def fill(self, kind: Token, value: float) -> Fill:
        left = value if kind.type != "FILL_RIGHT" else None
        right = value if kind.type != "FILL_LEFT" else None
        return Fill(left, right)

    def fill_both(self, first: Token, value: float, _second: Token, other: float) -> Fill:
        return Fill(value, other) if first.type == "FILL_LEFT" else Fill(other, value)

    # Label lists

    def empty_label_list(self, _left: Token, right: Token) -> _Names:
        return _Names((), right.end)

    def label_list(self, _left: Token, labels: list[str], right: Token) -> _Names:
        return _Names(tuple(labels), right.end)

    def label_list_comma(self, _left: Token, labels: list[str], _comma: Token, right: Token) -> _Names:
        return _Names(tuple(labels), right.end)

    def first_label(self, label: str) -> list[str]:
        return [label]

    def labels(self, labels: list[str], _comma: Token, label: str) -> list[str]:
        labels.append(label)
        return labels

    def label(self, token: Token) -> str:
        name = quoting.unquote(token.text) if token.type == "STRING" else token.text
        if not is_valid_name(name):
            raise Problem(f"invalid label name for grouping: {quote(name)}", token.start)
        return name

    # Calls and aggregations

    def first_argument(self, expr: Expr) -> list[Expr]:
        return [expr]

    def arguments(self, arguments: list[Expr], _comma: Token, expr: Expr) -> list[Expr]:
        arguments.append(expr)
        return arguments

    def trailing_comma(self, _arguments: list[Expr], comma: Token) -> list[Expr]:
        raise Problem("trailing commas not allowed in function call args", comma.start)

    def empty_call(self, function: Token, left: Token, right: Token) -> Expr:
        return self.call(function, left, [], right)

    def call(self, function: Token, _left: Token, arguments: list[Expr], right: Token) -> Expr:
        name = function.text
        signature = SIGNATURES.get(name)
        if signature is None:
            raise Problem(f"unknown function with name {quote(name)}", function.start)
        if signature.experimental and _EXPERIMENTAL not in self.features:
            message = f"function {quote(name)} is not enabled{_switch_on(_EXPERIMENTAL)}"
            raise Problem(message, function.start)
        return Call(name, tuple(arguments), signature.returns, span=Span(function.start, right.end))

    def empty_aggregate_body(self, _left: Token, right: Token) -> _Body:
        return _Body([], right.end)

    def aggregate_body(self, _left: Token, arguments: list[Expr], right: Token) -> _Body:
        return _Body(arguments, right.end)

    def aggregate_modifier(self, kind: Token, labels: _Names) -> _Grouping:
        return _Grouping(kind.type == "WITHOUT", labels)

    def aggregate(self, op: Token, body: _Body) -> Expr:
        return _aggregate(op, body.arguments, False, (), body.end, self.features)

    def aggregate_modifier_last(self, op: Token, body: _Body, by: _Grouping) -> Expr:
        return _aggregate(op, body.arguments, by.without, by.names.names, by.names.end, self.features)

    def aggregate_modifier_first(self, op: Token, by: _Grouping, body: _Body) -> Expr:
        return _aggregate(op, body.arguments, by.without, by.names.names, body.end, self.features)

    # Selectors

    def named_selector(self, name: Token) -> VectorSelector:
        span = Span(name.start, name.end)
        return VectorSelector(name.text, (Matcher.metric(name.text),), span=span)

    def vector_selector(self, name: Token, braces: _Braces) -> VectorSelector:
        matchers = (*braces.matchers, Matcher.metric(name.text))
        return VectorSelector(name.text, matchers, span=Span(name.start, braces.span.end))

    def bare_selector(self, braces: _Braces) -> VectorSelector:
        return VectorSelector("", braces.matchers, span=braces.span)

    def empty_matchers(self, left: Token, right: Token) -> _Braces:
        return _Braces((), Span(left.start, right.end))

    def matchers(self, left: Token, matchers: list[Matcher], right: Token) -> _Braces:
        return _Braces(tuple(matchers), Span(left.start, right.end))

    def matchers_comma(self, left: Token, matchers: list[Matcher], _comma: Token, right: Token) -> _Braces:
        return _Braces(tuple(matchers), Span(left.start, right.end))

    def first_matcher(self, matcher: Matcher) -> list[Matcher]:
        return [matcher]

    def matcher_list(self, matchers: list[Matcher], _comma: Token, matcher: Matcher) -> list[Matcher]:
        matchers.append(matcher)
        return matchers

    def matcher(self, name: Token, op: Token, value: Token) -> Matcher:
        label = quoting.unquote(name.text) if name.type == "STRING" else name.text
        try:
            return Matcher(MatchType(op.text), label, quoting.unquote(value.text))
        except RegexError as error:
            raise Problem(str(error), name.start) from error

    def quoted_name(self, token: Token) -> Matcher:
        return Matcher.metric(quoting.unquote(token.text))

    # Modifiers of selectors

    def offset(self, expr: Expr, _keyword: Token, duration: DurationExpr) -> Expr:
        target = _modified(expr, "offset modifier")
        if target.offset != 0:
            raise Problem("offset may not be set multiple times", expr.span.start)
        return _with(expr, duration.span.end, offset=_milliseconds(duration))

    def at(self, expr: Expr, _at: Token, time: NumberLiteral) -> Expr:
        # Upstream compares seconds with int64, and milliseconds beyond it wrap around; here they are refused.
        if not isfinite(time.value) or abs(time.value) * 1000 >= _LARGEST_INT64:
            shown = format_fixed(time.value, 6)
            raise Problem(f"timestamp out of bounds for @ modifier: {shown}", expr.span.start)
        return self._at(expr, int(_rounded(time.value * 1000)), time.span.end)

    def at_bound(self, expr: Expr, _at: Token, bound: Token, _left: Token, right: Token) -> Expr:
        return self._at(expr, AtBound(bound.text.lower()), right.end)

    def _at(self, expr: Expr, at: int | AtBound, end: int) -> Expr:
        if _modified(expr, "@ modifier").at is not None:
            raise Problem("@ <timestamp> may not be set multiple times", expr.span.start)
        return _with(expr, end, at=at)

    def anchored(self, expr: Expr, keyword: Token) -> Expr:
        return self._extended(expr, keyword.type.lower(), keyword.end)

    def smoothed(self, expr: Expr, keyword: Token) -> Expr:
        return self._extended(expr, keyword.type.lower(), keyword.end)

    def _extended(self, expr: Expr, name: str, end: int) -> Expr:
        if _EXTENDED not in self.features:
            message = f"{name} modifier is experimental and not enabled{_switch_on(_EXTENDED)}"
            raise Problem(message, expr.span.start)
        if isinstance(expr, SubqueryExpr):
            raise Problem(f"{name} modifier is not supported for subqueries", expr.span.start)
        selector = expr.selector if isinstance(expr, MatrixSelector) else expr
        if not isinstance(selector, VectorSelector):
            raise Problem(f"{name} modifier not implemented", expr.span.start)
        if selector.smoothed if name == "anchored" else selector.anchored:
            raise Problem("anchored and smoothed modifiers cannot be used together", expr.span.start)
        return _with(expr, end, **{name: True})

    def matrix(self, expr: Expr, left: Token, width: DurationExpr, right: Token) -> Expr:
        if not isinstance(expr, VectorSelector):
            raise Problem("ranges only allowed for vector selectors", left.start)
        if expr.offset != 0:
            raise Problem("no offset modifiers allowed before range", left.start)
        if expr.at is not None:
            raise Problem("no @ modifiers allowed before range", left.start)
        return MatrixSelector(expr, _milliseconds(width), span=Span(expr.span.start, right.end))

    def subquery(self, expr: Expr, _left: Token, width: DurationExpr, _colon: Token, right: Token) -> Expr:
        return SubqueryExpr(expr, _milliseconds(width), span=Span(expr.span.start, right.end))

    def subquery_step(
        self, expr: Expr, _left: Token, width: DurationExpr, _colon: Token, step: DurationExpr, right: Token
    ) -> Expr:
        span = Span(expr.span.start, right.end)
        return SubqueryExpr(expr, _milliseconds(width), _milliseconds(step), span=span)

    # Durations

    def positive_duration(self, duration: DurationExpr) -> DurationExpr:
        if isinstance(duration, NumberLiteral) and duration.value <= 0:
            raise Problem("duration must be greater than 0", duration.span.start)
        return duration

    def duration_number(self, number: NumberLiteral) -> NumberLiteral:
        if abs(number.value) > _LONGEST_SECONDS:
            raise Problem("duration out of range", number.span.start)
        return number

    def duration_unary(self, sign: Token, operand: DurationExpr) -> DurationExpr:
        if isinstance(operand, NumberLiteral):
            return self.negative(sign, operand) if sign.text == "-" else self.positive(sign, operand)
        if sign.text == "+":
            return operand  # upstream forgets it, too: it is not printed
        return DurationOperation("-", None, operand, span=Span(sign.start, operand.span.end))

    def duration_binary(self, lhs: DurationExpr, op: Token, rhs: DurationExpr) -> DurationExpr:
        if op.text in "/%" and isinstance(rhs, NumberLiteral) and rhs.value == 0:
            raise Problem("division by zero" if op.text == "/" else "modulo by zero", op.start)
        return DurationOperation(op.text, lhs, rhs, span=Span(lhs.span.start, rhs.span.end))

    def duration_query(self, function: Token, _left: Token, right: Token) -> DurationExpr:
        return DurationCall(function.text.lower(), (), span=Span(function.start, right.end))

    def duration_call(
        self,
        function: Token,
        _left: Token,
        first: DurationExpr,
        _comma: Token,
        second: DurationExpr,
        right: Token,
    ) -> DurationExpr:
        span = Span(function.start, right.end)
        return DurationCall(function.text.lower(), (first, second), span=span)

    def duration_paren(self, left: Token, inner: DurationExpr, right: Token) -> DurationExpr:
        span = Span(left.start, right.end)
        if isinstance(
            inner, NumberLiteral
        ):  # as upstream: a sign that is not printed carries the parentheses
            return DurationOperation("+", None, inner, span=span, parens=True)
        return replace(inner, parens=True, span=span)


Reduction = Callable[..., Any]
"""A method of Builder; the grammar says what it is given."""


def reductions(names: list[str]) -> list[Reduction | None]:
    """The methods of Builder by the names of rules; None for "" and for the rules of ERROR."""
    return [getattr(Builder, name, None) if name else None for name in names]


def _switch_on(feature: str) -> str:
    """What follows upstream's words where a feature is off: how to have it."""
    return f" (switch it on with --enable-feature={feature})"


def _aggregate(
    op: Token,
    arguments: list[Expr],
    without: bool,
    grouping: tuple[str, ...],
    end: int,
    features: frozenset[str],
) -> Expr:
    name = op.text.lower()
    if not arguments:
        raise Problem("no arguments for aggregate expression provided", op.start)
    if name in EXPERIMENTAL_AGGREGATIONS and _EXPERIMENTAL not in features:
        message = f"{name}() is experimental and must be enabled with --enable-feature={_EXPERIMENTAL}"
        raise Problem(message, op.start)
    wanted = 1 if AGGREGATIONS[name] is None else 2
    if len(arguments) != wanted:
        counts = f"expected {wanted}, got {len(arguments)}"
        raise Problem(f"wrong number of arguments for aggregate expression provided, {counts}", op.start)
    param = arguments[0] if wanted == 2 else None
    return AggregateExpr(name, arguments[-1], param, grouping, without, span=Span(op.start, end))


def _modified(expr: Expr, what: str) -> VectorSelector | SubqueryExpr:
    """What a modifier after `expr` applies to."""
    if isinstance(expr, MatrixSelector):
        return expr.selector
    if isinstance(expr, VectorSelector | SubqueryExpr):
        return expr
    raise Problem(
        f"{what} must be preceded by an instant vector selector or range vector selector or a subquery",
        expr.span.start,
    )


def _with(expr: Expr, end: int, **changes: Any) -> Expr:
    """expr with the changes where a modifier puts them, and longer by the modifier."""
    span = Span(expr.span.start, end)
    if isinstance(expr, MatrixSelector):
        return replace(expr, selector=replace(expr.selector, **changes), span=span)
    assert isinstance(expr, VectorSelector | SubqueryExpr), "_modified and _extended let nothing else pass"
    return replace(expr, **changes, span=span)


def _milliseconds(duration: DurationExpr) -> Duration:
    """Whole milliseconds where they are known already; what is finer is cut off, as upstream."""
    if not isinstance(duration, NumberLiteral):
        return duration
    nanoseconds = int(_rounded(duration.value * 1e9))
    whole = abs(nanoseconds) // 1_000_000
    return -whole if nanoseconds < 0 else whole


def _rounded(value: float) -> float:
    """As Go's math.Round: halves away from zero."""
    if abs(value) >= 2**52 or not value % 1:
        return value
    whole = floor(abs(value) + 0.5) if abs(value) != 0.49999999999999994 else 0
    return -whole if value < 0 else whole
