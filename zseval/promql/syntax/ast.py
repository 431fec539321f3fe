"""The tree of a query: immutable, typed nodes that know where in the text they stand.

Source: promql/parser/ast.go upstream. Durations are int milliseconds, or a `DurationExpr` that the
planner works out once it knows the evaluation range and step.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from zseval.model.matcher import Matcher
from zseval.promql.syntax.value_type import ValueType

__all__ = [
    "AggregateExpr",
    "AtBound",
    "BinaryExpr",
    "Call",
    "Cardinality",
    "Duration",
    "DurationCall",
    "DurationExpr",
    "DurationOperation",
    "Expr",
    "Fill",
    "MatrixSelector",
    "NumberLiteral",
    "ParenExpr",
    "Span",
    "StringLiteral",
    "SubqueryExpr",
    "UnaryExpr",
    "ValueType",
    "VectorMatching",
    "VectorSelector",
    "children",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`, in characters."""

    start: int
    end: int


_NOWHERE = Span(0, 0)


class AtBound(enum.Enum):
    """`@ start()` and `@ end()`."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class DurationOperation:
    """`lhs op rhs` inside a duration, op one of + - * / % ^; a unary sign has lhs None."""

    op: str
    lhs: DurationExpr | None
    rhs: DurationExpr
    span: Span = field(default=_NOWHERE, compare=False)
    parens: bool = False


@dataclass(frozen=True, slots=True)
class DurationCall:
    """`step()`, `range()`, `min_of(a, b)`, `max_of(a, b)` inside a duration."""

    name: str
    args: tuple[DurationExpr, ...]
    span: Span = field(default=_NOWHERE, compare=False)
    parens: bool = False


DurationExpr: TypeAlias = "DurationOperation | DurationCall | NumberLiteral"
"""Arithmetic on durations (Prometheus 3.4 and later). NumberLiteral counts seconds."""

Duration: TypeAlias = "int | DurationExpr"
"""int milliseconds, or an expression for them."""


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A number, or a duration written as one (`5m` is 300, `is_duration`)."""

    value: float
    is_duration: bool = False
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return ValueType.SCALAR


@dataclass(frozen=True, slots=True)
class StringLiteral:
    r"""escaped: the literal with bytes that are no UTF-8 as `\xff`; "" where there are none."""

    value: str
    escaped: str = field(default="", compare=False)
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return ValueType.STRING


@dataclass(frozen=True, slots=True)
class VectorSelector:
    """`name{matchers} offset d @ t`.

    name: the metric name as written before the braces, or ""; `matchers` holds the `__name__`
    matcher in every case.
    at_ms: the `@` time in ms, or an AtBound, or None.
    """

    name: str
    matchers: tuple[Matcher, ...]
    offset: Duration = 0
    at: int | AtBound | None = None
    anchored: bool = False
    smoothed: bool = False
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class MatrixSelector:
    """`selector[range]`; offset and @ stand on the inner selector, as upstream."""

    selector: VectorSelector
    range: Duration
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return ValueType.MATRIX


@dataclass(frozen=True, slots=True)
class SubqueryExpr:
    """`expr[range:step]`; step None is the default evaluation interval."""

    expr: Expr
    range: Duration
    step: Duration | None = None
    offset: Duration = 0
    at: int | AtBound | None = None
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return ValueType.MATRIX


@dataclass(frozen=True, slots=True)
class ParenExpr:
    expr: Expr
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return self.expr.type


@dataclass(frozen=True, slots=True)
class UnaryExpr:
    """`+expr` or `-expr`."""

    op: str
    expr: Expr
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return self.expr.type


class Cardinality(enum.Enum):
    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


@dataclass(frozen=True, slots=True)
class Fill:
    """Default values for unmatched sides (`fill`, `fill_left`, `fill_right`)."""

    left: float | None = None
    right: float | None = None


@dataclass(frozen=True, slots=True)
class VectorMatching:
    """`on(labels)` / `ignoring(labels)` with `group_left/right(include)`."""

    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    labels: tuple[str, ...] = ()
    on: bool = False
    include: tuple[str, ...] = ()
    fill: Fill = Fill()


@dataclass(frozen=True, slots=True)
class BinaryExpr:
    """matching is None unless both sides are instant vectors."""

    op: str
    lhs: Expr
    rhs: Expr
    matching: VectorMatching | None = None
    return_bool: bool = False
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        sides = (self.lhs.type, self.rhs.type)
        return ValueType.SCALAR if sides == (ValueType.SCALAR, ValueType.SCALAR) else ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class AggregateExpr:
    """`op by|without (grouping) (param, expr)`; plain aggregation is `by ()`."""

    op: str
    expr: Expr
    param: Expr | None = None
    grouping: tuple[str, ...] = ()
    without: bool = False
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; `returns` comes from the function's signature."""

    func: str
    args: tuple[Expr, ...]
    returns: ValueType = ValueType.VECTOR
    span: Span = field(default=_NOWHERE, compare=False)

    @property
    def type(self) -> ValueType:
        return self.returns


Expr: TypeAlias = (
    NumberLiteral
    | StringLiteral
    | VectorSelector
    | MatrixSelector
    | SubqueryExpr
    | ParenExpr
    | UnaryExpr
    | BinaryExpr
    | AggregateExpr
    | Call
)
"""Any node that has a value."""


def children(node: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions of a node, in order of evaluation."""
    match node:
        case ParenExpr(expr=expr) | UnaryExpr(expr=expr) | SubqueryExpr(expr=expr):
            return (expr,)
        case MatrixSelector(selector=selector):
            return (selector,)
        case BinaryExpr(lhs=lhs, rhs=rhs):
            return (lhs, rhs)
        case AggregateExpr(expr=expr, param=param):
            return (expr,) if param is None else (expr, param)
        case Call(args=args):
            return args
        case _:
            return ()


def walk(node: Expr) -> Iterator[Expr]:
    """The node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)
