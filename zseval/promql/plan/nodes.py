"""Plan nodes: what will be read and computed, as frozen data.

A plan is built for one evaluation range: durations are milliseconds, `@` times are absolute, and
every selector names the read that feeds it. Nodes compare by value, and `explain` prints them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields, replace
from typing import TypeAlias

from zseval.model.matcher import Matcher
from zseval.promql.functions import Function
from zseval.promql.plan.steps import Steps
from zseval.promql.syntax.ast import Span, ValueType, VectorMatching

__all__ = [
    "Aggregate",
    "Binary",
    "Call",
    "Extension",
    "Info",
    "Negate",
    "Node",
    "Number",
    "Plan",
    "Read",
    "SampleTimes",
    "Select",
    "StepInvariant",
    "Subquery",
    "Text",
    "Window",
    "children",
    "with_children",
]

_NOWHERE = Span(0, 0)


class Extension(enum.StrEnum):
    """A modifier by which a range looks beyond its edges."""

    ANCHORED = "anchored"
    SMOOTHED = "smoothed"


@dataclass(frozen=True, slots=True)
class Read:
    """One selection from the store: the samples with `start_ms < t <= end_ms`."""

    matchers: tuple[Matcher, ...]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """escaped: as of ast.StringLiteral."""

    value: str
    escaped: str = field(default="", compare=False)
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Select:
    """An instant vector: each series' last sample within the lookback of `t - offset_ms` (or of `at_ms`).

    smoothed: the value there is interpolated between its neighbours.
    """

    read: int
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at_ms: int | None = None
    smoothed: bool = False
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SampleTimes:
    """The times of the samples that a Select picks, in seconds: `timestamp(selector)`.

    starts: the times their counters began instead, `start_timestamp(selector)`.
    """

    select: Select
    starts: bool = False
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Window:
    """A range vector: the samples of the `range_ms` up to each step."""

    read: int
    matchers: tuple[Matcher, ...]
    range_ms: int
    offset_ms: int = 0
    at_ms: int | None = None
    extension: Extension | None = None
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Subquery:
    """A range vector whose samples are the values of `expr` at the times `steps`."""

    expr: Node
    range_ms: int
    steps: Steps
    offset_ms: int = 0
    at_ms: int | None = None
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of vectors and scalars, or (Function.kind RANGE) of one range vector and scalars."""

    function: Function
    args: tuple[Node, ...]
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Info:
    """`info(expr, {labels})`: `expr` with the labels of info series, by the times of their samples.

    names: matchers of the names of info series.  labels: matchers of the labels asked for, or none.
    """

    expr: Node
    times: SampleTimes
    names: tuple[Matcher, ...]
    labels: tuple[Matcher, ...] = ()
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    op: str
    expr: Node
    param: Node | None = None
    grouping: tuple[str, ...] = ()
    without: bool = False
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """`-expr`."""

    expr: Node
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """lhs_scalar, rhs_scalar: the type of each side. matching: None unless both are vectors."""

    op: str
    lhs: Node
    rhs: Node
    lhs_scalar: bool
    rhs_scalar: bool
    matching: VectorMatching | None = None
    return_bool: bool = False
    span: Span = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class StepInvariant:
    """Evaluated at the first step only, and repeated at the others."""

    expr: Node
    span: Span = field(default=_NOWHERE, compare=False)


Node: TypeAlias = (
    Number
    | Text
    | Select
    | SampleTimes
    | Window
    | Subquery
    | Call
    | Info
    | Aggregate
    | Negate
    | Binary
    | StepInvariant
)
"""Any node of a plan."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A query made ready: its root, what it reads, when it is evaluated, and the type of its value.

    moves: at other times it is the same, but for the times of its reads and its steps.
    """

    root: Node
    reads: tuple[Read, ...]
    steps: Steps
    type: ValueType
    moves: bool = False


def children(node: Node) -> tuple[Node, ...]:
    """The direct inputs of a node, in order of evaluation."""
    match node:
        case Subquery(expr=expr) | Negate(expr=expr) | StepInvariant(expr=expr):
            return (expr,)
        case SampleTimes(select=select):
            return (select,)
        case Call(args=args):
            return args
        case Info(expr=expr, times=times):
            return (expr, times)
        case Aggregate(expr=expr, param=param):
            return (expr,) if param is None else (param, expr)
        case Binary(lhs=lhs, rhs=rhs):
            return (lhs, rhs)
        case _:
            return ()


def with_children(node: Node, made: tuple[Node, ...]) -> Node:
    """The node with other inputs, given in the order of `children`."""
    if all(new is old for new, old in zip(made, children(node), strict=True)):
        return node
    match node:
        case Subquery() | Negate() | StepInvariant():
            return replace(node, expr=made[0])
        case Call():
            return replace(node, args=made)
        case Info():
            times = made[1]
            assert isinstance(times, SampleTimes), "info() reads the times of info series"
            return replace(node, expr=made[0], times=times)
        case Aggregate(param=None):
            return replace(node, expr=made[0])
        case Aggregate():
            return replace(node, param=made[0], expr=made[1])
        case Binary():
            return replace(node, lhs=made[0], rhs=made[1])
        case SampleTimes():
            select = made[0]
            assert isinstance(select, Select), "timestamp() reads a selector"
            return replace(node, select=select)
        case _:
            return node


def own_fields(node: Node) -> list[tuple[str, object]]:
    """The fields of a node that are neither inputs nor its place in the text."""
    inputs = {"expr", "args", "param", "lhs", "rhs", "select", "times", "span", "escaped"}
    return [(each.name, getattr(node, each.name)) for each in fields(node) if each.name not in inputs]
