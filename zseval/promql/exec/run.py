"""Evaluation of a plan: inputs first, then the operator, which is a function of their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from zseval.model.arrays import Mask, Values
from zseval.model.labelsets import LabelSets
from zseval.promql.exec.aggregate import aggregate
from zseval.promql.exec.binary import binary
from zseval.promql.exec.calls import call, range_call
from zseval.promql.exec.context import Context
from zseval.promql.exec.counted import counted
from zseval.promql.exec.extended import extended_vector, smoothed_select
from zseval.promql.exec.histogram_binary import TRIM, negated
from zseval.promql.exec.info import info
from zseval.promql.exec.merged import merged
from zseval.promql.exec.ranges import RangeVector
from zseval.promql.exec.select import info_times, sample_times, select, window_ends
from zseval.promql.exec.selected_histograms import selected_histograms
from zseval.promql.exec.started import start_timestamps
from zseval.promql.exec.subquery import subquery
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
    query = ctx.query
    limits, trace = query.limits, query.trace
    limits.check()
    if ctx.steps.count == 0:
        return Vector(LabelSets.empty(0, query.base), np.zeros((0, 0)))
    before = limits.held
    result = _evaluate(node, ctx) if trace is None else trace.vector(node, ctx, _evaluate)
    limits.held = before
    limits.hold(result.values.size)  # the inputs may go now
    return result


_TOTALS_FUNCTIONS = frozenset({"histogram_avg", "histogram_count", "histogram_sum"})


def _evaluate(node: Node, ctx: Context) -> Vector:
    implementation = _NODES.get(type(node))
    assert implementation is not None, f"no {type(node).__name__} stands where a vector is wanted"
    return implementation(node, ctx)


def _number(node: Number, ctx: Context) -> Vector:
    query, count = ctx.query, ctx.steps.count
    if count != 1:
        return Vector.scalar(np.full(count, node.value), query)
    note = query.notes.get(id(node))
    if note is None:
        note = query.notes[id(node)] = (Vector.scalar(np.array([node.value]), query),)
    noted: Vector = note[0]
    return noted


def _select(node: Select, ctx: Context) -> Vector:
    return smoothed_select(node, ctx) if node.smoothed else select(node, ctx)


def _sample_times(node: SampleTimes, ctx: Context) -> Vector:
    return drop_names(start_timestamps(node, ctx) if node.starts else sample_times(node, ctx), ctx, node)


def _step_invariant(node: StepInvariant, ctx: Context) -> Vector:
    return _repeated(evaluate(node.expr, ctx.at(ctx.steps.first)), ctx)


def _negate(node: Negate, ctx: Context) -> Vector:
    return drop_names(negated(evaluate(node.expr, ctx)), ctx, node)


def _binary(node: Binary, ctx: Context) -> Vector:
    inner = ctx.for_totals(ctx.totals_only and node.op not in TRIM)
    left = evaluate(node.lhs, inner)
    return binary(node, left, evaluate(node.rhs, inner), ctx)


def _aggregate(node: Aggregate, ctx: Context) -> Vector:
    for shorter in (counted, merged):
        before = shorter(node, ctx)
        if before is not None:
            return before
    is_text = node.param is None or isinstance(node.param, Text)
    param = None if is_text or node.param is None else evaluate(node.param, ctx)
    return aggregate(node, evaluate(node.expr, ctx), param, ctx)


def _info(node: Info, ctx: Context) -> Vector:
    return info(node, evaluate(node.expr, ctx), info_times(node.times, ctx), ctx)


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


_NODES: dict[type, Callable[[Any, Context], Vector]] = {
    Number: _number,
    Select: _select,
    SampleTimes: _sample_times,
    StepInvariant: _step_invariant,
    Negate: _negate,
    Binary: _binary,
    Aggregate: _aggregate,
    Call: _call,
    Info: _info,
}
"""What evaluates each kind of node that gives a vector."""


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
