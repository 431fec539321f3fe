"""Aggregations: grouping once per label sets, then a kernel over all steps.

Source: promql/engine.go (rangeEvalAgg, aggregation, aggregationK, aggregationCountValues).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from zseval.model.arrays import Mask, Rows, Values, is_histogram
from zseval.model.labels import METRIC_NAME, quote
from zseval.model.labelsets import Grouping, LabelSets, factorize
from zseval.model.number import format_f, format_g
from zseval.promql.errors import EvaluationError
from zseval.promql.exec.context import Context, Query
from zseval.promql.exec.hashing import label_offsets
from zseval.promql.exec.histogram_groups import with_histogram_totals
from zseval.promql.exec.labels import is_label_name
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels import groups as group_kernels
from zseval.promql.kernels import quantile, ranking
from zseval.promql.plan.nodes import Aggregate, Text

__all__ = ["RowGroups", "aggregate", "row_groups"]

_INT64_LIMIT = float(2**63)


@dataclass(frozen=True, slots=True, eq=False)
class RowGroups:
    """Which group each series belongs to, the labels of the groups, and the series sorted by group."""

    ids: Rows
    labels: LabelSets
    groups: group_kernels.Groups

    @property
    def count(self) -> int:
        return len(self.labels)


Implementation: TypeAlias = Callable[[Aggregate, Vector, "Vector | None", RowGroups, Context], Vector]


def aggregate(node: Aggregate, vector: Vector, param: Vector | None, ctx: Context) -> Vector:
    """The value of `op by (…) (param, vector)`; param: a scalar, None where there is none or it is a string.

    Raises EvaluationError for parameters without meaning.
    """
    query, labels = ctx.query, vector.labels
    query.limits.hold(vector.size)
    note = query.notes.get(id(node))
    if note is not None and note[0] is labels:
        groups: RowGroups = note[1]
    else:
        groups = row_groups(labels, node.grouping, node.without, query)
        query.notes[id(node)] = labels, groups
    result = _OPERATORS.get(node.op, _reduce)(node, vector, param, groups, ctx)
    query.limits.hold(-vector.size)
    return result


def row_groups(labels: LabelSets, grouping: tuple[str, ...], without: bool, query: Query) -> RowGroups:
    """The groups of `by (…)` or `without (…)`, remembered."""

    def make() -> RowGroups:
        used = labels.drop((METRIC_NAME, *grouping)) if without else labels.keep(grouping)
        found = used.group()
        labels_of_groups = used.take(found.first)
        return RowGroups(found.ids, labels_of_groups, group_kernels.Groups.of(found.ids, found.count))

    return query.remember((labels,), ("group by", tuple(sorted(grouping)), without), make)


def _result(groups: RowGroups, values: Values, present: Mask | None, vector: Vector) -> Vector:
    """A row a group; its name goes at the end if that of any member does."""
    drop = None
    if vector.drop_name is not None:
        marked = vector.drop_name & vector.rows_present()
        drop = np.bincount(groups.ids[marked], minlength=groups.count) > 0
    return Vector(groups.labels, values, present, drop)


def _reduce(
    node: Aggregate, vector: Vector, _param: Vector | None, groups: RowGroups, ctx: Context
) -> Vector:
    """sum, avg, min, max, count, group, stddev, stdvar."""
    floats = vector if node.op in ("count", "group") else vector.floats()
    values, present = group_kernels.aggregate(
        node.op, floats.values, floats.present, groups.groups, groups.count
    )
    result = _result(groups, values, present, vector)
    if node.op in ("sum", "avg"):
        return with_histogram_totals(node, result, vector, groups.ids, ctx)
    if floats is not vector:
        _note_ignored(node.op, vector, node.expr.span.start, ctx)
    return result


def _note_ignored(op: str, vector: Vector, start: int, ctx: Context) -> None:
    if vector.histograms is not None and is_histogram(vector.histograms).any():
        ctx.query.annotations.ignored_in_aggregation(op, start)


def _quantile(
    node: Aggregate, vector: Vector, param: Vector | None, groups: RowGroups, ctx: Context
) -> Vector:
    wanted, start = _param(node, param)
    _warn_of_extremes(wanted, start, ctx)
    floats = vector.floats()
    _note_ignored("quantile", vector, node.expr.span.start, ctx)
    values, present = quantile.quantile(wanted, floats.values, floats.present, groups.ids, groups.count)
    return _result(groups, values, present, vector)


def _param(node: Aggregate, param: Vector | None) -> tuple[Values, int]:
    """The parameter at each step, and where it stands in the text."""
    assert param is not None, "the checker asks for the parameter"
    assert node.param is not None, "a parameter that has a value has a node"
    return param.row, node.param.span.start


def _warn_of_extremes(wanted: Values, start: int, ctx: Context) -> None:
    """Upstream warns of the largest and the smallest parameter only, and only of NaN where there is one."""
    annotations = ctx.query.annotations
    if np.isnan(wanted).any():
        annotations.invalid_quantile(np.nan, start)
        return
    if (wanted > 1).any():
        annotations.invalid_quantile(float(wanted.max()), start)
    if (wanted < 0).any():
        annotations.invalid_quantile(float(wanted.min()), start)


def _rank(node: Aggregate, vector: Vector, param: Vector | None, groups: RowGroups, ctx: Context) -> Vector:
    """topk, bottomk and limitk: at most k series of each group at each step, under their own labels."""
    wanted, _ = _param(node, param)
    _check_integers(wanted)
    if wanted.max(initial=0) < 1:
        return _nothing(vector)
    counts = np.minimum(wanted, len(vector.labels)).astype(np.intp)
    if node.op != "limitk":
        _note_ignored(node.op, vector, node.span.start, ctx)
        vector = vector.floats()
    kept = _RANKING[node.op](vector.values, vector.present, groups.ids, groups.count, counts)
    result = vector.where(kept)
    return _in_order(result, node.op, groups) if ctx.steps.count == 1 else result


_RANKING = {"topk": ranking.topk, "bottomk": ranking.bottomk, "limitk": ranking.limitk}


def _nothing(vector: Vector) -> Vector:
    return vector.where(np.zeros(vector.values.shape, dtype=np.bool_))


def _check_integers(wanted: Values) -> None:
    """Raises EvaluationError for a k that has no int64, unless no k selects anything."""
    if np.isnan(wanted).any():
        raise EvaluationError("Parameter value is NaN")
    if wanted.max(initial=0) < 1:
        return
    if wanted.min() <= -_INT64_LIMIT:
        raise EvaluationError(f"Scalar value {format_g(float(wanted.min()))} underflows int64")
    if wanted.max() >= _INT64_LIMIT:
        raise EvaluationError(f"Scalar value {format_g(float(wanted.max()))} overflows int64")


def _in_order(vector: Vector, op: str, groups: RowGroups) -> Vector:
    """An instant vector group by group, the best first; NaN last."""
    rows = np.flatnonzero(vector.mask()[:, 0])
    if op == "limitk":
        return vector.take(rows[np.argsort(groups.ids[rows], kind="stable")])
    values = vector.values[rows, 0]
    keys = -values if op == "topk" else values
    return vector.take(rows[np.lexsort((keys, groups.ids[rows]))])


def _limit_ratio(
    node: Aggregate, vector: Vector, param: Vector | None, _groups: RowGroups, ctx: Context
) -> Vector:
    """The series whose hash falls below the ratio, or for a negative one those above its complement."""
    ratios, start = _param(node, param)
    if not ratios.any() and not np.isnan(ratios).any():
        return _nothing(vector)
    if np.isnan(ratios).any():
        raise EvaluationError("Ratio value is NaN")
    if ratios.max() > 1:
        ctx.query.annotations.invalid_ratio(float(ratios.max()), 1.0, start)
    if ratios.min() < -1:
        ctx.query.annotations.invalid_ratio(float(ratios.min()), -1.0, start)
    labels, query = vector.labels, ctx.query
    offsets = query.remember((labels,), "hash offsets", lambda: label_offsets(labels, query.symbols))
    kept = ranking.limit_ratio(vector.mask(), offsets, np.clip(ratios, -1.0, 1.0))
    return vector.where(kept)


def _count_values(
    node: Aggregate, vector: Vector, _param: Vector | None, _by: RowGroups, ctx: Context
) -> Vector:
    """A series for each distinct value of each group, counting it."""
    assert isinstance(node.param, Text), "the checker asks for a string"
    name, query = node.param.value, ctx.query
    if not is_label_name(name):
        raise EvaluationError(f"invalid label name {node.param.escaped or quote(name)}")
    series, steps = np.nonzero(vector.mask())
    cells = vector.values[series, steps]
    # By bits, so that -0 and 0 stay apart as their texts do; NaNs share a text and join below.
    unique, which = np.unique(cells.view(np.int64), return_inverse=True)
    codes = np.array([query.symbols.intern(format_f(value)) for value in unique.view(np.float64).tolist()])
    value_codes = codes.astype(np.int32)[which] if len(codes) else np.zeros(0, dtype=np.int32)
    if vector.histograms is not None:
        for place, histogram in enumerate(vector.histograms[series, steps]):
            if histogram is not None:
                value_codes[place] = query.symbols.intern(str(histogram))
    labels = vector.labels.take(series).with_column(name, value_codes)
    labels = (
        labels.drop((METRIC_NAME, *node.grouping)) if node.without else labels.keep((*node.grouping, name))
    )
    groups = factorize(labels.codes)
    labels = labels.take(groups.first)
    return _counted(LabelSets(labels.names, labels.codes, query.symbols), groups, steps, ctx.steps.count)


def _counted(labels: LabelSets, groups: Grouping, steps: Rows, count: int) -> Vector:
    flat = np.bincount(groups.ids * count + steps, minlength=groups.count * count)
    counts = flat.reshape(groups.count, count)
    return Vector(labels, counts.astype(np.float64), counts > 0)


_OPERATORS: dict[str, Implementation] = {
    "quantile": _quantile,
    "topk": _rank,
    "bottomk": _rank,
    "limitk": _rank,
    "limit_ratio": _limit_ratio,
    "count_values": _count_values,
}
