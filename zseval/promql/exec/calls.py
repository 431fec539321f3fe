"""Function calls: kernels on the cells of instant vectors, and the functions that are about labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np

from zseval.model.arrays import Values
from zseval.model.histogram import Histogram
from zseval.promql.exec import absent, labels
from zseval.promql.exec.context import Context
from zseval.promql.exec.extended import extended_kernel
from zseval.promql.exec.histograms import histogram_fraction, histogram_quantile, histogram_quantiles
from zseval.promql.exec.native_histograms import numbers_of
from zseval.promql.exec.ranges import RangeVector, apply_range
from zseval.promql.exec.sorting import sort_by_label, sort_by_value
from zseval.promql.exec.started import STARTED, started_kernel
from zseval.promql.exec.vector import Vector, drop_names, mask_and
from zseval.promql.functions import ElementKernel, Kind, RangeKernel
from zseval.promql.kernels import elementwise
from zseval.promql.kernels import histograms as native
from zseval.promql.plan.nodes import Call, Subquery, Window

__all__ = ["call", "range_call"]

Implementation: TypeAlias = Callable[[Call, Sequence[Vector], Sequence[str], Context], Vector]


def call(node: Call, args: Sequence[Vector], strings: Sequence[str], ctx: Context) -> Vector:
    """The value of a function of instant vectors and scalars; strings: its string arguments, in order.

    Raises EvaluationError where its labels come to clash.
    """
    function = node.function
    match function.kind:
        case Kind.ELEMENT:
            kernel = cast("ElementKernel", function.kernel)  # the table gives each kind its kernel type
            vector, *params = args
            vector = vector.floats()
            values = kernel(vector.values, *(param.row for param in params))
            return drop_names(vector.with_values(values, vector.present), ctx, node)
        case Kind.CALENDAR:
            kernel = cast("ElementKernel", function.kernel)
            vector = args[0].floats() if args else _time(ctx)
            result = vector.with_values(kernel(vector.values), vector.present)
            return drop_names(result, ctx, node) if args else result
        case _:
            return _OTHERS[function.name](node, args, strings, ctx)


def range_call(
    node: Call, argument: Window | Subquery, vector: RangeVector, params: Sequence[Values], ctx: Context
) -> Vector:
    """The value of a function of a range vector; params: its scalar arguments, float64[K] each."""
    function = node.function
    if function.kernel is None:
        return absent.absent_over_time(vector, argument, ctx)
    kernel = cast("RangeKernel", function.kernel)
    if function.name == "predict_linear":
        # Counted from the evaluation time, whatever offset or @ made of the window's end.
        params = [params[0] + (ctx.steps.times - vector.ends) / 1000.0]
    if isinstance(argument, Window) and argument.extension is not None:
        kernel = extended_kernel(function.name, argument, ctx)
    start, by_rows = argument.span.start, None
    if vector.starts is not None and function.name in STARTED:
        by_rows = started_kernel(function.name, kernel, vector.starts, vector.labels, start, ctx)
    result = apply_range(function, kernel, vector, params, ctx, node=node, start=start, by_rows=by_rows)
    if function.name == "quantile_over_time":
        used = np.asarray(result.mask().any(axis=0))
        _warn_of_quantiles(params[0][used], node.args[0].span.start, ctx)
    return result


def _warn_of_quantiles(values: Values, start: int, ctx: Context) -> None:
    """A warning for each value that is no quantile."""
    for value in dict.fromkeys(values[~((values >= 0) & (values <= 1))].tolist()):
        ctx.query.annotations.invalid_quantile(value, start)


def _time(ctx: Context) -> Vector:
    return Vector.scalar(ctx.steps.times / 1000.0, ctx.query)


def _timestamp(node: Call, args: Sequence[Vector], _strings: Sequence[str], ctx: Context) -> Vector:
    """Of anything but a selector: the time of the step."""
    vector = args[0]
    seconds = np.broadcast_to(ctx.steps.times / 1000.0, vector.values.shape)
    return drop_names(vector.with_values(seconds, vector.present), ctx, node)


def _start_timestamp(_node: Call, args: Sequence[Vector], _strings: Sequence[str], ctx: Context) -> Vector:
    """Of anything but a selector, or with the feature off: nothing."""
    vector = args[0]
    return drop_names(vector.with_values(vector.values, np.zeros(vector.values.shape, dtype=np.bool_)), ctx)


def _clamp(node: Call, args: Sequence[Vector], _strings: Sequence[str], ctx: Context) -> Vector:
    """Nothing at steps at which low is above high."""
    vector, low, high = args[0].floats(), args[1].row, args[2].row
    values = elementwise.clamp(vector.values, low, high)
    possible = ~(high < low)
    present = vector.present
    if not possible.all():
        present = mask_and(present, np.broadcast_to(possible, values.shape))
    return drop_names(vector.with_values(values, present), ctx, node)


def _sorted(node: Call, args: Sequence[Vector], strings: Sequence[str], ctx: Context) -> Vector:
    """Instant vectors only: a matrix is sorted by labels in any case, which is warned about."""
    name, vector = node.function.name, args[0]
    if not name.startswith("sort_by_label"):
        vector = vector.floats()
    if ctx.steps.count != 1:
        ctx.query.annotations.sort_in_range_query(node.span.start)
        return vector
    descending = name.endswith("_desc")
    if name.startswith("sort_by_label"):
        return sort_by_label(vector, strings, ctx, descending=descending)
    return sort_by_value(vector, descending=descending)


def _extreme_of(node: Call, args: Sequence[Vector], _strings: Sequence[str], ctx: Context) -> Vector:
    operator = elementwise.max_of if node.function.name == "max_of" else elementwise.min_of
    return Vector.scalar(operator(args[0].row, args[1].row), ctx.query)


def _quantile(node: Call, args: Sequence[Vector], _strings: Sequence[str], ctx: Context) -> Vector:
    _warn_of_quantiles(args[0].row, node.args[0].span.start, ctx)
    return histogram_quantile(args[0].row, args[1], node.args[1].span.start, ctx)


def _quantiles(node: Call, args: Sequence[Vector], strings: Sequence[str], ctx: Context) -> Vector:
    for param, argument in zip(args[1:], node.args[2:], strict=True):
        _warn_of_quantiles(param.row, argument.span.start, ctx)
    wanted = [param.row for param in args[1:]]
    return histogram_quantiles(args[0], strings[0], wanted, node.args[0].span.start, ctx)


def _fraction(node: Call, args: Sequence[Vector], _strings: Sequence[str], ctx: Context) -> Vector:
    return histogram_fraction(args[0].row, args[1].row, args[2], node.args[2].span.start, ctx)


def _of_histograms(number: Callable[[Histogram], float]) -> Implementation:
    """A function that gives a number for each native histogram, and nothing for floats."""

    def apply(_node: Call, args: Sequence[Vector], _strings: Sequence[str], ctx: Context) -> Vector:
        return drop_names(numbers_of(args[0], lambda histogram, _row: number(histogram)), ctx)

    return apply


_OTHERS: dict[str, Implementation] = {
    "absent": lambda node, args, strings, ctx: absent.absent(args[0], node.args[0], ctx),
    "clamp": _clamp,
    "histogram_avg": _of_histograms(native.average),
    "histogram_count": _of_histograms(lambda histogram: histogram.count),
    "histogram_fraction": _fraction,
    "histogram_quantile": _quantile,
    "histogram_quantiles": _quantiles,
    "histogram_stddev": _of_histograms(native.stddev),
    "histogram_stdvar": _of_histograms(native.variance),
    "histogram_sum": _of_histograms(lambda histogram: histogram.sum),
    "label_join": lambda node, args, strings, ctx: labels.label_join(node, args[0], strings, ctx),
    "label_replace": lambda node, args, strings, ctx: labels.label_replace(node, args[0], strings, ctx),
    "max_of": _extreme_of,
    "min_of": _extreme_of,
    "pi": lambda node, args, strings, ctx: Vector.scalar(np.full(ctx.steps.count, np.pi), ctx.query),
    "scalar": lambda node, args, strings, ctx: absent.scalar(args[0], ctx),
    "sort": _sorted,
    "sort_by_label": _sorted,
    "sort_by_label_desc": _sorted,
    "sort_desc": _sorted,
    "start_timestamp": _start_timestamp,
    "time": lambda node, args, strings, ctx: _time(ctx),
    "timestamp": _timestamp,
    "vector": lambda node, args, strings, ctx: args[0],
}
