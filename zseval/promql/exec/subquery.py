"""Subqueries: the values of an inner evaluation, read as samples."""

from __future__ import annotations

import numpy as np

from zseval.model.arrays import Histograms, Times, is_histogram
from zseval.model.histogram import CounterReset
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector
from zseval.promql.exec.select import window_ends
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels.windows import compact
from zseval.promql.plan.nodes import Subquery
from zseval.tsdb.frame import Frame, HistogramFrame

__all__ = ["subquery"]


def subquery(node: Subquery, inner: Vector, ctx: Context) -> RangeVector:
    """The range vector of a subquery whose expression gave `inner` at `node.steps`."""
    rows = np.arange(len(inner.labels), dtype=np.intp)
    times = node.steps.times
    histograms = _histograms(inner, times)
    inner = inner.floats()
    if inner.present is None or inner.present.all():
        frame = Frame(rows, times, inner.values, None, has_stale=False)
    else:
        frame = Frame(rows, *compact(times, inner.values, inner.present), has_stale=False)
    return RangeVector(
        inner.labels,
        (frame,),
        window_ends(node, ctx),
        node.range_ms,
        inner.drop_name,
        histograms=histograms,
    )


def _histograms(inner: Vector, times: Times) -> list[HistogramFrame]:
    """Their histograms, without what they say of counter resets: the steps may not see every sample."""
    if inner.histograms is None:
        return []
    held = is_histogram(inner.histograms)
    return [
        HistogramFrame(row, times[held[row]], _without_hints(inner.histograms[row, held[row]]))
        for row in np.flatnonzero(held.any(axis=1)).tolist()
    ]


def _without_hints(values: Histograms) -> Histograms:
    made = values.copy()
    for index, histogram in enumerate(values):
        if not histogram.is_gauge:
            made[index] = histogram.with_hint(CounterReset.UNKNOWN)
    return made
