"""From a checked syntax tree and an evaluation range to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zseval.model.labels import METRIC_NAME
from zseval.model.matcher import Matcher
from zseval.promql.errors import EvaluationError
from zseval.promql.functions import EXTENDED_FUNCTIONS, FUNCTIONS
from zseval.promql.plan.durations import duration_ms
from zseval.promql.plan.info import info_names, reference
from zseval.promql.plan.nodes import (
    Aggregate,
    Binary,
    Call,
    Extension,
    Info,
    Negate,
    Node,
    Number,
    Plan,
    Read,
    SampleTimes,
    Select,
    Subquery,
    Text,
    Window,
)
from zseval.promql.plan.passes import PASSES
from zseval.promql.plan.request import Evaluation, Settings
from zseval.promql.plan.steps import Steps
from zseval.promql.syntax import ast

__all__ = ["build", "build_unoptimised"]


def build(expr: ast.Expr, evaluation: Evaluation, settings: Settings) -> Plan:
    """The plan of an expression, after all passes.

    Raises InvalidQueryError for durations without a usable value, and EvaluationError for what is not
    supported, or not there.
    """
    plan = build_unoptimised(expr, evaluation, settings)
    for apply in PASSES:
        plan = apply(plan)
    return plan


def build_unoptimised(expr: ast.Expr, evaluation: Evaluation, settings: Settings) -> Plan:
    """The plan as the expression says it, before any pass."""
    builder = _Builder(evaluation, settings)
    steps = evaluation.steps
    root = builder.node(expr, steps)
    return Plan(root, tuple(builder.reads), steps, expr.type, builder.moves)


def _unwrap(expr: ast.Expr) -> ast.Expr:
    while isinstance(expr, ast.ParenExpr):
        expr = expr.expr
    return expr


def _extension(selector: ast.VectorSelector) -> Extension | None:
    if selector.anchored:
        return Extension.ANCHORED
    return Extension.SMOOTHED if selector.smoothed else None


def _check_extension(name: str, args: Sequence[Node]) -> None:
    """Only some functions know what to do with samples beyond the range."""
    for arg in args:
        if isinstance(arg, Window) and arg.extension is not None:
            allowed = EXTENDED_FUNCTIONS[arg.extension]
            if name not in allowed:
                raise EvaluationError(
                    f"{arg.extension} modifier can only be used with: {', '.join(allowed)} - not with {name}"
                )


class _Builder:
    """Collects reads on the way down; `steps` of a method are those its node is evaluated at."""

    def __init__(self, query: Evaluation, settings: Settings) -> None:
        self.query = query
        self.settings = settings
        self.reads: list[Read] = []
        self.moves = True

    def node(self, expr: ast.Expr, steps: Steps) -> Node:
        match expr:
            case ast.ParenExpr():
                return self.node(expr.expr, steps)
            case ast.NumberLiteral():
                return Number(expr.value, expr.span)
            case ast.StringLiteral():
                return Text(expr.value, expr.escaped, expr.span)
            case ast.VectorSelector():
                return self._select(expr, steps)
            case ast.MatrixSelector():
                return self._window(expr, steps)
            case ast.SubqueryExpr():
                return self._subquery(expr, steps)
            case ast.UnaryExpr():
                inner = self.node(expr.expr, steps)
                return Negate(inner, expr.span) if expr.op == "-" else inner
            case ast.BinaryExpr():
                return self._binary(expr, steps)
            case ast.AggregateExpr():
                param = None if expr.param is None else self.node(expr.param, steps)
                inner = self.node(expr.expr, steps)
                return Aggregate(expr.op, inner, param, expr.grouping, expr.without, expr.span)
            case ast.Call():
                return self._call(expr, steps)

    def _select(self, expr: ast.VectorSelector, steps: Steps) -> Select:
        offset, at = self._offset(expr.offset), self._at(expr.at)
        lookback = self.settings.lookback_ms
        after = lookback if expr.smoothed else 0
        read = self._read(expr.matchers, steps, offset - after, at, lookback + after)
        return Select(read, expr.matchers, offset, at, expr.smoothed, expr.span)

    def _window(self, expr: ast.MatrixSelector, steps: Steps) -> Window:
        selector = expr.selector
        width, extension = self._range(expr.range), _extension(selector)
        offset, at = self._offset(selector.offset), self._at(selector.at)
        lookback = self.settings.lookback_ms
        before = width + (lookback if extension else 0)
        after = lookback if extension is Extension.SMOOTHED else 0
        read = self._read(selector.matchers, steps, offset - after, at, before + after)
        return Window(read, selector.matchers, width, offset, at, extension, expr.span)

    def _subquery(self, expr: ast.SubqueryExpr, steps: Steps) -> Subquery:
        width = self._range(expr.range)
        offset, at = self._offset(expr.offset), self._at(expr.at)
        step = self.settings.default_step_ms if expr.step is None else self._range(expr.step)
        seen = steps if at is None else Steps.at(at)
        self.moves = False  # its steps stay multiples of their interval
        inner = replace(seen, start_ms=seen.start_ms - offset).aligned_within(width, step)
        return Subquery(self.node(expr.expr, inner), width, inner, offset, at, expr.span)

    def _binary(self, expr: ast.BinaryExpr, steps: Steps) -> Binary:
        return Binary(
            expr.op,
            self.node(expr.lhs, steps),
            self.node(expr.rhs, steps),
            expr.lhs.type is ast.ValueType.SCALAR,
            expr.rhs.type is ast.ValueType.SCALAR,
            expr.matching,
            expr.return_bool,
            expr.span,
        )

    def _call(self, expr: ast.Call, steps: Steps) -> Node:
        value = self._query_context(expr.func)
        if value is not None:
            return Number(value, expr.span)
        if expr.func == "info":
            return self._info(expr, steps)
        function = FUNCTIONS.get(expr.func)
        if function is None:
            raise EvaluationError(f"the function {expr.func}() is not supported yet")
        args = tuple(self.node(_unwrap(arg), steps) for arg in expr.args)
        _check_extension(function.name, args)
        if function.name == "timestamp" and isinstance(args[0], Select):
            return SampleTimes(args[0], span=expr.span)
        if function.name == "start_timestamp" and isinstance(args[0], Select) and self.settings.start_times:
            return SampleTimes(args[0], starts=True, span=expr.span)
        return Call(function, args, expr.span)

    def _info(self, expr: ast.Call, steps: Steps) -> Info:
        base, *selector = expr.args
        matchers = selector[0].matchers if selector and isinstance(selector[0], ast.VectorSelector) else ()
        names = info_names(matchers)
        labels = tuple(matcher for matcher in matchers if matcher.name != METRIC_NAME)
        offset, bound = reference(base, self._offset)
        at, wanted = self._at(bound), (*names, *labels)
        read = self._read(wanted, steps, offset, at, self.settings.lookback_ms)
        times = SampleTimes(Select(read, wanted, offset, at, span=expr.span), span=expr.span)
        return Info(self.node(base, steps), times, names, labels, expr.span)

    def _query_context(self, name: str) -> float | None:
        """The value of a function that is constant for one run of a query."""
        query = self.query
        match name:
            case "start":
                self.moves = False
                return query.start_ms / 1000
            case "end":
                self.moves = False
                return query.end_ms / 1000
            case "range":
                return (query.end_ms - query.start_ms) / 1000
            case "step":
                return query.step_ms / 1000 if query.start_ms != query.end_ms else 0.0
        return None

    def _read(
        self, matchers: tuple[Matcher, ...], steps: Steps, offset: int, at: int | None, width: int
    ) -> int:
        first, last = (steps.start_ms, steps.end_ms) if at is None else (at, at)
        self.reads.append(Read(matchers, first - offset - width, last - offset))
        return len(self.reads) - 1

    def _range(self, duration: ast.Duration) -> int:
        return self._duration(duration, positive=True)

    def _offset(self, duration: ast.Duration) -> int:
        return self._duration(duration, positive=False)

    def _duration(self, duration: ast.Duration, *, positive: bool) -> int:
        query = self.query
        return duration_ms(duration, query.end_ms - query.start_ms, query.step_ms, positive=positive)

    def _at(self, at: int | ast.AtBound | None) -> int | None:
        self.moves = self.moves and at is None
        match at:
            case ast.AtBound.START:
                return self.query.start_ms
            case ast.AtBound.END:
                return self.query.end_ms
            case _:
                return at
