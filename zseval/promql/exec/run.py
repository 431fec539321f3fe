"""Evaluation of a plan: inputs first, then the operator, which is a function of their values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zseval.model.arrays import Mask, Values
from zseval.model.labelsets import LabelSets
from zseval.promql.exec.aggregate import aggregate
from zseval.promql.exec.binary import binary
from zseval.promql.exec.calls import call, range_call
from zseval.promql.exec.context import Context
from zseval.promql.exec.extended import extended_vector, smoothed_select
from zseval.promql.exec.histogram_binary import TRIM, negated
from zseval.promql.exec.info import info
from zseval.promql.exec.ranges import RangeVector
from zseval.promql.exec.select import info_times, sample_times, select, window_ends
from zseval.promql.exec.selected_histograms import selected_histograms
from zseval.promql.exec.started import start_timestamps
from zseval.promql.exec.subquery import subquery
from zseval.promql.exec.summed import summed
from zseval.promql.exec.vector import Vector, drop_names
from zseval.promql.functions import Kind
from zseval.promql.plan.nodes import (
    Aggregate,
    Binary,
    Call,
    Info,
    Negate,
    Node,
    Number,
    SampleTimes,
    Select,
    StepInvariant,
    Subquery,
    Text,
    Window,
)

__all__ = ["evaluate", "evaluate_range_vector"]


def evaluate(node: Node, ctx: Context) -> Vector:
    """The vector (or scalar) of a node at the steps of `ctx`.

    Raises PromQLError: EvaluationError, TooManySamplesError, QueryTimeoutError, QueryCanceledError.
    """
    limits = ctx.query.limits
    limits.check()
    if ctx.steps.count == 0:
        return Vector(LabelSets.empty(0, ctx.query.base), np.zeros((0, 0)))
    before, trace = limits.held, ctx.query.trace
    result = _evaluate(node, ctx) if trace is None else trace.vector(node, ctx, _evaluate)
    limits.held = before
    limits.hold(result.size)  # the inputs may go now
    return result


_TOTALS_FUNCTIONS = frozenset({"histogram_avg", "histogram_count", "histogram_sum"})


def _evaluate(node: Node, ctx: Context) -> Vector:
    match node:
        case Number(value=value):
            return Vector.scalar(np.full(ctx.steps.count, value), ctx.query)
        case Select(smoothed=True):
            return smoothed_select(node, ctx)
        case Select():
            return select(node, ctx)
        case SampleTimes(starts=True):
            return drop_names(start_timestamps(node, ctx), ctx)
        case SampleTimes():
            return drop_names(sample_times(node, ctx), ctx)
        case StepInvariant():
            return _repeated(evaluate(node.expr, ctx.at(ctx.steps.first)), ctx)
        case Negate():
            inner = evaluate(node.expr, ctx)
            return drop_names(negated(inner), ctx)
        case Binary():
            inner_ctx = ctx.for_totals(ctx.totals_only and node.op not in TRIM)
            left = evaluate(node.lhs, inner_ctx)
            return binary(node, left, evaluate(node.rhs, inner_ctx), ctx)
        case Aggregate():
            before = summed(node, ctx)
            if before is not None:
                return before
            is_text = node.param is None or isinstance(node.param, Text)
            param = None if is_text or node.param is None else evaluate(node.param, ctx)
            return aggregate(node, evaluate(node.expr, ctx), param, ctx)
        case Call():
            return _call(node, ctx)
        case Info():
            return info(node, evaluate(node.expr, ctx), info_times(node.times, ctx), ctx)
        case Window() | Subquery() | Text():
            raise AssertionError(f"the checker lets no {type(node).__name__} stand where a vector is wanted")


def _call(node: Call, ctx: Context) -> Vector:
    strings = tuple(arg.value for arg in node.args if isinstance(arg, Text))
    if node.function.name.startswith("histogram_"):
        ctx = ctx.for_totals(node.function.name in _TOTALS_FUNCTIONS)
    if node.function.kind is not Kind.RANGE:
        vectors = [evaluate(arg, ctx) for arg in node.args if not isinstance(arg, Text)]
        return call(node, vectors, strings, ctx)
    argument = next(arg for arg in node.args if isinstance(arg, Window | Subquery))
    samples = evaluate_range_vector(argument, ctx)
    params = [evaluate(arg, ctx).row for arg in node.args if arg is not argument]
    return range_call(node, argument, samples, params, ctx)


def evaluate_range_vector(node: Node, ctx: Context) -> RangeVector:
    """The samples and windows of a range vector at the steps of `ctx`."""
    trace = ctx.query.trace
    return _range_vector(node, ctx) if trace is None else trace.samples(node, ctx, _range_vector)


def _range_vector(node: Node, ctx: Context) -> RangeVector:
    match node:
        case Window() if node.extension is not None:
            return extended_vector(node, ctx)
        case Window():
            selection = ctx.query.selections[node.read]
            ends = window_ends(node, ctx)
            histograms = selected_histograms(selection, ctx)
            return RangeVector(
                selection.labels,
                selection.apart,
                ends,
                node.range_ms,
                starts=selection.starts,
                histograms=histograms,
                cohorts=selection.cohorts,
            )
        case Subquery():
            return subquery(node, evaluate(node.expr, ctx.at(node.steps).for_totals(False)), ctx)
        case _:
            raise AssertionError(f"{type(node).__name__} is not a range vector")


def _repeated(vector: Vector, ctx: Context) -> Vector:
    """The value of the first step at all steps."""
    shape = (len(vector.labels), ctx.steps.count)
    values: Values = np.broadcast_to(vector.values, shape)
    present: Mask | None = vector.present
    if present is not None:
        present = np.broadcast_to(present, shape)
    histograms = None if vector.histograms is None else np.broadcast_to(vector.histograms, shape)
    return replace(vector, values=values, present=present, histograms=histograms)
